import itertools
import math

import projcomp as pc
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.helpers import (
    close,
    close_in_scale,
    families,
    gradient,
    noise_levels,
    normal,
    random_mixture,
    seeded,
    uniform,
)


def some_weights(count: int):
    return st.lists(st.floats(-3, 3), min_size=count, max_size=count)


@st.composite
def compositions(draw):
    background, concepts = draw(families())
    return background, concepts, draw(some_weights(len(concepts)))


@given(compositions(), noise_levels())
def test_the_operator_by_its_definition(parts, sigma):
    background, concepts, weights = parts
    c = pc.compose(background, concepts, weights)
    x = 3 * normal(seeded(0), 6, c.dim)
    log_b, score_b = background.log_prob_and_score(x, sigma)
    ratios = [p.log_prob(x, sigma) - log_b for p in concepts]
    deltas = [p.score(x, sigma) - score_b for p in concepts]
    log_prob = log_b + sum(w * r for w, r in zip(weights, ratios, strict=True))
    score = score_b + sum(w * d for w, d in zip(weights, deltas, strict=True))
    scale = 1 + float(log_prob.abs().max()) + sum(float(r.abs().max()) for r in ratios)
    close(c.log_prob(x, sigma), log_prob, 0.0, 1e-13 * scale)
    close_in_scale(c.deltas(x, sigma), torch.stack(deltas), 1e-12)
    size = float(score_b.abs().max()) + sum(float(d.abs().max()) for d in deltas)
    close(c.score(x, sigma), score, 0.0, 1e-11 * size)
    close(gradient(lambda y: c.log_prob(y, sigma), x), score, 0.0, 1e-11 * size)


@given(compositions(), noise_levels())
def test_evaluating_mixtures_together_changes_no_number(parts, sigma):
    """Wrapped in one-part products the same mixtures are evaluated one after another."""
    background, concepts, weights = parts
    fused = pc.compose(background, concepts, weights)
    wrapped = [pc.BlockProduct([p]) for p in (background, *concepts)]
    apart = pc.compose(wrapped[0], wrapped[1:], weights)
    x = 3 * normal(seeded(0), 6, fused.dim)
    scale = float(apart.score(x, sigma).abs().max()) + float(apart.deltas(x, sigma).abs().max())
    close(fused.score(x, sigma), apart.score(x, sigma), 0.0, 1e-11 * scale)
    scale = 1 + float(apart.log_prob(x, sigma).abs().max())
    close(fused.log_prob(x, sigma), apart.log_prob(x, sigma), 1e-11, 1e-11 * scale)


def test_weights_of_one_and_none(generator):
    p, q, r = (random_mixture(generator, 2, 2) for _ in range(3))
    x = normal(generator, 5, 2)
    close(pc.compose(p, [q], [1.0]).log_prob(x, 0.3), q.log_prob(x, 0.3))
    close(pc.compose(p, [q, r], [0.0, 0.0]).score(x, 0.3), p.score(x, 0.3))
    close(pc.compose(p, [p, p]).score(x, 0.3), p.score(x, 0.3))
    half = pc.compose(pc.Empirical([[0.0, 0.0]]), [q, r], [0.5, 0.5])
    close(half.log_prob(x), 0.5 * (q.log_prob(x) + r.log_prob(x)))


def test_a_composition_can_be_composed_again(generator):
    b, p, q = (random_mixture(generator, 2, 2) for _ in range(3))
    x = normal(generator, 5, 2)
    nested = pc.compose(b, [pc.compose(b, [p], [1.4]), q])
    close(nested.score(x, 0.3), pc.compose(b, [p, q], [1.4, 1.0]).score(x, 0.3), 1e-10, 1e-11)


