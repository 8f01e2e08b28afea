// Gaussian mixtures on the line (n = 1) and the plane (n = 2), exact at every noise level.
// The same formulas as projcomp.densities, in double precision.

const LOG_2PI = Math.log(2 * Math.PI);
const NEGLIGIBLE = -45; // e^-45 is a thousandth of a double's last digit

/** A mixture from its specification {weights, means, covariances}; see projcomp.widgets.spec. */
export class Mixture {
  constructor({ weights, means, covariances }) {
    this.weights = weights;
    this.means = means;
    this.covariances = covariances;
    this.n = means[0].length;
    this.size = weights.length;
  }

  /** What evaluating at noise level sigma needs: rows of constant, mean and precision. */
  at(sigma) {
    const v = sigma * sigma;
    const rows = new Float64Array(this.size * 6);
    for (let k = 0; k < this.size; k++) {
      const c = this.covariances[k];
      const m = this.means[k];
      const logWeight = Math.log(this.weights[k]);
      const row = 6 * k;
      if (this.n === 1) {
        const s = c[0][0] + v;
        rows.set([logWeight - 0.5 * (LOG_2PI + Math.log(s)), m[0], 0, 1 / s, 0, 0], row);
      } else {
        const a = c[0][0] + v;
        const b = c[0][1];
        const d = c[1][1] + v;
        const det = a * d - b * b;
        const constant = logWeight - LOG_2PI - 0.5 * Math.log(det);
        rows.set([constant, m[0], m[1], d / det, -b / det, a / det], row);
      }
    }
    return new MixtureAt(rows);
  }

  /** The law of one coordinate, as a mixture on the line. */
  marginal(axis) {
    return new Mixture({
      weights: this.weights,
      means: this.means.map((m) => [m[axis]]),
      covariances: this.covariances.map((c) => [[c[axis][axis]]]),
    });
  }

  /** The same in axes of which the first lies along the unit vector u, the second a quarter turn on. */
  turned([c, s]) {
    return new Mixture({
      weights: this.weights,
      means: this.means.map(([x, y]) => [c * x + s * y, c * y - s * x]),
      covariances: this.covariances.map(([[xx, xy], [, yy]]) => {
        const cross = c * s * (yy - xx) + (c * c - s * s) * xy;
        const twice = 2 * c * s * xy;
        return [
          [c * c * xx + twice + s * s * yy, cross],
          [cross, s * s * xx - twice + c * c * yy],
        ];
      }),
    });
  }

  /** The law of u . x for a unit vector u. */
  projected([u0, u1]) {
    return new Mixture({
      weights: this.weights,
      means: this.means.map((m) => [u0 * m[0] + u1 * m[1]]),
      covariances: this.covariances.map((c) => [
        [u0 * u0 * c[0][0] + 2 * u0 * u1 * c[0][1] + u1 * u1 * c[1][1]],
      ]),
    });
  }
}

/** A mixture at one noise level. `evaluate` leaves log density and score in its fields. */
export class MixtureAt {
  constructor(rows) {
    this.rows = rows;
    this.size = rows.length / 6;
    this.logits = new Float64Array(this.size);
    this.logProb = 0;
    this.s0 = 0;
    this.s1 = 0;
  }

  /** Sets every component's log density at (x, y), weight included; returns the largest. */
  weigh(x, y) {
    const { rows, logits, size } = this;
    let top = -Infinity;
    for (let k = 0, r = 0; k < size; k++, r += 6) {
      const dx = x - rows[r + 1];
      const dy = y - rows[r + 2];
      const l =
        rows[r] - 0.5 * (dx * (rows[r + 3] * dx + 2 * rows[r + 4] * dy) + rows[r + 5] * dy * dy);
      logits[k] = l;
      if (l > top) top = l;
    }
    return top;
  }

  /** log density at (x, y) only. */
  logDensity(x, y) {
    const { logits, size } = this;
    const top = this.weigh(x, y);
    if (size === 1) return top;
    let total = 0;
    for (let k = 0; k < size; k++) {
      const gap = logits[k] - top;
      if (gap > NEGLIGIBLE) total += Math.exp(gap);
    }
    return top + Math.log(total);
  }

