// The line: densities as curves, and the balance of precisions as bars beside them.

import { histogram, lineMasses } from "../maths/field.mjs";
import * as axes from "../shared/axes.mjs";
import * as draw from "../shared/draw.mjs";

const POINTS = 400;
const BINS = 60;
const APART = 48; // pixels between the axis's numbers, at least
const FOOT = 22; // pixels below the axis, for its numbers

export class LineView {
  /** precisions: whether there is room for the bars beside the line. */
  constructor({ stage }, precisions) {
    stage.classList.add("pc-line", "pc-wide");
    stage.classList.toggle("pc-with-precisions", precisions);
    const [top, side] = stage.querySelectorAll("canvas:not(.pc-plane)");
    top.hidden = true;
    side.setAttribute("aria-label", "Precisions");
  }

  frame(scene, width, height) {
    const [left, , right] = scene.box;
    const step = (right - left) / POINTS;
    this.xs = Float64Array.from({ length: POINTS }, (_, i) => left + (i + 0.5) * step);
    const { composition, state } = scene;
    const curve = (p) => Float64Array.from(this.xs, (x) => Math.exp(p.at(state.sigma).logDensity(x, 0)));
    this.parts = [composition.background, ...composition.concepts].map((p) => p && curve(p));
    this.composed = scene.exists
      ? lineMasses(composition.at(state.sigma), this.xs).map((mass) => mass / step)
      : null;
    const peaks = this.parts.filter(Boolean).map((values) => Math.max(...values));
    const peak = Math.max(...peaks, ...(this.composed ? [Math.max(...this.composed)] : []));
    const foot = (1.08 * peak * FOOT) / (height - FOOT);
    return new draw.Frame([left, -foot, right, 1.08 * peak], width, height);
  }

  /** Handles sit on the curves: at each component's mean, and one standard deviation from it. */
  position(part, k, role, scene) {
    const mean = part.spec.means[k][0];
    const x = role === 1 ? mean + Math.sqrt(part.spec.covariances[k][0][0]) : mean;
    const density = part.key === "concepts" ? scene.composition.concepts[part.index] : scene.composition.background;
    return [x, Math.exp(density.at(scene.state.sigma).logDensity(x, 0))];
  }

  paint({ context, frame, scene, state, colours, path, margins }) {
    const curve = (values, colour, dash, fill) => {
      context.beginPath();
      values.forEach((v, i) => context[i ? "lineTo" : "moveTo"](frame.x(this.xs[i]), frame.y(v)));
      context.strokeStyle = colour;
      context.lineWidth = 2;
      context.setLineDash(dash);
      context.stroke();
      context.setLineDash([]);
      if (!fill) return;
      context.lineTo(frame.x(frame.right), frame.y(0));
      context.lineTo(frame.x(frame.left), frame.y(0));
      context.globalAlpha = 0.14;
      context.fillStyle = colour;
      context.fill();
      context.globalAlpha = 1;
    };
    this.paintAxis(context, frame, colours);
    if (path) {
      const [points, shares] = [path.atSigma(state.sigma), path.sharesAt(state.sigma)];
      this.paintHistogram(context, frame, points, shares, colours);
    }
    if (this.composed && state.show.includes("composition")) curve(this.composed, colours.composed, [], true);
    if (state.show.includes("parts")) {
      const [background, ...concepts] = this.parts;
      if (background) curve(background, colours.background, draw.DASHES.background, false);
      concepts.forEach((values, i) => curve(values, colours.concepts[i], draw.DASHES.concepts[i], false));
    }
    if (!this.composed) axes.nothing(context, frame, colours);
    this.paintBars(margins[1], scene, state, colours);
  }

  paintAxis(context, frame, colours) {
    context.strokeStyle = colours.faint;
    context.fillStyle = colours.ink;
    context.font = "12px sans-serif";
    context.textAlign = "center";
    context.beginPath();
    context.moveTo(0, frame.y(0));
    context.lineTo(frame.width, frame.y(0));
    const unit = axes.stepOf(frame.right - frame.left, frame.width / APART);
    for (const x of axes.ticks(frame.left, frame.right, unit)) {
      context.moveTo(frame.x(x), frame.y(0));
      context.lineTo(frame.x(x), frame.y(0) + 4);
      const inside = Math.min(frame.x(x), frame.width - frame.x(x)) > 10;
      if (inside) context.fillText(axes.tickText(x), frame.x(x), frame.y(0) + 15);
    }
    context.stroke();
    context.textAlign = "left";
  }

  paintHistogram(context, frame, points, shares, colours) {
    const counts = histogram(points, [1, 0], [frame.left, frame.right], BINS, shares);
    const width = (frame.right - frame.left) / BINS;
    context.fillStyle = colours.composed;
    context.globalAlpha = 0.35;
    counts.forEach((count, bin) => {
      const x = frame.x(frame.left + bin * width);
      const y = frame.y(count / width);
      context.fillRect(x + 0.5, y, width * frame.sx - 1, frame.y(0) - y);
    });
    context.globalAlpha = 1;
  }

  /** One bar for each Gaussian's share of the precision, and their sum. */
  paintBars(canvas, scene, state, colours) {
    const { composition } = scene;
    const all = [composition.background, ...composition.concepts].filter(Boolean);
    canvas.hidden = all.some((p) => p.size > 1); // no one precision
    const { context, width, height } = draw.prepare(canvas);
    if (!width) return;
    const precision = (p) => 1 / (p.covariances[0][0][0] + state.sigma ** 2);
    const rest = 1 - composition.weights.reduce((a, b) => a + b, 0);
    const bars = composition.concepts.map((p, i) => [`${i + 1}`, composition.weights[i] * precision(p), colours.concepts[i]]);
    if (composition.background) bars.push(["b", rest * precision(composition.background), colours.background]);
    bars.push(["sum", bars.reduce((sum, bar) => sum + bar[1], 0), colours.composed]);
    const top = Math.max(...bars.map((bar) => bar[1]), 0.1);
    const low = Math.min(...bars.map((bar) => bar[1]), 0);
    const y = (value) => 38 + ((top - value) / (top - low)) * (height - 74);
    const slot = width / bars.length;
    context.fillStyle = colours.ink;
    context.font = "12px sans-serif";
    context.fillText("precision", 4, 12);
    // Numbers that leave each other room.
    const longest = Math.max(...bars.map((bar) => context.measureText(bar[1].toFixed(2)).width));
    context.font = `${Math.min(12, Math.floor((12 * (slot - 4)) / longest))}px sans-serif`;
    context.textAlign = "center";
    bars.forEach(([name, value, colour], i) => {
      const x = i * slot + 0.15 * slot;
      context.fillStyle = colour;
      context.fillRect(x, Math.min(y(0), y(value)), 0.7 * slot, Math.max(1, Math.abs(y(value) - y(0))));
      context.fillStyle = colours.ink;
      context.fillText(value.toFixed(2), x + 0.35 * slot, Math.min(y(0), y(value)) - 5);
      context.fillText(name, x + 0.35 * slot, height - 8);
    });
    context.strokeStyle = colours.ink;
    context.beginPath();
    context.moveTo(0, y(0));
    context.lineTo(width, y(0));
    context.stroke();
    context.textAlign = "left";
  }
}
