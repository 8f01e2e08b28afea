// All that the verdict on a composition of the plane rests on, one piece of work after another.

import { dependence, directionOf, leakOf, reachOf, sine } from "./blocks.mjs";
import { drawn, drawnFrom, energyDistance } from "./draws.mjs";
import { Field } from "./field.mjs";
import { commuting, occupied, shadowGap } from "./gaps.mjs";
import { Weights, effectiveSize, initial, normalised, normals, sigmaGrid, step } from "./sampling.mjs";

const POINTS = 300; // of every density, for its deltas
export const COMPARED = 500; // samples and exact draws, at most
const FLOORS = 12;
const LEVELS = 16;
const EDGES = 64;
const CELLS = 160;
const MOST_EXACT = 128; // components, up to which a closed form is faster than quadrature
export const SEEN = 0.01; // a share of the mass that a picture does not show
export const AXES = [[1, 0], [0, 1]];

/**
 * What each concept changes: {unit, rank} at its own points and the background's. The unit vector is
 * the only direction of its score delta (rank 1), or the one of `given` where there is none such.
 */
export function directionsOf({ background, concepts }, given = AXES) {
  const base = background ? drawn(background, POINTS, normals(0)) : new Float64Array();
  return concepts.map((concept, i) => {
    const points = Float64Array.from([...base, ...drawn(concept, POINTS, normals(i + 1))]);
    const { unit, rank } = directionOf(concept, background, points);
    return { unit: rank === 1 ? unit : (given[i] ?? null), rank };
  });
}

/** {exists, edge}: whether it is normalisable at sigma = 0, and the highest noise level at which it is not. */
export function existence(composition, size) {
  const exists = composition.normalisable(0);
  const fails = (sigma) => composition.normalisable(sigma) === false;
  const level = (i) => 1e-3 * size * 1e5 ** (i / (EDGES - 1));
  let i = EDGES - 1;
  while (i >= 0 && !fails(level(i))) i -= 1;
  if (i === EDGES - 1) return { exists, edge: Infinity };
  if (i < 0 && exists !== false) return { exists, edge: null };
  let [low, high] = [i < 0 ? 0 : level(i), level(i + 1)];
  while (high - low > 1e-6 * high && high > 1e-9 * size) {
    const middle = (low + high) / 2;
    if (fails(middle)) low = middle;
    else high = middle;
  }
  return { exists, edge: high };
}

/**
 * Whether the concepts have factorized conditionals in linear features, and how far from it they
 * are: {active, rows, angle, leaks, tied}. active: the concepts that change anything. rows: the
 * features, null where there is no one direction for each. tied: dependence of the background.
 */
export function factorisation({ background, concepts }, directions) {
  const active = concepts.map((_, i) => i).filter((i) => directions[i].rank > 0);
  const units = active.map((i) => directions[i].unit);
  const none = { active, rows: null, angle: null, leaks: [], tied: NaN };
  if (!background || active.length > 2 || units.some((unit) => !unit)) return none;
  const [first = AXES[0], second = [-first[1], first[0]]] = units;
  const angle = Math.asin(Math.min(1, Math.abs(sine(first, second))));
  if (angle < 1e-6) return { ...none, angle: 0 };
  const rows = [first, second];
  const leaks = active.map((i, place) =>
    leakOf(concepts[i], background, rows, place, drawn(concepts[i], POINTS, normals(i + 1))),
  );
  return { active, rows, angle, leaks, tied: dependence(background, rows) };
}

/**
 * The numbers of a verdict; yields between pieces. how: steps, method, particles, seed, sigma_min
 * and sigma_max of the sampler. given: directions for concepts that change more than one; shadows
 * are cast along them too, if they are right there and not along what the concepts change.
 */
