import itertools
import math

import mpmath
import numpy as np
import projcomp as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from projcomp import noise

from tests.every_density import defaults
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
    alpha_bar = 1 / (1 + sigma**2)
    outputs = {
        "score": score,
        "noise": eps,
        "denoised": denoised,
        "velocity": eps - denoised,
        "v_prediction": alpha_bar**0.5 * eps - (1 - alpha_bar) ** 0.5 * denoised,
    }
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


def test_v_prediction_is_the_slope_over_the_angle(generator):
    """d x_VP / d angle along the probability-flow ODE, tan(angle) = sigma, by differences."""
    p = pc.GaussianMixture([0.3, 0.7], [[0.0], [2.0]], [0.2, 0.5])
    angle, h = 0.6, 1e-6
    sigma, there = math.tan(angle), math.tan(angle + h)
    x = p.sample(10, sigma, generator)
    v = noise.convert(p.score(x, sigma), x, sigma, "score", "v_prediction")
    moved = x - (there - sigma) * sigma * p.score(x, sigma)
    slope = noise.to_variance_preserving(moved, there) - noise.to_variance_preserving(x, sigma)
    close(slope / h, v, 1e-4, 1e-4)


def test_every_wrong_name_is_seen(generator):
    """The score from each output under its own name, and under every other one."""
    p = pc.GaussianMixture([0.3, 0.7], [[0.0, 1.0], [2.0, -1.0]], [0.2, 0.5])
    for sigma in (0.3, 0.8, 2.0):
        x = p.sample(20, sigma, generator)
        score, alpha_bar = p.score(x, sigma), 1 / (1 + sigma**2)
        eps, clean = -sigma * score, p.denoise(x, sigma)
        outputs = {
            "score": score,
            "noise": eps,
            "denoised": clean,
            "velocity": eps - clean,
            "v_prediction": alpha_bar**0.5 * eps - (1 - alpha_bar) ** 0.5 * clean,
        }
        for (name, output), called in itertools.product(outputs.items(), NAMES):
            error = float((noise.convert(output, x, sigma, called, "score") - score).norm())
            assert (error < 1e-9) if called == name else (error > 0.05 * float(score.norm()))


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
    close(pc.sigma_grid(0.002, 80, 18, rho=7)[:-1], wanted, 1e-12)


def test_sigma_grid_is_geometric_unless_told():
    grid = pc.sigma_grid(0.002, 80.0, 18)[:-1]
    close(grid, 80.0 * (0.002 / 80.0) ** (torch.arange(18, dtype=torch.float64) / 17), 1e-13)
    close(grid, pc.sigma_grid(0.002, 80.0, 18, rho=1e15)[:-1], 1e-13)


def exact_grid(low, high, steps, rho):
    """The levels in 60 digits beyond those that the powers take."""
    with mpmath.workdps(400):
        low, high, rho = mpmath.mpf(low), mpmath.mpf(high), mpmath.mpf(rho)
        ramp = [mpmath.mpf(k) / (steps - 1) for k in range(steps)]
        ends = high ** (1 / rho), low ** (1 / rho)
        levels = [((1 - t) * ends[0] + t * ends[1]) ** rho for t in ramp]
        return torch.tensor([float(level) for level in levels], dtype=torch.float64)


@pytest.mark.parametrize("rho", [1e-3, 0.1, 1.0, 7.0, 50.0, 1e5, 1e12, 1e17, 1e100])
@pytest.mark.parametrize(
    ("low", "high"), [(0.002, 100.0), (1e-100, 1e100), (5e-324, 1e100), (0.9, 1.0), (1.0, 2.0)]
)
def test_sigma_grid_against_many_digits(low, high, rho):
    grid = pc.sigma_grid(low, high, 50, rho)
    assert (grid.diff() < 0).all()
    # The logarithm of the ends' ratio is rounded in units of up to 745 * 2^-53; the smallest
    # numbers have few digits.
    close(grid[:-1], exact_grid(low, high, 50, rho), 3e-13, 1e-322)


