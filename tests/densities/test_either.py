"""Mixtures of any densities."""

import math

import projcomp as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import close, close_in_scale, noise_levels, normal, random_mixture, seeded

F64 = torch.float64
P, Q = pc.gaussian([0.0, 0.0], 1.0), pc.GaussianMixture([0.3, 0.7], [[2.0, 0], [0, 1]], [0.2, 0.5])


def as_one(parts, weights) -> pc.GaussianMixture:
    """Gaussian mixtures, mixed, as a Gaussian mixture."""
    weights = [w * part.weights for w, part in zip(weights, parts, strict=True)]
    means = [part.means for part in parts]
    return pc.GaussianMixture(
        torch.cat(weights), torch.cat(means), torch.cat([part.covariances for part in parts])
    )


@given(st.integers(0, 9999), st.integers(1, 4), noise_levels())
def test_mixtures_of_gaussian_mixtures_are_gaussian_mixtures(seed, count, sigma):
    """At every noise level: noising is linear."""
    generator = seeded(seed)
    parts = [random_mixture(generator, 1 + j, 2) for j in range(count)]
    weights = torch.softmax(normal(generator, count), 0)
    mixed, one = pc.Mixture(parts, weights), as_one(parts, weights)
    x = 3.0 * normal(generator, 8, 2)
    close(mixed.log_prob(x, sigma), one.log_prob(x, sigma), 1e-11, 1e-11)
    close_in_scale(mixed.score(x, sigma), one.score(x, sigma), 1e-10)
    close_in_scale(mixed.denoise(x, sigma), one.denoise(x, sigma), 1e-10)
    log_prob, score = mixed.log_prob_and_score(x, sigma)
    close(log_prob, mixed.log_prob(x, sigma), 1e-13, 1e-13)
    close(score, mixed.score(x, sigma), 1e-13, 1e-13)


def test_equal_weights_unless_given():
    x = normal(seeded(1), 5, 2)
    close(pc.Mixture([P, Q]).log_prob(x), pc.Mixture([P, Q], [0.5, 0.5]).log_prob(x), 0.0, 0.0)


def test_log_normalisers_put_unnormalised_parts_right_at_zero_and_only_there():
    """log Z of C[p^sigma] changes with sigma, so the shares on the way are not the mixture's."""
    part = pc.compose(pc.gaussian([0.0, 0.0], 9.0), [Q, pc.gaussian([1.0, -1.0], 0.5)])
    x = normal(seeded(2), 6, 2)

    def log_z(sigma):
        return float((part.log_prob(x, sigma) - part.exact(sigma).log_prob(x)).mean())

    mixed = pc.Mixture([P, part], [0.4, 0.6], [0.0, log_z(0.0)])
    truth = pc.Mixture([P, part.exact()], [0.4, 0.6])
    close(mixed.log_prob(x), truth.log_prob(x), 1e-11, 1e-11)
    close_in_scale(mixed.score(x), truth.score(x), 1e-10)
    for sigma in (0.5, 2.0):
        shares = pc.Mixture([P, part.exact(sigma)], [0.4, 0.6])
        assert abs(log_z(sigma) - log_z(0.0)) > 0.1
        assert float((mixed.score(x, sigma) - truth.score(x, sigma)).abs().max()) > 1e-2
        known = pc.Mixture([P, part], [0.4, 0.6], [0.0, log_z(sigma)])
        at_level = torch.stack([known.log_prob(x, sigma), P.log_prob(x, sigma)])
        wanted = torch.logsumexp(
            torch.stack(
                [
                    math.log(0.4) + P.log_prob(x, sigma),
                    math.log(0.6) + part.exact(sigma).log_prob(x),
                ]
            ),
            0,
        )
        close(at_level[0], wanted, 1e-11, 1e-11)
        assert shares.normalisable(sigma) is True


