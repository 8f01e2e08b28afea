// Pictures of objects at places of a floor, composed with exact scores. Every picture of a place's
// bank changes its own coordinates only, so a denoised picture is the floor plus a coefficient, the
// opacity, times the mean change of each place: D = e + sum_j c_j m_j.

import { normals } from "./sampling.mjs";

const LITTLE = 1e-12;

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/** The floor (n values), and for each place its coordinates and the changes that its pictures make. */
export class Bank {
  /** empty, and of each place coordinates and pictures: base64 of bytes, as projcomp packs them. */
  constructor({ empty, places }) {
    this.empty = Float64Array.from(bytes(empty), (byte) => byte / 255);
    this.places = places.map((place, j) => this.read(place, `place ${j}`));
  }

  read({ coordinates, pictures }, name) {
    const pairs = bytes(coordinates);
    const where = Uint16Array.from({ length: pairs.length / 2 }, (_, i) => pairs[2 * i] + 256 * pairs[2 * i + 1]);
    const values = bytes(pictures);
    const count = values.length / where.length;
    if (!Number.isInteger(count) || !count || !where.every((at) => at < this.empty.length)) {
      throw new Error(`${name}: bad pictures`);
    }
    const changes = Float64Array.from(values, (byte, i) => byte / 255 - this.empty[where[i % where.length]]);
    const halves = Float64Array.from({ length: count }, (_, k) => {
      const row = changes.subarray(k * where.length, (k + 1) * where.length);
      return row.reduce((sum, change) => sum + change * change, 0) / 2;
    });
    return { where, changes, halves };
  }

  /** Products (x - e).d with every change d of a place. */
  products({ where, changes, halves }, x) {
    const size = where.length;
    const here = new Float64Array(size);
    for (let i = 0; i < size; i++) here[i] = x[where[i]] - this.empty[where[i]];
    const found = new Float64Array(halves.length);
    for (let k = 0, at = 0; k < found.length; k++, at += size) {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += changes[at + i] * here[i];
      found[k] = sum;
    }
    return found;
  }

  /** What x at a noise level says of each place: logs[j] = log p_j - log p_e, and the mean changes. */
  look(x, sigma) {
    const precision = 1 / (sigma * sigma);
    const logs = new Float64Array(this.places.length);
    const means = this.places.map((place, j) => {
      const { where, changes, halves } = place;
      const fits = this.products(place, x).map((product, k) => product - halves[k]);
      let top = -Infinity;
      for (const fit of fits) top = Math.max(top, fit);
      const shares = fits.map((fit) => Math.exp((fit - top) * precision));
      const total = shares.reduce((sum, share) => sum + share, 0);
      logs[j] = top * precision + Math.log(total / shares.length);
      const mean = new Float64Array(where.length);
      for (let k = 0, at = 0; k < shares.length; k++, at += mean.length) {
        const share = shares[k] / total;
        if (share < 1e-18) continue; // beyond the digits of a sum that holds a share of 1 / count
        for (let i = 0; i < mean.length; i++) mean[i] += share * changes[at + i];
      }
      return mean;
    });
    return { logs, means };
  }

  /** The opacity at each place by its best match, as projcomp.scenes.opacities counts. */
  opacities(x) {
    return Float64Array.from(this.places, (place) => {
      const products = this.products(place, x);
      let best = -Infinity;
      let opacity = 0;
      for (let k = 0; k < products.length; k++) {
        const energy = Math.max(2 * place.halves[k], LITTLE);
        const gain = products[k] ** 2 / energy;
        if (gain > best) [best, opacity] = [gain, products[k] / energy];
      }
      return opacity;
    });
  }

  /** e + sum_j c_j m_j */
  picture(coefficients, means) {
    const x = this.empty.slice();
    this.places.forEach(({ where }, j) => {
      if (!coefficients[j]) return;
      for (let i = 0; i < where.length; i++) x[where[i]] += coefficients[j] * means[j][i];
    });
    return x;
  }
}

