// The composition operator: p_b prod_i (p_i / p_b)^{w_i}, at every noise level.
// A background of null is flat, which makes the simple product.

import { Mixture } from "./mixture.mjs";

const MOST_COMPONENTS = 4096;

export class Composition {
  constructor(background, concepts, weights) {
    this.background = background;
    this.concepts = concepts;
    this.weights = weights ?? concepts.map(() => 1);
    this.n = concepts[0].n;
    const total = this.weights.reduce((a, b) => a + b, 0);
    const rest = 1 - total;
    /** The sum of all exponents: q^sigma starts near N(0, sigma^2 / exponent). */
    this.exponent = background ? 1 : total;
    this.terms = concepts.map((p, i) => [p, this.weights[i]]);
    if (background) this.terms.unshift([background, rest]);
    this.terms = this.terms.filter(([, c]) => c !== 0);
  }

  /** Standard deviation of the noise that particles of q^sigma carry, in units of sigma. */
  get spread() {
    return this.exponent > 0 ? this.exponent ** -0.5 : 1;
  }

  at(sigma) {
    return new CompositionAt(this, sigma);
  }

  /** The same in axes of which the first lies along the unit vector u. */
  turned(u) {
    const turn = (mixture) => mixture.turned(u);
    return new Composition(this.background && turn(this.background), this.concepts.map(turn), this.weights);
  }

  /**
   * C[p^sigma] as a normalised mixture (products and quotients of Gaussians by precisions), or
   * null where a power of a mixture has no closed form or nothing is normalisable.
   */
  exact(sigma = 0) {
    let rows = [{ logWeight: 0, p: [0, 0, 0], h: [0, 0] }];
    for (const [mixture, exponent] of this.terms) {
      if (exponent !== 1 && mixture.size > 1) return null;
      if (rows.length * mixture.size > MOST_COMPONENTS) return null;
      const parts = naturalParameters(mixture, sigma);
      rows = rows.flatMap((row) =>
        parts.map((part) => ({
          logWeight: row.logWeight + exponent * part.logWeight,
          p: row.p.map((value, i) => value + exponent * part.p[i]),
          h: row.h.map((value, i) => value + exponent * part.h[i]),
        })),
      );
    }
    const line = this.n === 1;
    const found = [];
    for (const { logWeight, p, h } of rows) {
      const det = line ? p[0] : p[0] * p[2] - p[1] * p[1];
      if (!(det > 0 && p[0] > 0)) return null;
      const covariance = line
        ? [[1 / p[0]]]
        : [
            [p[2] / det, -p[1] / det],
            [-p[1] / det, p[0] / det],
          ];
      const mean = covariance.map((c) => c.reduce((sum, value, i) => sum + value * h[i], 0));
      const lift = mean.reduce((sum, value, i) => sum + value * h[i], 0);
      found.push({ logWeight: logWeight + 0.5 * (lift - Math.log(det)), mean, covariance });
    }
    const top = Math.max(...found.map((f) => f.logWeight));
    const shares = found.map((f) => Math.exp(f.logWeight - top));
    const total = shares.reduce((a, b) => a + b, 0);
    return new Mixture({
      weights: shares.map((s) => s / total),
      means: found.map((f) => f.mean),
      covariances: found.map((f) => f.covariance),
    });
  }

  /** true, false, or null where the tails do not decide; as Composition.normalisable in Python. */
  normalisable(sigma = 0) {
    if (!this.terms.length) return false;
    let totals = [[0, 0, 0]];
    for (const [mixture, exponent] of this.terms) {
      const kept = mixture.weights.map((w) => w > 0);
      let precisions = naturalParameters(mixture, sigma).map((part) => part.p);
      precisions = unique(precisions.filter((_, k) => kept[k]));
      if (exponent < 0 && precisions.length > 1) return null;
      if (totals.length * precisions.length > MOST_COMPONENTS) return null;
      totals = totals.flatMap((t) => precisions.map((p) => t.map((v, i) => v + exponent * p[i])));
    }
    return totals.every(([a, b, d]) => a > 0 && (this.n === 1 || a * d - b * b > 0));
  }
}