@pytest.mark.parametrize("rho", [7.0, 1e300, 1.7e308])
def test_sigma_grid_of_close_ends(rho):
    """The gaps too: the ends' ratio is 1 - 1e-8, and its logarithm needs all its digits."""
    low, high = 2e9 * (1.0 - 1e-8), 2e9
    gaps = pc.sigma_grid(low, high, 9, rho)[:-1].diff()
    # The gaps are equal but for a part of 1e-8; each level is rounded three times.
    wanted = torch.full((8,), (low - high) / 8, dtype=torch.float64)
    close(gaps, wanted, 1e-8, 6 * high * 2.0**-53)


def test_sigma_grid_has_the_geometric_grid_as_its_limit():
    low, high, steps = 0.002, 100.0, 50
    wanted = high * (low / high) ** (torch.arange(steps, dtype=torch.float64) / (steps - 1))
    for rho in (1e17, 1e100, 1e300, 1.7e308):
        close(pc.sigma_grid(low, high, steps, rho)[:-1], wanted, 1e-13, 0.0)


@pytest.mark.parametrize(
    "arguments",
    [
        (0.002, 100.0, 50, 1e-16),
        (0.002, 100.0, 50, 1e-320),
        (1.0, 1.0 + 2.0**-52, 3),
        (1.0, 1.0 + 1e-12, 100_000),
        (5e-324, 1e-323, 3),
    ],
)
def test_levels_that_coincide_are_refused(arguments):
    with pytest.raises(ValueError, match=r"sigma_min, sigma_max, steps and rho must give levels"):
        pc.sigma_grid(*arguments)


# -- every dtype, and its extremes ---------------------------------------------------------------

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
COORDINATES = {
    noise.to_variance_preserving: lambda x, s: x / mpmath.sqrt(1 + s * s),
    noise.from_variance_preserving: lambda x, s: x * mpmath.sqrt(1 + s * s),
    noise.to_flow: lambda x, s: x / (1 + s),
    noise.from_flow: lambda x, s: x * (1 + s),
}
EXTREMES = [0.0, 1e-100, 1e-20, 1e-8, 1e-3, 1.0, 300.0, 1e5, 1e20, 1e100]


def fits_or_raises(call, wanted, name, dtype):
    """`call()` within four roundings of `wanted`, in `dtype`; or ValueError if it does not fit."""
    info = torch.finfo(dtype)
    if abs(wanted) > info.max:
        with pytest.raises(ValueError, match=rf"{name} must have a dtype .* not fit in {dtype}"):
            call()
    else:
        found = call()
        assert found.dtype == dtype
        error = abs(float(found) - float(wanted))
        assert error <= 2 * info.eps * abs(wanted) + info.tiny * info.eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", COORDINATES)
@pytest.mark.parametrize("sigma", EXTREMES)
def test_coordinates_in_every_dtype(function, sigma, dtype):
    for size in (1.0, 300.0, 1e20, 1e-20, 1e100):
        x = torch.tensor([size], dtype=torch.float64).to(dtype)
        if not torch.isfinite(x):
            continue
        with mpmath.workdps(250):
            wanted = COORDINATES[function](mpmath.mpf(float(x)), mpmath.mpf(sigma))
        fits_or_raises(lambda x=x: function(x, sigma), wanted, "x", dtype)


