// How far a composition is from what it should be, by quadrature over boxes that hold the mass:
// its shadows, and what noising and composing make of each other.

import { reachOf } from "./blocks.mjs";
import { Field, lineMasses, span, totalVariation } from "./field.mjs";

const CELLS = 120;
const COARSE = 60;
const FINE = 160;
const POINTS = 1200; // on a line
const ROUNDS = 4;
const FAINT = 1e-9; // of the peak
const GROWTH = 1.7;

/**
 * The box that holds the mass of a density known up to a constant, found from a box to start with:
 * grown while mass sits at its edge, then cut to the cells that matter, again and again; null if
 * mass stays at the edge.
 */
export function occupied(at, start) {
  let box = start;
  for (let r = 0; touches(at, box); r++) {
    if (r === 12) return null;
    box = scaled(box, GROWTH);
  }
  for (let r = 0; r < ROUNDS; r++) box = cut(at, box);
  return box;
}

function scaled([left, bottom, right, top], factor) {
  const [x, y] = [(left + right) / 2, (bottom + top) / 2];
  return [x + factor * (left - x), y + factor * (bottom - y), x + factor * (right - x), y + factor * (top - y)];
}

/** Whether there is mass at the edge of a box. */
function touches(at, box) {
  const field = new Field(box, COARSE);
  const masses = field.masses(at);
  const last = COARSE - 1;
  return masses.some((mass, k) => {
    const [i, j] = [k % COARSE, Math.floor(k / COARSE)];
    return mass > 1e-6 && (i === 0 || j === 0 || i === last || j === last);
  });
}

function cut(at, box) {
  const field = new Field(box, COARSE);
  const masses = field.masses(at);
  const least = FAINT * masses.reduce((a, b) => Math.max(a, b), 0);
  const found = [Infinity, Infinity, -Infinity, -Infinity];
  masses.forEach((mass, k) => {
    if (!(mass > least)) return;
    const [x, y] = [field.xs[k % COARSE], field.ys[Math.floor(k / COARSE)]];
    found[0] = Math.min(found[0], x - 1.5 * field.dx);
    found[1] = Math.min(found[1], y - 1.5 * field.dy);
    found[2] = Math.max(found[2], x + 1.5 * field.dx);
    found[3] = Math.max(found[3], y + 1.5 * field.dy);
  });
  return [Math.max(found[0], box[0]), Math.max(found[1], box[1]), Math.min(found[2], box[2]), Math.min(found[3], box[3])];
}

export const widened = ([left, bottom, right, top], by) => [left - by, bottom - by, right + by, top + by];

const union = (a, b) => a.map((value, i) => (i < 2 ? Math.min(value, b[i]) : Math.max(value, b[i])));

/** Masses over one field, noised by sigma, as masses over another; as projcomp's diagnosis does it. */
export function noisedOnto(source, masses, target, sigma) {
  const rows = kernel(source.xs, target.xs, sigma);
  const columns = kernel(source.ys, target.ys, sigma);
  const [n, m] = [source.cells, target.cells];
  const half = new Float64Array(n * m); // row by row of the source, columns of the target
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < n; i++) {
      const mass = masses[j * n + i];
      if (mass > 0) for (let t = 0; t < m; t++) half[j * m + t] += mass * rows[i * m + t];
    }
  }
  const found = new Float64Array(m * m);
  for (let j = 0; j < n; j++) {
    for (let s = 0; s < m; s++) {
      const share = columns[j * m + s];
      if (share > 0) for (let t = 0; t < m; t++) found[s * m + t] += share * half[j * m + t];
    }
  }
  return found;
}

/** How a point of one axis spreads over the points of another, each row summing to one. */
function kernel(here, there, sigma) {
  const spread = (there[1] - there[0]) / Math.sqrt(12); // a cell is no point: its own width is noise too
  const variance = sigma * sigma + spread * spread;
  const found = new Float64Array(here.length * there.length);
  here.forEach((x, i) => {
    const row = found.subarray(i * there.length, (i + 1) * there.length);
    const logs = there.map((y) => -0.5 * ((y - x) ** 2 / variance));
    const top = logs.reduce((a, b) => Math.max(a, b), -Infinity);
    logs.forEach((log, t) => (row[t] = Math.exp(log - top)));
    const total = row.reduce((a, b) => a + b, 0);
    row.forEach((value, t) => (row[t] = value / total));
  });
  return found;
}

/** Total variation between C[p^sigma] and N_sigma[C[p]], the mass of C[p] being in `core`. */
export function gapOf(composition, exact, sigma, core, box, cells) {
  const wide = new Field(box, cells);
  const source = new Field(core, cells);
  const truth = exact
    ? wide.masses(exact.at(sigma))
    : noisedOnto(source, source.masses(composition.at(0)), wide, sigma);
  return totalVariation(wide.masses(composition.at(sigma)), truth);
}

/** {gap, error} at one level; null where the mass can't be found. error: what half the cells change. */
export function commuting(composition, exact, sigma, core) {
  const here = occupied(composition.at(sigma), widened(core, 4 * sigma));
  if (!here) return null;
  const box = union(widened(core, 4 * sigma), here);
  const [fine, coarse] = [CELLS, COARSE].map((cells) => gapOf(composition, exact, sigma, core, box, cells));
  return { gap: fine, error: Math.abs(fine - coarse) };
}

/**
 * Total variation between the shadow of the composition along a unit vector and a concept's own:
 * in closed form on a line, or on a grid that lies along the vector.
 */
export function shadowGap(composition, exact, concept, unit, core) {
  const own = concept.projected(unit);
  if (exact) {
    const found = exact.projected(unit);
    const [low, high] = reachOf([own, seen(found)]);
    const step = (high - low) / POINTS;
    const xs = Float64Array.from({ length: POINTS }, (_, i) => low + (i + 0.5) * step);
    return totalVariation(lineMasses(found.at(0), xs), lineMasses(own.at(0), xs));
  }
  const [first, second] = [span(core, unit), span(core, [-unit[1], unit[0]])];
  const [low, high] = reachOf([own]);
  const field = new Field([Math.min(low, first[0]), second[0], Math.max(high, first[1]), second[1]], FINE);
  const masses = field.masses(composition.turned(unit).at(0));
  return totalVariation(field.marginal(masses, 0), lineMasses(own.at(0), field.xs));
}

/** Without the components that nobody sees. */
function seen({ weights, means, covariances }) {
  const rest = (values) => values.filter((_, k) => weights[k] > FAINT);
  return { means: rest(means), covariances: rest(covariances) };
}