def test_where_parts_have_no_mass():
    """-inf of one, of both, and derivatives there: no NaN."""
    boxes = [pc.Box([0.0, 0.0], [1.0, 1.0]), pc.Box([0.5, 0.0], [1.5, 2.0])]
    mixed = pc.Mixture(boxes, [0.25, 0.75])
    x = torch.tensor([[0.2, 0.5], [0.7, 0.5], [1.2, 1.0], [5.0, 5.0]], dtype=F64)
    wanted = torch.tensor([0.25, 0.25 + 0.375, 0.375, 0.0], dtype=F64).log()
    close(mixed.log_prob(x), wanted, 1e-14, 1e-14)
    close(mixed.score(x), torch.zeros(4, 2, dtype=F64), 0.0, 0.0)
    for jacobian in (torch.func.jacfwd, torch.func.jacrev):
        for method in (mixed.log_prob, mixed.score):
            for point in x:
                assert float(jacobian(method)(point).abs().max()) == 0.0
    half = pc.Mixture([boxes[0], P])
    close(half.log_prob(x)[2:], P.log_prob(x)[2:] + math.log(0.5), 1e-13, 1e-13)
    close(half.score(x)[2:], P.score(x)[2:], 1e-13, 1e-13)
    y = x.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(half.log_prob(y).sum(), y)
    close(slope, half.score(x), 1e-13, 1e-13)
    (bend,) = torch.autograd.grad(half.score(y).sum(), y)
    assert torch.isfinite(bend).all()


class Spike(pc.Density):
    """Infinitely dense in a half-plane."""

    def _log_prob(self, x, sigma):
        return torch.where(x[0] > 0, math.inf, -x.square().sum(0))

    def _score(self, x, sigma):
        return torch.where(x[0] > 0, 3.0, -2.0 * x)


def test_an_infinite_part_has_all_of_the_shares():
    mixed = pc.Mixture([P, Spike(2)])
    log_prob, score = mixed.log_prob_and_score([[1.0, 0.0], [-1.0, 0.0]])
    assert float(log_prob[0]) == math.inf
    assert math.isfinite(float(log_prob[1]))
    assert score[0].tolist() == [3.0, 3.0]


@pytest.mark.parametrize("scale", [1e8, 1e50, 1e90])
def test_far_points(scale):
    wide = pc.gaussian([0.0, 0.0], 4.0)
    mixed = pc.Mixture([P, wide], [1 - 1e-12, 1e-12])
    x = torch.tensor([[scale, 0.0], [0.0, -scale]], dtype=F64)
    close(mixed.score(x), wide.score(x), 1e-14, 0.0)
    close(mixed.log_prob(x), wide.log_prob(x), 1e-13, 0.0)
    levels = torch.tensor([1e-8, 1e8], dtype=F64)
    assert torch.isfinite(mixed.score(x, levels)).all()


def test_a_part_of_weight_zero_is_never_evaluated():
    by_score = pc.Scored(2, lambda x, s: -x)
    mixed = pc.Mixture([P, by_score, pc.Empirical([[0.0, 0.0]])], [1.0, 0.0, 0.0])
    x = normal(seeded(3), 5, 2)
    close(mixed.log_prob(x), P.log_prob(x), 1e-15, 1e-15)
    close(mixed.sample(6, 0.3, seeded(1)), pc.Mixture([P]).sample(6, 0.3, seeded(1)), 0.0, 0.0)
    assert mixed.most_samples == math.inf
    assert pc.Mixture([P, by_score]).most_samples == 0
    with pytest.raises(ValueError, match="known by its score alone"):
        pc.Mixture([P, by_score]).score(x, 1.0)


