// Playing: carries a part of the state along a path's levels, and waits where they are not yet computed.

export class Player {
  /**
   * host: a figure with `at(position)`, what the part is at a place between levels, and `arrive()`,
   * which shows the end; its scene knows `last` and `known`, levels by number, and `pace()`, how the
   * time is shared out. key: the part. seconds: from the first level to the last. stride: levels that
   * a frame may go, at most.
   */
  constructor(host, key, seconds, stride = Infinity) {
    Object.assign(this, { host, key, seconds, stride });
    this.playing = false;
  }

  start(position) {
    // No motion: straight to the end.
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.host.arrive();
    Object.assign(this, { position, clock: null, pace: this.host.scene.pace() });
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
      const time = this.pace.time(this.position) + (now - this.clock) / 1000 / this.seconds;
      this.position = Math.min(this.position + this.stride, this.pace.position(time), known);
    }
    this.clock = now;
    const value = host.at(this.position);
    if (value !== host.state[key]) host.carry({ [key]: value });
    if (this.position >= last) this.stop();
  }
}