export function* examine(composition, how, given = AXES) {
  const { background, concepts } = composition;
  const parts = [background, ...concepts].filter(Boolean);
  const reach = reachOf(parts);
  const size = Math.max(reach[2] - reach[0], reach[3] - reach[1]) / 2;
  const existing = existence(composition, size);
  yield;
  const directions = directionsOf(composition, given);
  yield;
  const found = { ...existing, directions, ...factorisation(composition, directions) };
  yield;
  if (found.exists === false) return found;
  const closed = composition.exact(0);
  const exact = closed?.size <= MOST_EXACT ? closed : null;
  const truth = exact ?? composition;
  const core = occupied(truth.at(0), reach);
  if (!core) return { ...found, core };
  yield;
  const cast = (units) => units.map((unit, i) => (unit ? shadowGap(composition, exact, concepts[i], unit, core) : NaN));
  let along = directions.map(({ unit }) => unit);
  let shadows = cast(along);
  yield;
  const drawnAlong = concepts.map((_, i) => given[i] ?? null);
  const others = cast(drawnAlong);
  if (shadows.some((gap) => gap > SEEN) && others.every((gap) => gap < SEEN)) [along, shadows] = [drawnAlong, others];
  yield;
  const levels = [];
  for (let i = 0; i < LEVELS; i++) {
    const sigma = 0.01 * size * 300 ** (i / (LEVELS - 1));
    const gap = composition.normalisable(sigma) === false ? null : commuting(composition, exact, sigma, core);
    if (gap) levels.push({ sigma, ...gap });
    yield;
  }
  const way = yield* sampled(composition, how);
  const field = new Field(core, CELLS);
  const masses = exact ? null : field.masses(composition.at(0));
  const normal = normals(how.seed + 1);
  const draw = () => (exact ? drawn(exact, COMPARED, normal) : drawnFrom(field, masses, COMPARED, normal));
  const energy = yield* compared(way.points, way.shares, draw);
  return { ...found, core, along, shadows, levels, energy, particles: how.particles, ...way };
}

/**
 * The sampler's particles at the end, their shares of the whole weight by the interaction, how many
 * equal ones these are worth, and the largest standard deviation of sigma^2 I among the particles
 * of a level: {points, shares, effective, missed, spread}. missed: total variation between the law
 * of the particles and C[p], as the weights tell it.
 */
function* sampled(composition, { steps, method, particles, seed, sigma_min, sigma_max }) {
  const levels = sigmaGrid(sigma_min, sigma_max, steps);
  const weights = new Weights(composition, levels);
  const normal = normals(seed);
  let points = initial(particles, composition.spread * levels[0], normal);
  let spread = { value: 0, sigma: NaN };
  for (const [s, sigma] of levels.entries()) {
    if (s) points = step(composition, points, levels[s - 1], sigma, method, normal);
    weights.add(points);
    const value = weights.rates ? deviation(weights.rates) : 0;
    if (value > spread.value) spread = { value, sigma };
    yield;
  }
  const shares = normalised(weights.logs.at(-1)).map(Math.exp);
  const missed = 0.5 * shares.reduce((sum, share) => sum + Math.abs(share - 1 / shares.length), 0);
  return { points, shares, effective: effectiveSize(shares), missed, spread };
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

function deviation(values) {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / Math.max(values.length - 1, 1));
}

/** The energy distance of samples to exact draws, weighed and not, beside that of exact draws. */
function* compared(samples, shares, draw) {
  const points = samples.subarray(0, 2 * COMPARED);
  const kept = shares.subarray(0, COMPARED);
  const total = kept.reduce((a, b) => a + b, 0);
  const [own, weighed, floors] = [[], [], []];
  for (let i = 0; i < FLOORS; i++) {
    const reference = draw();
    own.push(energyDistance(points, reference));
    weighed.push(energyDistance(points, reference, kept.map((share) => share / total)));
    floors.push(energyDistance(draw().subarray(0, points.length), reference));
    yield;
  }
  return { value: mean(own), weighed: mean(weighed), floor: mean(floors), spread: deviation(floors) };
}
