// A mixture of a few Gaussians fitted to points of the plane by expectation and maximisation.

import { Mixture } from "./mixture.mjs";

/**
 * The covariance with no axis shorter than `floor` (a variance): eigenvalues below it are raised to
 * it, which is where the likelihood is highest among such covariances.
 */
export function floored([[a, b], [, d]], floor) {
  const middle = (a + d) / 2;
  const gap = Math.hypot((a - d) / 2, b);
  if (middle - gap >= floor) return [[a, b], [b, d]];
  if (middle + gap <= floor) return [[floor, 0], [0, floor]];
  // The projector onto the short axis is (large - C) / (large - small).
  const lift = (floor - middle + gap) / (2 * gap);
  const large = middle + gap;
  const cross = b - lift * b;
  return [[a + lift * (large - a), cross], [cross, d + lift * (large - d)]];
}

/** A start: the points (x, y, x, y, ...) cut into runs of equal length, a Gaussian for each. */
export function runsOf(points, components, floor) {
  const count = points.length / 2;
  const runs = Math.min(components, count);
  const cut = (k) => Math.floor((k * count) / runs);
  const parts = Array.from({ length: runs }, (_, k) => {
    const held = new Float64Array(count).fill(0);
    held.fill(1, cut(k), cut(k + 1));
    return momentsOf(points, held, floor);
  });
  return {
    weights: parts.map((part) => part.total / count),
    means: parts.map((part) => part.mean),
    covariances: parts.map((part) => part.covariance),
  };
}

/** One step from a specification to the next; the mean log likelihood is that of the one before. */
export function emStep(spec, points, floor) {
  const count = points.length / 2;
  const size = spec.weights.length;
  const at = new Mixture(spec).at(0);
  const held = Array.from({ length: size }, () => new Float64Array(count));
  let likelihood = 0;
  for (let i = 0; i < count; i++) {
    const whole = at.logDensity(points[2 * i], points[2 * i + 1]);
    likelihood += whole / count;
    for (let k = 0; k < size; k++) held[k][i] = Math.exp(at.logits[k] - whole);
  }
  const parts = held.map((shares, k) => {
    const found = momentsOf(points, shares, floor);
    // A component that no point is near keeps its place.
    return found.total > 1e-9 ? found : { total: 0, mean: spec.means[k], covariance: spec.covariances[k] };
  });
  const total = parts.reduce((sum, part) => sum + part.total, 0);
  return {
    spec: {
      weights: parts.map((part) => part.total / total),
      means: parts.map((part) => part.mean),
      covariances: parts.map((part) => part.covariance),
    },
    likelihood,
  };
}

/** Steps until the mean log likelihood gains less than `tolerance`, or `most` of them. */
export function fitted(points, components, floor, { tolerance = 1e-6, most = 200 } = {}) {
  let spec = runsOf(points, components, floor);
  let before = -Infinity;
  for (let s = 0; s < most; s++) {
    const next = emStep(spec, points, floor);
    if (next.likelihood - before < tolerance) break;
    before = next.likelihood;
    spec = next.spec;
  }
  return kept(spec);
}

/** Without the components that hold nothing. */
function kept({ weights, means, covariances }) {
  const held = weights.map((w) => w > 1e-6);
  const rest = (values) => values.filter((_, k) => held[k]);
  const total = rest(weights).reduce((a, b) => a + b, 0);
  return { weights: rest(weights).map((w) => w / total), means: rest(means), covariances: rest(covariances) };
}

/** Total, mean and floored covariance of points with shares. */
function momentsOf(points, shares, floor) {
  let [total, x, y] = [0, 0, 0];
  shares.forEach((share, i) => {
    total += share;
    x += share * points[2 * i];
    y += share * points[2 * i + 1];
  });
  const mean = [x / total, y / total];
  let [xx, xy, yy] = [0, 0, 0];
  shares.forEach((share, i) => {
    const dx = points[2 * i] - mean[0];
    const dy = points[2 * i + 1] - mean[1];
    xx += share * dx * dx;
    xy += share * dx * dy;
    yy += share * dy * dy;
  });
  return { total, mean, covariance: floored([[xx / total, xy / total], [xy / total, yy / total]], floor) };
}

/** Points along strokes, [[x, y], ...] each, at equal distances of `spacing`; a dot is one point. */
export function inked(strokes, spacing) {
  const found = [];
  for (const stroke of strokes) {
    let [x, y] = stroke[0];
    let left = spacing;
    found.push(x, y);
    for (const [u, v] of stroke.slice(1)) {
      let length = Math.hypot(u - x, v - y);
      while (length >= left) {
        const share = left / length;
        [x, y] = [x + share * (u - x), y + share * (v - y)];
        found.push(x, y);
        length -= left;
        left = spacing;
      }
      left -= length;
      [x, y] = [u, v];
    }
  }
  return Float64Array.from(found);
}

export const lengthOf = (stroke) =>
  stroke.slice(1).reduce((sum, [u, v], i) => sum + Math.hypot(u - stroke[i][0], v - stroke[i][1]), 0);
