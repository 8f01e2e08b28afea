// What the figure of words says of itself.

import { signedPrompt } from "../maths/vocabulary.mjs";
import { levelText } from "../shared/telling.mjs";

export const LOADING = {
  runtime: "Loading the runtime …", model: "Loading the network …", start: "Starting the network …",
};

/** log w +1.2 */
export const weightText = (weight) => `log w ${weight < 0 ? "−" : "+"}${Math.abs(weight).toFixed(1)}`;

/** “a” AND “b” NOT “c” over “d” */
export function headline({ prompts, background }) {
  const said = prompts.map((prompt, i) => {
    const [sign, text] = signedPrompt(prompt);
    return `${sign < 0 ? "NOT " : i ? "AND " : ""}“${text}”`;
  });
  return `${said.join(" ")} over “${background}”`;
}

export const progressText = (reached, steps) => (reached === steps ? "Drawn." : `Step ${Math.max(0, reached)} of ${steps} …`);

/** The summary. */
export function spoken(asked, scene, { view }, weights, busy) {
  const begin = `Asked for: ${asked}.`;
  if (busy) return `${begin} Being drawn.`;
  if (weights[0] === null) {
    return scene.shown(0) ? `${begin} Eight stored pictures.` : `${begin} Not drawn: load the network first.`;
  }
  const what = { noisy: "the samples", denoised: "the denoised means", interaction: "the interaction over the samples" }[view];
  const all = weights.map((weight) => weightText(weight).replace("log w ", "")).join(", ");
  return `${begin} Noise level ${levelText(scene.sigma)}. Eight pictures; shown: ${what}. Log weights: ${all}.`;
}
