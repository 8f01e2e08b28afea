// The prompt's controls: what is asked for, the noise, and how it is shown.

import { button, choices, element, select, slider } from "../shared/controls.mjs";
import * as draw from "../shared/draw.mjs";
import { Panel } from "../shared/panel.mjs";
import { callPython } from "../shared/python.mjs";
import { levelText } from "../shared/telling.mjs";

const VIEWS = { noisy: "the samples", denoised: "denoised means" };
const MOST_GUIDANCE = 8;
const TRIALS = 10;

export class PromptPanel extends Panel {
  /** host: the Prompt. */
  constructor(host) {
    super(host);
    this.node.classList.add("pc-asked");
    this.scrub = element("div", { class: "pc-transport pc-scrub" });
    this.asked();
    this.noise();
    this.guidance();
    const copying = host.model.get("source") ? [this.copying(snippet)] : [];
    this.sharing(this.transport, ...copying);
  }

  /** A list of contents, and the styles as buttons with the content's picture in each. */
  asked() {
    const { host } = this;
    const { contents, styles } = host.model.get("bank");
    const names = Object.fromEntries([...contents].sort().map((name) => [name, name]));
    const content = select("content", names, (value) => host.change({ content: value }));
    this.followers.push((s) => content.set(s.content));
    this.thumbs = styles.map(() => element("canvas", { class: "pc-thumb", "aria-hidden": "true" }));
    this.buttons = styles.map((name, i) => {
      const node = button("", () => host.change({ style: name }), { pressed: "false" });
      node.append(this.thumbs[i], element("span", {}, name));
      return node;
    });
    this.followers.push(({ style }) => styles.forEach((name, i) =>
      this.buttons[i].setAttribute("aria-pressed", String(name === style))));
    this.node.append(
      element("div", { class: "pc-first" }, content.node, this.reseeding("Another noise"), this.trying()),
      element("div", { class: "pc-styles", role: "group", "aria-label": "style" }, ...this.buttons),
    );
  }

  /** The button that starts and stops a row of noises. */
  trying() {
    const { host } = this;
    this.tryButton = button("Ten noises", () => host.try(host.trials ? 0 : TRIALS), { pressed: "false" });
    return this.tryButton;
  }

  tries(on) {
    this.tryButton.setAttribute("aria-pressed", String(on));
  }

  /** The content's picture in every style. */
  paint({ table, wanted }) {
    this.thumbs.forEach((thumb, style) =>
      draw.photograph(thumb, table.picture(table.place({ ...wanted, style })), table.side, -1));
  }

  noise() {
    const { host } = this;
    const last = host.model.get("levels").length - 1;
    const control = slider("noise σ", {
      min: 0, max: last, step: 1, from: (p) => last - p, to: (level) => last - level,
      show: (level) => levelText(host.model.get("levels")[level]).replace(/^0/, ""), onInput: (level) => host.scrub(level),
    });
    this.add(this.scrub, control, (s) => control.set(s.level));
    const view = choices("what is shown", VIEWS, (value) => host.change({ view: value }));
    this.followers.push((s) => view.set(s.view));
    this.scrub.append(this.playing(), view.node);
  }

  guidance() {
    const { host } = this;
    const control = slider("guidance weight", {
      min: 1, max: MOST_GUIDANCE, step: 0.5, show: (value) => value.toFixed(1),
      onInput: (guidance) => host.change({ guidance }),
    });
    this.add(this.scrub, control, (s) => control.set(s.guidance));
  }

  report() {}
}

/** Python that rebuilds the figure, and prints where its samples end. */
function snippet(state) {
  const { source, content, style, guidance, particles, levels, level, seed, view, name, summary } = state;
  const named = { content, style, guidance, particles, levels, level, seed, view, source, name, alt: summary };
  const lines = [
    "import projcomp as pc", "",
    source.trimEnd(),
    ...callPython("figure", "pc.Prompt", ["table"], named),
    "",
    'for way in ("ode", "sde", "guided", "weighted"):',
    "    print(way, figure.sample(way).outcome)",
    "figure",
  ];
  return `${lines.join("\n")}\n`;
}
