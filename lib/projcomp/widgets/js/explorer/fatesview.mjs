// The split view: one picture for each fate, with its samples' histograms beside the targets.

import { histogram } from "../maths/field.mjs";
import { element } from "../shared/controls.mjs";
import * as draw from "../shared/draw.mjs";
import { canvas } from "../shared/layout.mjs";
import { FATES } from "./fates.mjs";
import { PlaneView } from "./planeview.mjs";
import { COARSE, FINE } from "./scene.mjs";

const BINS = 40;
const HANDLED = "exact"; // the picture that has the handles

export class FatesView extends PlaneView {
  /** main: {stage, plane, margins} of the picture with the handles; the others are made beside it. */
  constructor(main) {
    super();
    this.picks = false;
    this.panes = Object.entries(FATES).map(([fate, title]) => {
      const pane = fate === HANDLED ? main : picture(title);
      const told = element("span", { class: "pc-off" });
      pane.stage.classList.add("pc-with-shadows");
      const node = element("div", { class: "pc-fate" }, element("div", { class: "pc-title" }, title, told), pane.stage);
      return { ...pane, fate, told, node };
    });
    this.stage = element("div", { class: "pc-fates pc-wide" }, ...this.panes.map((pane) => pane.node));
  }

  paint({ frame, scene, state, colours, path }) {
    const off = scene.fatesOff();
    for (const { fate, plane, margins, told } of this.panes) {
      const { context } = draw.prepare(plane);
      if (scene.hasTruth) {
        draw.heat(context, frame, scene.field(COARSE), scene.truth(), colours.paper, colours.composed);
      }
      if (fate === HANDLED && state.show.includes("parts")) this.paintParts(context, frame, scene, colours);
      const found = path?.at(fate, state.sigma);
      if (found) draw.dots(context, frame, found.points, colours.ink, found.shares);
      this.paintMargins(margins, scene, state, colours, found);
      const text = Number.isFinite(off[fate]) ? `off by ${off[fate].toFixed(2)}` : "";
      if (told.textContent !== text) told.textContent = text;
    }
  }

  /** The concepts' own shadows, dashed, over the histograms of the samples. */
  paintMargins(margins, scene, state, colours, found) {
    state.directions.forEach((direction, index) => {
      const surface = draw.prepare(margins[index]);
      const shadow = scene.shadow(index, direction);
      if (!shadow) return;
      const curves = [{ values: shadow.wanted, colour: colours.concepts[index], dash: [7, 4] }];
      const shares = found && histogram(found.points, direction, shadow.range, BINS, found.shares);
      const bars = shares && shares.map((share) => (share * BINS) / FINE);
      draw.strip(surface, curves, index === 0, bars && { values: bars, colour: colours.ink });
    });
  }
}

/** A picture with its margins, and no handles. */
function picture(title) {
  const plane = canvas("pc-plane", `Samples: ${title}`);
  const margins = [canvas("pc-top", `${title}: first shadow`), canvas("pc-side", `${title}: second shadow`)];
  const view = element("div", { class: "pc-field-of-view" }, plane);
  return { plane, margins, stage: element("div", { class: "pc-stage" }, margins[0], view, margins[1]) };
}
