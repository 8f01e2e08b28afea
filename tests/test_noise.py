import itertools
import math

import numpy as np
import projcomp as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from projcomp import noise

from tests.helpers import close, close_in_scale, mixtures, normal, points_near, seeded

NAMES = noise.PARAMETERISATIONS
PAIRS = list(itertools.product(NAMES, NAMES))
WEIGHTS = st.lists(st.floats(-5, 5), min_size=1, max_size=4)


@given(mixtures(scales=(1.0,)), st.floats(1e-2, 1e3))
def test_every_parameterisation_of_a_mixture(p, sigma):
    """Noise, denoised mean and velocity from their definitions as conditional expectations."""
    x = points_near(p)
    score = p.score(x, sigma)
    denoised = p.denoise(x, sigma)
    eps = (x - denoised) / sigma  # E[eps | x], as x = x_0 + sigma eps
    outputs = {"score": score, "noise": eps, "denoised": denoised, "velocity": eps - denoised}
    for source, target in PAIRS:
        # Denoised means carry a rounding of eps |x|, which the score magnifies by 1/sigma^2.
        slack = 1e-13 * (1 + float(x.abs().max()))
        slack *= {"score": 1 / sigma**2, "noise": 1 / sigma}.get(target, 1 + 1 / sigma)
        converted = noise.convert(outputs[source], x, sigma, source, target)
        close(converted, outputs[target], 1e-11, max(slack, 1e-12))


@pytest.mark.parametrize(("source", "target"), PAIRS)
@given(st.integers(0, 999), st.floats(1e-3, 1e3))
def test_round_trips(source, target, seed, sigma):
    generator = seeded(seed)
    value, x = normal(generator, 5, 3), normal(generator, 5, 3)
    there = noise.convert(value, x, sigma, source, target)
    back = noise.convert(there, x, sigma, target, source)
    # |x| against sigma and 1/sigma is the condition of the way there.
    close(back, value, 0.0, 1e-14 * (1 + sigma + 1 / sigma) ** 2)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@given(
    st.integers(0, 999), st.floats(0.01, 100), st.lists(st.floats(-5, 5), min_size=1, max_size=4)
)
def test_weights_that_sum_to_one_may_be_taken_in_any(source, target, seed, sigma, weights):
    """The composed model is the same whichever outputs are combined."""
    generator = seeded(seed)
    weights = torch.tensor([1.0 - sum(weights), *weights], dtype=torch.float64)
    outputs, x = normal(generator, len(weights), 5, 3), normal(generator, 5, 3)
    combined = torch.tensordot(weights, outputs, dims=1)
    converted = torch.tensordot(weights, noise.convert(outputs, x, sigma, source, target), dims=1)
    wanted = noise.convert(combined, x, sigma, source, target)
    scale = float(weights.abs().sum()) * (1 + sigma + 1 / sigma) ** 2
    close(converted, wanted, 0.0, 1e-13 * scale)


def test_velocity_is_the_slope_of_the_flow(generator):
    """dx_t/dt along the probability-flow ODE in flow-matching coordinates, by differences."""
    p = pc.GaussianMixture([0.3, 0.7], [[0.0], [2.0]], [0.2, 0.5])
    time, h = 0.6, 1e-6
    sigma = float(noise.sigma_from_time(time))
    x = p.sample(10, sigma, generator)
    velocity = noise.convert(p.score(x, sigma), x, sigma, "score", "velocity")
    there = float(noise.sigma_from_time(time + h))
    # dx/dsigma = -sigma s; one step of it, then into the coordinates of t + h.
    moved = x - (there - sigma) * sigma * p.score(x, sigma)
    slope = (noise.to_flow(moved, there) - noise.to_flow(x, sigma)) / h
    close(slope, velocity, 1e-4, 1e-4)


@given(st.floats(0, 1e4), st.integers(0, 99))
def test_coordinates_there_and_back(sigma, seed):
    x = normal(seeded(seed), 4, 3)
    preserving, flow = noise.to_variance_preserving(x, sigma), noise.to_flow(x, sigma)
    close(noise.from_variance_preserving(preserving, sigma), x, 1e-14, 1e-14)
    close(noise.from_flow(flow, sigma), x, 1e-14, 1e-14)
    alpha_bar, time = noise.alpha_bar_from_sigma(sigma), noise.time_from_sigma(sigma)
    close(preserving, alpha_bar.sqrt() * x, 1e-14, 1e-14)
    close(flow, (1 - time) * x, 1e-11, 1e-14)


