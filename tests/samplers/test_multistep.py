"""Steps that look back: their integrals, their orders, and what one must not lose."""

from __future__ import annotations

import math

import mpmath as mp
import projcomp as pc
import pytest
import torch
from projcomp.samplers import multistep
from projcomp.samplers.diffusion import METHODS, SCHEMES
from projcomp.samplers.multistep import Scheme, plan, step

from tests.helpers import close, normal, random_mixture, seeded
from tests.samplers.test_diffusion import SKEWED, slope

F64 = torch.float64
LATE = [name for name in METHODS if name in SCHEMES and SCHEMES[name].order > 1]
ODE = [name for name in LATE if SCHEMES[name].rate == 1]


def grid(steps, low=0.2, high=10.0):
    """`steps` steps of nearly equal ratio, without a last one to 0."""
    return pc.sigma_grid(low, high, steps + 1, rho=50.0)[:-1]


@pytest.mark.parametrize("rate", [1, 2])
@pytest.mark.parametrize("levels", [[2.0, 2.5, 3.5], [2.0, 2.5], [2.0], [40.0, 90.0, 95.0]])
@pytest.mark.parametrize("low", [1.99, 1.0, 1e-3])
def test_a_polynomial_in_log_sigma_is_followed_exactly(rate, levels, low, monkeypatch):
    """By the formula of the module, integrated with 30 digits; here however large the weights."""
    monkeypatch.setattr(multistep, "_MOST", math.inf)
    order, high = len(levels), levels[0]
    powers = [0.7, -1.3, 0.4][:order]

    def mean(logarithm):
        return sum(c * logarithm**k for k, c in enumerate(powers))

    with mp.workdps(30):
        h = mp.log(mp.mpf(high)) - mp.log(mp.mpf(low))
        wanted = mp.exp(-rate * h) * 5 + mp.quad(
            lambda u: rate * mp.exp(rate * u) * mean(mp.log(mp.mpf(low)) - u),
            mp.linspace(-h, 0, 9),
        )
    means = [torch.tensor([[float(mean(math.log(s)))]], dtype=F64) for s in levels]
    found = step(levels, high, low, rate)(torch.full((1, 1), 5.0, dtype=F64), means)
    close(found, torch.tensor([[float(wanted)]], dtype=F64), 1e-12, 1e-12)


def test_a_step_beyond_all_sense_takes_the_last_mean():
    means = [torch.ones(1, 1), torch.zeros(1, 1)]
    for low in (0.0, 1e-90):
        close(step([1.0, 2.0], 1.0, low)(torch.zeros(1, 1), means), torch.ones(1, 1))


@pytest.mark.parametrize(("method", "order"), [("2m", 2), ("3m", 3), ("unipc2", 3), ("unipc3", 4)])
@pytest.mark.parametrize("composed", [False, True])
def test_orders_of_the_ode(method, order, composed):
    """Pathwise, in the median of 50 particles.

    Over 12 other seeds the slopes lay within .05 of 2, .31 of 3 ("3m"), .16 of 3 and .52 of 4.
    """
    g = seeded(7)
    p = random_mixture(g, 3, 2)
    if composed:
        p = pc.compose(pc.gaussian([0.5, 0.0], 20.0), [p, random_mixture(g, 2, 2)], [1, 0.7])
    start = 10.0 * normal(g, 50, 2)

    def samples(steps, name):
        return pc.reverse_diffusion(p, 50, grid(steps), name, start=start).samples

    truth, steps = samples(1500, "unipc3"), [40, 80, 160]
    errors = [float((samples(count, method) - truth).norm(dim=1).median()) for count in steps]
    assert slope(steps, errors) == pytest.approx(order, abs=0.6 if order == 4 else 0.4)
    assert errors[0] < 0.5 * float((samples(40, "euler") - truth).norm(dim=1).median())


def test_the_reverse_sde_is_of_second_order_in_law():
    """The error of E x^2 on a skewed mixture: at 8 and 16 steps -.31 and -.08, errors .005.

    One-step means leave .48 and .25. The ratio of the two is 4 for order two, 2 for order one.
    """
    generator = seeded(21)
    start = SKEWED.sample(100_000, 10.0, generator)
    variances = SKEWED._variances[:, 0]
    wanted = float((SKEWED.weights * (SKEWED.means[:, 0] ** 2 + variances)).sum()) + 0.01
    errors = {}
    for method in ("sde", "sde2m", "sde3m"):
        for count in (8, 16):
            run = pc.reverse_diffusion(
                SKEWED, len(start), grid(count, 0.1), method, generator=generator, start=start
            )
            errors[method, count] = abs(wanted - float((run.samples**2).mean()))
    assert errors["sde2m", 8] / errors["sde2m", 16] > 3.0
    for method in ("sde2m", "sde3m"):
        assert errors[method, 16] < 0.5 * errors["sde", 16]


