"""What draws are worth, by known autoregressions, by ArviZ, and where there are few moves."""

from __future__ import annotations

import math
import warnings

import numpy as np
import projcomp as pc
import pytest
import torch
from arviz_stats.base import array_stats
from projcomp.samplers import convergence
from projcomp.samplers.convergence import KINDS, balance, summary

from tests.helpers import close, normal, seeded

ARVIZ = {"bulk": {}, "tail": {"prob": (0.05, 0.95)}, "mean": {}}


def autoregression(generator, moves, n, dim=1, rho=0.0):
    draws = [normal(generator, n, dim)]
    for _ in range(moves - 1):
        draws.append(rho * draws[-1] + math.sqrt(1 - rho**2) * normal(generator, n, dim))
    return torch.stack(draws)


def arviz_sizes(draws, kind):
    chains = draws.permute(2, 1, 0).numpy()
    return array_stats.ess(chains, method=kind, **ARVIZ[kind])


def arviz_r_hat(draws):
    with np.errstate(divide="ignore", invalid="ignore"):  # of chains that stand still
        return float(array_stats.rhat(draws.permute(2, 1, 0).numpy(), method="rank").max())


# -- long chains -----------------------------------------------------------------------------------


def test_antithetic_draws_are_worth_more_than_independent_ones():
    """n m (1 + .5) / (1 - .5) = 96,000 of 32,000; the estimate's own spread is some 3%."""
    draws = autoregression(seeded(1), 4000, 8, rho=-0.5)
    for kind in ("bulk", "mean"):
        assert pc.effective_samples(draws, kind) == pytest.approx(96_000, rel=0.1)


def test_a_slow_part_beneath_a_fast_one_is_seen():
    """tau = .1 * 199 + .9 / 3 = 20.2, so 1,584 of 32,000. 20 runs, whose mean is biased by 2%."""
    g, found = seeded(2), []
    for _ in range(20):
        slow, fast = (autoregression(g, 4000, 8, rho=rho) for rho in (0.99, -0.5))
        found.append(pc.effective_samples(0.1**0.5 * slow + 0.9**0.5 * fast))
    mean, error = pc.metrics.mean_and_error(found)
    assert abs(mean - 1584) < 4 * error + 0.05 * 1584


@pytest.mark.parametrize("moves", [10, 11, 37, 100, 1001])
@pytest.mark.parametrize("rho", [-0.9, -0.3, 0.0, 0.5, 0.99])
@pytest.mark.parametrize("rounded", [False, True])
def test_arviz_agrees(moves, rho, rounded):
    """Ties too; ArviZ needs two chains for R-hat."""
    for n in (1, 2, 5):
        draws = autoregression(seeded(moves + n), moves, n, 3, rho) + torch.tensor([0.0, 5.0, -9.0])
        draws = (2 * draws).round() if rounded else draws
        for kind in KINDS:
            wanted = float(arviz_sizes(draws, kind).min())
            assert pc.effective_samples(draws, kind) == pytest.approx(wanted, rel=1e-10)
        if n > 1:
            assert pc.r_hat(draws) == pytest.approx(arviz_r_hat(draws), rel=1e-10)
        assert summary(draws) == (pc.effective_samples(draws), pc.r_hat(draws))


@pytest.mark.parametrize("moves", range(4, 10))
def test_arviz_agrees_on_r_hat_of_few_moves(moves):
    draws = autoregression(seeded(3), moves, 40, 2, 0.5)
    assert pc.r_hat(draws) == pytest.approx(arviz_r_hat(draws), rel=1e-10)


def test_chains_that_have_not_met():
    draws = autoregression(seeded(4), 1000, 4, 2)
    assert pc.r_hat(draws) < 1.01
    apart, wider = draws.clone(), draws.clone()
    apart[:, 0, 1] += 1.0
    wider[:, 0, 1] *= 3.0  # of the same mean: only the folded draws tell
    assert pc.r_hat(apart) > 1.05
    assert pc.r_hat(wider) > 1.05
    assert pc.effective_samples(apart) < 0.05 * pc.effective_samples(draws)


