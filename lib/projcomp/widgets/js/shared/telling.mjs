// What more than one figure says of itself: words, numbers, rows of the legend.

export const OPERATORS = { composition: "composition", product: "simple product", bayes: "Bayes" };
const BASES = { bayes: "unconditional", product: "background (left out)" };
const LINES = ["solid", "dashed", "dotted", "dashed"];

/** An answer that may be null, in a word. */
export const inAWord = (answer) => (answer === null ? "not known" : answer ? "yes" : "no");

/** A number as a notebook's trait holds it. */
export const finite = (x) => (Number.isFinite(x) ? x : null);

/** A noise level with three digits. */
export const levelText = (sigma) => (sigma < 0.0995 ? sigma.toFixed(3) : sigma.toPrecision(3));

/** Rows of the legend for the parts: [role of the colour, style of the line, text]. */
export function partRows({ operator, concepts }, base = true) {
  const rows = concepts.map((_, i) => [`concept-${i + 1}`, LINES[i], `concept ${i + 1}`]);
  return base ? [["background", "dotted", BASES[operator] ?? "background"], ...rows] : rows;
}
