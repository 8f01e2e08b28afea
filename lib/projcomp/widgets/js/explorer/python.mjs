// The Explorer as Python: its parts, the figure, and the library's own run of its sampler.

import { callPython, mixturePython, partsPython, python } from "../shared/python.mjs";

// In the state's names, which are those of the arguments.
const ARGUMENTS = [
  "weights", "operator", "view", "controls", "readouts", "show", "sigma", "sigma_max", "box", "directions",
  "method", "steps", "particles", "seed", "reweight", "name",
];

/** Python that weighs the samples of a run (pc.smc does so as it goes). */
const WEIGHING = [
  "",
  "# d log w = I dv along every way down, by the trapezoidal rule in log sigma",
  "rates = torch.stack(",
  "    [s**2 * composition.interaction(x, s, natural=True) for s, x in zip(sigmas[:-1], run.path)]",
  ")",
  "steps = (sigmas[:-2] / sigmas[1:-1]).log()",
  "log_weights = steps @ (rates[:-1] + rates[1:]) + rates[-1]",
  "weights_of_samples = torch.softmax(log_weights, 0)",
  'print("effective samples:", float(1 / weights_of_samples.square().sum()))',
  "mean = weights_of_samples @ run.samples",
  "print(mean, (weights_of_samples @ (run.samples - mean) ** 2).sqrt())",
];

/** Python that rebuilds the figure in a state, says whether its composition exists, and samples it. */
export function snippet(state) {
  const named = Object.fromEntries(ARGUMENTS.map((name) => [name, state[name]]));
  const given = ["background", "concepts"];
  if (state.unconditional) given.push("unconditional=unconditional");
  const lines = [
    "import torch", "", "import projcomp as pc", "",
    ...partsPython(state),
    ...(state.unconditional ? [`unconditional = ${mixturePython(state.unconditional)}`] : []),
    ...callPython("figure", "pc.Explorer", given, { ...named, alt: state.summary }),
    ...(state.preset ? [`figure.preset = ${python(state.preset)}`] : []),
    "",
    "composition = figure.composition",
    'print("normalisable at 0:", composition.normalisable(0.0))',
    'print("normalisable here:", composition.normalisable(figure.sigma))',
    "sigmas = pc.sigma_grid(figure.sigma_min, figure.sigma_max, figure.steps)",
    "generator = torch.Generator().manual_seed(figure.seed)",
    "run = pc.reverse_diffusion(",
    "    composition, figure.particles, sigmas, figure.method, generator=generator,",
    `    keep_path=${python(state.reweight)},`,
    ")",
    ...(state.reweight ? WEIGHING : ["print(run.samples.mean(0), run.samples.std(0))"]),
    "figure",
  ];
  return `${lines.join("\n")}\n`;
}
