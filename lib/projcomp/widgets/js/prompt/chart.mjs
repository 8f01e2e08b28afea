// A small chart of what a sample believes in on its way down the noise.

import * as axes from "../shared/axes.mjs";
import * as draw from "../shared/draw.mjs";

const ROOM = { top: 5, bottom: 15, side: 4 };
const MARK = 6; // pixels, of where the sample is decided
const TICKS = [0.1, 1, 10, 100];
export const CURVES = [
  ["concept-1", "solid", "belief in the content, among the style's", ({ style }) => style.content],
  ["concept-2", "dashed", "belief in the style, among the content's", ({ content }) => content.style],
  ["background", "dotted", "entropy, among all", ({ all }) => all.entropy],
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

/** line: the levels that are known, with their beliefs; level: the present one; decided: a level or null. */
export function paintChart(canvas, { line, levels, level, decided }, colours) {
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
  if (decided) {
    context.fillStyle = colours.ink;
    context.beginPath();
    for (const [right, down] of [[0, -MARK], [MARK, 1], [-MARK, 1]]) context.lineTo(px(decided) + right, foot + down);
    context.fill();
  }
  context.lineWidth = 1;
  rule(colours.ink, [3, 3], [px(levels[level]), ROOM.top - 3], [px(levels[level]), foot]);
}