def test_the_worst_coordinate_counts():
    good, bad = (autoregression(seeded(5), 500, 4, rho=rho) for rho in (0.0, 0.9))
    for kind in KINDS:
        both = pc.effective_samples(torch.cat([good, bad], -1), kind)
        alone = pc.effective_samples(bad, kind)
        assert both == pytest.approx(alone, rel=1e-10)
        assert alone < 0.8 * pc.effective_samples(good, kind)


# -- few moves -------------------------------------------------------------------------------------


@pytest.mark.parametrize("moves", [1, 2, 3, 4, 5, 8, 9, 10, 12])
@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.7])
def test_few_moves_of_many_chains(moves, rho):
    """n m / tau with tau = 1 + 2 sum (1 - t/m) rho^t; relative error sqrt(2 / 40,000) = .7%."""
    n = 40_000
    tau = 1 + 2 * sum((1 - t / moves) * rho**t for t in range(1, moves))
    draws = autoregression(seeded(6), moves, n, rho=rho)
    most = n * moves * math.log10(n * moves)
    for kind in ("bulk", "mean"):
        found = pc.effective_samples(draws, kind)
        assert found == pytest.approx(min(n * moves / tau, most), rel=5 * math.sqrt(2 / n))
    assert summary(draws) == (pc.effective_samples(draws), pc.r_hat(draws))


@pytest.mark.parametrize("moves", [1, 2, 3, 4, 7, 12])
def test_chains_that_stand_still_are_worth_one_draw_each(moves):
    draws = normal(seeded(7), 1, 3000, 2).expand(moves, 3000, 2)
    for kind in KINDS:
        assert pc.effective_samples(draws, kind) == pytest.approx(3000, rel=1e-9)
    assert pc.r_hat(draws) == math.inf


@pytest.mark.parametrize("moves", [1, 2, 3, 4, 5, 9, 10, 30])
@pytest.mark.parametrize("n", [1, 2, 3, 50])
@pytest.mark.parametrize("what", ["free", "constant", "copies", "two values", "tiny", "huge"])
def test_never_nan_and_never_above_the_cap(moves, n, what):
    draws = normal(seeded(8), moves, n, 2)
    draws = {
        "free": draws,
        "constant": torch.full_like(draws, 0.1),
        "copies": draws[:, :1].expand_as(draws),
        "two values": (draws > 0).double(),
        "tiny": 1e-300 * draws,
        "huge": 1e300 * draws,
    }[what]
    size = n * moves
    for kind in KINDS:
        found = pc.effective_samples(draws, kind)
        assert 0 < found <= size * max(1.0, math.log10(size)) * (1 + 1e-12)
        if what == "constant" or (what == "copies" and moves == 1):
            assert found == size
        elif moves < 10 and (n == 1 or what == "copies") and what != "two values":
            assert found == pytest.approx(size if size == 1 else 1.0)
    assert pc.r_hat(draws) >= 0
    mean, error = pc.samplers.mean_with_error(draws)
    assert bool(torch.isfinite(mean).all())
    assert bool((error >= 0).all())


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_coordinate_spoils_nothing(kind):
    draws = autoregression(seeded(9), 200, 4, rho=0.5)
    padded = torch.cat([draws, torch.full_like(draws, 3.0)], -1)
    wanted = pc.effective_samples(draws, kind)
    assert pc.effective_samples(padded, kind) == pytest.approx(wanted, rel=1e-10)
    assert pc.r_hat(padded) == pytest.approx(pc.r_hat(draws), rel=1e-10)
    assert pc.r_hat(torch.full((8, 3, 1), 2.0)) == 1.0


@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1e200])
def test_units_do_not_matter(scale):
    draws = autoregression(seeded(10), 100, 4, 2, 0.5)
    for kind in KINDS:
        wanted = pc.effective_samples(draws, kind)
        assert pc.effective_samples(scale * draws, kind) == pytest.approx(wanted, rel=1e-9)
    mean, error = pc.samplers.mean_with_error(draws)
    for found, wanted in zip(
        pc.samplers.mean_with_error(scale * draws), (mean, error), strict=True
    ):
        close(found / scale, wanted, 1e-9)


