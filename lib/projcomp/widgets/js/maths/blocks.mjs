// Factorized conditionals in the plane, seen from the scores at sigma = 0: in which direction each
// concept differs from the background, and what leaves it.

import { Field, totalVariation } from "./field.mjs";
import { Mixture } from "./mixture.mjs";

const ROUNDING = 1e-12;
const TOLERANCE = 1e-6; // of singular values, as projcomp.find_blocks
const CELLS = 120;
const REACH = 5; // standard deviations

/** {unit, rank} of a concept's score deltas at points: their strongest direction, and how many. */
export function directionOf(concept, background, points) {
  const [own, base] = [concept.at(0), background?.at(0)];
  let [xx, xy, yy, size] = [0, 0, 0, 0];
  for (let i = 0; i < points.length; i += 2) {
    const [d0, d1] = delta(own, base, points[i], points[i + 1]);
    xx += d0 * d0;
    xy += d0 * d1;
    yy += d1 * d1;
    size += own.s0 ** 2 + own.s1 ** 2;
  }
  const gap = Math.hypot((xx - yy) / 2, xy);
  const large = (xx + yy) / 2 + gap;
  if (large <= ROUNDING ** 2 * size) return { unit: null, rank: 0 };
  const small = Math.max(0, (xx * yy - xy * xy) / large);
  const angle = 0.5 * Math.atan2(2 * xy, xx - yy);
  const unit = pointing([Math.cos(angle), Math.sin(angle)]);
  return { unit, rank: small > (TOLERANCE ** 2) * large ? 2 : 1 };
}

/** Of the two unit vectors along a line, the one whose larger coordinate is positive. */
function pointing([x, y]) {
  const sign = Math.abs(x) > Math.abs(y) - 1e-9 ? Math.sign(x) : Math.sign(y);
  const round = (value) => (Math.abs(value) < ROUNDING ? 0 : sign * value);
  return [round(x), round(y)];
}

function delta(own, base, x, y) {
  own.evaluate(x, y);
  base?.evaluate(x, y);
  return [own.s0 - (base?.s0 ?? 0), own.s1 - (base?.s1 ?? 0)];
}

/** The sine of the angle between two unit vectors, with its sign. */
export const sine = ([a, b], [c, d]) => a * d - b * c;

/**
 * Where a concept's score delta goes in the features z = rows x, at the concept's own points: the
 * share of its square off coordinate `index`, and the share that changes when the other coordinate
 * is swapped for another point's. As projcomp.diagnose of features that are not orthogonal.
 */
export function leakOf(concept, background, rows, index, points) {
  const [own, base] = [concept.at(0), background?.at(0)];
  const [[a, b], [c, d]] = rows;
  const det = sine(...rows);
  const count = points.length / 2;
  const at = (z) => {
    const [u, v] = z;
    const found = delta(own, base, (d * u - b * v) / det, (a * v - c * u) / det);
    return [(d * found[0] - c * found[1]) / det, (a * found[1] - b * found[0]) / det];
  };
  const features = Array.from({ length: count }, (_, i) => {
    const [x, y] = [points[2 * i], points[2 * i + 1]];
    return [a * x + b * y, c * x + d * y];
  });
  let [whole, off, moved] = [0, 0, 0];
  features.forEach((z, i) => {
    const swapped = [...z];
    swapped[1 - index] = features[(i + count - 1) % count][1 - index];
    const [here, there] = [at(z), at(swapped)];
    whole += here[0] ** 2 + here[1] ** 2;
    off += here[1 - index] ** 2;
    moved += 0.5 * ((here[0] - there[0]) ** 2 + (here[1] - there[1]) ** 2);
  });
  return { off: off / whole, others: moved / whole };
}

/** The law of rows x. */
export function mapped({ weights, means, covariances }, rows) {
  const times = (row, [x, y]) => row[0] * x + row[1] * y;
  return new Mixture({
    weights,
    means: means.map((m) => rows.map((row) => times(row, m))),
    covariances: covariances.map((c) => rows.map((r) => rows.map((s) => times(r, c.map((line) => times(s, line)))))),
  });
}

/** Total variation between a mixture and the product of its shadows in the features rows x. */
export function dependence(mixture, rows, cells = CELLS) {
  const law = mapped(mixture, rows);
  const field = new Field(reachOf([law]), cells);
  const masses = field.masses(law.at(0));
  const [across, along] = [field.marginal(masses, 0), field.marginal(masses, 1)];
  return totalVariation(masses, masses.map((_, k) => across[k % cells] * along[Math.floor(k / cells)]));
}

/** What holds every component out to some standard deviations: [low, high], or [left, bottom, right, top]. */
export function reachOf(mixtures, deviations = REACH) {
  const n = mixtures[0].means[0].length;
  const box = [...Array(n).fill(Infinity), ...Array(n).fill(-Infinity)];
  for (const { means, covariances } of mixtures) {
    means.forEach((mean, k) => mean.forEach((m, axis) => {
      const reach = deviations * Math.sqrt(covariances[k][axis][axis]);
      box[axis] = Math.min(box[axis], m - reach);
      box[n + axis] = Math.max(box[n + axis], m + reach);
    }));
  }
  return box;
}
