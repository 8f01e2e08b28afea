// The Explorer: ties state, scene, view and controls together.
// anywidget calls render({ model, el }) in a notebook; the book's pages call it with a model shim.

import { Composition } from "./composition.mjs";
import { element } from "./controls.mjs";
import * as draw from "./draw.mjs";
import { edited, editable, withCopy, without } from "./editing.mjs";
import { Field, totalVariation } from "./field.mjs";
import { Handles } from "./handles.mjs";
import { copy, layout, notify, place, wayBack } from "./layout.mjs";
import { LineView } from "./lineview.mjs";
import { Mixture } from "./mixture.mjs";
import { Panel } from "./panel.mjs";
import { PlaneView } from "./planeview.mjs";
import { Player } from "./player.mjs";
import { normals, sigmaGrid, step } from "./sampling.mjs";
import { Scene } from "./scene.mjs";
import { checkedState, decode, encode } from "./state.mjs";
import { factsOf, inWords, legendRows, readoutOf } from "./telling.mjs";

const KEYS = [
  "background", "concepts", "unconditional", "weights", "operator", "sigma", "sigma_min", "sigma_max",
  "steps", "method", "particles", "seed", "show", "box", "controls", "preset", "directions", "view",
];

/** The mathematics, for the tests that hold it against the library. */
const math = { Composition, Field, Mixture, normals, sigmaGrid, step, totalVariation };

export default { render, math };

export function render({ model, el }) {
  const figure = new Explorer(model, el);
  return () => figure.destroy();
}