/** Which subsets of places hold clutter: log chances under each concept, and under their average. */
export class Clutter {
  /** rate: each other place with this probability; or most: a number from 1 to most, then where. */
  constructor(places, { rate, most }) {
    this.places = places;
    const counts = Array.from({ length: 2 ** places }, (_, set) => {
      let count = 0;
      for (let rest = set; rest; rest >>= 1) count += rest & 1;
      return count;
    });
    const plain = counts.map((count) =>
      most === undefined ? rate ** count * (1 - rate) ** (places - count) : Number(count >= 1 && count <= most));
    this.named = Array.from({ length: places }, (_, place) => {
      const kept = plain.map((chance, set) => ((set >> place) & 1 ? chance : 0));
      if (most !== undefined) { // every count as likely as another
        const totals = new Float64Array(places + 1);
        kept.forEach((chance, set) => (totals[counts[set]] += chance));
        kept.forEach((chance, set) => (kept[set] = chance / Math.max(totals[counts[set]], 1)));
      }
      const total = kept.reduce((a, b) => a + b, 0);
      return Float64Array.from(kept, (chance) => Math.log(chance / total));
    });
    this.average = Float64Array.from(plain, (_, set) =>
      Math.log(this.named.reduce((sum, chances) => sum + Math.exp(chances[set]), 0) / places));
  }

  /** Posterior probability of an object at each place, from the places' log ratios. */
  posterior(chances, logs) {
    const sums = new Float64Array(chances.length);
    let top = chances[0];
    for (let set = 1; set < sums.length; set++) {
      const place = 31 - Math.clz32(set);
      sums[set] = sums[set ^ (1 << place)] + logs[place];
      top = Math.max(top, sums[set] + chances[set]);
    }
    let total = 0;
    const held = new Float64Array(this.places);
    for (let set = 0; set < sums.length; set++) {
      const weight = Math.exp(sums[set] + chances[set] - top);
      total += weight;
      for (let rest = set; rest; rest &= rest - 1) held[31 - Math.clz32(rest & -rest)] += weight;
    }
    return held.map((weight) => weight / total);
  }
}

/** The three settings' coefficients c_j for the chosen places, from the places' log ratios. */
export const SETTINGS = {
  /** over the empty floor */
  A: (chosen, logs) => inside(chosen, logs.length),

  /** over the average of one-object pictures: the law of ghosts */
  B(chosen, logs) {
    const top = logs.reduce((a, b) => Math.max(a, b), -Infinity);
    const shares = logs.map((log) => Math.exp(log - top));
    const total = shares.reduce((a, b) => a + b, 0);
    return inside(chosen, logs.length).map((c, j) => c - ((chosen.length - 1) * shares[j]) / total);
  },

  /** concepts and average with clutter */
  C(chosen, logs, clutter) {
    const over = clutter.posterior(clutter.average, logs);
    const coefficients = over.map((held) => (1 - chosen.length) * held);
    for (const place of chosen) {
      clutter.posterior(clutter.named[place], logs).forEach((held, j) => (coefficients[j] += held));
    }
    return coefficients;
  },
};

function inside(chosen, places) {
  const found = new Float64Array(places);
  for (const place of chosen) found[place] = 1;
  return found;
}

/** The noise that a path starts from: grey, and normal numbers from the seed. */
export function startOf(seed, sigma, size) {
  const normal = normals(seed);
  return Float64Array.from({ length: size }, () => 0.5 + sigma * normal());
}

/** One picture's way down the noise by Euler's rule, computed a level at a time. */
export class PicturePath {
  /** coefficients: (log ratios) => c; levels: decreasing, > 0. */
  constructor(bank, coefficients, levels, start) {
    Object.assign(this, { bank, coefficients, levels });
    this.states = [start];
    this.beliefs = []; // of each level: the coefficients, and the denoised picture
  }

  get done() {
    return this.beliefs.length === this.levels.length;
  }

  /** One level more: what the model believes there, and the next level's picture. */
  advance() {
    const { bank, levels, states, beliefs } = this;
    const i = beliefs.length;
    const { logs, means } = bank.look(states[i], levels[i]);
    const coefficients = this.coefficients(logs);
    const denoised = bank.picture(coefficients, means);
    beliefs.push({ coefficients, denoised });
    if (i + 1 === levels.length) return;
    const ratio = levels[i + 1] / levels[i];
    states.push(denoised.map((clean, at) => clean + ratio * (states[i][at] - clean)));
  }
}
