// Holds the figures' mathematics against the library's numbers. Used by Node's test runner and,
// with the module that the pages carry, in the browser.

/** Largest relative difference of every quantity in the fixture: [{name, worst}]. */
export function compare(math, fixture, compareVerdicts) {
  const report = [];
  const add = (name, mine, theirs) => {
    const [a, b] = [mine.flat(9), theirs.flat(9)];
    if (a.length !== b.length) throw new Error(`${name}: ${a.length} values for ${b.length}`);
    const scale = Math.max(...b.map(Math.abs), 1e-12);
    const worst = Math.max(...a.map((x, i) => Math.abs(x - b[i]) / (Math.abs(b[i]) + 1e-3 * scale)));
    report.push({ name, worst: Number.isFinite(worst) ? worst : Infinity });
  };
  for (const c of fixture.cases) {
    const mixture = (spec) => (spec ? new math.Mixture(spec) : null);
    const composition = new math.Composition(mixture(c.background), c.concepts.map(mixture), c.weights);
    const point = (x) => [x[0], x.length > 1 ? x[1] : 0];
    for (const [i, sigma] of c.sigmas.entries()) {
      const at = composition.at(sigma);
      const rows = c.points.map((x) => {
        at.evaluate(...point(x));
        const score = x.length > 1 ? [at.s0, at.s1] : [at.s0];
        return { logProb: at.logProb, score, plain: at.logDensity(...point(x)) };
      });
      const name = (what) => `${c.name}, sigma ${sigma}: ${what}`;
      add(name("log density"), rows.map((r) => r.logProb), c.logProb[i]);
      add(name("log density alone"), rows.map((r) => r.plain), c.logProb[i]);
      add(name("score"), rows.map((r) => r.score), c.score[i]);
      add(name("interaction"), c.points.map((x) => at.interaction(...point(x))), c.interaction[i]);
      const answer = composition.normalisable(sigma);
      if (answer !== c.normalisable[i]) throw new Error(name(`normalisable is ${answer}`));
    }
    if (c.exact) {
      const exact = composition.exact(0);
      const order = (m) => m.means.map((mean, k) => [...mean, m.weights[k], ...m.covariances[k].flat()]);
      const sorted = (rows) => rows.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      add(`${c.name}: exact composition`, sorted(order(exact)), sorted(order(c.exact)));
    }
    const levels = math.sigmaGrid(c.grid.low, c.grid.high, c.grid.steps);
    add(`${c.name}: noise levels`, levels, c.grid.levels);
    for (const method of ["heun", "euler"]) {
      let points = Float64Array.from(c.start.map(point).flat());
      for (let s = 0; s + 1 < levels.length; s++) {
        points = math.step(composition, points, levels[s], levels[s + 1], method, null);
      }
      const n = c.start[0].length;
      const ends = c.start.map((_, i) => Array.from(points.slice(2 * i, 2 * i + n)));
      add(`${c.name}: ${method} path`, ends, c.ends[method]);
    }
  }
  for (const c of fixture.cases) compareWeights(math, c, add);
  for (const c of fixture.distances) {
    const field = new math.Field(c.box, c.cells);
    const make = (spec) => new math.Composition(spec.background ? new math.Mixture(spec.background) : null,
      spec.concepts.map((m) => new math.Mixture(m)), spec.weights);
    const [p, q] = [make(c.p), make(c.q)].map((d) => field.masses(d.at(c.sigma)));
    add(`${c.name}: total variation`, [math.totalVariation(p, q)], [c.value]);
  }
  for (const c of fixture.squares) compareSquare(math, c, add);
  for (const c of fixture.lattices) compareLattice(math, c, add);
  for (const c of fixture.prompts) comparePrompt(math, c, add);
  compareVocabulary(math, fixture.vocabulary, add);
  compareSights(math, fixture.sights, add);
  for (const [i, c] of fixture.combs.entries()) add(`comb ${i}`, math.combed(c.shares, c.offset), c.met);
  compareVerdicts(math, fixture.verdicts, add);
  return report;
}

