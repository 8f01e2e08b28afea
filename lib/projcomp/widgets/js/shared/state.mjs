// A figure's state: what may be in it, and how it travels in a link and as Python.

export const MOST_COMPONENTS = 8;
const LARGEST = 1e4;

export function clamp(x, low, high) {
  if (!Number.isFinite(x)) throw new Error(`not a number: ${x}`);
  return Math.min(high, Math.max(low, x));
}

export function choice(x, options) {
  if (!options.includes(x)) throw new Error(`unknown choice ${x}`);
  return x;
}

/** A whole number from low to high. */
export const whole = (x, low, high) => Math.round(clamp(x, low, high));

export const seedOf = (x) => whole(x, 0, 2 ** 31);

/** One to `most` concepts, as `check(spec, name)` leaves them. */
export function checkedConcepts(concepts, most, check) {
  const size = concepts?.length;
  if (!(size >= 1 && size <= most)) throw new Error(`wanted 1 to ${most} concepts`);
  return concepts.map((spec, i) => check(spec, `concept ${i + 1}`));
}

/** A mixture specification that is fit to use, or an Error that says what is wrong. */
export function checkedMixture(spec, n, name) {
  const fail = (what) => {
    throw new Error(`${name}: ${what}`);
  };
  const finite = (x) => Number.isFinite(x) && Math.abs(x) <= LARGEST;
  const size = spec?.weights?.length;
  if (!size || size > 64) fail("wanted 1 to 64 components");
  if (spec.means?.length !== size || spec.covariances?.length !== size) fail("lengths differ");
  if (!spec.weights.every((w) => finite(w) && w >= 0)) fail("weights must be >= 0");
  const total = spec.weights.reduce((a, b) => a + b, 0);
  if (!(total > 0)) fail("weights must not all be 0");
  for (const m of spec.means) if (m?.length !== n || !m.every(finite)) fail("bad mean");
  for (const c of spec.covariances) {
    if (c?.length !== n || !c.every((row) => row?.length === n && row.every(finite))) {
      fail("bad covariance");
    }
    const det = n === 1 ? c[0][0] : c[0][0] * c[1][1] - c[0][1] * c[1][0];
    if (!(c[0][0] > 0 && det > 0)) fail("a covariance is not positive definite");
  }
  return { ...spec, weights: spec.weights.map((w) => w / total) };
}

/** The named parts of a state as a short text for a link. */
export function encode(state, keys) {
  const kept = Object.fromEntries(keys.map((key) => [key, state[key]]));
  const bytes = new TextEncoder().encode(JSON.stringify(kept));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

/** The state in a link's text, not yet checked; throws an Error if it does not parse. */
export function decode(text, current, keys) {
  const bytes = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  const found = JSON.parse(
    new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0))),
  );
  return { ...current, ...Object.fromEntries(keys.map((k) => [k, found[k]])) };
}

/** A link's name and how it holds a state: "=" all of it, "?" some of it, in plain sight; or null. */
export function linkOf(hash) {
  const match = hash.match(/^#pc-([\w-]+)([=?])(.+)$/);
  return match && { name: match[1], whole: match[2] === "=", text: match[3] };
}

/** The state that a link makes of the current one, not yet checked; an Error if it has no sense. */
export function followed(link, current, keys) {
  if (link.whole) return decode(link.text, current, keys);
  const told = [...new URLSearchParams(link.text)].map(([key, text]) => {
    if (!keys.includes(key)) throw new Error(`a link can't set ${key}`);
    return [key, typeof current[key] === "string" ? text : JSON.parse(text)];
  });
  return { ...current, ...Object.fromEntries(told) };
}