def test_a_far_off_mean_costs_no_digits():
    draws = autoregression(seeded(11), 200, 4, rho=0.5)
    wanted = pc.effective_samples(draws, "mean")
    assert pc.effective_samples(draws + 1e8, "mean") == pytest.approx(wanted, rel=1e-5)


# -- error bars ------------------------------------------------------------------------------------


def test_error_bars_cover():
    """95% intervals of 300 runs each: within 4 standard errors, and 93 to 97% of all."""
    g, shares = seeded(12), []
    for rho, moves, n in ((-0.5, 1000, 8), (0.9, 1000, 8), (0.5, 4, 200)):
        covered = 0
        for draws in autoregression(g, moves, 300 * n, 1, rho).chunk(300, 1):
            mean, error = pc.samplers.mean_with_error(draws)
            covered += abs(float(mean[0])) < 1.96 * float(error[0])
        shares.append(covered / 300)
        assert abs(shares[-1] - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 300)
    assert 0.93 <= sum(shares) / 3 <= 0.97


def test_an_error_bar_is_that_of_arviz():
    draws = autoregression(seeded(13), 300, 4, 2, 0.6)
    mean, error = pc.samplers.mean_with_error(draws)
    close(mean, draws.mean((0, 1)))
    wanted = array_stats.mcse(draws.permute(2, 1, 0).numpy(), method="mean")
    close(error, torch.from_numpy(wanted), 1e-10)


# -- equilibrium -----------------------------------------------------------------------------------


def test_balance_is_one_in_equilibrium_whatever_the_shares_of_modes():
    """Also with all points in one of two modes; 4 standard errors."""
    mixture = pc.GaussianMixture([0.2, 0.8], [[-9.0, 0.0], [9.0, 1.0]], [0.5, 2.0])
    x = mixture.sample(20_000, generator=seeded(14))
    for points in (x, x[x[:, 0] < 0], x[x[:, 0] > 0]):
        value, error = balance(points, mixture.score(points))
        assert abs(value - 1) < 4 * error


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_balance_measures_a_wrong_spread(factor):
    """On a Gaussian it is the square of the spread, in units of the right one."""
    x = factor * normal(seeded(15), 20_000, 3) + 5.0
    value, error = balance(x, pc.gaussian([5.0] * 3, 1.0).score(x))
    assert abs(value - factor**2) < 4 * error
    assert balance(x[:1], x[:1])[1] == math.inf


# -- what comes in ---------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [pc.effective_samples, pc.r_hat, pc.samplers.mean_with_error])
@pytest.mark.parametrize(
    ("draws", "message"),
    [
        (torch.zeros(3, 4), r"draws must have shape \(moves, n, dim\), got \(3, 4\)"),
        (torch.zeros(3, 0, 2), r"draws must have shape \(moves, n, dim\), got \(3, 0, 2\)"),
        (torch.full((3, 2, 1), math.nan), "draws must be finite"),
        ("draws", "draws must be numeric"),
    ],
)
def test_bad_draws(function, draws, message):
    with pytest.raises(ValueError, match=message):
        function(draws)


def test_draws_of_any_kind():
    draws = autoregression(seeded(16), 50, 4, 2, 0.5)
    wanted = pc.effective_samples(draws)
    for same in (draws.numpy(), draws.tolist(), draws.clone().requires_grad_(True)):
        assert pc.effective_samples(same) == wanted
    with pytest.raises(ValueError, match="kind must be one of bulk, tail, mean; got 'sd'"):
        pc.effective_samples(draws, "sd")


def test_no_warning_of_any_kind():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for moves in (1, 2, 30):
            summary(torch.zeros(moves, 3, 1, dtype=torch.float64))
            pc.samplers.mean_with_error(torch.zeros(moves, 1, 1))


def test_a_large_run_keeps_to_its_time():
    """4,000 moves of 8 chains in the plane, in well under a second."""
    from time import perf_counter

    draws = autoregression(seeded(17), 4000, 8, 2)
    start = perf_counter()
    convergence.summary(draws)
    assert perf_counter() - start < 0.5