def exact_convert(value, x, s, source, target):
    root = mpmath.sqrt(1 + s * s)
    factor, offset = {
        "score": (-1 / s, 0), "noise": (1, 0), "denoised": (-s, -1), "velocity": (1 + s, 1),
        "v_prediction": (root, s / root),
    }[source]  # fmt: skip
    eps = (value + offset * x) / factor  # each output is factor * noise - offset * x
    clean = x - s * eps
    return {
        "score": -eps / s, "noise": eps, "denoised": clean, "velocity": eps - clean,
        "v_prediction": (eps - s * clean) / root,
    }[target]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_convert_in_every_dtype(source, target, dtype):
    """Within a rounding of the answer and of its parts, which are computed in float64."""
    for sigma, size in itertools.product(EXTREMES[1:], (1.0, 100.0, 1e-20, 1e20)):
        value = torch.tensor([size], dtype=torch.float64).to(dtype)
        if not torch.isfinite(value):
            continue
        x = 1.5 * value
        # In x and the value, whose rounding is that of float64, the answer is linear.
        with mpmath.workdps(500):
            v, u, s = mpmath.mpf(float(value)), mpmath.mpf(float(x)), mpmath.mpf(sigma)
            wanted = exact_convert(v, u, s, source, target)
            parts = abs(exact_convert(v, 0, s, source, target))
            parts += abs(exact_convert(0, u, s, source, target))
        if wanted and parts * 1e-15 > abs(wanted) * torch.finfo(dtype).eps:
            continue  # cancels beyond what the arguments hold
        fits_or_raises(
            lambda v=value, x=x, s=sigma: noise.convert(v, x, s, source, target), wanted, "value",
            dtype,
        )  # fmt: skip


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("sigma", [1e-12, 1e-6, 1e-2, 0.5, 1.0, 2.0, 1e2, 1e6, 1e12])
def test_no_digits_are_lost_on_the_way(source, target, sigma):
    """Within eight roundings of a v + b x, as |a v| + |b x|; x as it is at such a sigma."""
    for v, clean, eps in ((1.3, 0.4, 0.7), (-0.2, 2.1, -1.1)):
        x = clean + sigma * eps
        found = noise.convert([v], [x], sigma, source, target)
        with mpmath.workdps(100):
            v, u, s = mpmath.mpf(v), mpmath.mpf(x), mpmath.mpf(sigma)
            parts = abs(exact_convert(v, 0, s, source, target))
            parts += abs(exact_convert(0, u, s, source, target))
            error = abs(mpmath.mpf(float(found)) - exact_convert(v, u, s, source, target))
            assert error <= 8 * 2.0**-53 * parts


def test_low_precision_by_hand():
    half = {"dtype": torch.float16}
    one, many = torch.tensor([1.0], **half), torch.tensor([300.0], **half)
    close(noise.to_variance_preserving(many, 300.0), one, 0.0, 0.0)
    close(noise.from_variance_preserving(one, 300.0), many, 0.0, 0.0)
    close(noise.convert(one, one, 1e-8, "denoised", "score"), 0 * one, 0.0, 0.0)
    large = torch.tensor([1e20])
    close(noise.to_variance_preserving(large, 1e20), torch.ones(1), 0.0, 0.0)
    with pytest.raises(ValueError, match=r"up to 90300 in magnitude does not fit in torch.float16"):
        noise.from_flow(many, 300.0)


@pytest.mark.parametrize("alpha_bar", [5e-324, 1e-320, 1e-200, 1e-10, 0.5, 1 - 2.0**-53, 1.0])
def test_sigma_of_every_signal_share(alpha_bar):
    with mpmath.workdps(400):
        wanted = float(mpmath.sqrt((1 - mpmath.mpf(alpha_bar)) / mpmath.mpf(alpha_bar)))
    assert float(noise.sigma_from_alpha_bar(alpha_bar)) == pytest.approx(wanted, rel=1e-15)


@pytest.mark.parametrize("sigma", EXTREMES)
def test_levels_at_the_extremes(sigma):
    with mpmath.workdps(400):
        level = mpmath.mpf(sigma)
        share, time = float(1 / (1 + level**2)), float(level / (1 + level))
    assert float(noise.alpha_bar_from_sigma(sigma)) == pytest.approx(share, rel=1e-15)
    assert float(noise.time_from_sigma(sigma)) == pytest.approx(time, rel=1e-15)
    if time < 1:
        slack = 1e-15 + 2.0**-52 * sigma  # 1 - t holds no more
        assert float(noise.sigma_from_time(time)) == pytest.approx(sigma, rel=slack)


# -- derivatives ---------------------------------------------------------------------------------

