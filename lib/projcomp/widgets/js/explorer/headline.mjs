// What has become of a composition, in a word.

const NEAR = 0.05; // a shadow that is off by less looks right

export function fateOf(state, scene) {
  const { composition } = scene;
  if (composition.normalisable(0) === false) return "a tidy lie";
  const errors = state.directions.map((d, i) => scene.shadow(i, d)?.error ?? 0);
  if (Math.max(...errors) < NEAR) return "what was wanted";
  const [one, two] = composition.concepts;
  const exact = scene.exact();
  if (!two || !exact) return "not what was wanted";
  // Along each direction, how far from the first concept to the second.
  const way = (d) => (middle(exact, d) - middle(one, d)) / (middle(two, d) - middle(one, d));
  return state.directions.every((d) => Math.abs(way(d) - 0.5) < 0.25) ? "a blend" : "not what was wanted";
}

/** The mean along a direction. */
function middle({ weights, means }, d) {
  return means.reduce((sum, m, k) => sum + weights[k] * (d[0] * m[0] + d[1] * m[1]), 0);
}