def test_simple_product_by_hand():
    """N(0, 1) N(4, 1/3) is N(3, 1/4) up to a factor: precisions add."""
    product = pc.simple_product([pc.gaussian([0.0], 1.0), pc.gaussian([4.0], 1 / 3)])
    x = torch.linspace(-2, 6, 9, dtype=torch.float64)[:, None]
    close(product.score(x), -4.0 * (x - 3.0))
    close(product.exact().mean, torch.tensor([3.0], dtype=torch.float64))
    close(product.exact().covariance, torch.tensor([[0.25]], dtype=torch.float64))
    tempered = pc.simple_product([pc.gaussian([4.0], 1.0)], [2.5])
    close(tempered.score(x), -2.5 * (x - 4.0))


def test_bayes_by_hand():
    """Two hidden labels, one for each coordinate, independent given x: Bayes is exact."""
    a, b = [pc.gaussian([m], 0.3) for m in (-1.0, 2.0)], [pc.gaussian([m], 0.7) for m in (0.0, 3.0)]
    all_a = pc.GaussianMixture([0.2, 0.8], [[-1.0], [2.0]], 0.3)
    all_b = pc.GaussianMixture([0.6, 0.4], [[0.0], [3.0]], 0.7)
    unconditional = pc.BlockProduct([all_a, all_b])
    x = normal(seeded(0), 6, 2)
    for i, j in itertools.product(range(2), range(2)):
        given_a, given_b = pc.BlockProduct([a[i], all_b]), pc.BlockProduct([all_a, b[j]])
        both = pc.bayes(unconditional, [given_a, given_b])
        close(both.log_prob(x), pc.BlockProduct([a[i], b[j]]).log_prob(x), 1e-12, 1e-12)


def test_where_product_and_bayes_miss():
    """Two objects seen one at a time: only the composition over the empty scene has both."""
    empty = pc.gaussian([0.0, 0.0], 0.25)
    one, two = pc.gaussian([3.0, 0.0], 0.25), pc.gaussian([0.0, 3.0], 0.25)
    either = pc.GaussianMixture([0.5, 0.5], [[3.0, 0.0], [0.0, 3.0]], 0.25)
    grid = pc.Grid.square(8.0, 200)
    means = []
    for c in (
        pc.compose(empty, [one, two]),
        pc.simple_product([one, two]),
        pc.bayes(either, [one, two]),
    ):
        means.append((grid.masses(c)[..., None] * grid.points).sum((0, 1)).tolist())
    assert means[0] == pytest.approx([3.0, 3.0], abs=1e-9)
    assert means[1] == pytest.approx([1.5, 1.5], abs=1e-9)
    assert means[2] == pytest.approx([1.5, 1.5], abs=1e-9)


# -- closed forms ------------------------------------------------------------------------------


@given(st.integers(1, 4), st.integers(0, 9999), st.integers(1, 4), noise_levels())
def test_single_gaussians_by_precisions(dim, seed, count, sigma):
    generator = seeded(seed)
    background, *concepts = (random_mixture(generator, 1, dim) for _ in range(count + 1))
    weights = 2 * uniform(generator, count) - 0.5
    c = pc.compose(background, concepts, weights)
    eye = torch.eye(dim, dtype=torch.float64)
    precision, linear = torch.zeros_like(eye), torch.zeros(dim, dtype=torch.float64)
    exponents = [1 - float(weights.sum()), *weights.tolist()]
    for p, exponent in zip((background, *concepts), exponents, strict=True):
        inverse = torch.linalg.inv(p.covariances[0] + sigma**2 * eye)
        precision += exponent * inverse
        linear += exponent * inverse @ p.means[0]
    eigenvalues = torch.linalg.eigvalsh(precision)
    assume(float(eigenvalues.abs().min()) > 1e-3 * float(eigenvalues.abs().max()))
    x = 3 * normal(generator, 6, dim)
    close_in_scale(c.score(x, sigma), linear - x @ precision, 1e-8)
    assert c.normalisable(sigma) is bool(eigenvalues[0] > 0)
    if eigenvalues[0] > 0:
        exact = c.exact(sigma)
        close_in_scale(exact.covariances[0], torch.linalg.inv(precision), 1e-8)
        close_in_scale(exact.means[0], torch.linalg.solve(precision, linear), 1e-8)


