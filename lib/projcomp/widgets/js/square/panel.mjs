// The square's controls.

import { WARPS } from "../maths/warp.mjs";
import { choices, element, list, select, slider } from "../shared/controls.mjs";
import { inspector } from "../shared/inspector.mjs";
import { Panel } from "../shared/panel.mjs";
import { mixturePython } from "../shared/state.mjs";
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
    inspector(this, ["u", "v"], false);
    this.sharing(this.node, this.copying(snippet));
  }

  amount() {
    const place = element("div");
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
    const warp = select("warp A", names, (name) => this.host.warpBy(name));
    this.add(this.node, warp, (s) => warp.set(s.warp));
    const { composition, product } = OPERATORS;
    const operator = select("operator", { composition, product }, (value) => this.host.change({ operator: value }));
    this.add(this.node, operator, (s) => operator.set(s.operator));
  }

  report(facts) {
    for (const [key, value] of Object.entries(facts)) this.readout.set(key, value);
  }
}

/** Python that rebuilds both routes with the library. */
function snippet({ background, concepts, operator, warp, amount }) {
  const angle = `math.radians(${amount})`;
  const given = { rotation: angle, shear: angle, banana: String(amount), polar: "" }[warp];
  const wrap = (text) => (warp === "polar" ? `pc.warps.Wrapped(${text}, axis=1)` : text);
  const lines = ["import math", "", "import projcomp as pc", ""];
  lines.push(`background = ${wrap(mixturePython(background))}`);
  concepts.forEach((c, i) => lines.push(`concept_${i + 1} = ${wrap(mixturePython(c))}`));
  const names = concepts.map((_, i) => `concept_${i + 1}`).join(", ");
  const compose = (base, rest) =>
    operator === "product" ? `pc.simple_product(${rest})` : `pc.compose(${base}, ${rest})`;
  lines.push(
    `parts = [background, ${names}]`,
    `warp = pc.warps.${warp}(${given})`,
    `first = pc.pushforward(${compose("parts[0]", "parts[1:]")}, warp)`,
    "pushed = [pc.pushforward(part, warp) for part in parts]",
    `second = ${compose("pushed[0]", "pushed[1:]")}`,
    "print(first.log_prob([0.3, 0.2]) - second.log_prob([0.3, 0.2]))",
  );
  return `${lines.join("\n")}\n`;
}
