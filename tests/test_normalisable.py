"""Which compositions have a finite integral."""

import math

import projcomp as pc
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.helpers import families, random_mixture, seeded, uniform


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
