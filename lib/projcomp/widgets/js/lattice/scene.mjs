// What the lattice shows, computed from its state and kept until the state changes.

import { Pace } from "../maths/pace.mjs";
import { Bank, Clutter, PicturePath, SETTINGS, startOf } from "../maths/pictures.mjs";
import { Kept } from "../shared/kept.mjs";

const LOW = 0.75;
const HIGH = 1.3;
const READABLE = 0.1; // the error of an opacity that noise may make before it is not told

export const solid = (opacity) => opacity > LOW && opacity < HIGH;

export class LatticeScene {
  constructor() {
    this.kept = new Kept();
    this.packed = null;
    this.version = 0;
  }

  /** Call when the state is another one. */
  update(state) {
    this.state = state;
    if (state.bank !== this.packed) {
      this.bank = new Bank(state.bank);
      this.packed = state.bank;
      this.version += 1;
      this.side = Math.round(Math.sqrt(this.bank.empty.length / 3));
      this.centres = this.bank.places.map((place) => centre(place, this.side));
      this.faintest = Math.min(...this.bank.places.map(({ halves }) =>
        Math.sqrt((2 * halves.reduce((a, b) => a + b, 0)) / halves.length)));
    }
    const { chosen, seed, levels } = state;
    const how = JSON.stringify([this.version, chosen, seed, levels]);
    this.paths = Object.entries(SETTINGS).map(([setting, rule]) => {
      const clutter = setting === "C" ? this.clutter() : null;
      const key = `${how} ${clutter ? this.rule : ""}`;
      const coefficients = (logs) => rule(chosen, logs, clutter);
      return this.kept.get(setting, key, () => new PicturePath(this.bank, coefficients, levels, this.start()));
    });
  }

  clutter() {
    const { clutter, rate, most } = this.state;
    const rule = clutter === "capped" ? { most } : { rate };
    this.rule = JSON.stringify(rule);
    return this.kept.get("clutter", this.rule, () => new Clutter(this.bank.places.length, rule));
  }

  start() {
    const { seed, levels } = this.state;
    const { length } = this.bank.empty;
    return this.kept.get("start", `${seed} ${levels[0]} ${length}`, () => startOf(seed, levels[0], length));
  }

  get sigma() {
    return this.state.levels[this.state.level];
  }

  /** Work for about `budget` milliseconds, a level of a path at a time; true when all is known. */
  advance(budget) {
    const end = performance.now() + budget;
    for (;;) {
      const behind = this.paths.filter((path) => !path.done);
      if (!behind.length) return true;
      if (performance.now() >= end) return false;
      behind.reduce((a, b) => (b.beliefs.length < a.beliefs.length ? b : a)).advance();
    }
  }

  /** All levels are shown alike long. */
  pace() {
    return new Pace(Array(this.last).fill(1));
  }

  /** The last level, and the last that is computed of every path, by number. */
  get last() {
    return this.state.levels.length - 1;
  }

  get known() {
    return Math.max(0, Math.min(...this.paths.map((path) => path.beliefs.length)) - 1);
  }

  /**
   * Of each setting at the present level: {picture, opacities}; null where not yet known. In the
   * noisy picture opacities are counted, and null where it is too noisy for that.
   */
  shown() {
    const { level, view } = this.state;
    return this.paths.map((path) => {
      const belief = path.beliefs[level];
      if (!belief) return null;
      if (view === "belief") return { picture: belief.denoised, opacities: belief.coefficients };
      const picture = path.states[level];
      const readable = this.sigma < READABLE * this.faintest;
      return { picture, opacities: readable ? this.bank.opacities(picture) : null };
    });
  }

  /** The place nearest to a spot of the picture; x and y from 0 to 1. */
  placeAt(x, y) {
    const far = this.centres.map(([a, b]) => (a - x) ** 2 + (b - y) ** 2);
    return far.indexOf(Math.min(...far));
  }
}

/** The middle of a place's pixels, in shares of the side. */
function centre({ where }, side) {
  let [x, y] = [0, 0];
  for (const at of where) {
    x += (at % side) + 0.5;
    y += (Math.floor(at / side) % side) + 0.5;
  }
  return [x / where.length / side, y / where.length / side];
}
