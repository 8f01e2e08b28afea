// Drawing on canvases: heat, contours, arrows, particles, shadows, curves. No state of its own.

import { contour, levelsOf } from "../maths/field.mjs";

/** The figure's colours, from its style sheet: light or dark, with a style of line for each role. */
export function palette(root) {
  const style = getComputedStyle(root);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    paper: read("--pc-paper"),
    ink: read("--pc-ink"),
    soft: read("--pc-soft"),
    faint: read("--pc-faint"),
    background: read("--pc-background"),
    composed: read("--pc-composed"),
    concepts: [1, 2, 3, 4].map((i) => read(`--pc-concept-${i}`)),
  };
}

const DOT = 9; // square pixels
const LARGEST_DOT = 900;

export const DASHES = { background: [2, 3], truth: [6, 3], concepts: [[], [8, 3], [2, 2], [8, 3, 2, 3]] };

/** A canvas sized to its box in device pixels; drawing then happens in CSS pixels. */
export function prepare(canvas) {
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Maps box coordinates to pixels of a width x height picture, and back. */
export class Frame {
  constructor([left, bottom, right, top], width, height) {
    Object.assign(this, { left, bottom, right, top, width, height });
    this.sx = width / (right - left);
    this.sy = height / (top - bottom);
  }
  x(value) {
    return (value - this.left) * this.sx;
  }
  y(value) {
    return (this.top - value) * this.sy;
  }
  back(px, py) {
    return [this.left + px / this.sx, this.top - py / this.sy];
  }
}

/** A field's masses as shades from the paper to one colour. */
export function heat(context, frame, field, masses, paper, colour) {
  let peak = 0;
  for (let k = 0; k < masses.length; k++) if (masses[k] > peak) peak = masses[k];
  const table = ramp(paper, colour);
  const scale = 255 / (peak || 1);
  shade(context, frame, field, (k) => table[Math.round(masses[k] * scale)]);
}

/** A signed field in two colours, either side of zero. */
export function signed(context, frame, field, values, paper, minus, plus) {
  const sizes = Float64Array.from(values, Math.abs).sort();
  const scale = 255 / (sizes[Math.floor(0.95 * (sizes.length - 1))] || 1);
  const [below, above] = [ramp(paper, minus), ramp(paper, plus)];
  const index = (value) => Math.min(255, Math.round(Math.abs(value) * scale));
  shade(context, frame, field, (k) => (values[k] < 0 ? below : above)[index(values[k])]);
}

function shade(context, frame, field, pixel) {
  const { cells } = field;
  if (!field.stamp) {
    field.stamp = Object.assign(document.createElement("canvas"), { width: cells, height: cells });
    field.pen = field.stamp.getContext("2d");
    field.image = field.pen.createImageData(cells, cells);
    field.pixels = new Uint32Array(field.image.data.buffer);
  }
  for (let j = 0, k = 0; j < cells; j++) {
    const row = (cells - 1 - j) * cells;
    for (let i = 0; i < cells; i++, k++) field.pixels[row + i] = pixel(k);
  }
  field.pen.putImageData(field.image, 0, 0);
  const [left, bottom, right, top] = field.box;
  const [x, y] = [frame.x(left), frame.y(top)];
  context.imageSmoothingEnabled = true;
  context.drawImage(field.stamp, x, y, frame.x(right) - x, frame.y(bottom) - y);
}

const ramps = new Map();

/** 256 opaque pixels from one colour most of the way to another. */
function ramp(from, to) {
  const key = from + to;
  if (!ramps.has(key)) {
    const [a, b] = [rgb(from), rgb(to)];
    const table = new Uint32Array(256);
    const bytes = new Uint8ClampedArray(table.buffer);
    for (let s = 0; s < 256; s++) {
      const share = 0.88 * (s / 255);
      for (let c = 0; c < 3; c++) bytes[4 * s + c] = a[c] + share * (b[c] - a[c]);
      bytes[4 * s + 3] = 255;
    }
    ramps.set(key, table);
  }
  return ramps.get(key);
}

function rgb(colour) {
  const hex = colour.replace("#", "");
  return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

/** Outlines of the regions that hold the given shares of the mass. */
export function outlines(context, frame, field, masses, colour, dash, shares = [0.5, 0.9], width = 1.6) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dash);
  for (const level of levelsOf(masses, shares)) {
    context.beginPath();
    for (const line of contour(field, masses, level)) {
      context.moveTo(frame.x(line[0]), frame.y(line[1]));
      for (let s = 2; s < line.length; s += 2) context.lineTo(frame.x(line[s]), frame.y(line[s + 1]));
    }
    context.stroke();
  }
  context.setLineDash([]);
}

/** sigma * score as arrows on a coarse lattice. */
export function arrows(context, frame, at, sigma, colour, spacing = 34) {
  const [wide, high] = [Math.round(frame.width / spacing), Math.round(frame.height / spacing)];
  context.strokeStyle = colour;
  context.lineWidth = 1.1;
  context.beginPath();
  for (let j = 0; j < high; j++) {
    for (let i = 0; i < wide; i++) {
      const px = ((i + 0.5) * frame.width) / wide;
      const py = ((j + 0.5) * frame.height) / high;
      at.evaluate(...frame.back(px, py));
      const u = sigma * at.s0;
      const v = -sigma * at.s1;
      const size = Math.hypot(u, v);
      if (!(size > 1e-9)) continue;
      const length = (0.42 * spacing * 2 * size) / (1 + size) / size;
      const ex = px + length * u;
      const ey = py + length * v;
      const angle = Math.atan2(v, u);
      context.moveTo(px, py);
      context.lineTo(ex, ey);
      for (const turn of [2.6, -2.6]) {
        context.moveTo(ex, ey);
        context.lineTo(ex + 4.5 * Math.cos(angle + turn), ey + 4.5 * Math.sin(angle + turn));
      }
    }
  }
  context.stroke();
}

