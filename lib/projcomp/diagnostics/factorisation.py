"""Is it factorized? From the score deltas, exactly, and from samples, against their noise floor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp import metrics
from projcomp.densities import Density, Diffeomorphism
from projcomp.diagnostics.features import Features
from projcomp.diagnostics.measure import (
    BATCHES,
    Estimate,
    batch_means,
    estimate,
    jackknife,
    noised,
)
from projcomp.metrics import Comparison

_NOT_KNOWN = Estimate(math.nan, math.nan)


@dataclass(frozen=True)
class Leak:
    """Where a concept's score delta goes, in feature space, from scores alone.

    off_block: the share of E|Delta_i|^2 that falls off the concept's block. others: the share by
    which Delta_i changes when the rest of the point is swapped for another sample's (one of p_b
    where blocks are exchanged, else one of p_i). Factorized conditionals make both zero; where the
    delta vanishes both are not known. Taken over all noise levels where the feature map is
    orthogonal, else at the lowest level. change: KL(p_i || p_b) in nats, half the integral of
    E|Delta_i|^2 over sigma^2 (de Bruijn's identity); None at a single level.
    """

    off_block: Estimate
    others: Estimate
    change: Estimate | None


def leak(
    concept: Density,
    background: Density,
    features: Features,
    index: int,
    clean: Tensor,
    levels: Tensor,
    generator,
) -> Leak:
    """The leak of concept `index`. clean: (m, n) samples of it at sigma = 0."""
    chart, rest = features.transform, features.rest(index)
    weights = half_log_variance(levels)
    if not chart.orthogonal:
        levels, weights = _lowest([concept, background], clean[:1], levels), levels.new_ones(1)

    def delta(x, sigma):
        return concept.score(x, sigma) - background.score(x, sigma)

    totals = clean.new_zeros(3, len(clean))
    for sigma, weight in zip(levels.tolist(), weights.tolist(), strict=True):
        z = chart.forward(noised(clean, sigma, generator) if sigma else clean)
        swapped = z.clone()
        swapped[:, rest] = z[:, rest].roll(1, 0)
        here, there = (_in_features(delta, chart, y, sigma) for y in (z, swapped))
        scale = weight * (sigma**2 or 1.0)
        moved = 0.5 * (here - there).square().sum(-1)
        squares = [here.square().sum(-1), here[:, rest].square().sum(-1), moved]
        totals += scale * torch.stack(squares)
    return leak_of(totals, estimate(totals[0]) if chart.orthogonal else None)


def leak_of(totals: Tensor, change: Estimate | None) -> Leak:
    """Of (3, m): |Delta|^2, what of it is off the block, and half its change, over all levels."""
    whole, off, moved = batch_means(totals)
    if float(whole.max()) < 1e-20:
        return Leak(_NOT_KNOWN, _NOT_KNOWN, change)
    return Leak(_ratio(off, whole), _ratio(moved, whole), change)


def _ratio(part: Tensor, whole: Tensor) -> Estimate:
    """Of sums over the batches: batch by batch a ratio would be biased."""
    value, error = jackknife(lambda kept: part[kept].sum() / whole[kept].sum(), len(part))
    return Estimate(float(value), float(error))


def entanglement(
    density: Density, features: Features, clean: Tensor, levels: Tensor, generator
) -> Estimate:
    """How the score of each block depends on the other blocks, in nats; zero if independent.

    Half the integral over sigma^2 of half the mean square by which a block's score changes when the
    rest of the point is swapped for another sample's: the mutual information to leading order in
    the dependence. For an orthogonal feature map. clean: (m, n) samples at sigma = 0.
    """
    chart = features.transform
    total = clean.new_zeros(len(clean))
    for sigma, weight in zip(levels.tolist(), half_log_variance(levels).tolist(), strict=True):
        z = chart.forward(noised(clean, sigma, generator))
        here = _in_features(density.score, chart, z, sigma)
        for part in features.parts:
            swapped = z.roll(1, 0)
            swapped[:, part] = z[:, part]
            gap = (here - _in_features(density.score, chart, swapped, sigma))[:, part]
            total += weight * sigma**2 * 0.5 * gap.square().sum(-1)
    return estimate(total)


def dependence(points: Tensor, reference: Tensor, parts: list[list[int]], generator) -> Comparison:
    """Distance from `points` to `reference` with its parts shuffled: at the floor if independent.

    points: (m, n), reference: (2 m, n), of one distribution. parts: a partition of the coordinates.
    """
    shuffled = reference.clone()
    for part in parts[1:]:
        order = torch.randperm(len(reference), generator=generator, device=reference.device)
        shuffled[:, part] = reference[order][:, part]
    return metrics.compare(points, shuffled, batches=BATCHES, generator=generator)


def _lowest(densities: list[Density], x: Tensor, levels: Tensor) -> Tensor:
    """Level 0 where the densities have one, else the lowest of `levels`: (1,)."""
    try:
        for density in densities:
            density.log_prob(x, 0.0)
    except ValueError:
        return levels[-1:]
    return levels.new_zeros(1)


def half_log_variance(levels: Tensor) -> Tensor:
    """Weights of the trapezoidal rule over log sigma, which is half of log v."""
    half_gaps = 0.5 * (levels[:-1] / levels[1:]).log()
    pad = torch.nn.functional.pad
    return pad(half_gaps, (0, 1)) + pad(half_gaps, (1, 0))


def _in_features(field: Callable, chart: Diffeomorphism, z: Tensor, sigma: float) -> Tensor:
    """A gradient in pixels as a gradient in features: D(A^-1)^T field(A^-1 z, sigma).

    For a score delta that is all: the terms of the Jacobian determinant cancel. For a score it is
    all where the map is linear.
    """
    found = field(chart.inverse(z), sigma)
    with torch.enable_grad():
        z = z.detach().requires_grad_(True)
        return torch.autograd.grad(chart.inverse(z), z, found)[0]
