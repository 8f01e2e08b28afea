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
from projcomp.diagnostics.factorisation import Leak, half_log_variance, ratio
from projcomp.diagnostics.features import Features
from projcomp.diagnostics.measure import Estimate, batched, estimate, jackknife


@dataclass(frozen=True)
class Exchange:
    """What exchanging a concept's block between its samples and those of p_b costs, in nats.

    defect: J, by how much worse the denoisers do on the exchanged samples. Zero under factorized
    conditionals, for any denoisers.
    claimed: the square of what the scores change by where they should not, which is J for exact
    scores that differ off the block alone. What is claimed beyond the defect is score error.
    """

    defect: Estimate
    claimed: Estimate


@dataclass(frozen=True)
class Measured:
    """Of each concept (k of them) a leak and an exchange, None where no blocks are known.

    explained: the share of the interaction's variation that is score error by the residuals of each
    density's own samples, in all; `parts`, the background's share and those of the concepts.
    """

    leaks: list[Leak | None]
    exchanges: list[Exchange | None]
    explained: Estimate
    parts: list[Estimate]


def measure(
    composition: Composition,
    features: Features | None,
    clean: Sequence[Tensor],
    levels: Tensor,
    points: int,
    generator,
) -> Measured:
    """Look at every density's own samples, noised, and at the exchanged ones.

    clean: samples (N, n) of p_b and of each concept, of which `points` of each are taken, the same
    at every level with noise of its own, so that their sums over the levels are independent. Every
    density is evaluated once at every point.
    """
    k, weights = len(composition.concepts), half_log_variance(levels)
    m = min(points, *(len(part) for part in clean))
    clean = [_some(part, m, generator) for part in clean]
    squares = clean[0].new_zeros(k, 3, m)
    losses = clean[0].new_zeros(k, 2, m)
    moments = clean[0].new_zeros(k + 1, 2, m)
    for sigma, weight in zip(levels.tolist(), weights.tolist(), strict=True):
        own = [_noised(part, sigma, generator) for part in clean]
        scores = [composition.scores(x, sigma) for _, x in own]
        moments += weight * _moments(composition, own, scores, sigma)
        if features is None:
            continue
        for index in range(k):
            found = _exchanged(composition, features, index, own, scores, sigma)
            squares[index] += weight * found[:3]
            losses[index] += weight * found[3:]
    told, parts = _shares(moments)
    if features is None:
        return Measured([None] * k, [None] * k, told, parts)
    exchanges = [Exchange(*map(estimate, rows)) for rows in losses]
    return Measured([_leak(rows) for rows in squares], exchanges, told, parts)


def _some(clean: Tensor, m: int, generator) -> Tensor:
    return clean[torch.randperm(len(clean), generator=generator, device=clean.device)[:m]]


def _noised(clean: Tensor, sigma: float, generator) -> tuple[Tensor, Tensor]:
    """Unit noise (m, n), and the points that it makes of the samples (m, n)."""
    noise = normal_like(clean, generator)
    return noise, clean + sigma * noise


def _exchanged(composition, features: Features, index: int, own, scores, sigma: float) -> Tensor:
    """At one level, of m pairs: (5, m). |Delta|^2, off its block, half its change, J, claimed."""
    concept, background = composition.concepts[index], composition.background
    (noise, x), (other_noise, other) = own[index + 1], own[0]

    def mixed(inside: Tensor, outside: Tensor) -> Tensor:
        return outside + features.project(inside - outside, index)

    y, swapped = mixed(x, other), mixed(other, x)
    s_own, s_below = scores[index + 1][index + 1], scores[0][0]
    s_y, s_swapped = concept.score(y, sigma), background.score(swapped, sigma)
    delta = s_own - scores[index + 1][0]
    delta_y = s_y - background.score(y, sigma)
    off = delta - features.project(delta, index)
    gaps = s_y - mixed(s_own, s_below), s_swapped - mixed(s_below, s_own)
    # x_0 - D(x) is -sigma (noise + sigma s).
    before = _square(noise + sigma * s_own) + _square(other_noise + sigma * s_below)
    after = _square(mixed(noise, other_noise) + sigma * s_y)
    after = after + _square(mixed(other_noise, noise) + sigma * s_swapped)
    rows = [_square(delta), _square(off), 0.5 * _square(delta - delta_y)]
    claimed = sigma**2 * (_square(gaps[0]) + _square(gaps[1]))
    return torch.stack([*(sigma**2 * row for row in rows), after - before, claimed])


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
    error, square = batched_rows(moments[:, 0]), batched_rows(moments[:, 1])
    if not float(square.max()) > 1e-24:
        nothing = Estimate(0.0, 0.0)
        return nothing, [nothing] * len(moments)

    def shares(kept):
        return error[:, kept].sum(1) / square[:, kept].sum(1).clamp(min=1e-300)

    each, spread = jackknife(shares, error.shape[1])
    total, error_of_total = jackknife(lambda kept: shares(kept).sum(), error.shape[1])
    told = Estimate(float(total), float(error_of_total))
    return told, [Estimate(*pair) for pair in zip(each.tolist(), spread.tolist(), strict=True)]


def batched_rows(values: Tensor) -> Tensor:
    """Means over batches of rows (r, m): (r, batches)."""
    return torch.stack([batched(row).mean(1) for row in values])


def _leak(rows: Tensor) -> Leak:
    whole, off, moved = batched_rows(rows)
    change = estimate(rows[0])
    if float(whole.max()) < 1e-20:
        unknown = Estimate(float("nan"), float("nan"))
        return Leak(unknown, unknown, change)
    return Leak(ratio(off, whole), ratio(moved, whole), change)


def _square(vectors: Tensor) -> Tensor:
    return vectors.square().sum(-1)
