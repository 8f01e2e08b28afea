// How long each step of a path is shown while it plays: as long as there is something to see.

const EVENLY = 0.15; // of the playing time goes to all steps alike, so that none is skipped

/** A share of the playing time for each step, in proportion to what is seen of it. */
export class Pace {
  /** seen: a number >= 0 for each step. */
  constructor(seen) {
    const total = seen.reduce((a, b) => a + b, 0);
    const even = 1 / seen.length;
    this.times = [0];
    for (const amount of seen) {
      const share = total ? EVENLY * even + ((1 - EVENLY) * amount) / total : even;
      this.times.push(this.times[this.times.length - 1] + share);
    }
  }

  /** The time, from 0 to 1, at which a place of the path is reached; places count steps. */
  time(position) {
    const { times } = this;
    const i = Math.min(Math.floor(position), times.length - 2);
    return times[i] + (position - i) * (times[i + 1] - times[i]);
  }

  /** The place of the path at a time. */
  position(time) {
    const { times } = this;
    const after = times.findIndex((t) => t > time);
    if (after < 0) return times.length - 1;
    return after - 1 + (time - times[after - 1]) / (times[after] - times[after - 1]);
  }
}

/**
 * For each step, how far particles move over the picture on average, in widths of it. states: their
 * points at every level; boxes: what the picture then shows. Outside of it nothing is seen.
 */
export function movements(states, boxes) {
  const shown = states.map((points, s) => {
    const [left, bottom, right, top] = boxes[s];
    const inside = (share) => Math.min(1, Math.max(0, share));
    return points.map((value, i) =>
      inside(i % 2 ? (value - bottom) / (top - bottom) : (value - left) / (right - left)));
  });
  return shown.slice(1).map((there, s) => {
    let sum = 0;
    for (let i = 0; i < there.length; i += 2) sum += Math.hypot(there[i] - shown[s][i], there[i + 1] - shown[s][i + 1]);
    return sum / (there.length / 2);
  });
}
