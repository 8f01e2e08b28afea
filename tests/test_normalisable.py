"""Which compositions have a finite integral."""

import itertools
import math
import warnings

import numpy as np
import projcomp as pc
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from projcomp import tails
from projcomp.samplers.run import warn_if_not_normalisable

from tests.helpers import KINDS, families, random_mixture, seeded, uniform


def curvature_far_out(c: pc.Density, sigma: float) -> float:
    """The largest limit of log q(t u) / t^2 over directions u, from values at t and 2 t."""
    if c.dim == 1:
        directions = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    else:
        angle = torch.arange(720, dtype=torch.float64) * (math.pi / 360)
        directions = torch.stack([angle.cos(), angle.sin()], -1)
    t = 1e6
    near, far = (c.log_prob(scale * t * directions, sigma) for scale in (1, 2))
    return float(((far - near) / (3 * t * t)).max())


@given(st.integers(0, 9999), st.integers(1, 2), st.integers(1, 3), st.sampled_from([0.0, 0.5, 3]))
def test_against_the_tails(seed, dim, count, sigma):
    """log q falls off faster than a line along every direction, or grows along one."""
    generator = seeded(seed)
    background = random_mixture(generator, 1, dim)
    concepts = [random_mixture(generator, 1 + j, dim) for j in range(count)]
    weights = 2 * uniform(generator, count) - 0.1
    if weights.min() < 0:
        concepts[int(weights.argmin())] = random_mixture(generator, 1, dim)
    c = pc.compose(background, concepts, weights)
    curvature = curvature_far_out(c, sigma)
    assume(abs(curvature) > 1e-3)
    answer = c.normalisable(sigma)
    if (weights < 0).any() and any(
        p.components > 1 for p, w in zip(concepts, weights, strict=True) if w < 0
    ):
        assert answer is None
    else:
        assert answer is (curvature < 0)


def two_over(variance: float) -> pc.Composition:
    """p_i = N(2 e_i, I) over N(0, s^2 I)."""
    concepts = [pc.gaussian([2.0, 0.0], 1.0), pc.gaussian([0.0, 2.0], 1.0)]
    return pc.compose(pc.gaussian([0.0, 0.0], variance), concepts)


@pytest.mark.parametrize(
    ("variance", "sigma", "wanted"),
    [
        (0.51, 0.0, True),  # exists iff s^2 > 1/2
        (0.49, 0.0, False),
        (0.36, 0.0, False),
        (0.64, 0.0, True),
        (0.5 * (1 + 1e-15), 0.0, False),  # positive, but by less than rounding
        (0.36, math.sqrt(0.28) + 1e-6, True),  # at noise sigma iff sigma^2 > 1 - 2 s^2
        (0.36, math.sqrt(0.28) - 1e-6, False),
        (0.36, 1.0, True),
    ],
)
def test_two_gaussians_over_a_narrow_one(variance, sigma, wanted):
    assert two_over(variance).normalisable(sigma) is wanted


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("variance", [0.3, 0.6, 0.75])
def test_the_threshold_in_the_number_of_concepts(k, variance):
    """k unit Gaussians over N(0, s^2): sigma^2 > (k - 1) - k s^2."""
    c = pc.compose(pc.gaussian([0.0], variance), [pc.gaussian([2.0], 1.0)] * k)
    threshold = (k - 1) - k * variance
    for gap in (-0.01, 0.01):
        if threshold + gap > 0:
            assert c.normalisable(math.sqrt(threshold + gap)) is (gap > 0)
    if threshold < 0:
        assert c.normalisable(0.0) is True


def test_the_exact_mean_above_the_threshold():
    """s = .8: the mean is 4.57 in each coordinate."""
    close_to = two_over(0.64).exact().mean.tolist()
    assert close_to == pytest.approx([4.5714, 4.5714], abs=1e-4)


def test_a_narrow_component_does_not_help():
    """A wide component with a small weight decides the tails."""
    background = pc.gaussian([0.0], 1.0)
    wide = pc.GaussianMixture([1 - 1e-12, 1e-12], [[0.0], [1.0]], [0.1, 5.0])
    assert pc.compose(background, [wide]).normalisable() is True
    assert pc.compose(background, [wide, wide]).normalisable() is False
    absent = pc.GaussianMixture([1.0, 0.0], [[0.0], [1.0]], [0.1, 5.0])
    assert pc.compose(background, [absent, absent]).normalisable() is True


def test_one_bad_direction_is_enough():
    background = pc.gaussian([0.0, 0.0], [10.0, 1.0])
    concept = pc.gaussian([1.0, 1.0], [1.0, 2.5])
    assert pc.compose(background, [concept, concept]).normalisable() is False
    assert pc.compose(background, [concept, concept]).normalisable(10.0) is True


