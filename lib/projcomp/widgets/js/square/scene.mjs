// What the square shows, computed from its state and kept until the state changes.

import { Composition } from "../maths/composition.mjs";
import { Field } from "../maths/field.mjs";
import { largestDifference, square, warpOf } from "../maths/warp.mjs";
import { Kept } from "../shared/kept.mjs";

const CELLS = 96;

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

  field(box) {
    return this.kept.get(`field ${box}`, "", () => new Field(box, CELLS));
  }

  /** Masses of a density over a box; kept while its key stays the same. */
  masses({ name, density, key }, box) {
    return this.kept.get(`masses ${name}`, `${key} ${box}`, () => this.field(box).masses(density.at(0)));
  }

  /** The background (always shown) and the concepts, in feature space or in pixels. */
  parts(pixels) {
    const { background, concepts, warp, amount } = this.state;
    const { features, parts } = this.square("composition");
    const inside = [features.background, ...features.concepts];
    const map = pixels ? `${warp} ${amount}` : this.warp.periodic;
    return [background, ...concepts].map((spec, i) => ({
      name: `part ${i} ${pixels}`,
      density: pixels ? parts[i] : inside[i],
      key: JSON.stringify([spec, map]), // a drag changes one part only
    }));
  }

  /** The composed density: in feature space, or in pixels by the chosen route. */
  composed(pixels) {
    const { operator, route } = this.state;
    const how = pixels ? route : "features";
    return { name: how, density: this.square()[how], key: `${operator} ${this.key}` };
  }

  /** How far the two routes differ, for an operator; NaN where it makes no distribution. */
  difference(operator) {
    if (!this.exists(operator)) return NaN;
    const { first, second } = this.square(operator);
    const field = this.field(this.pixelBox);
    const key = `${this.key} ${this.pixelBox}`;
    return this.kept.get(`difference ${operator}`, key, () => largestDifference(field, first, second));
  }

  /**
   * true, false, or null where the tails do not decide. Where a feature is an angle, they are those
   * of the other one alone: what is wrapped stays between two positive bounds.
   */
  normalisable(operator = this.state.operator) {
    return this.kept.get(`normalisable ${operator}`, this.key, () => {
      const { features } = this.square(operator);
      if (!this.warp.periodic) return features.normalisable(0);
      const first = (density) => density && density.marginal(0);
      return new Composition(first(features.background), features.concepts.map(first)).normalisable(0);
    });
  }
  /** Whether an operator makes a distribution, as far as is known. */
  exists(operator = this.state.operator) {
    return this.normalisable(operator) !== false;
  }
}
