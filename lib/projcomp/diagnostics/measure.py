"""Numbers with errors, noise levels and samples: what every measurement starts from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp import _check, metrics
from projcomp._text import printable
from projcomp.composition import common_range
from projcomp.densities import Density
from projcomp.densities._draw import normal_like
from projcomp.metrics.intervals import student
from projcomp.noise import sigma_grid
from projcomp.samplers import reverse_diffusion

BATCHES = 10
_RATIO = 1.4
"""Largest ratio of neighbouring noise levels of a path."""

_MOST = 1 << 23
"""Coordinates of the points that a range of noise levels is taken from, at most."""


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error, from `count` independent values or batches.

    value NaN: not known, since it does not stand out of the noise.
    """

    value: float
    error: float
    count: int = BATCHES

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The interval that holds the truth with probability `level` (Student's t).

        Raises ValueError unless 0 < level < 1.
        """
        half = student(level, self.count) * self.error
        return self.value - half, self.value + half

    def __str__(self):
        if math.isnan(self.value):
            return "not known"
        if abs(self.value) < 1e-10 and self.error < 1e-10:
            return "0"  # to rounding
        if self.error < 1e-6 * abs(self.value):
            return f"{self.value:.3g}"
        return printable(f"{self.value:.3g} ± {self.error:.1g}")


def noise_range(densities: Sequence[Density], sigmas, count: int, generator) -> Tensor:
    """Decreasing noise levels > 0: `sigmas`, or `count` of them over the range of the data, as
    far as all densities are known there. Levels that are asked for beyond raise ValueError."""
    low, high = known = common_range(densities)
    if sigmas is not None:
        levels = _check.level("sigmas", sigmas, positive=True)
        if levels.ndim != 1 or len(levels) < 2 or len(torch.unique(levels)) != len(levels):
            raise ValueError(
                f"sigmas must be at least two different noise levels, got {levels.tolist()}"
            )
        _check.within("sigmas", levels, known)
        return levels.sort(descending=True).values.cpu()
    most = max(2, min(256, _MOST // densities[0].dim))
    few = [int(min(most, density.most_samples)) for density in densities]
    try:
        if min(few) < 2:
            raise ValueError
        points = [p.sample(n, 0.0, generator) for p, n in zip(densities, few, strict=True)]
    except ValueError:
        if low > 0 and high < math.inf:
            return sigma_grid(low, high, count, rho=50.0)[:-1]
        raise ValueError(
            "sigmas must be given where a density has no exact samples to take the range from"
        ) from None
    scale = float(torch.cat([p.cpu().flatten(1) for p in points]).std(0).norm()) or 1.0
    low, high = max(1e-3 * scale, low), min(100.0 * scale, high)
    if not low < high:
        raise ValueError(
            f"sigmas must be given: the scores are known from {known[0]:g} to {known[1]:g}, but "
            f"the data spread over {scale:g}"
        )
    return sigma_grid(low, high, count, rho=50.0)[:-1]


def refined(levels: Tensor) -> Tensor:
    """The same levels with others between them, and 0 at the end: a grid for the sampler."""
    grid = [levels[:1]]
    for high, low in itertools.pairwise(levels):
        steps = math.ceil(math.log(high / low) / math.log(_RATIO))
        ramp = torch.arange(1, steps, dtype=levels.dtype, device=levels.device) / steps
        grid += [high * (low / high) ** ramp, low[None]]
    return torch.cat([*grid, levels.new_zeros(1)])


def draw(density: Density, n: int, levels: Tensor, generator) -> Tensor:
    """n samples (n, dim) at sigma = 0: exact ones where the density has them, else by its score."""
    if n <= density.most_samples:
        try:
            return density.flat("samples", density.sample(n, 0.0, generator))
        except ValueError:
            pass
    run = reverse_diffusion(density, n, refined(levels), generator=generator)
    return density.flat("samples", run.samples)


def estimate(values: Tensor) -> Estimate:
    """Mean over independent particles (m,), with its standard error."""
    return Estimate(*metrics.mean_and_error(values), len(values))


SURE, ENOUGH = 4.0, 2.0
"""Standard errors above which a number is real, and within which it is what it seems."""


def batched(values: Tensor) -> Tensor:
    size = len(values) // BATCHES
    return values[: size * BATCHES].reshape(BATCHES, size)


def batch_means(rows: Tensor) -> Tensor:
    """Means over batches of independent particles: (r, m) to (r, BATCHES)."""
    return torch.stack([batched(row).mean(1) for row in rows])


def jackknife(function: Callable[[Tensor], Tensor], count: int) -> tuple[Tensor, Tensor]:
    """A function of which of `count` batches are kept, an index: its value for all, and the error.

    The error is from leaving each out in turn (Efron 1982); NaN for fewer than two batches.
    """
    every = torch.arange(count, device="cpu")
    value = function(every)
    if count < 2:
        return value, torch.full_like(value, torch.nan)
    without = torch.stack([function(every[every != index]) for index in range(count)])
    return value, ((count - 1) * (without - without.mean(0)).square().mean(0)).sqrt()


def noised(clean: Tensor, sigma: float, generator) -> Tensor:
    """clean + sigma eps."""
    return clean + sigma * normal_like(clean, generator)