class Explorer {
  constructor(model, el) {
    this.model = model;
    this.scene = new Scene();
    this.selected = null;
    this.chosen = 0;
    this.abort = new AbortController();
    this.player = new Player(this);
    this.build(el);
    this.home = checkedState(this.read());
    const fromLink = this.linked();
    this.accept(fromLink ?? this.home);
    if (fromLink) this.push(fromLink);
    this.heard = () => {
      if (!this.pushing) this.guard(() => this.accept(checkedState(this.read())));
    };
    for (const key of KEYS) model.on(`change:${key}`, this.heard);
    this.sizes = new ResizeObserver(() => this.redraw());
    this.sizes.observe(this.plane);
    this.themes = new MutationObserver(() => this.recolour());
    for (const node of [document.documentElement, document.body]) {
      this.themes.observe(node, { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light"] });
    }
    this.recolour();
    this.guard(() => this.paint(performance.now())); // now, not a frame later
  }

  destroy() {
    this.dead = true;
    clearTimeout(this.speaker);
    this.abort.abort();
    this.handles.destroy();
    this.sizes.disconnect();
    this.themes.disconnect();
    for (const key of KEYS) this.model.off(`change:${key}`, this.heard);
  }

  build(el) {
    Object.assign(this, layout(this.model.get("summary")));
    this.view = this.model.get("view") === "line" ? new LineView(this.stage) : new PlaneView();
    this.handles = new Handles(this.svg, {
      onEdit: (p, k, change) => this.edit(p, k, change),
      onSelect: (p, k) => this.select(p, k),
      onEnd: () => this.describe(),
      present: () => this.parts(),
    });
    this.svg.addEventListener("click", (e) => this.pickParticle(e), { signal: this.abort.signal });
    this.panel = new Panel(this, this.model);
    place(this, this.panel);
    el.replaceChildren(this.root);
  }

  // -- state --------------------------------------------------------------------------------

  read() {
    return Object.fromEntries(KEYS.map((key) => [key, this.model.get(key)]));
  }

  /** Take a whole, checked state and show it. */
  accept(state) {
    this.state = state;
    this.scene.update(state);
    this.panel.follow(state);
    this.redraw();
  }

  /** Change part of the state from within the figure. */
  change(part) {
    this.guard(() => {
      const state = checkedState({ ...this.state, ...part });
      this.accept(state);
      this.push(Object.fromEntries(Object.keys(part).map((key) => [key, state[key]])));
    });
  }

  /** Hand values to the model; a notebook's kernel hears of them at most ten times a second. */
  push(values) {
    this.pushing = true;
    for (const [key, value] of Object.entries(values)) this.model.set(key, value);
    this.pushing = false;
    this.saver ??= setTimeout(() => {
      this.saver = null;
      if (!this.dead) this.model.save_changes();
    }, 100);
  }

  guard(action) {
    try {
      action();
      return true;
    } catch (error) {
      this.notice(`That can't be shown: ${error.message}.`, true);
      return false;
    }
  }

  notice(text, back = false) {
    notify(this.notices, text, ...(back ? [" ", wayBack(() => this.reset())] : []));
  }

  reset() {
    this.notice("");
    this.player.stop();
    this.selected = null;
    this.accept(this.home);
    this.push(this.home);
  }

  preset(name) {
    this.player.stop();
    this.selected = null;
    this.notice("");
    const { title, notice, ...state } = this.model.get("presets")[name] ?? this.home;
    this.change({ ...this.home, ...state, preset: name });
  }

  // -- editing ------------------------------------------------------------------------------

  parts() {
    return editable(this.state);
  }

  select(p, k) {
    if (this.selected?.[0] === p && this.selected?.[1] === k) return;
    this.selected = [p, k];
    this.panel.follow(this.state);
    this.redraw();
  }

  edit(p, k, change) {
    this.guard(() => {
      const part = this.parts()[p];
      const spec = change === "delete" ? without(part, k) : edited(part, k, change);
      if (change === "delete") this.selected = null;
      this.replace(part, spec);
    });
  }

  addComponent() {
    const [p, k] = this.selected ?? [0, 0];
    const part = this.parts()[p];
    if (this.guard(() => this.replace(part, withCopy(part, k)))) this.select(p, part.spec.weights.length);
  }

  replace(part, spec) {
    this.notice("");
    const swapped = this.state.concepts.map((c, i) => (i === part.index ? spec : c));
    this.change(part.key === "concepts" ? { concepts: swapped } : { [part.key]: spec });
  }

  // -- playing ------------------------------------------------------------------------------

  /** The player's way to set the level: no checks, and the model hears of it at the end. */
  show(sigma) {
    this.state = { ...this.state, sigma };
    this.scene.update(this.state);
    this.panel.follow(this.state);
    if (!this.player.playing) this.push({ sigma });
    this.redraw();
  }

  changed(playing) {
    this.panel.playing(playing);
    if (!playing) this.push({ sigma: this.state.sigma });
    this.redraw();
  }

  wantSamples() {
    if (!this.state.show.includes("samples")) this.change({ show: [...this.state.show, "samples"] });
  }

  scrub(sigma) {
    this.player.stop();
    this.change({ sigma });
  }

  toggle() {
    if (this.player.playing) return this.player.stop();
    this.wantSamples();
    return this.player.start();
  }

  stepDown() {
    this.player.stop();
    this.wantSamples();
    this.change({ sigma: this.player.next() });
  }

  restart() {
    this.player.stop();
    this.wantSamples();
    this.change({ sigma: this.state.sigma_max });
    this.player.start();
  }

  pickParticle(event) {
    if (event.target !== this.svg || !this.scene.path || this.view instanceof LineView) return;
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

  recolour() {
    this.colours = draw.palette(this.root);
    this.redraw();
  }

  redraw() {
    if (this.queued || this.dead) return;
    this.queued = true;
    requestAnimationFrame((now) => {
      this.queued = false;
      if (!this.dead && this.state && !this.guard(() => this.paint(now))) this.player.stop();
    });
  }

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
    this.handles.draw(state.controls.includes("edit") ? this.parts() : [], frame, this.selected, position);
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

  paintLegend() {
    const rows = legendRows(this.state, this.scene);
    const key = JSON.stringify(rows);
    if (this.legendKey === key) return;
    this.legendKey = key;
    this.legend.replaceChildren(...rows.map(([role, style, text]) =>
      element("span", { class: "pc-key", style: `--pc-key:var(--pc-${role})`, "data-line": style }, text),
    ));
  }

  // -- telling ------------------------------------------------------------------------------

  /** When all is drawn: tell the notebook what was found. */
  settle(path) {
    if (path && this.sent !== path) {
      this.sent = path;
      const last = path.states[path.states.length - 1];
      const kept = this.state.view === "line" ? last.filter((_, i) => i % 2 === 0) : last.slice();
      this.push({ _samples: new DataView(kept.buffer) });
    }
    this.describe();
  }

  /** The numbers, in the panel and in words; a little later, so that a drag does not wait. */
  describe() {
    clearTimeout(this.speaker);
    this.speaker = setTimeout(() => {
      const facts = factsOf(this.state, this.scene, this.chosen % this.state.particles);
      this.panel.report(facts);
      this.push({ readout: readoutOf(facts) });
      this.summary.textContent = inWords(facts, this.state.sigma);
    }, 120);
  }

  // -- sharing ------------------------------------------------------------------------------

  linked() {
    const match = location.hash.match(/^#pc-([\w-]+)=([\w-]+)$/);
    if (!match || match[1] !== this.model.get("name")) return null;
    try {
      return decode(match[2], this.read());
    } catch {
      this.notice("The link's state could not be read, so the figure starts as usual.");
      return null;
    }
  }

  copy(text, what) {
    return copy(this.notices, text, what);
  }

  copyLink() {
    const hash = `#pc-${this.model.get("name")}=${encode(this.state)}`;
    // JupyterLab's address is its own.
    if (!document.body.dataset.jpThemeLight) history.replaceState(null, "", hash);
    return this.copy(`${location.href.split("#")[0]}${hash}`, "Link");
  }
}
