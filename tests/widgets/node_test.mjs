// Run by Node's test runner: FIXTURE=path MODULES=folder node --test tests/widgets/node_test.mjs

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { compare } from "./agreement.mjs";
import { compareVerdicts } from "./verdicts.mjs";

const from = (file) => import(pathToFileURL(`${process.env.MODULES}/maths/${file}.mjs`));
const fixture = JSON.parse(readFileSync(process.env.FIXTURE, "utf8"));
const math = Object.assign(
  {}, await from("mixture"), await from("composition"), await from("sampling"), await from("field"),
  await from("warp"), await from("pictures"), await from("table"), await from("pace"), await from("blocks"), await from("gaps"),
  await from("draws"), await from("examine"), await from("fit"),
  await from("vocabulary"), await from("seen"),
);

for (const { name, worst } of compare(math, fixture, compareVerdicts)) {
  test(name, () => assert.ok(worst < 1e-9, `differs by ${worst}`));
}

test("rows of a picture agree with single points", () => {
  const { background, concepts, weights } = fixture.cases[0];
  const mixture = (spec) => new math.Mixture(spec);
  const composition = new math.Composition(mixture(background), concepts.map(mixture), weights);
  const xs = Float64Array.from({ length: 160 }, (_, i) => -8 + 0.1 * i);
  const row = new Float64Array(160);
  for (const sigma of [0.02, 0.5, 10]) {
    const at = composition.at(sigma);
    for (const y of [-9, 0.3, 40]) {
      at.logDensities(xs, y, row);
      row.forEach((l, i) => {
        const exact = at.logDensity(xs[i], y);
        assert.ok(Math.abs(l - exact) < 1e-9 * (1 + Math.abs(exact)), `${l} for ${exact}`);
      });
    }
  }
});

test("normal numbers have the right moments, and follow the seed", () => {
  const normal = math.normals(7);
  const draws = Array.from({ length: 200000 }, normal);
  const moment = (k) => draws.reduce((sum, x) => sum + x ** k, 0) / draws.length;
  for (const [k, value, deviation] of [[1, 0, 1], [2, 1, Math.sqrt(2)], [3, 0, Math.sqrt(15)], [4, 3, Math.sqrt(96)]]) {
    assert.ok(Math.abs(moment(k) - value) < (5 * deviation) / Math.sqrt(draws.length), `moment ${k}`);
  }
  const again = math.normals(7);
  assert.deepEqual(Array.from({ length: 5 }, again), draws.slice(0, 5));
  assert.notDeepEqual(Array.from({ length: 5 }, math.normals(8)), draws.slice(0, 5));
});

test("noising by quadrature is adding variance", () => {
  const field = new math.Field([-6, -6, 6, 6], 96);
  const mixture = (v) => new math.Mixture({
    weights: [0.3, 0.7], means: [[-1, 0.5], [1.2, -0.4]],
    covariances: [[[0.3 + v, 0.1], [0.1, 0.2 + v]], [[0.5 + v, 0], [0, 0.3 + v]]],
  });
  const blurred = field.noised(field.masses(mixture(0).at(0)), 0.7);
  const exact = field.masses(mixture(0.49).at(0));
  assert.ok(math.totalVariation(blurred, exact) < 1e-6);
});

const composed = ({ background, concepts, weights }) => new math.Composition(
  background && new math.Mixture(background), concepts.map((spec) => new math.Mixture(spec)), weights,
);

test("turned axes leave log densities and interactions as they are", () => {
  const composition = composed(fixture.cases[1]);
  const u = [Math.cos(2.1), Math.sin(2.1)];
  for (const sigma of [0, 0.6]) {
    const [straight, turned] = [composition.at(sigma), composition.turned(u).at(sigma)];
    for (const [x, y] of fixture.cases[1].points) {
      const there = [u[0] * x + u[1] * y, u[0] * y - u[1] * x];
      for (const what of ["logDensity", "interaction"]) {
        const [a, b] = [straight[what](x, y), turned[what](...there)];
        assert.ok(Math.abs(a - b) < 1e-9 * (1 + Math.abs(a)), `${what} ${b} for ${a}`);
      }
    }
  }
});

