"""Is it factorized? By exchanging blocks between samples, which holds for any denoiser.

For x of a concept p_i with block M and x' of p_b, independent, exchange their blocks:

    y = (x_M, x'_R)  and  y' = (x'_M, x_R).

Under factorized conditionals y is a sample of p_i, and y' one of p_b. So whatever denoises them
errs as much on the exchanged samples as on the others: with any denoisers, of any quality,

    J = sum over both pairs of 1/2 integral over snr of E |y_0 - D(y)|^2 - E |x_0 - D(x)|^2 = 0.

With the exact denoisers J = KL(q || p_i) + KL(q' || p_b) + I_i + I_b, where q, q' are the laws of y
and y' and I_i, I_b the mutual information of block and rest under p_i and p_b: so it is zero only
there. It is in nats. Its proof is in the book ("Your own models").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp.composition import Composition, interaction_of
from projcomp.densities._draw import normal_like
from projcomp.diagnostics.factorisation import Leak, half_log_variance, leak_of
from projcomp.diagnostics.features import Features
from projcomp.diagnostics.measure import ENOUGH, SURE, Estimate, batch_means, estimate, jackknife
from projcomp.diagnostics.rivals import Choice, Rivals

ROUNDS = 8
"""At most so many times the points are exchanged, each with samples of its own."""


@dataclass(frozen=True)
class Exchange:
    """What exchanging a concept's block between its samples and those of p_b costs, in nats.

    defect: J, by how much worse the denoisers do on the exchanged samples. Zero under factorized
    conditionals, for any denoisers.
    claimed: the square of what the density's own scores change by where they should not, which is
    J for exact scores that differ off the block alone. What is claimed beyond the defect is score
    error.
    """

    defect: Estimate
    claimed: Estimate

    def real(self, nats: float) -> bool | None:
        """Whether the defect is one: above `nats` and four standard errors. None where it is
        neither that, nor within `nats` by two."""
        value, error = self.defect.value, self.defect.error
        if value > max(nats, SURE * error):
            return True
        return False if value + ENOUGH * error <= nats else None


@dataclass(frozen=True)
class Measured:
    """Of each concept (k of them) a leak and an exchange, None where no blocks are known.

    explained: the share of the interaction's variation that is score error by the residuals of each
    density's own samples, in all; `parts`, the background's share and those of the concepts. short:
    for p_b and each concept, by how many nats its denoiser errs more than rivals made of samples.
    """

    leaks: list[Leak | None]
    exchanges: list[Exchange | None]
    explained: Estimate
    parts: list[Estimate]
    short: list[Estimate]


def measure(
    composition: Composition,
    features: Features | None,
    clean: Sequence[Tensor],
    levels: Tensor,
    points: int,
    generator,
    nats: float = 0.05,
    rounds: int = 1,
    contested: bool = False,
) -> Measured:
    """Look at every density's own samples, noised, and at the exchanged ones.

    clean: samples (N, n) of p_b and of each concept, of which `points` of each are taken, the same
    at every level with noise of its own, so that their sums over the levels are independent. Every
    density is evaluated once at every point. Concepts whose defect remains open at `nats` are
    exchanged again with other samples, while there are some: `rounds` times in all.

    contested: exchanges are judged by the best denoiser at each level, the density's own or one
    made of a third of the samples, since any will do and the best sees most.
    """
    k, weights = len(composition.concepts), half_log_variance(levels)
    clean = [_shuffled(part, generator) for part in clean]
    rivals: list[Rivals | None] = [None] * (k + 1)
    if contested:
        rivals = [Rivals(part[-(len(part) // 3) :]) for part in clean]
        clean = [part[: len(part) - len(part) // 3] for part in clean]
    m = min(points, *(len(part) for part in clean))
    squares = clean[0].new_zeros(k, 3, m)
    losses = clean[0].new_zeros(k, 2, m)
    moments = clean[0].new_zeros(k + 1, 2, m)
    short = clean[0].new_zeros(k + 1, m)
    for sigma, weight in zip(levels.tolist(), weights.tolist(), strict=True):
        own = [_noised(part[:m], sigma, generator) for part in clean]
        scores = [composition.scores(x, sigma) for _, x in own]
        moments += weight * _moments(composition, own, scores, sigma)
        sides = [
            _Side(known, rival, sigma, here[j])
            for j, (known, rival, here) in enumerate(zip(own, rivals, scores, strict=True))
        ]
        short += weight * torch.stack([side.choice.short for side in sides])
        for index in range(0 if features is None else k):
            pair = _Pair(features, index, sides[index + 1], sides[0], sigma)
            losses[index] += weight * pair.costs(composition)
            squares[index] += weight * pair.spill(composition, scores[index + 1][0])
    told, parts = _shares(moments)
    fell = [estimate(row) for row in short]
    if features is None:
        return Measured([None] * k, [None] * k, told, parts, fell)
    exchanges = [Exchange(*map(estimate, rows)) for rows in losses]
    rows = [[part] for part in losses]
    for start in range(m, min(rounds * m, min(map(len, clean)) - m + 1), m):
        open_ = [j for j, exchange in enumerate(exchanges) if exchange.real(nats) is None]
        again = [part[start : start + m] for part in clean]
        for j, more in _again(composition, features, open_, again, rivals, levels, generator):
            rows[j].append(more)
            exchanges[j] = Exchange(*map(estimate, torch.cat(rows[j], 1)))
    return Measured(
        [leak_of(part, estimate(part[0])) for part in squares], exchanges, told, parts, fell
    )


def _again(composition, features, indices, clean, rivals, levels, generator):
    """The costs, (2, m), of exchanging the blocks of some concepts once more: with their index."""
    found = {index: clean[0].new_zeros(2, len(clean[0])) for index in indices}
    weights = half_log_variance(levels)
    densities = [composition.background, *composition.concepts]
    for sigma, weight in zip(levels.tolist(), weights.tolist(), strict=True):
        sides = {}
        for j in (0, *(index + 1 for index in indices)) if indices else ():
            known = _noised(clean[j], sigma, generator)
            sides[j] = _Side(known, rivals[j], sigma, densities[j].score(known[1], sigma))
        for index in indices:
            pair = _Pair(features, index, sides[index + 1], sides[0], sigma)
            found[index] += weight * pair.costs(composition)
    return found.items()


def _shuffled(clean: Tensor, generator) -> Tensor:
    return clean[torch.randperm(len(clean), generator=generator, device=clean.device)]


def _noised(clean: Tensor, sigma: float, generator) -> tuple[Tensor, Tensor]:
    """Unit noise (m, n), and the points that it makes of the samples (m, n)."""
    noise = normal_like(clean, generator)
    return noise, clean + sigma * noise


class _Side:
    """One density at points (m, n) of its own: unit noise, its scores, and the best it can do."""

    def __init__(self, known, rivals: Rivals | None, sigma: float, score: Tensor):
        (self.noise, self.x), self.score = known, score
        self.choice = Choice(rivals, self.noise, self.x, sigma, score)


class _Pair:
    """Points of a concept and of p_b at one level, m each, and their exchange."""

    def __init__(self, features: Features, index: int, own: _Side, other: _Side, sigma: float):
        self.features, self.index, self.sigma = features, index, sigma
        self.own, self.other = own, other
        self.y = self._mixed(own.x, other.x)

    def _mixed(self, inside: Tensor, outside: Tensor) -> Tensor:
        return outside + self.features.project(inside - outside, self.index)

    def costs(self, composition: Composition) -> Tensor:
        """(2, m): by how much worse the exchanged are denoised, and what the scores claim."""
        own, other, sigma = self.own, self.other, self.sigma
        swapped = self._mixed(other.x, own.x)
        self.there = composition.concepts[self.index].score(self.y, sigma)
        back = composition.background.score(swapped, sigma)
        # x_0 - D(x) is -sigma (noise + sigma s).
        before = _square(own.noise + sigma * own.choice.best)
        before = before + _square(other.noise + sigma * other.choice.best)
        there, returned = own.choice.there(self.y, self.there), other.choice.there(swapped, back)
        after = _square(self._mixed(own.noise, other.noise) + sigma * there)
        after = after + _square(self._mixed(other.noise, own.noise) + sigma * returned)
        gaps = _square(self.there - self._mixed(own.score, other.score))
        gaps = gaps + _square(back - self._mixed(other.score, own.score))
        return torch.stack([after - before, sigma**2 * gaps])

    def spill(self, composition: Composition, background_here: Tensor) -> Tensor:
        """(3, m): |Delta|^2, what of it is off the block, and half its change by the other rest."""
        delta = self.own.score - background_here
        off = delta - self.features.project(delta, self.index)
        delta_there = self.there - composition.background.score(self.y, self.sigma)
        rows = [_square(delta), _square(off), 0.5 * _square(delta - delta_there)]
        return self.sigma**2 * torch.stack(rows)


def _moments(composition: Composition, own, scores, sigma: float) -> Tensor:
    """Of each density's own points: score error times interaction, and its square: (k + 1, 2, m).

    E (x_0 - D(x)) . g(x) = -sigma^2 E e(x) . g(x) for any g, e the error of the score. Here g is
    the gradient of the interaction in that score, times the interaction about its mean.
    """
    weights, found = composition.weights, []
    for place, ((noise, _), here) in enumerate(zip(own, scores, strict=True)):
        deltas = sigma * (here[1:] - here[0])
        rate = interaction_of(deltas, weights)
        rate = rate - rate.mean()
        scaled = weights.to(deltas)[:, None, None] * deltas
        pulls = weights.to(deltas)[:, None, None] * (scaled.sum(0) - deltas)
        pull = -pulls.sum(0) if place == 0 else pulls[place - 1]
        error = ((noise + sigma * here[place]) * pull).sum(-1)  # sigma e . g, on average
        found.append(torch.stack([error * rate, rate.square()]))
    return torch.stack(found)


def _shares(moments: Tensor) -> tuple[Estimate, list[Estimate]]:
    """Error over square, in all and of each density: of (k + 1, 2, m)."""
    error, square = batch_means(moments[:, 0]), batch_means(moments[:, 1])
    if not float(square.max()) > 1e-24:
        nothing = Estimate(0.0, 0.0)
        return nothing, [nothing] * len(moments)

    def shares(kept):
        return error[:, kept].sum(1) / square[:, kept].sum(1).clamp(min=1e-300)

    each, spread = jackknife(shares, error.shape[1])
    total, error_of_total = jackknife(lambda kept: shares(kept).sum(), error.shape[1])
    told = Estimate(float(total), float(error_of_total))
    return told, [Estimate(*pair) for pair in zip(each.tolist(), spread.tolist(), strict=True)]


def _square(vectors: Tensor) -> Tensor:
    return vectors.square().sum(-1)
