// What building does to a sandbox's state: concepts, a background, components, strokes of a brush.

import { fitted, inked, lengthOf } from "../maths/fit.mjs";
import { MOST_COMPONENTS } from "../shared/state.mjs";

export const MOST_CONCEPTS = 4;
const MOST_POINTS = 400; // of the strokes that a fit is to
const DIRECTIONS = [[1, 0], [0, 1], [-1, 0], [0, -1]];

/** A part of the size of the brush about a point. */
const round = (mean, spread) => ({
  weights: [1], means: [mean], covariances: [[[spread ** 2, 0], [0, spread ** 2]]],
});

const middleOf = ([left, bottom, right, top]) => [(left + right) / 2, (bottom + top) / 2];
const sizeOf = ([left, bottom, right, top]) => Math.min(right - left, top - bottom);

/** The state with one concept more: the background moved to a side, or a round Gaussian there. */
export function withConcept({ background, concepts, weights, box }) {
  const [dx, dy] = DIRECTIONS[concepts.length];
  const by = sizeOf(box) / 4;
  const base = background ?? round(middleOf(box), sizeOf(box) / 14);
  const moved = { ...base, means: base.means.map(([x, y]) => [x + by * dx, y + by * dy]) };
  return { concepts: [...concepts, moved], weights: [...weights, 1] };
}

export function withoutConcept({ concepts, weights }, index) {
  const rest = (values) => values.filter((_, i) => i !== index);
  return { concepts: rest(concepts), weights: rest(weights) };
}

/** A round background in the middle of the box. */
export const withBackground = ({ box }) => ({ background: round(middleOf(box), sizeOf(box) / 14) });

/** A part's specification with a round component more at a point, of an equal share. */
export function withRound({ weights, means, covariances }, mean, spread) {
  const size = weights.length + 1;
  if (size > MOST_COMPONENTS) throw new Error(`at most ${MOST_COMPONENTS} components each`);
  const { covariances: [own] } = round(mean, spread);
  return {
    weights: [...weights.map((w) => (w * (size - 1)) / size), 1 / size],
    means: [...means, mean],
    covariances: [...covariances, own],
  };
}

/**
 * The mixture that strokes, [[x, y], ...] each, paint with a brush of a radius: fitted to points
 * along them, with one component for every three radii of a stroke, and none narrower than the brush.
 */
export function painted(strokes, radius) {
  const lengths = strokes.map(lengthOf);
  const total = lengths.reduce((a, b) => a + b, 0);
  const wanted = lengths.reduce((sum, length) => sum + Math.max(1, Math.round(length / (3 * radius))), 0);
  const points = inked(strokes, Math.max(radius / 2, total / MOST_POINTS));
  return fitted(points, Math.min(MOST_COMPONENTS, wanted), radius ** 2);
}
