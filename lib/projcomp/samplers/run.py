"""What every sampler returns, and what every sampler does first."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from projcomp import _check
from projcomp._modes import switched_on
from projcomp.composition import Composition
from projcomp.densities import Density, Scored
from projcomp.densities._own import looked_at

FAR = 3.0
"""Norms of particles, in units of that of the farthest known sample, above which is warned."""
_COUNTS = 1e-3
"""Least weight of a particle, in units of the mean one, that counts there."""
_SILENT: ContextVar[bool] = ContextVar("silent", default=False)


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """The outcome of a sampler.

    samples: (n, dim), at the last noise level. sigmas: (steps + 1,). evaluations: calls of the
    density's score or denoiser, each on all n points. path: (steps + 1, n, dim), the particles at
    every level of `sigmas`, where it was kept. Where the points of the density are pictures,
    samples are (n, *shape) and the path (steps + 1, n, *shape).
    """

    samples: Tensor
    sigmas: Tensor
    evaluations: int
    path: Tensor | None = None

    def __repr__(self):
        n, *shape = self.samples.shape
        space = f"in R^{shape[0]}" if len(shape) == 1 else f"of shape {tuple(shape)}"
        kept = "" if self.path is None else ", path kept"
        return f"{type(self).__name__}({n} samples {space}, {self.evaluations} evaluations{kept})"


@dataclass(frozen=True, eq=False, repr=False)
class ChainRun(Run):
    """The outcome of Markov chains, one for each sample.

    acceptance: (levels,) mean acceptance probability of the moves that count, at each level with
    moves (for unadjusted Langevin the share of the moves that were made: ones, but for particles
    that would have run off). step_sizes: (levels,), frozen after burn-in. effective, r_hat:
    (levels,) `effective_samples` and `r_hat` of the level's draws, judged by the first 500 chains
    where there are more. balance: (levels,) of the
    particles at its end, -mean(score . (x - mean x)) / dim, which is 1 in equilibrium.
    """

    acceptance: Tensor | None = None
    step_sizes: Tensor | None = None
    effective: Tensor | None = None
    r_hat: Tensor | None = None
    balance: Tensor | None = None


@contextmanager
def ordinary():
    """Without gradients, and outside of inference mode: what is made here can be used anywhere.

    What densities answer is looked at here.
    """
    with torch.inference_mode(False), torch.no_grad(), looked_at():
        yield


def levels(sigmas, *densities: Density) -> Tensor:
    """`sigmas` as (steps + 1,) strictly decreasing noise levels, all > 0 but perhaps the last.

    Those above 0 must be levels at which the densities are known.
    """
    sigmas = _check.level("sigmas", sigmas).detach()
    if sigmas.ndim != 1 or len(sigmas) < 2:
        raise ValueError(f"sigmas must have shape (steps + 1,), got {tuple(sigmas.shape)}")
    if not bool((sigmas[1:] < sigmas[:-1]).all()):
        raise ValueError("sigmas must be strictly decreasing")
    for density in densities:
        _check.within("sigmas", sigmas[sigmas > 0], density.sigma_range)
    return sigmas


def spread(density: Density) -> float:
    """1/sqrt(c): particles of q^sigma carry noise of this standard deviation, in units of sigma.

    c is the density's `exponent`. Where c <= 0, q^sigma has no integral at large sigma anyway: 1.
    """
    return density.exponent**-0.5 if density.exponent > 0 else 1.0


def denoiser(density: Density):
    """The mean of clean points given noisy ones, (x, sigma) -> (n, dim), by the particles' noise.

    Tweedie's formula at their variance sigma^2 / c.
    """
    scale = spread(density)
    if scale == 1.0:
        return density.denoise
    return lambda x, sigma: x + (scale * sigma) ** 2 * density.score(x, sigma)


def initial(density: Density, n: int, sigma: Tensor, start, generator) -> Tensor:
    """Starting points (n, dim): `start`, or draws from N(0, sigma**2 / c I), c the exponent."""
    device = torch.device("cpu") if generator is None else generator.device
    if start is None:
        shape = (n, density.dim)
        noise = torch.randn(shape, generator=generator, dtype=torch.float64, device=device)
        return spread(density) * float(sigma) * noise
    x = starting(density, start, generator)
    if len(x) != n:
        raise ValueError(f"start must have shape ({n}, {density.dim}), got {tuple(x.shape)}")
    return x


def starting(density: Density, start, generator) -> Tensor:
    """`start`, points (n, dim) or pictures (n, *shape), as float64 points (n, dim).

    Without gradients, on the device of `generator` if there is one.
    """
    x = density.flat("start", start)
    if x.ndim != 2 or not len(x):
        raise ValueError(f"start must have shape (n, {density.dim}), got {tuple(x.shape)}")
    x = x.detach()
    return x if generator is None else x.to(generator.device)


def within_reach(x: Tensor, sigma: float) -> None:
    """Raise ValueError if particles (n, dim) have left the largest coordinate, or are NaN."""
    if _check.largest(x) <= _check.LARGEST:
        return
    off = int((~(x.abs() <= _check.LARGEST).all(-1)).sum())
    raise ValueError(
        f"density must keep its particles within {_check.LARGEST:g}, but at sigma = {sigma:.3g} "
        f"{off} of {len(x)} ran off beyond that or are NaN: its score is wrong near there, or it "
        "is not normalisable"
    )


def shaped(density: Density, x: Tensor) -> Tensor:
    """Points (..., dim) as a density has them: pictures (..., *shape) if it is one of pictures."""
    return x.reshape(*x.shape[:-1], *density.shape)


def settled(density: Density, x: Tensor, sigma: float, weights: Tensor | None = None) -> Tensor:
    """Particles (n, dim) where a run ends, shaped as the density's points.

    weights: (n,), summing to one, of particles that have some.
    Raises ValueError if they have left the largest coordinate. Warns where they lie far out of all
    samples that the learned parts of a composition know.
    """
    within_reach(x, sigma)
    if isinstance(density, Composition) and not _SILENT.get():
        counted = x if weights is None else x[weights * len(x) > _COUNTS]
        _warn_if_far_out(list(_known(density)), counted, spread(density) * sigma)
    return shaped(density, x)


def _known(density: Density) -> Iterable[Tensor]:
    """The samples (N, dim) that learned parts of a density know."""
    if isinstance(density, Composition):
        for part in (density.background, *density.concepts):
            yield from _known(part)
    elif isinstance(density, Scored) and density.samples is not None:
        yield density.samples


def _warn_if_far_out(known: list[Tensor], x: Tensor, noise: float) -> None:
    norms = [
        float(torch.linalg.vector_norm(part, dim=-1).max()) for part in (*known, x) if len(part)
    ]
    if not known or len(norms) < 2:
        return
    *reaches, largest = norms
    farthest = max(reaches)
    if largest <= FAR * (farthest + noise * x.shape[1] ** 0.5):
        return
    warnings.warn(
        f"particles have norms up to {largest:.3g}, and the farthest sample that the composed "
        f"densities know has {farthest:.3g}: so far out no network was trained, and its scores "
        "mean nothing; smaller weights help, or smc, which weighs such particles down",
        stacklevel=5,
    )


def look(method, x: Tensor, sigma: float):
    """method(x, sigma) of a density; where x is out of its reach, the error says so."""
    try:
        return method(x, sigma)
    except ValueError:
        within_reach(x, sigma)
        raise


def warn_if_not_normalisable(density: Density, sigmas: Tensor) -> bool:
    """Warn where the density is known to have no finite integral at one of the levels; whether so.

    Of a long schedule 64 levels are looked at, evenly spread, both ends among them.
    """
    count = len(sigmas)
    places = torch.linspace(0, count - 1, min(count, 64), dtype=torch.float64, device=sigmas.device)
    looked = sigmas[places.round().long()].tolist()
    answers = density._normalisable(looked)
    bad = [s for s, answer in zip(looked, answers, strict=True) if answer is False]
    if bad and not _SILENT.get():
        warnings.warn(
            f"the density is not normalisable at {len(bad)} of {len(looked)} noise levels (sigma "
            f"from {min(bad):.3g} to {max(bad):.3g}): the samples approximate no distribution",
            stacklevel=4,
        )
    return bool(bad)


def silenced():
    """Without the warnings of one level: a caller gives them for all."""
    return switched_on(_SILENT)


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


def counting_bar(total: int, label: str, show: bool | None, unit: str):
    """A bar that is told what is done, of an expected `total`: shown as by `progress_bar`."""
    if show is None and os.environ.get("TQDM_DISABLE"):
        show = False
    return tqdm(
        total=total, desc=label, delay=0 if show else 2, leave=False, disable=show is False,
        unit=unit, unit_scale=True,
    )  # fmt: skip
