// The square, drawn: features in one plane, pixels in the other, and the lines that show the warp.

import * as axes from "../shared/axes.mjs";
import * as draw from "../shared/draw.mjs";

const SAMPLES = 96;
const LINES = 14; // of constant u or v, at most

export function paintPlane(canvas, box, scene, state, colours, { parts, composed, map, names }) {
  const { context, width, height } = draw.prepare(canvas);
  const frame = new draw.Frame(box, width, height);
  const field = scene.field(box);
  const exists = scene.exists();
  if (state.show.includes("composition") && exists) {
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
  axes.numbers(context, frame, colours);
  paintNames(context, frame, names, colours);
  if (!exists) axes.nothing(context, frame, colours);
  return { frame, width, height };
}

/** The axes' names at their ends: right, top, and perhaps bottom. */
function paintNames(context, { width, height }, [right, top, bottom], { ink, paper }) {
  const write = axes.pen(context, "13px sans-serif", ink, paper);
  write(right, width - 6, height - 7, "right");
  write(top, 6, 16, "left");
  if (bottom) write(bottom, 6, height - 24, "left");
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
  const across = warp.periodic ? Math.PI / 6 : axes.stepOf(top - bottom, LINES);
  const along = axes.stepOf(right - left, LINES);
  for (const u of axes.ticks(left, right, along)) line((t) => [u, bottom + t * (top - bottom)]);
  for (const v of axes.ticks(bottom, top, across)) line((t) => [left + t * (right - left), v]);
  context.stroke();
  context.globalAlpha = 1;
}