@given(st.floats(0, 1e4))
def test_levels_there_and_back(sigma):
    level = torch.tensor(sigma, dtype=torch.float64)
    close(noise.sigma_from_time(noise.time_from_sigma(sigma)), level, 1e-11, 1e-15)
    # alpha_bar = 1 - sigma^2 + ... holds no digits of a sigma below 1e-8.
    close(noise.sigma_from_alpha_bar(noise.alpha_bar_from_sigma(sigma)), level, 1e-8, 2e-8)


def test_levels_by_hand():
    assert float(noise.alpha_bar_from_sigma(2.0)) == pytest.approx(0.2, abs=1e-15)
    assert float(noise.sigma_from_alpha_bar(0.2)) == pytest.approx(2.0, abs=1e-15)
    assert float(noise.time_from_sigma(3.0)) == pytest.approx(0.75, abs=1e-15)
    assert float(noise.sigma_from_time(0.75)) == pytest.approx(3.0, abs=1e-14)
    wanted = torch.tensor([2.4, 4.0], dtype=torch.float64)
    close(noise.to_variance_preserving([3.0, 5.0], 0.75), wanted)


def test_the_noised_density_in_variance_preserving_coordinates(generator):
    """x_VP = sqrt(a) x_0 + sqrt(1 - a) eps has the density of a scaled x_sigma."""
    p = pc.GaussianMixture([0.3, 0.7], [[0.0, 1.0], [2.0, -1.0]], [0.2, 0.5])
    alpha_bar, sigma = 0.3, float(noise.sigma_from_alpha_bar(0.3))
    variances = [alpha_bar * variance + 1 - alpha_bar for variance in (0.2, 0.5)]
    wanted = pc.GaussianMixture(p.weights, alpha_bar**0.5 * p.means, variances)
    x = normal(generator, 6, 2)
    log_det = math.log(alpha_bar)  # of the scaling sqrt(alpha_bar) in the plane
    here = noise.from_variance_preserving(x, sigma)
    close(wanted.log_prob(x), p.log_prob(here, sigma) - log_det)


@given(st.floats(1e-3, 1.0), st.floats(2.0, 1e3), st.integers(2, 80), st.floats(0.5, 10))
def test_sigma_grid(low, high, steps, rho):
    grid = pc.sigma_grid(low, high, steps, rho)
    assert grid.shape == (steps + 1,)
    assert grid.dtype == torch.float64
    assert (grid[1:] < grid[:-1]).all()
    assert [float(grid[0]), float(grid[-2]), float(grid[-1])] == [high, low, 0.0]
    gaps = torch.diff(grid[:-1] ** (1 / rho))
    close(gaps, gaps.mean().expand_as(gaps), 1e-6, 1e-12)


