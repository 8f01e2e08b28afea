// A content in a style, composed of exact densities over a table of pictures, and sampled in four ways
// from one noise.

import { element, inRoomOf } from "../shared/controls.mjs";
import * as draw from "../shared/draw.mjs";
import { Figure } from "../shared/figure.mjs";
import { canvas, common, unmoved } from "../shared/layout.mjs";
import { Player } from "../shared/player.mjs";
import { choice, clamp, seedOf, whole } from "../shared/state.mjs";
import { levelText } from "../shared/telling.mjs";
import { CURVES } from "./chart.mjs";
import { Mind } from "./mind.mjs";
import { PromptPanel } from "./panel.mjs";
import { PromptScene } from "./scene.mjs";
import { Tally } from "./tally.mjs";
import { TITLES, counted, mark, spoken } from "./telling.mjs";

const SHARED = ["content", "style", "guidance", "level", "seed", "view"];
const KEYS = [...SHARED, "bank", "particles", "levels", "source"];
const BUDGET = 10; // ms of work in a frame
const SECONDS = 5; // from the first level to the last
const MOST_PARTICLES = 16;

export class Prompt extends Figure {
  constructor(model, el) {
    super(model, KEYS, SHARED);
    this.player = new Player(this, "level", SECONDS, 1); // leaves no level out
    this.tally = new Tally();
    this.trials = 0; // noises that are yet to be tried by themselves
    this.start(el, new PromptScene());
  }

  build() {
    Object.assign(this, common(this.model.get("summary")));
    this.root.classList.add("pc-prompt");
    this.truth = this.shot("wanted");
    this.shots = Object.fromEntries(Object.entries(TITLES).map(([way, title]) => [way, this.shot(title)]));
    this.minds = Object.fromEntries(Object.entries(TITLES).map(([way, title]) => [way, new Mind(this, title)]));
    this.panel = new PromptPanel(this);
    const shots = [this.truth, ...Object.values(this.shots)];
    const minds = Object.values(this.minds);
    this.root.append(
      this.panel.node,
      element("div", { class: "pc-shots" }, ...shots.map(({ node }) => node)),
      this.panel.scrub,
      this.key(),
      element("div", { class: "pc-minds" }, ...minds.map(({ node }) => node)),
      this.panel.transport, this.notices, this.summary,
    );
  }

  /** A title, a picture, and below it where the sample ends. */
  shot(title) {
    const picture = canvas("pc-picture", `${title}; summed up in words below`);
    const lines = ["", "", "pc-tally", ""].map((name) => element("div", { class: name || null }));
    const halves = [0, 1].map(() => element("canvas", { class: "pc-thumb" }));
    const node = element("div", { class: "pc-shot" },
      element("div", { class: "pc-title" }, element("b", {}, title)), picture,
      element("div", { class: "pc-end", "aria-hidden": "true" },
        element("div", { class: "pc-mark" }, lines[0], ...halves), ...lines.slice(1)));
    return { node, picture, lines, halves };
  }

  /** What the numbers and the curves are. */
  key() {
    const { contents, styles } = this.model.get("bank");
    const entry = ([role, style, text]) =>
      element("span", { class: "pc-key", style: `--pc-key:var(--pc-${role})`, "data-line": style }, text);
    return element("div", { class: "pc-about" },
      element("p", { class: "pc-hint" },
        `Which pictures each sample believes in, among all ${contents.length * styles.length}, among the content's `
        + `${styles.length}, among the style's ${contents.length}. Numbers: the belief in the content and the style that `
        + "were asked for, and the entropy left. Where a sample is held between two pictures, the belief among all "
        + "flips from one to the other."),
      element("div", { class: "pc-keys" }, ...CURVES.map(entry)));
  }