test("weights are worth no more than the particles, and level with them where all are equal", () => {
  const worth = (logs) => math.effectiveSize(math.normalised(Float64Array.from(logs)).map(Math.exp));
  assert.ok(Math.abs(worth([3, 3, 3, 3]) - 4) < 1e-12);
  assert.ok(Math.abs(worth([-2000, 0, -3000]) - 1) < 1e-12);
  assert.ok(Math.abs(worth([1e5, 1e5 + Math.log(2)]) - 9 / 5) < 1e-9);
});

test("a path is computed in slices of a level, with its weights or with weights that come later", () => {
  const composition = composed(fixture.cases[2]);
  const levels = math.sigmaGrid(0.01, 30, 12);
  const path = () => new math.Path(composition, levels, 50, "sde", 4);
  const whole = Object.assign(path(), { weighted: true });
  let slices = 0;
  while (!whole.advance(1e-3)) {
    slices += 1;
    const behind = whole.states.length - whole.weights.logs.length;
    assert.ok(behind === 0 || behind === 1);
  }
  assert.ok(slices >= levels.length);
  const late = path();
  late.finish();
  assert.equal(late.logWeightsAt(0), null);
  late.weighted = true;
  assert.ok(!late.done);
  late.finish();
  assert.deepEqual(late.logWeightsAt(0.3), whole.logWeightsAt(0.3));
  assert.ok(Math.abs(late.sharesAt(0).reduce((a, b) => a + b, 0) - 1) < 1e-12);
});

test("a pace gives time to what is seen, some to every step, and is its own inverse", () => {
  const pace = new math.Pace([0, 3, 1, 0]);
  assert.equal(pace.time(0), 0);
  assert.ok(Math.abs(pace.time(4) - 1) < 1e-12);
  const shares = [0, 1, 2, 3].map((s) => pace.time(s + 1) - pace.time(s));
  assert.ok(shares[0] > 0.01 && Math.abs(shares[0] - shares[3]) < 1e-12);
  assert.ok(Math.abs((shares[1] - shares[0]) / (shares[2] - shares[0]) - 3) < 1e-9);
  for (const position of [0, 0.25, 1, 1.9, 3.5]) {
    assert.ok(Math.abs(pace.position(pace.time(position)) - position) < 1e-12);
  }
  assert.equal(pace.position(1.5), 4);
  assert.equal(new math.Pace([0, 0]).position(0.5), 1);
});

test("movement counts in widths of the picture, and only in it", () => {
  const boxes = [[-4, -4, 4, 4], [-2, -2, 2, 2]];
  const still = [[2, 0, -4, 2], [1, 0, -2, 1]]; // shrinks with the picture
  assert.deepEqual(math.movements(still, boxes), [0]);
  assert.deepEqual(math.movements([[0, 0, 9, 0], [1, 0, 7, 0]], boxes), [0.125]);
});

test("the player keeps the pace, and waits where nothing is computed yet", async () => {
  const { Player } = await import(pathToFileURL(`${process.env.MODULES}/shared/player.mjs`));
  globalThis.matchMedia = () => ({ matches: false });
  const pace = new math.Pace([0, 3, 1, 0]);
  const host = {
    state: { place: 0 }, panel: { moves() {} }, redraw() {}, push() {}, at: (position) => position,
    carry: (part) => (host.state = part), scene: { last: 4, known: 4, pace: () => pace },
  };
  const player = new Player(host, "place", 5);
  player.start(0);
  for (let now = 0; now <= 2500; now += 20) player.tick(now);
  assert.ok(Math.abs(host.state.place - pace.position(0.5)) < 1e-9);
  host.scene.known = 2;
  for (let now = 2520; now <= 4000; now += 20) player.tick(now);
  assert.equal(host.state.place, 2);
  host.scene.known = 4;
  for (let now = 4020; now <= 9000 && player.playing; now += 20) player.tick(now);
  assert.deepEqual([host.state.place, player.playing], [4, false]);
});

test("strokes are followed at equal distances, around corners, and a dot is a point", () => {
  const points = math.inked([[[0, 0], [1, 0], [1, 1]], [[5, 5]]], 0.3);
  const pairs = Array.from({ length: points.length / 2 }, (_, i) => [points[2 * i], points[2 * i + 1]]);
  assert.deepEqual(pairs.pop(), [5, 5]);
  assert.equal(pairs.length, 7);
  pairs.forEach(([x, y], i) => {
    assert.ok(Math.abs(x + y - 0.3 * i) < 1e-12, `${x}, ${y} at ${i}`);
    assert.ok(y < 1e-12 || Math.abs(x - 1) < 1e-12);
  });
});

