"""A distance to a target, with its error and its noise floor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from projcomp import _check
from projcomp._text import printable
from projcomp.densities import Density
from projcomp.metrics._sets import bounded
from projcomp.metrics.intervals import mean_and_error, skewed, skewness, student
from projcomp.metrics.transport import sliced_w2


@dataclass(frozen=True)
class Comparison:
    """A distance with its standard error, beside the noise floor of exact samples with its own.

    `value` and `floor` estimate mean distances between sets of `batch` points, which lie above
    the distance between the laws. `excess` is the mean of distance minus floor over the batches,
    in its own standard errors. `skewness` is that of the distances of the batches.
    """

    value: float
    error: float
    floor: float
    floor_error: float
    excess: float
    batch: int
    batches: int
    skewness: float = 0.0

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The interval of `value` over the batches: lower, upper.

        Of `level` for the mean distance between sets of `batch` points: Student's t, corrected for
        the skewness of the batches (Hall 1992, "On the removal of skewness by transformation").
        Raises ValueError unless 0 < level < 1.
        """
        half = student(level, self.batches)
        lower, upper = (skewed(end, self.skewness, self.batches) for end in (half, -half))
        return self.value - lower * self.error, self.value - upper * self.error

    def __str__(self):
        return printable(
            f"{self.value:.4f} ± {self.error:.4f} (noise floor {self.floor:.4f} ± "
            f"{self.floor_error:.4f}; {self.batches} batches of {self.batch})"
        )


def compare(
    samples,
    target: Density | Tensor,
    distance: Callable[[Tensor, Tensor], float] = sliced_w2,
    *,
    sigma=0.0,
    batches: int = 8,
    generator: torch.Generator | None = None,
) -> Comparison:
    """Distance from samples to an exactly sampled target, with error bars and the noise floor.

    The samples are cut into independent batches; each is held against a fresh exact set of the
    same size, and that set against another. Mean and standard error over the batches.

    samples: (m, n) with m >= 2 * batches (the remainder of m / batches is left out).
    target: a Density with an exact sampler, or samples of it, at least 2 m: (l, n).
    distance: a function of two sample sets, e.g. `w2`, `sliced_w2`, `energy_distance`.
    generator: source of the exact samples, and of the directions of `sliced_w2`.
    Raises ValueError for too few samples, coordinates above 1e100, a target that cannot be
    sampled, or a distance that is not finite.
    """
    _check.source("generator", generator)
    known = target if isinstance(target, Density) else bounded("target", target)
    dim = target.dim if isinstance(target, Density) else known.shape[-1] if known.ndim else 0
    samples, _ = _check.points("samples", samples, dim)
    batches = _check.count("batches", batches, 2)
    if samples.ndim != 2 or len(samples) < 2 * batches:
        raise ValueError(
            f"samples must have shape (m, {dim}) with m >= {2 * batches}, got "
            f"{tuple(samples.shape)}"
        )
    if isinstance(known, Tensor) and (known.ndim != 2 or len(known) < 2 * len(samples)):
        raise ValueError(
            f"target must be a Density or samples (l, {dim}) with l >= {2 * len(samples)}, got "
            f"{tuple(known.shape)}"
        )
    if distance is sliced_w2:
        distance = partial(sliced_w2, generator=generator)
    size = len(samples) // batches
    values, floors = [], []
    for index in range(batches):
        batch = samples[index * size : (index + 1) * size].cpu()
        if isinstance(known, Tensor):
            pair = known[2 * index * size : 2 * (index + 1) * size]
        else:
            pair = torch.cat([known.sample(size, sigma, generator).cpu() for _ in range(2)])
        reference, again = pair[:size], pair[size:]
        values.append(_check.number("distance", distance(batch, reference)))
        floors.append(_check.number("distance", distance(again, reference)))
    gap, gap_error = mean_and_error([v - f for v, f in zip(values, floors, strict=True)])
    excess = gap / gap_error if gap_error > 0 else math.copysign(math.inf, gap) if gap else 0.0
    value, error = mean_and_error(values)
    third = skewness(values, value, error)
    return Comparison(value, error, *mean_and_error(floors), excess, size, batches, third)
