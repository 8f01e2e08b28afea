"""The theory's statements, on random densities that meet (or miss) their conditions."""

import projcomp as pc
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import (
    BANANA,
    POLAR,
    close,
    close_in_scale,
    families,
    normal,
    random_mixture,
    seeded,
    uniform,
)

# The blocks of one example in the plane, far from Gaussian and from symmetric.
BACK_X = pc.GaussianMixture([0.5, 0.5], [[-0.8], [1.0]], 0.36)
BACK_Y = pc.GaussianMixture([0.4, 0.6], [[-1.0], [0.7]], [0.25, 0.49])
CONCEPT_X = pc.GaussianMixture([0.55, 0.45], [[-2.0], [1.5]], [0.0625, 0.25])
CONCEPT_Y = pc.GaussianMixture([0.3, 0.4, 0.3], [[-2.5], [0.0], [2.5]], 0.09)


@st.composite
def factorized(draw):
    """Densities with factorized conditionals: background, concepts, and the composition.

    Blocks of one or two dimensions in shuffled coordinates, one left to the background alone.
    """
    generator = seeded(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(1, 2), min_size=2, max_size=4))
    order = torch.randperm(sum(sizes), generator=generator).tolist()
    blocks = [order[sum(sizes[:j]) : sum(sizes[: j + 1])] for j in range(len(sizes))]
    base = [random_mixture(generator, 2, size) for size in sizes]
    new = [random_mixture(generator, 3, size) for size in sizes]
    concepts = [
        pc.BlockProduct([new[j] if j == i else base[j] for j in range(len(sizes))], blocks)
        for i in range(1, len(sizes))
    ]
    truth = pc.BlockProduct([base[0], *new[1:]], blocks)
    return pc.BlockProduct(base, blocks), concepts, truth


@given(factorized(), st.one_of(st.just(0.0), st.floats(1e-3, 40.0)))
def test_theorem_5_3_at_every_noise_level(example, sigma):
    """C[p^sigma] = N_sigma[C[p]], with Z = 1: not even a constant between them."""
    background, concepts, truth = example
    c = pc.compose(background, concepts)
    x = truth.sample(10, sigma, seeded(0)) + normal(seeded(1), 10, truth.dim)
    wanted = truth.log_prob(x, sigma)
    scale = float(sum(p.log_prob(x, sigma).abs().max() for p in (background, *concepts, truth)))
    close(c.log_prob(x, sigma), wanted, 0.0, 1e-14 * scale)
    size = float(sum(p.score(x, sigma).abs().max() for p in (background, *concepts)))
    close(c.score(x, sigma), truth.score(x, sigma), 0.0, 1e-13 * size)
    # Each delta lives in its block: they are orthogonal, at any two points.
    deltas = c.deltas(x, sigma)
    for i, one in enumerate(deltas):
        for two in deltas[:i]:
            assert float((one @ two.T).abs().max()) <= 1e-13 * size**2


@pytest.mark.parametrize("sigma", [0.0, 1e-3, 0.1, 0.7, 3.0, 40.0])
def test_theorem_5_3_on_the_book_example(sigma):
    background = pc.BlockProduct([BACK_X, BACK_Y])
    concepts = [pc.BlockProduct([CONCEPT_X, BACK_Y]), pc.BlockProduct([BACK_X, CONCEPT_Y])]
    truth = pc.BlockProduct([CONCEPT_X, CONCEPT_Y])
    x = truth.sample(500, sigma, seeded(0))
    for c in (
        pc.compose(background, concepts),
        pc.compose(background.mixture(), [p.mixture() for p in concepts]),
    ):
        close(c.log_prob(x, sigma), truth.log_prob(x, sigma), 0.0, 2e-12)
        close_in_scale(c.score(x, sigma), truth.score(x, sigma), 1e-12)
        assert float(c.interaction(x, sigma).abs().max()) < 1e-9


@given(families(), st.sampled_from([BANANA, POLAR]))
def test_lemma_6_2_equivariance(family, diffeomorphism):
    """C[A # p] and A # C[p] differ by a constant (by none: the Jacobian has exponent one)."""
    background, concepts = family
    lifted = [pc.BlockProduct([p.marginal([0]), pc.gaussian([0.2], 0.2)]) for p in concepts]
    base = pc.BlockProduct([background.marginal([0]), pc.gaussian([0.0], 0.3)])
    weights = [1.5, -0.4, 1.0, 0.3][: len(concepts)]
    pushed = pc.pushforward(pc.compose(base, lifted, weights), diffeomorphism)
    composed = pc.compose(
        pc.pushforward(base, diffeomorphism),
        [pc.pushforward(p, diffeomorphism) for p in lifted],
        weights,
    )
    x = 0.5 * normal(seeded(0), 8, 2)
    y = diffeomorphism.forward(x)
    scale = 1 + float(pushed.log_prob(y).abs().max() + base.log_prob(x).abs().max())
    close(composed.log_prob(y), pushed.log_prob(y), 0.0, 1e-11 * scale)
    close_in_scale(composed.score(y), pushed.score(y), 1e-9)


