// What is computed once and kept until its key changes.

/** One value, kept while its key stays the same. */
export class Kept {
  constructor() {
    this.slots = new Map();
  }
  get(slot, key, make) {
    const old = this.slots.get(slot);
    if (old?.key === key) return old.value;
    const value = make();
    this.slots.set(slot, { key, value });
    return value;
  }
}