class CompositionAt {
  constructor(composition, sigma) {
    this.terms = composition.terms.map(([mixture, exponent]) => [mixture.at(sigma), exponent]);
    this.backgroundAt = composition.background ? composition.background.at(sigma) : null;
    this.conceptsAt = composition.concepts.map((concept) => concept.at(sigma));
    this.weights = composition.weights;
    this.heat = composition.spread ** 2;
    this.logProb = 0;
    this.s0 = 0;
    this.s1 = 0;
  }

  logDensity(x, y) {
    let total = 0;
    for (const [at, exponent] of this.terms) total += exponent * at.logDensity(x, y);
    return total;
  }

  logDensities(xs, y, out) {
    if (this.row?.length !== xs.length) this.row = new Float64Array(xs.length);
    const { row } = this;
    out.fill(0);
    for (const [at, exponent] of this.terms) {
      at.logDensities(xs, y, row);
      for (let j = 0; j < row.length; j++) out[j] += exponent * row[j];
    }
  }

  evaluate(x, y) {
    this.logProb = 0;
    this.s0 = 0;
    this.s1 = 0;
    for (const [at, exponent] of this.terms) {
      at.evaluate(x, y);
      this.logProb += exponent * at.logProb;
      this.s0 += exponent * at.s0;
      this.s1 += exponent * at.s1;
    }
  }

  /** I = (|sum w Delta|^2 - sum w |Delta|^2) / 2, with the score deltas Delta_i = s_i - s_b. */
  interaction(x, y) {
    const { backgroundAt, conceptsAt, weights } = this;
    backgroundAt?.evaluate(x, y);
    const b0 = backgroundAt ? backgroundAt.s0 : 0;
    const b1 = backgroundAt ? backgroundAt.s1 : 0;
    let t0 = 0;
    let t1 = 0;
    let squares = 0;
    for (let i = 0; i < weights.length; i++) {
      const at = conceptsAt[i];
      at.evaluate(x, y);
      const d0 = at.s0 - b0;
      const d1 = at.s1 - b1;
      t0 += weights[i] * d0;
      t1 += weights[i] * d1;
      squares += weights[i] * (d0 * d0 + d1 * d1);
    }
    return 0.5 * (t0 * t0 + t1 * t1 - squares);
  }

  /**
   * What d log w gains for each unit by which u = sigma^2 falls, as Python's interaction(natural=True):
   * the interaction, and where exponents do not sum to one what the particles' noise, of variance
   * heat u, leaves of the heat equation.
   */
  naturalInteraction(x, y) {
    const value = this.interaction(x, y);
    if (this.heat === 1) return value;
    let bend = 0;
    for (const [at, exponent] of this.terms) bend += exponent * at.laplacian(x, y);
    this.evaluate(x, y);
    return value + 0.5 * (this.heat - 1) * (bend + this.s0 * this.s0 + this.s1 * this.s1);
  }
}

/** Precision [p00, p01, p11], precision times mean, and log weight, of each noised component. */
function naturalParameters(mixture, sigma) {
  const { rows, size } = mixture.at(sigma);
  return Array.from({ length: size }, (_, k) => {
    const [, m0, m1, p0, p1, p2] = rows.subarray(6 * k, 6 * k + 6);
    const det = mixture.n === 1 ? p0 : p0 * p2 - p1 * p1;
    const h = [p0 * m0 + p1 * m1, p1 * m0 + p2 * m1];
    const logWeight =
      Math.log(mixture.weights[k]) + 0.5 * (Math.log(det) - m0 * h[0] - m1 * h[1]);
    return { logWeight, p: [p0, p1, p2], h };
  });
}

function unique(rows) {
  return [...new Map(rows.map((row) => [row.join(), row])).values()];
}
