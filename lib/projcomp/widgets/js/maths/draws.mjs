// Independent draws from exact densities, and how far two sets of points are apart.

import { initial, normals } from "./sampling.mjs";

/** Uniform numbers in (0, 1] from standard normal ones: exp(-(a^2 + b^2) / 2). */
const uniform = (normal) => Math.exp(-0.5 * (normal() ** 2 + normal() ** 2));

/** The first place at which running sums of shares reach u. */
function placeOf(shares, u) {
  let k = 0;
  for (let sum = shares[0]; sum < u && k + 1 < shares.length; sum += shares[++k]);
  return k;
}

/** `count` independent points (x, y, x, y, ...) of a mixture of the plane. */
export function drawn({ weights, means, covariances }, count, normal) {
  const points = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    const k = placeOf(weights, uniform(normal));
    const [[xx, xy], [, yy]] = covariances[k];
    const root = Math.sqrt(xx);
    const [a, b] = [normal(), normal()];
    points[2 * i] = means[k][0] + root * a;
    points[2 * i + 1] = means[k][1] + (xy / root) * a + Math.sqrt(yy - (xy * xy) / xx) * b;
  }
  return points;
}

/** The same from masses on a field, even within each cell. */
export function drawnFrom(field, masses, count, normal) {
  const { cells, xs, ys, dx, dy } = field;
  const sums = new Float64Array(masses.length);
  masses.reduce((sum, mass, k) => (sums[k] = sum + mass), 0);
  const points = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    const u = uniform(normal) * sums[sums.length - 1];
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] < u) low = middle + 1;
      else high = middle;
    }
    points[2 * i] = xs[low % cells] + dx * (uniform(normal) - 0.5);
    points[2 * i + 1] = ys[Math.floor(low / cells)] + dy * (uniform(normal) - 0.5);
  }
  return points;
}

/** Szekely's energy distance, as projcomp.metrics; shares are of x, equal if null. */
export function energyDistance(x, y, shares = null) {
  const p = shares ?? new Float64Array(x.length / 2).fill(2 / x.length);
  const even = new Float64Array(y.length / 2).fill(2 / y.length);
  return Math.sqrt(Math.max(0, 2 * apart(x, p, y, even) - apart(x, p, x, p) - apart(y, even, y, even)));
}

/** The mean distance between points of x and of y, by their shares. */
function apart(x, p, y, q) {
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    let row = 0;
    for (let j = 0; j < q.length; j++) {
      const dx = x[2 * i] - y[2 * j];
      const dy = x[2 * i + 1] - y[2 * j + 1];
      row += q[j] * Math.sqrt(dx * dx + dy * dy);
    }
    sum += p[i] * row;
  }
  return sum;
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
