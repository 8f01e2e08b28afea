"""Exchanging blocks between samples: nothing for any denoisers where it is factorized."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp.composition import interaction_of
from projcomp.diagnostics.exchange import _moments, measure
from projcomp.diagnostics.factorisation import half_log_variance
from projcomp.diagnostics.features import features_of
from projcomp.widgets.presets import PRESETS

from tests.helpers import close, normal, random_mixture, seeded

LEVELS = torch.logspace(1.5, -1.5, 12, dtype=torch.float64)


def bent(density, size, seed):
    """The score of a density with a smooth error of `size` over sigma, far from any gradient."""
    turn = torch.randn(density.dim, density.dim, generator=seeded(seed), dtype=torch.float64)
    phase = torch.randn(density.dim, generator=seeded(seed + 1), dtype=torch.float64)

    def score(x, sigma):
        wave = torch.sin(1.3 * x @ turn + phase)
        return density.score(x, sigma) + size * wave / (1.0 + sigma[:, None])

    return pc.Scored(density.dim, score)


def of_preset(name):
    preset = PRESETS[name]()
    return preset.background, preset.concepts


def looked(background, concepts, clean, blocks=((0,), (1,)), points=2000, seed=0, levels=LEVELS):
    features = features_of(blocks, None, len(concepts), background.dim)
    composition = pc.compose(background, concepts)
    return measure(composition, features, clean, levels, points, seeded(seed))


def samples_of(background, concepts, count=2000, seed=1):
    return [
        p.sample(count, generator=seeded(seed + i)) for i, p in enumerate([background, *concepts])
    ]


@pytest.mark.parametrize("size", [0.0, 0.3, 3.0])
def test_no_cost_under_factorized_conditionals_whatever_the_scores(size):
    """Over 40 seeds: the mean is zero to four standard errors, and none is beyond four."""
    background, concepts = of_preset("factorized")
    parts = [bent(p, size, 3 * i) for i, p in enumerate([background, *concepts])]
    apart = []
    for seed in range(20):
        clean = samples_of(background, concepts, 300, 100 * seed)
        found = looked(parts[0], parts[1:], clean, points=300, seed=seed)
        apart += [(e.defect.value, e.defect.error) for e in found.exchanges]
    values, errors = torch.tensor(apart, dtype=torch.float64).T
    if size == 0:
        assert float(values.abs().max()) < 1e-10
        return
    assert float(errors.min()) > 0
    assert float((values / errors).abs().max()) < 4
    assert abs(float(values.mean())) < 4 * float(values.std()) / len(values) ** 0.5
    # And the scores themselves claim what is not there.
    assert min(e.claimed.value - 4 * e.claimed.error for e in found.exchanges) > 0


@pytest.mark.parametrize("correlation", [0.4, 0.8])
def test_cost_of_gaussians_in_closed_form(correlation):
    """2 r^2 / (1 - r^2) nats for two of one covariance, and each concept's own."""
    covariance = [[1.0, correlation], [correlation, 1.0]]
    background = pc.gaussian([0.0, 0.0], covariance)
    concepts = [pc.gaussian([1.5, 0.0], covariance), pc.gaussian([0.0, -1.0], covariance)]
    levels = torch.logspace(2, -2.5, 60, dtype=torch.float64)
    clean = samples_of(background, concepts, 4000)
    found = looked(background, concepts, clean, points=4000, levels=levels)
    wanted = 2 * correlation**2 / (1 - correlation**2)
    for exchange in found.exchanges:
        assert abs(exchange.defect.value - wanted) < 4 * exchange.defect.error
        assert exchange.defect.error < 0.2 * wanted


def test_a_change_off_the_block_costs_the_symmetric_divergence():
    """Of independent blocks the cost is KL both ways off the block, as the scores claim it."""
    background = pc.gaussian([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]])
    concept = pc.gaussian([1.5, 0.7], [[0.5, 0.0], [0.0, 1.0]])
    levels = torch.logspace(2, -2.5, 60, dtype=torch.float64)
    clean = samples_of(background, [concept], 4000)
    exchange = looked(background, [concept], clean, [[1], [0]], 4000, levels=levels).exchanges[0]
    for estimate in (exchange.defect, exchange.claimed):
        assert abs(estimate.value - 0.7**2) < 4 * estimate.error + 0.01 * 0.7**2


def test_exact_cost_is_never_less_than_nothing():
    """J of random mixtures by log densities agrees with J of their scores, and is above zero."""
    levels = torch.logspace(2, -2.5, 60, dtype=torch.float64)
    for seed in range(3):
        background, concept = (random_mixture(seeded(10 * seed + j), 3, 2) for j in range(2))
        clean = samples_of(background, [concept], 6000, 5 * seed)
        found = looked(background, [concept], clean, [[1], [0]], 6000, levels=levels).exchanges[0]
        other, x = (
            p.sample(6000, generator=seeded(50 + j)) for j, p in enumerate((background, concept))
        )
        y = torch.stack([x[:, 0], other[:, 1]], 1)
        swapped = torch.stack([other[:, 0], x[:, 1]], 1)
        rows = concept.log_prob(x) - concept.log_prob(y)
        rows = rows + background.log_prob(other) - background.log_prob(swapped)
        wanted, error = float(rows.mean()), float(rows.std()) / len(rows) ** 0.5
        assert wanted > 4 * error
        assert abs(found.defect.value - wanted) < 4 * math.hypot(error, found.defect.error)


