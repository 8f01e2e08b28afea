// Noise levels, a seeded generator, and reverse diffusion.

/** (steps + 1) decreasing noise levels, ending in 0; as projcomp.sigma_grid. */
export function sigmaGrid(low, high, steps, rho = 7) {
  const a = high ** (1 / rho);
  const b = low ** (1 / rho);
  const levels = Array.from({ length: steps }, (_, i) => (a + (i / (steps - 1)) * (b - a)) ** rho);
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

/** n points of R^2 (or of R^1, with second coordinate 0) from N(0, sigma^2), interleaved. */
export function initial(count, sigma, normal, n = 2) {
  const points = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    points[2 * i] = sigma * normal();
    if (n === 2) points[2 * i + 1] = sigma * normal();
  }
  return points;
}

/** Particles one level down: method "euler" (DDIM), "heun" or "sde"; as projcomp's samplers. */
export function step(density, points, high, low, method, normal) {
  const here = density.at(high);
  const there = method === "heun" && low > 0 ? density.at(low) : null;
  const next = new Float64Array(points.length);
  const v = high * high;
  const ratio = method === "sde" ? (low / high) ** 2 : low / high;
  const spread = method === "sde" ? low * Math.sqrt(1 - ratio) : 0;
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
      next[i] = x + 0.5 * (low - high) * (f0 - low * there.s0);
      next[i + 1] = y + 0.5 * (low - high) * (f1 - low * there.s1);
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

/** Every level's particles, computed in slices so that no frame is held up for long. */
export class Path {
  constructor(density, levels, count, method, seed) {
    this.density = density;
    this.levels = levels;
    this.method = method;
    this.normal = normals(seed);
    this.states = [initial(count, levels[0], this.normal, density.n)];
  }

  get done() {
    return this.states.length === this.levels.length;
  }

  /** Work for about `budget` milliseconds; true when the path is whole. */
  advance(budget = 12) {
    const end = performance.now() + budget;
    while (!this.done && performance.now() < end) {
      const i = this.states.length - 1;
      this.states.push(
        step(this.density, this.states[i], this.levels[i], this.levels[i + 1], this.method, this.normal),
      );
    }
    return this.done;
  }

  finish() {
    while (!this.done) this.advance(1e9);
    return this.states;
  }

  /** Interpolated particles at a noise level (linear in sigma between kept levels). */
  atSigma(sigma) {
    const last = this.states.length - 1;
    let i = 0;
    while (i < last && this.levels[i + 1] >= sigma) i++;
    if (i >= last) return this.states[last];
    const share = (this.levels[i] - sigma) / (this.levels[i] - this.levels[i + 1]);
    if (share <= 0) return this.states[i];
    const a = this.states[i];
    const b = this.states[i + 1];
    return a.map((value, j) => value + share * (b[j] - value));
  }
}
