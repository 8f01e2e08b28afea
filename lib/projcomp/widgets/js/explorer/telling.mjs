// What the Explorer says of itself: the legend, the numbers, and the same in words.

import { effectiveSize } from "../maths/sampling.mjs";
import { FATES, fatesOff } from "./fates.mjs";
import { OPERATORS, finite, inAWord, partRows } from "../shared/telling.mjs";

/** Rows of the legend. */
export function legendRows(state, scene) {
  const { show, operator, concepts, reweight, view } = state;
  if (view === "fates") return fateRows(state, scene);
  const rows = [];
  const alone = concepts.length === 1 && !scene.composition.background;
  if (show.includes("interaction")) {
    rows.push(["concept-1", "fill", "interaction below 0"], ["concept-2", "fill", "interaction above 0"]);
  } else if (show.includes("composition")) {
    rows.push(["composed", "fill", alone ? "distribution" : OPERATORS[operator]]);
  }
  if (show.includes("parts")) rows.push(...partRows(state, scene.base()));
  if (show.includes("truth")) {
    const how = scene.exact() ? "" : " (by quadrature)";
    const text = scene.hasTruth ? `noised composition${how}` : "no composition to noise";
    rows.push(["ink", "dashed", text]);
  }
  if (reweight && view !== "line" && show.includes("samples")) {
    rows.push(["ink", "dot", "samples: the area is the weight"]);
  }
  return rows;
}

function fateRows(state, scene) {
  const how = scene.exact() ? "" : " (by quadrature)";
  const rows = [["composed", "fill", scene.hasTruth ? `noised composition${how}` : "no composition to noise"]];
  rows.push(["ink", "dot", "samples: the area is the weight"]);
  state.concepts.forEach((_, i) => rows.push([`concept-${i + 1}`, "dashed", `shadow of concept ${i + 1}`]));
  return rows;
}

const NEAR = 0.05; // a shadow that is off by less looks right

/** What has become of the composition, in a word. */
export function fateOf(state, scene) {
  const { composition } = scene;
  if (composition.normalisable(0) === false) return "a tidy lie";
  const [first, second] = state.directions.map((d, i) => scene.shadow(i, d)?.error ?? 0);
  if (Math.max(first, second) < NEAR) return "what was wanted";
  const exact = scene.exact();
  if (!exact) return "not what was wanted";
  const middle = (mixture, d) => mixture.means.reduce((sum, m, k) => sum + mixture.weights[k] * (d[0] * m[0] + d[1] * m[1]), 0);
  const [one, two] = composition.concepts;
  // Along each direction, how far from the first concept to the second.
  const way = (d) => (middle(exact, d) - middle(one, d)) / (middle(two, d) - middle(one, d));
  const between = two && state.directions.every((d) => Math.abs(way(d) - 0.5) < 0.25);
  return between ? "a blend" : "not what was wanted";
}

/** Normalisability in words, and the numbers; NaN for what the figure does not show. */
export function factsOf(state, scene, chosen) {
  const at = (sigma) => inAWord(scene.composition.normalisable(sigma));
  const normalisable = `${at(0)} at σ = 0${state.sigma ? `, ${at(state.sigma)} here` : ""}`;
  const sampled = state.show.includes("samples");
  const shares = sampled && scene.path ? scene.path.sharesAt(state.sigma) : null;
  const effective = shares ? effectiveSize(shares) : NaN;
  if (state.view === "line") {
    return { normalisable, first: NaN, second: NaN, gap: NaN, along: NaN, effective };
  }
  const [first, second] = state.directions.map((d, i) => scene.shadow(i, d)?.error ?? NaN);
  const along = sampled ? scene.interactionAlong(chosen) : NaN;
  const fates = state.view === "fates" && scene.path?.done ? fatesOff(scene, scene.path) : {};
  return { normalisable, first, second, gap: scene.gap(), along, effective, fates };
}

/** The facts as a notebook's trait holds them. */
export function readoutOf({ normalisable, first, second, gap, effective, fates = {} }) {
  return {
    ...Object.fromEntries(Object.entries(fates).map(([fate, off]) => [fate, finite(off)])),
    normalisable, first: finite(first), second: finite(second), gap: finite(gap), effective: finite(effective),
  };
}

/** The facts as a sentence for a screen reader. */
export function inWords({ normalisable, first, second, gap, effective, fates = {} }, { sigma, particles }) {
  const weighted = `Weighted samples: ${effective.toFixed(0)} effective of ${particles}.`;
  const say = (what, x) => (Number.isFinite(x) ? ` ${what} ${x.toFixed(2)}.` : "");
  return (
    `Noise level ${Number(sigma.toPrecision(3))}. Normalisable: ${normalisable}.` +
    say("First shadow off by", first) +
    say("Second shadow off by", second) +
    say("Distance of the composed noise to the noised composition", gap) +
    Object.entries(fates).map(([fate, off]) => say(`Samples, ${FATES[fate]}, off by`, off)).join("") +
    (Number.isFinite(effective) ? ` ${weighted}` : "")
  );
}
