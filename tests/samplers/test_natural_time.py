"""Particles of compositions whose exponents do not sum to one."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp.samplers.diffusion import METHODS

from tests.helpers import close, normal, random_mixture, seeded

F64 = torch.float64
SHAPE = [[1.0, 0.6], [0.6, 0.5]]
MEANS = [[0.0, 0.0], [3.0, 1.0], [-1.0, 2.0]]


def alike(exponents):
    return pc.simple_product([pc.gaussian(m, SHAPE) for m in MEANS], exponents)


def test_exponents_of_densities():
    p, q = random_mixture(seeded(1), 3, 2), random_mixture(seeded(2), 2, 2)
    product = pc.simple_product([p, q])
    turn = pc.LinearMap(torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=F64))
    found = [
        (p, 1.0),
        (pc.Flat(2), 0.0),
        (product, 2.0),
        (pc.simple_product([p, q], [0.9, -0.2]), 0.9 - 0.2),
        # Exactly one over a distribution, whatever the rounding of the weights' sum.
        (pc.compose(p, [q, p, q], [0.1, 0.7, 0.2]), 1.0),
        (pc.compose(product, [p, q]), 2.0 - 2.0),
        (pc.compose(p, [product, q]), 2.0),
        (pc.pushforward(product, turn), 2.0),
        (pc.BlockProduct([product, product]), 2.0),
        (pc.BlockProduct([product, p]), 1.0),
        (pc.Mixture([product, pc.simple_product([q, q])]), 2.0),
        (pc.Mixture([product, p]), 1.0),
    ]
    for density, wanted in found:
        assert density.exponent == pytest.approx(wanted, abs=1e-15)
    assert pc.compose(p, [q, p, q], [0.1, 0.7, 0.2]).exponent == 1.0


@pytest.mark.parametrize("exponents", [[1.0, 1.0, 1.0], [0.9, 0.6, -0.2], [0.2, 0.1, 0.1]])
def test_gaussians_of_one_covariance_are_exact_in_natural_time(exponents):
    product = alike(exponents)
    x = 3 * normal(seeded(3), 200, 2)
    for sigma in (1e-3, 0.3, 20.0):
        gap = product.log_prob(x, product.exponent**0.5 * sigma) - product.exact().log_prob(
            x, sigma
        )
        assert float((gap - gap.mean()).abs().max()) < 1e-9 * (1 + float(gap.abs().max()))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("exponents", [[1.0, 1.0, 1.0], [0.9, 0.6, -0.2], [0.2, 0.1, 0.1]])
def test_samplers_follow_it(method, exponents):
    """Mean and covariance within 5 standard errors, and what 150 steps leave of them (2%)."""
    product = alike(exponents)
    exact, n = product.exact(), 20_000
    sigmas = pc.sigma_grid(1e-3, 300.0, 150)
    x = pc.reverse_diffusion(product, n, sigmas, method, generator=seeded(4)).samples
    wanted = exact.covariance
    error = (wanted.diagonal() / n).sqrt()
    assert ((x.mean(0) - exact.mean).abs() < 5 * error + 0.02 * wanted.diagonal().sqrt()).all()
    d = wanted.diagonal().sqrt()
    relative = (x.T.cov() - wanted) / torch.outer(d, d)
    assert (
        float(relative.abs().max())
        < 5 * math.sqrt(2 / n) + 0.06 * (method in ("euler", "sde")) + 0.02
    )


def test_a_product_of_mixtures_keeps_its_width():
    """Two bumps at 1.5 each way, variance .16: .08 is wanted; in own time less than .02 is left."""
    sides = pc.GaussianMixture([0.5, 0.5], [[-1.5, 0.0], [1.5, 0.0]], 0.16)
    heights = pc.GaussianMixture([0.3, 0.7], [[0.0, -1.5], [0.0, 1.5]], 0.16)
    product, n = pc.simple_product([sides, heights]), 8000
    x = pc.reverse_diffusion(
        product, n, pc.sigma_grid(0.002, 100.0, 60), generator=seeded(5)
    ).samples
    corner = x[(x > 0).all(1)]
    assert float(corner.var(0).mean()) == pytest.approx(0.08, rel=5 * math.sqrt(1 / len(corner)))


@pytest.mark.filterwarnings("ignore:the particles are not in equilibrium")  # of tiny steps
def test_chains_start_on_the_path():
    """Before they have moved to speak of: balance 1 within 5 standard errors (3 in own time)."""
    run = pc.annealed_mcmc(
        alike([1.0, 1.0, 1.0]), 4000, [300.0, 200.0], "mala", moves=1, burn_in=0, step=1e-6,
        generator=seeded(6),
    )  # fmt: skip
    assert float(run.balance[0]) == pytest.approx(1.0, abs=5 / 4000**0.5)


def test_nothing_changes_where_exponents_sum_to_one():
    """Bit for bit what the same scores give in a density that knows of no exponents."""
    p = pc.compose(
        pc.gaussian([0.0, 0.0], 9.0), [random_mixture(seeded(7), 3, 2)] * 3, [0.1, 0.7, 0.2]
    )

    class Plain(pc.Density):
        def _log_prob(self, x, sigma):
            return p._log_prob(x, sigma)

        def _score(self, x, sigma):
            return p._score(x, sigma)

    for method in METHODS:
        one, other = (
            pc.reverse_diffusion(d, 20, pc.sigma_grid(0.1, 50.0, 8), method, generator=seeded(8))
            for d in (p, Plain(2))
        )
        assert torch.equal(one.samples, other.samples)


def rates(density, x, u):
    """d log q/du, Laplacian log q and |grad log q|^2 at x (n, dim) and u = sigma^2 (n,)."""
    x, u = x.clone().requires_grad_(), u.clone().requires_grad_()
    log_q = density.log_prob(x, u.sqrt())
    score, slope = torch.autograd.grad(log_q.sum(), (x, u), create_graph=True)
    bends = [
        torch.autograd.grad(score[:, i].sum(), x, retain_graph=True)[0][:, i]
        for i in range(density.dim)
    ]
    return slope.detach(), sum(bends).detach(), score.square().sum(1).detach()


def mixtures(*sizes):
    return [random_mixture(seeded(20 + i), size, 2) for i, size in enumerate(sizes)]


def compositions():
    p, q, r, s = mixtures(3, 2, 3, 1)
    turn = pc.LinearMap(torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=F64))
    line = [p.marginal([0]), q.marginal([0])]
    inner = pc.compose(s, [p, q])
    return {
        "over a background": (pc.compose(s, [p, q, r], [1.0, 0.7, -0.2]), 1.0),
        "product": (pc.simple_product([p, q]), 2.0),
        "powers": (pc.simple_product([p, q, r], [0.9, 0.6, -0.2]), 1.3),
        "less than one": (pc.simple_product([p, q], [0.3, 0.2]), 0.5),
        "nested": (pc.compose(s, [inner, r], [0.8, 1.3]), 1.0),
        "nested background": (pc.compose(inner, [q, r]), 1.0),
        "nested products": (pc.compose(pc.simple_product([p, s]), [q, r], [1.0, -0.5]), 1.5),
        "turned": (pc.compose(s, [pc.pushforward(pc.simple_product([p, q]), turn)]), 2.0),
        "blocks": (
            pc.compose(
                s, [pc.BlockProduct([pc.simple_product(line), pc.compose(*[line[0], line])])]
            ),
            1.0,
        ),
        "either": (pc.compose(s, [pc.Mixture([inner, r], [0.3, 0.7], [1.5, 0.0])]), 1.0),
    }


@pytest.mark.parametrize("name", compositions())
def test_the_interaction_is_what_the_heat_equation_lacks(name):
    """In both times, by derivatives of the log density alone."""
    composed, exponent = compositions()[name]
    assert composed.exponent == pytest.approx(exponent)
    x, u = 2 * normal(seeded(30), 60, 2), 0.3 + torch.rand(60, generator=seeded(31), dtype=F64)
    slope, bend, square = rates(composed, x, u)
    for natural, heat in ((False, 1.0), (True, 1.0 / exponent)):
        wanted = 0.5 * heat * (bend + square) - slope
        found = composed.interaction(x, u.sqrt(), natural)
        close(found, wanted, 1e-8, 1e-8 * float((bend.abs() + square).max()))
        score, same = composed.score_and_interaction(x, u.sqrt(), natural)
        close(same, found)
        close(score, composed.score(x, u.sqrt()), 1e-9, 1e-9)
