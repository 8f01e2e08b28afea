// The Explorer's state: what a link holds, what may be in it, and the density that it makes.

import { Composition } from "../maths/composition.mjs";
import { Mixture } from "../maths/mixture.mjs";
import { checkedConcepts, checkedMixture, choice, clamp, seedOf, whole } from "../shared/state.mjs";
import { OPERATORS } from "../shared/telling.mjs";

const MOST_CONCEPTS = 4;

/** What travels in an Explorer's link; each key is a trait of the widget. */
export const SHARED = [
  "background", "concepts", "unconditional", "weights", "operator", "sigma", "steps", "method",
  "particles", "seed", "show", "reweight",
];

/** The density that the chosen operator makes of the parts. */
export function composed(state) {
  const concepts = state.concepts.map((spec) => new Mixture(spec));
  const base =
    state.operator === "product" ? null
    : state.operator === "bayes" ? (state.unconditional ?? average(state.concepts))
    : state.background;
  return new Composition(base ? new Mixture(base) : null, concepts, state.weights);
}

/** The mixture of the concepts with equal shares: p_u where none is given. */
export function average(concepts) {
  return {
    weights: concepts.flatMap((c) => c.weights.map((w) => w / concepts.length)),
    means: concepts.flatMap((c) => c.means),
    covariances: concepts.flatMap((c) => c.covariances),
  };
}

export function checkedState(state) {
  const n = state.view === "line" ? 1 : 2;
  const mixture = (spec, name) => (spec ? checkedMixture(spec, n, name) : null);
  const concepts = checkedConcepts(state.concepts, MOST_CONCEPTS, (spec, name) => checkedMixture(spec, n, name));
  if (state.weights?.length !== concepts.length) throw new Error("one weight a concept");
  return {
    ...state,
    background: mixture(state.background, "background"),
    unconditional: mixture(state.unconditional, "unconditional"),
    concepts,
    weights: state.weights.map((w) => clamp(w, -20, 20)),
    operator: choice(state.operator, Object.keys(OPERATORS)),
    method: choice(state.method, ["heun", "euler", "sde"]),
    sigma: clamp(state.sigma, 0, 1000),
    steps: whole(state.steps, 2, 500),
    particles: whole(state.particles, 1, 5000),
    seed: seedOf(state.seed),
    reweight: state.reweight === true,
    show: (state.show ?? []).map(String),
  };
}
