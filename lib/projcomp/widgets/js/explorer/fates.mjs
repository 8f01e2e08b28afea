// One noise, four fates: what the ODE, the SDE, the weights and exact draws make of the same start.

import { Noised } from "../maths/draws.mjs";
import { Path } from "../maths/sampling.mjs";

export const FATES = {
  ode: "ODE", sde: "SDE", weighted: "weighted SDE", exact: "exact draws",
};

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
