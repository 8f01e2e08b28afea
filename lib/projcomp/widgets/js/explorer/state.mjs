// The Explorer's state: what a link holds, what may be in it, the density that it makes, and Python.

import { Composition } from "../maths/composition.mjs";
import { Mixture } from "../maths/mixture.mjs";
import { checkedConcepts, checkedMixture, choice, clamp, mixturePython, pythonList, seedOf, whole } from "../shared/state.mjs";
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

/** Python that weighs the samples of a run (pc.smc does so as it goes). */
const WEIGHING = [
  "",
  "# d log w = I dv along every way down, by the trapezoidal rule in log sigma",
  "rates = torch.stack(",
  "    [s**2 * composition.interaction(x, s, natural=True) for s, x in zip(sigmas[:-1], run.path)]",
  ")",
  "steps = (sigmas[:-2] / sigmas[1:-1]).log()",
  "log_weights = steps @ (rates[:-1] + rates[1:]) + rates[-1]",
  "weights_of_samples = torch.softmax(log_weights, 0)",
  'print("effective samples:", float(1 / weights_of_samples.square().sum()))',
  "mean = weights_of_samples @ run.samples",
  "print(mean, (weights_of_samples @ (run.samples - mean) ** 2).sqrt())",
];

/** Python that rebuilds the state with the library. */
export function snippet(state) {
  const lines = ["import torch", "", "import projcomp as pc", ""];
  const names = state.concepts.map((_, i) => `concept_${i + 1}`);
  if (state.background) lines.push(`background = ${mixturePython(state.background)}`);
  state.concepts.forEach((c, i) => lines.push(`${names[i]} = ${mixturePython(c)}`));
  lines.push(`concepts = [${names.join(", ")}]`, `weights = ${pythonList(state.weights)}`);
  if (state.operator === "product" || (state.operator === "composition" && !state.background)) {
    lines.push("composition = pc.simple_product(concepts, weights)");
  } else if (state.operator === "bayes") {
    const u = state.unconditional ?? average(state.concepts);
    lines.push(`unconditional = ${mixturePython(u)}`);
    lines.push("composition = pc.bayes(unconditional, concepts, weights)");
  } else {
    lines.push("composition = pc.compose(background, concepts, weights)");
  }
  lines.push(
    `sigmas = pc.sigma_grid(${state.sigma_min}, ${state.sigma_max}, ${state.steps})`,
    `generator = torch.Generator().manual_seed(${state.seed})`,
    "run = pc.reverse_diffusion(",
    `    composition, ${state.particles}, sigmas, "${state.method}", generator=generator,`,
    `    keep_path=${state.reweight ? "True" : "False"},`,
    ")",
    ...(state.reweight ? WEIGHING : ["print(run.samples.mean(0), run.samples.std(0))"]),
  );
  return `${lines.join("\n")}\n`;
}
