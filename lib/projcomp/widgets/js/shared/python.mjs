// A figure's state as Python that rebuilds the figure.

/** A value of JSON, as Python writes it. */
export function python(value) {
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return JSON.stringify(value);
}

/** A mixture, or None where there is none. */
export function mixturePython(m) {
  if (!m) return "None";
  const [weights, means, covariances] = [m.weights, m.means, m.covariances].map(python);
  return `pc.GaussianMixture(\n    ${weights},\n    ${means},\n    ${covariances},\n)`;
}

/** Lines that name the background, the concepts and the list of these. */
export function partsPython({ background, concepts }) {
  const names = concepts.map((_, i) => `concept_${i + 1}`);
  return [
    `background = ${mixturePython(background)}`,
    ...concepts.map((c, i) => `${names[i]} = ${mixturePython(c)}`),
    `concepts = [${names.join(", ")}]`,
  ];
}

/** Lines that call a constructor; named: its arguments as values of JSON. */
export function callPython(target, maker, positional, named) {
  return [
    `${target} = ${maker}(`,
    ...positional.map((name) => `    ${name},`),
    ...Object.entries(named).map(([name, value]) => `    ${name}=${python(value)},`),
    ")",
  ];
}
