"""Networks of every kind, dressed up from exact densities, give back their scores."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch

from tests.adapters.dressed import ALPHAS, HIGH, LOW, OUTPUTS, Network, adapted
from tests.helpers import close, close_in_scale, normal, random_mixture, seeded

MIXTURES = [random_mixture(seeded(seed), 3, 6) for seed in range(3)]
SIGMAS = torch.tensor([0.0101, 0.05, 0.3, 1.0, 4.0, 23.0], dtype=torch.float64)
CLEAN = MIXTURES[0].sample(6, generator=seeded(7))
X = CLEAN + SIGMAS[:, None] * normal(seeded(8), 6, 6)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_scores_are_exact(output, scale):
    density, _ = adapted(output, MIXTURES[:1], scale=scale)
    for sigma in (SIGMAS, 0.7):
        wanted = MIXTURES[0].score(X, sigma)
        found = density.score(X, sigma)
        size = wanted.norm(dim=1, keepdim=True)
        close(found / size, wanted / size, 1e-10, 1e-10)
        close(density.denoise(X, sigma), MIXTURES[0].denoise(X, sigma), 1e-10, 1e-10)


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_network_in_single_precision(output):
    density, network = adapted(output, MIXTURES[:1], dtype=torch.float32)
    found, wanted = density.denoise(X, 0.7), MIXTURES[0].denoise(X, 0.7)
    assert found.dtype == torch.float64
    assert network.times[0].dtype == torch.float32
    close(found, wanted, 1e-5, 2e-6)
    assert not torch.equal(found.float(), wanted.float())


@pytest.mark.parametrize("output", OUTPUTS)
def test_pictures(output):
    density, _ = adapted(output, MIXTURES[:1], (1, 2, 3))
    assert (density.shape, density.dim) == ((1, 2, 3), 6)
    pictures = X.reshape(6, 1, 2, 3)
    close(density.score(pictures, SIGMAS), density.score(X, SIGMAS).reshape(pictures.shape))


def test_the_range_is_that_of_the_schedule():
    density, _ = adapted("noise", MIXTURES[:1])
    close(torch.tensor(density.sigma_range), torch.tensor([LOW, HIGH]))
    density.score(X, LOW * (1 - 5e-7)), density.score(X, HIGH * (1 + 5e-7))
    for sigma in (0.9 * LOW, HIGH * (1 + 2e-6), 0.0):
        message = rf"^sigma must lie within the sigma_range .*, {LOW:.6g} to {HIGH:.6g}, got"
        with pytest.raises(ValueError, match=message):
            density.score(X, sigma)
    with pytest.raises(ValueError, match="sigma_range"):
        density.denoise(X, 30.0)
    flow, _ = adapted("velocity", MIXTURES[:1])
    assert flow.sigma_range == (0.0, math.inf)
    with pytest.raises(ValueError, match="sigma must be > 0, got 0"):
        flow.score(X, 0.0)


def test_a_first_step_without_noise_is_no_level():
    alphas = torch.cat([torch.ones(1, dtype=torch.float64), ALPHAS])
    network = Network("noise", MIXTURES[:1], (6,))
    told = []

    def later(x, time):
        told.append(time)
        return network(x, time - 1)

    density = pc.adapters.from_noise(later, alphas, (6,), dtype=torch.float64)
    close(torch.tensor(density.sigma_range), torch.tensor([LOW, HIGH]))
    close_in_scale(density.score(X, 0.7), MIXTURES[0].score(X, 0.7))
    density.score(X, LOW)
    close(told[-1], torch.ones(6, dtype=torch.float64))


def whole_times(output, **options):
    """A network that takes whole timesteps alone."""
    network = Network(output, MIXTURES[:1], (6,))

    def strict(x, time):
        assert time.dtype == torch.int64
        return network(x, time)

    make = pc.adapters.from_noise if output == "noise" else pc.adapters.from_v
    return make(strict, ALPHAS, (6,), whole=True, dtype=torch.float64, **options), network


@pytest.mark.parametrize("output", ["noise", "v_prediction"])
def test_whole_timesteps(output):
    """On a timestep exact and asked once; between two of them better than the nearest one."""
    density, network = whole_times(output)
    steps = torch.sqrt(1 / ALPHAS - 1)
    close_in_scale(density.score(X, steps[30]), MIXTURES[0].score(X, steps[30]))
    close_in_scale(density.score(X, HIGH), MIXTURES[0].score(X, HIGH))
    assert network.calls == [6, 6]
    between = torch.sqrt(steps[:-1] * steps[1:])[::7]
    worst = []
    for sigma in between.tolist():
        x = CLEAN + sigma * normal(seeded(3), 6, 6)
        wanted = MIXTURES[0].denoise(x, sigma)
        near = steps[(steps.log() - math.log(sigma)).abs().argmin()]
        seen = x * math.sqrt((1 + float(near) ** 2) / (1 + sigma**2))
        answer = pc.convert(MIXTURES[0].score(seen, near), seen, near, "score", output)
        rounded = pc.convert(answer, x, sigma, output, "denoised")
        found = (density.denoise(x, sigma) - wanted).norm()
        worst.append(float(found / (rounded - wanted).norm()))
    assert max(worst) < 0.5
    assert network.calls[2:] == [6] * 2 * len(between)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f(None, ALPHAS, (6,)), "network must be a function"),
        (lambda f: f(torch.sin, ALPHAS[:1], (6,)), r"alphas_cumprod must have shape \(T,\)"),
        (lambda f: f(torch.sin, ALPHAS[None], (6,)), r"shape \(T,\) with T >= 2, got \(1, 60\)"),
        (lambda f: f(torch.sin, ALPHAS.flip(0), (6,)), "alphas_cumprod must fall from each"),
        (lambda f: f(torch.sin, [0.9, 0.9], (6,)), "alphas_cumprod must fall from each"),
        (lambda f: f(torch.sin, [1.0, 0.9], (6,)), "at least two timesteps with noise"),
        (lambda f: f(torch.sin, [1.1, 0.9], (6,)), r"must lie in \(0, 1\], got 0.9 to 1.1"),
        (lambda f: f(torch.sin, [0.9, 0.0], (6,)), r"must lie in \(0, 1\], got 0 to 0.9"),
        (lambda f: f(torch.sin, "alphas", (6,)), "alphas_cumprod must be numeric"),
        (lambda f: f(torch.sin, ALPHAS, 6), "shape must be a sequence of sizes, got 6"),
        (lambda f: f(torch.sin, ALPHAS, ()), "shape must have at least one axis"),
        (lambda f: f(torch.sin, ALPHAS, (3, 0)), "shape must be >= 1, got 0"),
        (lambda f: f(torch.sin, ALPHAS, (6,), samples=X[:, :5]), r"samples must have shape"),
        (lambda f: f(torch.sin, ALPHAS, (6,), condition="red"), "condition must be an integer"),
        (lambda f: f(torch.sin, ALPHAS, (6,), condition=(1, None)), "condition must hold tensors"),
        (lambda f: f(torch.sin, ALPHAS, (6,), chunk=0), "chunk must be >= 1, got 0"),
        (lambda f: f(torch.sin, ALPHAS, (6,), dtype=torch.int64), "dtype must be a floating"),
        (lambda f: f(torch.sin, ALPHAS, (6,), engine="cpu"), "engine must be an accelerate"),
    ],
)
@pytest.mark.parametrize("kind", ["from_noise", "from_v"])
def test_bad_input(kind, make, message):
    with pytest.raises(ValueError, match=message):
        make(getattr(pc.adapters, kind))


def test_bad_input_of_the_other_kinds():
    for range_ in ((1.0, 1.0), (-1.0, 2.0), 3.0):
        with pytest.raises(ValueError, match="sigma_range must be a least and a larger"):
            pc.adapters.from_denoiser(torch.sin, (6,), range_)
    with pytest.raises(ValueError, match="scale must be > 0, got 0"):
        pc.adapters.from_flow(torch.sin, (6,), scale=0.0)
    times = pc.adapters.times.Levels((0.1, 1.0))
    with pytest.raises(ValueError, match="whole must be False"):
        pc.adapters.Model(torch.sin, times, (6,), "denoised", whole=True)
    with pytest.raises(ValueError, match="output must be one of score, noise"):
        pc.adapters.Model(torch.sin, times, (6,), "epsilon")
    with pytest.raises(ValueError, match="model must be a Model, got 3"):
        pc.adapters.Adapted(3)


@pytest.mark.parametrize("answer", [None, torch.zeros(2), torch.zeros(6, 5)])
def test_answers_of_another_shape(answer):
    density = pc.adapters.from_noise(lambda x, t: answer, ALPHAS, (6,))
    with pytest.raises(ValueError, match=r"network must answer with a tensor of shape \(6, 6\)"):
        density.score(X, 1.0)


def test_answers_that_are_no_numbers():
    density = pc.adapters.from_noise(lambda x, t: x / 0, ALPHAS, (6,))
    with pytest.raises(ValueError, match=r"Adapted\._score must be finite"):
        density.score(X, 1.0)
