// For each state of an Explorer: the share of its playing time until a tenth, a half and nine tenths
// of all its particles' movement over the picture are seen. node pace.mjs MODULES STATES

import { readFileSync } from "node:fs";

const [modules, file] = process.argv.slice(2);
const { Scene } = await import(`${modules}/explorer/scene.mjs`);
const { movements } = await import(`${modules}/maths/pace.mjs`);
const found = {};
for (const [name, state] of Object.entries(JSON.parse(readFileSync(file, "utf8")))) {
  const scene = new Scene();
  scene.update(state);
  const path = scene.sampled();
  const seen = movements(path.finish(), path.levels.map((level) => scene.boxAt(level)));
  const total = seen.reduce((a, b) => a + b, 0);
  const pace = scene.pace();
  found[name] = [0.1, 0.5, 0.9].map((share) => {
    let [step, rest] = [0, share * total];
    while (rest > seen[step]) rest -= seen[step++];
    return pace.time(step + rest / seen[step]);
  });
}
console.log(JSON.stringify(found));
