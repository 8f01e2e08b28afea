"""The networks that come with the library."""

from __future__ import annotations

import projcomp as pc
import pytest
import torch
from projcomp import emoji, networks
from projcomp.networks.shipped import SHIPPED, WEIGHTS, blank
from projcomp.networks.words import VOCABULARY
from projcomp.widgets import PRESETS

from tests.helpers import seeded

POINTS = [[0.3, -0.2], [1.5, 0.4], [-2.0, 2.5]]
STORED = {
    "factorized": [[1.0674877, -0.1396989], [2.0600688, 0.3458157], [-2.4705116, 3.1195409]],
    "shear": [[0.7816099, 0.107269], [1.9011679, 0.9554624], [-1.1949181, 1.4000784]],
}
TOLERANCE = 1e-4
"""Other processors sum float32 in another order. In float64 the samples move by 2e-7."""


def learned(name):
    background, concepts = networks.load(name)
    exact = PRESETS[SHIPPED[name].preset]()
    return [background, *concepts], [exact.background, *exact.concepts]


@pytest.mark.parametrize("name", SHIPPED)
def test_they_load_and_give_the_stored_samples(name):
    parts, _ = learned(name)
    composed = pc.compose(parts[0], parts[1:])
    sigmas = pc.sigma_grid(0.05, 10.0, 12, rho=7)
    start = 10.0 * torch.tensor(POINTS, dtype=torch.float64)
    run = pc.reverse_diffusion(composed, 3, sigmas, "heun", start=start)
    stored = torch.tensor(STORED[name], dtype=torch.float64)
    assert float((run.samples - stored).abs().max()) < TOLERANCE


@pytest.mark.parametrize("name", SHIPPED)
def test_they_are_as_good_as_the_card_says(name):
    """sigma^2 E |score error|^2 at noised samples of the distribution itself."""
    for network, exact in zip(*learned(name), strict=True):
        for sigma in (0.1, 1.0, 10.0):
            x = exact.sample(4000, sigma, seeded(1))
            gap = (network.score(x, sigma) - exact.score(x, sigma)).square().sum(1)
            assert float(sigma**2 * gap.mean()) < 0.01


def test_they_are_small_and_described():
    files = sorted(path.name for path in WEIGHTS.iterdir())
    names = (*SHIPPED, *networks.PICTURE_MODELS, *emoji.learned.SEEDS)
    named = [f"{name}.safetensors" for name in (*names, "words")]
    stored = [networks.COUNTS.name, emoji.learned.COUNTS.name, "verdicts.json"]
    reader = [VOCABULARY.name, "words.onnx"]
    assert files == sorted(["README.md", *stored, *reader, *named])
    assert sum((WEIGHTS / f"{name}.safetensors").stat().st_size for name in SHIPPED) < 300_000
    card = (WEIGHTS / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in card for name in (*stored, *reader, "words.safetensors"))
    for name in SHIPPED:
        assert f"`{name}.safetensors`" in card
        parameters = sum(p.numel() for p in blank(name).parameters())
        assert f"{parameters:,}" in card


def test_one_network_serves_all():
    background, concepts = networks.load("shear")
    assert [density.label for density in (background, *concepts)] == [0, 1, 2]
    assert {density.model for density in concepts} == {background.model}
    assert pc.networks is networks


def test_unknown_name():
    with pytest.raises(ValueError, match="name must be one of factorized, shear; got 'cats'"):
        networks.load("cats")
