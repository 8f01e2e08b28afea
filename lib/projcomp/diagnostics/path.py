"""The way down: what the interaction says of the composed path."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp.composition import Composition, interaction_of
from projcomp.diagnostics.angles import Angles, mean_cosines
from projcomp.diagnostics.measure import BATCHES, Estimate, batched, estimate, jackknife, refined
from projcomp.grid import Grid
from projcomp.samplers import reverse_diffusion
from projcomp.samplers.run import silenced

FEWEST_EFFECTIVE = 30
"""Effective particles that a mean of weights needs."""


def walk(composition: Composition, n: int, grid: Tensor, generator) -> Iterator[tuple]:
    """(sigma, particles) down the ODE of the composed score, at every level of `grid`."""
    x = None
    with silenced():
        for pair in itertools.pairwise(grid):
            run = reverse_diffusion(
                composition, n, torch.stack(pair), "heun", start=x, generator=generator,
                keep_path=x is None, progress=False,
            )  # fmt: skip
            if x is None:
                yield float(pair[0]), run.path[0]
            x = run.samples
            yield float(pair[1]), x


@dataclass(frozen=True)
class Level:
    """What was found at one noise level.

    interaction: standard deviation of sigma^2 I over the particles of the composed path; None at 0.
    path: total variation between the law of the ODE's particles and C[p^sigma], from scores alone;
    None where their weights have collapsed onto a few. Mass of C[p^sigma] where no particle goes is
    not seen.
    commuting: total variation between C[p^sigma] and N_sigma[C[p]]; None where neither a closed
    form nor a grid can tell.
    """

    sigma: float
    interaction: Estimate | None
    path: Estimate | None
    commuting: Estimate | None = None


@dataclass(frozen=True)
class Path:
    """The way down: the levels, the particles at its end, and how the deltas stand on it.

    same_point, across: (k, k) root-mean-square cosines between deltas, weighted by their lengths:
    at one and the same point and level, and at independent ones; NaN where a delta vanishes.
    mean_cosines: (k, k) cosines of the mean differences read off the denoisers at the highest
    level, NaN where a mean is not known to move. share: effective sample size of the particles'
    weights, as a share. The names that end in _error are standard errors.
    """

    levels: list[Level]
    samples: Tensor
    share: float
    same_point: Tensor
    across: Tensor
    mean_cosines: Tensor
    share_error: float
    same_point_error: Tensor
    across_error: Tensor
    mean_cosines_error: Tensor

    def __repr__(self):
        n, dim = self.samples.shape
        return f"Path({len(self.levels)} levels, {n} particles in R^{dim}, share {self.share:.3g})"


def follow(composition: Composition, n: int, levels: Tensor, generator) -> Path:
    """Walk down the composed path, with the integral of the interaction along every trajectory.

    That integral is the log ratio between what the ODE samples and C[p^sigma] (up to a constant),
    by d log(rho / q) = I dv along dx = -grad log q dv / 2: no densities are needed.
    """
    wanted = set(levels.tolist())
    found, angles, cosines = [], Angles(), None
    log_ratio, before = 0.0, None
    for sigma, x in walk(composition, n, refined(levels), generator):
        if sigma == 0.0:
            log_ratio = log_ratio - before[1]  # I as at the last level
            break
        deltas = sigma * composition.deltas(x, sigma)
        rate = interaction_of(deltas, composition.weights)
        if before is None:
            cosines = mean_cosines(sigma * deltas)
        else:
            log_ratio = log_ratio - math.log(before[0] / sigma) * (rate + before[1])
        before = sigma, rate
        angles.add(deltas)
        if sigma in wanted:
            found.append(Level(sigma, _estimated(torch.std, rate), _missed(log_ratio, n)[0]))
    gap, share = _missed(log_ratio, n)
    found.append(Level(0.0, None, gap))
    tables = [angles.same_point(), angles.across(), cosines]
    values, errors = zip(*tables, strict=True)
    return Path(found, x, share.value, *values, share.error, *errors)


def _missed(log_ratio, n: int) -> tuple[Estimate | None, Estimate]:
    """Total variation between the particles' law and C[p^sigma], and the effective share.

    Weights exp(-log_ratio) make the particles exact. None where so few carry the weight that
    their mean is not known.
    """
    if not isinstance(log_ratio, Tensor):
        return Estimate(0.0, 0.0), Estimate(1.0, 0.0)
    share = _estimated(_effective_share, log_ratio)
    if share.value * n < FEWEST_EFFECTIVE:
        return None, share
    return _estimated(_total_variation, log_ratio), share


def _estimated(statistic, values: Tensor) -> Estimate:
    """A statistic of independent particles (m,), by the jackknife."""
    rows = batched(values)
    _, error = jackknife(lambda kept: statistic(rows[kept].flatten()), BATCHES)
    return Estimate(float(statistic(values)), float(error))


def _effective_share(log_ratio: Tensor) -> Tensor:
    return 1.0 / (len(log_ratio) * torch.softmax(-log_ratio, 0).square().sum())


def _total_variation(log_ratio: Tensor) -> Tensor:
    return 0.5 * (torch.softmax(-log_ratio, 0) - 1.0 / len(log_ratio)).abs().sum()


def commuting(
    composition: Composition, levels: Tensor, n: int, reach: Tensor, generator
) -> list[Estimate | None]:
    """Total variation between C[p^sigma] and N_sigma[C[p]] at every level.

    In closed form where both are mixtures (the error is that of n samples); else by quadrature in
    one or two dimensions over the box of the points `reach` (the error is what half the cells
    change); else None.
    """
    try:
        clean = composition.exact(0.0)
        noised = [composition.exact(sigma) for sigma in levels.tolist()]
    except ValueError:
        return _commuting_on_grid(composition, levels, reach)
    gaps = []
    for sigma, here in zip(levels.tolist(), noised, strict=True):
        x = clean.sample(n, sigma, generator)
        ratio = (here.log_prob(x) - clean.log_prob(x, sigma)).exp()
        gaps.append(estimate((1.0 - ratio).clamp(min=0.0)))
    return gaps


def _commuting_on_grid(composition: Composition, levels: Tensor, reach: Tensor) -> list:
    if composition.dim > 2 or composition.normalisable(0.0) is False:
        return [None] * len(levels)
    low, high = reach.amin(0), reach.amax(0)
    margin = 0.15 * (high - low) + 1e-12
    gaps = []
    try:
        for sigma in levels.tolist():
            fine, coarse = (
                _gap_on_grid(composition, sigma, low - margin, high + margin, cells)
                for cells in (120, 60)
            )
            gaps.append(Estimate(fine, abs(fine - coarse)))
    except ValueError:  # a density that is known by its score alone
        return [None] * len(levels)
    return gaps


def _gap_on_grid(composition: Composition, sigma: float, low, high, cells: int) -> float:
    source = Grid(low, high, cells)
    wide = Grid(low - 4 * sigma, high + 4 * sigma, cells)
    truth = source.masses(composition)
    for axis, (there, here) in enumerate(zip(wide.axes, source.axes, strict=True)):
        spread = (there[1] - there[0]) / 12**0.5  # a cell is no point: its own width is noise too
        kernel = torch.softmax(
            -0.5 * ((there[:, None] - here) / (sigma**2 + spread**2) ** 0.5) ** 2, 0
        )
        truth = torch.tensordot(kernel, truth, dims=([1], [axis])).movedim(0, axis)
    return float(0.5 * (wide.masses(composition, sigma) - truth).abs().sum())
