"""The way down: what the interaction says of the composed path."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp.composition import Composition, interaction_of
from projcomp.densities import Density
from projcomp.diagnostics.angles import Angles, mean_cosines
from projcomp.diagnostics.features import Features
from projcomp.diagnostics.measure import (
    BATCHES,
    Estimate,
    batch_means,
    batched,
    estimate,
    jackknife,
    refined,
)
from projcomp.grid import Grid
from projcomp.samplers import reverse_diffusion
from projcomp.samplers.run import silenced

FEWEST_EFFECTIVE = 30
"""Effective particles that a mean of weights needs."""


class Watched(Density):
    """A composition whose parts are each evaluated once, and shown to `watch` with what is asked.

    watch: called with sigma, the points (m, n) and the scores of all parts (1 + k, m, n).
    """

    def __init__(self, composition: Composition, watch: Callable[[float, Tensor, Tensor], None]):
        super().__init__(composition.dim)
        self.composition, self.watch = composition, watch
        self.sigma_range = composition.sigma_range

    @property
    def exponent(self) -> float:
        return self.composition.exponent

    def normalisable(self, sigma=0.0):
        return None

    def _log_prob(self, x, sigma):
        raise ValueError("a composition is watched by its scores alone")

    def score(self, x, sigma=0.0):
        scores = self.composition.scores(x, sigma)
        self.watch(float(sigma), x, scores)
        return self.composition.combined(scores)

    def denoise(self, x, sigma):
        return x + sigma**2 * self.score(x, sigma)


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
    weights, as a share. strangers: of each concept, how much the others' deltas act in its block:
    root of their mean square there over that of its own; None without blocks. The names that end
    in _error are standard errors.
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
    strangers: list[Estimate] | None = None

    def __repr__(self):
        n, dim = self.samples.shape
        return f"Path({len(self.levels)} levels, {n} particles in R^{dim}, share {self.share:.3g})"


def follow(
    composition: Composition, n: int, levels: Tensor, generator, features: Features | None = None
) -> Path:
    """Walk down the composed path, with the integral of the interaction along every trajectory.

    That integral is the log ratio between what the ODE samples and C[p^sigma] (up to a constant),
    by d log(rho / q) = I dv along dx = -grad log q dv / 2: no densities are needed. Every part is
    evaluated once at every level.
    """
    notes = _Notes(composition, levels, n, features)
    grid = refined(levels)
    with silenced():
        run = reverse_diffusion(
            Watched(composition, notes.take), n, grid, generator=generator, progress=False
        )
    return notes.path(run.samples)


class _Notes:
    """What is kept of a walk: level by level, as the sampler asks for scores."""

    def __init__(self, composition: Composition, levels: Tensor, n: int, features):
        self.weights, self.n, self.features = composition.weights, n, features
        self.wanted = set(levels.tolist())
        self.levels: list[Level] = []
        self.angles, self.cosines = Angles(), None
        self.strangers: list[Tensor] = []
        self.log_ratio, self.before = 0.0, None

    def take(self, sigma: float, x: Tensor, scores: Tensor) -> None:
        deltas = sigma * (scores[1:] - scores[0])
        rate = interaction_of(deltas, self.weights)
        if self.before is None:
            self.cosines = mean_cosines(sigma * deltas)
        else:
            step = math.log(self.before[0] / sigma)
            self.log_ratio = self.log_ratio - step * (rate + self.before[1])
        self.before = sigma, rate
        self.angles.add(deltas)
        if self.features is not None and len(deltas) > 1:
            self.strangers.append(strangers(deltas, self.weights, self.features))
        if sigma in self.wanted:
            gap = _missed(self.log_ratio, self.n)[0]
            self.levels.append(Level(sigma, _estimated(torch.std, rate), gap))

    def path(self, samples: Tensor) -> Path:
        log_ratio = self.log_ratio - self.before[1]  # I as at the last level
        gap, share = _missed(log_ratio, self.n)
        levels = [*self.levels, Level(0.0, None, gap)]
        tables = [self.angles.same_point(), self.angles.across(), self.cosines]
        values, errors = zip(*tables, strict=True)
        met = _shares(torch.stack(self.strangers)) if self.strangers else None
        return Path(levels, samples, share.value, *values, share.error, *errors, strangers=met)


def strangers(deltas: Tensor, weights: Tensor, features: Features) -> Tensor:
    """Squares of what the others' deltas and a concept's own do in its block: (k, 2, m).

    deltas: (k, m, n).
    """
    weighted = deltas * weights.to(deltas)[:, None, None]
    total = weighted.sum(0)
    found = []
    for index, own in enumerate(weighted):
        here = [features.project(part, index) for part in (total - own, own)]
        found.append(torch.stack([part.square().sum(-1) for part in here]))
    return torch.stack(found)


def _shares(squares: Tensor) -> list[Estimate]:
    """Of each concept: root of the others' square over its own, in all: (levels, k, 2, m)."""
    others, own = squares.sum(0).unbind(1)
    shares = []
    for part, whole in zip(others, own, strict=True):
        part, whole = batch_means(torch.stack([part, whole]))
        value, error = jackknife(
            lambda kept, a=part, b=whole: (a[kept].sum() / b[kept].sum()).sqrt(), BATCHES
        )
        shares.append(Estimate(float(value), float(error)))
    return shares


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
