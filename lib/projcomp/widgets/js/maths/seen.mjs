// What a judge saw in a picture, and whether that is as prompts say: as projcomp.words.Seen.

const OF_OBJECTS = ["shape", "colour", "material", "size"];
const OF_PICTURES = ["floor", "style"];

/** about: {attributes, hidden, places, ofObject, meaning, faint, solidFrom}, as the library has them. */
export class Eye {
  constructor(about) {
    Object.assign(this, about);
    this.width = 1 + OF_OBJECTS.reduce((sum, name) => sum + this.attributes[name].length, 0);
  }

  /** What a judge's answers, places (P x width) and whole, say of one picture: {opacity, facts}. */
  seen(places, whole) {
    const rows = this.places.map((_, k) => places.subarray(k * this.width, (k + 1) * this.width));
    const opacity = rows.map((row) => row[0]);
    const facts = {};
    let at = 1;
    for (const name of OF_OBJECTS) {
      const values = this.attributes[name];
      const [from, to] = [at, at + values.length];
      facts[name] = rows.map((row) => (row[0] < this.faint ? null : values[best(row.subarray(from, to))]));
      at = to;
    }
    at = 0;
    for (const name of OF_PICTURES) {
      const values = this.attributes[name];
      facts[name] = values[best(whole.subarray(at, at + values.length))];
      at += values.length;
    }
    for (const name of this.hidden[facts.style] ?? []) {
      facts[name] = OF_PICTURES.includes(name) ? null : facts[name].map(() => null);
    }
    return { opacity, facts };
  }

  /** What a prompt says: {attribute: values}. */
  said(prompt) {
    const found = {};
    for (const word of prompt.toLowerCase().match(/[a-z]+/g) ?? []) {
      const [name, value] = this.meaning[word] ?? [];
      if (name && !(found[name] ??= []).includes(value)) found[name].push(value);
    }
    return found;
  }

  /** Whether a picture is as all prompts say, shows nothing else, and nothing of `without`. */
  right(seen, prompts, without) {
    const wanted = prompts.map((prompt) => this.said(prompt));
    const ofObjects = wanted.filter((said) => this.speaksOfAnObject(said));
    return wanted.every((said) => this.fits(seen, said, true))
      && !without.some((prompt) => this.fits(seen, this.said(prompt), false))
      && (!ofObjects.length || this.solid(seen).every((k) => ofObjects.some((said) => this.object(seen, k, said, true))));
  }

  /** Places of solid objects. */
  solid({ opacity }) {
    return [...opacity.keys()].filter((k) => opacity[k] >= this.solidFrom);
  }

  speaksOfAnObject(said) {
    return this.ofObject.some((name) => name in said);
  }

  /** hidden: the answer about what can't be seen. */
  fits(seen, said, hidden) {
    return OF_PICTURES.every((name) => agrees(said[name], seen.facts[name], hidden))
      && (!said.object || seen.opacity.every((value) => value < this.faint))
      && (!this.speaksOfAnObject(said) || this.solid(seen).some((k) => this.object(seen, k, said, hidden)));
  }

  object({ facts }, k, said, hidden) {
    return OF_OBJECTS.every((name) => agrees(said[name], facts[name][k], hidden))
      && ["across", "depth"].every((name) => (said[name] ?? []).every((value) => this.places[k].includes(value)));
  }

  /** The solid objects in words: "red ball, cyan cube". */
  described(seen) {
    const words = (k) => ["colour", "shape"].map((name) => seen.facts[name][k]).filter(Boolean).join(" ");
    return this.solid(seen).map(words).join(", ");
  }
}

const agrees = (values, seen, hidden) =>
  !values || (values.length === 1 && (seen === null ? hidden : seen === values[0]));

function best(scores) {
  let found = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i] > scores[found]) found = i;
  return found;
}
