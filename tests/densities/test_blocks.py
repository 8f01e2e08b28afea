import math

import projcomp as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import close, close_in_scale, mixtures, noise_levels, normal, points_near, seeded


@st.composite
def products(draw):
    """Two or three mixtures over shuffled blocks of coordinates."""
    part = mixtures(most_components=3, scales=(1.0,))
    parts = draw(st.lists(part, min_size=2, max_size=3))
    dim = sum(part.dim for part in parts)
    order = draw(st.permutations(range(dim)))
    blocks, start = [], 0
    for part in parts:
        blocks.append(list(order[start : start + part.dim]))
        start += part.dim
    return pc.BlockProduct(parts, blocks)


@given(products(), noise_levels())
def test_it_is_the_product_of_its_parts(p, sigma):
    x = p.sample(8, generator=seeded(0)) + normal(seeded(1), 8, p.dim)
    pairs = list(zip(p.parts, p.blocks, strict=True))
    close(p.log_prob(x, sigma), sum(q.log_prob(x[:, b], sigma) for q, b in pairs))
    score, denoised = p.score(x, sigma), p.denoise(x, sigma)
    for part, block in pairs:
        close(score[:, block], part.score(x[:, block], sigma))
        close(denoised[:, block], part.denoise(x[:, block], sigma))


@given(products(), noise_levels())
def test_it_is_one_mixture_of_all_combinations(p, sigma):
    """An independent way to the same numbers: full covariances in the whole space."""
    x = p.sample(8, generator=seeded(0)) + normal(seeded(1), 8, p.dim)
    whole = p.mixture()
    assert whole.components == math.prod(part.components for part in p.parts)
    close(p.log_prob(x, sigma), whole.log_prob(x, sigma), 1e-9, 1e-9)
    for part, block in zip(p.parts, p.blocks, strict=True):
        close_in_scale(p.score(x, sigma)[:, block], whole.score(x, sigma)[:, block], 1e-8)
        close(whole.marginal(block).log_prob(x[:, block], sigma), part.log_prob(x[:, block], sigma))


def test_blocks_follow_each_other_unless_given(generator):
    parts = [pc.gaussian([0.0, 1.0], 1.0), pc.gaussian([5.0], 2.0)]
    p = pc.BlockProduct(parts)
    assert p.blocks == ([0, 1], [2])
    x = points_near(p.mixture())
    close(p.log_prob(x), pc.BlockProduct(parts, [[0, 1], [2]]).log_prob(x), 0.0, 0.0)


def test_parts_of_any_kind(generator):
    points = normal(generator, 5, 1)
    p = pc.BlockProduct([pc.Empirical(points), pc.gaussian([1.0], 0.5)], [[1], [0]])
    x = normal(generator, 6, 2)
    wanted = pc.Empirical(points).log_prob(x[:, 1:], 0.4) + p.parts[1].log_prob(x[:, :1], 0.4)
    close(p.log_prob(x, 0.4), wanted)
    nested = pc.BlockProduct([p, pc.gaussian([0.0], 1.0)], [[2, 0], [1]])
    y = normal(generator, 6, 3)
    close(nested.score(y, 0.4)[:, [2, 0]], p.score(y[:, [2, 0]], 0.4))


def test_samples_land_in_their_blocks():
    parts = [pc.gaussian([10.0, 20.0], 1e-6), pc.gaussian([30.0], 1e-6)]
    x = pc.BlockProduct(parts, [[2, 0], [1]]).sample(20, generator=seeded(0))
    close(x, torch.tensor([20.0, 30.0, 10.0], dtype=torch.float64).expand(20, 3), 0.0, 0.01)


def test_normalisable_if_every_part_is():
    good = pc.gaussian([0.0], 1.0)
    other = pc.compose(pc.Empirical([[0.0]]), [good])
    unknown = pc.compose(pc.Empirical([[0.0]]), [good, good])
    assert pc.BlockProduct([good, good]).normalisable() is True
    assert pc.BlockProduct([good, pc.Flat(1)]).normalisable() is False
    assert pc.BlockProduct([unknown, good]).normalisable(1.0) is None
    assert pc.BlockProduct([unknown, pc.Flat(1)]).normalisable(1.0) is False
    assert pc.BlockProduct([other, good]).normalisable(1.0) is True


ONE, TWO = pc.gaussian([0.0], 1.0), pc.gaussian([0.0, 0.0], 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), r"parts must hold at least one density, got none"),
        ((ONE,), r"parts must be a sequence of densities, got GaussianMixture"),
        (([ONE, "x"],), r"parts\[1\] must be a Density, got 'x'"),
        (([ONE, TWO], [[0], [1]]), r"blocks must cover all 3 coordinates, but miss \[2\]"),
        (([ONE, TWO], [[0, 1], [2]]), r"blocks must have the sizes of the parts, \[1, 2\], got"),
        (([ONE, TWO], [[0], [0, 1]]), r"blocks must not overlap, but coordinate 0 is in blocks\[0"),
        (
            ([ONE, TWO], [[0], [1, 3]]),
            r"blocks\[1\] must be distinct.* below 3, got \[1, 3\]",
        ),
        (
            ([ONE, TWO], [[0], [1, 1]]),
            r"blocks\[1\] must be distinct.* below 3, got \[1, 1\]",
        ),
        (([ONE, TWO], [[0], [1, -2]]), r"blocks\[1\] must be >= 0, got -2"),
        (([ONE, TWO], [[0], [1, 2.0]]), r"blocks\[1\] must be an integer >= 0, got 2.0"),
        (([ONE, TWO], [0, [1, 2]]), r"blocks\[0\] must be a sequence of indices, got 0"),
        (([ONE, TWO], 3), r"blocks must be a sequence of index lists, got 3"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        pc.BlockProduct(*arguments)


def test_only_mixtures_make_a_mixture():
    with pytest.raises(ValueError, match=r"parts must all be Gaussian mixtures, got Empirical"):
        pc.BlockProduct([ONE, pc.Empirical([[0.0]])]).mixture()