@given(families(), noise_levels(), st.booleans())
def test_over_one_gaussian_it_is_a_mixture(family, sigma, flat):
    """C[p^sigma] from log densities, and as a mixture from products and quotients of Gaussians."""
    background, concepts = family
    wide = pc.gaussian(background.means[0], 30.0)
    c = pc.simple_product(concepts) if flat else pc.compose(wide, concepts)
    assert c.normalisable(sigma) is True
    exact = c.exact(sigma)
    assert exact.components == math.prod(p.components for p in concepts)
    x = exact.sample(8, generator=seeded(0))
    gap = c.log_prob(x, sigma) - exact.log_prob(x)
    close(gap, gap.mean().expand(8), 0.0, 1e-8 * (1 + float(c.log_prob(x, sigma).abs().max())))
    close_in_scale(exact.score(x), c.score(x, sigma), 1e-7)


def test_the_weights_of_the_exact_mixture(generator):
    """Against quadrature, where they decide how the mass falls to either side."""
    concepts = [
        pc.GaussianMixture([0.2, 0.8], [[-1.0], [2.0]], [0.5, 0.3]),
        pc.GaussianMixture([0.9, 0.1], [[-2.0], [1.5]], [0.4, 1.0]),
    ]
    c = pc.compose(pc.gaussian([0.5], 4.0), concepts)
    grid = pc.Grid([-12.0], [12.0], 4000)
    for sigma in (0.0, 0.4):
        close(grid.masses(c.exact(sigma)), grid.masses(c, sigma), 1e-9, 1e-13)
        total = grid.log_integral(c.exact(sigma).log_prob(grid.points))
        assert abs(float(total)) < 1e-12


def test_exact_noised_is_not_the_composition_of_the_noised():
    """The shear of 60 degrees: total variation .4999 at sigma = .3."""
    # Columns: the pixel directions of the two features.
    shear = [[1.0, math.cos(math.radians(60))], [0.0, math.sin(math.radians(60))]]
    background = pc.gaussian([0.0, 0.0], 0.09)
    one = pc.GaussianMixture([0.5, 0.5], [[2.0, 0.0], [-2.0, 0.0]], 0.09)
    two = pc.GaussianMixture([0.5, 0.5], [[0.0, 2.0], [0.0, -2.0]], 0.09)
    sheared = [pc.pushforward(p, shear) for p in (background, one, two)]
    c = pc.compose(sheared[0], sheared[1:])
    grid = pc.Grid.square(6.0, 300)
    truth = c.exact()
    assert pc.metrics.total_variation(c, truth, grid) < 1e-9
    noised = pc.metrics.total_variation(c, truth, grid, 0.3)
    assert noised == pytest.approx(0.4999, abs=2e-4)
    turned = [pc.pushforward(p, [[0.6, -0.8], [0.8, 0.6]]) for p in (one, two)]
    rotated = pc.compose(background, turned)
    assert pc.metrics.total_variation(rotated, rotated.exact(), grid, 0.3) < 1e-9


G, M = pc.gaussian([0.0], 1.0), pc.GaussianMixture([0.5, 0.5], [[0.0], [1.0]], 1.0)


@pytest.mark.parametrize(
    ("c", "message"),
    [
        (pc.compose(M, [G, G]), r"exact needs a single Gaussian where the exponent is not 1.*-1"),
        (pc.compose(G, [M], [0.5]), r"exact needs a single Gaussian where.*exponent 0.5"),
        (
            pc.compose(G, [pc.Empirical([[0.0]]), G]),
            r"exact needs Gaussian mixtures, got Emp",
        ),
        (pc.compose(G, [pc.gaussian([0.0], 2.0)] * 3), r"exact needs a normalisable composition"),
        (pc.compose(pc.Flat(1), [G], [-1.0]), r"exact needs a normalisable composition.*-1"),
        (pc.simple_product([pc.Flat(1)]), r"exact needs a normalisable composition"),
        (pc.simple_product([M] * 17), r"exact would need more than 100000 components"),
    ],
)
def test_where_there_is_no_exact_form(c, message):
    with pytest.raises(ValueError, match=message):
        c.exact()


