"""Exact scores of cluttered pictures, against brute force."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp import scenes
from projcomp.scenes.exact import subsets_of

from tests.helpers import close, gradient, normal, random_mixture, seeded

BLOCKS = [[0, 3], [1], [2, 4]]
ON = [random_mixture(seeded(j), 2, len(block)) for j, block in enumerate(BLOCKS)]
OFF = [pc.gaussian([0.0] * len(block), 0.2) for block in BLOCKS]


def world(named=None, **rule):
    return scenes.Presences(ON, OFF, BLOCKS, scenes.log_chances_of(3, named, **rule))


def brute_force(chances):
    """The same law as a plain mixture of block products."""
    weights, parts = [], []
    for index, subset in enumerate(subsets_of(3)):
        chosen = [on if s else off for s, on, off in zip(subset, ON, OFF, strict=True)]
        mixture = pc.BlockProduct(chosen, BLOCKS).mixture()
        weights.append(float(chances[index].exp()) * mixture.weights)
        parts.append(mixture)
    return pc.GaussianMixture(
        torch.cat(weights),
        torch.cat([m.means for m in parts]),
        torch.cat([m.covariances for m in parts]),
    )


RULES = [{"rate": 0.3}, {"most": 2}, {"rate": 0.5, "named": 1}, {"most": 3, "named": 0}]


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("sigma", [0.0, 0.4, 5.0])
def test_against_brute_force(rule, sigma):
    density = world(**rule)
    plain = brute_force(density.log_chances)
    x = 2 * normal(seeded(9), 40, 5)
    close(density.log_prob(x, sigma), plain.log_prob(x, sigma))
    close(density.score(x, sigma), plain.score(x, sigma), absolute=1e-9)
    close(density.score(x, sigma), gradient(lambda y: density.log_prob(y, sigma), x), absolute=1e-9)


def test_compositions_share_their_parts():
    base, concepts = world(rate=0.4), [world(j, rate=0.4) for j in (0, 2)]
    fused, plain = base.composed_with(concepts), pc.compose(base, concepts)
    x = 2 * normal(seeded(10), 30, 5)
    for sigma in (0.0, 0.7):
        close(fused.log_prob(x, sigma), plain.log_prob(x, sigma))
        close(fused.score(x, sigma), plain.score(x, sigma), absolute=1e-9)
    with pytest.raises(ValueError, match="no exact sampler"):
        fused.sample(3)


def test_presence_is_the_posterior():
    density = world(rate=0.4)
    x, sigma = normal(seeded(11), 20, 5), 0.3
    chances, logs = density.log_chances, []
    for subset in subsets_of(3):
        chosen = [on if s else off for s, on, off in zip(subset, ON, OFF, strict=True)]
        logs.append(pc.BlockProduct(chosen, BLOCKS).log_prob(x, sigma))
    posterior = torch.softmax(chances[:, None] + torch.stack(logs), 0)
    close(density.presence(x, sigma), (subsets_of(3).T @ posterior).T, absolute=1e-12)


def test_samples_have_the_law():
    density = world(most=2)
    samples = density.sample(40_000, generator=seeded(12))
    plain = brute_force(density.log_chances)
    error = samples.std(0) / math.sqrt(len(samples))
    assert bool(((samples.mean(0) - plain.mean).abs() < 5 * error).all())
    spread = torch.diagonal(plain.covariance).sqrt()
    assert bool(((samples.std(0) / spread - 1).abs() < 0.03).all())


def test_chances_of_the_rules():
    for subset, log_chance in zip(subsets_of(3), scenes.log_chances_of(3, rate=0.25), strict=True):
        count = int(subset.sum())
        assert float(log_chance.exp()) == pytest.approx(0.25**count * 0.75 ** (3 - count))
    alone = scenes.log_chances_of(3, 1, rate=0.0).exp()
    assert alone.tolist() == [1.0 if s.tolist() == [0, 1, 0] else 0.0 for s in subsets_of(3)]
    capped = scenes.log_chances_of(4, most=2).exp()
    counts = subsets_of(4).sum(1)
    assert float(capped[counts == 1].sum()) == pytest.approx(0.5)
    assert float(capped[counts == 2].sum()) == pytest.approx(0.5)
    named = scenes.log_chances_of(4, 2, most=2).exp()
    assert float(named[subsets_of(4)[:, 2] == 0].sum()) == 0
    assert float(named[counts == 1].sum()) == pytest.approx(0.5)


def test_pixels_are_divided_among_the_places():
    empty = torch.zeros(6)
    banks = [torch.eye(6)[[0, 1]], torch.eye(6)[[2, 3, 4]]]
    blocks = scenes.divided(banks, empty)
    assert sorted(blocks[0] + blocks[1]) == list(range(6))
    assert {0, 1} <= set(blocks[0])
    assert {2, 3, 4} <= set(blocks[1])
    on, off = scenes.clutter_parts(banks, empty, blocks)
    assert [p.dim for p in on] == [p.dim for p in off] == [len(b) for b in blocks]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scenes.Presences(ON, OFF[:2], BLOCKS, torch.zeros(8)), "dimensions of on"),
        (lambda: scenes.Presences(ON, OFF, BLOCKS, torch.zeros(8)), "sum to one, got 8"),
        (lambda: scenes.Presences(ON, OFF, BLOCKS, torch.zeros(4)), r"shape \(8,\), got \(4,\)"),
        (lambda: scenes.Presences(ON * 5, OFF * 5, BLOCKS, torch.zeros(8)), "at most 12 densities"),
        (lambda: scenes.Presences(ON, OFF, [[0, 1], [2], [3, 3]], torch.zeros(8)), r"blocks\[2\]"),
        (lambda: scenes.log_chances_of(3), "exactly one of rate and most"),
        (lambda: scenes.log_chances_of(3, most=4), "most must be at most 3"),
        (lambda: world(rate=0.5).composed_with([pc.gaussian([0.0] * 5, 1.0)]), "must share on"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
