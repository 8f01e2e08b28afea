"""Weighted particles: what a run keeps of them, and what it says of what they are worth."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities._draw import categories
from projcomp.samplers.resampling import SCHEMES, ancestors
from projcomp.samplers.run import Run


@dataclass(frozen=True, eq=False, repr=False)
class ParticleRun(Run):
    """The outcome of sequential Monte Carlo: particles with weights.

    log_weights: (n,), normalised: exp of them sums to one. effective: (steps + 1,) effective
    sample size at every level, before any resampling. log_z: (steps + 1,) estimates of the log
    normaliser at every level, relative to where the run started. resampled: (steps + 1,) bool.
    temperatures: (steps + 1,) where the way led over temperatures instead of noise levels.
    ancestors: (n,) of each particle its ancestor among those of the first level. families:
    (steps + 1,) how many of these have descendants at a level, before any resampling.
    effective_families: (steps + 1,) how many they are worth, (sum W)^2 / sum W^2 of the families'
    weights. Resampling puts `effective` back to n, but of these it makes no more.
    """

    log_weights: Tensor | None = None
    effective: Tensor | None = None
    log_z: Tensor | None = None
    resampled: Tensor | None = None
    temperatures: Tensor | None = None
    ancestors: Tensor | None = None
    families: Tensor | None = None
    effective_families: Tensor | None = None

    def mean(self, values) -> Tensor:
        """The weighted mean of values (n, ...) at the particles, as float64: (...).

        Raises ValueError for values that are not real numbers, finite, and n of them or of rows.
        """
        weights, values = self._weighed(values)
        return torch.tensordot(weights, values, dims=1)

    def mean_with_error(self, values) -> tuple[Tensor, Tensor]:
        """The weighted mean of values (n, ...) and its standard error, both (...).

        From this one run, by families: with m the mean and E the `effective_families`, the square
        of the error is E / (E - 1) sum_k (sum_{i in family k} W_i (f_i - m))^2 (Chan and Lai 2013;
        Lee and Whiteley 2018). Without resampling that is the error of a weighted mean of
        independent points. It is right for many particles and families; from few it is rough, and
        of modes where no particle is it knows nothing. Infinite where all particles have one
        ancestor, which tells nothing of the spread among runs.

        Raises ValueError as `mean`, and for a run that does not know its ancestors.
        """
        if self.ancestors is None:
            raise ValueError("mean_with_error needs a run that knows its particles' ancestors")
        weights, values = self._weighed(values)
        mean = torch.tensordot(weights, values, dims=1)
        shares = torch.zeros_like(weights).index_add_(0, self.ancestors, weights)
        rest = 1.0 - float(shares.square().sum() / shares.sum().square())  # (E - 1) / E
        if int((shares > 0).sum()) < 2 or rest <= 0:
            return mean, torch.full_like(mean, torch.inf)
        unit = _check.largest(values) or 1.0  # squares of what is left can't overflow
        parts = (values / unit - mean / unit) * weights.reshape(-1, *[1] * mean.ndim)
        totals = torch.zeros_like(parts).index_add_(0, self.ancestors, parts)
        return mean, unit * (totals.square().sum(0) / rest).sqrt()

    def resample(
        self, n: int, generator: torch.Generator | None = None, scheme: str = "systematic"
    ) -> Tensor:
        """n equally weighted samples, drawn from the particles, in random order: (n, dim), or
        (n, *shape) where these are pictures.

        scheme: "systematic" and "stratified" as in `smc`: particle i comes n W_i times, but for
        less than one or two. "multinomial": the samples are independent given the particles, at
        the price of more noise.

        Raises ValueError if n < 1, for another scheme, or for a generator that is none.
        """
        _check.source("generator", generator)
        n = _check.count("n", n)
        _check.choice("scheme", scheme, (*SCHEMES, "multinomial"))
        if scheme == "multinomial":
            return self.samples[categories(self.log_weights.exp(), n, generator)]
        chosen = ancestors(self.log_weights, scheme, generator, n)
        device = chosen.device
        return self.samples[chosen[torch.randperm(n, generator=generator, device=device)]]

    def _weighed(self, values) -> tuple[Tensor, Tensor]:
        weights = self.log_weights.exp()
        values = _check.real("values", values, like=weights)
        if not values.ndim or len(values) != len(weights):
            raise ValueError(
                f"values must have shape ({len(weights)}, ...), got {tuple(values.shape)}"
            )
        return weights, values


class Ledger:
    """The weights of n particles as a run goes on, and what it keeps of every level."""

    def __init__(self, log_weights: Tensor):
        self.log_weights = log_weights
        self.n = len(log_weights)
        self.log_z = self._before = 0.0
        self.eves: Tensor | None = None  # each its own until something is resampled
        self.families = self.n
        self.rows: list[list[float]] = []

    def gain(self, log_gain: Tensor | None = None) -> float:
        """Multiply the weights, note the level, and return the effective sample size: or NaN."""
        if log_gain is not None:
            self.log_weights = self.log_weights + log_gain
        top = self.log_weights.max()
        weights = (self.log_weights - top).exp()
        squares = torch.dot(weights, weights)
        kin = squares
        if self.eves is not None:
            shares = torch.bincount(self.eves, weights, minlength=self.n)
            kin = torch.dot(shares, shares)
        top, total, squares, kin = torch.stack([top, weights.sum(), squares, kin]).tolist()
        size = total**2 / squares if squares > 0 else math.nan
        self.log_z = self._before + top + (math.log(total) if total > 0 else 0) - math.log(self.n)
        worth = total**2 / kin if kin > 0 else math.nan
        self.rows.append([size, self.log_z, 0.0, self.families, worth])
        return size

    def resample(self, scheme: str, generator) -> Tensor:
        """Indices (n,) of the particles that go on, all weights equal again."""
        chosen = ancestors(self.log_weights, scheme, generator)
        self.log_weights = torch.zeros_like(self.log_weights)
        self._before = self.log_z
        self.eves = chosen if self.eves is None else self.eves[chosen]
        self.families = len(torch.unique(self.eves))
        self.rows[-1][2] = 1.0
        return chosen

    def run(self, x: Tensor, sigmas: Tensor, evaluations: int, path, temperatures=None):
        """The ParticleRun of it all. path: particles at every level, or None. Warns of one
        ancestor."""
        if self.families == 1:
            warnings.warn(
                f"all {self.n} particles descend from one of the first level: what it could not "
                "reach is missing, and no error bar can tell; take more particles, more levels or "
                "moves",
                stacklevel=4,
            )
        columns = torch.tensor(self.rows, dtype=torch.float64, device="cpu").T
        sizes, normalisers, resampled, families, worth = columns.unbind()
        eves = torch.arange(self.n, device=x.device) if self.eves is None else self.eves
        return ParticleRun(
            x,
            sigmas,
            evaluations,
            path,
            torch.log_softmax(self.log_weights, 0),
            sizes,
            normalisers,
            resampled.bool(),
            temperatures,
            eves,
            families.long(),
            worth,
        )
