// A table of pictures, one of every content in every style, as exact densities: all pictures, those
// of one content and those of one style; their composition, and samples on their way down the noise.

import { effectiveSize, normalised, normals } from "./sampling.mjs";

const STREAMS = 32; // of a seed: one for each particle, and one for resampling
const HALF = 0.5; // of the particles: fewer effective ones are resampled
const TOP = 3; // pictures that are told of a belief
const DECIDED = 0.5; // of the belief
const LITTLE = 1e-18; // beyond the digits of a sum that holds a share of 1 / count

export class PictureTable {
  /** pictures: base64 of bytes, contents first, then styles, as projcomp packs them. */
  constructor({ pictures, contents, styles }) {
    Object.assign(this, { contents, styles });
    const text = atob(pictures);
    const count = contents.length * styles.length;
    this.dim = text.length / count;
    this.side = Math.sqrt(this.dim / 3);
    if (!Number.isInteger(this.side) || !count) throw new Error("bad pictures");
    this.values = new Float64Array(text.length);
    const shades = Float64Array.from({ length: 256 }, (_, byte) => byte / 127.5 - 1);
    for (let i = 0; i < text.length; i++) this.values[i] = shades[text.charCodeAt(i)];
    this.pictures = Array.from({ length: count }, (_, k) => this.values.subarray(k * this.dim, (k + 1) * this.dim));
    this.halves = Float64Array.from(this.pictures, (picture) => {
      let sum = 0;
      for (let i = 0; i < picture.length; i++) sum += picture[i] * picture[i];
      return sum / 2;
    });
  }

  picture(k) {
    return this.pictures[k];
  }

  /** The place of a content's picture in a style. */
  place({ style, content }) {
    return content * this.styles.length + style;
  }

  /** What a place holds, in words. */
  named(k) {
    return `${this.contents[Math.floor(k / this.styles.length)]}, ${this.styles[k % this.styles.length]}`;
  }

  /** The places of all pictures, of a content's and of a style's: {first, step, count}. */
  subsets({ style, content }) {
    const [styles, contents] = [this.styles.length, this.contents.length];
    return {
      all: { first: 0, step: 1, count: styles * contents },
      content: { first: content * styles, step: 1, count: styles },
      style: { first: style, step: styles, count: contents },
    };
  }

  /** x.p - |p|^2 / 2 of every picture p: up to a common term, -|x - p|^2 / 2. */
  fits(x) {
    const { values, halves, dim } = this;
    const found = new Float64Array(halves.length);
    for (let k = 0, at = 0; k < found.length; k++) {
      let [a, b, c] = [0, 0, 0]; // apart, so that none waits for another
      for (let i = 0; i < dim; i += 3, at += 3) {
        a += values[at] * x[i];
        b += values[at + 1] * x[i + 1];
        c += values[at + 2] * x[i + 2];
      }
      found[k] = a + b + c - halves[k];
    }
    return found;
  }

  /** Of one density the posterior shares of its pictures, their mean, and what is believed of them. */
  posterior(fits, { first, step, count }, sigma, wanted) {
    const precision = 1 / (sigma * sigma);
    let best = -Infinity;
    for (let j = 0; j < count; j++) best = Math.max(best, fits[first + j * step]);
    const shares = new Float64Array(count);
    let total = 0;
    for (let j = 0; j < count; j++) total += shares[j] = Math.exp((fits[first + j * step] - best) * precision);
    const kept = [];
    const styles = this.styles.length;
    const belief = { style: 0, content: 0, entropy: 0, top: [] };
    for (let j = 0, k = first; j < count; j++, k += step) {
      const share = shares[j] / total;
      if (k % styles === wanted.style) belief.style += share;
      if (Math.floor(k / styles) === wanted.content) belief.content += share;
      if (share > 0) belief.entropy -= share * ((fits[k] - best) * precision - Math.log(total));
      enter(belief.top, [k, share]);
      if (share >= LITTLE) kept.push([share, this.picture(k)]);
    }
    belief.entropy /= Math.log(count);
    return { mean: mixed(kept, this.dim), belief };
  }

  /**
   * What x at a noise level makes of a wanted {style, content}: the denoised mean of the composition
   * with both concepts at a weight, sigma^2 times the interaction, and the three beliefs.
   */
  look(x, sigma, wanted, weight) {
    const fits = this.fits(x);
    const { all, content, style } = Object.fromEntries(Object.entries(this.subsets(wanted)).map(
      ([name, subset]) => [name, this.posterior(fits, subset, sigma, wanted)]));
    const mean = new Float64Array(this.dim);
    let product = 0;
    for (let i = 0; i < mean.length; i++) {
      const base = all.mean[i];
      const [a, b] = [content.mean[i] - base, style.mean[i] - base];
      mean[i] = base + weight * (a + b);
      product += a * b;
    }
    const beliefs = { all: all.belief, content: content.belief, style: style.belief };
    return { mean, rate: product / (sigma * sigma), beliefs };
  }
}

/** The sum of shares times pictures of n values, four at a time: so the sum is touched less often. */
function mixed(kept, n) {
  const sum = new Float64Array(n);
  const whole = kept.length - (kept.length % 4);
  for (let j = 0; j < whole; j += 4) {
    const [[a, p], [b, q], [c, r], [d, s]] = kept.slice(j, j + 4);
    for (let i = 0; i < n; i++) sum[i] += a * p[i] + b * q[i] + (c * r[i] + d * s[i]);
  }
  for (const [a, p] of kept.slice(whole)) for (let i = 0; i < n; i++) sum[i] += a * p[i];
  return sum;
}

