// Warps of the plane, and densities pushed through them, as projcomp.warps and pc.pushforward.
// A warp carries features (u, v) to pixels (x, y).

import { Composition } from "./composition.mjs";
import { Mixture } from "./mixture.mjs";

const TURN = 2 * Math.PI;
const TURNS = 3; // copies to each side, as projcomp.warps.Wrapped
const NEGLIGIBLE = 45; // e^-45 is a thousandth of a double's last digit
const RADIANS = Math.PI / 180;

/** The warps: what the amount is called, its range, where it starts, and the maps. */
export const WARPS = {
  rotation: { label: "angle", unit: "°", low: 0, high: 180, step: 1, start: 30, make: rotation },
  shear: { label: "angle of the axes", unit: "°", low: 15, high: 90, step: 1, start: 60, make: shear },
  banana: { label: "bend", unit: "", low: 0, high: 1, step: 0.01, start: 0.6, make: banana },
  polar: { low: 0, high: 0, step: 1, start: 0, make: polar, periodic: true },
};

/** {forward(u, v), inverse(x, y), logAbsDet(u, v), periodic} of a warp by name. */
export function warpOf(name, amount) {
  const { make, periodic = false } = WARPS[name];
  return { periodic, ...make(amount) };
}

function rotation(degrees) {
  const [c, s] = [Math.cos(degrees * RADIANS), Math.sin(degrees * RADIANS)];
  return {
    forward: (u, v) => [c * u - s * v, s * u + c * v],
    inverse: (x, y) => [c * x + s * y, c * y - s * x],
    logAbsDet: () => 0,
  };
}

function shear(degrees) {
  const [c, s] = [Math.cos(degrees * RADIANS), Math.sin(degrees * RADIANS)];
  const logAbsDet = Math.log(Math.abs(s));
  return {
    forward: (u, v) => [u + c * v, s * v],
    inverse: (x, y) => [x - (c / s) * y, y / s],
    logAbsDet: () => logAbsDet,
  };
}

function banana(bend) {
  return {
    forward: (u, v) => [u, v + bend * u * u],
    inverse: (x, y) => [x, y - bend * x * x],
    logAbsDet: () => 0,
  };
}

function polar() {
  return {
    forward: (u, v) => [Math.exp(u) * Math.cos(v), Math.exp(u) * Math.sin(v)],
    inverse: (x, y) => [Math.log(Math.hypot(x, y)), Math.atan2(y, x)],
    logAbsDet: (u) => 2 * u,
  };
}

/** An angle in (-pi, pi]. */
export function wrappedAngle(v) {
  const rest = v - TURN * Math.round(v / TURN);
  return rest <= -Math.PI ? rest + TURN : rest;
}

/** A mixture of the features; where v is an angle, a sum over its turns, for v in (-pi, pi]. */
export function featureMixture({ weights, means, covariances }, periodic) {
  if (!periodic) return new Mixture({ weights, means, covariances });
  const copies = [];
  for (let turn = -TURNS; turn <= TURNS; turn++) {
    means.forEach(([u, v], k) => {
      const mean = [u, v + turn * TURN];
      if (matters(mean[1], covariances[k])) copies.push({ k, mean });
    });
  }
  return new Mixture({
    weights: copies.map(({ k }) => weights[k]),
    means: copies.map(({ mean }) => mean),
    covariances: copies.map(({ k }) => covariances[k]),
  });
}

/** Whether a copy with its mean at v adds anything in (-pi, pi] beside the nearest copy. */
function matters(v, [[, cross], [, variance]]) {
  if (cross !== 0) return true; // its mean in v moves with u
  const distance = Math.max(0, Math.abs(v) - Math.PI); // the nearest copy is never beyond pi
  return (distance ** 2 - Math.PI ** 2) / (2 * variance) < NEGLIGIBLE;
}

/** A # p at sigma = 0: log p(A^-1(x)) - log |det DA(A^-1(x))|, for anything with `at`. */
export class Pushed {
  constructor(density, warp) {
    this.density = density;
    this.warp = warp;
    this.n = 2;
  }

  at(sigma) {
    if (sigma !== 0) throw new Error("a pushed density is exact at noise level 0 only");
    return new PushedAt(this.density.at(0), this.warp);
  }
}

class PushedAt {
  constructor(at, warp) {
    this.inner = at;
    this.warp = warp;
  }

  logDensity(x, y) {
    const [u, v] = this.warp.inverse(x, y);
    if (u === -Infinity) return u; // the origin, which no features map to
    return this.inner.logDensity(u, v) - this.warp.logAbsDet(u, v);
  }

  logDensities(xs, y, out) {
    for (let i = 0; i < xs.length; i++) out[i] = this.logDensity(xs[i], y);
  }
}

/**
 * The square of Lemma 6.2 for parts given as specifications (background null: simple product).
 *
 * features: C[p]. parts: the parts pushed, background first. first: A # C[p], composed in feature
 * space and then pushed. second: C[A # p], each part pushed with its own Jacobian factor, and the
 * pushed densities composed.
 */
export function square(background, concepts, warp) {
  const read = (spec) => (spec ? featureMixture(spec, warp.periodic) : null);
  const [base, ...rest] = [background, ...concepts].map(read);
  const push = (density) => (density ? new Pushed(density, warp) : null);
  const pushed = [base, ...rest].map(push);
  const features = new Composition(base, rest);
  return {
    features, parts: pushed, first: push(features), second: new Composition(pushed[0], pushed.slice(1)),
  };
}

/**
 * How far two densities that are known up to a constant differ on a field: the largest difference
 * of their log densities, once each is normalised over the field, among the cells where either
 * exceeds `floor` times its peak. NaN where there is nothing to compare.
 */
export function largestDifference(field, first, second, floor = 1e-6) {
  const [a, b] = [first, second].map((density) => normalisedLogs(field, density.at(0)));
  const lowest = [a, b].map((logs) => peakOf(logs) + Math.log(floor));
  let worst = NaN;
  for (let k = 0; k < a.length; k++) {
    if (!(a[k] > lowest[0] || b[k] > lowest[1])) continue;
    const gap = Math.abs(a[k] - b[k]);
    if (!(gap <= worst)) worst = gap;
  }
  return worst;
}

function peakOf(logs) {
  let top = -Infinity;
  for (const l of logs) if (l > top) top = l;
  return top;
}

function normalisedLogs(field, at) {
  const logs = field.map((x, y) => at.logDensity(x, y));
  const top = peakOf(logs);
  let total = 0;
  for (const l of logs) total += l > -Infinity ? Math.exp(l - top) : 0;
  const shift = top + Math.log(total);
  return logs.map((l) => l - shift);
}
