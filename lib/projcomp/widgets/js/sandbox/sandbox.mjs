// The sandbox: an Explorer in which a reader builds an example of their own, and is told what it does.

import { Explorer } from "../explorer/explorer.mjs";
import { encode } from "../shared/state.mjs";
import { Brush } from "./brush.mjs";
import { Builder } from "./builder.mjs";
import { painted, withBackground, withConcept, withRound, withoutConcept } from "./building.mjs";
import { Judge } from "./judge.mjs";

export class Sandbox extends Explorer {
  build() {
    super.build();
    this.shared = [...this.shared, "box"];
    Object.assign(this, { tool: "move", brush: 3, painting: null });
    this.builder = new Builder(this);
    this.legend.after(this.builder.node);
    this.panel.followers.push(() => this.builder.follow());
    this.strokes = new Brush(this, this.svg, this.abort.signal);
    this.judge = new Judge({
      given: this.model.get("directions"), tell: (verdict, numbers) => this.conclude(verdict, numbers), leave: () => this.keepInAddress(),
    });
    this.panel.transport.after(this.judge.node);
  }

  checked(state) {
    return super.checked({ ...state, box: checkedBox(state.box) });
  }

  destroy() {
    this.judge.stop();
    super.destroy();
  }

  // -- building -----------------------------------------------------------------------------

  /** The part at hand: the chosen handle's, or the first concept. */
  part() {
    const parts = this.parts();
    return parts[this.selected?.[0]] ?? parts.find(({ key }) => key === "concepts");
  }

  /** The brush's radius in the plane. */
  get radius() {
    const [left, , right] = this.state.box;
    return (this.brush / 100) * (right - left);
  }

  choose(tool) {
    this.tool = tool;
    this.svg.classList.toggle("pc-drawing", tool !== "move");
    this.builder.follow();
  }

  resize(brush) {
    this.brush = brush;
    this.builder.follow();
  }

  addConcept() {
    if (this.change(withConcept(this.state))) this.select(this.parts().length - 1, 0);
  }

  addBackground() {
    if (this.change(withBackground(this.state))) this.select(0, 0);
  }

  removePart() {
    const { key, index } = this.part();
    this.selected = null;
    this.change(key === "concepts" ? withoutConcept(this.state, index) : { background: null });
  }

  addAt(x, y) {
    this.guard(() => this.replace(this.part(), withRound(this.part().spec, [x, y], this.radius)));
  }

  /** A stroke more, if the last change was a stroke on this part; else the first. */
  paintStroke(stroke) {
    const part = this.part();
    const before = this.painting?.spec === JSON.stringify(part.spec) ? this.painting.strokes : [];
    const strokes = [...before, stroke];
    this.guard(() => this.replace(part, painted(strokes, this.radius)));
    this.painting = { strokes, spec: JSON.stringify(this.part().spec) };
  }

  pickParticle(event) {
    if (this.tool === "move") super.pickParticle(event);
  }

  // -- telling ------------------------------------------------------------------------------

  settle(path) {
    super.settle(path);
    this.judge.consider(this.scene);
  }

  /** Tell the notebook, and turn the picture's shadows to those that the verdict speaks of. */
  conclude(verdict, { along = [], levels = [], shadows = [], energy = null, effective = null }) {
    const [first, second] = along;
    if (first) {
      const directions = [first, second ?? across(first)];
      this.carry({ directions });
      this.push({ directions });
    }
    const numbers = { gap: Math.max(...levels.map(({ gap }) => gap)), shadows, energy, effective };
    this.push({ verdict: { ...verdict, numbers: levels.length ? numbers : {} } });
  }

  /** So that the way back leads to this example. */
  keepInAddress() {
    history.replaceState(null, "", `#pc-${this.model.get("name")}=${encode(this.state, this.shared)}`);
  }
}

const across = ([x, y]) => [-y, x];

function checkedBox(box) {
  const [left, bottom, right, top] = box ?? [];
  const good = box?.length === 4 && box.every(Number.isFinite) && left < right && bottom < top;
  if (!good) throw new Error("a box is [left, bottom, right, top]");
  return box;
}
