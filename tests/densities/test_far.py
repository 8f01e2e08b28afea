"""Clusters far apart and far from the origin, against 60 digits: expanded squares lose them."""

from __future__ import annotations

import mpmath as mp
import projcomp as pc
import pytest
import torch
from projcomp.composition import interaction_of

from tests.helpers import close, close_in_scale, normal, random_mixture, seeded
from tests.reference import mixture_log_prob_and_score

F64 = torch.float64


def by_sixty_digits(points, weights, x, sigma):
    """log p^sigma(x), E[x_0 | x] - x and the largest share, of an empirical distribution."""
    with mp.workdps(60):
        gaps = [
            [mp.mpf(float(a)) - mp.mpf(float(b)) for a, b in zip(p, x, strict=True)] for p in points
        ]
        logs = [
            mp.log(mp.mpf(float(w))) - mp.fsum(g * g for g in gap) / (2 * mp.mpf(sigma) ** 2)
            for w, gap in zip(weights, gaps, strict=True)
        ]
        top = max(logs)
        shares = [mp.exp(log - top) for log in logs]
        total = mp.fsum(shares)
        pull = [
            float(mp.fsum(s * gap[i] for s, gap in zip(shares, gaps, strict=True)) / total)
            for i in range(len(x))
        ]
        log_prob = top + mp.log(total) - len(x) * mp.log(2 * mp.pi * mp.mpf(sigma) ** 2) / 2
        return float(log_prob), torch.tensor(pull, dtype=F64)


def test_the_denoiser_between_two_of_three_far_points():
    p = pc.Empirical([[0.0], [1e8], [1e8 + 1]])
    x = torch.tensor([[1e8 + 0.25]], dtype=F64)
    assert float(p.denoise(x, 0.3)) - 1e8 == pytest.approx(0.0585, abs=5e-5)
    near = pc.Empirical([[0.0], [50000.0], [50000.001]])
    x = torch.tensor([[50000.0004]], dtype=F64)
    log_prob, pull = by_sixty_digits(near.points, near.weights, x[0], 7e-4)
    close(near.score(x, 7e-4)[0], pull / 7e-4**2, 1e-12, 0.0)
    close(near.log_prob(x, 7e-4)[0], torch.tensor(log_prob, dtype=F64), 1e-12, 0.0)


@pytest.mark.parametrize("dim", [1, 3, 40])
@pytest.mark.parametrize("distance", [1e2, 1e4, 1e6, 1e8, 1e12])
@pytest.mark.parametrize("placed", ["one outlier", "clusters", "scattered"])
def test_empirical_against_sixty_digits(dim, distance, placed):
    generator = seeded(dim)
    points = normal(generator, 12, dim)
    points = (points * 1024).round() / 1024  # so that a shift rounds nothing
    if placed == "one outlier":
        points[7] += distance
    elif placed == "clusters":
        points += distance * torch.arange(12)[:, None].remainder(3)
    else:
        points += distance * normal(generator, 12, dim).round()
    weights = torch.softmax(normal(generator, 12), 0)
    p = pc.Empirical(points, weights)
    x = points[:6] + (normal(generator, 6, dim) * 512).round() / 1024
    for sigma in (0.4, 3.0):
        found, score = p.log_prob_and_score(x, sigma)
        denoised = p.denoise(x, sigma)
        for index in range(6):
            log_prob, pull = by_sixty_digits(points, weights, x[index], sigma)
            close(found[index], torch.tensor(log_prob, dtype=F64), 1e-11, 1e-11)
            close_in_scale(sigma**2 * score[index], pull, 1e-9)
            gap = denoised[index] - (x[index] + pull)
            assert float(gap.abs().max()) <= 4e-16 * float(x[index].abs().max()) + 1e-11


def test_batches_that_mix_near_and_far_are_those_of_single_points():
    points = torch.cat([normal(seeded(1), 30, 5), 1e7 + normal(seeded(2), 20, 5)])
    p = pc.Empirical(points)
    x = torch.cat([points[:3] + 0.1, points[-3:] + 0.1, torch.full((1, 5), 5e6, dtype=F64)])
    sigmas = torch.tensor([0.2, 1e3, 0.3, 0.2, 1e5, 0.5, 1e6], dtype=F64)
    score = p.score(x, sigmas)
    for row in range(7):
        alone = p.score(x[row], float(sigmas[row]))
        rounding = 4 * torch.finfo(F64).eps * float(points.max()) / sigmas[row] ** 2
        assert float((score[row] - alone).abs().max()) <= rounding + 1e-12 * float(
            alone.abs().max()
        )


