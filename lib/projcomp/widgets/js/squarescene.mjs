// What the square shows, computed from its state and kept until the state changes.

import { Composition } from "./composition.mjs";
import { Field } from "./field.mjs";
import { Kept } from "./scene.mjs";
import { largestDifference, square, warpOf } from "./warp.mjs";

export const FINE = 112;
const TOLD = 96;

export class SquareScene {
  constructor() {
    this.kept = new Kept();
  }

  /** Call when the state is another one. */
  update(state) {
    this.state = state;
    this.key = JSON.stringify([state.background, state.concepts, state.warp, state.amount]);
    const warpKey = `${state.warp} ${state.amount}`;
    this.warp = this.kept.get("warp", warpKey, () => warpOf(state.warp, state.amount));
  }

  /** The square of one operator; the simple product leaves the background out. */
  square(operator = this.state.operator) {
    const { background, concepts } = this.state;
    const base = operator === "product" ? null : background;
    return this.kept.get(`square ${operator}`, this.key, () => square(base, concepts, this.warp));
  }

  /** Feature space in view, and the pixels. */
  get box() {
    return this.state.boxes[this.state.warp][0];
  }

  get pixelBox() {
    return this.state.boxes[this.state.warp][1];
  }

  field(box, cells = FINE) {
    return this.kept.get(`field ${box} ${cells}`, "", () => new Field(box, cells));
  }

  masses(name, density, box) {
    const key = `${this.key} ${box}`;
    return this.kept.get(`masses ${name}`, key, () => this.field(box).masses(density.at(0)));
  }

  /** The background (always shown) and the concepts, as [name, features, pixels]. */
  parts() {
    const { features, parts } = this.square("composition");
    const inside = [features.background, ...features.concepts];
    return inside.map((density, i) => [`part ${i}`, density, parts[i]]);
  }

  /** The composed density in pixels, by the chosen route. */
  composed() {
    const { operator, route } = this.state;
    return [`${operator} ${route}`, this.square()[route]];
  }

  /** How far the two routes differ, for an operator. */
  difference(operator) {
    const { first, second } = this.square(operator);
    const field = this.field(this.pixelBox, TOLD);
    const key = `${this.key} ${this.pixelBox}`;
    return this.kept.get(`difference ${operator}`, key, () => largestDifference(field, first, second));
  }

  /**
   * true, false, or null where the tails do not decide. Where a feature is an angle, they are those
   * of the other one alone: what is wrapped stays between two positive bounds.
   */
  normalisable() {
    const { features } = this.square();
    if (!this.warp.periodic) return features.normalisable(0);
    const first = (density) => density && density.marginal(0);
    return new Composition(first(features.background), features.concepts.map(first)).normalisable(0);
  }
}
