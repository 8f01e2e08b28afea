// What the figure of words shows: pictures at every level, as they come from the workers.

import { Eye } from "../maths/seen.mjs";
import { sigmaGrid } from "../maths/sampling.mjs";
import { signedPrompt } from "../maths/vocabulary.mjs";

export const PICTURES = 8;
const PALE = 0.6; // of a picture below its colours

export class WordsScene {
  constructor() {
    this.key = null;
    this.levels = [];
    this.frames = null; // of the last drawing: of each level, of each picture, what is known
    this.frameKey = null;
    this.homeKey = null;
  }

  /** Call when the state is another one. */
  update(state) {
    this.state = state;
    const { steps, network, stored } = state;
    this.key = keyOf(state);
    this.levels = sigmaGrid(...network.span, steps);
    if (this.packed === stored) return;
    this.packed = stored;
    this.eye = new Eye(network.eye);
    this.homeKey = keyOf(stored);
    const bytes = Uint8Array.from(atob(stored.pictures), (c) => c.charCodeAt(0));
    const size = bytes.length / PICTURES;
    this.home = Array.from({ length: PICTURES }, (_, k) => {
      const picture = Float32Array.from(bytes.subarray(k * size, (k + 1) * size), (byte) => byte / 255);
      return { picture, gained: null };
    });
  }

  get sigma() {
    return this.levels[this.state.level];
  }

  /** What the workers need to know. */
  job(vocabulary) {
    const { prompts, background, guidance, method, seed, network } = this.state;
    const signed = prompts.map(signedPrompt);
    const { data, centre, side } = network;
    return {
      terms: [background, ...signed.map(([, prompt]) => prompt)].map((prompt) => vocabulary.encode(prompt)),
      weights: signed.map(([sign]) => sign * guidance),
      levels: this.levels, method, seed, network: { data, centre, side },
    };
  }

  /** A drawing of the present state begins. */
  begin() {
    this.frameKey = this.key;
    this.frames = this.levels.map(() => Array(PICTURES).fill(null));
    this.scale = null;
  }

  /** Some pictures of a level. */
  take({ level, pictures, states, means, gained, places, whole }) {
    const n = states.length / pictures.length;
    const part = (values, p, size) => values.subarray(p * size, (p + 1) * size);
    pictures.forEach((place, p) => {
      const map = part(gained, p, n / 3);
      const share = (values) => part(values, p, values.length / pictures.length);
      const seen = places ? this.eye.seen(share(places), share(whole)) : null;
      this.frames[level][place] = {
        ...(seen && { right: this.right(seen), described: this.eye.described(seen) }),
        noisy: part(states, p, n), denoised: part(means, p, n), gained: map,
        weight: map.reduce((sum, value) => sum + value, 0),
      };
    });
  }

  /** Whether what was seen in a picture is as asked for. */
  right(seen) {
    const signed = this.state.prompts.map(signedPrompt);
    const of = (wanted) => signed.filter(([sign]) => sign === wanted).map(([, prompt]) => prompt);
    return this.eye.right(seen, of(1), of(-1));
  }

  /** The last level that all pictures have reached, by number; -1 before the first. */
  get reached() {
    if (!this.frames) return -1;
    const open = this.frames.findIndex((row) => row.includes(null));
    return (open < 0 ? this.frames.length : open) - 1;
  }

  get mine() {
    return this.frameKey === this.key;
  }

  /** Whether the network has drawn the present state to its end. */
  get drawn() {
    return this.mine && this.reached === this.state.steps;
  }

  /** Of picture k: {picture, gained, weight}; of the stored ones without weights; null if there is none. */
  shown(k) {
    const { level, view, steps } = this.state;
    if (this.mine) {
      for (let s = Math.min(level, this.levels.length - 1); s >= 0; s--) {
        const frame = this.frames[s][k];
        if (frame) return { ...frame, picture: frame[view === "denoised" ? "denoised" : "noisy"] };
      }
    }
    return this.key === this.homeKey && level === steps ? this.home[k] : null;
  }

  /** A picture in pale grey, coloured where its pixels add to its weight, or take from it. */
  coloured(k, { picture, gained }, colours) {
    if (gained.tinted?.colours === colours && gained.tinted.scale === this.largest) return gained.tinted.values;
    const size = gained.length;
    const values = new Float32Array(3 * size);
    const tints = [rgb(colours.concepts[0]), rgb(colours.concepts[1])];
    const scale = this.largest || 1;
    for (let i = 0; i < size; i++) {
      const grey = [0, 1, 2].reduce((sum, c) => sum + Math.min(1, Math.max(0, picture[c * size + i])), 0) / 3;
      const much = Math.sqrt(Math.min(1, Math.abs(gained[i]) / scale));
      const tint = tints[gained[i] < 0 ? 1 : 0];
      for (let c = 0; c < 3; c++) values[c * size + i] = (1 - much) * (PALE + (1 - PALE) * grey) + much * tint[c];
    }
    gained.tinted = { colours, scale: this.largest, values };
    return values;
  }

  /** The largest gain or loss of a pixel at the last level that is known. */
  get largest() {
    const { reached } = this;
    if (this.scale?.reached !== reached) {
      const rows = this.frames[reached] ?? [];
      this.scale = { reached, most: rows.reduce((most, { gained }) => gained.reduce((m, v) => Math.max(m, Math.abs(v)), most), 0) };
    }
    return this.scale.most;
  }
}

/** What a drawing depends on. */
const keyOf = ({ prompts, background, guidance, method, steps, seed }) =>
  JSON.stringify([prompts, background, guidance, method, steps, seed]);

/** "#rrggbb" as shares of one. */
const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