  checked(state) {
    const { levels, bank } = state;
    if (!(levels?.length > 1 && levels.every((s, i) => s > 0 && !(s >= levels[i - 1])))) {
      throw new Error("wanted decreasing noise levels");
    }
    if (!bank?.contents?.includes(state.content)) throw new Error(`there is no content ${state.content}`);
    if (!bank.styles?.includes(state.style)) throw new Error(`there is no style ${state.style}`);
    return {
      ...state,
      guidance: clamp(state.guidance, 1, 8),
      particles: whole(state.particles, 2, MOST_PARTICLES),
      level: whole(state.level, 0, levels.length - 1),
      seed: seedOf(state.seed),
      view: choice(state.view, ["denoised", "noisy"]),
    };
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

  still() {
    super.still();
    this.try(0);
  }

  reset() {
    this.tally.clear(null);
    super.reset();
  }

  /** Go on to the next noise, and so many times more as soon as all ways have ended; 0: no more. */
  try(count) {
    this.trials = count;
    this.panel.tries(count > 0);
    if (count) this.change({ seed: this.state.seed + 1 });
  }

  scrub(level) {
    this.still();
    if (level !== this.state.level) this.change({ level });
  }

  // -- drawing ------------------------------------------------------------------------------

  paint(now) {
    if (!this.colours) return;
    const done = this.scene.advance(this.seen ? BUDGET : 0); // what is first seen is soon seen
    this.seen = true;
    if (this.player.playing) this.player.tick(now);
    const { scene, state } = this;
    const { table } = scene;
    this.panel.paint(scene);
    draw.photograph(this.truth.picture, table.picture(scene.cell), table.side, -1);
    if (done) this.count();
    write(this.truth.lines, [state.content, state.style, "", ""]);
    for (const half of this.truth.halves) half.hidden = true;
    for (const way of Object.keys(TITLES)) {
      const shown = scene.shown(way);
      if (!shown.outcome && unmoved()) continue;
      this.paintShot(this.shots[way], shown, way);
      this.minds[way].paint(shown, scene, this.colours);
    }
    if (done && this.trials) this.try(this.trials - 1);
    if (this.player.playing || !done) this.redraw();
    else if (!this.trials) this.describe();
  }

  /** Note where this noise has led. */
  count() {
    const ends = Object.keys(TITLES).map((way) => [way, this.scene.shown(way).outcome.right]);
    this.tally.note(this.scene.prompt, this.state.seed, Object.fromEntries(ends));
  }

  paintShot({ picture, lines, halves }, { outcome, now }, way) {
    const { table } = this.scene;
    if (now) draw.photograph(picture, this.state.view === "noisy" ? now.state : now.mean, table.side, -1);
    const { guidance, particles } = this.state;
    const more = { guided: `weight ${guidance}`, weighted: now && `${now.effective.toFixed(1)} of ${particles} effective` };
    const ends = outcome ? [mark(outcome), `▲ decided at ${levelText(outcome.decided)}`] : ["…", ""];
    write(lines, [...ends, counted(this.tally.of(this.scene.prompt, way)), more[way] ?? ""]);
    halves.forEach((half, i) => {
      half.hidden = !outcome || outcome.right;
      if (!half.hidden) draw.photograph(half, table.picture(outcome.pictures[i]), table.side, -1);
    });
  }

  // -- telling ------------------------------------------------------------------------------

  told() {
    const { state, scene } = this;
    const readout = { sigma: scene.sigma };
    const ends = Object.entries(TITLES).map(([way, title]) => {
      const shown = scene.shown(way);
      const tally = this.tally.of(scene.prompt, way);
      const { outcome, now } = shown;
      readout[way] = outcome && { ...outcome, ...now.beliefs, effective: now.effective, tally };
      return spoken(title, shown, scene.table, way === "weighted" ? state.particles : 0, tally);
    });
    const words = `Asked for: ${state.content}, ${state.style}. Noise level ${Number(scene.sigma.toPrecision(3))}. `
      + `Shown: the ${state.view === "noisy" ? "samples" : "denoised means"}. ${ends.join(" ")}`;
    return { facts: {}, readout, words };
  }
}

function write(lines, texts) {
  lines.forEach((line, i) => {
    if (line.textContent !== texts[i]) line.textContent = texts[i];
  });
}
