// What is written in a picture: numbers along its edges, and why there is nothing to draw.

const NOTHING = ["no composition:", "it is not normalisable"];
const APART = 48; // pixels between numbers, at least
const CLEAR = 26; // pixels kept free at the ends, where names may stand

/** Multiples of a step from low to high. */
export function ticks(low, high, step) {
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => (first + i) * step);
}

/** The least round step of which at most `most` fit in a range. */
export function stepOf(range, most) {
  const unit = 10 ** Math.floor(Math.log10(range / most));
  return unit * [1, 2, 5, 10].find((m) => most * m * unit >= range);
}

/** A tick's number, with a minus that is as wide as a plus. */
export const tickText = (x) => String(Number(x.toPrecision(6)) || 0).replace("-", "−");

/** A few light numbers along the bottom and the left edge, inside the picture and under its handles. */
export function numbers(context, frame, { paper, soft }) {
  const write = pen(context, "11px sans-serif", soft, paper);
  const { left, right, bottom, top, width, height } = frame;
  const inside = (at, size) => at > CLEAR && at < size - CLEAR;
  context.lineWidth = 1;
  context.strokeStyle = soft;
  context.beginPath();
  const across = ticks(left, right, stepOf(right - left, width / APART)).filter((x) => inside(frame.x(x), width));
  const up = ticks(bottom, top, stepOf(top - bottom, height / APART)).filter((y) => inside(frame.y(y), height));
  for (const x of across) {
    context.moveTo(frame.x(x), height);
    context.lineTo(frame.x(x), height - 4);
  }
  for (const y of up) {
    context.moveTo(0, frame.y(y));
    context.lineTo(4, frame.y(y));
  }
  context.stroke();
  for (const x of across) write(tickText(x), frame.x(x), height - 7, "center");
  for (const y of up) write(tickText(y), 7, frame.y(y) + 4, "left");
}

/** Says in the picture that nothing of the composition is drawn. */
export function nothing(context, { width }, { paper, ink }) {
  const write = pen(context, "15px sans-serif", ink, paper);
  const lines = width > 320 ? [NOTHING.join(" ")] : NOTHING;
  lines.forEach((text, i) => write(text, width / 2, 24 + 20 * i, "center"));
}

/** Writes text with a rim of the paper's colour, so that it is read on whatever lies beneath. */
export function pen(context, font, colour, paper) {
  return (text, x, y, align) => {
    Object.assign(context, { font, lineWidth: 3, lineJoin: "round", strokeStyle: paper, fillStyle: colour });
    context.textAlign = align;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
    context.textAlign = "left";
  };
}
