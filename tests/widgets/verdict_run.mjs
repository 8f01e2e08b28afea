// Prints the verdicts on the states in STATES as JSON: MODULES=folder STATES=path node verdict_run.mjs

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const from = (file) => import(pathToFileURL(`${process.env.MODULES}/${file}.mjs`));
const [{ examine }, { LINKS, verdictOf }, { checkedState, composed }] = await Promise.all(
  ["maths/examine", "sandbox/verdict", "explorer/state"].map(from),
);

const verdicts = {};
for (const [name, state] of Object.entries(JSON.parse(readFileSync(process.env.STATES, "utf8")))) {
  const work = examine(composed(checkedState(state)), state);
  let step;
  do step = work.next();
  while (!step.done);
  const { effective, energy } = step.value;
  verdicts[name] = { ...verdictOf(step.value, state), effective, energy };
}
console.log(JSON.stringify({ verdicts, links: LINKS }));
