"""SMC in the natural time of a composition: noise of variance sigma^2 / c, c the exponents' sum."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp.samplers.run import spread
from projcomp.samplers.weighting import ByDensity, ByInteraction

from tests.helpers import close, normal, random_mixture, seeded

LEFT, UP = [-1.5, 0.0], [0.0, 1.0]
ALIKE = [pc.gaussian(LEFT, 0.5), pc.gaussian(UP, 0.5)]
PRODUCTS = {
    "product": pc.simple_product(ALIKE),
    "powers": pc.simple_product(ALIKE, [0.7, 0.6]),
    "less than one": pc.simple_product(ALIKE, [0.3, 0.4]),
    "over a background": pc.compose(pc.gaussian(UP, 0.5), ALIKE, [0.4, 0.9]),
    "nested": pc.compose(pc.simple_product(ALIKE), [pc.simple_product(ALIKE)]),
}
SIDES = pc.GaussianMixture([0.5, 0.5], [[-1.5, 0.0], [1.5, 0.0]], 0.16)
ENDS = pc.GaussianMixture([0.3, 0.7], [[0.0, -1.5], [0.0, 1.5]], 0.16)
MIXTURES = pc.simple_product([SIDES, ENDS])


def laplacian(density, x, sigma):
    """Of the log density at x (n, dim), as the trace of the score's Jacobian: (n,)."""
    jacobians = torch.func.vmap(torch.func.jacfwd(lambda y: density.score(y, sigma)))(x)
    return jacobians.diagonal(dim1=1, dim2=2).sum(-1)


def log_normaliser(density, sigma):
    grid = pc.Grid.square(12.0 + 4 * sigma, 300)
    return float(grid.log_integral(density.log_prob(grid.points, sigma)))


@pytest.mark.parametrize("name", [name for name in PRODUCTS if name != "nested"])
def test_gaussians_of_one_covariance_leave_no_weight(name):
    """q^sigma is a Gaussian with the noise of its particles: every gain is the same for all."""
    density = PRODUCTS[name]
    high, low = 6.0, 0.1
    start = random_start(density, high, 300)
    grid = torch.logspace(math.log10(high), math.log10(low), 161, dtype=torch.float64)
    run = pc.smc(density, 300, grid, generator=seeded(1), start=start)
    close(run.effective, torch.full_like(run.effective, 300.0), 1e-8)
    wanted = log_normaliser(density, low) - log_normaliser(density, high)
    assert float(run.log_z[-1]) == pytest.approx(wanted, abs=0.01)


def random_start(density, sigma, n):
    noise = normal(seeded(2), n, density.dim)
    return density.exponent**-0.5 * math.hypot(sigma, 0.7) * noise


@pytest.mark.parametrize("name", PRODUCTS)
def test_density_weights_start_at_the_noise_that_was_drawn(name):
    """exp(log_z) has mean Z at the last level > 0: 40 runs of 200 particles, 4 standard errors."""
    density = PRODUCTS[name]
    grid = torch.logspace(math.log10(20.0), -1, 41, dtype=torch.float64)
    wanted = log_normaliser(density, 0.1)
    ratios = [
        math.exp(
            float(pc.smc(density, 200, grid, "density", generator=seeded(s)).log_z[-1]) - wanted
        )
        for s in range(40)
    ]
    mean, error = pc.metrics.mean_and_error(ratios)
    assert abs(mean - 1.0) < 4 * error < 0.2


@pytest.mark.parametrize("weights", ["interaction", "density"])
def test_a_product_of_mixtures_is_what_it_is(weights):
    """Mean, and log Z against a quadrature, from 6 runs: 5 standard errors."""
    grid = pc.sigma_grid(0.02, 40.0, 150)
    truth = MIXTURES.exact()
    means, normalisers, sizes = [], [], []
    for seed in range(6):
        run = pc.smc(MIXTURES, 800, grid, weights, generator=seeded(seed))
        means.append(float(run.mean(run.samples[:, 1])))
        normalisers.append(float(run.log_z[-2]))  # at sigma = 0.02
        sizes.append(float(run.effective.min()))
    for found, wanted in (
        (means, float(truth.mean[1])),
        (normalisers, log_normaliser(MIXTURES, 0.02) - first_normaliser(weights)),
    ):
        mean, error = pc.metrics.mean_and_error(found)
        assert abs(mean - wanted) < 5 * error + 0.004
    if weights == "interaction":  # these two cross at right angles: nothing is left to weigh
        assert min(sizes) > 700


def first_normaliser(weights):
    """ "density" counts from 1; "interaction" from the first level, which is nearly a Gaussian."""
    return 0.0 if weights == "density" else log_normaliser(MIXTURES, 40.0)


