// The square's controls.

import { WARPS } from "../maths/warp.mjs";
import { choices, element, list, select, slider } from "../shared/controls.mjs";
import { inspector } from "../shared/inspector.mjs";
import { Panel } from "../shared/panel.mjs";
import { callPython, partsPython } from "../shared/python.mjs";
import { OPERATORS } from "../shared/telling.mjs";

export const ROUTES = { first: "compose, then map", second: "map, then compose" };
const LAYERS = {
  parts: "background and concepts", composition: "composition, as shading", grid: "lines of constant u and v",
};
const READOUTS = {
  composition: "composition: routes differ by", product: "simple product: routes differ by",
  normalisable: "normalisable",
};

export class SquarePanel extends Panel {
  constructor(host) {
    super(host);
    this.amount();
    this.route();
    this.warps();
    this.layers(LAYERS);
    this.readout = list(READOUTS);
    const about = element("p", { class: "pc-hint" },
      "Largest difference of log densities, where either is above a millionth of its peak.");
    this.node.append(element("div", {}, this.readout.node, about));
    inspector(this, ["u", "v"]);
    this.sharing(this.node, this.copying(snippet));
  }

  amount() {
    const place = element("div", { class: "pc-amount" });
    let control = null;
    let shown = null;
    this.transport.append(place);
    this.followers.push(({ warp, amount }) => {
      const { label, unit, low: min, high: max, step } = WARPS[warp];
      if (warp !== shown) {
        shown = warp;
        const show = (value) => `${Number(value.toFixed(2))}${unit}`;
        const onInput = (value) => this.host.change({ amount: value });
        control = label ? slider(label, { min, max, step, show, onInput }) : null;
        place.replaceChildren(...(control ? [control.node] : []));
      }
      control?.set(amount);
    });
  }

  route() {
    const control = choices("route to the pixels", ROUTES, (route) => this.host.change({ route }));
    this.add(this.transport, control, (s) => control.set(s.route));
  }

  warps() {
    const names = Object.fromEntries(Object.keys(WARPS).map((name) => [name, name]));
    const warp = select("warp W", names, (name) => this.host.warpBy(name));
    this.add(this.node, warp, (s) => warp.set(s.warp));
    const { composition, product } = OPERATORS;
    const operator = select("operator", { composition, product }, (value) => this.host.change({ operator: value }));
    this.add(this.node, operator, (s) => operator.set(s.operator));
  }

  report(facts) {
    for (const [key, value] of Object.entries(facts)) this.readout.set(key, value);
  }
}

/** Python that rebuilds the figure, both routes, and how far they differ. */
function snippet(state) {
  const { warp, amount, boxes, operator, route, show, name, summary } = state;
  const [box, pixelBox] = boxes[warp];
  const named = {
    warp, amount: WARPS[warp].label ? amount : null, box, pixel_box: pixelBox, show, operator, route, name, alt: summary,
  };
  const lines = [
    "import projcomp as pc", "",
    ...partsPython(state),
    ...callPython("figure", "pc.Square", ["background", "concepts"], named),
    "",
    "first, second = figure.routes",
    'print("routes differ by", figure.differences())',
    "figure",
  ];
  return `${lines.join("\n")}\n`;
}
