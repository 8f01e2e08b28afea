// The Explorer's controls: which there are, what each changes, and how each follows the state.

import { effectiveSize } from "../maths/sampling.mjs";
import { button, checkbox, element, group, inRoomOf, list, number, select, slider } from "../shared/controls.mjs";
import { inspector } from "../shared/inspector.mjs";
import { Panel } from "../shared/panel.mjs";
import { OPERATORS, levelText } from "../shared/telling.mjs";
import { snippet } from "./python.mjs";

const METHODS = { heun: "ODE (Heun)", euler: "ODE (Euler, DDIM)", sde: "SDE" };
const LAYERS = {
  parts: "background and concepts",
  composition: "composition, as shading",
  interaction: "interaction field, as shading",
  score: "score arrows",
  samples: "samples",
  truth: "true noised composition",
  shadows: "shadows",
};
const READOUTS = {
  normalisable: { normalisable: "normalisable at 0", here: "normalisable here" },
  first: { first: "shadow 1 off by" },
  second: { second: "shadow 2 off by" },
  gap: { gap: "composed noise to noised composition" },
  along: { along: "∫ interaction dv, chosen particle" },
};
const LOWEST = 0.01;
const DECADES = 1e4;

/** A slider's position in 0..100 to a noise level on a logarithmic scale, 0 at its foot; and back. */
const logScale = {
  from: (p) => (p <= 0 ? 0 : LOWEST * DECADES ** (p / 100)),
  to: (s) => (s <= LOWEST ? 0 : (100 * Math.log(s / LOWEST)) / Math.log(DECADES)),
  show: (s) => (s === 0 ? "0" : levelText(s)),
};

export class ExplorerPanel extends Panel {
  /** host: the Explorer. */
  constructor(host, model) {
    super(host);
    this.model = model;
    const flat = model.get("view") === "line";
    const layers = flat ? ["parts", "composition", "samples"] : Object.keys(LAYERS);
    const build = {
      sigma: () => this.sigma(), play: () => this.play(), presets: () => this.presets(),
      operator: () => this.operator(), weights: () => this.weights(),
      layers: () => this.layers(Object.fromEntries(layers.map((layer) => [layer, LAYERS[layer]]))),
      sampler: () => this.sampler(), edit: () => inspector(this, flat ? ["x"] : ["x", "y"]),
      readout: () => this.readouts(), curve: () => this.chart(),
      share: () => this.sharing(this.node, this.copying(snippet)),
    };
    const wanted = model.get("controls");
    for (const [control, make] of Object.entries(build)) if (wanted.includes(control)) make();
    this.node.hidden = !this.node.childNodes.length;
    this.weighing(wanted.includes("reweight"));
  }

  sigma() {
    const control = slider("noise σ", {
      min: 0, max: 100, step: 0.5, ...logScale, onInput: (sigma) => this.host.scrub(sigma),
    });
    this.add(this.transport, control, (s) => control.set(s.sigma));
  }

  play() {
    const { host } = this;
    this.transport.append(element(
      "div", { class: "pc-buttons" }, this.playing(),
      button("Step", () => host.stepDown()),
      button("Restart", () => host.restart()),
      this.reseeding("New noise"),
    ));
  }

  /** Whether the samples are weighed, and how many they are then worth. */
  weighing(offered) {
    const row = element("div", { class: "pc-weighing" });
    const weighs = this.model.get("view") === "fates"; // one of the four always does
    const asked = offered || weighs || this.model.get("controls").includes("presets");
    this.followers.push(({ reweight }) => (row.hidden = !(asked || reweight)));
    if (offered) {
      const box = checkbox("weigh samples by interaction", (on) => this.host.reweigh(on));
      this.add(row, box, (s) => box.set(s.reweight));
    }
    this.fill = element("div");
    this.meter = element(
      "div", { class: "pc-meter", role: "meter", "aria-label": "effective samples", "aria-valuemin": 0 }, this.fill,
    );
    this.worth = element("span");
    this.worthy = element("div", { class: "pc-worth" }, this.worth, this.meter);
    row.append(this.worthy);
    this.transport.insertBefore(row, this.transport.querySelector(".pc-buttons"));
  }

  /** Show what shares of the whole weight are worth; none hides it and leaves its room. */
  weigh(shares) {
    this.worthy.classList.toggle("pc-idle", !shares);
    if (!shares) return;
    const worth = effectiveSize(shares);
    const text = `${worth < 9.95 ? worth.toFixed(1) : worth.toFixed(0)} of ${shares.length}`;
    this.worth.textContent = `effective samples: ${text}`;
    this.fill.style.width = `${(100 * worth) / shares.length}%`;
    this.meter.setAttribute("aria-valuemax", shares.length);
    this.meter.setAttribute("aria-valuenow", worth.toFixed(1));
    this.meter.setAttribute("aria-valuetext", text);
  }

  presets() {
    const presets = this.model.get("presets");
    const titles = Object.fromEntries(Object.entries(presets).map(([name, { title }]) => [name, title]));
    const control = select("preset", { "": "as it was", ...titles }, (name) => this.host.preset(name));
    const hint = element("p", { class: "pc-hint" });
    const others = Object.values(presets).map(({ notice }) => element("p", { class: "pc-hint" }, notice));
    this.node.append(control.node);
    this.transport.prepend(inRoomOf(hint, others)); // beside what it speaks of
    this.followers.push((s) => {
      control.set(s.preset);
      hint.textContent = presets[s.preset]?.notice ?? "";
    });
  }

  operator() {
    const control = select("operator", OPERATORS, (operator) => this.host.change({ operator }));
    this.add(this.node, control, (s) => control.set(s.operator));
  }

  weights() {
    const { host } = this;
    const box = element("div");
    let sliders = [];
    this.node.append(box);
    this.followers.push(({ weights }) => {
      if (sliders.length !== weights.length) {
        sliders = weights.map((_, i) =>
          slider(`weight ${i + 1}`, {
            min: -1, max: 8, step: 0.1, show: (w) => w.toFixed(1),
            onInput: (w) => host.change({ weights: host.state.weights.map((old, j) => (j === i ? w : old)) }),
          }),
        );
        box.replaceChildren(...sliders.map((s) => s.node));
      }
      weights.forEach((w, i) => sliders[i].set(w));
    });
  }

  sampler() {
    const { host } = this;
    const box = group("sampler", false);
    const method = select("method", METHODS, (value) => host.change({ method: value }));
    this.add(box, method, (s) => method.set(s.method));
    const limits = { steps: { min: 2, max: 500 }, particles: { min: 1, max: 5000 }, seed: { min: 0, max: 2 ** 31 } };
    for (const [key, limit] of Object.entries(limits)) {
      const control = number(key, limit, (value) => value !== null && host.change({ [key]: Math.round(value) }));
      this.add(box, control, (s) => control.set(s[key]));
    }
    this.node.append(box);
  }

  readouts() {
    const named = this.model.get("readouts").map((key) => READOUTS[key]);
    this.readout = list(Object.assign({}, ...named));
    this.node.append(this.readout.node);
  }

  report(facts) {
    if (!this.readout) return;
    const text = (x) => (!Number.isFinite(x) ? "–" : Math.abs(x) < 5e-4 ? "0.000" : x.toFixed(3));
    for (const [key, value] of Object.entries(facts)) {
      this.readout.set(key, typeof value === "string" ? value : text(value));
    }
  }

  chart() {
    this.curve = element("canvas", { class: "pc-curve", role: "img" });
    this.curve.setAttribute("aria-label", "Distance of composed noise to noised composition over the noise level");
    this.transport.append(this.curve);
  }
}
