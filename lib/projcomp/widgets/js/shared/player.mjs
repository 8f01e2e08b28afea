// Playing: carries a part of the state along a path's levels, and waits where they are not yet computed.

export class Player {
  /**
   * host: a figure with `at(position)`, what the part is at a place between levels, and `arrive()`,
   * which shows the end; its scene knows `last` and `known`, levels by number. key: the part.
   * seconds: from the first level to the last. stride: levels that a frame may go, at most.
   */
  constructor(host, key, seconds, stride = Infinity) {
    Object.assign(this, { host, key, seconds, stride });
    this.playing = false;
  }

  start(position) {
    // No motion: straight to the end.
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.host.arrive();
    Object.assign(this, { position, clock: null });
    return this.turn(true);
  }

  stop() {
    if (!this.playing) return;
    this.turn(false);
    this.host.push({ [this.key]: this.host.state[this.key] });
  }

  turn(playing) {
    this.playing = playing;
    this.host.panel.moves(playing);
    this.host.redraw();
  }

  /** One frame at time `now` (ms). */
  tick(now) {
    const { host, key } = this;
    const { last, known } = host.scene;
    if (this.clock !== null) {
      this.position += Math.min(this.stride, ((now - this.clock) / 1000) * (last / this.seconds));
    }
    this.clock = now;
    this.position = Math.min(this.position, known);
    const value = host.at(this.position);
    if (value !== host.state[key]) host.carry({ [key]: value });
    if (this.position >= last) this.stop();
  }
}
