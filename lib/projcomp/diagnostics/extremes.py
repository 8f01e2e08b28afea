"""What no number of the report shows: ranges that end too low, powers below zero, runaways."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from projcomp.composition import Composition
from projcomp.samplers.run import FAR

_START = 0.01
"""Nats between the noise that a sampler starts from and a density at its highest level."""


def far_off(particles: Tensor, clean: Sequence[Tensor]) -> list[str]:
    """A note where the composed particles (n, dim) leave the samples of all densities behind."""
    farthest = max(float(points.norm(dim=-1).max()) for points in clean)
    reached = float(particles.norm(dim=-1).max())
    if reached <= FAR * farthest:
        return []
    return [
        f"Composed particles reach |x| = {reached:.3g}, where the samples of all densities end at "
        f"{farthest:.3g}: no score is known out there. Smaller weights or another background."
    ]


def negative(composition: Composition) -> list[str]:
    """A note where a network is divided by another: nobody knows whether the result has mass."""
    below = composition.weights.tolist()
    exponent = 1.0 - math.fsum(below)
    signs = [f"concept {i + 1} to the power {w:g}" for i, w in enumerate(below) if w < 0]
    if not signs:
        return []
    signs += [f"the background to the power {exponent:g}"] if exponent < 0 else []
    return [
        f"C holds {' and '.join(signs)}: it has a finite integral only where the others fall off "
        "faster, and of networks that is not known."
    ]


def start_too_low(clean: Sequence[Tensor], sigma: float) -> list[str]:
    """A note where N(0, sigma^2) is not what a density is at its highest level."""
    worst = max(start_error(points, sigma) for points in clean)
    if worst <= _START:
        return []
    return [
        f"The noise levels end at σ = {sigma:.3g}, where a density is still {worst:.2g} nats from "
        "the noise that a sampler starts from: start= particles of its own, or levels above."
    ]


def start_error(points: Tensor, sigma: float) -> float:
    """KL(p^sigma || N(0, sigma^2)) to leading order: |mean|^2 / 2 sigma^2 + |cov|^2 / 4 sigma^4."""
    points = points[:1000]
    mean = points.mean(0)
    rows = points - mean
    gram = rows @ rows.T
    pairs = gram.square().sum() - gram.diagonal().square().sum()
    spread = pairs / max(1, len(points) * (len(points) - 1))
    return float(mean.square().sum() / (2 * sigma**2) + spread / (4 * sigma**4))