@pytest.mark.parametrize("kind", ["full", "diagonal"])
@pytest.mark.parametrize("distance", [1e3, 1e6, 1e8, 1e11])
def test_mixtures_against_sixty_digits(kind, distance):
    near = random_mixture(seeded(4), 3, 3, kind)
    means = (near.means * 1024).round() / 1024
    means[0] += distance
    means[1] -= 2 * distance
    p = pc.GaussianMixture(near.weights, means, near.covariances)
    x = means + 0.5
    for sigma in (0.0, 0.7):
        found, score = p.log_prob_and_score(x, sigma)
        for index in range(3):
            log_prob, wanted = mixture_log_prob_and_score(
                p.weights, p.means, p.covariances, x[index], sigma
            )
            close(found[index], torch.tensor(log_prob, dtype=F64), 1e-11, 1e-11)
            close_in_scale(score[index], wanted, 1e-10)


@pytest.mark.parametrize("shift", [1e4, 2.0**24, 2.0**40])
def test_closed_forms_do_not_know_where_the_origin_is(shift):
    def composed(offset):
        first = torch.tensor([[-1.0, 0.5], [1.25, 2.0]], dtype=F64)
        second = torch.tensor([[0.0, -1.0], [0.5, 2.0]], dtype=F64)
        concepts = [
            pc.GaussianMixture([0.3, 0.7], offset + first, [0.5, 0.25]),
            pc.GaussianMixture([0.6, 0.4], offset + second, [1.0, 0.25]),
        ]
        return pc.compose(pc.gaussian(offset, 9.0), concepts).exact()

    offset = torch.tensor([shift, -shift], dtype=F64)
    here, there = composed(torch.zeros(2, dtype=F64)), composed(offset)
    close(there.weights, here.weights, 1e-12, 1e-14)
    close(there.means - offset, here.means, 0.0, 3e-16 * shift + 1e-12)


@pytest.mark.parametrize("large", [1.0, 1e6, 1e9, 1e12])
def test_the_interaction_of_a_long_and_a_short_delta(large):
    deltas = torch.tensor([[[large, 0.0]], [[1e-3, 1e-2]]], dtype=F64)
    for order in ([0, 1], [1, 0]):
        close(
            interaction_of(deltas[order], torch.ones(2)),
            torch.tensor([large * 1e-3], dtype=F64),
            1e-14,
        )
    turned = torch.tensor([[[large, 0.0]], [[0.0, 1e-2]], [[0.0, 3.0]]], dtype=F64)
    close(interaction_of(turned, torch.ones(3)), torch.tensor([0.03], dtype=F64), 1e-14)
    weights = torch.tensor([1.0, 2.5], dtype=F64)
    close(
        interaction_of(deltas, weights),
        torch.tensor([2.5 * large * 1e-3 + 0.5 * 2.5 * 1.5 * (1e-6 + 1e-4)], dtype=F64),
        1e-14,
    )


def test_covariances_in_float32_are_symmetric_up_to_rounding():
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        factor = torch.randn(5, 5, generator=generator)
        covariance = factor @ factor.T + 0.1 * torch.eye(5)
        rotated = factor @ covariance @ factor.T  # asymmetric in the last bits
        p = pc.GaussianMixture([1.0], torch.zeros(1, 5), rotated[None])
        close_in_scale(p.covariances[0], rotated.double(), 1e-5)
    skew = torch.tensor([[1.0, 0.5], [0.499, 1.0]])
    for given in (skew, skew.double(), skew.numpy(), skew.tolist()):
        with pytest.raises(ValueError, match="covariances must be symmetric"):
            pc.gaussian([0.0, 0.0], given)
    slightly = torch.tensor([[1.0, 0.5], [0.5 + 1e-7, 1.0]], dtype=F64)
    with pytest.raises(ValueError, match="covariances must be symmetric"):
        pc.gaussian([0.0, 0.0], slightly)


def test_weights_in_low_precision_sum_to_one():
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        weights = torch.softmax(torch.linspace(-2, 2, 50), 0).to(dtype)
        p = pc.GaussianMixture(weights, torch.zeros(50, 1), 1.0)
        assert float(p.weights.sum()) == pytest.approx(1.0, abs=1e-15)
    with pytest.raises(ValueError, match="weights must sum to one"):
        pc.GaussianMixture(torch.tensor([0.5, 0.45]).half(), torch.zeros(2, 1), 1.0)


def test_more_points_than_multinomial_takes(monkeypatch):
    """Above 2^24 points samples are drawn by another way, with the same law."""
    monkeypatch.setattr("projcomp.densities._draw._MOST", 2)
    weights = torch.tensor([0.1, 0.0, 0.2, 0.7], dtype=F64)
    p = pc.Empirical([[0.0], [1.0], [2.0], [3.0]], weights)
    drawn = p.sample(20_000, generator=seeded(3))[:, 0]
    shares = torch.stack([(drawn == v).double().mean() for v in range(4)])
    assert ((shares - weights).abs() <= 5 * (weights * (1 - weights) / 20_000).sqrt()).all()


def test_many_points_indeed():
    p = pc.Empirical(torch.arange(2**24 + 3, dtype=F64)[:, None])
    assert p.sample(5, generator=seeded(0)).shape == (5, 1)
    x = torch.tensor([[123456.25]], dtype=F64)
    assert float(p.denoise(x, 0.01)) == 123456.0
