"""Distances between samples and densities, with error bars and noise floors.

A distance between finite sample sets is never zero, even for two exact sets from one
distribution: that noise floor is the yardstick, and `compare` measures it beside the distance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import ot
import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density
from projcomp.grid import Grid

_LARGEST_EXACT = 4000


def w2(x, y) -> float:
    """Exact 2-Wasserstein distance between two sample sets, (m, n) and (l, n), equal weights.

    Solved as a linear programme by POT (network simplex), for up to 4,000 points a side.
    """
    x, y = _pair(x, y)
    if max(len(x), len(y)) > _LARGEST_EXACT:
        raise ValueError(
            f"x and y must have at most {_LARGEST_EXACT} points for exact transport, got {len(x)} "
            f"and {len(y)}; use sliced_w2"
        )
    cost = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist") ** 2
    # Large sets need more pivots than POT's default.
    value = ot.emd2([], [], cost.numpy(), numItermax=10_000_000)
    return math.sqrt(max(float(value), 0.0))


def sliced_w2(x, y, projections: int = 128, generator: torch.Generator | None = None) -> float:
    """Sliced 2-Wasserstein distance (root mean square over random directions), by POT.

    In one dimension the single direction makes it the exact W2.
    """
    x, y = _pair(x, y)
    projections = _check.count("projections", projections)
    device = None if generator is None else generator.device
    shape = x.shape[1], projections
    directions = torch.randn(shape, generator=generator, dtype=torch.float64, device=device).cpu()
    directions = directions / directions.norm(dim=0)
    value = ot.sliced_wasserstein_distance(
        x.numpy(), y.numpy(), n_projections=projections, projections=directions.numpy()
    )
    return float(value)


def energy_distance(x, y) -> float:
    """Szekely's energy distance sqrt(2 E|X-Y| - E|X-X'| - E|Y-Y'|) of the two empirical laws."""
    x, y = _pair(x, y)
    exact = {"compute_mode": "donot_use_mm_for_euclid_dist"}
    between = torch.cdist(x, y, **exact).mean()
    within = torch.cdist(x, x, **exact).mean() + torch.cdist(y, y, **exact).mean()
    return math.sqrt(max(float(2 * between - within), 0.0))


def total_variation(p: Density, q: Density, grid: Grid, sigma=0.0) -> float:
    """Total variation between two densities by quadrature on `grid`, each normalised over it.

    Both may be known up to a constant only. The error is the quadrature's: refine the grid to see
    it. Mass outside of the box is not seen.
    """
    for name, density in (("p", p), ("q", q)):
        if density.dim != grid.dim:
            raise ValueError(f"{name} must live on the grid's R^{grid.dim}, got R^{density.dim}")
    return float(0.5 * (grid.masses(p, sigma) - grid.masses(q, sigma)).abs().sum())


def histogram_tv(x, y, grid: Grid) -> float:
    """Total variation between the histograms of two sample sets over the cells of `grid`.

    Everything outside of the box counts as one more cell.
    """
    x, y = _pair(x, y)
    (here, out_here), (there, out_there) = grid.histogram(x), grid.histogram(y)
    gap = (here / len(x) - there / len(y)).abs().sum() + abs(out_here / len(x) - out_there / len(y))
    return float(0.5 * gap)


@dataclass(frozen=True)
class Comparison:
    """A distance with its standard error, beside the noise floor of exact samples with its own.

    `excess` is the mean of distance minus floor over the batches, in its own standard errors.
    """

    value: float
    error: float
    floor: float
    floor_error: float
    excess: float
    batch: int
    batches: int

    def __str__(self):
        return (
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
    Raises ValueError for too few samples, or a target that cannot be sampled.
    """
    known = target if isinstance(target, Density) else _check.real("target", target)
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
            pair = known[2 * index * size : 2 * (index + 1) * size].cpu()
        else:
            pair = torch.cat([known.sample(size, sigma, generator).cpu() for _ in range(2)])
        reference, again = pair[:size], pair[size:]
        values.append(distance(batch, reference))
        floors.append(distance(again, reference))
    gap, gap_error = mean_and_error([v - f for v, f in zip(values, floors, strict=True)])
    excess = gap / gap_error if gap_error > 0 else math.copysign(math.inf, gap) if gap else 0.0
    return Comparison(*mean_and_error(values), *mean_and_error(floors), excess, size, batches)


def mean_and_error(values) -> tuple[float, float]:
    """Mean and its standard error, of at least two independent values."""
    values = _check.real("values", values)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"values must have shape (m,) with m >= 2, got {tuple(values.shape)}")
    return float(values.mean()), float(values.std()) / math.sqrt(len(values))


def proportion(hits: int, trials: int, z: float = 1.96) -> tuple[float, float, float]:
    """A share, and its Wilson score interval (95% for z = 1.96): share, lower, upper."""
    trials = _check.count("trials", trials)
    hits = _check.count("hits", hits, 0)
    if hits > trials:
        raise ValueError(f"hits must be at most trials, got {hits} of {trials}")
    share = hits / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    half /= 1 + z * z / trials
    # Where the share is 0 or 1 an end meets it, up to rounding.
    return share, max(min(centre - half, share), 0.0), min(max(centre + half, share), 1.0)


def _pair(x, y) -> tuple[Tensor, Tensor]:
    x, y = _check.real("x", x).detach().cpu(), _check.real("y", y).detach().cpu()
    if x.ndim != 2 or y.ndim != 2 or 0 in x.shape or 0 in y.shape or x.shape[1] != y.shape[1]:
        raise ValueError(
            f"x and y must be sample sets (m, n) and (l, n), got {tuple(x.shape)} and "
            f"{tuple(y.shape)}"
        )
    return x, y
