// Independent draws from a mixture or a grid of masses, as particles that share a sampler's noise.

import { initial, normals, uniforms } from "./sampling.mjs";

/** The entry of a list of shares that a number in [0, 1) falls on. */
function picker(shares) {
  const sums = new Float64Array(shares.length);
  let total = 0;
  for (let k = 0; k < shares.length; k++) sums[k] = total += shares[k];
  return (u) => {
    let [low, high] = [0, shares.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (u * total < sums[middle]) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** `count` points of the plane from a mixture, interleaved. */
export function drawsOf(mixture, count, seed) {
  const [uniform, normal, pick] = [uniforms(seed), normals(seed + 1), picker(mixture.weights)];
  const roots = mixture.covariances.map(([[a, b], [, d]]) => [Math.sqrt(a), b / Math.sqrt(a), Math.sqrt(d - (b * b) / a)]);
  const points = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    const k = pick(uniform());
    const [first, second] = [normal(), normal()];
    const [mean, root] = [mixture.means[k], roots[k]];
    points[2 * i] = mean[0] + root[0] * first;
    points[2 * i + 1] = mean[1] + root[1] * first + root[2] * second;
  }
  return points;
}

/** The same from the masses of a field's cells: even within a cell. */
export function drawsFrom(field, masses, count, seed) {
  const [uniform, pick] = [uniforms(seed), picker(masses)];
  const points = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    const k = pick(uniform());
    points[2 * i] = field.xs[k % field.cells] + (uniform() - 0.5) * field.dx;
    points[2 * i + 1] = field.ys[Math.floor(k / field.cells)] + (uniform() - 0.5) * field.dy;
  }
  return points;
}

/** Draws at every noise level: x + sigma z, with the z of the paths that start from `seed`. */
export class Noised {
  constructor(points, seed) {
    Object.assign(this, { points, noise: initial(points.length / 2, 1, normals(seed)) });
  }
  atSigma(sigma) {
    return this.points.map((x, i) => x + sigma * this.noise[i]);
  }
}

/**
 * How far particles are off masses of a field: half the sum of absolute differences of the shares in
 * blocks of cells, `bins` along each axis; shares: of the whole weight, even if null. What lies
 * outside of the field counts as a block of its own, in which the masses have nothing.
 */
export function offBy(points, field, masses, bins, shares = null) {
  const found = new Float64Array(bins * bins);
  const side = field.cells / bins;
  for (let k = 0; k < masses.length; k++) {
    const [i, j] = [k % field.cells, Math.floor(k / field.cells)];
    found[Math.floor(j / side) * bins + Math.floor(i / side)] -= masses[k];
  }
  const [left, bottom, right, top] = field.box;
  let outside = 0;
  for (let n = 0; n < points.length / 2; n++) {
    const share = shares ? shares[n] : 2 / points.length;
    const i = Math.floor((bins * (points[2 * n] - left)) / (right - left));
    const j = Math.floor((bins * (points[2 * n + 1] - bottom)) / (top - bottom));
    if (i >= 0 && i < bins && j >= 0 && j < bins) found[j * bins + i] += share;
    else outside += share;
  }
  return 0.5 * found.reduce((sum, gap) => sum + Math.abs(gap), outside);
}
