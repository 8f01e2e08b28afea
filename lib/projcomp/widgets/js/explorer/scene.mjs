// What the Explorer shows, computed from its state and kept until the state changes.

import { drawn, drawnFrom, offBy } from "../maths/draws.mjs";
import { Field, lineMasses, span, totalVariation } from "../maths/field.mjs";
import { Mixture } from "../maths/mixture.mjs";
import { Pace, movements } from "../maths/pace.mjs";
import { Path, Weights, between, normals, sigmaGrid } from "../maths/sampling.mjs";
import { Kept } from "../shared/kept.mjs";
import { FATES, Fates } from "./fates.mjs";
import { composed } from "./state.mjs";

export const FINE = 160;
export const COARSE = 96;
const BLOCKS = 8; // along each side, in which samples are counted
const CURVE_LEVELS = 36;
const CURVE_CELLS = 64;
const PILOTS = 60; // particles whose movement sets the pace

export class Scene {
  constructor() {
    this.kept = new Kept();
  }

  /** Call when the state is another one. */
  update(state) {
    const parts = JSON.stringify([
      state.background, state.concepts, state.unconditional, state.weights, state.operator,
    ]);
    const how = JSON.stringify([
      state.steps, state.method, state.particles, state.seed, state.sigma_min, state.sigma_max,
    ]);
    if (parts !== this.parts) this.composition = composed(state);
    if (parts !== this.parts || how !== this.how) this.path = null;
    this.parts = parts;
    this.how = how;
    this.state = state;
  }

  /** The camera: the box, widened so that the noise fits in. */
  get box() {
    return this.boxAt(this.state.sigma);
  }

  boxAt(sigma) {
    const [left, bottom, right, top] = this.state.box;
    if (this.state.view === "line") return this.state.box;
    const half = Math.min(right - left, top - bottom) / 2;
    const zoom = Math.max(1, (2.2 * sigma) / half);
    const [cx, cy] = [(left + right) / 2, (bottom + top) / 2];
    return [
      cx + zoom * (left - cx), cy + zoom * (bottom - cy), cx + zoom * (right - cx), cy + zoom * (top - cy),
    ];
  }

  field(cells, box = this.box) {
    const key = `${cells}|${box}`;
    return this.kept.get(`field ${cells}`, key, () => new Field(box, cells));
  }

  /** Masses of one density on the grid at the present noise level. */
  masses(name, mixtureOrComposition, cells) {
    const { sigma } = this.state;
    const field = this.field(cells);
    const key = `${this.parts}|${sigma}|${field.box}`;
    return this.kept.get(`${name} ${cells}`, key, () => field.masses(mixtureOrComposition.at(sigma)));
  }

  /** What the operator divides by; the simple product shows the background that it leaves out. */
  base() {
    const { background } = this.state;
    const own = this.composition.background;
    if (own || !background) return own;
    return this.kept.get("base", JSON.stringify(background), () => new Mixture(background));
  }

  /** The truth beside the composed noise: closed form, or null for quadrature. */
  exact() {
    return this.kept.get("exact", this.parts, () => this.composition.exact(0));
  }

  /** Masses of N_sigma[C[p]] on the grid. */
  truth(cells = COARSE) {
    const exact = this.exact();
    if (exact) return this.masses("truth", exact, cells);
    const { sigma } = this.state;
    const field = this.field(cells);
    const key = `${this.parts}|${sigma}|${field.box}`;
    return this.kept.get(`blurred ${cells}`, key, () =>
      field.noised(field.masses(this.composition.at(0)), sigma),
    );
  }

  /** Whether there is a composition at the present noise level, as far as is known. */
  get exists() {
    const { sigma } = this.state;
    return this.kept.get("exists", `${this.parts}|${sigma}`, () => this.existsAt(sigma));
  }

  existsAt(sigma) {
    return this.composition.normalisable(sigma) !== false;
  }

  get hasTruth() {
    return this.kept.get("truth exists", this.parts, () => this.existsAt(0));
  }

  interactionField(cells = 56) {
    const { sigma } = this.state;
    const field = this.field(cells);
    const key = `${this.parts}|${sigma}|${field.box}`;
    return this.kept.get("interaction", key, () => {
      const at = this.composition.at(sigma);
      return field.map((x, y) => at.interaction(x, y));
    });
  }

  /** The shadow of the composition along a unit vector, and the concept's own. */
  shadow(index, direction) {
    const { sigma } = this.state;
    const concept = this.composition.concepts[index];
    if (!concept || !this.exists) return null;
    const field = this.field(FINE);
    const key = `${this.parts}|${sigma}|${field.box}|${direction}`;
    return this.kept.get(`shadow ${index}`, key, () => {
      const [own, centres] = this.projected(field, direction);
      const wanted = lineMasses(concept.projected(direction).at(sigma), centres);
      return { own, wanted, error: totalVariation(own, wanted), range: span(field.box, direction) };
    });
  }

