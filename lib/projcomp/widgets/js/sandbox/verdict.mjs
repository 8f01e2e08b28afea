// The verdict in words: what the numbers of an examination prove, each with where it is explained.

import { COMPARED, SEEN } from "../maths/examine.mjs";

const LEAK = 0.01; // a share of a score delta's square, as in pc.diagnose
const ERRORS = 5; // of quadrature, that a gap must exceed
const SIGNIFICANT = 4; // standard deviations of the noise floor
const CONSTANT = 1e-9; // spread of the interaction by rounding

/** Where each finding is explained: a page of the book, a place on it, and its name. */
export const LINKS = {
  operator: ["03-the-operator", "def-operator", "the operator"],
  threshold: ["03-the-operator", "prop-threshold", "a threshold"],
  weighted: ["03-the-operator", "def-weighted", "the weighted operator"],
  product: ["02-what-is-composition", "prop-product-inside", "what a product does"],
  projective: ["02-what-is-composition", "def-projective", "projective composition"],
  factorized: ["04-factorized-conditionals", "def-factorized", "factorized conditionals"],
  scores: ["04-factorized-conditionals", "prop-fc-scores", "seen from the scores"],
  pile: ["04-factorized-conditionals", "cor-pile-up", "piling up"],
  dependent: ["04-factorized-conditionals", "prop-dependent", "a dependent background"],
  average: ["05-which-background", "prop-average-background", "the average as background"],
  features: ["09-feature-space", "thm-feature-space", "feature space"],
  commute: ["10-the-path", "cor-commute", "when composing commutes with noising"],
  sampled: ["10-the-path", "thm-what-is-sampled", "what is sampled"],
  nothing: ["11-failure-atlas", "card-nothing", "nothing there"],
  steps: ["11-failure-atlas", "card-steps", "too few steps"],
  start: ["11-failure-atlas", "card-start", "the wrong start"],
  weights: ["12-repair", "thm-weights", "weights that mend the path"],
  repair: ["12-repair", "ch-repair", "repair"],
};

const TITLES = {
  none: "Nothing to sample: the composition is not normalisable",
  unknown: "No verdict: the mass runs out of every box",
  path: "Right target, wrong path",
  target: "Not the wanted target, which the samples follow",
  both: "Not the wanted target, and a wrong path to it",
  sampler: "The distributions are right, the samples are not",
};

/** {kind, title, findings: [{topic, holds, text, link}]} of the numbers of `examine`. */
export function verdictOf(found, state) {
  const findings = [existing(found), factorized(found, state)];
  const result = (kind, title = TITLES[kind]) => ({ kind, title, findings });
  if (found.exists === false) return result("none");
  if (!found.core) return result("unknown");
  const [target, path, samples] = [shadowed(found, state), commuting(found), sampled(found)];
  findings.push(target, path, samples);
  if (path.holds === false || samples.holds === false) findings.push(repaired(found, path.holds, samples.holds));
  if (target.holds === false && path.holds === false) return result("both");
  if (target.holds === false && samples.holds === false) {
    return result("target", "Not the wanted target, and samples of neither");
  }
  if (target.holds === false) return result("target");
  if (path.holds === false) return result("path", target.holds ? TITLES.path : "The path is wrong");
  if (samples.holds === false) return result("sampler");
  if (path.holds === null) return result("unknown", "The path is too fine for the grid to tell");
  const how = findings[1].holds ? "Factorized, and exact" : target.holds ? "A projective composition, exact" : "Exact";
  return result("exact", `${how} at every noise level`);
}

function existing({ exists, edge, core }) {
  const say = (holds, text, link) => ({ topic: "exists", holds, text, link });
  if (exists === false) {
    const above = edge === Infinity ? "It has none at high noise either." : `From σ = ${digits(edge)} up it has one.`;
    return say(false, `At σ = 0 the composition has no finite integral, so no distribution has this score. ${above} `
      + "Samples look like something all the same.", edge === Infinity ? "nothing" : "threshold");
  }
  if (core === null) return say(null, "Mass sits at the edge of every box that was tried.", "nothing");
  if (edge !== null) {
    const where = edge === Infinity ? "at high noise, where sampling starts" : `at noise levels up to σ = ${digits(edge)}`;
    return say(false, `The composition exists at σ = 0, but has no finite integral ${where}.`, "threshold");
  }
  if (exists === null) {
    return say(null, "The tails alone do not decide whether the composition has a finite integral. "
      + "All the mass that was found lies in a box.", "operator");
  }
  return say(true, "The composition exists, at σ = 0 and at every noise level that was tried.", "operator");
}