MAPS = [
    *(lambda x, s, f=f: f(x, s) for f in COORDINATES),
    *(lambda x, s, p=p: noise.convert(x.sin(), x, s, *p) for p in PAIRS if p[0] != p[1]),
]


@pytest.mark.parametrize("function", MAPS)
def test_derivatives_flow_in_x_and_sigma(function, generator):
    x, sigma = normal(generator, 4, 3), torch.tensor([0.2, 1.0, 3.0, 20.0], dtype=torch.float64)
    leaves = x.clone().requires_grad_(True), sigma.clone().requires_grad_(True)
    assert torch.autograd.gradcheck(function, leaves)
    plain = function(x, sigma)
    close(torch.func.vmap(function)(x, sigma), plain, 1e-14, 1e-14)
    ones = torch.ones_like(x), torch.ones_like(sigma)
    _, forward = torch.func.jvp(function, (x, sigma), ones)
    h = 1e-6
    slope = (function(x + h, sigma + h) - function(x - h, sigma - h)) / (2 * h)
    close(forward, slope, 1e-6, 1e-6)
    jacobian = torch.func.vmap(torch.func.jacrev(function))(x, sigma)
    close(jacobian.sum(-1), torch.func.jvp(lambda y: function(y, sigma), (x,), ones[:1])[1])
    with torch.inference_mode():
        inside = function(x.clone(), sigma)
    close(inside.clone(), plain, 1e-14, 1e-14)


@pytest.mark.parametrize(
    "function",
    [
        noise.alpha_bar_from_sigma,
        noise.time_from_sigma,
        noise.sigma_from_time,
        noise.sigma_from_alpha_bar,
    ],
)
def test_derivatives_of_levels(function):
    level = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (level,))
    close(torch.func.vmap(function)(level.detach()), function(level.detach()), 1e-15, 0.0)
    slopes = torch.func.vmap(torch.func.grad(function))(level.detach())
    close(slopes, torch.autograd.grad(function(level).sum(), level)[0], 1e-14, 0.0)


def test_tensors_made_in_inference_mode_take_part_in_derivatives():
    with torch.inference_mode():
        x = torch.ones(3, dtype=torch.float64)
    sigma = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    for function in (*COORDINATES, lambda x, s: noise.convert(x, x, s, "velocity", "score")):
        assert torch.isfinite(torch.autograd.grad(function(x, sigma).sum(), sigma)[0])


@pytest.mark.parametrize("changed", [{"dtype": torch.float16}, {"device": "meta"}])
def test_the_defaults_of_torch_make_no_difference(changed):
    def everything():
        return [
            pc.sigma_grid(0.002, 100.0, 9),
            noise.sigma_from_alpha_bar([0.1, 0.9]),
            noise.time_from_sigma(2.0),
            *(f([1.0, 2.0], [0.5, 3.0]) for f in COORDINATES),
            *(noise.convert([1.0, 2.0], [3, 4], 0.5, *pair) for pair in PAIRS),
        ]

    wanted = everything()
    with defaults(**changed):
        found = everything()
    for one, other in zip(found, wanted, strict=True):
        close(one, other, 0.0, 0.0)


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
        (lambda: noise.convert([[math.nan, 1.0]], X, 1.0, "noise", "score"), r"value must be fin"),
        (
            lambda: noise.convert(X, torch.tensor([[math.inf, 1.0]]), 1.0, "noise", "score"),
            r"x must be finite",
        ),
        (lambda: noise.convert(X, [[1e101, 1.0]], 1.0, "noise", "score"), r"x must be finite and"),
        (lambda: noise.to_flow(torch.tensor([math.nan]), 1.0), r"x must be finite and at"),
        (lambda: noise.from_flow([1e101], 1.0), r"x must be finite and at most 1e\+100"),
        (
            lambda: noise.convert([1e300], [1.0], 1e100, "score", "denoised"),
            r"value must have a dtype that holds the answer.*torch.float64",
        ),
        (lambda: noise.convert(X, X, 1.0, "epsilon", "v"), r"source must be one of.*v_prediction"),
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
