"""What every sampler returns, and what every sampler does first."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from projcomp import _check
from projcomp.densities import Density


@dataclass(frozen=True)
class Run:
    """The outcome of a sampler.

    samples: (n, dim), at the last noise level. sigmas: (steps + 1,). evaluations: calls of the
    density's score or denoiser, each on all n points. path: (steps + 1, n, dim), the particles at
    every level of `sigmas`, where it was kept.
    """

    samples: Tensor
    sigmas: Tensor
    evaluations: int
    path: Tensor | None = None

    def __repr__(self):
        n, dim = self.samples.shape
        kept = "" if self.path is None else ", path kept"
        return f"Run({n} samples in R^{dim}, {self.evaluations} evaluations{kept})"


@dataclass(frozen=True)
class ChainRun(Run):
    """The outcome of Markov chains, one for each sample.

    acceptance: (levels,) mean acceptance probability of the moves that count, at each level with
    moves (ones for unadjusted Langevin). step_sizes: (levels,), frozen after burn-in.
    effective: (levels,) effective sample size of the level's draws together, of n * moves.
    """

    acceptance: Tensor | None = None
    step_sizes: Tensor | None = None
    effective: Tensor | None = None


@dataclass(frozen=True)
class ParticleRun(Run):
    """The outcome of sequential Monte Carlo: particles with weights.

    log_weights: (n,), normalised: exp of them sums to one. effective: (steps + 1,) effective
    sample size at every level, before any resampling. log_z: (steps + 1,) estimates of the log
    normaliser at every level, relative to where the run started. resampled: (steps + 1,) bool.
    temperatures: (steps + 1,) where the way led over temperatures instead of noise levels.
    """

    log_weights: Tensor | None = None
    effective: Tensor | None = None
    log_z: Tensor | None = None
    resampled: Tensor | None = None
    temperatures: Tensor | None = None

    def mean(self, values: Tensor) -> Tensor:
        """The weighted mean of values (n, ...) at the particles, as float64: (...)."""
        weights = self.log_weights.exp()
        return torch.tensordot(weights, values.to(weights), dims=1)

    def resample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n equally weighted samples, drawn from the particles: (n, dim)."""
        return self.samples[
            torch.multinomial(self.log_weights.exp(), n, replacement=True, generator=generator)
        ]


def levels(sigmas) -> Tensor:
    """`sigmas` as (steps + 1,) strictly decreasing noise levels, all > 0 but perhaps the last."""
    sigmas = _check.level("sigmas", sigmas)
    if sigmas.ndim != 1 or len(sigmas) < 2:
        raise ValueError(f"sigmas must have shape (steps + 1,), got {tuple(sigmas.shape)}")
    if not bool((sigmas[1:] < sigmas[:-1]).all()):
        raise ValueError("sigmas must be strictly decreasing")
    return sigmas


def initial(density: Density, n: int, sigma: Tensor, start, generator) -> Tensor:
    """Starting points (n, dim): `start`, or draws from N(0, sigma**2 I)."""
    device = None if generator is None else generator.device
    if start is None:
        shape = (n, density.dim)
        noise = torch.randn(shape, generator=generator, dtype=torch.float64, device=device)
        return float(sigma) * noise
    x, _ = _check.points("start", start, density.dim)
    if x.shape != (n, density.dim):
        raise ValueError(f"start must have shape ({n}, {density.dim}), got {tuple(x.shape)}")
    return x if device is None else x.to(device)


def warn_if_not_normalisable(density: Density, sigmas: Tensor) -> None:
    """Warn where the density is known to have no finite integral at one of the levels.

    Of a long schedule 64 levels are looked at, evenly spread, both ends among them.
    """
    chosen = torch.linspace(0, len(sigmas) - 1, min(len(sigmas), 64)).round().long()
    looked = sigmas[chosen].tolist()
    bad = [s for s in looked if density.normalisable(s) is False]
    if bad:
        warnings.warn(
            f"the density is not normalisable at {len(bad)} of {len(looked)} noise levels (sigma "
            f"from {min(bad):.3g} to {max(bad):.3g}): the samples approximate no distribution",
            stacklevel=3,
        )


@contextmanager
def silenced():
    """Without the warning of `warn_if_not_normalisable`: a caller has given it for all levels."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the density is not normalisable")
        yield


def progress_bar(
    items: Iterable, label: str, show: bool | None, unit: str = "it", scale: float = 1
):
    """`items` with a bar: shown after 2 s unless TQDM_DISABLE is set (None), at once, or never.

    unit, scale: what the bar counts, and how many of them an item is worth.
    """
    if show is None and os.environ.get("TQDM_DISABLE"):  # which tqdm's notebook bar overlooks
        show = False
    return tqdm(
        items, desc=label, delay=0 if show else 2, leave=False, disable=show is False, unit=unit,
        unit_scale=False if scale == 1 else scale,
    )  # fmt: skip
