// The commuting square of Lemma 6.2: composing in feature space and then mapping to pixels, beside
// mapping every part to pixels and then composing.

import { Figure } from "../shared/figure.mjs";
import { onEllipse } from "../shared/handles.mjs";
import { pair, place } from "../shared/layout.mjs";
import { OPERATORS } from "../explorer/panel.mjs";
import { ROUTES, SquarePanel } from "./panel.mjs";
import { SquareScene } from "./scene.mjs";
import { paintPlane } from "./view.mjs";
import { checkedMixture, choice, clamp } from "../shared/state.mjs";
import { WARPS, wrappedAngle } from "../maths/warp.mjs";

const SHARED = ["background", "concepts", "operator", "warp", "amount", "route", "show"];
const KEYS = [...SHARED, "boxes"];
const MOST_CONCEPTS = 2;
const WIDEST_ANGLE = 3; // beyond it the turns that are summed would not hold the mass
const LINES = ["dotted", "solid", "dashed"];

export class Square extends Figure {
  constructor(model, el) {
    super(model, KEYS, SHARED);
    this.amounts = {};
    this.start(el, new SquareScene());
  }

  build(el) {
    const titles = ["features (u, v)", "pixels (x, y) = A(u, v)"];
    Object.assign(this, pair(this.model.get("summary"), titles));
    this.handles = this.handlesOn(this.svg);
    this.panel = new SquarePanel(this);
    place(this, this.panel);
    el.replaceChildren(this.root);
  }

  checked(state) {
    const warp = choice(state.warp, Object.keys(WARPS));
    const { low, high, periodic } = WARPS[warp];
    const { length } = state.concepts ?? [];
    if (!(length >= 1 && length <= MOST_CONCEPTS)) throw new Error("wanted one or two concepts");
    const mixture = (spec, name) => {
      const kept = checkedMixture(spec, 2, name);
      if (!periodic) return kept;
      if (kept.covariances.some((c) => c[1][1] > WIDEST_ANGLE ** 2)) {
        throw new Error(`${name}: an angle's spread must be at most ${WIDEST_ANGLE}`);
      }
      return { ...kept, means: kept.means.map(([u, v]) => [u, wrappedAngle(v)]) };
    };
    return {
      ...state,
      warp,
      background: mixture(state.background, "background"),
      concepts: state.concepts.map((c, i) => mixture(c, `concept ${i + 1}`)),
      amount: clamp(state.amount, low, high),
      operator: choice(state.operator, ["composition", "product"]),
      route: choice(state.route, Object.keys(ROUTES)),
      show: (state.show ?? []).map(String),
    };
  }

  /** Another warp, by the amount that it had when it was last chosen. */
  warpBy(warp) {
    this.notice("");
    this.amounts[this.state.warp] = this.state.amount;
    const amount = this.amounts[warp] ?? WARPS[warp].start;
    if (!this.change({ warp, amount })) this.panel.follow(this.state);
  }

  paint() {
    if (!this.colours || !this.plane.clientWidth) return;
    const { scene, state, colours } = this;
    const { frame, width, height } = paintPlane(this.plane, scene.box, scene, state, colours, {
      parts: scene.parts(false),
      composed: scene.composed(false),
      map: (u, v) => [u, v],
      names: scene.warp.periodic ? ["u", "v = π", "v = −π"] : ["u", "v"],
    });
    paintPlane(this.second, scene.pixelBox, scene, state, colours, {
      parts: scene.parts(true),
      composed: scene.composed(true),
      map: scene.warp.forward,
      names: ["x", "y"],
    });
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.handles.draw(this.parts(), frame, this.selected, onEllipse);
    this.paintLegend();
    this.describe();
  }

  legendRows() {
    const { show, operator, concepts } = this.state;
    const rows = [];
    if (show.includes("composition")) rows.push(["composed", "fill", OPERATORS[operator]]);
    if (show.includes("parts")) {
      rows.push(["background", LINES[0], operator === "product" ? "background (left out)" : "background"]);
      concepts.forEach((_, i) => rows.push([`concept-${i + 1}`, LINES[i + 1], `concept ${i + 1}`]));
    }
    if (show.includes("grid")) rows.push(["faint", "solid", "lines of constant u or v"]);
    return rows;
  }

  told() {
    const { scene, state } = this;
    const composition = scene.difference("composition");
    const product = scene.difference("product");
    const answer = scene.normalisable();
    const normalisable = answer === null ? "not known" : answer ? "yes" : "no";
    const size = (x) =>
      !Number.isFinite(x) ? "–" : x === 0 ? "0" : x >= 0.01 ? x.toFixed(2) : x.toExponential(0);
    const { label, unit } = WARPS[state.warp];
    const amount = label ? `, ${label} ${state.amount}${unit === "°" ? " degrees" : ""}` : "";
    const words =
      `Warp: ${state.warp}${amount}. Shown: ${OPERATORS[state.operator]}, ${ROUTES[state.route]}. ` +
      `The two routes' log densities differ by at most ${size(composition)} for the composition and ` +
      `${size(product)} for the simple product. Normalisable: ${normalisable}.`;
    const finite = (x) => (Number.isFinite(x) ? x : null);
    return {
      facts: { composition: size(composition), product: size(product), normalisable },
      readout: { composition: finite(composition), product: finite(product), normalisable },
      words,
    };
  }
}
