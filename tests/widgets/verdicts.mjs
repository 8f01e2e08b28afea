// Holds what the sandbox's verdict rests on against the library's numbers, and fits against NumPy's.

const flat = (points) => Float64Array.from(points.flat());

/** add(name, mine, theirs): as in agreement.mjs. */
export function compareVerdicts(math, { examined, distances, edges, fits }, add) {
  for (const c of examined) compareExamined(math, c, add);
  const [x, y] = [flat(distances.x), flat(distances.y)];
  add("energy distance", [math.energyDistance(x, y)], [distances.energy]);
  const shares = Float64Array.from(distances.shares);
  add("energy distance, weighed", [math.energyDistance(x, y, shares)], [distances.weighed]);
  for (const { background, concepts, edge } of edges) {
    const composition = new math.Composition(new math.Mixture(background), concepts.map((p) => new math.Mixture(p)));
    const found = math.existence(composition, 3);
    if (found.exists !== (edge === null)) throw new Error(`existence is ${found.exists}`);
    // Found by halving, to six digits.
    if (edge === null ? found.edge !== null : !(Math.abs(found.edge / edge - 1) < 2e-6)) {
      throw new Error(`the edge is ${found.edge} for ${edge}`);
    }
  }
  for (const { points, floor, steps, start, end } of fits) {
    const [weights, means, covariances] = start;
    let spec = { weights, means, covariances };
    for (let s = 0; s < steps; s++) spec = math.emStep(spec, flat(points), floor).spec;
    add(`fit of ${weights.length}`, [spec.weights, spec.means, spec.covariances], end);
  }
}

function compareExamined(math, c, add) {
  const name = (what) => `examined, ${c.name}: ${what}`;
  const background = new math.Mixture(c.background);
  const concepts = c.concepts.map((p) => new math.Mixture(p));
  const composition = new math.Composition(background, concepts, c.weights);
  const clean = c.clean.map(flat);
  concepts.forEach((p, i) => {
    const points = Float64Array.from([...clean[0], ...clean[i + 1]]);
    const { unit, rank } = math.directionOf(p, background, points);
    if (rank !== c.ranks[i]) throw new Error(name(`rank ${rank} for ${c.ranks[i]}`));
    add(name(`direction ${i}`), unit, c.directions[i]);
    const { off, others } = math.leakOf(p, background, c.directions, i, clean[i + 1]);
    [off, others].forEach((share, which) => {
      // Rounding has no digits to agree in.
      if (c.leaks[i][which] > 1e-12) add(name(`leak ${i}`), [share], [c.leaks[i][which]]);
      else if (!(share < 1e-12)) throw new Error(name(`leak ${share} for nothing`));
    });
  });
  const near = (what, mine, theirs) => {
    if (theirs > 1e-10) add(name(what), [mine], [theirs]);
    else if (!(mine < 1e-10)) throw new Error(name(`${what} ${mine} for nothing`));
  };
  near("dependence", math.dependence(background, c.directions), c.tied);
  const core = [-c.reach, -c.reach, c.reach, c.reach];
  const exact = composition.exact(0);
  if ((exact !== null) !== c.exact) throw new Error(name("a closed form"));
  concepts.forEach((p, i) => near(`shadow ${i}`, math.shadowGap(composition, exact, p, c.directions[i], core), c.shadows[i]));
  c.levels.forEach((sigma, i) => {
    const wide = math.widened(core, 4 * sigma);
    near(`gap at ${sigma}`, math.gapOf(composition, null, sigma, core, wide, 80), c.gaps[i]);
    if (exact) near(`closed gap at ${sigma}`, math.gapOf(composition, exact, sigma, core, wide, 80), c.closed[i]);
  });
}
