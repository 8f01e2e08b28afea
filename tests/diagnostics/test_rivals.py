"""Denoisers made of samples, and the choice between them and a network's."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp.densities._meter import counting
from projcomp.diagnostics.exchange import measure
from projcomp.diagnostics.rivals import Choice, Rivals

from tests.helpers import close, normal, seeded


def shrunk(samples):
    """Ledoit and Wolf 2004, section 3.2, term by term, with dense matrices."""
    rows = samples - samples.mean(0)
    count, dim = rows.shape
    sample = rows.T @ rows / count
    identity = torch.eye(dim, dtype=torch.float64)
    level = sample.trace() / dim
    apart = (sample - level * identity).square().sum() / dim
    outer = rows[:, :, None] * rows[:, None]
    noise = ((outer - sample).square().sum((1, 2)) / dim).sum() / count**2
    noise = torch.minimum(noise, apart)
    return (noise / apart) * level * identity + (1 - noise / apart) * sample


@pytest.mark.parametrize(("count", "dim"), [(40, 5), (6, 9), (300, 3)])
def test_the_linear_one_is_that_of_the_shrunk_covariance(count, dim):
    samples = normal(seeded(1), count, dim) @ normal(seeded(2), dim, dim) + 3.0
    rivals, x = Rivals(samples), 3.0 + 2.0 * normal(seeded(3), 20, dim)
    gaussian = pc.gaussian(samples.mean(0), shrunk(samples))
    for sigma in (0.1, 2.0):
        close(rivals.score(0, x, sigma), gaussian.score(x, sigma))
        close(rivals.score(1, x, sigma), pc.Empirical(samples).score(x, sigma))


def test_samples_that_are_all_alike_leave_one_answer():
    rivals = Rivals(torch.ones(10, 4, dtype=torch.float64))
    x = normal(seeded(4), 5, 4)
    for which in (0, 1):
        close(rivals.score(which, x, 0.5), (1.0 - x) / 0.25)


def test_asking_rivals_costs_no_evaluation():
    asked = []
    rivals = Rivals(normal(seeded(5), 30, 2))
    with counting(asked.append):
        rivals.score(1, normal(seeded(6), 5, 2), 1.0)
    assert not asked


def points(density, sigma, seed=7, count=2000):
    noise = normal(seeded(seed), count, density.dim)
    return noise, density.sample(count, generator=seeded(seed + 1)) + sigma * noise


def test_exact_scores_have_no_rival():
    """Of 40 choices none is a rival's, though the linear one is nearly as good."""
    density = pc.gaussian([0.0, 0.0], [[1.0, 0.5], [0.5, 1.0]])
    rivals = Rivals(density.sample(1000, generator=seeded(9)))
    for seed in range(20):
        noise, x = points(density, 0.7, seed)
        choice = Choice(rivals, noise, x, 0.7, density.score(x, 0.7))
        assert choice.picks == [0, 0]
        close(choice.best, density.score(x, 0.7))
        assert float(choice.short.abs().max()) == 0


def test_each_half_is_chosen_for_by_the_other():
    """Of a score that is wrong at every second point, the other half's verdict counts."""
    density = pc.gaussian([0.0, 0.0], 1.0)
    rivals = Rivals(density.sample(1000, generator=seeded(10)))
    noise, x = points(density, 0.7)
    score = density.score(x, 0.7)
    score[1::2] += 3.0
    choice = Choice(rivals, noise, x, 0.7, score)
    assert choice.picks[0] != 0 and choice.picks[1] == 0
    close(choice.best[1::2], score[1::2])
    close(choice.best[::2], rivals.score(choice.picks[0] - 1, x, 0.7)[::2])
    y = normal(seeded(12), 2000, 2)
    there = choice.there(y, torch.zeros_like(y))
    close(there[1::2], torch.zeros_like(y)[1::2])
    close(there[::2], rivals.score(choice.picks[0] - 1, y, 0.7)[::2])


@pytest.mark.parametrize("size", [0.5, 2.0])
def test_scores_fall_short_by_no_more_than_their_error(size):
    """Of Gaussians, where the linear one is nearly exact, by nearly all of it."""
    exact = pc.gaussian([0.0, 0.0], [[1.0, 0.0], [0.0, 2.0]])

    def score(x, sigma):
        return exact.score(x, sigma) + size * torch.sin(2.0 * x) / (1.0 + sigma[:, None])

    learned = pc.Scored(2, score)
    clean = [exact.sample(6000, generator=seeded(20 + j)) for j in range(2)]
    levels = torch.logspace(1, -1, 12, dtype=torch.float64)
    composition = pc.compose(learned, [learned])
    found = measure(composition, None, clean, levels, 3000, seeded(1), contested=True)
    error, before = 0.0, None
    for sigma in levels.tolist():
        _, x = points(exact, sigma, 30, 20_000)
        here = sigma**2 * float(
            (learned.score(x, sigma) - exact.score(x, sigma)).square().sum(-1).mean()
        )
        if before is not None:
            error += 0.5 * math.log(before[0] / sigma) * (here + before[1])
        before = sigma, here
    for short in found.short:
        assert short.value < error + 4 * short.error
        assert short.value > 0.9 * error - 4 * short.error
        assert short.error < 0.1 * error + 0.02