@given(factorized(), st.integers(0, 999), st.floats(0.0, 20.0))
def test_lemma_7_1_orthogonal_feature_space(example, seed, sigma):
    """Factorized in rotated coordinates: still exact at every noise level."""
    background, concepts, truth = example
    turn, _ = torch.linalg.qr(normal(seeded(seed), truth.dim, truth.dim))
    c = pc.compose(
        pc.pushforward(background.mixture(), turn),
        [pc.pushforward(p.mixture(), turn) for p in concepts],
    )
    exact = pc.pushforward(truth.mixture(), turn)
    x = exact.sample(8, sigma, seeded(0))
    close(c.log_prob(x, sigma), exact.log_prob(x, sigma), 0.0, 1e-8)


@pytest.mark.parametrize("angle_cosine", [0.0, 0.4, -0.9])
def test_equal_gaussians_commute_at_every_angle(angle_cosine):
    """Deltas that do not depend on x: I is a constant, and noising commutes with composing."""
    one, two = [2.0, 0.0], [2 * angle_cosine, 2 * (1 - angle_cosine**2) ** 0.5]
    c = pc.compose(pc.gaussian([0.0, 0.0], 0.3), [pc.gaussian(one, 0.3), pc.gaussian(two, 0.3)])
    x = 3 * normal(seeded(0), 9, 2)
    for sigma in (0.0, 0.5, 4.0):
        interaction = c.interaction(x, sigma)
        wanted = 4 * angle_cosine / (0.3 + sigma**2) ** 2
        close(interaction, torch.full_like(interaction, wanted), 1e-10, 1e-11)
        gap = c.log_prob(x, sigma) - c.exact().log_prob(x, sigma)
        close(gap, gap.mean().expand(9), 0.0, 1e-10)


def test_for_two_concepts_a_constant_interaction_is_needed():
    """Where I depends on x, the composed path is not the noised composition."""
    concepts = [pc.gaussian([2.0, 0.0], [0.3, 0.6]), pc.gaussian([1.0, 2.0], [0.5, 0.3])]
    c = pc.compose(pc.gaussian([0.0, 0.0], 1.0), concepts)
    x = normal(seeded(0), 9, 2)
    assert float(c.interaction(x, 0.5).std()) > 0.1
    gap = c.log_prob(x, 0.5) - c.exact().log_prob(x, 0.5)
    assert float(gap.std()) > 0.1


# -- the interaction identity -------------------------------------------------------------------


def heat_residual(c: pc.Density, x: torch.Tensor, variance: float) -> torch.Tensor:
    """d log q / dv - (Laplacian log q + |grad log q|^2) / 2 at v, by central differences.

    Fourth order in v and in each coordinate; only log densities are used.
    """

    def at(v, shift=0.0):
        return c.log_prob(x + shift, v**0.5)

    def second(plus1, minus1, plus2, minus2, h):
        return (16 * (plus1 + minus1) - (plus2 + minus2) - 30 * at(variance)) / (12 * h * h)

    def first(plus1, minus1, plus2, minus2, h):
        return (8 * (plus1 - minus1) - (plus2 - minus2)) / (12 * h)

    h = 2e-3 * variance
    slope = first(*(at(variance + j * h) for j in (1, -1, 2, -2)), h)
    laplacian, square = 0.0, 0.0
    h = 3e-3 * variance**0.5
    for axis in torch.eye(c.dim, dtype=torch.float64):
        values = [at(variance, j * h * axis) for j in (1, -1, 2, -2)]
        laplacian = laplacian + second(*values, h)
        square = square + first(*values, h) ** 2
    return slope - 0.5 * (laplacian + square)


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 4),
    st.integers(1, 3),
    st.floats(0.3, 3.0),
    st.booleans(),
)
def test_interaction_identity(seed, count, dim, variance, unit):
    """d_v log q - (Laplacian log q + |grad log q|^2) / 2 = -I, relative error under 1e-5."""
    generator = seeded(seed)
    background, *concepts = (random_mixture(generator, 3, dim) for _ in range(count + 1))
    weights = None if unit else 4 * uniform(generator, count) - 1.5
    c = pc.compose(background, concepts, weights)
    x = 1.5 * normal(generator, 6, dim)
    interaction = c.interaction(x, variance**0.5)
    error = (heat_residual(c, x, variance) + interaction).abs().max()
    assert float(error) < 1e-5 * float(interaction.abs().max())


def test_each_density_alone_solves_the_heat_equation(generator):
    p = random_mixture(generator, 3, 2)
    x = 1.5 * normal(generator, 6, 2)
    for density in (p, pc.compose(p, [p]), pc.Flat(2)):
        assert float(heat_residual(density, x, 0.8).abs().max()) < 1e-6


# -- what high noise tells -----------------------------------------------------------------------


def test_deltas_at_high_noise_point_along_the_shift_of_the_mean(generator):
    """sigma^2 Delta_i -> mu_i - mu_b; orthogonal shifts under factorized conditionals."""
    background = pc.BlockProduct([BACK_X, BACK_Y])
    concepts = [pc.BlockProduct([CONCEPT_X, BACK_Y]), pc.BlockProduct([BACK_X, CONCEPT_Y])]
    c = pc.compose(background, concepts)
    sigma = 1e4
    deltas = sigma**2 * c.deltas(normal(generator, 5, 2), sigma)
    for delta, concept in zip(deltas, concepts, strict=True):
        shift = concept.mixture().mean - background.mixture().mean
        close(delta, shift.expand(5, 2), 0.0, 1e-6)
    shifts = [p.mixture().mean - background.mixture().mean for p in concepts]
    assert abs(float(shifts[0] @ shifts[1])) < 1e-12
