// From a prompt to tokens, as projcomp.networks.Vocabulary: 1, 2, ... for known words, 0 for none.

const CUTOFF = 0.6; // of likeness: less is not near
const NOT = "not ";

export class Vocabulary {
  /** words: the known ones, in the order of their tokens. length: tokens of a prompt. */
  constructor({ words, length }) {
    Object.assign(this, { words, length, tokens: new Map(words.map((word, i) => [word, i + 1])) });
  }

  /** The words of a prompt; an Error for one that is not known (its `word`, with the `near` ones). */
  split(prompt) {
    const found = prompt.toLowerCase().match(/[^\s,.:;!?"()]+/g) ?? [];
    for (const word of found) {
      if (this.tokens.has(word)) continue;
      const near = this.nearest(word);
      const hint = near.length ? `; did you mean ${near.map((one) => `“${one}”`).join(" or ")}?` : "";
      throw Object.assign(new Error(`the network was never taught the word “${word}”${hint}`), { word, near });
    }
    if (found.length > this.length) throw new Error(`a prompt has at most ${this.length} words, this one ${found.length}`);
    return found;
  }

  /** Tokens, filled up with 0. */
  encode(prompt) {
    const found = this.split(prompt).map((word) => this.tokens.get(word));
    return [...found, ...Array(this.length - found.length).fill(0)];
  }

  /** Up to `count` known words that look like `word`, the most alike first, as difflib finds them. */
  nearest(word, count = 3) {
    return this.words.map((known) => [likeness(known, word), known])
      .filter(([like]) => like >= CUTOFF)
      .sort(([a, x], [b, y]) => b - a || (x < y ? 1 : -1))
      .slice(0, count).map(([, known]) => known);
  }
}

/** 1, or -1 after "not ", and the prompt without it. */
export function signedPrompt(prompt) {
  return prompt.toLowerCase().startsWith(NOT) ? [-1, prompt.slice(NOT.length)] : [1, prompt];
}

/** Twice the letters that match over all letters (Ratcliff and Obershelp), as difflib's ratio. */
export function likeness(a, b) {
  return (2 * matching(a, b)) / (a.length + b.length);
}

/** Letters in the longest common part, and in what is left and right of it. */
function matching(a, b) {
  let [size, i, j] = [0, 0, 0];
  let before = new Uint8Array(b.length + 1);
  for (let x = 0; x < a.length; x++) {
    const here = new Uint8Array(b.length + 1);
    for (let y = 0; y < b.length; y++) {
      if (a[x] !== b[y]) continue;
      here[y + 1] = before[y] + 1;
      if (here[y + 1] > size) [size, i, j] = [here[y + 1], x + 1 - here[y + 1], y + 1 - here[y + 1]];
    }
    before = here;
  }
  if (!size) return 0;
  return size + matching(a.slice(0, i), b.slice(0, j)) + matching(a.slice(i + size), b.slice(j + size));
}
