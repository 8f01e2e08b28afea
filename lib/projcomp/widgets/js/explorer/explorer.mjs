// The Explorer: ties state, scene, view and controls together.

import { element } from "../shared/controls.mjs";
import * as draw from "../shared/draw.mjs";
import { Figure } from "../shared/figure.mjs";
import { canvas, common, pane, place } from "../shared/layout.mjs";
import { Player } from "../shared/player.mjs";
import { FatesView } from "./fatesview.mjs";
import { fateOf } from "./headline.mjs";
import { LineView } from "./lineview.mjs";
import { ExplorerPanel } from "./panel.mjs";
import { PlaneView } from "./planeview.mjs";
import { Scene } from "./scene.mjs";
import { followed } from "../shared/state.mjs";
import { SHARED, checkedState } from "./state.mjs";
import { factsOf, inWords, largestLegends, legendRows, readoutOf } from "./telling.mjs";

const KEYS = [
  "background", "concepts", "unconditional", "weights", "operator", "sigma", "sigma_min", "sigma_max",
  "steps", "method", "particles", "seed", "show", "box", "controls", "preset", "directions", "view",
  "reweight", "readouts",
];
const SECONDS = 5; // from the first level to the last

export class Explorer extends Figure {
  constructor(model, el) {
    super(model, KEYS, SHARED);
    this.chosen = 0;
    this.player = new Player(this, "sigma", SECONDS);
    this.start(el, new Scene());
    if (this.fate) this.select(0, 0);
  }

  build() {
    Object.assign(this, common(this.model.get("summary")), stage());
    const single = [this.model.get("background"), ...this.model.get("concepts")].every((p) => !(p?.weights.length > 1));
    const Kind = { line: LineView, plane: PlaneView, fates: FatesView }[this.model.get("view")];
    this.view = new Kind(this, single);
    this.stage = this.view.stage ?? this.stage;
    this.handles = this.handlesOn(this.svg);
    this.svg.addEventListener("click", (e) => this.pickParticle(e), { signal: this.abort.signal });
    this.panel = new ExplorerPanel(this, this.model);
    const controls = this.model.get("controls");
    this.handled = controls.includes("edit") || controls.includes("drag");
    if (controls.includes("fate")) this.headline();
    place(this, this.panel);
  }

  /** A word over the picture. The background is chosen, so that its tips are in reach. */
  headline() {
    this.fate = element("p", { class: "pc-headline" });
    const [left, bottom, right, top] = this.model.get("box");
    this.stage.style.setProperty("--pc-shape", (right - left) / (top - bottom));
    this.stage = element("div", { class: "pc-hero" }, this.fate, this.stage);
  }

  checked(state) {
    return checkedState(state);
  }

  preset(name) {
    this.still();
    this.selected = null;
    this.notice("");
    this.change(this.presetState(name));
  }

  presetState(name) {
    const { title, notice, ...state } = this.model.get("presets")[name] ?? this.home;
    return { ...this.home, ...state, preset: name };
  }

  /** A link may name a preset: that is put on first, and the rest of the link changes it. */
  followed(link) {
    const told = new URLSearchParams(link.whole ? "" : link.text);
    const name = told.get("preset");
    if (name === null) return super.followed(link);
    if (!Object.hasOwn(this.model.get("presets"), name)) throw new Error(`there is no preset ${name}`);
    told.delete("preset");
    return followed({ ...link, text: `${told}` }, this.presetState(name), this.shared);
  }

  // -- playing ------------------------------------------------------------------------------

  /** The noise level at a place of the path. */
  at(position) {
    const { levels } = this.scene.sampled();
    const i = Math.min(Math.floor(position), this.scene.last - 1);
    return levels[i] + (position - i) * (levels[i + 1] - levels[i]);
  }

  arrive() {
    this.scene.sampled().finish();
    this.change({ sigma: 0 });
  }

  reweigh(reweight) {
    this.change({ reweight });
    if (reweight) this.wantSamples();
  }

  wantSamples() {
    if (!this.state.show.includes("samples")) this.change({ show: [...this.state.show, "samples"] });
  }

