// What every figure does: keeps a checked state, hears and tells the model, edits mixtures,
// redraws once a frame, and takes itself away without a trace.

import { element, inRoomOf } from "./controls.mjs";
import * as draw from "./draw.mjs";
import { editable, edited, withCopy, without } from "./editing.mjs";
import { Handles } from "./handles.mjs";
import { copy, notify, wayBack } from "./layout.mjs";
import { encode, followed, linkOf } from "./state.mjs";

const SPEAK_AFTER = 120; // ms: numbers and words come a little later, so that a drag does not wait
const SAVE_EVERY = 100; // ms: a notebook's kernel hears of changes at most ten times a second

/** In JupyterLab, whose address is its own. */
const inNotebook = () => "jpThemeLight" in document.body.dataset;

/**
 * A kind of figure extends this with `build()` (its elements, among them root, notices, summary and
 * panel; a legend, handles and a player where it has them), `checked(state)`, `paint(now)`,
 * `legendRows()`, `told()` (the facts for the panel, the notebook and the summary), and calls
 * `start` once it is constructed.
 */
export class Figure {
  /** keys: the model's traits that make up the state; shared: those that a link holds. */
  constructor(model, keys, shared) {
    Object.assign(this, { model, keys, shared });
    this.selected = null;
    this.abort = new AbortController();
  }

  /** Build, take the model's state (or a link's), and follow it from now on. */
  start(el, scene) {
    this.scene = scene;
    this.build();
    el.replaceChildren(this.root);
    this.home = this.checked(this.read());
    this.accept(this.home);
    this.follow(location.hash);
    const { signal } = this.abort;
    window.addEventListener("hashchange", () => this.follow(location.hash), { signal });
    // A link that is followed twice changes no address the second time; in a notebook none does.
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.("a[href^='#pc-']");
      if (link && (link.hash === location.hash || inNotebook())) this.follow(link.hash);
    }, { signal });
    this.heard = () => {
      if (!this.pushing) this.guard(() => this.accept(this.checked(this.read())));
    };
    for (const key of this.keys) this.model.on(`change:${key}`, this.heard);
    this.sizes = new ResizeObserver(() => this.redraw());
    for (const canvas of this.root.querySelectorAll(".pc-plane")) this.sizes.observe(canvas);
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
    this.handles?.destroy();
    this.sizes.disconnect();
    this.themes.disconnect();
    for (const key of this.keys) this.model.off(`change:${key}`, this.heard);
  }

  /** Handles on an SVG element that edit the state's mixtures. */
  handlesOn(svg) {
    return new Handles(svg, {
      onEdit: (p, k, change) => this.edit(p, k, change),
      onSelect: (p, k) => this.select(p, k),
      onEnd: () => this.describe(),
      present: () => this.parts(),
    });
  }

  // -- state --------------------------------------------------------------------------------

  read() {
    return Object.fromEntries(this.keys.map((key) => [key, this.model.get(key)]));
  }

  /** Take a whole, checked state and show it. */
  accept(state) {
    this.selected = this.selectedIn(state);
    this.state = state;
    this.scene.update(state);
    this.panel.follow(state);
    this.redraw();
  }

  /** Where the selected component is in another state, whose parts may have other places; or null. */
  selectedIn(state) {
    if (!this.selected) return null;
    const [p, k] = this.selected;
    const { name } = editable(this.state)[p];
    const there = editable(state).findIndex((part) => part.name === name && k < part.spec.weights.length);
    return there < 0 ? null : [there, k];
  }

  /** Change part of the state from within the figure; false if that makes no sense. */
  change(part) {
    return this.guard(() => {
      const state = this.checked({ ...this.state, ...part });
      this.accept(state);
      this.push(Object.fromEntries(Object.keys(part).map((key) => [key, state[key]])));
    });
  }

  /** Hand values to the model. */
  push(values) {
    this.pushing = true;
    for (const [key, value] of Object.entries(values)) this.model.set(key, value);
    this.pushing = false;
    this.saver ??= setTimeout(() => {
      this.saver = null;
      if (!this.dead) this.model.save_changes();
    }, SAVE_EVERY);
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
    this.still();
    this.selected = null;
    this.accept(this.home);
    this.push(this.home);
  }

  /** Stop whatever moves. */
  still() {
    this.player?.stop();
  }

  /** The player's way to change the state: no checks, and the model hears of it at the end. */
  carry(part) {
    this.state = { ...this.state, ...part };
    this.scene.update(this.state);
    this.panel.follow(this.state);
    this.redraw();
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
      if (change === "delete" && this.selected) this.selected = [p, Math.max(0, k - 1)];
      this.replace(part, spec);
    });
  }

  addComponent() {
    const [p, k] = this.selected;
    const part = this.parts()[p];
    if (this.guard(() => this.replace(part, withCopy(part, k)))) this.select(p, part.spec.weights.length);
  }

  replace(part, spec) {
    this.notice("");
    const swapped = this.state.concepts.map((c, i) => (i === part.index ? spec : c));
    this.change(part.key === "concepts" ? { concepts: swapped } : { [part.key]: spec });
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
      if (!this.dead && this.state && !this.guard(() => this.paint(now))) this.still();
    });
  }

  /** The legend as it is now, in room for the largest that the figure's controls can make of it. */
  paintLegend() {
    const all = [this.legendRows(), ...this.largestLegends()];
    const key = JSON.stringify(all);
    if (this.legendKey === key) return;
    this.legendKey = key;
    const [now, ...others] = all.map((rows) => element("div", { class: "pc-keys" }, ...rows.map(legendEntry)));
    now.classList.add("pc-legend");
    const fresh = inRoomOf(now, others);
    this.legend.replaceWith(fresh);
    this.legend = fresh;
  }

  largestLegends() {
    return [];
  }

  // -- telling ------------------------------------------------------------------------------

  /** The numbers, in the panel, in the notebook and in words. */
  describe() {
    clearTimeout(this.speaker);
    this.speaker = setTimeout(() => {
      const { facts, readout, words } = this.told();
      this.panel.report(facts);
      this.push({ readout });
      this.summary.textContent = words;
    }, SPEAK_AFTER);
  }

  // -- sharing ------------------------------------------------------------------------------

  /** Take the state of a link to this figure. */
  follow(hash) {
    const link = linkOf(hash);
    if (link?.name !== this.model.get("name")) return;
    try {
      const state = this.checked(this.followed(link));
      this.notice("");
      this.still();
      this.selected = null;
      this.accept(state);
      this.push(state);
    } catch {
      this.notice("The link's state could not be read, so the figure stays as it is.");
    }
  }

  /** The state that a link makes of the present one. */
  followed(link) {
    return followed(link, this.state, this.shared);
  }

  copy(text, what) {
    return copy(this.notices, text, what);
  }

  copyLink() {
    const hash = `#pc-${this.model.get("name")}=${encode(this.state, this.shared)}`;
    if (!inNotebook()) history.replaceState(null, "", hash);
    return this.copy(`${location.href.split("#")[0]}${hash}`, "Link");
  }
}

function legendEntry([role, style, text]) {
  return element("span", { class: "pc-key", style: `--pc-key:var(--pc-${role})`, "data-line": style }, text);
}
