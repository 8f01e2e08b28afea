"""Densities known by their score alone."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch

from tests.helpers import close, normal, random_mixture, seeded

MIXTURE = random_mixture(seeded(1), 3, 3)


def scored(samples=None):
    return pc.Scored(3, MIXTURE.score, samples)


def test_it_passes_the_score_on():
    x, sigma = normal(seeded(2), 7, 3), torch.linspace(0.1, 2, 7, dtype=torch.float64)
    close(scored().score(x, sigma), MIXTURE.score(x, sigma))
    close(scored().denoise(x, 0.7), MIXTURE.denoise(x, 0.7))


def test_a_network_in_single_precision_is_welcome():
    density = pc.Scored(3, lambda x, s: MIXTURE.score(x, s).float())
    x = normal(seeded(3), 5, 3)
    assert density.score(x, 1.0).dtype == torch.float64
    close(density.score(x, 1.0), MIXTURE.score(x, 1.0), relative=1e-6, absolute=1e-6)


def test_compositions_and_samplers_take_it():
    composition = pc.compose(scored(), [scored()])
    grid = pc.sigma_grid(0.01, 50.0, 12)
    run = pc.reverse_diffusion(composition, 20, grid, generator=seeded(4))
    close(run.samples, pc.reverse_diffusion(MIXTURE, 20, grid, generator=seeded(4)).samples)
    assert composition.normalisable() is None


def test_samples_are_dealt_without_putting_back():
    known = torch.arange(30, dtype=torch.float64).reshape(10, 3)
    dealt = scored(known).sample(10, generator=seeded(5))
    assert sorted(dealt[:, 0].tolist()) == known[:, 0].tolist()
    assert scored(known).most_samples == 10
    assert MIXTURE.most_samples == math.inf


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pc.Scored(3, None), "score must be a function"),
        (lambda: pc.Scored(3, MIXTURE.score, [1.0, 2.0, 3.0]), r"samples must have shape \(N, 3\)"),
        (lambda: pc.Scored(3, MIXTURE.score, [[1.0, 2.0]]), r"samples must have shape \(..., 3\)"),
        (lambda: scored().log_prob([0.0, 0.0, 0.0]), "known by its score alone"),
        (lambda: scored().sample(1), "at most the 0 samples known, got 1"),
        (lambda: pc.Scored(3, lambda x, s: x[:, :2]).score([0.0] * 3, 1.0), r"shape \(1, 3\)"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_it_is_asked_at_no_other_level():
    calls = []

    def score(x, sigma):
        calls.append(len(x))
        return -x

    density = pc.Scored(3, score, sigma_range=(0.1, 2.0))
    for sigma in (0.05, 2.1, [0.5, 3.0]):
        with pytest.raises(ValueError, match=r"^sigma must lie within .*, 0.1 to 2, got"):
            density.score(torch.zeros(2, 3), sigma)
    assert calls == []
    density.score(torch.zeros(2, 3), [0.1, 2.0])
    assert calls == [2]
