"""Numbers with errors, noise levels and samples: what every measurement starts from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp import _check, metrics
from projcomp.densities import Density
from projcomp.noise import sigma_grid
from projcomp.samplers import reverse_diffusion

BATCHES = 10
_RATIO = 1.25
"""Largest ratio of neighbouring noise levels of a path."""


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error."""

    value: float
    error: float

    def __str__(self):
        if abs(self.value) < 1e-10 and self.error < 1e-10:
            return "0"  # to rounding
        return f"{self.value:.3g} ± {self.error:.1g}"


def noise_range(densities: Sequence[Density], sigmas, count: int, generator) -> Tensor:
    """Decreasing noise levels > 0: `sigmas`, or `count` of them over the range of the data."""
    if sigmas is not None:
        levels = _check.level("sigmas", sigmas, positive=True)
        if levels.ndim != 1 or len(levels) < 2 or len(torch.unique(levels)) != len(levels):
            raise ValueError(
                f"sigmas must be at least two different noise levels, got {levels.tolist()}"
            )
        return levels.sort(descending=True).values.cpu()
    few = [int(min(256, density.most_samples)) for density in densities]
    try:
        if min(few) < 2:
            raise ValueError
        points = [p.sample(n, 0.0, generator) for p, n in zip(densities, few, strict=True)]
    except ValueError:
        raise ValueError(
            "sigmas must be given where a density has no exact samples to take the range from"
        ) from None
    scale = float(torch.cat(points).std(0).norm()) or 1.0
    return sigma_grid(1e-3 * scale, 100.0 * scale, count, rho=50.0)[:-1]


def refined(levels: Tensor) -> Tensor:
    """The same levels with others between them, and 0 at the end: a grid for the sampler."""
    grid = [levels[:1]]
    for high, low in itertools.pairwise(levels):
        steps = math.ceil(math.log(high / low) / math.log(_RATIO))
        inner = torch.logspace(0, 1, steps + 1, base=float(low / high), dtype=levels.dtype)[1:-1]
        grid += [high * inner, low[None]]
    return torch.cat([*grid, levels.new_zeros(1)])


def draw(density: Density, n: int, levels: Tensor, generator) -> Tensor:
    """n samples at sigma = 0: exact ones where the density has them, else by its own score."""
    if n <= density.most_samples:
        try:
            return density.sample(n, 0.0, generator)
        except ValueError:
            pass
    return reverse_diffusion(density, n, refined(levels), generator=generator).samples


def estimate(values: Tensor) -> Estimate:
    """Mean over the particles, with its standard error from independent batches."""
    return Estimate(*metrics.mean_and_error(batched(values).mean(1)))


def batched(values: Tensor) -> Tensor:
    size = len(values) // BATCHES
    return values[: size * BATCHES].reshape(BATCHES, size)


def noised(clean: Tensor, sigma: float, generator) -> Tensor:
    """clean + sigma eps."""
    noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype, device=clean.device)
    return clean + sigma * noise
