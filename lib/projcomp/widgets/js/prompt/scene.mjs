// What the prompt shows, computed from its state and kept until the state changes.

import { Pace } from "../maths/pace.mjs";
import { Flight, PictureTable, WAYS, outcomeOf } from "../maths/table.mjs";
import { Kept } from "../shared/kept.mjs";

export class PromptScene {
  constructor() {
    this.kept = new Kept();
    this.lines = new WeakMap(); // of each flight, as far as it was known when it was last asked for
    this.packed = null;
    this.version = 0;
  }

  /** Call when the state is another one. */
  update(state) {
    this.state = state;
    if (state.bank !== this.packed) {
      this.table = new PictureTable(state.bank);
      this.packed = state.bank;
      this.version += 1;
    }
    const { table } = this;
    const { seed, levels } = state;
    this.wanted = { style: table.styles.indexOf(state.style), content: table.contents.indexOf(state.content) };
    this.flights = Object.fromEntries(Object.entries(WAYS).map(([way, rule]) => {
      const how = rule(state);
      const key = JSON.stringify([this.version, this.wanted, seed, levels, how]);
      return [way, this.kept.get(way, key, () => new Flight(table, this.wanted, levels, seed, how))];
    }));
  }

  /** What the tally counts by: all but the noise and how it is shown. */
  get prompt() {
    const { guidance, particles, levels } = this.state;
    return JSON.stringify([this.version, this.wanted, guidance, particles, levels]);
  }

  get sigma() {
    return this.state.levels[this.state.level];
  }

  /** The place of the wanted picture in the table. */
  get cell() {
    return this.table.place(this.wanted);
  }

  /** Work for about `budget` milliseconds, a look at a time, one way after another; true at the end. */
  advance(budget) {
    const end = performance.now() + budget;
    for (const flight of Object.values(this.flights)) {
      while (!flight.done) {
        if (performance.now() >= end) return false;
        flight.advance();
      }
    }
    return true;
  }

  /** The last level, and the last that is computed of every way, by number. */
  get last() {
    return this.state.levels.length - 1;
  }

  get known() {
    return Math.max(0, Math.min(...Object.values(this.flights).map(({ known }) => known)) - 1);
  }

  /** All levels are shown alike long. */
  pace() {
    return new Pace(Array(this.last).fill(1));
  }

  /**
   * Of a way: {line, now, outcome}, its sample's way as far as it is known, the present level of it
   * or, while it forms, the last known one (null before the first), and its end (null before that).
   */
  shown(way) {
    const flight = this.flights[way];
    if (this.lines.get(flight)?.length !== flight.known) this.lines.set(flight, flight.line());
    const line = this.lines.get(flight);
    const outcome = flight.done ? outcomeOf(line, this.state.levels, this.cell) : null;
    return { line, outcome, now: line[Math.min(this.state.level, line.length - 1)] ?? null };
  }
}
