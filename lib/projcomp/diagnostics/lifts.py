"""Lift: how much more likely a sample is under a concept than under the background.

lift_i(x) = log p_i(x) - log p_b(x). Samples of whatever sampler can be kept or refused by the signs
of their lifts (CompLift; Yu and Gao 2025).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density
from projcomp.densities._draw import normal_like
from projcomp.densities.blocks import density_list, one_space
from projcomp.metrics import proportion
from projcomp.samplers.run import levels, ordinary

RULES = ("and", "or")


@dataclass(frozen=True, eq=False, repr=False)
class Accepted:
    """kept: (n,) bool. share: of those kept, with its Wilson interval (95%) from low to high."""

    kept: Tensor
    share: float
    low: float
    high: float

    def __repr__(self):
        return (
            f"Accepted({int(self.kept.sum())} of {len(self.kept)}: {self.share:.3f} "
            f"[{self.low:.3f}, {self.high:.3f}])"
        )


def lift(x, background: Density, concepts: Sequence[Density], sigma=0.0) -> Tensor:
    """log p_i^sigma(x) - log p_b^sigma(x) for each of k concepts, from log densities: (k, ...).

    x: (..., n). Densities that are known up to a constant give it up to theirs.
    Raises ValueError for what is no density, or has no log density, and as `Density.log_prob`.
    """
    concepts = _same_space(background, concepts)
    below = background.log_prob(x, sigma)
    return torch.stack([concept.log_prob(x, sigma) - below for concept in concepts])


@ordinary()
def estimated_lift(
    x,
    background: Density,
    concepts: Sequence[Density],
    sigmas,
    draws: int = 8,
    *,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """The lifts of points from denoisers alone, and their standard errors: both (k, N).

    With snr = 1 / sigma^2 and a standard normal e,

        lift_i(x) = 1/2 integral over snr of E |x - D_b(x + sigma e)|^2 - |x - D_i(x + sigma e)|^2

    (pointwise I-MMSE; Kong et al. 2023). It is done by the trapezoidal rule over log sigma, at the
    levels given. Every draw takes the same e, then -e, for all densities, with new ones at each
    level; the standard error is that of the mean over draws.

    What it is of: between finite levels the integral is E lift(x + sigma e) at the lowest one less
    the same at the highest. So the lowest level blurs the lift, and the highest has to be so high
    that nothing is left to tell. Neither that nor the rule's error is in the standard error. Look
    at it with twice the levels.

    Args:
        x: (N, n). sigmas: (steps + 1,), strictly decreasing; a last level of 0 is left out.
        draws: at least 2; each costs two evaluations of every denoiser at every level.
        generator: source of all randomness; its device is that of the answer.

    Raises ValueError for a bad argument.
    """
    _check.source("generator", generator)
    concepts = _same_space(background, concepts)
    x = background.flat("x", x)
    if x.ndim != 2 or not len(x):
        raise ValueError(f"x must have shape (N, {background.dim}), got {tuple(x.shape)}")
    x = x.detach() if generator is None else x.detach().to(generator.device)
    sigmas = levels(sigmas, background, *concepts).tolist()
    sigmas = sigmas[:-1] if sigmas[-1] == 0 else sigmas
    if len(sigmas) < 2:
        raise ValueError(f"sigmas must have at least two levels above 0, got {len(sigmas)}")
    draws = _check.count("draws", draws, 2)
    logs = [math.log(sigma) for sigma in sigmas]
    totals = x.new_zeros(draws, len(concepts), len(x))
    for j, sigma in enumerate(sigmas):
        # d snr = 2 snr d(-log sigma); half the way to either neighbour.
        width = 0.5 * (logs[max(j - 1, 0)] - logs[min(j + 1, len(logs) - 1)])
        e = normal_like(x.expand(draws, *x.shape), generator)
        noise = sigma * torch.stack([e, -e])
        squares = [_error(x, noise, density, sigma) for density in (background, *concepts)]
        gap = torch.stack([squares[0] - square for square in squares[1:]], 1)
        totals += width / sigma**2 * gap
    return totals.mean(0), totals.std(0) / draws**0.5


def accept(lifts, rule: str = "and", signs=None) -> Accepted:
    """Which of n samples their lifts (k, n) let pass.

    ``"and"``  all lifts > 0. ``"or"``  any lift > 0.

    signs: (k,) of 1 and -1, the latter for concepts that must be absent: there lift < 0 counts.

    A sample that passes is likelier under each concept than under the background, no more: those
    that are kept are no sample of the product or the composition, but of the sampler's law, cut
    off where a lift changes its sign. Where all go astray none is kept.

    Raises ValueError for lifts of another shape or NaN, another rule, and signs that are none.
    """
    # Infinite lifts are fine, where one of the densities is zero.
    lifts = lifts if isinstance(lifts, Tensor) else _check.from_numpy("lifts", lifts)
    lifts = _check.dense("lifts", lifts).detach()
    if lifts.ndim != 2 or 0 in lifts.shape:
        raise ValueError(f"lifts must have shape (k, n), got {tuple(lifts.shape)}")
    if bool(lifts.isnan().any()):
        raise ValueError(f"lifts must be numbers, got {int(lifts.isnan().sum())} NaN")
    _check.choice("rule", rule, RULES)
    signs = [1.0] * len(lifts) if signs is None else signs
    signs = _check.real("signs", signs, like=lifts)
    if signs.shape != (len(lifts),) or not bool((signs.abs() == 1).all()):
        raise ValueError(f"signs must be {len(lifts)} of 1 and -1, got {signs.tolist()}")
    passed = lifts * signs[:, None] > 0
    kept = passed.all(0) if rule == "and" else passed.any(0)
    return Accepted(kept, *proportion(int(kept.sum()), len(kept)))


def _error(x: Tensor, noise: Tensor, density: Density, sigma: float) -> Tensor:
    """|x - D(x + noise)|^2, the mean over both signs: noise (2, draws, N, n) to (draws, N)."""
    return (x - density.denoise(x + noise, sigma)).square().sum(-1).mean(0)


def _same_space(background: Density, concepts: Sequence[Density]) -> list[Density]:
    if not isinstance(background, Density):
        raise ValueError(f"background must be a Density, got {background!r}")
    concepts = density_list("concepts", concepts)
    one_space("concepts", concepts, background.dim, "the background")
    return concepts