  scrub(sigma) {
    this.still();
    this.change({ sigma });
  }

  play() {
    if (this.player.playing) return this.still();
    this.wantSamples();
    return this.player.start(this.scene.position);
  }

  stepDown() {
    this.still();
    this.wantSamples();
    this.change({ sigma: this.scene.next });
  }

  restart() {
    this.still();
    this.wantSamples();
    this.change({ sigma: this.state.sigma_max });
    this.player.start(0);
  }

  pickParticle(event) {
    if (event.target !== this.svg || !this.scene.path || !this.view.picks) return;
    const bounds = this.svg.getBoundingClientRect();
    const [x, y] = this.frame.back(event.clientX - bounds.left, event.clientY - bounds.top);
    const points = this.scene.path.atSigma(this.state.sigma);
    let best = Infinity;
    for (let i = 0; i < points.length; i += 2) {
      const d = (points[i] - x) ** 2 + (points[i + 1] - y) ** 2;
      if (d < best) [best, this.chosen] = [d, i / 2];
    }
    this.redraw();
  }

  // -- drawing ------------------------------------------------------------------------------

  paint(now) {
    if (!this.colours || !this.plane.clientWidth) return;
    if (this.player.playing) this.player.tick(now);
    const { scene, state, colours, margins } = this;
    const path = state.show.includes("samples") ? scene.sampled() : null;
    const whole = !path || path.advance(12);
    this.stage.classList.toggle("pc-with-shadows", state.show.includes("shadows"));
    const { context, width, height } = draw.prepare(this.plane);
    const frame = (this.frame = this.view.frame(scene, width, height));
    const chosen = this.chosen % state.particles;
    this.view.paint({ context, frame, scene, state, colours, path, chosen, margins });
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const position = (part, k, role) => this.view.position(part, k, role, scene);
    this.handles.draw(this.handled ? this.parts() : [], frame, this.selected, position);
    this.panel.weigh(path && scene.exists ? path.sharesAt(state.sigma) : null);
    if (this.fate) this.fate.textContent = fateOf(state, scene);
    this.paintLegend();
    const curveDone = this.paintCurve();
    if (this.player.playing || !whole || !curveDone) this.redraw();
    else this.settle(path);
  }

  paintCurve() {
    const { scene, state, colours } = this;
    if (!this.panel.curve) return true;
    const done = this.player.playing || scene.advanceCurve(8);
    const label = scene.hasTruth ? "total variation over σ" : "nothing to compare with";
    const look = { now: state.sigma, colour: colours.composed, ink: colours.ink, faint: colours.faint };
    draw.chart(draw.prepare(this.panel.curve), { ...scene.curve(), top: 1, label, ...look });
    return done;
  }

  // -- telling ------------------------------------------------------------------------------

  /** When all is drawn: tell the notebook what was found. */
  settle(path) {
    const { view, reweight } = this.state;
    if (path && (this.sent !== path || this.sentWeights !== reweight)) {
      Object.assign(this, { sent: path, sentWeights: reweight });
      const last = path.states[path.states.length - 1];
      const kept = view === "line" ? last.filter((_, i) => i % 2 === 0) : last.slice();
      const logs = path.logWeightsAt(0) ?? new Float64Array(0);
      this.push({ _samples: new DataView(kept.buffer), _log_weights: new DataView(logs.buffer) });
    }
    this.describe();
  }

  legendRows() {
    return legendRows(this.state, this.scene);
  }

  largestLegends() {
    return largestLegends(this.state);
  }

  told() {
    const facts = factsOf(this.state, this.scene, this.chosen % this.state.particles);
    return { facts, readout: readoutOf(facts, this.state.sigma), words: inWords(facts, this.state) };
  }
}

/** The picture with room for handles, and its two margins. */
function stage() {
  const { plane, svg, view } = pane("The picture; its state is summed up in words below");
  const margins = [canvas("pc-top", "First shadow"), canvas("pc-side", "Second shadow")];
  return { plane, svg, margins, stage: element("div", { class: "pc-stage" }, margins[0], view, margins[1]) };
}
