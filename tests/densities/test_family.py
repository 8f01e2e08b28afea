"""Densities of one family are evaluated together, and give what they give one by one."""

from __future__ import annotations

import projcomp as pc
import pytest
import torch
from projcomp.densities._family import Family

from tests.helpers import close, normal, random_mixture, seeded

X, SIGMA = normal(seeded(1), 9, 3), torch.linspace(0.2, 3.0, 9, dtype=torch.float64)


class Bank(Family):
    """It counts how often it is asked, and for how many."""

    def __init__(self):
        self.asked: list[int] = []

    def scores(self, densities, x, sigma):
        self.asked.append(len(densities))
        return torch.stack([density.inner._score(x, sigma) for density in densities])


class Member(pc.Density):
    """A mixture that looks like none."""

    def __init__(self, inner, family=None):
        super().__init__(inner.dim)
        self.inner, self._family = inner, family

    def _log_prob(self, x, sigma):
        return self.inner._log_prob(x, sigma)

    def _score(self, x, sigma):
        return self.inner._score(x, sigma)


MIXTURES = [random_mixture(seeded(seed), 2 + seed % 2, 3) for seed in range(4)]
ALONE = pc.compose(Member(MIXTURES[0]), [Member(m) for m in MIXTURES[1:]], [1.5, -0.5, 0.7])


def together(*families):
    parts = [Member(m, family) for m, family in zip(MIXTURES, families, strict=True)]
    return pc.compose(parts[0], parts[1:], [1.5, -0.5, 0.7])


def of_one():
    bank = Bank()
    return bank, together(bank, bank, bank, bank)


def mixed():
    bank, other = Bank(), Bank()
    return bank, together(bank, other, bank, None)


@pytest.mark.parametrize("make", [of_one, mixed], ids=["one family", "two and a stranger"])
def test_together_is_one_by_one(make):
    composition = make()[1]
    close(composition.score(X, SIGMA), ALONE.score(X, SIGMA))
    close(composition.deltas(X, SIGMA), ALONE.deltas(X, SIGMA))
    close(composition.log_prob(X, SIGMA), ALONE.log_prob(X, SIGMA))
    for one, other in zip(composition.evaluate(X, SIGMA), ALONE.evaluate(X, SIGMA), strict=True):
        close(one, other)
    for one, other in zip(
        composition.log_prob_and_score(X, SIGMA), ALONE.log_prob_and_score(X, SIGMA), strict=True
    ):
        close(one, other)
    simple = pc.simple_product(composition.concepts)
    close(
        simple.interaction(X, SIGMA, natural=True),
        pc.simple_product(ALONE.concepts).interaction(X, SIGMA, natural=True),
    )


def test_a_family_is_asked_once():
    bank, composition = of_one()
    composition.score_and_interaction(X, SIGMA)
    assert bank.asked == [4]
    bank, composition = mixed()
    composition.score_and_interaction(X, SIGMA)
    assert bank.asked == [2]


def test_what_has_no_part_in_the_product_is_left_out():
    bank = Bank()

    class Nowhere(Member):
        def _log_prob(self, x, sigma):
            return torch.full_like(x[0], -torch.inf)

    parts = [Member(MIXTURES[0], bank), Nowhere(MIXTURES[2], bank), Member(MIXTURES[1], bank)]
    composition = pc.compose(parts[0], parts[1:], [0.0, 1.0])
    wanted = pc.compose(Member(MIXTURES[0]), [Member(MIXTURES[1])])
    close(composition.score(X, 1.0), wanted.score(X, 1.0))
    assert bank.asked == []  # one alone is asked itself
    close(composition.evaluate(X, 1.0).log_prob, wanted.log_prob(X, 1.0))


def test_what_a_family_answers_is_held_to_what_a_density_must():
    class Wrong(Bank):
        def scores(self, densities, x, sigma):
            return super().scores(densities, x, sigma) * torch.nan

    bank = Wrong()
    composition = together(bank, bank, bank, bank)
    with pytest.raises(ValueError, match="_score must be finite wherever the log density is"):
        composition.score(X, 1.0)