  /**
   * log densities along the row of equally spaced xs at height y, into out.
   *
   * On such a row a Gaussian needs no exponentials: neighbouring values have a ratio, and the
   * ratios have a constant ratio. Each component runs from its peak outwards, so that nothing
   * grows; cells that underflow are done again the exact way.
   */
  logDensities(xs, y, out) {
    const { rows, size } = this;
    const count = xs.length;
    const h = xs[1] - xs[0];
    const { sums, starts } = this.scratch(count);
    let top = -Infinity;
    for (let k = 0, r = 0; k < size; k++, r += 6) {
      const p0 = rows[r + 3];
      const dy = y - rows[r + 2];
      const peak = rows[r + 1] - (rows[r + 4] * dy) / p0;
      const i = Math.min(count - 1, Math.max(0, Math.round((peak - xs[0]) / h)));
      const dx = xs[i] - rows[r + 1];
      const l = rows[r] - 0.5 * (dx * (p0 * dx + 2 * rows[r + 4] * dy) + rows[r + 5] * dy * dy);
      starts[2 * k] = i;
      starts[2 * k + 1] = l;
      if (l > top) top = l;
    }
    sums.fill(0);
    for (let k = 0, r = 0; k < size; k++, r += 6) {
      const i = starts[2 * k];
      const value = Math.exp(starts[2 * k + 1] - top);
      if (value === 0) continue;
      const p0 = rows[r + 3];
      const slope = p0 * (xs[i] - rows[r + 1]) + rows[r + 4] * (y - rows[r + 2]);
      const bend = Math.exp(-p0 * h * h);
      sums[i] += value;
      let ratio = Math.exp(-h * slope - 0.5 * p0 * h * h);
      for (let j = i + 1, g = value * ratio; j < count && g > 0; j++, g *= ratio) {
        sums[j] += g;
        ratio *= bend;
      }
      ratio = Math.exp(h * slope - 0.5 * p0 * h * h);
      for (let j = i - 1, g = value * ratio; j >= 0 && g > 0; j--, g *= ratio) {
        sums[j] += g;
        ratio *= bend;
      }
    }
    for (let j = 0; j < count; j++) {
      out[j] = sums[j] > 1e-280 ? top + Math.log(sums[j]) : this.logDensity(xs[j], y);
    }
  }

  scratch(count) {
    if (this.sums?.length !== count) {
      this.sums = new Float64Array(count);
      this.starts = new Float64Array(2 * this.size);
    }
    return this;
  }

  /** Sets logProb and the score (s0, s1) at (x, y); y is 0 on the line. */
  evaluate(x, y) {
    const { rows, logits, size } = this;
    const top = this.weigh(x, y);
    let total = 0;
    let s0 = 0;
    let s1 = 0;
    for (let k = 0, r = 0; k < size; k++, r += 6) {
      const gap = logits[k] - top;
      if (gap < NEGLIGIBLE) continue;
      const share = Math.exp(gap);
      const dx = x - rows[r + 1];
      const dy = y - rows[r + 2];
      total += share;
      s0 -= share * (rows[r + 3] * dx + rows[r + 4] * dy);
      s1 -= share * (rows[r + 4] * dx + rows[r + 5] * dy);
    }
    this.logProb = top + Math.log(total);
    this.s0 = s0 / total;
    this.s1 = s1 / total;
  }

  /** The Laplacian of the log density at (x, y), by the components' own. */
  laplacian(x, y) {
    this.evaluate(x, y);
    const { rows, logits, size, logProb, s0, s1 } = this;
    let total = -s0 * s0 - s1 * s1;
    for (let k = 0, r = 0; k < size; k++, r += 6) {
      const dx = x - rows[r + 1];
      const dy = y - rows[r + 2];
      const g0 = rows[r + 3] * dx + rows[r + 4] * dy;
      const g1 = rows[r + 4] * dx + rows[r + 5] * dy;
      const share = Math.exp(logits[k] - logProb);
      if (share > 0) total += share * (g0 * g0 + g1 * g1 - rows[r + 3] - rows[r + 5]);
    }
    return total;
  }
}
