"""What a model does with a batch: shared, cut, converted, and without derivatives unless asked."""

from __future__ import annotations

import projcomp as pc
import pytest
import torch

from tests.adapters.dressed import ALPHAS, OUTPUTS, Network, adapted
from tests.helpers import close, close_in_scale, normal, random_mixture, seeded

MIXTURES = [random_mixture(seeded(seed), 3, 4) for seed in range(3)]
X = MIXTURES[0].sample(7, generator=seeded(7)) + normal(seeded(8), 7, 4)
SIGMAS = torch.linspace(0.1, 9.0, 7, dtype=torch.float64)


def family(output="noise", **options):
    """Three densities of one network, told apart by labels, and the network."""
    first, network = adapted(output, MIXTURES, condition=0, **options)
    return [first, first.given(1), first.given(2)], network


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("sigma", [SIGMAS, 0.7])
def test_a_composition_asks_its_network_once(output, sigma):
    parts, network = family(output)
    composition = pc.compose(parts[0], parts[1:], [1.5, 0.7])
    wanted = pc.compose(MIXTURES[0], MIXTURES[1:], [1.5, 0.7])
    score, interaction = composition.score_and_interaction(X, sigma)
    assert network.calls == [21]
    close_in_scale(score, wanted.score(X, sigma), 1e-10)
    close_in_scale(interaction, wanted.interaction(X, sigma), 1e-10)
    composition.score(X, sigma)
    assert network.calls == [21, 21]


def test_a_part_without_weight_is_not_asked():
    parts, network = family()
    pc.compose(parts[0], parts[1:], [0.5, 0.0]).score(X, 1.0)
    assert network.calls == [14]


def test_models_apart_share_no_batch():
    one, network = family()
    other, second = family()
    pc.compose(one[0], [other[1]]).deltas(X, 1.0)
    assert (network.calls, second.calls) == ([7], [7])


class Told(Network):
    """It takes its label out of a larger condition."""

    def __call__(self, x, time, condition=None):
        if condition is None:
            return super().__call__(x, time)
        text, (label,) = condition["text"], condition["more"]
        assert text.shape == (len(x), 2, 3) and text.dtype == x.dtype
        assert label.dtype == torch.int64
        assert torch.equal(text[:, 0, 0].long(), label)
        return super().__call__(x, time, label)


def test_conditions_of_several_tensors():
    network = Told("noise", MIXTURES, (4,))
    alone = pc.adapters.from_noise(network, ALPHAS, (4,), dtype=torch.float64)
    parts = [
        alone.given({"text": torch.full((2, 3), float(i)), "more": (i,)}, samples=X)
        for i in range(3)
    ]
    assert parts[0].most_samples == 7
    wanted = pc.compose(MIXTURES[0], MIXTURES[1:])
    close_in_scale(pc.compose(parts[0], parts[1:]).score(X, SIGMAS), wanted.score(X, SIGMAS))
    assert network.calls == [21]
    # What is told nothing makes no batch with what is told something.
    close_in_scale(pc.compose(alone, parts[1:]).score(X, SIGMAS), wanted.score(X, SIGMAS))
    assert network.calls == [21, 7, 7, 7]


def test_batches_are_cut():
    parts, network = family(chunk=5)
    close_in_scale(parts[1].score(X, SIGMAS), MIXTURES[1].score(X, SIGMAS))
    composition = pc.compose(parts[0], parts[1:])
    network.calls.clear()
    wanted = pc.compose(MIXTURES[0], MIXTURES[1:])
    close_in_scale(composition.score(X, SIGMAS), wanted.score(X, SIGMAS))
    assert sum(network.calls) == 21 and max(network.calls) == 5
    large = pc.adapters.from_noise(torch.sin, ALPHAS, (3, 512, 512))
    small = pc.adapters.from_noise(torch.sin, ALPHAS, (2,))
    assert (large.model.chunk, small.model.chunk) == (1, 1 << 13)


class Linear(torch.nn.Module):
    """eps = x / sqrt(1 + sigma^2) times a factor: x is the normal distribution's, so 1."""

    def __init__(self, dtype):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones((), dtype=dtype))
        self.seen: list = []

    def forward(self, x, time):
        self.seen.append((x.dtype, time.dtype))
        alpha = torch.as_tensor(ALPHAS, dtype=time.dtype)[time.long()]
        return self.factor * x * (1 - alpha)[:, None].sqrt().to(x.dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_network_keeps_its_precision(dtype):
    network = Linear(dtype)
    density = pc.adapters.from_noise(network, ALPHAS, (4,))
    sigma = torch.sqrt(1 / ALPHAS - 1)[30]
    close_in_scale(density.score(X, sigma), -X / (1 + sigma**2), 8 * torch.finfo(dtype).eps)
    assert network.seen == [(dtype, torch.promote_types(dtype, torch.float32))]
    other = pc.adapters.from_noise(network.double(), ALPHAS, (4,), dtype=torch.float32)
    assert other.model.place == (torch.float32, torch.device("cpu"))


def test_derivatives_are_recorded_where_asked():
    network = Linear(torch.float64)
    density = pc.adapters.from_noise(network, ALPHAS, (4,))
    assert not density.score(X, 1.0).requires_grad
    x = X.clone().requires_grad_(True)
    slope = torch.autograd.grad(density.score(x, 1.0).sum(), x)[0]
    wanted = torch.autograd.grad(density.score(2 * x, 1.0).sum(), x)[0]
    close(2 * slope, wanted)
    assert float(slope.abs().min()) > 0.1
    asked = pc.adapters.from_noise(network, ALPHAS, (4,), grad=True)
    asked.score(X, 1.0).sum().backward()
    assert network.factor.grad is not None


@pytest.mark.parametrize("output", OUTPUTS)
def test_derivatives_are_those_of_the_density(output):
    """Forward ones too, which a network that records nothing would take for zero."""
    density, _ = adapted(output, MIXTURES[:1])
    flat = pc.simple_product([density, density])
    wanted = pc.simple_product([MIXTURES[0], MIXTURES[0]])
    found = flat.interaction(X, 0.9, natural=True)
    close_in_scale(found, wanted.interaction(X, 0.9, natural=True), 1e-9)
