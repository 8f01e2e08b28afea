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

/** Below a picture: its log weight, whether it is as asked for, and what stands on it. */
export function captions(shown) {
  if (!shown?.gained) return ["", "", ""];
  const { weight, right, described } = shown;
  const verdict = right === undefined ? "" : right ? "✓ as asked for" : "✗ not as asked";
  return [weightText(weight), verdict, described === "" ? "no object" : described ?? ""];
}

export function progressText(scene, steps) {
  if (scene.reached < steps) return `Step ${Math.max(0, scene.reached)} of ${steps} …`;
  return `Drawn. ${rightOf(scene.frames.at(-1))}`;
}

const rightOf = (ends) => `${ends.filter(({ right }) => right).length} of ${ends.length} are as asked for.`;

/** The summary. */
export function spoken(asked, scene, { view }, shown, busy) {
  const begin = `Asked for: ${asked}.`;
  if (busy) return `${begin} Being drawn.`;
  if (!shown[0]?.gained) {
    return shown[0] ? `${begin} Eight stored pictures.` : `${begin} Not drawn: load the network first.`;
  }
  const what = { noisy: "the samples", denoised: "the denoised means", interaction: "the interaction over the samples" }[view];
  const each = shown.map((one, k) => `${k + 1}: ${captions(one).filter(Boolean).join(", ").replace("log w", "log weight")}`);
  const ends = scene.drawn ? ` ${rightOf(scene.frames.at(-1))}` : "";
  return `${begin} Noise level ${levelText(scene.sigma)}. Eight pictures; shown: ${what}.${ends} ${each.join("; ")}.`;
}