/** Particles; with shares of the whole weight, their areas are as these, and as large on average. */
export function dots(context, frame, points, colour, shares = null) {
  const count = points.length / 2;
  const top = shares ? shares.reduce((a, b) => Math.max(a, b), 0) * count : 1;
  const unit = Math.min(DOT, LARGEST_DOT / top);
  context.fillStyle = colour;
  context.globalAlpha = 0.6;
  for (let i = 0; i < count; i++) {
    const side = Math.sqrt(shares ? unit * count * shares[i] : unit);
    const px = frame.x(points[2 * i]);
    const py = frame.y(points[2 * i + 1]);
    const outside = px < -side || py < -side || px > frame.width + side || py > frame.height + side;
    if (outside || side < 0.1) continue;
    if (side < 5) {
      context.fillRect(px - side / 2, py - side / 2, side, side);
    } else {
      context.beginPath();
      context.arc(px, py, side / Math.sqrt(Math.PI), 0, 2 * Math.PI);
      context.fill();
    }
  }
  context.globalAlpha = 1;
}

/** The way of one particle through the kept states up to the present one. */
export function track(context, frame, states, index, end, colour, width = 1) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  for (let s = 0; s <= end; s++) {
    const px = frame.x(states[s][2 * index]);
    const py = frame.y(states[s][2 * index + 1]);
    if (s === 0) context.moveTo(px, py);
    else context.lineTo(px, py);
  }
  context.stroke();
}

/** Curves over one axis, drawn upwards from the strip's foot: [{values, colour, dash, fill}]; perhaps bars behind. */
export function strip({ context, width, height }, curves, upright = true, bars = null) {
  const peak = Math.max(...[...curves, bars].filter(Boolean).map((c) => Math.max(...c.values)), 1e-12);
  if (bars) {
    const step = 1 / bars.values.length;
    context.fillStyle = bars.colour;
    context.globalAlpha = 0.3;
    bars.values.forEach((value, i) => {
      const rise = (0.94 * value) / peak;
      if (upright) context.fillRect(i * step * width + 0.5, (1 - rise) * height, step * width - 1, rise * height);
      else context.fillRect(0, (1 - (i + 1) * step) * height + 0.5, rise * width, step * height - 1);
    });
    context.globalAlpha = 1;
  }
  for (const { values, colour, dash, fill } of curves) {
    const at = (i) => {
      const along = (i + 0.5) / values.length;
      const rise = (0.94 * values[i]) / peak;
      return upright ? [along * width, height - rise * height] : [rise * width, (1 - along) * height];
    };
    context.beginPath();
    values.forEach((_, i) => (i ? context.lineTo(...at(i)) : context.moveTo(...at(i))));
    context.strokeStyle = colour;
    context.lineWidth = 1.8;
    context.setLineDash(dash);
    context.stroke();
    context.setLineDash([]);
    if (fill) {
      context.lineTo(...(upright ? [width, height] : [0, 0]));
      context.lineTo(...(upright ? [0, height] : [0, height]));
      context.fillStyle = colour;
      context.globalAlpha = 0.14;
      context.fill();
      context.globalAlpha = 1;
    }
  }
}

/** A small chart of y in [0, top] over log sigma, with a mark at the present sigma. */
export function chart({ context, width, height }, { xs, ys, top, now, colour, ink, faint, label }) {
  const pad = { left: 30, right: 6, top: 8, bottom: 20 };
  const [low, high] = [Math.log10(xs[0]), Math.log10(xs[xs.length - 1])];
  const px = (x) => pad.left + ((Math.log10(x) - low) / (high - low)) * (width - pad.left - pad.right);
  const py = (y) => height - pad.bottom - (y / top) * (height - pad.top - pad.bottom);
  context.font = "11px sans-serif";
  context.fillStyle = ink;
  context.strokeStyle = faint;
  context.lineWidth = 1;
  context.beginPath();
  for (const y of [0, top / 2, top]) {
    context.moveTo(pad.left, py(y));
    context.lineTo(width - pad.right, py(y));
    context.fillText(y.toFixed(y ? 1 : 0), 6, py(y) + 4);
  }
  context.stroke();
  context.textAlign = "center";
  for (let e = Math.ceil(low); e <= high; e++) context.fillText(String(10 ** e), px(10 ** e), height - 5);
  context.textAlign = "right";
  context.fillText(label, width - pad.right, pad.top + 10);
  context.textAlign = "left";
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  let drawn = false; // NaN leaves a gap
  ys.forEach((y, i) => {
    if (Number.isFinite(y)) context[drawn ? "lineTo" : "moveTo"](px(xs[i]), py(y));
    drawn = Number.isFinite(y);
  });
  context.stroke();
  if (now > 0) {
    context.strokeStyle = ink;
    context.setLineDash([3, 3]);
    context.beginPath();
    const x = Math.min(width - pad.right, Math.max(pad.left, px(now)));
    context.moveTo(x, pad.top);
    context.lineTo(x, height - pad.bottom);
    context.stroke();
    context.setLineDash([]);
  }
}

/** A picture of 3 x side x side values, from `low` (black) to 1 (white); values that stay as they are. */
export function photograph(canvas, values, side, low = 0) {
  if (canvas.shown === values && canvas.width === side) return;
  canvas.shown = values;
  if (canvas.width !== side || canvas.height !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const image = context.createImageData(side, side);
  const size = side * side;
  const scale = 255 / (1 - low);
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = scale * (values[c * size + i] - low); // clamps and rounds
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}
