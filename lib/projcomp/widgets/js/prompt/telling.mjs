// What the prompt says of a sample, in words.

import { levelText } from "../shared/telling.mjs";

export const TITLES = { ode: "ODE", sde: "SDE", guided: "guided SDE", weighted: "weighted" };

/** .25, 1.00, or less than .005 as 0 */
export function shareText(value) {
  return value.toFixed(2).replace(/^0/, "");
}

/** Whether a sample ends as asked for. */
export const mark = ({ right }) => (right ? "✓ as asked for" : "✗ between");

/** How often a way ended as asked for. */
export const counted = ({ right, tried }) => (tried ? `right: ${right} of ${tried}` : "");

/** Where a sample ends, in words for a summary. */
export function spoken(title, { outcome, now }, table, particles, tally) {
  if (!outcome) return `${title}: still forming.`;
  const { content, style } = now.beliefs;
  const end = outcome.right ? "as asked for" : `between ${outcome.pictures.map((place) => table.named(place)).join(" and ")}`;
  const worth = particles ? ` ${now.effective.toFixed(1)} of ${particles} particles effective.` : "";
  const tries = tally.tried > 1 ? ` Right for ${tally.right} of ${tally.tried} noises.` : "";
  return `${title}: ${end}. Decided at σ = ${levelText(outcome.decided)}. Belief at this level: `
    + `content ${shareText(style.content)}, style ${shareText(content.style)}.${worth}${tries}`;
}