/** Log weights at every level of given paths, and what they are worth. */
function compareWeights(math, c, add) {
  const mixture = (spec) => (spec ? new math.Mixture(spec) : null);
  const composition = new math.Composition(mixture(c.background), c.concepts.map(mixture), c.weights);
  for (const [method, path] of Object.entries(c.paths)) {
    const weights = new math.Weights(composition, c.grid.levels);
    for (const points of path) {
      weights.add(Float64Array.from(points.flatMap((x) => [x[0], x.length > 1 ? x[1] : 0])));
    }
    const name = (what) => `${c.name}, ${method}: ${what}`;
    add(name("log weights"), weights.logs.map((row) => [...row]), c.logWeights[method]);
    const sizes = weights.logs.map((row) => math.effectiveSize(math.normalised(row).map(Math.exp)));
    add(name("effective size"), sizes, c.effective[method]);
  }
}

/** The warp's maps, every density pushed through it, and both routes around the square. */
function compareSquare(math, c, add) {
  const warp = math.warpOf(c.warp, c.amount);
  const name = (what) => `square, ${c.name}: ${what}`;
  const [base, ...concepts] = c.parts;
  const squares = {
    composition: math.square(base, concepts, warp), product: math.square(null, concepts, warp),
  };
  const logs = (density, points) => {
    const at = density.at(0);
    return points.map(([x, y]) => at.logDensity(x, y));
  };
  add(name("forward"), c.features.map((z) => warp.forward(...z)), c.pixels);
  add(name("inverse"), c.pixels.map((x) => warp.inverse(...x)), c.inverse);
  add(name("round trip"), c.pixels.map((x) => warp.inverse(...x)), c.features);
  add(name("determinant"), c.features.map((z) => warp.logAbsDet(...z)), c.logAbsDet);
  c.parts.forEach((spec, i) => {
    add(name(`part ${i}`), logs(math.featureMixture(spec, warp.periodic), c.features), c.logFeatures[i]);
    add(name(`pushed part ${i}`), logs(squares.composition.parts[i], c.pixels), c.logPushed[i]);
  });
  const field = new math.Field(c.box, c.cells);
  for (const [operator, routes] of Object.entries(squares)) {
    for (const route of ["first", "second"]) {
      add(name(`${operator}, ${route} route`), logs(routes[route], c.pixels), c[route][operator]);
    }
    const gap = math.largestDifference(field, routes.first, routes.second);
    // Rounding has no digits to agree in.
    if (c.gaps[operator] > 1e-10) add(name(`${operator}, difference`), [gap], [c.gaps[operator]]);
    else if (!(gap < 1e-10)) throw new Error(name(`${operator} differs by ${gap}`));
  }
}

/** Denoised pictures, opacities and whole paths of the three settings. */
function compareLattice(math, c, add) {
  const bank = new math.Bank(c.bank);
  const rows = (pictures) => pictures.map((picture) => [...picture]);
  const start = math.startOf(c.seed, c.levels[0], bank.empty.length);
  add(`lattice, ${c.rule}: floor`, [...bank.empty], c.empty);
  add(`lattice, ${c.rule}: noise`, [...start], c.start);
  const clutter = new math.Clutter(bank.places.length, c.clutter);
  const chances = (logs) => [...logs].map(Math.exp);
  add(`lattice, ${c.rule}: chances`, clutter.named.map(chances), c.chances.named);
  add(`lattice, ${c.rule}: average chances`, chances(clutter.average), c.chances.average);
  for (const { setting, chosen, denoised, coefficients, path, counted } of c.runs) {
    const name = (what) => `lattice, ${c.rule}, ${setting}, places ${chosen.join(" ") || "none"}: ${what}`;
    const rule = (logs) => math.SETTINGS[setting](chosen, logs, clutter);
    c.sigmas.forEach((sigma, i) => {
      const looks = c.points[i].map((x) => bank.look(Float64Array.from(x), sigma));
      const found = looks.map(({ logs }) => rule(logs));
      add(name(`opacities believed at ${sigma}`), rows(found), coefficients[i]);
      add(name(`denoised at ${sigma}`), rows(looks.map(({ means }, k) => bank.picture(found[k], means))), denoised[i]);
    });
    const way = new math.PicturePath(bank, rule, c.levels, start);
    while (!way.done) way.advance();
    add(name("path"), rows(way.states), path);
    add(name("opacities counted"), [...bank.opacities(way.states.at(-1))], counted);
  }
}