  /** The composition's masses along a unit vector, and where. */
  projected(field, direction) {
    if (direction[0] === 1 || direction[1] === 1) {
      const masses = this.masses("composed", this.composition, FINE);
      const axis = direction[0] === 1 ? 0 : 1;
      return [field.marginal(masses, axis), axis ? field.ys : field.xs];
    }
    // On a grid that lies along the vector: cells shared out among slanting bins would blur.
    const [low, high] = span(field.box, direction);
    const [foot, head] = span(field.box, [-direction[1], direction[0]]);
    const slanting = new Field([low, foot, high, head], FINE);
    const masses = slanting.masses(this.composition.turned(direction).at(this.state.sigma));
    return [slanting.marginal(masses, 0), slanting.xs];
  }

  /** Total variation between C[p^sigma] and N_sigma[C[p]] at the present level. */
  gap() {
    if (!this.hasTruth || !this.exists) return NaN;
    const masses = this.masses("composed", this.composition, COARSE);
    return totalVariation(masses, this.truth(COARSE));
  }

  /** The same over the noise levels; computed a level at a time by `advanceCurve`. */
  curve() {
    return this.kept.get("curve", this.parts + this.state.box, () => ({
      xs: Array.from({ length: CURVE_LEVELS }, (_, i) => 0.02 * 1500 ** (i / (CURVE_LEVELS - 1))),
      ys: [],
    }));
  }

  advanceCurve(budget) {
    const curve = this.curve();
    const end = performance.now() + budget;
    while (this.hasTruth && curve.ys.length < curve.xs.length && performance.now() < end) {
      const sigma = curve.xs[curve.ys.length];
      if (!this.existsAt(sigma)) {
        curve.ys.push(NaN);
        continue;
      }
      const field = new Field(this.boxAt(sigma), CURVE_CELLS);
      const exact = this.exact();
      const truth = exact
        ? field.masses(exact.at(sigma))
        : field.noised(field.masses(this.composition.at(0)), sigma);
      curve.ys.push(totalVariation(field.masses(this.composition.at(sigma)), truth));
    }
    return !this.hasTruth || curve.ys.length === curve.xs.length;
  }

  /** The sampled path; call its `advance` until it is done. */
  sampled() {
    if (this.state.view === "fates") {
      this.path ??= this.fates();
    } else {
      this.path ??= this.pathOf(this.state.particles);
      this.path.weighted = this.state.reweight;
    }
    return this.path;
  }

  pathOf(particles) {
    const { sigma_min, sigma_max, steps, method, seed } = this.state;
    return new Path(this.composition, sigmaGrid(sigma_min, sigma_max, steps), particles, method, seed);
  }

  fates() {
    const { sigma_min, sigma_max, steps, particles, seed } = this.state;
    const levels = sigmaGrid(sigma_min, sigma_max, steps);
    return new Fates(this.composition, levels, particles, seed, this.exactDraws(particles, seed + 1));
  }

  /** Draws of the composition without noise; null where there is none. */
  exactDraws(particles, seed) {
    if (!this.hasTruth) return null;
    const exact = this.exact();
    if (exact) return drawn(exact, particles, normals(seed));
    const field = this.field(FINE, this.state.box);
    return drawnFrom(field, field.masses(this.composition.at(0)), particles, normals(seed));
  }

  /** How far each fate is off the noised composition, once all particles have arrived; else nothing. */
  fatesOff() {
    const { path, hasTruth } = this;
    const { sigma, view } = this.state;
    if (view !== "fates" || !path?.done) return {};
    return this.kept.get("fates off", `${this.parts}|${this.how}|${sigma}|${this.box}`, () => {
      const off = (fate) => {
        const found = hasTruth && path.at(fate, sigma);
        return found ? offBy(found.points, this.field(COARSE), this.truth(), BLOCKS, found.shares) : NaN;
      };
      return Object.fromEntries(Object.keys(FATES).map((fate) => [fate, off(fate)]));
    });
  }

  /** Levels are shown for as long as particles move over the picture; a few tell for all. */
  pace() {
    const { box, particles, view } = this.state;
    return this.kept.get("pace", `${this.parts}|${this.how}|${box}|${view}`, () => {
      const path = this.pathOf(Math.min(PILOTS, particles));
      return new Pace(movements(path.finish(), path.levels.map((level) => this.boxAt(level))));
    });
  }

  /** The path's last level, and the last that is computed, by number. */
  get last() {
    return this.sampled().levels.length - 1;
  }

  get known() {
    return this.sampled().states.length - 1;
  }

  /** The present level by number; the first, from 0. */
  get position() {
    const { sigma } = this.state;
    const here = this.sampled().levels.findIndex((level) => level <= sigma);
    return sigma === 0 ? 0 : Math.max(here, 0);
  }

  /** The next level below the present one; the first, from 0. */
  get next() {
    const { sigma } = this.state;
    const { levels } = this.sampled();
    return sigma === 0 ? levels[0] : (levels.find((level) => level < sigma - 1e-12) ?? 0);
  }

  /** The integral of the interaction over v along one particle's way, from the start to now. */
  interactionAlong(index) {
    const { path } = this;
    if (!path) return NaN;
    const way = new Weights(this.composition, path.levels);
    for (const points of path.states) way.add(points.subarray(2 * index, 2 * index + 2));
    return between(path.levels, way.logs, this.state.sigma)[0];
  }
}
