// The square, drawn: features in one plane, pixels in the other, and the lines that show the warp.

import * as draw from "../shared/draw.mjs";

const SAMPLES = 96;

export function paintPlane(canvas, box, scene, state, colours, { parts, composed, map, names }) {
  const { context, width, height } = draw.prepare(canvas);
  const frame = new draw.Frame(box, width, height);
  const field = scene.field(box);
  if (state.show.includes("composition")) {
    draw.heat(context, frame, field, scene.masses(composed, box), colours.paper, colours.composed);
  }
  if (state.show.includes("grid")) paintGrid(context, frame, scene, colours.faint, map);
  if (state.show.includes("parts")) {
    parts.forEach((part, i) => {
      const colour = i ? colours.concepts[i - 1] : colours.background;
      const dash = i ? draw.DASHES.concepts[i - 1] : draw.DASHES.background;
      draw.outlines(context, frame, field, scene.masses(part, box), colour, dash);
    });
  }
  paintNames(context, frame, names, colours);
  return { frame, width, height };
}

/** The axes' names at their ends: right, top, and perhaps bottom. */
function paintNames(context, { width, height }, [right, top, bottom], { ink, paper }) {
  context.font = "13px sans-serif";
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeStyle = paper;
  context.fillStyle = ink;
  const write = (text, x, y, align) => {
    context.textAlign = align;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  };
  write(right, width - 6, height - 7, "right");
  write(top, 6, 16, "left");
  if (bottom) write(bottom, 6, height - 7, "left");
  context.textAlign = "left";
}

/** Lines of constant u and of constant v over the box of features, under a map. */
function paintGrid(context, frame, { box, warp }, colour, map) {
  const [left, bottom, right, top] = box;
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.globalAlpha = 0.6;
  context.beginPath();
  const line = (point) => {
    for (let s = 0; s <= SAMPLES; s++) {
      const [x, y] = map(...point(s / SAMPLES));
      context[s ? "lineTo" : "moveTo"](frame.x(x), frame.y(y));
    }
  };
  const across = warp.periodic ? Math.PI / 6 : stepOf(top - bottom);
  for (const u of ticks(left, right, stepOf(right - left))) line((t) => [u, bottom + t * (top - bottom)]);
  for (const v of ticks(bottom, top, across)) line((t) => [left + t * (right - left), v]);
  context.stroke();
  context.globalAlpha = 1;
}

function ticks(low, high, step) {
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => (first + i) * step);
}

/** A round step of which about ten fit. */
function stepOf(range) {
  const unit = 10 ** Math.floor(Math.log10(range / 10));
  return unit * [1, 2, 5, 10].find((m) => 14 * m * unit >= range);
}
