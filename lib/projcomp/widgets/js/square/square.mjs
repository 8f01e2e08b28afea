// The commuting square of Lemma 6.2: composing in feature space and then mapping to pixels, beside
// mapping every part to pixels and then composing.

import { WARPS, wrappedAngle } from "../maths/warp.mjs";
import { element } from "../shared/controls.mjs";
import { Figure } from "../shared/figure.mjs";
import { onEllipse } from "../shared/handles.mjs";
import { common, pane, place } from "../shared/layout.mjs";
import { checkedConcepts, checkedMixture, choice, clamp } from "../shared/state.mjs";
import { OPERATORS, finite, inAWord, partRows } from "../shared/telling.mjs";
import { ROUTES, SquarePanel } from "./panel.mjs";
import { SquareScene } from "./scene.mjs";
import { paintPlane } from "./view.mjs";

const SHARED = ["background", "concepts", "operator", "warp", "amount", "route", "show"];
const KEYS = [...SHARED, "boxes"];
const MOST_CONCEPTS = 2;
const WIDEST_ANGLE = 3; // beyond it the turns that are summed would not hold the mass
const TITLES = ["features (u, v)", "pixels (x, y) = W(u, v)"];

export class Square extends Figure {
  constructor(model, el) {
    super(model, KEYS, SHARED);
    this.amounts = {};
    this.start(el, new SquareScene());
  }

  build() {
    Object.assign(this, common(this.model.get("summary")), pair(TITLES));
    this.handles = this.handlesOn(this.svg);
    this.panel = new SquarePanel(this);
    place(this, this.panel);
  }

  checked(state) {
    const warp = choice(state.warp, Object.keys(WARPS));
    const { low, high, periodic } = WARPS[warp];
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
      concepts: checkedConcepts(state.concepts, MOST_CONCEPTS, mixture),
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

  legendRows(state = this.state, exists = this.scene.exists()) {
    const { show, operator } = state;
    const rows = [];
    if (show.includes("composition") && exists) rows.push(["composed", "fill", OPERATORS[operator]]);
    if (show.includes("parts")) rows.push(...partRows(state));
    if (show.includes("grid")) rows.push(["faint", "solid", "lines of constant u or v"]);
    return rows;
  }

  largestLegends() {
    const show = ["composition", "parts", "grid"];
    return ["composition", "product"].map((operator) => this.legendRows({ ...this.state, show, operator }, true));
  }

  told() {
    const { scene, state } = this;
    const composition = scene.difference("composition");
    const product = scene.difference("product");
    const normalisable = inAWord(scene.normalisable());
    const size = (x) =>
      !Number.isFinite(x) ? "–" : x === 0 ? "0" : x >= 0.01 ? x.toFixed(2) : x.toExponential(0);
    const { label, unit } = WARPS[state.warp];
    const amount = label ? `, ${label} ${state.amount}${unit === "°" ? " degrees" : ""}` : "";
    const words =
      `Warp: ${state.warp}${amount}. Shown: ${OPERATORS[state.operator]}, ${ROUTES[state.route]}. ` +
      `The two routes' log densities differ by at most ${size(composition)} for the composition and ` +
      `${size(product)} for the simple product. Normalisable: ${normalisable}.`;
    return {
      facts: { composition: size(composition), product: size(product), normalisable },
      readout: { composition: finite(composition), product: finite(product), normalisable },
      words,
    };
  }
}

/** Two planes side by side, each under its title, with handles on the first. */
function pair(titles) {
  const [left, right] = titles.map((title) => pane(`${title}; their state is summed up in words below`));
  right.svg.remove();
  const titled = [left, right].map(({ view }, i) =>
    element("div", { class: "pc-pane" }, element("div", { class: "pc-title" }, titles[i]), view));
  const stage = element("div", { class: "pc-pair pc-wide" }, ...titled);
  return { stage, plane: left.plane, svg: left.svg, second: right.plane };
}