def test_residuals_know_the_score_error_in_any_direction():
    """E (x_0 - D) . g = -sigma^2 E e . g with g another concept's delta, e from the exact twin."""
    background, concepts = of_preset("dependent")

    def score(x, sigma):
        mixed = 0.8 * concepts[0].score(x, sigma) + 0.2 * concepts[1].score(x, sigma)
        return mixed + 0.1 * torch.sin(x)

    learned = pc.Scored(2, score)
    for sigma in (0.2, 1.0):
        clean = concepts[0].sample(20_000, generator=seeded(8))
        noise = torch.randn(clean.shape, generator=seeded(9), dtype=torch.float64)
        x = clean + sigma * noise
        g = concepts[1].score(x, sigma) - background.score(x, sigma)
        residual = ((clean - learned.denoise(x, sigma)) * g).sum(-1)
        error = -(sigma**2) * ((learned.score(x, sigma) - concepts[0].score(x, sigma)) * g).sum(-1)
        gap = residual - error
        assert abs(float(gap.mean())) < 4 * float(gap.std()) / len(gap) ** 0.5
        assert abs(float(error.mean())) > 8 * float(gap.std()) / len(gap) ** 0.5


def test_what_the_interaction_owes_to_score_error():
    """All of it where the truth has none, and none of it where the scores are exact."""
    levels = torch.logspace(1, -1, 8, dtype=torch.float64)
    background, concepts = of_preset("factorized")
    clean = samples_of(background, concepts, 20_000)
    parts = [background, bent(concepts[0], 0.3, 4), concepts[1]]
    found = looked(parts[0], parts[1:], clean, points=20_000, levels=levels)
    own = found.parts[1]
    assert abs(own.value - 1.0) < 4 * own.error < 0.6
    assert all(abs(p.value) < 4 * p.error + 1e-12 for p in (found.parts[0], found.parts[2]))
    background, concepts = of_preset("dependent")
    clean = samples_of(background, concepts, 20_000)
    found = looked(background, concepts, clean, points=20_000, levels=levels)
    assert abs(found.explained.value) < 4 * found.explained.error < 0.6
    assert found.explained.value == pytest.approx(sum(p.value for p in found.parts))


@pytest.mark.parametrize("weights", [[1.0, 1.0], [0.7, -1.6]])
def test_the_yardstick_takes_the_gradient_of_the_interaction(weights):
    """In each score, by automatic differentiation, times the interaction about its mean."""
    background, concepts = of_preset("dependent")
    composition, sigma = pc.compose(background, concepts, weights), 0.7
    own, scores = [], []
    for index, density in enumerate([background, *concepts]):
        noise = normal(seeded(index), 50, 2)
        own.append((noise, density.sample(50, generator=seeded(9 + index)) + sigma * noise))
        scores.append(composition.scores(own[-1][1], sigma))
    found = _moments(composition, own, scores, sigma)
    for index, (noise, _) in enumerate(own):
        s = scores[index].clone().requires_grad_(True)
        rate = interaction_of(sigma * (s[1:] - s[0]), composition.weights)
        (pull,) = torch.autograd.grad(rate.sum(), s)
        rate = (rate - rate.mean()).detach()
        along = ((noise / sigma + scores[index][index]) * pull[index]).sum(-1)
        close(found[index, 0], along * rate)
        close(found[index, 1], rate.square())


def test_leaks_are_those_of_the_definition():
    background, concepts = of_preset("overlap")
    clean = samples_of(background, concepts, 4000)
    found = looked(background, concepts, clean, points=4000)
    total = off = 0.0
    for sigma, weight in zip(LEVELS.tolist(), half_log_variance(LEVELS).tolist(), strict=True):
        x = concepts[1].sample(4000, sigma, seeded(31))
        delta = sigma * (concepts[1].score(x, sigma) - background.score(x, sigma))
        total += weight * float(delta.square().sum(-1).mean())
        off += weight * float(delta[:, 0].square().mean())
    leak = found.leaks[1]
    assert abs(leak.off_block.value - off / total) < 4 * leak.off_block.error + 1e-3
    assert abs(leak.change.value - total) < 4 * leak.change.error + 1e-9
    assert off / total > 0.05


def test_without_blocks_there_is_nothing_to_exchange():
    background, concepts = of_preset("dependent")
    clean = samples_of(background, concepts, 400)
    composition = pc.compose(background, concepts)
    found = measure(composition, None, clean, LEVELS, 400, seeded(1))
    assert found.exchanges == [None, None] == found.leaks
    with_blocks = looked(background, concepts, clean, points=400, seed=1)
    close(torch.tensor(found.explained.value), torch.tensor(with_blocks.explained.value))


def test_what_is_open_is_exchanged_again_with_other_samples():
    """As long as there are some; and nothing is asked of a concept that is decided."""
    background, concepts = of_preset("factorized")
    clean = samples_of(background, concepts, 1000)
    levels = torch.tensor([2e-9, 1e-9], dtype=torch.float64)  # a point tells which sample it is
    seen = []

    def score(x, sigma):
        seen.append(x)
        return concepts[0].score(x, sigma)

    blind = pc.Scored(2, score)
    composition = pc.compose(background, [blind, concepts[1]])
    features = features_of([[0], [1]], None, 2, 2)
    found = measure(composition, features, clean, levels, 300, seeded(0), nats=1e-30, rounds=9)
    assert [e.defect.count for e in found.exchanges] == [900, 900]
    own = torch.cat([x for x in seen if float((x[0] - clean[1]).norm(dim=-1).min()) < 1e-7])
    which = (own[:, None] - clean[1]).norm(dim=-1).argmin(1)
    counts = torch.bincount(which, minlength=1000)
    assert set(counts.tolist()) == {0, len(levels)} and int((counts > 0).sum()) == 900
    found = measure(composition, features, clean, levels, 300, seeded(0), nats=10.0, rounds=9)
    assert [e.defect.count for e in found.exchanges] == [300, 300]
