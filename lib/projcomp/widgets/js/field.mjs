// Densities on a grid: normalised masses, marginals, distances, and noising by quadrature.

/** A grid of cell centres over box = [left, bottom, right, top], `cells` along each axis. */
export class Field {
  constructor(box, cells) {
    this.box = box;
    this.cells = cells;
    const [left, bottom, right, top] = box;
    this.dx = (right - left) / cells;
    this.dy = (top - bottom) / cells;
    this.xs = Float64Array.from({ length: cells }, (_, i) => left + (i + 0.5) * this.dx);
    this.ys = Float64Array.from({ length: cells }, (_, i) => bottom + (i + 0.5) * this.dy);
  }

  /** f(x, y) at every cell, row by row from the bottom. */
  map(f) {
    const values = new Float64Array(this.cells * this.cells);
    for (let j = 0, k = 0; j < this.cells; j++) {
      const y = this.ys[j];
      for (let i = 0; i < this.cells; i++, k++) values[k] = f(this.xs[i], y);
    }
    return values;
  }

  /** The share of each cell in a density known up to a constant; sums to one over the box. */
  masses(at) {
    const { cells } = this;
    const values = new Float64Array(cells * cells);
    let top = -Infinity;
    for (let j = 0; j < cells; j++) {
      const row = values.subarray(j * cells, (j + 1) * cells);
      at.logDensities(this.xs, this.ys[j], row);
      for (let i = 0; i < cells; i++) if (row[i] > top) top = row[i];
    }
    let total = 0;
    for (let k = 0; k < values.length; k++) {
      const gap = values[k] - top;
      const mass = gap > -60 ? Math.exp(gap) : 0;
      values[k] = mass;
      total += mass;
    }
    for (let k = 0; k < values.length; k++) values[k] /= total;
    return values;
  }

  /** Marginal masses along axis 0 (x) or 1 (y). */
  marginal(masses, axis) {
    const { cells } = this;
    const out = new Float64Array(cells);
    for (let j = 0, k = 0; j < cells; j++) {
      for (let i = 0; i < cells; i++, k++) out[axis === 0 ? i : j] += masses[k];
    }
    return out;
  }

  /** Masses convolved with N(0, sigma^2 I), cut to the box and normalised over it. */
  noised(masses, sigma) {
    if (sigma === 0) return masses;
    const rows = blur(masses, this.cells, kernel(sigma / this.dx, this.cells), false);
    const both = blur(rows, this.cells, kernel(sigma / this.dy, this.cells), true);
    const total = both.reduce((a, b) => a + b, 0);
    return both.map((value) => value / total);
  }
}

/** Half of the sum of absolute differences: total variation between two sets of masses. */
export function totalVariation(p, q) {
  let sum = 0;
  for (let k = 0; k < p.length; k++) sum += Math.abs(p[k] - q[k]);
  return sum / 2;
}

/** Masses of a mixture on the line over the cells centred at xs (normalised over them). */
export function lineMasses(at, xs) {
  const logs = Float64Array.from(xs, (x) => at.logDensity(x, 0));
  const top = Math.max(...logs);
  const masses = logs.map((l) => Math.exp(l - top));
  const total = masses.reduce((a, b) => a + b, 0);
  return masses.map((m) => m / total);
}

/** The value above which a share of the mass lies: where to draw a contour. */
export function levelOf(masses, share) {
  const sorted = Float64Array.from(masses).sort();
  let held = 0;
  for (let k = sorted.length - 1; k >= 0; k--) {
    held += sorted[k];
    if (held >= share) return sorted[k];
  }
  return sorted[0];
}

/** Line segments [x0, y0, x1, y1, ...] of the contour values = level (marching squares). */
export function contour(field, values, level) {
  const { cells, xs, ys } = field;
  const segments = [];
  const cut = (a, b, u, v) => a + ((b - a) * (level - u)) / (v - u);
  for (let j = 0; j + 1 < cells; j++) {
    for (let i = 0; i + 1 < cells; i++) {
      const k = j * cells + i;
      const a = values[k];
      const b = values[k + 1];
      const c = values[k + cells + 1];
      const d = values[k + cells];
      const crossings = [];
      if (a > level !== b > level) crossings.push(cut(xs[i], xs[i + 1], a, b), ys[j]);
      if (b > level !== c > level) crossings.push(xs[i + 1], cut(ys[j], ys[j + 1], b, c));
      if (d > level !== c > level) crossings.push(cut(xs[i], xs[i + 1], d, c), ys[j + 1]);
      if (a > level !== d > level) crossings.push(xs[i], cut(ys[j], ys[j + 1], a, d));
      for (let s = 0; s + 3 < crossings.length; s += 4) segments.push(...crossings.slice(s, s + 4));
    }
  }
  return segments;
}

function kernel(width, cells) {
  const reach = Math.min(cells - 1, Math.ceil(6 * width));
  // The mass of the Gaussian in each cell would need erf; its centre value is as good once the
  // width is a cell or more, and below that we sum eight points within the cell.
  const fine = width < 2 ? 8 : 1;
  const half = Float64Array.from({ length: reach + 1 }, (_, i) => {
    let sum = 0;
    for (let s = 0; s < fine; s++) {
      const offset = i + (s + 0.5) / fine - 0.5;
      sum += Math.exp(-0.5 * (offset / width) ** 2);
    }
    return sum / fine;
  });
  const total = 2 * half.reduce((a, b) => a + b, 0) - half[0];
  return half.map((value) => value / total);
}

function blur(masses, cells, half, vertical) {
  const out = new Float64Array(masses.length);
  const reach = half.length - 1;
  const along = vertical ? cells : 1;
  const across = vertical ? 1 : cells;
  for (let r = 0; r < cells; r++) {
    const base = r * across;
    for (let i = 0; i < cells; i++) {
      const mass = masses[base + i * along];
      if (mass < 1e-14) continue;
      const low = Math.max(0, i - reach);
      const high = Math.min(cells - 1, i + reach);
      for (let t = low; t <= high; t++) out[base + t * along] += mass * half[Math.abs(t - i)];
    }
  }
  return out;
}