@given(families())
def test_under_factorized_conditionals_it_always_exists(family):
    """C = p_b on the rest times each concept on its block; as one mixture it is decided."""
    background, concepts = family
    parts = [pc.gaussian(background.means[0], 2.0), *concepts]
    wide = [pc.gaussian(background.means[0], 0.1) for _ in parts]
    products = []
    for index, part in enumerate(parts):
        row = list(wide)
        row[index] = part
        products.append(pc.BlockProduct(row).mixture())
    whole = pc.compose(pc.BlockProduct(wide).mixture(), products[1:])
    assert whole.normalisable() is True


def test_what_is_not_decided():
    two = pc.GaussianMixture([0.5, 0.5], [[0.0], [1.0]], [1.0, 2.0])
    same = pc.GaussianMixture([0.5, 0.5], [[0.0], [1.0]], 4.0)
    one, cloud = pc.gaussian([0.0], 1.0), pc.Empirical([[0.0]])
    assert pc.compose(two, [one, one]).normalisable() is None
    assert pc.compose(cloud, [one, one]).normalisable(1.0) is None
    assert pc.compose(one, [one, cloud]).normalisable(1.0) is None
    assert pc.compose(same, [one, one]).normalisable() is True
    assert pc.compose(two, [one]).normalisable() is True  # the background cancels
    many = random_mixture(seeded(0), 20, 2)
    assert pc.compose(pc.gaussian([0.0, 0.0], 1.0), [many] * 4).normalisable() is None


def test_a_flat_background():
    one = pc.gaussian([0.0], 1.0)
    assert pc.simple_product([one, one]).normalisable() is True
    assert pc.simple_product([one, one], [1.0, -2.0]).normalisable() is False
    assert pc.simple_product([pc.Flat(1)]).normalisable() is False
    assert pc.compose(one, [pc.Flat(1)]).normalisable() is False
    assert pc.simple_product([one], [0.0]).normalisable() is False


def test_quadrature_agrees():
    """The integral over growing boxes settles, or does not."""
    small, large = pc.Grid.square(20.0, 200), pc.Grid.square(40.0, 400)
    for variance, wanted in ((0.64, True), (0.36, False)):
        c = two_over(variance)
        inner, outer = (float(g.log_integral(c.log_prob(g.points))) for g in (small, large))
        assert c.normalisable() is wanted
        assert (abs(outer - inner) < 1e-6) is wanted


# -- many levels at once -------------------------------------------------------------------------


def by_definition(terms, sigma: float) -> bool | None:
    """The eigenvalues of every choice of one precision from each density, level by level."""
    choices = []
    for density, exponent in terms:
        if isinstance(density, pc.Flat) or exponent == 0:
            continue
        if not isinstance(density, pc.GaussianMixture):
            return None
        precisions = density.precisions(sigma)[density.weights > 0]
        if exponent < 0 and len(torch.unique(precisions, dim=0)) > 1:
            return None
        choices.append(exponent * (precisions if exponent > 0 else precisions[:1]))
    if not choices:
        return False
    totals = np.stack(
        [torch.stack(choice).sum(0).numpy() for choice in itertools.product(*choices)]
    )
    rounding = 1e-14 * sum(float(choice.abs().max()) for choice in choices)
    return bool((np.linalg.eigvalsh(totals) > rounding).all())


LEVELS = [1e9, 1e4, 20.0, 3.0, 1.0, 0.7, 0.5, 0.3, 0.1, 0.01, 0.0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 10), st.booleans(), st.lists(
    st.sampled_from([1.0, 1.0, 0.0, 0.4, 2.5, -0.5]), min_size=1, max_size=3))  # fmt: skip
def test_every_level_has_the_answer_by_definition(seed, dim, flat, weights):
    """Also where some levels are normalisable and others are not, or not known."""
    generator = seeded(seed)
    sizes = torch.randint(1, 4, (len(weights) + 1,), generator=generator).tolist()
    kinds = torch.randint(0, 4, (len(weights) + 1,), generator=generator).tolist()
    scales = (0.4 + uniform(generator, len(weights) + 1)).tolist()
    background, *concepts = (
        random_mixture(generator, size if place else min(size, 2), dim, KINDS[kind], scale)
        for place, (size, kind, scale) in enumerate(zip(sizes, kinds, scales, strict=True))
    )
    c = pc.compose(pc.Flat(dim) if flat else background, concepts, weights)
    terms = [(c.background, 1.0 - sum(weights)), *zip(concepts, weights, strict=True)]
    wanted = [by_definition(terms, sigma) for sigma in LEVELS]
    assert c._normalisable(LEVELS) == wanted
    assert [c.normalisable(sigma) for sigma in LEVELS] == wanted


