// The controls of the figure of words: the prompts, the network, the noise, and how it is shown.

import { button, choices, element, select, slider } from "../shared/controls.mjs";
import { Panel } from "../shared/panel.mjs";
import { callPython, python } from "../shared/python.mjs";
import { levelText } from "../shared/telling.mjs";
import { signedPrompt } from "../maths/vocabulary.mjs";

const ROWS = 4;
const JOINS = { and: "AND", not: "NOT" };
const METHODS = { ode: "ODE", sde: "SDE" };
const VIEWS = { noisy: "samples", denoised: "denoised means", interaction: "interaction" };
const LEGEND = [["concept-1", "adds to the log weight"], ["concept-2", "takes from it"]];

export class WordsPanel extends Panel {
  /** host: the TextPrompt. */
  constructor(host) {
    super(host);
    this.node.classList.add("pc-asked");
    this.prompts();
    this.network();
    this.noise();
    this.legend = element("div", { class: "pc-keys pc-tints" }, ...LEGEND.map(([role, text]) =>
      element("span", { class: "pc-key", style: `--pc-key:var(--pc-${role})`, "data-line": "fill" }, text)));
    this.sharing(this.transport, this.copying(snippet));
  }

  /** Rows for up to four prompts, of which empty ones are left out, and one for the background. */
  prompts() {
    const { host } = this;
    this.rows = Array.from({ length: ROWS }, (_, i) => {
      const join = select(`how prompt ${i + 1} is joined`, JOINS, () => this.ask(this.rows[i].text));
      const text = typed(`prompt ${i + 1}`, i ? "no prompt" : "", () => this.ask(text));
      const node = element("div", { class: "pc-ask" }, join.input, text);
      return { join: join.input, text, node };
    });
    this.over = typed("background prompt", "anything", () => this.ask(this.over));
    this.followers.push(({ prompts, background }) => {
      this.rows.forEach(({ join, text }, i) => {
        const [sign, said] = prompts[i] === undefined ? [1, ""] : signedPrompt(prompts[i]);
        if (said || text.value) join.value = sign < 0 ? "not" : "and";
        put(text, said);
      });
      put(this.over, background);
    });
    const over = element("label", { class: "pc-ask pc-over-what" }, element("span", {}, "over"), this.over);
    this.node.append(element("div", { class: "pc-asks" }, ...this.rows.map(({ node }) => node), over));
    this.guide = slider("guidance weight", {
      min: 0.5, max: 8, step: 0.5, show: (value) => value.toFixed(1), onInput: (guidance) => host.change({ guidance }),
    });
    const steps = slider("steps", { min: 4, max: 60, step: 1, onInput: (value) => this.steps(value) });
    const method = choices("sampler", METHODS, (value) => host.change({ method: value }));
    this.followers.push((s) => {
      this.guide.set(s.guidance);
      steps.set(s.steps);
      method.set(s.method);
    });
    this.node.append(element("div", { class: "pc-how" }, this.guide.node, steps.node, method.node));
  }

  steps(value) {
    const { host } = this;
    const last = host.state.level === host.state.steps;
    host.change({ steps: value, level: last ? value : Math.min(host.state.level, value) });
  }

  /** Take what is typed; where it can't be read, say so at its field, and leave the state. */
  ask(field) {
    const { host } = this;
    const read = ({ join, text }) => text.value.trim() && `${join.value === "not" ? "not " : ""}${text.value.trim()}`;
    const prompts = this.rows.map(read).filter(Boolean);
    const background = this.over.value.trim();
    try {
      for (const [input, text] of [...this.rows.map(({ text }) => [text, text.value]), [this.over, background]]) {
        input.removeAttribute("aria-invalid");
        this.check(input, text);
      }
    } catch (error) {
      field = error.field;
      field.setAttribute("aria-invalid", "true");
      return host.refuse(error, field.value, (text) => {
        field.value = text;
        field.focus();
        this.ask(field);
      });
    }
    host.notice("");
    return host.change({ prompts, background });
  }

  check(field, text) {
    try {
      this.host.vocabulary.split(text);
    } catch (error) {
      throw Object.assign(error, { field });
    }
  }

  /** The button that loads, draws and stops, and how far it is. */
  network() {
    const { host } = this;
    const { megabytes } = host.model.get("network");
    this.size = `Load the network (${megabytes} MB)`;
    this.main = button(this.size, () => this.press());
    this.main.className = "pc-main";
    this.bar = element("progress", { max: 1, value: 0, "aria-label": "how far the drawing is" });
    this.said = element("p", { class: "pc-hint pc-said", role: "status" });
    this.running = element("div", { class: "pc-running" }, this.main, this.reseeding("Another noise"), this.bar, this.said);
  }

  press() {
    const { host } = this;
    if (host.phase === "ready") return host.job ? host.stop() : host.drawNow();
    return host.load();
  }

  /** asleep, loading, ready or failed; busy: whether something is being drawn. */
  phase(phase, busy) {
    const text = { asleep: this.size, loading: "Loading …", failed: "Try again", ready: busy ? "Stop" : "Draw again" };
    this.main.textContent = text[phase];
    this.main.setAttribute("aria-disabled", String(phase === "loading"));
    if (phase === "failed") this.progress("", 0);
  }

  /** share: of the steps; null while that is not known. */
  progress(text, share) {
    if (share === null) this.bar.removeAttribute("value");
    else this.bar.value = share;
    const quarter = share === null || share === 0 || share === 1 ? text : Math.floor(share * 4);
    if (this.quarter !== quarter) this.said.textContent = text; // a screen reader hears of every quarter
    this.quarter = quarter;
  }

  noise() {
    const { host } = this;
    const level = slider("noise σ", {
      min: 0, max: 60, step: 1, from: (p) => host.state.steps - p, to: (at) => host.state.steps - at,
      show: (at) => levelText(host.scene.levels[at]).replace(/^0(?=\.)/, ""), onInput: (at) => host.change({ level: at }),
    });
    const view = choices("what is shown", VIEWS, (value) => host.change({ view: value }));
    this.followers.push((s) => {
      level.input.max = s.steps;
      level.set(s.level);
      view.set(s.view);
    });
    this.transport.append(level.node, view.node);
  }

  report() {}
}

function typed(label, placeholder, onChange) {
  return element("input", {
    type: "text", "aria-label": label, placeholder, autocomplete: "off", autocapitalize: "off", spellcheck: "false",
    onchange: onChange, onkeydown: (event) => event.stopPropagation(),
  });
}

/** Show a text, but leave alone what a reader is typing. */
function put(field, text) {
  const typing = document.activeElement === field && field.value !== field.shown;
  field.shown = text;
  if (!typing && field.value !== text) field.value = text;
  if (!typing) field.removeAttribute("aria-invalid");
}

/** Python that rebuilds the figure, and prints what its pictures weigh. */
function snippet(state) {
  const { source, prompts, background, guidance, method, steps, level, seed, view, name, summary } = state;
  const named = { background, guidance, method, steps, level, seed, view, name, alt: summary };
  if (source !== "words = pc.networks.load_words()") named.source = source;
  const lines = [
    "import projcomp as pc", "",
    source.trimEnd(),
    ...callPython("figure", "pc.TextPrompt", ["words", python(prompts)], named),
    "",
    "print(figure.composed())  # a Density",
    "print(figure.log_weights)",
    "figure",
  ];
  return `${lines.join("\n")}\n`;
}
