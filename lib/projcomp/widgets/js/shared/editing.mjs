// Editing mixtures: what has handles, and what a change does to a specification.

import { MOST_COMPONENTS } from "./state.mjs";

const SHAPES = ["circle", "triangle", "square", "diamond"];

/** The mixtures with handles, in the order of their handles: [{name, key, index, spec, ...}]. */
export function editable(state) {
  const parts = state.concepts.map((spec, i) => ({
    name: `concept ${i + 1}`, key: "concepts", index: i, spec,
    colour: `var(--pc-concept-${i + 1})`, shape: SHAPES[i],
  }));
  const grey = { colour: "var(--pc-background)", shape: "square" };
  if (state.operator === "composition" && state.background) {
    parts.unshift({ name: "background", key: "background", spec: state.background, ...grey });
  } else if (state.operator === "bayes" && state.unconditional) {
    parts.unshift({ name: "unconditional", key: "unconditional", spec: state.unconditional, ...grey });
  }
  return parts;
}

/** One component of a part, or null where there is none. */
export function componentOf(part, k) {
  if (!part || !(k < part.spec.weights.length)) return null;
  const { weights, means, covariances } = part.spec;
  return { mean: means[k], covariance: covariances[k], weight: weights[k], size: weights.length };
}

/** The part's specification after {mean?, covariance?, weight?} of component k. */
export function edited({ spec }, k, { mean, covariance, weight }) {
  const swap = (values, value) => (value === undefined ? values : values.map((old, j) => (j === k ? value : old)));
  let { weights } = spec;
  if (weight !== undefined && weights.length > 1) {
    const rest = 1 - weights[k] || 1e-9;
    weights = weights.map((w, j) => (j === k ? weight : (w * (1 - weight)) / rest));
  }
  return { weights, means: swap(spec.means, mean), covariances: swap(spec.covariances, covariance) };
}

/** Without component k; throws an Error if it is the last. */
export function without({ spec }, k) {
  if (spec.weights.length === 1) throw new Error("a distribution needs at least one component");
  const rest = (values) => values.filter((_, j) => j !== k);
  return {
    weights: normalised(rest(spec.weights)), means: rest(spec.means), covariances: rest(spec.covariances),
  };
}

/** With a copy of component k, two standard deviations to its right. */
export function withCopy({ spec }, k) {
  const { weights, means, covariances } = spec;
  if (weights.length >= MOST_COMPONENTS) throw new Error(`at most ${MOST_COMPONENTS} components each`);
  const [x, ...rest] = means[k];
  return {
    weights: normalised([...weights, 1 / weights.length]),
    means: [...means, [x + 2 * Math.sqrt(covariances[k][0][0]), ...rest]],
    covariances: [...covariances, covariances[k]],
  };
}

function normalised(weights) {
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
}