/** Denoised means, interactions, and every way down the noise with its weights and beliefs. */
function comparePrompt(math, c, add) {
  const table = new math.PictureTable(c.bank);
  const { wanted, levels, guidance, particles } = c;
  const cell = `${table.contents[wanted.content]}, ${table.styles[wanted.style]}`;
  const name = (what) => `prompt, ${cell}: ${what}`;
  const same = (what, mine, theirs) => {
    if (JSON.stringify(mine) !== JSON.stringify(theirs)) throw new Error(`${name(what)} is ${JSON.stringify(mine)}`);
  };
  const pictures = c.values.map((_, k) => [...table.picture(k)]);
  add(name("pictures"), pictures, c.values);
  const looks = (weight) => c.sigmas.map((s, i) => table.look(Float64Array.from(c.points[i]), s, wanted, weight));
  add(name("denoised"), looks(guidance).map(({ mean }) => [...mean]), c.denoised);
  add(name("interaction"), looks(1).map(({ rate }) => rate), c.rates);
  for (const [way, theirs] of Object.entries(c.ways)) {
    const flight = new math.Flight(table, wanted, levels, c.seed, math.WAYS[way]({ guidance, particles }));
    while (!flight.done) flight.advance();
    const line = flight.line();
    const what = (part) => `${way}, ${part}`;
    add(name(what("states")), flight.states.map((row) => row.map((x) => [...x])), theirs.states);
    add(name(what("path")), line.map(({ state }) => [...state]), theirs.path);
    if (way === "weighted") add(name(what("log weights")), flight.logs.map((row) => [...row]), theirs.logs);
    add(name(what("effective")), flight.effective, theirs.effective);
    same(what("parents"), flight.parents, theirs.parents);
    const each = ({ beliefs }) => Object.values(beliefs);
    add(name(what("beliefs")), line.map((one) => each(one).map((b) => [b.style, b.content, b.entropy])), theirs.beliefs);
    const tops = (rows, part) => rows.map((row) => row.map((top) => top.map((entry) => entry[part])));
    add(name(what("shares")), tops(line.map((one) => each(one).map((b) => b.top)), 1), tops(theirs.tops, 1));
    const outcome = math.outcomeOf(line, levels, table.place(wanted));
    same(what("outcome"), outcome, theirs.outcome);
  }
}

/** Tokens of prompts, and known words that are near to unknown ones. */
function compareVocabulary(math, c, add) {
  const vocabulary = new math.Vocabulary(c);
  add("vocabulary: tokens", c.prompts.map((prompt) => vocabulary.encode(prompt)), c.tokens);
  c.unknown.forEach((word, i) => {
    const near = vocabulary.nearest(word);
    if (near.join() !== c.near[i].join()) throw new Error(`near ${word}: ${near}, not ${c.near[i]}`);
  });
  add("vocabulary: near words", c.near.map((near) => near.length), c.unknown.map((word) => vocabulary.nearest(word).length));
}

/** What is seen in a judge's answers, and whether it is as prompts say. */
function compareSights(math, c, add) {
  const eye = new math.Eye(c.about);
  const seen = c.places.map((row, i) => eye.seen(Float32Array.from(row), Float32Array.from(c.whole[i])));
  for (const [name, theirs] of Object.entries(c.facts)) {
    const differ = seen.findIndex(({ facts }, i) => JSON.stringify(facts[name]) !== JSON.stringify(theirs[i]));
    if (differ >= 0) throw new Error(`${name} of picture ${differ} is ${seen[differ].facts[name]}, not ${theirs[differ]}`);
  }
  c.said.forEach(([prompts, without], k) => {
    const mine = seen.map((one) => Number(eye.right(one, prompts, without)));
    add(`sights: ${prompts.join(" and ")} without ${without}`, mine, c.right[k].map(Number));
  });
}
