// A small chart of what a sample believes in on its way down the noise.

import * as axes from "../shared/axes.mjs";
import * as draw from "../shared/draw.mjs";

const ROOM = { top: 5, bottom: 15, side: 4 };
const TICKS = [0.1, 1, 10, 100];
export const CURVES = [
  ["concept-1", "solid", "the style's belief in the content", ({ style }) => style.content],
  ["concept-2", "dashed", "the content's belief in the style", ({ content }) => content.style],
  ["background", "dotted", "entropy among all", ({ all }) => all.entropy],
];
const DASHES = [draw.DASHES.concepts[0], draw.DASHES.concepts[1], draw.DASHES.background];

/** Where a noise level lies across the chart, as a share of its width: as with the slider, noise falls to the left. */
function across(levels, sigma) {
  const [high, low] = [levels[0], levels[levels.length - 1]];
  return Math.log(sigma / low) / Math.log(high / low);
}

/** The number of the level nearest to a share of the chart's width. */
export function levelAt(levels, share) {
  const far = levels.map((sigma) => Math.abs(across(levels, sigma) - share));
  return far.indexOf(Math.min(...far));
}

/** The share of the chart's width at a place of the page, inside of its margins. */
export function shareAt(canvas, clientX) {
  const { left, width } = canvas.getBoundingClientRect();
  return (clientX - left - ROOM.side) / (width - 2 * ROOM.side);
}

/** line: the levels that are known, with their beliefs; level: the present one. */
export function paintChart(canvas, { line, levels, level }, colours) {
  const { context, width, height } = draw.prepare(canvas);
  const [inner, foot] = [width - 2 * ROOM.side, height - ROOM.bottom];
  const px = (sigma) => ROOM.side + inner * across(levels, sigma);
  const py = (share) => ROOM.top + (1 - share) * (foot - ROOM.top);
  const rule = (colour, dash, ...points) => {
    context.strokeStyle = colour;
    context.setLineDash(dash);
    context.beginPath();
    points.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](x, y));
    context.stroke();
    context.setLineDash([]);
  };
  context.lineWidth = 1;
  for (const share of [0, 1]) rule(colours.faint, [], [ROOM.side, py(share)], [width - ROOM.side, py(share)]);
  const write = axes.pen(context, "11px sans-serif", colours.soft, colours.paper);
  for (const sigma of TICKS) {
    if (sigma > levels[0] || sigma < levels[levels.length - 1]) continue;
    rule(colours.faint, [], [px(sigma), foot], [px(sigma), foot + 3]);
    write(String(sigma), px(sigma), height - 2, "center");
  }
  write("σ", width - 2, height - 2, "right");
  context.lineWidth = 1.8;
  const shades = [colours.concepts[0], colours.concepts[1], colours.background];
  CURVES.forEach(([, , , value], c) => {
    rule(shades[c], DASHES[c], ...line.map(({ beliefs }, i) => [px(levels[i]), py(value(beliefs))]));
  });
  context.lineWidth = 1;
  rule(colours.ink, [3, 3], [px(levels[level]), ROOM.top - 3], [px(levels[level]), foot]);
}
