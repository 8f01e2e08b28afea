// Objects on nine places of a floor: composed pictures of three settings, from the same noise.

import { Figure } from "../shared/figure.mjs";
import { LatticePanel, PLACES, TITLES, opacityText } from "./panel.mjs";
import { LatticeScene, solid } from "./scene.mjs";
import { element } from "../shared/controls.mjs";
import { choice, clamp } from "../shared/state.mjs";

const SHARED = ["chosen", "clutter", "level", "seed", "view"];
const KEYS = [...SHARED, "bank", "rate", "most", "levels"];
const BUDGET = 12; // ms of work in a frame
const LEAST_RATE = 1e-3;
const SECONDS = 4; // from the first level to the last

export class Lattice extends Figure {
  constructor(model, el) {
    super(model, KEYS, SHARED);
    this.playing = false;
    this.start(el, new LatticeScene());
  }

  build(el) {
    this.root = element("div", { class: "pc-explorer pc-lattice", role: "group", "aria-label": this.model.get("summary") });
    this.notices = element("div", { class: "pc-notice", role: "status", hidden: true });
    this.summary = element("div", { class: "pc-summary", "aria-live": "polite" });
    this.panes = Object.entries(TITLES).map(([setting, title]) => this.pane(setting, title));
    this.hint = element("p", { class: "pc-hint pc-legend" });
    this.panel = new LatticePanel(this);
    const stage = element("div", { class: "pc-pictures" }, ...this.panes.flatMap((pane) => pane.nodes));
    const below = element("div", { class: "pc-below" }, this.panel.node, this.panel.transport);
    this.root.append(this.notices, stage, this.hint, below, this.summary);
    el.replaceChildren(this.root);
  }

  /** A setting's title, picture and opacities; a click on the picture is one on the place. */
  pane(setting, title) {
    const canvas = element("canvas", {
      class: "pc-picture", role: "img", "aria-label": `${setting}, ${title}; summed up in words below`,
    });
    const at = (event) => {
      const { left, top, width, height } = canvas.getBoundingClientRect();
      return this.scene.placeAt((event.clientX - left) / width, (event.clientY - top) / height);
    };
    const { signal } = this.abort;
    canvas.addEventListener("click", (event) => this.toggle(at(event)), { signal });
    canvas.addEventListener("pointermove", (event) => this.panel.point(at(event)), { signal });
    canvas.addEventListener("pointerleave", () => this.panel.point(null), { signal });
    const cells = PLACES.map(() => element("span"));
    const grid = element("div", { class: "pc-opacities" });
    for (const row of [2, 1, 0]) grid.append(...cells.slice(3 * row, 3 * row + 3));
    const verdict = element("div", { class: "pc-verdict" });
    const name = element("div", { class: "pc-title" }, element("b", {}, setting), ` ${title}`);
    const told = element("div", { class: "pc-told", "aria-hidden": "true" }, grid, verdict);
    return { setting, canvas, cells, verdict, nodes: [name, canvas, told] };
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
      most: Math.round(clamp(state.most, 1, PLACES.length)),
      level: Math.round(clamp(state.level, 0, levels.length - 1)),
      seed: Math.round(clamp(state.seed, 0, 2 ** 31)),
      view: choice(state.view, ["picture", "belief"]),
    };
  }

  toggle(place) {
    const { chosen } = this.state;
    this.change({ chosen: chosen.includes(place) ? chosen.filter((one) => one !== place) : [...chosen, place] });
  }

  // -- playing ------------------------------------------------------------------------------

  play() {
    if (this.playing) return this.still();
    const last = this.state.levels.length - 1;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.change({ level: last });
    this.position = this.state.level === last ? 0 : this.state.level;
    this.clock = null;
    this.playing = true;
    this.panel.playing(true);
    return this.redraw();
  }

  still() {
    if (!this.playing) return;
    this.playing = false;
    this.panel.playing(false);
    this.push({ level: this.state.level });
    this.redraw();
  }

  /** One frame at time `now` (ms): leaves no level out, and waits where they are not yet computed. */
  tick(now) {
    const last = this.state.levels.length - 1;
    if (this.clock !== null) this.position += Math.min(1, ((now - this.clock) / 1000) * (last / SECONDS));
    this.clock = now;
    this.position = Math.min(this.position, Math.max(this.scene.known - 1, 0));
    const level = Math.floor(this.position);
    if (level !== this.state.level) {
      this.state = { ...this.state, level };
      this.scene.update(this.state);
      this.panel.follow(this.state);
    }
    if (level === last) this.still();
  }

  scrub(level) {
    this.still();
    this.change({ level });
  }

  // -- drawing ------------------------------------------------------------------------------

  paint(now) {
    const whole = this.scene.advance(BUDGET);
    if (this.playing) this.tick(now);
    const shown = this.scene.shown();
    if (shown.every(Boolean)) shown.forEach((one, i) => this.paintPane(this.panes[i], one));
    this.panel.hint(this.hint, this.state);
    if (this.playing || !whole) this.redraw();
    else this.describe();
  }

  paintPane({ canvas, cells, verdict }, { picture, opacities }) {
    const { side } = this.scene;
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    const image = context.createImageData(side, side);
    const size = side * side;
    for (let i = 0; i < size; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = 255 * picture[c * size + i]; // clamps and rounds
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
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
