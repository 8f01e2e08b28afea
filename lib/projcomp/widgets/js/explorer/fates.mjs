// One noise, four fates: what the ODE, the SDE, the weights and exact draws make of the same start.

import { Noised, drawn, drawnFrom, offBy } from "../maths/draws.mjs";
import { Path, normals, sigmaGrid } from "../maths/sampling.mjs";

export const FATES = {
  ode: "ODE", sde: "SDE", weighted: "weighted SDE", exact: "exact draws",
};
const BINS = 8;
const FINE = 160;

/** Two paths and draws from one noise; seen from without it is the ODE's path. */
export class Fates {
  /** draws: points of the exact composition, or null where there is none. */
  constructor(composition, levels, particles, seed, draws) {
    this.ode = new Path(composition, levels, particles, "heun", seed);
    this.sde = new Path(composition, levels, particles, "sde", seed);
    this.sde.weighted = true;
    this.exact = draws && new Noised(draws, seed);
    this.levels = levels;
  }

  get states() {
    const behind = this.sde.weights.logs.length;
    return this.ode.states.slice(0, Math.max(1, Math.min(this.sde.states.length, behind, this.ode.states.length)));
  }

  get done() {
    return this.ode.done && this.sde.done;
  }

  advance(budget = 12) {
    if (!this.ode.done) this.ode.advance(budget / 2);
    return this.sde.advance(this.ode.done ? budget : budget / 2) && this.ode.done;
  }

  finish() {
    this.ode.finish();
    return this.sde.finish();
  }

  atSigma(sigma) {
    return this.ode.atSigma(sigma);
  }

  logWeightsAt() {
    return null;
  }

  /** Of the weighted SDE, whose effective size is told. */
  sharesAt(sigma) {
    return this.sde.sharesAt(sigma);
  }

  /** A fate's particles and shares at a noise level; null where there are none. */
  at(fate, sigma) {
    if (fate === "exact") return this.exact && { points: this.exact.atSigma(sigma), shares: null };
    const path = fate === "ode" ? this.ode : this.sde;
    return { points: path.atSigma(sigma), shares: fate === "weighted" ? path.sharesAt(sigma) : null };
  }
}

/** The fates of a scene's state. */
export function fatesOf(scene) {
  const { sigma_min, sigma_max, steps, particles, seed } = scene.state;
  const levels = sigmaGrid(sigma_min, sigma_max, steps);
  return new Fates(scene.composition, levels, particles, seed, exactDraws(scene, particles, seed + 1));
}

/** Draws of the composition without noise; null where there is none. */
function exactDraws(scene, particles, seed) {
  if (!scene.hasTruth) return null;
  const exact = scene.exact();
  if (exact) return drawn(exact, particles, normals(seed));
  const field = scene.field(FINE, scene.state.box);
  return drawnFrom(field, field.masses(scene.composition.at(0)), particles, normals(seed));
}

/** How far each fate is off the noised composition, in BINS x BINS blocks of the picture. */
export function fatesOff(scene, path) {
  const { sigma } = scene.state;
  const off = (fate) => {
    const found = scene.hasTruth && path.at(fate, sigma);
    return found ? offBy(found.points, scene.field(96), scene.truth(96), BINS, found.shares) : NaN;
  };
  return Object.fromEntries(Object.keys(FATES).map((fate) => [fate, off(fate)]));
}

/** Rows of the legend. */
export function fateRows(state, scene) {
  const how = scene.exact() ? "" : " (by quadrature)";
  const rows = [["composed", "fill", scene.hasTruth ? `noised composition${how}` : "no composition to noise"]];
  rows.push(["ink", "dot", "samples: the area is the weight"]);
  state.concepts.forEach((_, i) => rows.push([`concept-${i + 1}`, "dashed", `shadow of concept ${i + 1}`]));
  return rows;
}
