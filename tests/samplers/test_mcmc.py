"""Chains: they stay where they should, adapt their step, and say how much they are worth."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp import metrics
from projcomp.samplers.chains import Chains, effective_samples
from projcomp.widgets.presets import PRESETS

from tests.helpers import close, normal, seeded

SKEWED = pc.GaussianMixture(
    [0.15, 0.6, 0.25], [[3.0, 1.0], [0.0, 0.0], [1.0, -2.0]], [[0.3, 0.8], [1.0, 0.5], [0.4, 0.2]]
)
GRID = pc.sigma_grid(0.01, 100.0, 30)


@pytest.mark.parametrize(("kernel", "moves"), [("mala", 300), ("hmc", 150)])
def test_exact_samples_stay_exact(kernel, moves):
    """Means, squares and cubes after hundreds of moves: 5 standard errors of 6,000 chains."""
    chains = 6000
    start = SKEWED.sample(chains, generator=seeded(1))
    run = pc.mcmc(SKEWED, start, moves, kernel=kernel, burn_in=10, generator=seeded(2))
    fresh = SKEWED.sample(400_000, generator=seeded(3))
    for power in (1, 2, 3):
        gap = (run.samples**power).mean(0) - (fresh**power).mean(0)
        spread = (fresh**power).std(0)
        error = spread * (1 / chains + 1 / 400_000) ** 0.5
        assert bool((gap.abs() < 5 * error).all()), (power, gap / error)
    assert float((run.samples - start).norm(dim=1).min()) > 0


def test_a_cold_start_is_forgotten():
    run = pc.mcmc(
        SKEWED, 0.1 * normal(seeded(4), 2000, 2), 400, kernel="hmc", burn_in=50, generator=seeded(5)
    )
    comparison = metrics.compare(run.samples, SKEWED, generator=seeded(6))
    assert comparison.excess < 5


@pytest.mark.parametrize(("kernel", "wanted"), [("mala", 0.574), ("hmc", 0.8), ("mala", 0.3)])
def test_burn_in_finds_the_target_acceptance_and_freezes(kernel, wanted):
    start = SKEWED.sample(4000, generator=seeded(7))
    run = pc.mcmc(
        SKEWED, start, 20, kernel=kernel, burn_in=25, step=0.02, acceptance=wanted,
        generator=seeded(8),
    )  # fmt: skip
    assert float(run.acceptance[0]) == pytest.approx(wanted, abs=0.06)
    again = pc.mcmc(SKEWED, start, 20, kernel=kernel, burn_in=0, step=0.02, generator=seeded(8))
    scale = float(SKEWED.score(start).square().mean().sqrt())
    assert float(again.step_sizes[0]) * scale == pytest.approx(0.02)


def test_effective_size_of_independent_and_of_constant_draws():
    free = normal(seeded(9), 10, 3000, 2)
    assert effective_samples(free) == pytest.approx(30_000, rel=0.1)
    assert effective_samples(free[:1].expand(10, 3000, 2)) == pytest.approx(3000, rel=0.01)


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_effective_size_of_an_autoregression(rho):
    """n m / tau with tau = 1 + 2 sum (1 - t/m) rho^t, at m = 8 moves of many chains."""
    m, n, g = 8, 40_000, seeded(10)
    draws = [normal(g, n, 1)]
    for _ in range(m - 1):
        draws.append(rho * draws[-1] + math.sqrt(1 - rho**2) * normal(g, n, 1))
    tau = 1 + 2 * sum((1 - t / m) * rho**t for t in range(1, m))
    assert effective_samples(torch.stack(draws)) == pytest.approx(n * m / tau, rel=0.03)


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ("mala", {}),
        ("hmc", {"moves": 2}),
        ("ula", {"step": 0.2, "predictor": "sde"}),
        ("mala", {"predictor": "sde"}),
        ("hmc", {"predictor": "heun", "moves": 2}),
    ],
)
def test_annealed_chains_sample_a_composition_that_commutes(kernel, options):
    preset = PRESETS["factorized"]()
    composition = pc.compose(preset.background, preset.concepts)
    exact = pc.BlockProduct(
        [preset.concepts[0].marginal([0]), preset.concepts[1].marginal([1])]
    ).mixture()
    grid = pc.sigma_grid(0.02, 100.0, 40)
    run = pc.annealed_mcmc(composition, 3000, grid, kernel, generator=seeded(11), **options)
    comparison = metrics.compare(run.samples, exact, generator=seeded(12))
    assert comparison.value < 1.6 * comparison.floor + 4 * comparison.error
    assert len(run.acceptance) == len(grid) - 1
    assert float(run.acceptance.min()) > 0.3


def test_evaluations_are_counted():
    calls = 0

    class Counting(pc.densities.Density):
        def _log_prob(self, x, sigma):
            raise AssertionError

        def _score(self, x, sigma):
            nonlocal calls
            calls += 1
            return SKEWED._score(x, sigma)

        def _log_prob_and_score(self, x, sigma):
            nonlocal calls
            calls += 1
            return SKEWED._log_prob_and_score(x, sigma)

    for options in (
        {"kernel": "hmc", "leapfrog": 3, "moves": 2, "burn_in": 1},
        {"kernel": "mala", "predictor": "heun"},
        {"kernel": "ula", "predictor": "sde"},
    ):
        calls = 0
        run = pc.annealed_mcmc(Counting(2), 4, GRID[::6], generator=seeded(13), **options)
        assert run.evaluations == calls


def test_path_and_generator():
    first, second = (
        pc.annealed_mcmc(SKEWED, 5, GRID, "mala", generator=seeded(14), keep_path=True)
        for _ in range(2)
    )
    assert first.path.shape == (len(GRID), 5, 2)
    close(first.path, second.path)
    close(first.path[-1], first.samples)


def test_scores_alone():
    blind = pc.Scored(2, SKEWED.score)
    run = pc.annealed_mcmc(
        blind, 1500, GRID, "ula", step=0.2, predictor="sde", generator=seeded(15)
    )
    comparison = metrics.compare(run.samples, SKEWED, generator=seeded(16))
    assert comparison.value < 1.6 * comparison.floor + 4 * comparison.error
    for kernel in ("mala", "hmc"):
        with pytest.raises(ValueError, match="known by its score alone"):
            pc.annealed_mcmc(blind, 10, GRID, kernel, generator=seeded(17))


def test_a_density_that_is_not_normalisable_is_warned_of_once():
    preset = PRESETS["tidy-lie"]()
    composition = pc.compose(preset.background, preset.concepts)
    with pytest.warns(UserWarning, match="not normalisable") as caught:
        pc.annealed_mcmc(composition, 5, GRID, "mala", predictor="sde", generator=seeded(18))
    assert len(caught) == 1


def test_a_chain_can_go_on_from_where_it_stands():
    """A kernel carries its relative step from one target to the next."""
    chains = Chains("mala", 3, 5)
    first = chains.relative
    chains.run(SKEWED.log_prob_and_score, SKEWED.sample(200, generator=seeded(19)), seeded(20))
    assert chains.relative != first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "nuts"}, "kernel must be one of ula, mala, hmc"),
        ({"moves": 0}, "moves must be >= 1"),
        ({"burn_in": -1}, "burn_in must be >= 0"),
        ({"leapfrog": 0}, "leapfrog must be >= 1"),
        ({"step": 0.0}, "step must be > 0"),
        ({"acceptance": 1.0}, r"acceptance must lie in \(0, 1\)"),
        ({"kernel": "ula", "acceptance": 0.5}, "acceptance must be None for kernel 'ula'"),
        ({"predictor": "rk4"}, "predictor must be one of euler, heun, sde"),
        ({"start": [[0.0, 0.0]]}, r"start must have shape \(4, 2\)"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        pc.annealed_mcmc(SKEWED, 4, GRID, **options)


def test_bad_input_at_one_level():
    with pytest.raises(ValueError, match=r"start must have shape \(n, 2\)"):
        pc.mcmc(SKEWED, [0.0, 0.0], 3)
    with pytest.raises(ValueError, match="density must be a Density"):
        pc.mcmc("p", [[0.0, 0.0]], 3)
    with pytest.raises(ValueError, match=r"draws must have shape \(moves, n, dim\)"):
        effective_samples(torch.zeros(3, 4))