# -- the interaction ---------------------------------------------------------------------------


@given(compositions(), noise_levels())
def test_interaction_by_hand(parts, sigma):
    background, concepts, weights = parts
    x = 3 * normal(seeded(0), 6, background.dim)
    deltas = [p.score(x, sigma) - background.score(x, sigma) for p in concepts]
    dots = torch.stack([torch.stack([(d * e).sum(-1) for e in deltas]) for d in deltas])
    w = torch.tensor(weights, dtype=torch.float64)
    # (sum_ij w_i w_j D_i.D_j - sum_i w_i D_i.D_i) / 2
    quadratic = torch.outer(w, w) - torch.diag(w)
    wanted = 0.5 * torch.einsum("ij,ijb->b", quadratic, dots)
    scale = float((quadratic.abs()[..., None] * dots.abs()).sum(0).sum(0).max())
    c = pc.compose(background, concepts, weights)
    close(c.interaction(x, sigma), wanted, 0.0, 1e-12 * scale + 1e-300)
    plain = pc.compose(background, concepts)
    pairs = sum((deltas[i] * deltas[j]).sum(-1) for i in range(len(deltas)) for j in range(i))
    wanted = pairs + torch.zeros(6, dtype=torch.float64)
    close(plain.interaction(x, sigma), wanted, 0.0, 1e-11 * float(dots.abs().sum()) + 1e-300)


def test_interaction_of_one_guided_concept(generator):
    """I = w (w - 1) |Delta|^2 / 2: guidance with w not in {0, 1} never commutes with noise."""
    b, p = random_mixture(generator, 2, 3), random_mixture(generator, 3, 3)
    x = normal(generator, 5, 3)
    for weight in (0.0, 1.0, 3.0, -0.5):
        c = pc.compose(b, [p], [weight])
        square = (c.deltas(x, 0.4)[0] ** 2).sum(-1)
        close(c.interaction(x, 0.4), 0.5 * weight * (weight - 1) * square, 1e-11, 1e-12)
    levels = uniform(generator, 4, 1)
    assert c.interaction(x, levels).shape == (4, 5)
    assert c.deltas(x, levels).shape == (1, 4, 5, 3)
    assert c.interaction(x.float(), 0.4).dtype == torch.float32


# -- what goes in ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pc.compose("b", [G]), r"background must be a Density, got 'b'"),
        (lambda: pc.compose(G, G), r"concepts must be a sequence of densities, got GaussianMixtu"),
        (lambda: pc.compose(G, []), r"concepts must hold at least one density, got none"),
        (lambda: pc.compose(G, [G, 3]), r"concepts\[1\] must be a Density, got 3"),
        (lambda: pc.compose(G, [pc.Flat(2)]), r"concepts\[0\] must live on R\^1.*got R\^2"),
        (lambda: pc.compose(G, [G], [1.0, 2.0]), r"weights must have shape \(1,\).*got \(2,\)"),
        (lambda: pc.compose(G, [G], 1.0), r"weights must have shape \(1,\).*got \(\)"),
        (lambda: pc.compose(G, [G], [math.nan]), r"weights must be finite, got 1 NaN"),
        (lambda: pc.compose(G, [G], ["a"]), r"weights must be numeric"),
        (lambda: pc.simple_product([]), r"concepts must hold at least one density, got none"),
        (lambda: pc.simple_product([G, pc.Flat(2)]), r"concepts\[1\] must live on R\^1"),
        (lambda: pc.bayes(None, [G]), r"unconditional must be a Density, got None"),
        (lambda: pc.compose(G, [G]).normalisable(-1.0), r"sigma must be >= 0, got -1"),
        (lambda: pc.compose(G, [G]).normalisable([1, 2]), r"sigma must be one number"),
        (lambda: pc.compose(G, [G]).exact([1, 2]), r"sigma must be one number, got shape \(2,\)"),
        (lambda: pc.compose(G, [G]).interaction([1.0, 2.0]), r"x must have shape \(..., 1\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
