"""The problems that networks are trained on, and what is measured of them."""

import importlib
import itertools
import math
import subprocess
import sys
from pathlib import Path

import projcomp as pc
import pytest
import torch

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))
learned, made = importlib.import_module("learned"), importlib.import_module("problems")

WIDTH = 0.01
"""So narrow that every point tells its template."""


def lattice(counts=(2, 3, 2)) -> tuple[torch.Tensor, ...]:
    """Templates of three blocks of one coordinate: 0, 1, 2, .."""
    return tuple(torch.arange(float(k), dtype=torch.float64)[:, None] for k in counts)


def problem(laws, width=WIDTH):
    blocks = [[0], [1], [2]]
    return made.Problem("", "tied", blocks, [law.density(blocks, width) for law in laws], width)


def tables():
    """A background with ties between all blocks, and two concepts of the same templates."""
    generator = made.seeded(5)
    found = torch.rand(3, 2, 3, 2, generator=generator, dtype=torch.float64) ** 3 + 0.02
    return list(found / found.sum((1, 2, 3), keepdim=True))


def exchanged(concept, background, axis):
    """The exchange defect of tables, and the spread of its terms."""
    x, y = concept.movedim(axis, 0).flatten(1), background.movedim(axis, 0).flatten(1)
    likely = torch.einsum("ar,bs->arbs", x, y)
    swapped = torch.einsum("as,br->arbs", x, y)
    gain = (likely / swapped).log()
    mean = (likely * gain).sum()
    return float(mean), float((likely * (gain - mean) ** 2).sum().sqrt())


def test_exchange_is_that_of_the_tables():
    background, *concepts = tables()
    templates = lattice()
    laws = [made.Law(table, templates) for table in (background, *concepts)]
    for axis, concept, found in zip((1, 2), concepts, problem(laws).exchange(), strict=True):
        wanted, spread = exchanged(concept, background, axis)
        assert abs(found.value - wanted) < 4 * spread / math.sqrt(made.TRIES)
        assert wanted > 20 * spread / math.sqrt(made.TRIES)
        assert found.error == pytest.approx(spread / math.sqrt(made.TRIES), rel=0.2)


def test_missed_is_that_of_the_tables():
    background, first, second = tables()
    found = problem([made.Law(t, lattice()) for t in (background, first, second)]).missed()
    wanted = torch.einsum("i,j,k->ijk", background.sum((1, 2)), first.sum((0, 2)),
                          second.sum((0, 1)))  # fmt: skip
    ratio = (first * second / background / wanted).log()
    composed = (first * second / background).sum().log()
    nats = float(composed - (wanted * ratio).sum())
    spread = float((wanted * (ratio.exp() / composed.exp() - ratio - 1 - nats + composed) ** 2)
                   .sum().sqrt())  # fmt: skip
    assert abs(found - nats) < 4 * spread / math.sqrt(made.TRIES)
    assert nats > 20 * spread / math.sqrt(made.TRIES)


def test_ties_and_answers_keep_the_shares_they_should():
    shares = [made.weights(made.seeded(seed), k) for seed, k in ((1, 2), (2, 3), (3, 2))]
    law = made.Law(torch.einsum("i,j,k->ijk", *shares), lattice())
    tied = law.with_tie(0.7)
    assert torch.allclose(tied.share(1), law.share(1), atol=1e-15)
    assert float(tied.table.sum()) == pytest.approx(1, abs=1e-14)
    k = torch.arange(3)
    given = tied.table.sum(0) / law.share(1)[:, None]
    assert torch.allclose(given[k, k % 2], 0.7 + 0.3 * law.share(2)[k % 2], atol=1e-14)
    for block in (1, 2):
        answer = law.with_answer(block, 0.4)
        assert torch.allclose(answer.share(3 - block), law.share(3 - block), atol=1e-15)
        rows = answer.table.sum(0) if block == 2 else answer.table.sum(0).T
        given = rows / law.share(3 - block)[:, None]
        k = torch.arange(len(given))
        wanted = 0.4 + 0.6 * law.share(block)[k % given.shape[1]]
        assert torch.allclose(given[k, k % given.shape[1]], wanted, atol=1e-14)
    alone = tied.with_block(2, torch.tensor([1.0, 0.0], dtype=torch.float64), law.templates[2])
    assert torch.allclose(alone.table[..., 0], tied.table.sum(2), atol=1e-15)


def test_a_shear_adds_the_left_to_the_right():
    table = torch.full((2, 3, 2), 1 / 12, dtype=torch.float64)
    means = made.Law(table, lattice(), 0.5).density([[0], [1], [2]], WIDTH).means
    plain = made.Law(table, lattice()).density([[0], [1], [2]], WIDTH).means
    assert torch.allclose(means[:, 2] - plain[:, 2], 0.5 * (plain[:, 1] - 1), atol=1e-15)
    assert torch.equal(means[:, :2], plain[:, :2])