test("every step of a fit makes the points likelier, and no axis is shorter than the floor", () => {
  const normal = math.normals(3);
  const points = Float64Array.from({ length: 400 }, (_, i) => normal() * (1 + (i % 2)) + (i < 200 ? 4 : 0));
  const floor = 0.3;
  let spec = math.runsOf(points, 6, floor);
  let before = -Infinity;
  for (let s = 0; s < 60; s++) {
    const next = math.emStep(spec, points, floor);
    assert.ok(next.likelihood > before - 1e-12, `${next.likelihood} after ${before}`);
    [before, spec] = [next.likelihood, next.spec];
    for (const [[a, b], [, d]] of spec.covariances) {
      const small = (a + d) / 2 - Math.hypot((a - d) / 2, b);
      assert.ok(small > floor - 1e-9, `an axis of ${small}`);
    }
  }
});

test("a fit to fewer places than components is a mixture all the same", () => {
  for (const places of [[[1, 2]], [[0, 0], [0, 0], [9, 9]], [[0, 0], [1e-9, 0], [100, 0]]]) {
    const { weights, means, covariances } = math.fitted(Float64Array.from(places.flat()), 8, 0.01);
    assert.ok(weights.length >= 1 && weights.length <= 3);
    assert.ok(Math.abs(weights.reduce((a, b) => a + b, 0) - 1) < 1e-12);
    for (const value of [...means, ...covariances].flat(2)) assert.ok(Number.isFinite(value));
  }
});

const oblique = new math.Mixture({
  weights: [0.2, 0.8], means: [[-2, 1], [1, 0]], covariances: [[[0.5, 0.3], [0.3, 0.4]], [[0.2, -0.1], [-0.1, 0.6]]],
});

test("draws have the moments of the mixture, drawn from it or from its masses", () => {
  const count = 60000;
  const mean = [0.4, 0.2];
  const field = new math.Field([-6, -6, 6, 6], 240);
  const masses = field.masses(oblique.at(0));
  for (const points of [math.drawn(oblique, count, math.normals(1)), math.drawnFrom(field, masses, count, math.normals(2))]) {
    const average = (f) => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += f(points[2 * i] - mean[0], points[2 * i + 1] - mean[1]);
      return sum / count;
    };
    // E xx = 0.2 (0.5 + 2.4^2) + 0.8 (0.2 + 0.6^2), and so on.
    for (const [f, value] of [
      [(x) => x, 0], [(_, y) => y, 0], [(x) => x * x, 1.7], [(x, y) => x * y, -0.5], [(_, y) => y * y, 0.72],
    ]) {
      const error = Math.sqrt(average((x, y) => (f(x, y) - value) ** 2) / count);
      assert.ok(Math.abs(average(f) - value) < 5 * error + 1e-3, `${average(f)} for ${value}`);
    }
  }
});

test("the box that is found holds the mass, wherever the search starts", () => {
  const narrow = new math.Mixture({ weights: [1], means: [[40, -7]], covariances: [[[1e-4, 0], [0, 4e-4]]] });
  for (const [mixture, start] of [[oblique, [-0.1, -0.1, 0.1, 0.1]], [oblique, [-90, -90, 90, 90]], [narrow, [-50, -50, 50, 50]]]) {
    const [left, bottom, right, top] = math.occupied(mixture.at(0), start);
    const [least, , most] = math.reachOf([mixture], 4.5);
    assert.ok(left < least && right > most, `${left} to ${right}`);
    const [low, high] = [math.reachOf([mixture], 12)[1], math.reachOf([mixture], 12)[3]];
    assert.ok(bottom > low && top < high, `${bottom} to ${top}`);
  }
});

test("a component that no point is near keeps its place in a fit", () => {
  const wide = [[1, 0], [0, 1]];
  const start = { weights: [0.5, 0.5], means: [[0, 0], [1e3, 0]], covariances: [wide, [[0.01, 0], [0, 0.01]]] };
  const { spec } = math.emStep(start, Float64Array.from([0, 0, 1, 0, 0, 1, 1, 1]), 0.01);
  assert.deepEqual(spec.means, [[0.5, 0.5], [1e3, 0]]);
  assert.deepEqual(spec.weights, [1, 0]);
  assert.deepEqual(spec.covariances[1], start.covariances[1]);
});
