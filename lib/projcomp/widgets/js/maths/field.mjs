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

/** For each share (ascending), the value above which that much of the mass lies. */
export function levelsOf(masses, shares) {
  const sorted = Float64Array.from(masses).sort();
  let held = 0;
  let k = sorted.length;
  return shares.map((share) => {
    while (k > 0 && held < share) held += sorted[--k];
    return sorted[k];
  });
}

/**
 * The contour values = level as lines [x0, y0, x1, y1, ...] (marching squares, ends joined).
 *
 * A crossing lies on an edge of the grid: edge 2k runs right from cell centre k, 2k + 1 up.
 */
export function contour(field, values, level) {
  const { cells, xs, ys } = field;
  const edges = 2 * cells * cells;
  if (!field.links) {
    field.links = new Int32Array(2 * edges);
    field.spots = new Float64Array(2 * edges);
  }
  const { links, spots } = field;
  links.fill(-1);
  const found = [];
  const cut = (from, to, a, b) => from + ((to - from) * (level - a)) / (b - a);
  const join = (e, f) => {
    links[2 * e + (links[2 * e] < 0 ? 0 : 1)] = f;
    links[2 * f + (links[2 * f] < 0 ? 0 : 1)] = e;
  };
  for (let j = 0; j < cells; j++) {
    for (let i = 0; i < cells; i++) {
      const k = j * cells + i;
      const here = values[k] > level;
      if (i + 1 < cells && here !== values[k + 1] > level) {
        spots[4 * k] = cut(xs[i], xs[i + 1], values[k], values[k + 1]);
        spots[4 * k + 1] = ys[j];
        found.push(2 * k);
      }
      if (j + 1 < cells && here !== values[k + cells] > level) {
        spots[4 * k + 2] = xs[i];
        spots[4 * k + 3] = cut(ys[j], ys[j + 1], values[k], values[k + cells]);
        found.push(2 * k + 1);
      }
    }
  }
  const corner = [0, 0, 0, 0];
  for (const edge of found) {
    // Each square is met once: from the first of its crossed edges in the order below.
    const k = edge >> 1;
    const squares = edge & 1 ? [k, k - 1] : [k, k - cells];
    for (const s of squares) {
      if (s < 0 || s % cells === cells - 1 || s >= cells * (cells - 1)) continue;
      const sides = [2 * s, 2 * s + 3, 2 * (s + cells), 2 * s + 1];
      corner[0] = values[s] > level;
      corner[1] = values[s + 1] > level;
      corner[2] = values[s + cells + 1] > level;
      corner[3] = values[s + cells] > level;
      const crossed = sides.filter((_, q) => corner[q] !== corner[(q + 1) % 4]);
      if (crossed[0] !== edge) continue;
      for (let q = 0; q + 1 < crossed.length; q += 2) join(crossed[q], crossed[q + 1]);
    }
  }
  return chains(found, links, spots);
}

/** Follows links from edge to edge: open lines from their ends first, then closed ones. */
function chains(found, links, spots) {
  const used = new Set();
  const lines = [];
  const follow = (start) => {
    const line = [];
    let edge = start;
    while (edge >= 0 && !used.has(edge)) {
      used.add(edge);
      line.push(spots[2 * edge], spots[2 * edge + 1]);
      const [a, b] = [links[2 * edge], links[2 * edge + 1]];
      edge = a >= 0 && !used.has(a) ? a : b;
    }
    if (links[2 * start + 1] >= 0) line.push(line[0], line[1]); // closed
    lines.push(line);
  };
  for (const edge of found) if (links[2 * edge + 1] < 0 && !used.has(edge)) follow(edge);
  for (const edge of found) if (!used.has(edge)) follow(edge);
  return lines;
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

/** Shares of the particles (x, y, x, y, ...) in equal bins of u . x over a range; what lies outside is lost. */
export function histogram(points, [u0, u1], [low, high], bins, shares = null) {
  const counts = new Float64Array(bins);
  for (let i = 0; i < points.length; i += 2) {
    const bin = Math.floor((bins * (u0 * points[i] + u1 * points[i + 1] - low)) / (high - low));
    if (bin >= 0 && bin < bins) counts[bin] += shares ? shares[i / 2] : 2 / points.length;
  }
  return counts;
}

/** The least and the largest u . x over a box. */
export function span([left, bottom, right, top], [u0, u1]) {
  const corners = [u0 * left + u1 * bottom, u0 * right + u1 * bottom, u0 * left + u1 * top, u0 * right + u1 * top];
  return [Math.min(...corners), Math.max(...corners)];
}
