// The figure's state: what a link holds, what the notebook sees, and what may be in it.

import { Composition } from "../maths/composition.mjs";
import { Mixture } from "../maths/mixture.mjs";

export const MOST_CONCEPTS = 4;
export const MOST_COMPONENTS = 8;
const LARGEST = 1e4;

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

export function clamp(x, low, high) {
  if (!Number.isFinite(x)) throw new Error(`not a number: ${x}`);
  return Math.min(high, Math.max(low, x));
}

export function choice(x, options) {
  if (!options.includes(x)) throw new Error(`unknown choice ${x}`);
  return x;
}

/** A mixture specification that is fit to use, or an Error that says what is wrong. */
export function checkedMixture(spec, n, name) {
  const fail = (what) => {
    throw new Error(`${name}: ${what}`);
  };
  const finite = (x) => Number.isFinite(x) && Math.abs(x) <= LARGEST;
  const size = spec?.weights?.length;
  if (!size || size > 64) fail("wanted 1 to 64 components");
  if (spec.means?.length !== size || spec.covariances?.length !== size) fail("lengths differ");
  if (!spec.weights.every((w) => finite(w) && w >= 0)) fail("weights must be >= 0");
  const total = spec.weights.reduce((a, b) => a + b, 0);
  if (!(total > 0)) fail("weights must not all be 0");
  for (const m of spec.means) if (m?.length !== n || !m.every(finite)) fail("bad mean");
  for (const c of spec.covariances) {
    if (c?.length !== n || !c.every((row) => row?.length === n && row.every(finite))) {
      fail("bad covariance");
    }
    const det = n === 1 ? c[0][0] : c[0][0] * c[1][1] - c[0][1] * c[1][0];
    if (!(c[0][0] > 0 && det > 0)) fail("a covariance is not positive definite");
  }
  return { ...spec, weights: spec.weights.map((w) => w / total) };
}

/** The named parts of a state as a short text for a link. */
export function encode(state, keys) {
  const kept = Object.fromEntries(keys.map((key) => [key, state[key]]));
  const bytes = new TextEncoder().encode(JSON.stringify(kept));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

/** The state in a link's text, not yet checked; throws an Error if it does not parse. */
export function decode(text, current, keys) {
  const bytes = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  const found = JSON.parse(
    new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0))),
  );
  return { ...current, ...Object.fromEntries(keys.map((k) => [k, found[k]])) };
}

export function checkedState(state) {
  const n = state.view === "line" ? 1 : 2;
  if (!Array.isArray(state.concepts) || !state.concepts.length) throw new Error("no concepts");
  if (state.concepts.length > MOST_CONCEPTS) throw new Error("too many concepts");
  const mixture = (spec, name) => (spec ? checkedMixture(spec, n, name) : null);
  if (state.weights?.length !== state.concepts.length) throw new Error("one weight a concept");
  return {
    ...state,
    background: mixture(state.background, "background"),
    unconditional: mixture(state.unconditional, "unconditional"),
    concepts: state.concepts.map((c, i) => checkedMixture(c, n, `concept ${i + 1}`)),
    weights: state.weights.map((w) => clamp(w, -20, 20)),
    operator: choice(state.operator, ["composition", "product", "bayes"]),
    method: choice(state.method, ["heun", "euler", "sde"]),
    sigma: clamp(state.sigma, 0, 1000),
    steps: Math.round(clamp(state.steps, 2, 500)),
    particles: Math.round(clamp(state.particles, 1, 5000)),
    seed: Math.round(clamp(state.seed, 0, 2 ** 31)),
    reweight: state.reweight === true,
    show: (state.show ?? []).map(String),
  };
}

const list = (value) => JSON.stringify(value).replace(/,/g, ", ");

/** Python that rebuilds a mixture. */
export const mixturePython = (m) =>
  `pc.GaussianMixture(\n    ${list(m.weights)},\n    ${list(m.means)},\n    ${list(m.covariances)},\n)`;

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
  lines.push(`concepts = [${names.join(", ")}]`, `weights = ${list(state.weights)}`);
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