def test_without_natural_time_most_particles_would_be_lost():
    """The share of a mode over 20 runs: within 1.5 of the spread of independent samples, where
    the usual noise gives three times as much. (A spread of 20 is right to 16%.)"""
    n, truth = 512, MIXTURES.exact()
    share = float((truth.weights * (truth.means[:, 0] > 0)).sum())
    alone = math.sqrt(share * (1 - share) / n)
    found = []
    for seed in range(20):
        run = pc.smc(MIXTURES, n, pc.sigma_grid(0.02, 80.0, 67), generator=seeded(seed))
        found.append(float(run.mean((run.samples[:, 0] > 0).double())))
    spread_of = float(torch.tensor(found, dtype=torch.float64).std())
    assert spread_of < 1.5 * alone


def test_the_rate_is_that_of_the_weights():
    """d log q/du less (div s + |s|^2) / 2c, by differences of log densities: for any exponents."""
    parts = [random_mixture(seeded(s)) for s in (3, 4, 5)]
    x, u, step = normal(seeded(6), 20, 2), 0.8, 1e-5
    for density in (
        pc.simple_product(parts),
        pc.simple_product(parts[:2], [0.7, 0.6]),
        pc.compose(parts[0], parts[1:], [0.5, 1.5]),
    ):
        way = ByInteraction(density)
        score, rate = way.see(x, math.sqrt(u))
        ends = (density.log_prob(x, math.sqrt(u + sign * step)) for sign in (1, -1))
        slope = (next(ends) - next(ends)) / (2 * step)
        heat = laplacian(density, x, math.sqrt(u)) + score.square().sum(-1)
        close(rate, heat / (2 * density.exponent) - slope, 1e-6, 1e-6)


def test_a_level_is_an_evaluation():
    grid = pc.sigma_grid(0.05, 20.0, 10)
    options = {"moves": 0, "generator": seeded(10)}
    assert pc.smc(MIXTURES, 50, grid, **options).evaluations == 10
    assert pc.smc(MIXTURES, 50, grid, "density", **options).evaluations == 10
    over = pc.compose(pc.gaussian([0.0, 0.0], 4.0), [SIDES, ENDS])
    assert pc.smc(over, 50, grid, **options).evaluations == 10


@pytest.mark.parametrize("way", [ByInteraction, ByDensity])
def test_a_gain_is_of_second_order(way):
    """Twice the steps, a quarter of the error of log w along a path without noise."""
    density = pc.simple_product([random_mixture(seeded(11)), random_mixture(seeded(12))])
    x = normal(seeded(13), 30, 2)
    weighting = way(density)
    still = torch.zeros_like(x)

    def total(steps):
        levels = torch.logspace(0, -1, steps + 1, dtype=torch.float64).tolist()
        values = [weighting.see(x, s)[1] for s in levels]
        return sum(
            weighting.gain(a, b, high, low, x, x, still)
            for a, b, high, low in zip(values, values[1:], levels, levels[1:], strict=False)
        )

    fine = total(640)
    errors = [float((total(steps) - fine).abs().max()) for steps in (20, 40)]
    if way is ByInteraction:
        assert 3.5 < errors[0] / errors[1] < 4.5
    else:  # a ratio of log densities needs no rule
        assert errors[0] < 1e-9


def test_exponents_that_are_not_positive_keep_the_usual_noise():
    for weights in ([1.0, -1.0], [-0.5, 0.2]):
        assert spread(pc.simple_product(ALIKE, weights)) == 1.0
    assert spread(pc.simple_product(ALIKE)) == pytest.approx(math.sqrt(0.5))


def test_exponents_that_sum_to_one_change_nothing():
    """Weights .25 and .75 over a flat background: the usual noise, bit for bit."""
    density = pc.simple_product(ALIKE, [0.25, 0.75])
    grid = pc.sigma_grid(0.05, 20.0, 10)
    run = pc.smc(density, 40, grid, generator=seeded(14), keep_path=True)
    generator = seeded(14)
    x = 20.0 * normal(generator, 40, 2)
    for high, low, there in zip(
        grid[:-2].tolist(), grid[1:-1].tolist(), run.path[1:-1], strict=True
    ):
        denoised = x + high**2 * density.score(x, high)
        ratio = (low / high) ** 2
        noise = normal(generator, 40, 2)
        x = denoised + ratio * (x - denoised) + low * (1 - ratio) ** 0.5 * noise
        close(there, x, 1e-12, 1e-12)
    assert run.evaluations == 10


@pytest.mark.parametrize("name", ["product", "over a background"])
def test_the_last_step_counts_by_its_first_point(name):
    """From sigma = 0.3 to 0, where the rate is the same at every point."""
    density = PRODUCTS[name]
    run = pc.smc(density, 20, [20.0, 0.3, 0.0], generator=seeded(15), keep_path=True)
    rate = ByInteraction(density).see(run.path[1], 0.3)[1]
    close(run.log_z[2] - run.log_z[1], 0.3**2 * rate[0], 1e-8)
    assert abs(float(rate[0])) > 0.1