@pytest.fixture(scope="module")
def small():
    return made.problems([2, 8])


def test_problems_are_what_they_are_called(small):
    assert [p.dim for p in small] == [2, 2, 2, 2, 8, 8, 8, 8]
    assert [p.kind for p in small if not p.factorized] == ["tied", "also", "depends", "sheared"]
    assert len({p.name for p in small}) == 8
    for p in small:
        assert sorted(itertools.chain(*p.blocks)) == list(range(p.dim))
        defects = [j.value for j in p.exchange()]
        if p.factorized:
            assert max(map(abs, defects)) < 1e-9 and abs(p.missed()) < 1e-9
        else:
            assert max(defects) >= made.LEAST and p.missed() >= made.LEAST
            assert all(j.value > -4 * j.error - 1e-9 for j in p.exchange())


def test_problems_come_again(small):
    again = made.problems([8])
    for one, two in zip(small[4:], again, strict=True):
        for p, q in zip(one.densities, two.densities, strict=True):
            assert torch.equal(p.means, q.means) and torch.equal(p.weights, q.weights)


def test_weak_ties_and_harmless_ones_are_drawn_again():
    """A tie of M_b and M_1 is one in vain: concept 1 unties them, and C is what was wanted."""
    shares = torch.tensor([0.3, 0.7], dtype=torch.float64)

    def enough(background):
        laws = [background]
        laws += [background.with_block(j, shares, background.templates[j]) for j in (1, 2)]
        return made.broken_enough(problem(laws))

    even, templates = torch.full((2, 2, 2), 0.125, dtype=torch.float64), lattice((2, 2, 2))
    assert not enough(made.Law(even, templates).with_tie(0.05))
    strong = made.Law(even, templates).with_tie(0.8)
    assert enough(strong)
    harmless = made.Law(strong.table.permute(2, 1, 0), templates)
    assert not enough(harmless)
    assert not enough(made.Law(even, templates))


@pytest.mark.parametrize("dim", [768, 3072])
def test_pictures_are_cut_into_three(dim):
    size = math.isqrt(dim // 3)
    middle, left, right = made.blocks_of(dim)
    assert sorted(middle + left + right) == list(range(dim))
    assert len(left) == len(right)
    columns = [sorted({index % size for index in block}) for block in (left, middle, right)]
    assert list(itertools.chain(*columns)) == list(range(size))


def test_score_errors_are_in_nats(monkeypatch, small):
    """A score that is off by a / sigma in one coordinate costs a^2 for every e-fold of noise."""
    chosen = small[4]

    class Off(pc.Density):
        def __init__(self, exact, gap):
            super().__init__(exact.dim)
            self.exact, self.gap = exact, gap

        def _log_prob(self, x, sigma):
            return self.exact._log_prob(x, sigma)

        def _score(self, x, sigma):
            found = self.exact._score(x, sigma).clone()
            found[1] += self.gap / sigma
            return found

    monkeypatch.setattr(
        learned, "learned",
        lambda problem, level: [Off(p, level + label + 1.0)
                                for label, p in enumerate(problem.densities)],
    )  # fmt: skip
    folds = float((chosen.sigmas[0] / chosen.sigmas[-1]).log())
    wanted = [[folds * (level + label + 1) ** 2 for label in range(3)] for level in range(3)]
    for row, right in zip(learned.score_errors(chosen), wanted, strict=True):
        assert row == pytest.approx(right, rel=1e-9)


def test_training_is_kept_and_goes_on(monkeypatch, small, tmp_path):
    """The second level has the first one's weights and its own steps; nothing is trained twice."""
    monkeypatch.setattr(learned, "FOLDER", tmp_path)
    monkeypatch.setitem(learned.STEPS, 2, (3, 8, 20))
    runs = []
    train = pc.networks.train

    def spied(model, data, recipe, **options):
        start = {name: value.clone() for name, value in model.state_dict().items()}
        runs.append((start, recipe.steps))
        return train(model, data, recipe, **options)

    monkeypatch.setattr(pc.networks, "train", spied)
    second = learned.trained(small[0], 1)
    assert [steps for _, steps in runs] == [3, 5]
    first = learned.trained(small[0], 0).state_dict()
    assert len(runs) == 2
    assert all(torch.equal(value, first[name]) for name, value in runs[1][0].items())
    again = learned.trained(small[0], 1).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in second.state_dict().items())
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".safetensors"] * 2
    monkeypatch.setitem(learned.STEPS, 2, (4, 8, 20))
    learned.trained(small[0], 0)
    assert [steps for _, steps in runs] == [3, 5, 4]


def test_the_benchmark_runs(tmp_path):
    command = [sys.executable, str(FOLDER / "learned.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("2-factorized-1", "2-tied", "2-factorized-2", "2-also"):
        row = next(line for line in done.stdout.splitlines() if line.startswith(name))
        assert len(row.split()) == 1 + 3 + 9
