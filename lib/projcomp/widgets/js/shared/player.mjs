// Playing: carries the noise level down along the sampled path, in about five seconds.

const SECONDS = 5;

export class Player {
  /** host: {scene, state, show(sigma), settled(), changed(playing)}. */
  constructor(host) {
    this.host = host;
    this.playing = false;
    this.position = 0;
  }

  start() {
    const { scene, state } = this.host;
    const path = scene.sampled();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      // No motion: straight to the end; Step goes level by level.
      path.finish();
      this.host.show(0);
      return;
    }
    const here = path.levels.findIndex((level) => level <= state.sigma);
    this.position = state.sigma === 0 || here < 0 ? 0 : here;
    this.clock = null;
    this.playing = true;
    this.host.changed(true);
  }

  stop() {
    if (!this.playing) return;
    this.playing = false;
    this.host.changed(false);
  }

  /** The next level below the present one (the first, from 0). */
  next() {
    const { scene, state } = this.host;
    const { levels } = scene.sampled();
    if (state.sigma === 0) return levels[0];
    return levels.find((level) => level < state.sigma - 1e-12) ?? 0;
  }

  /** One frame at time `now` (ms): waits where the path is not yet computed. */
  tick(now) {
    const path = this.host.scene.sampled();
    const last = path.levels.length - 1;
    if (this.clock !== null) this.position += ((now - this.clock) / 1000) * (last / SECONDS);
    this.clock = now;
    this.position = Math.min(this.position, path.states.length - 1);
    const i = Math.min(last - 1, Math.floor(this.position));
    const share = this.position - i;
    const sigma = path.levels[i] + share * (path.levels[i + 1] - path.levels[i]);
    this.host.show(this.position >= last ? 0 : sigma);
    if (this.position >= last) this.stop();
  }
}
