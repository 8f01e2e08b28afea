"""Densities of one bank: evaluated together they give what each gives by itself."""

from __future__ import annotations

import copy
import pickle
import re

import projcomp as pc
import pytest
import torch
from projcomp.densities import _select

from tests.helpers import close, close_in_scale, normal, seeded, uniform

F64 = torch.float64
STYLES, CONTENTS, DIM = 4, 30, 12
N = STYLES * CONTENTS
ROWS = {
    "everything": None,
    "a style": range(2 * CONTENTS, 3 * CONTENTS),
    "a content": range(7, N, CONTENTS),
    "a cell": [2 * CONTENTS + 7],
    "scattered": [3, 90, 4, 17, 18, 55],
    "backwards": list(range(9, 0, -1)),
}
LEVELS = [0.02, 0.3, 1.0, 8.0, 200.0]
EXPONENTS = [-1.0, 1.0, 1.5, -0.5]


def points(count=N, dim=DIM, seed=0):
    return normal(seeded(seed), count, dim)


def pair(name, bank=None, weighted=False):
    """A density of the bank, and the same by itself."""
    bank = pc.Bank(points()) if bank is None else bank
    rows = ROWS[name]
    index = torch.arange(len(bank)) if rows is None else torch.tensor(list(rows))
    weights = uniform(seeded(len(index)), len(index)) if weighted else None
    weights = None if weights is None else weights / weights.sum()
    alone = pc.Empirical(bank.points[index], weights)
    return bank.density(None if rows is None else index, weights), alone


def where(count=9, dim=DIM):
    return 2 * points(count, dim, seed=1)


@pytest.fixture
def always(monkeypatch):
    """Selection in float32 for the smallest of banks too, however much is left."""
    for name in ("_LEAST", "_LEAST_POINTS", "_LEAST_DIM", "_WORTH"):
        monkeypatch.setattr(_select, name, 1)
    for name in ("_HOPEFUL", "_MOST", "_MOST_COPIED"):
        monkeypatch.setattr(_select, name, 1e9)
    monkeypatch.setattr("projcomp.densities.bank._LEAST_SELECTED", 1)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ROWS)
def test_one_alone(name, weighted):
    subset, alone = pair(name, weighted=weighted)
    close(subset.points, alone.points, 0.0, 0.0)
    for sigma in [*LEVELS, torch.linspace(0.05, 20, 9, dtype=F64)]:
        agree(subset, alone, where(), sigma)


def agree(one, other, x, sigma):
    close(one.log_prob(x, sigma), other.log_prob(x, sigma), 1e-12, 1e-12)
    close_in_scale(one.score(x, sigma), other.score(x, sigma), 1e-12)
    close_in_scale(one.denoise(x, sigma), other.denoise(x, sigma), 1e-12)
    for a, b in zip(
        one.log_prob_and_score(x, sigma), other.log_prob_and_score(x, sigma), strict=True
    ):
        close_in_scale(a, b, 1e-12)


def compositions(names, bank=None, weighted=False):
    bank = pc.Bank(points()) if bank is None else bank
    pairs = [pair(name, bank, weighted) for name in names]
    weights = EXPONENTS[1 : len(names)]
    return [pc.compose(ds[0], ds[1:], weights) for ds in zip(*pairs, strict=True)]


