// The controls for building: which part is at hand, parts that come and go, what a pointer does.

import { button, choices, element, slider } from "../shared/controls.mjs";
import { MOST_CONCEPTS } from "./building.mjs";

const TOOLS = { move: "Move", add: "Add", paint: "Paint" };
const HINTS = {
  move: "Drag the marks in the picture, or choose one and use the arrow keys, + and −.",
  add: "Each click in the plane adds a component of the brush's size. By keyboard: Add component, below.",
  paint: "The first stroke replaces the chosen distribution, further ones add to it.",
};

export class Builder {
  /** host: the sandbox. */
  constructor(host) {
    this.host = host;
    this.parts = element("div", { class: "pc-choices pc-parts", role: "group", "aria-label": "distribution to change" });
    this.add = button("Add concept", () => host.addConcept());
    this.base = button("Add background", () => host.addBackground());
    this.remove = button("Remove", () => host.removePart());
    this.tools = choices("what a click in the plane does", TOOLS, (tool) => host.choose(tool));
    this.size = slider("brush", {
      min: 1, max: 8, step: 0.5, show: (value) => `${value}%`, onInput: (value) => host.resize(value),
    });
    this.tools.node.classList.add("pc-tools");
    this.hint = element("p", { class: "pc-hint" });
    this.node = element(
      "div", { class: "pc-builder" }, this.parts,
      element("div", { class: "pc-buttons" }, this.add, this.base, this.remove), this.tools.node, this.hint, this.size.node,
    );
  }

  /** Show what the host has at hand. */
  follow() {
    const { host } = this;
    const { concepts, operator, background } = host.state;
    const parts = host.parts();
    const chosen = host.part();
    const key = parts.map(({ name }) => name).join();
    if (key !== this.key) {
      this.key = key;
      this.parts.replaceChildren(...parts.map(({ name, colour }, p) => {
        const node = button(name, () => host.select(p, 0));
        node.style.setProperty("--pc-key", colour);
        return node;
      }));
    }
    [...this.parts.children].forEach((node, p) => node.setAttribute("aria-pressed", String(parts[p].name === chosen.name)));
    this.add.disabled = concepts.length >= MOST_CONCEPTS;
    this.base.hidden = operator !== "composition" || background !== null;
    this.remove.textContent = `Remove ${chosen.name}`;
    this.remove.disabled = chosen.key === "concepts" ? concepts.length === 1 : chosen.key !== "background";
    this.tools.set(host.tool);
    this.size.node.hidden = host.tool === "move";
    this.size.set(host.brush);
    this.hint.textContent = HINTS[host.tool];
  }
}
