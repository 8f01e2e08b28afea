// The lattice's controls: the places, what is shown of the pictures, and the noise.

import { button, choices, element, slider } from "../shared/controls.mjs";
import { Panel } from "../shared/panel.mjs";
import { callPython } from "../shared/python.mjs";
import { levelText } from "../shared/telling.mjs";

export const PLACES = [
  "front left", "front", "front right", "left", "centre", "right", "back left", "back", "back right",
];
export const TITLES = {
  A: "empty floor", B: "average of one-object pictures", C: "average of cluttered pictures",
};
const VIEWS = { picture: "the picture", belief: "the model's belief" };
export const HINTS = {
  picture: "Numbers: the opacity that is counted at each place of the floor; 1 is a solid object.",
  belief: "Numbers: the opacity of each place's object in what the model believes the clean picture to be.",
};
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** .25, 1.00, −.33 */
export function opacityText(value) {
  const text = Math.abs(value).toFixed(2).replace(/^0/, "");
  return value < 0 && text !== ".00" ? `−${text}` : text;
}

export class LatticePanel extends Panel {
  /** host: the Lattice. */
  constructor(host) {
    super(host);
    this.places();
    this.noise();
    const copying = host.model.get("source") ? [this.copying(snippet)] : [];
    this.sharing(this.transport, this.playing(), ...copying);
  }

  /** Buttons for the places, the front row at the bottom; of all one is in the tab order. */
  places() {
    const { host } = this;
    this.node.className = "pc-floor";
    this.buttons = PLACES.map((name, place) => button(name, () => host.toggle(place), { pressed: "false" }));
    const grid = element("div", { class: "pc-places", role: "group", "aria-label": "Places with an object" });
    for (const row of [2, 1, 0]) {
      grid.append(element("div", { class: "pc-row" }, ...this.buttons.slice(3 * row, 3 * row + 3)));
    }
    const focusable = (place) => this.buttons.forEach((one, i) => (one.tabIndex = i === place ? 0 : -1));
    this.buttons.forEach((one, place) => {
      one.addEventListener("focus", () => focusable(place));
      one.addEventListener("keydown", (event) => {
        event.stopPropagation(); // a notebook has its own arrows
        const move = MOVES[event.key];
        if (!move) return;
        event.preventDefault();
        const [column, row] = [(place % 3) + move[0], Math.floor(place / 3) + move[1]];
        if (column >= 0 && column < 3) this.buttons[3 * row + column]?.focus();
      });
    });
    focusable(6);
    const all = PLACES.map((_, place) => place);
    this.followers.push(({ chosen }) => this.buttons.forEach((one, place) =>
      one.setAttribute("aria-pressed", String(chosen.includes(place)))));
    this.node.append(
      element("div", { class: "pc-title" }, "objects asked for"), grid,
      element(
        "div", { class: "pc-buttons" },
        button("All", () => host.change({ chosen: all })),
        button("None", () => host.change({ chosen: [] })),
        this.reseeding("Another sample"),
      ),
    );
  }

  /** Mark the place that the pointer is over, in a picture. */
  point(place) {
    this.buttons.forEach((one, i) => one.classList.toggle("pc-pointed", i === place));
  }

  noise() {
    const { host } = this;
    const last = host.model.get("levels").length - 1;
    const control = slider("noise σ", {
      min: 0, max: last, step: 1, from: (p) => last - p, to: (level) => last - level,
      show: (level) => levelText(host.model.get("levels")[level]).replace(/^0/, ""), onInput: (level) => host.scrub(level),
    });
    this.add(this.transport, control, (s) => control.set(s.level));
    const view = choices("what is shown", VIEWS, (value) => host.change({ view: value }));
    this.followers.push((s) => view.set(s.view));
    this.transport.append(view.node);
    const clutter = choices("clutter in C", { independent: "", capped: "" }, (value) => host.change({ clutter: value }));
    const [independent, capped] = clutter.node.children;
    this.followers.push((s) => {
      independent.textContent = `independent, ${opacityText(s.rate).replace(/0$/, "")}`;
      capped.textContent = `capped at ${s.most}`;
      clutter.set(s.clutter);
    });
    this.transport.append(element("div", { class: "pc-clutter" }, element("span", {}, "clutter in C"), clutter.node));
  }

  /** What the numbers under the pictures are. */
  hint(node, { view }) {
    if (node.textContent !== HINTS[view]) node.textContent = HINTS[view];
  }

  report() {}
}

/** Python that rebuilds the figure, and the opacities that it counts at the path's end. */
function snippet(state) {
  const { source, chosen, clutter, rate, most, levels, level, seed, view, name, summary } = state;
  const named = { chosen, clutter, rate, most, levels, level, seed, view, source, name, alt: summary };
  const lines = [
    "import projcomp as pc", "from projcomp import scenes", "",
    source.trimEnd(),
    ...callPython("figure", "pc.Lattice", ["empty", "banks"], named),
    "",
    'for setting in "ABC":',
    "    print(setting, figure.opacities(setting))",
    "figure",
  ];
  return `${lines.join("\n")}\n`;
}