@pytest.mark.parametrize("method", LATE)
def test_what_a_run_is(method):
    """One evaluation a step, a path that ends in the samples, and a function of its generator."""
    composition = pc.compose(pc.gaussian([0.0, 0.0], 4.0), [random_mixture(seeded(3), 2, 2)])
    sigmas = pc.sigma_grid(0.01, 50.0, 12, rho=50.0)

    def run():
        return pc.reverse_diffusion(
            composition, 30, sigmas, method, generator=seeded(4), keep_path=True
        )

    found = run()
    assert found.evaluations == 12
    assert found.path.shape == (13, 30, 2)
    close(found.path[-1], found.samples)
    close(run().samples, found.samples)
    assert torch.isfinite(found.path).all()


@pytest.mark.parametrize("method", ODE)
def test_levels_that_were_put_right_are_in_the_path(method):
    """At every level the path is near the solution from the same start."""
    p, sigmas = random_mixture(seeded(5), 3, 2), grid(60)
    start = p.sample(200, 10.0, seeded(6))
    found = pc.reverse_diffusion(p, 200, sigmas, method, start=start, keep_path=True)
    for index in (1, 20, 45, 60):
        fine = torch.cat([grid(600)[: 10 * index], sigmas[index][None]])
        truth = pc.reverse_diffusion(p, 200, fine, "unipc3", start=start).samples
        assert float((found.path[index] - truth).norm(dim=1).median()) < 0.02


@pytest.mark.parametrize("method", LATE)
def test_a_gaussian_is_sampled_by_few_steps(method):
    """Mean and variance within 5 standard errors and what 40 steps leave."""
    p = pc.gaussian([2.0, -1.0], [0.5, 2.0])
    x = pc.reverse_diffusion(
        p, 20_000, pc.sigma_grid(0.01, 100.0, 40, rho=50.0), method, generator=seeded(8)
    ).samples
    assert float(((x.mean(0) - p.mean).abs() / (x.std(0) / 20_000**0.5)).max()) < 5
    spread = 5 * math.sqrt(2 / 20_000) + 0.01
    assert float((x.var(0) / torch.tensor([0.5, 2.0]) - 1).abs().max()) < spread


@pytest.mark.parametrize("rate", [1, 2])
@pytest.mark.parametrize("ratio", [1.01, 2.0, 30.0, 1e6, 1e15])
def test_levels_of_equal_ratio_keep_their_order(rate, ratio):
    levels = [ratio**-i for i in range(12)]
    steps = plan(levels, Scheme(3, rate))
    assert [len(forward.weights) for *_, forward in steps] == [1, 2] + [3] * 9


@pytest.mark.parametrize("rate", [1, 2])
def test_uneven_levels_are_looked_back_on_no_further_than_is_safe(rate):
    """A grid even in sigma: its last steps are far longer in log sigma than those before."""
    levels = torch.linspace(80.0, 0.02, 40, dtype=F64).tolist()
    steps = plan(levels, Scheme(3, rate, corrects=rate == 1))
    for _, _, correction, forward in steps:
        for found in filter(None, (correction, forward)):
            assert sum(map(abs, found.weights)) <= 7.0
            assert sum(found.weights) == pytest.approx(1.0, abs=1e-12)
    orders = [len(forward.weights) for *_, forward in steps]
    assert orders[:30] == [1, 2] + [3] * 28 and min(orders[30:]) == 1


def test_uneven_levels_are_warned_of_and_survived():
    """On a grid even in sigma three levels drawn out would leave 1.5e3 times the error of Euler."""
    p = random_mixture(seeded(5), 3, 2)
    levels = torch.linspace(80.0, 0.02, 40, dtype=F64)
    start = p.sample(200, 80.0, seeded(6))
    fine = pc.sigma_grid(0.02, 80.0, 1501)[:-1]
    truth = pc.reverse_diffusion(p, 200, fine, start=start).samples

    def error(method):
        x = pc.reverse_diffusion(p, 200, levels, method, start=start).samples
        return float((x - truth).square().mean().sqrt())

    euler = error("euler")
    for method in ODE:
        with pytest.warns(
            UserWarning, match=rf"'{method}' looks back on . levels, but at \d+ of 39"
        ):
            assert error(method) < 1.5 * euler


def test_levels_too_few_for_the_order_are_warned_of():
    p = pc.gaussian([0.0], 1.0)
    with pytest.warns(UserWarning, match="'unipc3' looks back on 3 levels, but there are only 2"):
        pc.reverse_diffusion(p, 5, [2.0, 1.0, 0.5])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [4, 8, 400])
def test_levels_that_fit_are_not_warned_of(method, steps, recwarn):
    p = pc.gaussian([0.0], 1.0)
    pc.reverse_diffusion(p, 5, pc.sigma_grid(1e-3, 1e3, steps), method, generator=seeded(0))
    assert not recwarn.list
