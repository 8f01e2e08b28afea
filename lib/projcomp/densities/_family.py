"""Densities that can be evaluated in one pass because they come from one thing.

Two concepts of one network differ by what the network is told, two subsets of one bank of pictures
by the weights of its points. Such densities name the thing as their `_family`, and a composition
asks the family for all of their scores at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp.densities import _own
from projcomp.densities.base import Density


class Family(ABC):
    """What several densities come from. A density belongs to it by ``_family``; None: to none.

    Points are laid out as (n, B), `sigma` is () or (B,): as for a density's own `_score`. Answers
    are float64, on the device of x.
    """

    @abstractmethod
    def scores(self, densities: Sequence[Density], x: Tensor, sigma: Tensor) -> Tensor:
        """The score of each of the densities, all of this family: (len(densities), n, B)."""

    def log_probs(self, densities: Sequence[Density], x: Tensor, sigma: Tensor) -> Tensor:
        """Their log densities, (len(densities), B): one by one unless overridden."""
        return torch.stack([density._log_prob(x, sigma) for density in densities])

    def log_probs_and_scores(self, densities, x, sigma) -> tuple[Tensor, Tensor]:
        """Both; override where they come from one pass."""
        return self.log_probs(densities, x, sigma), self.scores(densities, x, sigma)

    def product_score(self, densities, exponents, x, sigma) -> Tensor:
        """The score of prod_j p_j^{c_j}, (n, B); override where it takes less than every score."""
        scores = held(densities, self.scores(densities, x, sigma), x, sigma)
        return combination(exponents, scores)


class Kin(Density):
    """prod_j p_j^{c_j} for densities p_j of one family, evaluated together."""

    def __init__(self, densities: Sequence[Density], exponents: Sequence[float]):
        super().__init__(densities[0].dim)
        self.densities, self.exponents = tuple(densities), tuple(exponents)
        self.kind: Family = densities[0]._family

    def _log_prob(self, x, sigma):
        return combination(self.exponents, self.kind.log_probs(self.densities, x, sigma))

    def _score(self, x, sigma):
        return self.kind.product_score(self.densities, self.exponents, x, sigma)

    def _log_prob_and_score(self, x, sigma):
        logs, scores = self.kind.log_probs_and_scores(self.densities, x, sigma)
        scores = held(self.densities, scores, x, sigma)
        return combination(self.exponents, logs), combination(self.exponents, scores)

    def each(self, x: Tensor, sigma: Tensor, log_prob: bool) -> tuple[Tensor | None, Tensor]:
        """Log density, (B,), if wanted, and the score of every density by itself: (m, n, B)."""
        if log_prob:
            logs, scores = self.kind.log_probs_and_scores(self.densities, x, sigma)
            return combination(self.exponents, logs), held(self.densities, scores, x, sigma)
        return None, held(self.densities, self.kind.scores(self.densities, x, sigma), x, sigma)

    def _laplacian(self, x, sigma):
        each = torch.stack([density._laplacian(x, sigma) for density in self.densities])
        return combination(self.exponents, each)

    def _chunk(self, device):
        return min(density._chunk(device) for density in self.densities)


def combination(exponents: Sequence[float], values: Tensor) -> Tensor:
    """sum_j c_j values_j, without those of the exponent 0, which may be infinite."""
    used = [place for place, exponent in enumerate(exponents) if exponent]
    return torch.tensordot(values.new_tensor([exponents[j] for j in used]), values[used], dims=1)


def held(densities: Sequence[Density], scores: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
    """Their scores, if these are what the densities alone would have been let pass."""
    for density, row in zip(densities, scores, strict=True):
        _own.fitting(density, "_score", row, x, sigma)
    return scores
