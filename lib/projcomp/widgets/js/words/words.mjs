// Pictures that a network draws for a composition of prompts. The network runs in the page, in
// workers of its own, once the reader asks for it.

import { element } from "../shared/controls.mjs";
import * as draw from "../shared/draw.mjs";
import { Figure } from "../shared/figure.mjs";
import { canvas, common, notify, unmoved } from "../shared/layout.mjs";
import { choice, clamp, seedOf, whole } from "../shared/state.mjs";
import { Vocabulary, signedPrompt } from "../maths/vocabulary.mjs";
import { Crew, filesOf } from "./crew.mjs";
import { WordsPanel } from "./panel.mjs";
import { PICTURES, WordsScene } from "./scene.mjs";
import { LOADING, captions, headline, progressText, spoken } from "./telling.mjs";

const SHARED = ["prompts", "background", "guidance", "method", "steps", "level", "seed", "view"];
const KEYS = [...SHARED, "network", "stored", "source"];
const DRAW_AFTER = 250; // ms after the last change
const MOST_PROMPTS = 4;

export class TextPrompt extends Figure {
  constructor(model, el) {
    super(model, KEYS, SHARED);
    this.phase = "asleep"; // then loading, ready, or failed
    this.vocabulary = new Vocabulary(model.get("network"));
    this.crew = new Crew((message) => this.hear(message));
    this.start(el, new WordsScene());
  }

  build() {
    Object.assign(this, common(this.model.get("summary")));
    this.root.classList.add("pc-words");
    this.shots = Array.from({ length: PICTURES }, (_, k) => {
      const picture = canvas("pc-picture", `picture ${k + 1}; summed up in words below`);
      const lines = ["", "", ""].map(() => element("div"));
      return {
        picture, lines,
        node: element("div", { class: "pc-shot" }, picture, element("div", { class: "pc-caption", "aria-hidden": "true" }, ...lines)),
      };
    });
    this.panel = new WordsPanel(this);
    this.root.append(
      this.panel.node,
      this.panel.running,
      element("div", { class: "pc-eight" }, ...this.shots.map(({ node }) => node)),
      this.panel.legend,
      this.panel.transport, this.notices, this.summary,
    );
  }

  checked(state) {
    const { prompts } = state;
    if (!(Array.isArray(prompts) && prompts.length >= 1 && prompts.length <= MOST_PROMPTS)) {
      throw new Error(`wanted 1 to ${MOST_PROMPTS} prompts`);
    }
    for (const prompt of prompts) {
      if (!this.vocabulary.split(signedPrompt(String(prompt))[1]).length) throw new Error("a prompt has no words");
    }
    this.vocabulary.split(String(state.background));
    const steps = whole(state.steps, 4, 60);
    return {
      ...state,
      guidance: clamp(state.guidance, 0.5, 8),
      method: choice(state.method, ["ode", "sde"]),
      steps,
      level: whole(state.level, 0, steps),
      seed: seedOf(state.seed),
      view: choice(state.view, ["denoised", "interaction", "noisy"]),
    };
  }

  accept(state) {
    super.accept(state);
    if (this.scene.drawn || this.wanted === this.scene.key) return;
    this.wanted = this.scene.key;
    clearTimeout(this.drawer);
    this.drawer = setTimeout(() => this.drawNow(), this.job ? DRAW_AFTER : 0);
  }

  destroy() {
    clearTimeout(this.drawer);
    this.crew.end();
    super.destroy();
  }

  // -- drawing by the network ---------------------------------------------------------------

  /** Fetch the network, and draw as soon as it is there. */
  async load() {
    if (this.phase !== "asleep" && this.phase !== "failed") return;
    this.notice("");
    this.enter("loading");
    try {
      await this.crew.load(filesOf(this.model), PICTURES, (what) => this.panel.progress(LOADING[what], null));
      if (this.dead) return this.crew.end();
      this.enter("ready");
      this.drawNow();
    } catch (error) {
      if (!this.dead) this.fail(error.message);
    }
  }

  fail(reason) {
    this.crew.end();
    this.job = null;
    this.enter("failed");
    this.notice(`The network can't run here (${reason}). The pictures that are shown were stored when the page was made.`);
  }

  enter(phase) {
    this.phase = phase;
    this.panel.phase(phase, Boolean(this.job));
    this.redraw();
  }

  drawNow() {
    if (this.phase !== "ready" || this.dead) return;
    const { scene } = this;
    this.job = this.crew.draw(scene.job(this.vocabulary));
    this.wanted = scene.key;
    scene.begin();
    this.enter("ready");
    this.panel.progress(progressText(scene, this.state.steps), 0);
  }

  stop() {
    clearTimeout(this.drawer);
    this.crew.stop();
    this.job = null;
    this.enter("ready");
    this.panel.progress("Stopped.", null);
  }

  /** What a worker says. */
  hear(message) {
    if (message.error) return this.fail(message.error);
    const { scene } = this;
    if (message.job !== this.job || !scene.mine) return null; // of a state that is left, or will be
    scene.take(message);
    const { steps } = this.state;
    this.panel.progress(progressText(scene, steps), scene.reached / steps);
    if (scene.reached === steps) {
      this.job = null;
      this.enter("ready");
    }
    return this.redraw();
  }

  reset() {
    super.reset();
    this.panel.follow(this.state);
  }

  // -- showing ------------------------------------------------------------------------------

  /** Say why a prompt can't be read, with buttons that put a known word in the place of another. */
  refuse(error, text, put) {
    const known = (error.near ?? []).map((near) =>
      element("button", { type: "button", onclick: () => put(text.replace(new RegExp(error.word, "i"), near)) }, near));
    notify(this.notices, `${error.message.replace(/^./, (letter) => letter.toUpperCase())} `, ...known);
  }

  paint() {
    if (!this.colours || (this.job && unmoved())) return;
    const { scene, state } = this;
    const { side } = state.network;
    this.shots.forEach(({ picture, lines }, k) => {
      const shown = scene.shown(k);
      picture.dataset.shown = shown ? "yes" : "no";
      if (!shown) blank(picture, side);
      else if (state.view === "interaction" && shown.gained) {
        draw.photograph(picture, scene.coloured(k, shown, this.colours), side);
      } else draw.photograph(picture, shown.picture, side);
      captions(shown).forEach((text, i) => {
        if (lines[i].textContent !== text) lines[i].textContent = text;
      });
    });
    this.panel.legend.dataset.shown = state.view === "interaction" ? "yes" : "no";
    this.describe();
  }

  told() {
    const { scene, state } = this;
    const shown = Array.from({ length: PICTURES }, (_, k) => scene.shown(k));
    const weights = shown.map((one) => (one?.gained ? one.weight : null));
    const ends = scene.drawn ? scene.frames.at(-1) : [];
    const readout = { drawn: scene.drawn, sigma: scene.sigma, weights, right: ends.map(({ right }) => right) };
    return { facts: {}, readout, words: spoken(headline(state), scene, state, shown, Boolean(this.job)) };
  }
}

function blank(picture, side) {
  if (picture.shown === null && picture.width === side) return;
  picture.shown = null;
  picture.width = picture.height = side;
}