/** Keep a (place, share) if it is among the largest; of equal ones the first. */
function enter(top, entry) {
  let at = top.length;
  while (at && top[at - 1][1] < entry[1]) at--;
  if (at >= TOP) return;
  top.splice(at, 0, entry);
  top.length = Math.min(top.length, TOP);
}

/** How particles move in each of the four ways; as projcomp's Prompt. */
export const WAYS = {
  ode: () => ({ stochastic: false, weight: 1, particles: 1, resample: false }),
  sde: () => ({ stochastic: true, weight: 1, particles: 1, resample: false }),
  guided: ({ guidance }) => ({ stochastic: true, weight: guidance, particles: 1, resample: false }),
  weighted: ({ particles }) => ({ stochastic: true, weight: 1, particles, resample: true }),
};

/** Of each tooth of a comb, at (i + offset) / count, the particle that it meets. */
export function combed(shares, offset) {
  const edges = [];
  shares.reduce((sum, share) => (edges.push(sum + share), sum + share), 0);
  const last = edges.indexOf(edges[edges.length - 1]);
  return edges.map((_, i) => {
    const tooth = (i + offset) / edges.length;
    const met = edges.findIndex((edge) => edge > tooth);
    return met < 0 ? last : Math.min(met, last);
  });
}

/** Particles on their way down the noise, computed a particle at a time. */
export class Flight {
  /**
   * how: {stochastic, weight, particles, resample}: Euler's rule or ancestral steps, the weight of
   * both concepts, and whether particles are resampled by the interaction's weights.
   */
  constructor(table, wanted, levels, seed, how) {
    Object.assign(this, { table, wanted, levels, how });
    const { particles } = how;
    this.streams = Array.from({ length: particles }, (_, i) => normals(STREAMS * seed + i));
    this.comb = normals(STREAMS * seed + STREAMS - 1);
    this.states = [this.streams.map((normal) => Float64Array.from({ length: table.dim }, () => levels[0] * normal()))];
    this.looks = [];
    this.logs = []; // of each level, before any resampling
    this.effective = [];
    this.parents = [];
    this.here = [];
    this.carried = new Float64Array(particles);
  }

  /** The levels at which all is known. */
  get known() {
    return this.looks.length;
  }

  get done() {
    return this.known === this.levels.length;
  }

  /** One look more; the last one of a level makes the next level's states. */
  advance() {
    const { table, wanted, levels, states, here, how } = this;
    const i = this.known;
    here.push(table.look(states[i][here.length], levels[i], wanted, how.weight));
    if (here.length === how.particles) this.settle(i);
  }

  settle(i) {
    const { levels, looks, here, how } = this;
    const before = looks[i - 1];
    const step = before && Math.log(levels[i - 1] / levels[i]);
    const logs = here.map(({ rate }, j) =>
      before ? this.carried[j] + step * (before[this.parents[i - 1][j]].rate + rate) : 0);
    const shares = normalised(logs).map(Math.exp);
    const size = effectiveSize(shares);
    const again = how.resample && size < HALF * how.particles;
    const offset = again && Math.exp(-0.5 * (this.comb() ** 2 + this.comb() ** 2));
    const parents = again ? combed(shares, offset) : logs.map((_, j) => j);
    this.carried = again ? logs.map(() => 0) : logs;
    looks.push(here);
    this.logs.push(logs);
    this.effective.push(size);
    this.parents.push(parents);
    this.here = [];
    if (i + 1 < levels.length) this.states.push(parents.map((parent, j) => this.next(i, parent, j)));
  }

  /** A particle's state one level down, with the noise of its new place. */
  next(i, parent, place) {
    const { levels, how } = this;
    const [high, low] = [levels[i], levels[i + 1]];
    const [x, { mean }, normal] = [this.states[i][parent], this.looks[i][parent], this.streams[place]];
    const ratio = how.stochastic ? (low / high) ** 2 : low / high;
    const spread = how.stochastic ? low * Math.sqrt(1 - ratio) : 0;
    return mean.map((clean, at) => clean + ratio * (x[at] - clean) + (spread && spread * normal()));
  }

  /**
   * The sample that weighs most at the last known level, with its ancestors: of each level
   * {state, mean, beliefs, effective}.
   */
  line() {
    const last = this.known - 1;
    let place = last < 0 ? 0 : this.logs[last].indexOf(Math.max(...this.logs[last]));
    const found = [];
    for (let i = last; i >= 0; i--) {
      if (i < last) place = this.parents[i][place];
      const { mean, beliefs } = this.looks[i][place];
      found.push({ state: this.states[i][place], mean, beliefs, effective: this.effective[i] });
    }
    return found.reverse();
  }
}

/**
 * Where a line that is whole ends: the likeliest picture of the content's density and that of the
 * style's, whether both are the wanted one, and from which level on each has most of the belief; as
 * projcomp's.
 */
export function outcomeOf(line, levels, cell) {
  const tops = ({ beliefs }) => [beliefs.content.top[0], beliefs.style.top[0]];
  const pictures = tops(line[line.length - 1]).map(([place]) => place);
  const settled = (one) => tops(one).every(([place, share], i) => place === pictures[i] && share >= DECIDED);
  let from = line.length - 1;
  while (from > 0 && settled(line[from]) && settled(line[from - 1])) from--;
  return { pictures, right: pictures.every((place) => place === cell), decided: levels[from] };
}
