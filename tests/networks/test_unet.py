"""The network of pictures: what it is told, what it can see, where its weights come from."""

from __future__ import annotations

import pytest
import torch
from projcomp import networks

from tests.helpers import close, normal, seeded

SMALL = {"pixels": 16, "widths": (8, 8, 16)}


def untrained(trained=True, **options):
    """A small network; unless it is fresh, with random weights where it starts at zero."""
    network = networks.UNet(**SMALL, **options, generator=seeded(1))
    if trained:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=seeded(2)))
    return network.requires_grad_(False)


def pictures(n=4):
    return normal(seeded(3), n, 3 * 16 * 16).float()


def test_it_answers_in_shape_and_with_zeros_at_first():
    network = untrained(trained=False)
    told = torch.cat([network.condition(label) for label in (None, "average", (0.1, -0.5))])
    noise = torch.tensor([-1.0, 0.0, 0.3])
    answer = network(pictures(3), noise, told)
    assert answer.shape == (3, 768)
    assert not answer.any()


def test_one_row_serves_all():
    network = untrained()
    x, noise = pictures(), torch.tensor([0.2])
    told = network.condition((0.3, 0.3))
    one = network(x, noise, told)
    many = network(x, noise.expand(4), told.expand(4, 3))
    close(one, many, absolute=1e-5)
    close(network(x[:1], noise, told), one[:1], absolute=1e-5)


def test_what_it_is_told_matters():
    network, x, noise = untrained(), pictures(1), torch.tensor([0.2])
    labels = (None, "average", (0.1, -0.5), (0.1, 0.5))
    answers = [network(x, noise, network.condition(label)) for label in labels]
    for i in range(len(answers)):
        for j in range(i):
            assert float((answers[i] - answers[j]).abs().max()) > 1e-3
    named = untrained(labels=4)
    answers = [named(x, noise, named.condition(k)) for k in range(4)]
    assert len({round(float(a.sum()), 4) for a in answers}) == 4


def test_the_window_hides_what_is_elsewhere():
    network = untrained(window=True)
    x, noise = pictures(1), torch.tensor([0.2])
    near, far = x.clone(), x.clone()
    near.reshape(3, 16, 16)[:, 2:4, 2:4] += 1.0  # at u = v = -.6
    far.reshape(3, 16, 16)[:, 12:14, 12:14] += 1.0  # at u = v = .6
    there = network.condition((-0.6, -0.6))
    before = network(x, noise, there)
    assert float((network(near, noise, there) - before).abs().max()) > 1e-2
    close(network(far, noise, there), before, absolute=1e-5)
    everything = network.condition("average")
    assert not torch.allclose(network(far, noise, everything), network(x, noise, everything))
    nothing = network.condition(None)
    close(network(far, noise, nothing), network(2 * x, noise, nothing), absolute=1e-6)


def test_weights_come_from_the_generator():
    state = torch.get_rng_state()
    one, two = untrained(False), untrained(False)
    assert torch.equal(torch.get_rng_state(), state)
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("target", ["scaled", "clean"])
def test_as_a_density(target):
    """Tweedie's formula, where the data have a centre, for both targets."""
    network = untrained()
    model = networks.Preconditioned(network, 768, 0.1, centre=0.6, target=target)
    density = networks.Denoiser(model, (0.2, 0.2))
    x = normal(seeded(4), 3, 768)
    for sigma in (0.05, 1.0, 20.0):
        close(density.denoise(x, sigma), x + sigma**2 * density.score(x, sigma), relative=1e-9,
              absolute=1e-9 * (1 + sigma))  # fmt: skip
        told = model.condition((0.2, 0.2))
        close(model(x, torch.tensor([sigma], dtype=torch.float64), told), density.denoise(x, sigma))
    assert repr(density).startswith("Denoiser(label=(0.2, 0.2)")


def test_a_fresh_network_believes_in_the_centre():
    model = networks.Preconditioned(untrained(False), 768, 0.1, centre=0.6, target="clean")
    x = normal(seeded(5), 2, 768)
    close(networks.Denoiser(model).denoise(x, 3.0), torch.full_like(x, 0.6))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: networks.UNet(pixels=20), "pixels must be a multiple of 8, got 20"),
        (lambda: networks.UNet(labels=3, window=True), "window needs a network that is told"),
        (lambda: networks.UNet(widths=(8, 8)), "widths must be three numbers"),
        (lambda: untrained().condition((1.5, 0.0)), r"label must be a place .* got \[1.5, 0.0\]"),
        (lambda: untrained().condition("averag"), "or a place, got 'averag'"),
        (lambda: untrained().condition((0.1, 0.2, 0.3)), "label must be a place"),
        (lambda: untrained(labels=4).condition(4), "or 0 to 3, which this network knows; got 4"),
        (
            lambda: networks.Preconditioned(untrained(), 768, 0.1, target="noise"),
            "target must be one of scaled, clean",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
