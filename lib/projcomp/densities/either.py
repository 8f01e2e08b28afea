"""Mixtures of any densities: a sample of the one or of the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities._draw import categories
from projcomp.densities.base import Density
from projcomp.densities.blocks import common_exponent, density_list, one_space


class Mixture(Density):
    """p = sum_i weights[i] parts[i]: a sample of part i, with probability weights[i].

    Noising is linear, so p^sigma is the mixture of the noised parts: exact at every sigma at which
    the parts are. The score is that of the parts, each by its posterior share.

    That asks for *normalised* parts. Where a part's log_prob leaves out its log normaliser, as that
    of a composition does, `log_normalisers` has it: what is computed is
    sum_i weights[i] exp(log_prob_i(x, sigma) - log_normalisers[i]). With the log normalisers at
    sigma = 0 that is the mixture at sigma = 0. It is not the noised mixture at other levels, as
    log Z of C[p^sigma] changes with sigma, and with it what the shares ought to be.

    Where no part has mass log_prob is -inf, and the score the mean of the parts' scores.

    Args:
        parts: k densities on the same R^n.
        weights: (k,), >= 0, summing to one; None for equal weights. A part of weight 0 is never
            evaluated.
        log_normalisers: (k,), the log of the integral of each part's exp(log_prob); None for
            zeros.

    Raises ValueError for what is no list of densities of one dimension, and weights or log
    normalisers of another shape or not finite; on evaluation where a part has no log density.
    """

    def __init__(self, parts: Sequence[Density], weights=None, log_normalisers=None):
        parts = density_list("parts", parts)
        one_space("parts", parts, parts[0].dim, "parts[0]")
        super().__init__(parts[0].dim)
        count = len(parts)
        if weights is None:
            weights = torch.full((count,), 1.0 / count, dtype=torch.float64, device="cpu")
        weights = _check.probabilities("weights", weights).cpu()
        if log_normalisers is None:
            log_normalisers = torch.zeros_like(weights)
        log_normalisers = _check.real("log_normalisers", log_normalisers).detach().cpu()
        for name, given in (("weights", weights), ("log_normalisers", log_normalisers)):
            if given.shape != (count,):
                raise ValueError(
                    f"{name} must have shape ({count},), one for each part, got "
                    f"{tuple(given.shape)}"
                )
        self.parts = tuple(parts)
        self.weights, self.log_normalisers = weights, log_normalisers.clone()
        factors = (weights.log() - log_normalisers).tolist()
        self._live = [
            (part, factor)
            for part, factor, weight in zip(parts, factors, weights.tolist(), strict=True)
            if weight > 0
        ]

    def __repr__(self):
        return f"Mixture({list(self.parts)!r}, weights={self.weights.tolist()})"

    @property
    def most_samples(self) -> float:
        return min(part.most_samples for part, _ in self._live)

    @property
    def exponent(self) -> float:
        """That of the parts where they agree; otherwise there is no common one, and it is 1."""
        return common_exponent(part for part, _ in self._live)

    def normalisable(self, sigma=0.0):
        answers = [part.normalisable(sigma) for part, _ in self._live]
        return False if False in answers else None if None in answers else True

    def _log_prob(self, x, sigma):
        return _log_sum([part._log_prob(x, sigma) + factor for part, factor in self._live])[0]

    def _score(self, x, sigma):
        return self._log_prob_and_score(x, sigma)[1]

    def _log_prob_and_score(self, x, sigma):
        pairs = [part._log_prob_and_score(x, sigma) for part, _ in self._live]
        factors = [factor for _, factor in self._live]
        log_prob, shares = _log_sum(
            [value + factor for (value, _), factor in zip(pairs, factors, strict=True)]
        )
        return log_prob, sum(share * score for share, (_, score) in zip(shares, pairs, strict=True))

    def _interaction(self, x, sigma):
        found = [part._interaction(x, sigma) for part, _ in self._live]
        if all(value is None for value in found):
            return None
        shares = _log_sum([part._log_prob(x, sigma) + factor for part, factor in self._live])[1]
        return sum(s * v for s, v in zip(shares, found, strict=True) if v is not None)

    def _sample(self, n, generator, device):
        weights = torch.where(self.weights > 0, self.weights, 0.0).to(device)
        chosen = categories(weights, n, generator)
        x = torch.empty((n, self.dim), dtype=torch.float64, device=device)
        for index, part in enumerate(self.parts):
            if self.weights[index] > 0:
                here = chosen == index
                # At least one, so that a part without a sampler says so at every draw.
                count = int(here.sum())
                x[here] = part._sample(max(count, 1), generator, device)[:count]
        return x

    def _chunk(self, device):
        return min(part._chunk(device) for part, _ in self._live)


def _log_sum(logs: list[Tensor]) -> tuple[Tensor, Tensor]:
    """log sum exp of k tensors (B,), and the share of each: (B,) and (k, B).

    Where the largest of them is infinite, those that are equal to it share alike.
    """
    stacked = torch.stack(logs)
    top = stacked.detach().amax(0)
    ties = torch.where(stacked == top, 0.0, -math.inf)
    stacked = torch.where(top.isinf(), ties, stacked)
    total = torch.logsumexp(stacked, 0)
    return torch.where(top.isinf(), top, total), torch.softmax(stacked, 0)
