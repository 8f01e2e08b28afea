// What the Explorer says of itself: the legend, the numbers, and the same in words.

import { effectiveSize } from "../maths/sampling.mjs";
import { OPERATORS, finite, inAWord, partRows } from "../shared/telling.mjs";
import { FATES } from "./fates.mjs";

const WEIGHED = ["ink", "dot", "samples: the area is the weight"];

/** Rows of the legend. */
export function legendRows(state, scene) {
  const { show, operator, concepts, reweight, view } = state;
  if (view === "fates") return fateRows(state, scene);
  const rows = [];
  const alone = concepts.length === 1 && !scene.composition.background;
  if (show.includes("interaction")) {
    rows.push(["concept-1", "fill", "interaction < 0"], ["concept-2", "fill", "interaction > 0"]);
  } else if (show.includes("composition") && scene.exists) {
    rows.push(["composed", "fill", alone ? "distribution" : OPERATORS[operator]]);
  }
  if (show.includes("parts")) rows.push(...partRows(state, scene.base()));
  if (show.includes("truth") && scene.exists) {
    rows.push(["ink", "dashed", truthText(scene)]);
  }
  if (reweight && view !== "line" && show.includes("samples")) {
    rows.push(WEIGHED);
  }
  return rows;
}

function fateRows(state, scene) {
  const shadows = state.concepts.map((_, i) => [`concept-${i + 1}`, "dashed", `shadow of concept ${i + 1}`]);
  return [["composed", "fill", truthText(scene)], WEIGHED, ...shadows];
}

function truthText(scene) {
  if (!scene.hasTruth) return "no composition to noise";
  return `noised composition${scene.exact() ? "" : " (by quadrature)"}`;
}

/** The longest legends that the figure's controls can bring about. */
export function largestLegends(state) {
  const { controls, view, reweight } = state;
  const free = (control) => controls.includes(control) || controls.includes("presets");
  const every = view === "line" ? ["parts", "composition"] : ["parts", "truth", "samples"];
  const kinds = view === "line" ? [[]] : [["composition"], ["interaction"]];
  const shows = free("layers") ? kinds.map((kind) => [...kind, ...every]) : [[...state.show, "samples"]];
  const operators = free("operator") ? Object.keys(OPERATORS) : [state.operator];
  const divides = (operator) => operator === "bayes" || (operator === "composition" && state.background);
  const any = (operator) => ({
    composition: { background: divides(operator) }, exists: true, hasTruth: true, exact: () => null, base: () => true,
  });
  return shows.flatMap((show) => operators.map((operator) =>
    legendRows({ ...state, show, operator, reweight: reweight || free("reweight") }, any(operator))));
}

/** Normalisability in words, and the numbers; NaN for what the figure does not show. */
export function factsOf(state, scene, chosen) {
  const at = (sigma) => inAWord(scene.composition.normalisable(sigma));
  const { exists } = scene;
  const answers = { exists, normalisable: at(0), here: at(state.sigma) };
  const sampled = state.show.includes("samples");
  const shares = sampled && exists && scene.path ? scene.path.sharesAt(state.sigma) : null;
  const effective = shares ? effectiveSize(shares) : NaN;
  if (state.view === "line") {
    return { ...answers, first: NaN, second: NaN, gap: NaN, along: NaN, effective };
  }
  const [first, second] = state.directions.map((d, i) => scene.shadow(i, d)?.error ?? NaN);
  const along = sampled && exists ? scene.interactionAlong(chosen) : NaN;
  return { ...answers, first, second, gap: scene.gap(), along, effective, fates: scene.fatesOff() };
}

const inBoth = ({ normalisable, here }, sigma) => `${normalisable} at σ = 0${sigma ? `, ${here} here` : ""}`;

/** The facts as a notebook's trait holds them. */
export function readoutOf(facts, sigma) {
  const { first, second, gap, effective, fates = {} } = facts;
  return {
    ...Object.fromEntries(Object.entries(fates).map(([fate, off]) => [fate, finite(off)])),
    normalisable: inBoth(facts, sigma), first: finite(first), second: finite(second), gap: finite(gap), effective: finite(effective),
  };
}

/** What the figure shows of the facts, as sentences for a screen reader. */
export function inWords(facts, { sigma, particles, controls, readouts, show }) {
  const { exists, first, second, gap, effective, fates = {} } = facts;
  const listed = (key) => controls.includes("readout") && readouts.includes(key);
  const say = (shown, what, x) => (shown && Number.isFinite(x) ? ` ${what} ${x.toFixed(2)}.` : "");
  const shadows = show.includes("shadows");
  return (
    `Noise level ${Number(sigma.toPrecision(3))}.` +
    (listed("normalisable") ? ` Normalisable: ${inBoth(facts, sigma)}.` : "") +
    (exists ? "" : " No composition: it is not normalisable.") +
    say(shadows || listed("first"), "First shadow off by", first) +
    say(shadows || listed("second"), "Second shadow off by", second) +
    say(
      show.includes("truth") || controls.includes("curve") || listed("gap"),
      "Distance of the composed noise to the noised composition", gap,
    ) +
    Object.entries(fates).map(([fate, off]) => say(true, `Samples, ${FATES[fate]}, off by`, off)).join("") +
    (Number.isFinite(effective) ? ` Weighted samples: ${effective.toFixed(0)} effective of ${particles}.` : "")
  );
}
