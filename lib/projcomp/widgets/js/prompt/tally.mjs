// How often each way ended as asked for, over the noises that a reader has tried.

export class Tally {
  constructor() {
    this.clear(null);
  }

  clear(key) {
    Object.assign(this, { key, ends: new Map() });
  }

  /** Note of a seed which ways ended right: {way: boolean}. Another prompt begins anew. */
  note(key, seed, ends) {
    if (key !== this.key) this.clear(key);
    this.ends.set(seed, ends);
  }

  /** {right, tried} of a way, for the prompt of this key. */
  of(key, way) {
    const ends = key === this.key ? [...this.ends.values()] : [];
    return { right: ends.filter((one) => one[way]).length, tried: ends.length };
  }
}