TOGETHER = [
    ["everything", "a style", "a content"],
    ["everything", "everything", "scattered"],
    ["a style", "a content", "a cell"],
    ["scattered", "backwards", "everything", "a content"],
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("names", TOGETHER, ids=" + ".join)
def test_together_is_one_by_one(names, weighted):
    shared, separate = compositions(names, weighted=weighted)
    for sigma in [*LEVELS, torch.linspace(0.05, 20, 9, dtype=F64)]:
        same(shared, separate, where(), sigma)


def same(shared, separate, x, sigma, digits=1e-12):
    close(shared.log_prob(x, sigma), separate.log_prob(x, sigma), digits, digits)
    close_in_scale(shared.score(x, sigma), separate.score(x, sigma), digits)
    close_in_scale(shared.scores(x, sigma), separate.scores(x, sigma), digits)
    close_in_scale(shared.deltas(x, sigma), separate.deltas(x, sigma), digits)
    found = zip(shared.evaluate(x, sigma), separate.evaluate(x, sigma), strict=True)
    for one, other in found:
        close_in_scale(one, other, digits)


@pytest.mark.parametrize("sigma", [0.05, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("names", TOGETHER, ids=" + ".join)
def test_together_where_few_points_matter(names, sigma, always):
    """What has no share is left out of every density by its own distances."""
    shared, separate = compositions(names, weighted=True)
    shared.score(where(40), sigma)  # which makes the copy in float32
    assert shared.background.bank._parameters(torch.device("cpu")).selection.copy is not None
    same(shared, separate, where(40), sigma)


def test_a_product_of_exponents_that_do_not_sum_to_one():
    bank = pc.Bank(3.0 + points())
    shared, separate = (
        pc.simple_product(parts)
        for parts in zip(*(pair(name, bank) for name in ("a style", "a content")), strict=True)
    )
    same(shared, separate, where(), 0.8)


def test_next_to_no_weight_is_weighed_when_points_are_selected(always):
    """The nearest point has hardly any: another one decides."""
    bank = pc.Bank(points())
    weights = torch.full((CONTENTS,), 1e-60, dtype=F64)
    weights[0] = 1 - weights[1:].sum()
    rows = torch.arange(CONTENTS)
    shared = pc.compose(bank.density(), [bank.density(rows, weights)])
    separate = pc.compose(pc.Empirical(bank.points), [pc.Empirical(bank.points[rows], weights)])
    x = bank.points[3:9] + 1e-3
    same(shared, separate, x, 0.4)
    same(shared, separate, x, 0.4)


def test_long_points_that_float32_cannot_tell_apart(always):
    """The bound on its errors is that of the points that are meant, not of shorter ones."""
    generator = seeded(4)
    close_by = 10.0 * normal(generator, 1, 3000) + 2e-5 * normal(generator, 40, 3000)
    bank = pc.Bank(torch.cat([1e-3 * normal(generator, 40, 3000), close_by]))
    rows = torch.randperm(40, generator=generator) + 40
    shared, alone = bank.density(rows), pc.Empirical(bank.points[rows])
    x = close_by[:16] + 1e-6 * normal(generator, 16, 3000)
    for _ in range(2):
        close_in_scale(shared.score(x, 1e-5), alone.score(x, 1e-5), 1e-6)
        found = pc.compose(bank.density(), [shared]).scores(x, 1e-5)[1]
        close_in_scale(found, alone.score(x, 1e-5), 1e-6)


def test_the_selected_points_of_each_density_are_its_own(always):
    """Near a point of the one the other's nearest is far: it would be lost with the rest."""
    bank = pc.Bank(100 * points())
    shared, separate = compositions(["a style", "a content"], bank)
    x = bank.points[2 * CONTENTS : 2 * CONTENTS + 20]
    shared.score(x, 0.1)
    same(shared, separate, x, 0.1, 1e-11)


@pytest.mark.parametrize("names", TOGETHER, ids=" + ".join)
def test_points_far_apart_for_the_level(names):
    """Where distances are taken from the nearest point, by each density from its own."""
    far = points()
    far[::2] += 1e8
    shared, separate = compositions(names, pc.Bank(far))
    x = far[:12] + 0.2 * points(12, seed=2)
    for sigma in (0.3, 1.0):
        same(shared, separate, x, sigma, 1e-9)


@pytest.mark.parametrize("name", ["everything", "scattered", "a content"])
def test_derivatives(name):
    shared, separate = compositions(["everything", name, "a style"])
    x, along = where(3), points(3, seed=4)
    for function in ("log_prob", "score", "interaction"):
        one, other = (
            torch.func.jvp(lambda y, c=c, f=function: getattr(c, f)(y, 0.7), (x,), (along,))
            for c in (shared, separate)
        )
        close_in_scale(one[1], other[1], 1e-11)
    one, other = (torch.func.vmap(lambda y, c=c: c.score(y, 0.7))(x) for c in (shared, separate))
    close_in_scale(one, other, 1e-12)


def test_pictures_go_in_and_come_out():
    pictures = normal(seeded(3), 10, 4, 5, 3)
    bank = pc.Bank(pictures)
    density = bank.density([1, 4, 7])
    assert density.shape == (4, 5, 3)
    assert density.dim == 60
    drawn = density.sample(20, generator=seeded(1))
    assert drawn.shape == (20, 4, 5, 3)
    assert {int((pictures - one).abs().flatten(1).sum(1).argmin()) for one in drawn} == {1, 4, 7}
    run = pc.reverse_diffusion(
        density, 6, generator=seeded(0), sigmas=pc.sigma_grid(0.01, 20.0, 12)
    )
    assert run.samples.shape == (6, 4, 5, 3)


def test_a_mask_is_a_choice_of_rows():
    bank = pc.Bank(points())
    mask = torch.zeros(N, dtype=torch.bool)
    mask[[3, 8, 13]] = True
    density = bank.density(mask)
    assert density.rows.tolist() == [3, 8, 13]
    assert isinstance(density._rows, slice)  # evenly spaced: nothing is copied
    assert density.points.data_ptr() == bank.points[3].data_ptr()


def test_samples_follow_the_weights():
    bank = pc.Bank(torch.arange(5.0, dtype=F64)[:, None])
    drawn = bank.density([4, 1], [0.9, 0.1]).sample(4000, generator=seeded(2))[:, 0]
    assert set(drawn.tolist()) == {1.0, 4.0}
    share = float((drawn == 4).double().mean())
    assert abs(share - 0.9) < 4 * (0.09 / 4000) ** 0.5


def test_copies_and_pickles():
    shared, separate = compositions(["everything", "a style", "scattered"])
    for other in (pickle.loads(pickle.dumps(shared)), copy.deepcopy(shared)):
        assert len({id(d.bank) for d in (other.background, *other.concepts)}) == 1
        same(other, separate, where(), 0.7)


def test_an_empty_batch():
    shared, _ = compositions(["everything", "a style", "scattered"])
    assert shared.score(where(0), 0.3).shape == (0, DIM)
    assert shared.log_prob(where(0), 0.3).shape == (0,)


def test_no_level_below_which_there_is_no_density():
    density = pc.Bank(points()).density()
    with pytest.raises(
        ValueError, match="sigma.*" + re.escape("an empirical distribution has no density at 0")
    ):
        density.score(where(), 0.0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "one or more integers"),
        ([0.5], "one or more integers"),
        ([[1, 2]], "one or more integers"),
        ([0, N], f"between 0 and {N - 1}, got 0 to {N}"),
        ([-1], "got -1 to -1"),
        ([3, 3], "must not name a point twice"),
        (torch.ones(3, dtype=torch.bool), f"a mask of shape ({N},)"),
        (torch.zeros(N, dtype=torch.bool), "one or more integers"),
    ],
)
def test_rows_that_are_not_there(rows, said):
    with pytest.raises(ValueError, match="rows.*" + re.escape(said)):
        pc.Bank(points()).density(rows)


@pytest.mark.parametrize(
    ("given", "said"),
    [([1.0], "(2,), one for each row, got (1,)"), ([0.7, 0.7], "sum"), ([1.5, -0.5], "")],
)
def test_weights_that_are_none(given, said):
    with pytest.raises(ValueError, match="weights.*" + re.escape(said)):
        pc.Bank(points()).density([0, 1], given)


@pytest.mark.parametrize("given", [[1.0, 2.0], torch.zeros(0, 3), [[float("nan")]], [[1e300]]])
def test_points_that_are_none(given):
    with pytest.raises(ValueError, match="points.*" + re.escape("")):
        pc.Bank(given)
