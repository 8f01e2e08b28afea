// What a sample believes in: of each density the likeliest pictures, the shares of the wanted content
// and style, and the entropy left; and all of it over the noise, as a chart.

import { element } from "../shared/controls.mjs";
import * as draw from "../shared/draw.mjs";
import { canvas } from "../shared/layout.mjs";
import { levelAt, paintChart, shareAt } from "./chart.mjs";
import { shareText } from "./telling.mjs";

const TOP = 3;
const SEEN = 0.005; // of the belief
const FAINTEST = 0.3;
const PARTS = ["content", "style", "entropy"];

export class Mind {
  /** host: the Prompt; a drag over the chart scrubs its noise. */
  constructor(host, title) {
    this.host = host;
    this.rows = Object.fromEntries(["all", "content", "style"].map((name) => [name, this.row(name)]));
    const heads = PARTS.map((part) => element("span", { class: "pc-head" }, part));
    const table = element("div", { class: "pc-beliefs" }, element("span"), ...heads,
      ...Object.values(this.rows).flatMap(({ nodes }) => nodes));
    this.chart = canvas("pc-plane", `${title}: beliefs over the noise; summed up in words below`);
    const { signal } = host.abort;
    this.chart.addEventListener("pointerdown", (event) => this.drag(event), { signal });
    this.chart.addEventListener("pointermove", (event) => event.buttons && this.drag(event), { signal });
    this.node = element("div", { class: "pc-mind" },
      element("div", { class: "pc-title" }, title),
      element("div", { "aria-hidden": "true" }, table),
      element("div", { class: "pc-over" }, this.chart));
  }

  row(name) {
    const numbers = PARTS.map(() => element("span", { class: "pc-number" }));
    const thumbs = Array.from({ length: TOP }, () => element("canvas", { class: "pc-thumb" }));
    const bars = thumbs.map(() => element("i"));
    const strip = element("div", { class: "pc-strip" }, ...thumbs.map((thumb, i) => element("span", {}, thumb, bars[i])));
    return { numbers, thumbs, bars, nodes: [element("b", {}, name), ...numbers, strip] };
  }

  drag(event) {
    this.chart.setPointerCapture?.(event.pointerId);
    const { levels } = this.host.state;
    this.host.scrub(levelAt(levels, shareAt(this.chart, event.clientX)));
  }

  /** shown: of the scene, or null where nothing is known yet. */
  paint({ line, now, outcome }, { table, cell, state }, colours) {
    for (const [name, { numbers, thumbs, bars }] of Object.entries(this.rows)) {
      const belief = now?.beliefs[name];
      // A density's own label is no belief.
      PARTS.forEach((part, i) =>
        (numbers[i].textContent = !belief ? "" : part === name ? "–" : shareText(belief[part])));
      thumbs.forEach((thumb, i) => {
        const [place, share] = belief?.top[i] ?? [cell, 0];
        const seen = share >= SEEN;
        thumb.parentNode.style.opacity = seen ? FAINTEST + (1 - FAINTEST) * share : 0;
        if (!seen) return;
        draw.photograph(thumb, table.picture(place), table.side, -1);
        thumb.dataset.wanted = place === cell ? "yes" : "no";
        bars[i].style.width = `${100 * share}%`;
      });
    }
    paintChart(this.chart, { line, levels: state.levels, level: state.level, decided: outcome?.decided }, colours);
  }
}
