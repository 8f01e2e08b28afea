// Objects on nine places of a floor: composed pictures of three settings, from the same noise.

import { element, inRoomOf } from "../shared/controls.mjs";
import * as draw from "../shared/draw.mjs";
import { Figure } from "../shared/figure.mjs";
import { canvas, common } from "../shared/layout.mjs";
import { Player } from "../shared/player.mjs";
import { choice, clamp, seedOf, whole } from "../shared/state.mjs";
import { HINTS, LatticePanel, PLACES, TITLES, opacityText } from "./panel.mjs";
import { LatticeScene, solid } from "./scene.mjs";

const SHARED = ["chosen", "clutter", "level", "seed", "view"];
const KEYS = [...SHARED, "bank", "rate", "most", "levels", "source"];
const BUDGET = 12; // ms of work in a frame
const LEAST_RATE = 1e-3;
const SECONDS = 4; // from the first level to the last

export class Lattice extends Figure {
  constructor(model, el) {
    super(model, KEYS, SHARED);
    this.player = new Player(this, "level", SECONDS, 1); // leaves no level out
    this.start(el, new LatticeScene());
  }

  build() {
    Object.assign(this, common(this.model.get("summary")));
    this.root.classList.add("pc-lattice");
    this.panes = Object.entries(TITLES).map(([setting, title]) => this.pane(setting, title));
    const hint = (text = "") => element("p", { class: "pc-hint" }, text);
    this.hint = hint();
    const hints = inRoomOf(this.hint, Object.values(HINTS).map(hint));
    this.panel = new LatticePanel(this);
    const stage = element("div", { class: "pc-pictures" }, ...this.panes.flatMap((pane) => pane.nodes));
    const below = element("div", { class: "pc-below" }, this.panel.node, this.panel.transport);
    this.root.append(stage, hints, below, this.notices, this.summary);
  }

  /** A setting's title, picture and opacities; a click on the picture is one on the place. */
  pane(setting, title) {
    const picture = canvas("pc-picture", `${setting}, ${title}; summed up in words below`);
    const at = (event) => {
      const { left, top, width, height } = picture.getBoundingClientRect();
      return this.scene.placeAt((event.clientX - left) / width, (event.clientY - top) / height);
    };
    const { signal } = this.abort;
    picture.addEventListener("click", (event) => this.toggle(at(event)), { signal });
    picture.addEventListener("pointermove", (event) => this.panel.point(at(event)), { signal });
    picture.addEventListener("pointerleave", () => this.panel.point(null), { signal });
    const cells = PLACES.map(() => element("span"));
    const grid = element("div", { class: "pc-opacities" });
    for (const row of [2, 1, 0]) grid.append(...cells.slice(3 * row, 3 * row + 3));
    const verdict = element("div", { class: "pc-verdict" });
    const name = element("div", { class: "pc-title" }, element("b", {}, setting), ` ${title}`);
    const told = element("div", { class: "pc-told", "aria-hidden": "true" }, grid, verdict);
    return { setting, canvas: picture, cells, verdict, nodes: [name, picture, told] };
  }

  checked(state) {
    const { levels, bank } = state;
    if (!(levels?.length > 1 && levels.every((s, i) => s > 0 && !(s >= levels[i - 1])))) {
      throw new Error("wanted decreasing noise levels");
    }
    if (bank?.places?.length !== PLACES.length) throw new Error(`wanted pictures of ${PLACES.length} places`);
    const chosen = [...new Set(state.chosen)].sort((a, b) => a - b);
    if (!chosen.every((place) => Number.isInteger(place) && PLACES[place])) throw new Error("no such place");
    return {
      ...state,
      chosen,
      clutter: choice(state.clutter, ["independent", "capped"]),
      rate: clamp(state.rate, LEAST_RATE, 1),
      most: whole(state.most, 1, PLACES.length),
      level: whole(state.level, 0, levels.length - 1),
      seed: seedOf(state.seed),
      view: choice(state.view, ["picture", "belief"]),
    };
  }

  toggle(place) {
    const { chosen } = this.state;
    this.change({ chosen: chosen.includes(place) ? chosen.filter((one) => one !== place) : [...chosen, place] });
  }

  // -- playing ------------------------------------------------------------------------------

  play() {
    if (this.player.playing) return this.still();
    const { level } = this.state;
    return this.player.start(level === this.scene.last ? 0 : level);
  }

  at(position) {
    return Math.floor(position);
  }

  arrive() {
    this.change({ level: this.scene.last });
  }

  scrub(level) {
    this.still();
    this.change({ level });
  }

  // -- drawing ------------------------------------------------------------------------------

  paint(now) {
    const done = this.scene.advance(BUDGET);
    if (this.player.playing) this.player.tick(now);
    const shown = this.scene.shown();
    if (shown.every(Boolean)) shown.forEach((one, i) => this.paintPane(this.panes[i], one));
    this.panel.hint(this.hint, this.state);
    if (this.player.playing || !done) this.redraw();
    else this.describe();
  }

  paintPane({ canvas, cells, verdict }, { picture, opacities }) {
    const { side } = this.scene;
    draw.photograph(canvas, picture, side);
    const { chosen } = this.state;
    cells.forEach((cell, place) => {
      cell.textContent = opacities ? opacityText(opacities[place]) : "·";
      cell.dataset.asked = chosen.includes(place) ? "yes" : "no";
    });
    const found = summed(opacities, chosen);
    verdict.replaceChildren(...(found
      ? [`sum ${opacityText(found.sum)}`, element("b", {}, asked(found, chosen)), found.more]
      : ["too noisy", "to count"]).filter(Boolean).map((text) => element("div", {}, text)));
  }

  // -- telling ------------------------------------------------------------------------------

  told() {
    const { state, scene } = this;
    const { chosen, view, clutter } = state;
    const sigma = Number(scene.sigma.toPrecision(3));
    const readout = { sigma: scene.sigma };
    const where = chosen.map((place) => PLACES[place]).join(", ") || "none";
    let words = `Places asked for: ${where}. Noise level ${sigma}. Shown: ${
      view === "belief" ? "the model's belief" : "the picture"}. Clutter: ${clutter}.`;
    scene.shown().forEach((one, i) => {
      const { setting } = this.panes[i];
      const found = summed(one?.opacities, chosen);
      readout[setting] = found
        && { opacities: [...one.opacities], sum: found.sum, solid: found.solid, elsewhere: found.elsewhere };
      words += ` ${setting}, ${TITLES[setting]}: ${found ? spoken(found, one.opacities, chosen) : "too noisy to count."}`;
    });
    return { facts: {}, readout, words };
  }
}

/** The opacities' sum, and how many of the chosen places and of the others are solid. */
function summed(opacities, chosen) {
  if (!opacities) return null;
  const all = [...opacities];
  const elsewhere = all.filter((c, place) => solid(c) && !chosen.includes(place)).length;
  return {
    sum: all.reduce((a, b) => a + b, 0),
    solid: chosen.filter((place) => solid(all[place])).length,
    elsewhere,
    more: elsewhere ? `${elsewhere} ${chosen.length ? "elsewhere" : "solid"}` : "",
  };
}

function asked(found, chosen) {
  return chosen.length ? `${found.solid} of ${chosen.length} solid` : "none asked for";
}

function spoken(found, opacities, chosen) {
  const each = chosen.map((place) => opacityText(opacities[place])).join(", ");
  return `${asked(found, chosen)}${found.more && `, ${found.more}`}${each && `, opacities ${each}`}; all nine sum to ${opacityText(found.sum)}.`;
}
