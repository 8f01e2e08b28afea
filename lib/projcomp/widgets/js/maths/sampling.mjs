// Noise levels, a seeded generator, reverse diffusion, and the weights that mend it.

/** (steps + 1) decreasing noise levels, ending in 0; as projcomp.sigma_grid. */
export function sigmaGrid(low, high, steps) {
  const ratio = Math.log(low / high) / (steps - 1);
  const levels = Array.from({ length: steps }, (_, i) => high * Math.exp(i * ratio));
  levels[0] = high;
  levels[steps - 1] = low;
  return [...levels, 0];
}

/** Standard normal numbers from a seed (xoshiro128** and the polar method). */
export function normals(seed) {
  const state = new Uint32Array(4);
  let mix = seed >>> 0;
  for (let i = 0; i < 4; i++) {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    state[i] = z ^ (z >>> 16);
  }
  const rotate = (x, k) => (x << k) | (x >>> (32 - k));
  const uint = () => {
    const result = Math.imul(rotate(Math.imul(state[1], 5), 7), 9) >>> 0;
    const t = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= t;
    state[3] = rotate(state[3], 11);
    return result;
  };
  const uniform = () => ((uint() >>> 5) * 67108864 + (uint() >>> 6)) / 9007199254740992;
  let spare = null;
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    for (;;) {
      const u = 2 * uniform() - 1;
      const v = 2 * uniform() - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) {
        const factor = Math.sqrt((-2 * Math.log(s)) / s);
        spare = v * factor;
        return u * factor;
      }
    }
  };
}

/** `count` points of R^2 (or of R^1, with second coordinate 0) from N(0, sigma^2), interleaved. */
export function initial(count, sigma, normal, n = 2) {
  const points = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    points[2 * i] = sigma * normal();
    if (n === 2) points[2 * i + 1] = sigma * normal();
  }
  return points;
}

/**
 * Particles one level down: method "euler" (DDIM), "heun" or "sde"; as projcomp's samplers. The
 * particles' own noise has `density.spread` times the standard deviation of the level.
 */
export function step(density, points, high, low, method, normal) {
  const here = density.at(high);
  const there = method === "heun" && low > 0 ? density.at(low) : null;
  const next = new Float64Array(points.length);
  const own = density.spread;
  const v = (own * high) ** 2;
  const ratio = method === "sde" ? (low / high) ** 2 : low / high;
  const spread = method === "sde" ? own * low * Math.sqrt(1 - ratio) : 0;
  for (let i = 0; i < points.length; i += 2) {
    const x = points[i];
    const y = points[i + 1];
    here.evaluate(x, y);
    const d0 = x + v * here.s0;
    const d1 = y + v * here.s1;
    if (there) {
      const f0 = (x - d0) / high;
      const f1 = (y - d1) / high;
      const g0 = x + (low - high) * f0;
      const g1 = y + (low - high) * f1;
      there.evaluate(g0, g1);
      next[i] = x + 0.5 * (low - high) * (f0 - own * own * low * there.s0);
      next[i + 1] = y + 0.5 * (low - high) * (f1 - own * own * low * there.s1);
    } else {
      next[i] = d0 + ratio * (x - d0);
      next[i + 1] = d1 + ratio * (y - d1);
      if (spread) {
        next[i] += spread * normal();
        if (density.n === 2) next[i + 1] += spread * normal();
      }
    }
  }
  return next;
}

/**
 * Log weights of particles, level by level: d log w = I dv as v = sigma^2 falls, by the trapezoidal
 * rule in log sigma; on the last step, to 0, the interaction stays as it was. As projcomp.smc. Where
 * exponents do not sum to one, I is `naturalInteraction`.
 */
export class Weights {
  constructor(density, levels) {
    Object.assign(this, { density, levels });
    this.logs = [];
    this.rates = null;
  }

  /** Take the particles of the next level. */
  add(points) {
    const { density, levels, logs, rates } = this;
    const s = logs.length;
    const there = levels[s] > 0 ? interactions(density, points, levels[s]) : null;
    const step = there ? Math.log(levels[s - 1] / levels[s]) : 1;
    const gained = (log, i) => log + step * (rates[i] + (there ? there[i] : 0));
    logs.push(s ? logs[s - 1].map(gained) : new Float64Array(points.length / 2));
    this.rates = there;
  }
}

/** sigma^2 times what the weights gain, at every particle. */
function interactions(density, points, sigma) {
  const at = density.at(sigma);
  const found = new Float64Array(points.length / 2);
  for (let i = 0; i < found.length; i++) {
    found[i] = sigma * sigma * at.naturalInteraction(points[2 * i], points[2 * i + 1]);
  }
  return found;
}

/** Log weights shifted so that their exponentials, the shares, sum to one. */
export function normalised(logs) {
  let top = -Infinity;
  for (const log of logs) top = Math.max(top, log);
  let total = 0;
  for (const log of logs) total += Math.exp(log - top);
  const shift = top + Math.log(total);
  return logs.map((log) => log - shift);
}

/** How many equally weighted particles these shares are worth: 1 / sum of squares. */
export function effectiveSize(shares) {
  let squares = 0;
  for (const share of shares) squares += share * share;
  return 1 / squares;
}

/** What is kept at every level, at a level between: linear in sigma. */
export function between(levels, kept, sigma) {
  const last = kept.length - 1;
  let i = 0;
  while (i < last && levels[i + 1] >= sigma) i++;
  if (i >= last) return kept[last];
  const share = (levels[i] - sigma) / (levels[i] - levels[i + 1]);
  if (share <= 0) return kept[i];
  return kept[i].map((value, j) => value + share * (kept[i + 1][j] - value));
}

/** Every level's particles, computed in slices so that no frame is held up for long. */
export class Path {
  /** Set `weighted` to have their weights computed too. */
  constructor(density, levels, count, method, seed) {
    this.density = density;
    this.levels = levels;
    this.method = method;
    this.normal = normals(seed);
    this.states = [initial(count, density.spread * levels[0], this.normal, density.n)];
    this.weights = new Weights(density, levels);
    this.weighted = false;
  }

  get done() {
    const behind = this.weighted ? this.weights.logs : this.states;
    return behind.length === this.levels.length;
  }

  /** Work for about `budget` milliseconds; true when the path is whole. */
  advance(budget = 12) {
    const end = performance.now() + budget;
    while (!this.done && performance.now() < end) {
      const { density, levels, states, method, normal, weights } = this;
      const i = states.length - 1;
      if (this.weighted && weights.logs.length <= i) weights.add(states[weights.logs.length]);
      else states.push(step(density, states[i], levels[i], levels[i + 1], method, normal));
    }
    return this.done;
  }

  finish() {
    while (!this.done) this.advance(1e9);
    return this.states;
  }

  /** The particles at a noise level. */
  atSigma(sigma) {
    return between(this.levels, this.states, sigma);
  }

  /** Their log weights there (as far as they are known), normalised; null if they have none. */
  logWeightsAt(sigma) {
    const { logs } = this.weights;
    return this.weighted && logs.length ? normalised(between(this.levels, logs, sigma)) : null;
  }

  /** The same as shares of the whole weight. */
  sharesAt(sigma) {
    return this.logWeightsAt(sigma)?.map(Math.exp) ?? null;
  }
}