function factorized({ active, rows, angle, leaks, tied, directions }, { operator, background }) {
  const say = (holds, text, link) => ({ topic: "factorized", holds, text, link });
  const base = operator === "bayes" ? "the unconditional" : "the background";
  if (operator === "product" || (operator === "composition" && !background)) {
    return say(null, "A product has no background to factorize over.", "product");
  }
  if (!active.length) return say(true, `No concept differs from ${base}.`, "factorized");
  if (active.length > 2) {
    return say(false, `Not factorized: ${active.length} concepts can't each have a direction of their own in a plane.`, "factorized");
  }
  const own = (i) => direction(directions[i].unit);
  if (angle === 0) {
    return say(false, `Not factorized: both concepts change the same direction, ${own(active[0])}, and pile up.`, "pile");
  }
  if (!rows) return say(null, "A concept changes more than one direction, so there is none to examine it in.", "scores");
  const reasons = active.flatMap((i, place) => {
    const { off, others } = leaks[place];
    const found = [
      off > LEAK && `leaves its direction ${own(i)} by ${percent(off)}`,
      others > LEAK && `changes by ${percent(others)} when the rest of the point is swapped`,
    ].filter(Boolean);
    return found.length ? [`concept ${i + 1}'s score delta ${found.join(" and ")}`] : [];
  });
  const apart = tied > SEEN ? [`under ${base} the two directions depend on each other (total variation ${share(tied)})`] : [];
  if (reasons.length + apart.length) {
    return say(false, `Not factorized: ${[...reasons, ...apart].join("; ")}.`, reasons.length ? "scores" : "dependent");
  }
  const each = active.map((i) => `concept ${i + 1} changes ${own(i)} alone`).join(", ");
  if (Math.PI / 2 - angle < 1e-3) return say(true, `Factorized over ${base}: ${each}.`, "scores");
  return say(true, `Factorized over ${base}, in directions ${Math.round((180 * angle) / Math.PI)}° apart: ${each}.`, "features");
}

function shadowed({ shadows, along, angle, tied }, { operator, weights }) {
  const say = (holds, text, link) => ({ topic: "projective", holds, text, link });
  const known = shadows.flatMap((gap, i) => (Number.isFinite(gap) ? [i] : []));
  if (!known.length) return say(null, "No concept has a direction of its own, so there is no shadow to compare.", "projective");
  const off = known.filter((i) => shadows[i] > SEEN);
  if (!off.length) {
    const left = known.length < shadows.length ? " (of the concepts with one direction)" : "";
    const where = known.map((i) => direction(along[i])).join(" and ");
    return say(true, `A projective composition: the shadows along ${where}${left} are right, to less than ${SEEN}.`, "projective");
  }
  const words = off.map((i) => `that of concept ${i + 1} along ${direction(along[i])} by ${share(shadows[i])}`);
  const link =
    operator === "product" ? "product"
    : operator === "bayes" ? "average"
    : weights.some((w) => w !== 1) ? "weighted"
    : angle === 0 ? "pile"
    : tied > SEEN ? "dependent"
    : "projective";
  return say(false, `Not projective. Shadows are off: ${words.join(", ")} (total variation).`, link);
}

/** The level with the largest gap that is surely there, else the largest. */
export function worstOf(levels) {
  const sure = levels.filter(({ gap, error }) => gap > Math.max(SEEN, ERRORS * error));
  const among = sure.length ? sure : levels;
  return among.length ? among.reduce((a, b) => (b.gap > a.gap ? b : a)) : null;
}

function commuting({ levels, spread, edge }) {
  const say = (holds, text) => ({ topic: "path", holds, text, link: "commute" });
  const worst = worstOf(levels);
  const varies = `among the samples σ² I varies by ${digits(spread.value)} (at σ = ${digits(spread.sigma)})`;
  if (worst && worst.gap > Math.max(SEEN, ERRORS * worst.error)) {
    return say(false, `Composing does not commute with noising: at σ = ${digits(worst.sigma)} the two orders differ by `
      + `${share(worst.gap)} (total variation); ${varies}.`);
  }
  if (edge !== null) return say(false, "There are noise levels at which there is no composition to follow.");
  if (spread.value < CONSTANT) return say(true, "Composing commutes with noising: the interaction is constant.");
  if (!worst || worst.gap > SEEN) return say(null, `The grid can't tell whether composing commutes with noising; ${varies}.`);
  return say(true, `Composing commutes with noising to less than ${SEEN} (total variation); ${varies}.`);
}

function sampled({ energy, particles }) {
  const holds = energy.value - energy.floor <= SIGNIFICANT * energy.spread;
  const beside = `energy distance ${digits(energy.value)}, among exact draws ${digits(energy.floor)} ± ${digits(energy.spread, 1)}`;
  const text = holds
    ? `${Math.min(particles, COMPARED)} samples are no farther from exact draws than chance has it: ${beside}.`
    : `The samples miss the composition: ${beside}.`;
  return { topic: "samples", holds, text, link: "sampled" };
}

function repaired({ energy, effective, particles }, commutes, agrees) {
  const say = (holds, text, link) => ({ topic: "repair", holds, text, link });
  const left = `energy distance ${digits(energy.weighed)}`;
  const worth = effective < 9.95 ? effective.toFixed(1) : effective.toFixed(0);
  const then = `${particles} samples are then worth ${worth}`;
  if (commutes && effective > 0.99 * particles) {
    return say(null, "The path is right, so the sampler is at fault: take more steps, or start at more noise.",
      "steps");
  }
  if (agrees) {
    return say(null, `What is wrong with the path is too little to show in the samples. Weighed by the interaction, ${particles} are `
      + `worth ${worth}.`, "weights");
  }
  if (energy.weighed - energy.floor <= SIGNIFICANT * energy.spread) {
    return say(true, `Weighing the samples by the interaction brings them to ${left}; ${then}.`, "weights");
  }
  return say(false, `Weighing the samples by the interaction is not enough: ${left} is left; ${then}.`, "repair");
}

const digits = (x, count = 2) => (x === Infinity ? "∞" : String(Number(x.toPrecision(count))));
const share = (x) => (x < 0.995 ? x.toFixed(2) : "nearly 1");
const percent = (x) => `${(100 * x).toFixed(0)}%`;

/** A direction in words: an axis, or a unit vector. */
function direction([x, y]) {
  if (y === 0) return "x";
  if (x === 0) return "y";
  return `(${[x, y].map((value) => value.toFixed(2).replace("-", "−")).join(", ")})`;
}
