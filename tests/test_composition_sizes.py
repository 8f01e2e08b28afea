"""In how many passes a composition is evaluated, with mixtures of unlike sizes in one."""

from __future__ import annotations

import projcomp as pc
import pytest
import torch
from projcomp.densities.mixtures import powers_of

from tests.helpers import KINDS, close, close_in_scale, normal, seeded, uniform
from tests.test_composition_pass import COMPOSITIONS, agrees, mixture

F64 = torch.float64


@pytest.mark.parametrize("dim", [1, 2, 6])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("many", [False, True])
def test_filled_up_with_components_of_no_weight(dim, kind, many):
    """Mixtures of other sizes in one pass, with the numbers of the same mixtures by themselves."""
    mixtures = [mixture(k, k, kind, dim) for k in (1, 4, 2)]
    exponents = [1.5, -0.5, 2.0]
    powers, x = powers_of(mixtures, exponents), 2 * normal(seeded(4), 7, dim)
    for sigma in (0.2 + uniform(seeded(5), 7), torch.zeros(7, dtype=F64)) if many else (0.7, 0.0):
        log_prob, score = powers.log_prob_and_score(x, sigma)
        logs = [p.log_prob(x, sigma) for p in mixtures]
        scores = torch.stack([p.score(x, sigma) for p in mixtures])
        wanted = sum(c * v for c, v in zip(exponents, logs, strict=True))
        close(log_prob, wanted, 0.0, 1e-12 * (1 + max(float(v.abs().max()) for v in logs)))
        size = float(scores.abs().max())
        total = torch.tensordot(torch.tensor(exponents, dtype=F64), scores, 1)
        close(score, total, 0.0, 1e-11 * size)
        level = torch.as_tensor(sigma, dtype=F64)
        own_log, each = powers.each(x.T.contiguous(), level, log_prob=True)
        close(each.mT, scores, 0.0, 1e-11 * size)
        close(own_log, log_prob, 0.0, 0.0)


def passes(c: pc.Composition, count: int) -> int:
    return len(c._together._product.groups(torch.zeros(2, count, dtype=F64)))


def test_mixtures_of_other_sizes_share_a_pass_where_the_points_are_few():
    c = COMPOSITIONS["sizes"]()
    assert passes(c, 10) == passes(c, 500) == 1
    assert passes(c, 100_000) == 3
    x = normal(seeded(3), 100_000, 2)
    agrees(c, x[:10], 0.5)
    for few, many in zip(c.evaluate(x[:10], 0.5), c.evaluate(x, 0.5), strict=True):
        close_in_scale(many[:10], few, 1e-11)
    assert passes(COMPOSITIONS["one size"](), 100_000) == 1
    assert passes(COMPOSITIONS["far from each other"](), 10) == 2  # differences for those alone
    uneven = pc.compose(mixture(1, 0), [mixture(2, 1), mixture(4000, 2, "isotropic")])
    assert passes(uneven, 1) == 3  # to fill up would be most of the work


def test_every_density_is_evaluated_once():
    calls = []

    class Counted(pc.Density):
        def _log_prob(self, x, sigma):
            calls.append("log_prob")
            return -0.5 * x.square().sum(0)

        def _score(self, x, sigma):
            calls.append("score")
            return -x

    x = normal(seeded(3), 5, 2)
    c = pc.compose(Counted(2), [mixture(2, 1), mixture(2, 2)])
    for method, wanted in (
        (c.evaluate, ["log_prob", "score"]),
        (c.score_and_interaction, ["score"]),
        (c.deltas, ["score"]),
    ):
        calls.clear()
        method(x, 0.5)
        assert calls == wanted