def crossing(dim: int) -> pc.Composition:
    """Not normalisable at 0, as one concept is wider than the background along each axis."""
    generator = seeded(dim)
    concepts = [random_mixture(generator, 3, dim, scale=0.8) for _ in range(2)]
    return pc.compose(pc.gaussian([0.0] * dim, 0.3 if dim > 1 else 0.1), concepts)


@pytest.mark.parametrize("dim", [1, 2, 3, 8, 9])
def test_normalisable_from_some_level_on(dim):
    c, levels = crossing(dim), pc.sigma_grid(0.01, 100.0, 63).tolist()
    terms = [(c.background, -1.0), *((p, 1.0) for p in c.concepts)]
    answers = c._normalisable(levels)
    assert answers == [by_definition(terms, sigma) for sigma in levels]
    assert {True, False} == set(answers)


@pytest.mark.parametrize("ways", ["bounds", "elimination", "eigenvalues"])
def test_each_way_of_deciding_gives_the_same(ways, monkeypatch):
    """Without the bounds, and without elimination too."""
    levels = [*LEVELS, math.sqrt(0.28) + 1e-7, math.sqrt(0.28) - 1e-7]
    if ways != "bounds":
        monkeypatch.setattr(
            tails._Tail, "bounds", lambda self, squares: torch.zeros(3, len(squares))
        )
    if ways == "eigenvalues":
        monkeypatch.setattr(tails, "_FEW_DIMENSIONS", 0)
    assert two_over(0.36)._normalisable(levels) == [sigma**2 > 0.28 for sigma in levels]
    for c in (crossing(2), crossing(5), two_over(0.5), two_over(0.6)):
        terms = [(c.background, -1.0), *((p, 1.0) for p in c.concepts)]
        assert c._normalisable(levels) == [by_definition(terms, sigma) for sigma in levels]


def test_narrow_margins_in_unlike_directions():
    """Where the sums of smallest eigenvalues say nothing, and of the trace a hundredth is left."""
    shape = torch.tensor([1.0, 100.0], dtype=torch.float64)
    concepts = [pc.gaussian([0.0, 0.0], shape)] * 2
    for variance, wanted in ((0.51, True), (0.5001, True), (0.4999, False)):
        c = pc.compose(pc.gaussian([0.0, 0.0], variance * shape), concepts)
        assert c.normalisable() is wanted


def test_as_many_levels_at_a_time_as_there_is_room_for(monkeypatch):
    c = crossing(3)
    wanted = c._normalisable(LEVELS)
    asked = []
    inner = tails._at_levels
    monkeypatch.setattr(tails, "_MOST_ENTRIES", 9 * 9 * 4)
    monkeypatch.setattr(tails, "_at_levels", lambda t, s: asked.append(len(s)) or inner(t, s))
    assert c._normalisable(LEVELS) == wanted
    assert asked == [4, 4, 3]


def test_too_many_choices_are_not_decided_and_equal_ones_count_once():
    wide, background = random_mixture(seeded(0), 60, 2), pc.gaussian([0.0, 0.0], 9.0)
    assert pc.compose(background, [wide, wide]).normalisable() is True
    c = pc.compose(background, [wide] * 3)  # 216,000
    assert c._normalisable([0.0, 1.0]) == [None, None]
    # At a level that rounds all covariances off they are one again.
    assert c._normalisable([0.0, 1e12]) == [None, True]
    common = random_mixture(seeded(1), 60, 2, "common")
    assert pc.compose(background, [common] * 3).normalisable() is True
    assert pc.simple_product([pc.gaussian([0.0] * 2049, 1.0)]).normalisable() is None


def test_of_a_long_schedule_64_levels_are_asked_for():
    asked = []

    class Asked(pc.Flat):
        def normalisable(self, sigma=0.0):
            asked.append(sigma)
            return sigma > 50.0

    sigmas = torch.linspace(100.0, 0.0, 1001, dtype=torch.float64)
    message = r"at 32 of 64 noise levels \(sigma from 0 to 49.2\)"
    with pytest.warns(UserWarning, match=message):
        assert warn_if_not_normalisable(Asked(2), sigmas)
    assert len(asked) == 64
    assert (asked[0], asked[-1]) == (100.0, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not warn_if_not_normalisable(Asked(2), sigmas[:400])
        assert not warn_if_not_normalisable(pc.gaussian([0.0], 1.0), sigmas)