def test_sigma_grid_of_karras():
    """Equation 5 with the values of their table: 18 steps, 0.002 to 80, rho 7."""
    index = torch.arange(18, dtype=torch.float64)
    wanted = (80 ** (1 / 7) + index / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    close(pc.sigma_grid(0.002, 80, 18)[:-1], wanted, 1e-12)


@pytest.mark.parametrize("target", NAMES)
def test_shapes_and_dtypes(generator, target):
    value, x, sigma = normal(generator, 5, 3), normal(generator, 5, 3), [0.1, 0.2, 0.3, 0.4, 0.5]
    wanted = noise.convert(value, x, sigma, "noise", target)
    close(noise.convert(value.numpy(), x.tolist(), sigma, "noise", target), wanted, 0.0, 0.0)
    single = noise.convert(value.float(), x, sigma, "noise", target)
    assert single.dtype == torch.float32
    close(single, wanted.float(), 1e-5, 1e-5)
    stacked = noise.convert(torch.stack([value, 2 * value]), x, sigma, "noise", target)
    close(stacked[0], wanted, 0.0, 0.0)
    levels = noise.convert(value[0], x[0], sigma, "noise", target)
    assert levels.shape == (5, 3)
    close(levels[3], noise.convert(value[0], x[0], 0.4, "noise", target), 0.0, 0.0)
    whole = noise.convert([2, 4], [1, 3], 0.5, "noise", target)
    close(whole, noise.convert([2.0, 4.0], [1.0, 3.0], 0.5, "noise", target), 0.0, 0.0)
    assert noise.convert(value[:0], x[:0], 0.5, "noise", target).shape == (0, 3)


@pytest.mark.parametrize(
    "function",
    [
        noise.to_variance_preserving,
        noise.from_variance_preserving,
        noise.to_flow,
        noise.from_flow,
    ],
)
def test_shapes_and_dtypes_of_coordinates(function):
    close(function([1, 2], 2.5), function([1.0, 2.0], 2.5), 0.0, 0.0)
    assert function(np.ones((4, 2), np.float32), 0.5).dtype == torch.float32
    assert function(torch.ones(2), [0.1, 0.2, 0.3]).shape == (3, 2)
    with pytest.raises(ValueError, match=r"sigma of shape \(2,\) does not broadcast"):
        function(torch.ones(3, 2), [0.1, 0.2])
    with pytest.raises(ValueError, match=r"sigma must be >= 0, got -1"):
        function([1.0], -1.0)
    with pytest.raises(ValueError, match=r"x must have shape \(..., n\), got \(\)"):
        function(1.0, 0.5)


def test_at_no_noise():
    """What does not divide by sigma works at 0."""
    x, value = [1.0, 2.0], [3.0, -1.0]
    close(noise.convert(value, x, 0.0, "noise", "denoised"), torch.tensor(x).double())
    close(noise.convert(value, x, 0.0, "velocity", "noise"), torch.tensor([4.0, 1.0]).double())
    for source, target in (("noise", "score"), ("denoised", "noise"), ("denoised", "velocity")):
        with pytest.raises(ValueError, match=r"sigma must be > 0, got 0"):
            noise.convert(value, x, 0.0, source, target)


X = [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: noise.convert(X, X, 1.0, "eps", "score"),
            r"source must be one of score.*'eps'",
        ),
        (lambda: noise.convert(X, X, 1.0, "score", "x0"), r"target must be one of.*got 'x0'"),
        (lambda: noise.convert([1.0], X, 1.0, "score", "noise"), r"value and x must .*\(1,\) and"),
        (lambda: noise.convert(1.0, 1.0, 1.0, "score", "noise"), r"value and x must have shapes"),
        (lambda: noise.convert(X * 2, X * 3, 1.0, "score", "noise"), r"broadcast, got \(2, 2\)"),
        (lambda: noise.convert(X, X, -1.0, "score", "noise"), r"sigma must be >= 0, got -1"),
        (lambda: noise.convert(X * 3, X, [1.0, 2.0], "score", "noise"), r"sigma of shape \(2,\)"),
        (lambda: pc.sigma_grid(1.0, 1.0, 5), r"sigma_min must be < sigma_max, got 1 and 1"),
        (lambda: pc.sigma_grid(0.0, 1.0, 5), r"sigma_min must be > 0, got 0"),
        (lambda: pc.sigma_grid(0.1, math.inf, 5), r"sigma_max must be finite"),
        (lambda: pc.sigma_grid([0.1, 0.2], 1.0, 5), r"sigma_min must be one number, got shape"),
        (lambda: pc.sigma_grid(0.1, 1.0, 1), r"steps must be >= 2, got 1"),
        (lambda: pc.sigma_grid(0.1, 1.0, 5.0), r"steps must be an integer >= 2, got 5.0"),
        (lambda: pc.sigma_grid(0.1, 1.0, 5, rho=0), r"rho must be > 0, got 0"),
        (lambda: pc.sigma_grid(0.1, 1.0, 5, rho="a"), r"rho must be numeric, got 'a'"),
        (lambda: noise.sigma_from_alpha_bar(0.0), r"alpha_bar must lie in \(0, 1\], got 0.0"),
        (lambda: noise.sigma_from_alpha_bar(1.1), r"alpha_bar must lie in \(0, 1\], got 1.1"),
        (lambda: noise.sigma_from_time([0.5, 1.0]), r"time must lie in \[0, 1\), got \[0.5, 1.0\]"),
        (lambda: noise.time_from_sigma(-0.5), r"sigma must be >= 0, got -0.5"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_combination_of_denoised_means_is_that_of_scores(generator):
    """The composition's own denoiser, from its parts' denoised means."""
    parts = [pc.gaussian([m, 0.0], 0.5) for m in (0.0, 2.0, -1.0)]
    c = pc.compose(parts[0], parts[1:], [1.5, 0.3])
    x = normal(generator, 5, 2)
    means = torch.stack([part.denoise(x, 0.8) for part in parts])
    weights = torch.tensor([1 - 1.8, 1.5, 0.3], dtype=torch.float64)
    close_in_scale(torch.tensordot(weights, means, dims=1), c.denoise(x, 0.8), 1e-13)