def test_samples_have_the_shares():
    """Of three far parts, one of which can only be drawn from: within 4 standard errors."""
    parts = [pc.gaussian([9.0 * j, 0.0], 1.0) for j in range(2)] + [pc.Empirical([[18.0, 0.0]])]
    weights = [0.2, 0.3, 0.5]
    x = pc.Mixture(parts, weights).sample(20_000, generator=seeded(4))
    for j, weight in enumerate(weights):
        here = x[(x[:, 0] - 9.0 * j).abs() < 4.5]
        assert abs(len(here) / 20_000 - weight) < 4 * math.sqrt(weight * (1 - weight) / 20_000)
        assert float((here.mean(0) - parts[j].sample(1, generator=seeded(0))).abs().max()) < 6
    noisy = pc.Mixture(parts, weights).sample(20_000, 2.0, seeded(4))
    assert float((noisy - x).std()) == pytest.approx(2.0, rel=4 / math.sqrt(80_000))


def test_a_part_without_a_sampler_says_so_at_every_draw():
    rare = pc.Mixture([P, pc.compose(P, [Q])], [1 - 1e-9, 1e-9])
    with pytest.raises(ValueError, match="Composition has no exact sampler"):
        rare.sample(1, generator=seeded(0))


def test_a_part_that_is_not_drawn_from_this_time():
    cloud = pc.Empirical([[1.0, 1.0]])
    assert pc.Mixture([P, Q, cloud], [1 - 2e-9, 1e-9, 1e-9]).sample(2).shape == (2, 2)


def test_normalisable_if_every_part_is():
    unknown = pc.compose(pc.Empirical([[0.0, 0.0]]), [P, P])
    assert pc.Mixture([P, Q]).normalisable() is True
    assert pc.Mixture([P, pc.Flat(2)]).normalisable() is False
    assert pc.Mixture([P, pc.Flat(2)], [1.0, 0.0]).normalisable() is True
    assert pc.Mixture([P, unknown]).normalisable(1.0) is None
    assert pc.Mixture([pc.Flat(2), unknown]).normalisable(1.0) is False


def test_they_nest_and_compose():
    x = normal(seeded(5), 6, 2)
    nested = pc.Mixture([pc.Mixture([P, Q], [0.5, 0.5]), Q], [0.4, 0.6])
    close(nested.log_prob(x, 0.3), pc.Mixture([P, Q], [0.2, 0.8]).log_prob(x, 0.3), 1e-13, 1e-13)
    wide = pc.gaussian([0.0, 0.0], 9.0)
    composed = pc.compose(wide, [pc.Mixture([P, Q]), P])
    one = pc.compose(wide, [as_one([P, Q], [0.5, 0.5]), P])
    close_in_scale(composed.score(x, 0.7), one.score(x, 0.7), 1e-12)


def test_what_a_mixture_was_made_of_may_change():
    weights, norms = torch.tensor([0.5, 0.5], dtype=F64), torch.zeros(2, dtype=F64)
    mixed, x = pc.Mixture([P, Q], weights, norms), normal(seeded(6), 3, 2)
    before = mixed.log_prob(x)
    weights[0], norms[1] = 9.0, 3.0
    assert mixed.weights.tolist() == [0.5, 0.5]
    close(mixed.log_prob(x), before, 0.0, 0.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), r"parts must hold at least one density, got none"),
        ((P,), r"parts must be a sequence of densities, got GaussianMixture"),
        (([P, 3],), r"parts\[1\] must be a Density, got 3"),
        (([P, pc.gaussian([0.0], 1.0)],), r"parts\[1\] must live on R\^2 as parts\[0\] does, got"),
        (([P, Q], [0.5, 0.4]), r"weights must sum to one, got a sum of 0.9"),
        (([P, Q], [1.5, -0.5]), r"weights must be >= 0, got -0.5"),
        (([P, Q], [1.0]), r"weights must have shape \(2,\), one for each part, got \(1,\)"),
        (([P, Q], 0.5), r"weights must have shape \(K,\)"),
        (([P, Q], None, [0.0]), r"log_normalisers must have shape \(2,\), one for each part, got"),
        (([P, Q], None, [0.0, math.nan]), r"log_normalisers must be finite"),
        (([P, Q], None, "no"), r"log_normalisers must be numeric"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        pc.Mixture(*arguments)
