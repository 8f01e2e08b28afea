"""Superposition: several densities at once by their scores alone, each particle by itself.

Along a particle's way its log density under every one of them can be kept up to date from their
scores (Skreta et al. 2025). That is enough to steer it: to be a sample of the one or the other, or
to stay where all are equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density
from projcomp.densities._draw import normal_like
from projcomp.densities.blocks import density_list, one_space
from projcomp.samplers.run import (
    Run,
    initial,
    levels,
    look,
    ordinary,
    progress_bar,
    settled,
    shaped,
    warn_if_not_normalisable,
)

MODES = ("or", "and")
_FARTHEST = 4.0
"""How far "and" may put a particle right in one step, in standard deviations of its noise."""
_SINGULAR, _ROUNDING = 1e-10, 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class SuperpositionRun(Run):
    """The outcome of a superposition of k densities.

    log_densities: (steps + 1, k, n), estimates of log q_i^sigma at the particles at every level,
    relative to that of the start; a last level of 0, to which nothing is drawn, repeats the one
    before. weights: (steps, k, n), the coefficients of the scores in every step, summing to one
    over k.
    """

    log_densities: Tensor | None = None
    weights: Tensor | None = None


@ordinary()
def superposition(
    densities: Sequence[Density],
    n: int,
    sigmas,
    mode: str = "or",
    *,
    temperature: float = 1.0,
    bias=None,
    generator: torch.Generator | None = None,
    start=None,
    keep_path: bool = False,
    progress: bool | None = None,
) -> SuperpositionRun:
    """Carry n particles down with s = sum_i kappa_i s_i, kappa chosen for each (SuperDiff).

    ``"or"``   kappa = softmax(temperature * log q_i + bias). With temperature 1 and the logs of
               weights as bias that is the score of the mixture sum_i weights_i q_i at every level.
    ``"and"``  kappa, summing to one and as even as may be, such that all log q_i are expected to
               be equal after the step (Skreta et al. 2025, but for the noise: see below).

    log q_i moves from level sigma to sigma' < sigma, from x to x', by

        (s_i + s_i') . (x' - x) / 2 - (|s_i|^2 + |s_i'|^2) dv / 4 - xi . (s_i' - s_i) / 2 r,

    with dv = sigma^2 - sigma'^2, r = (sigma'/sigma)^2 and xi the noise that was drawn, of variance
    r dv. That is the Ito density estimator with both ends of the step in place of the first: its
    last term is the Laplacian, by Stein's identity. (Of a composition the interaction, times dv,
    comes on top: it does not solve the heat equation.) Measured on mixtures, its mean error falls
    as the square of the step (of first ends alone: as the step), and its spread as the root of it.

    It holds for every way that is chosen before the noise is drawn. So "and" puts right the noise
    of a step in the next one. To choose kappa by the noise itself, as the authors' code does, takes
    all noise out of the directions in which the densities differ, and with it the Laplacian there:
    those estimates keep an error however fine the steps.

    "or" samples the mixture, as far as the estimates are right. "and" has no density that is known
    to be its law: it is neither the product nor the composition of the densities. Its particles
    end where all densities are equal, however small they are there.

    Args:
        densities: k >= 2 densities with scores, normalised or not, whose exponents sum to one: log
            q_i counts from the start, where it is taken to be equal for all. So begin far above
            the distances between them.
        n, sigmas, generator, start, keep_path, progress: as for `reverse_diffusion`.
        temperature: for "or", a number that multiplies log q_i. bias: for "or", (k,).

    Returns a SuperpositionRun; one evaluation is one of every density. Raises ValueError for a bad
    argument, and as `reverse_diffusion`; warns as it.
    """
    _check.source("generator", generator)
    densities = density_list("densities", densities)
    if len(densities) < 2:
        raise ValueError(f"densities must hold at least two densities, got {len(densities)}")
    one_space("densities", densities, densities[0].dim, "densities[0]")
    for index, density in enumerate(densities):
        if density.exponent != 1.0:
            raise ValueError(
                f"densities[{index}] must fall off as its noise does, but its exponents sum to "
                f"{density.exponent:g}, not 1: a product of powers has no place here"
            )
    n = _check.count("n", n)
    sigmas = levels(sigmas, *densities)
    _check.choice("mode", mode, MODES)
    temperature = _check.number("temperature", temperature)
    bias = _check.real("bias", torch.zeros(len(densities), dtype=torch.float64, device="cpu")
                       if bias is None else bias).detach()  # fmt: skip
    if bias.shape != (len(densities),):
        raise ValueError(
            f"bias must have shape ({len(densities)},), one for each density, got "
            f"{tuple(bias.shape)}"
        )
    if mode == "and" and (temperature != 1.0 or bool((bias != 0).any())):
        raise ValueError("temperature and bias must be left alone for mode='and': they are of 'or'")
    pictures = max(densities, key=lambda density: len(density.shape))
    x = initial(pictures, n, sigmas[0], start, generator)
    for density in densities:
        warn_if_not_normalisable(density, sigmas)

    bias = bias.to(x.device)[:, None]
    scores, rates = _seen(densities, x, float(sigmas[0]))
    logs = x.new_zeros(len(densities), n)
    path, log_densities, weights, evaluations = [x], [logs], [], 1
    pairs = list(zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True))
    for high, low in progress_bar(pairs, f"superposition ({mode})", progress):
        dv = high**2 - low**2
        if mode == "or":
            share = torch.softmax(temperature * logs + bias, 0)
        else:
            share = _levelling(scores, logs + dv * rates, dv, high)
        moved = x + dv * torch.einsum("kn,knd->nd", share, scores)
        if low > 0:
            ratio = (low / high) ** 2
            noise = low * (1.0 - ratio) ** 0.5 * normal_like(x, generator)
            moved = moved + noise
            there, rates_there = _seen(densities, moved, low)
            logs = logs + _gain(scores, there, moved - x, noise / ratio, dv)
            logs = logs + 0.5 * dv * (rates + rates_there)
            scores, rates, evaluations = there, rates_there, evaluations + 1
        x = moved
        weights.append(share)
        log_densities.append(logs)
        if keep_path:
            path.append(x)
    return SuperpositionRun(
        settled(pictures, x, float(sigmas[-1])),
        sigmas,
        evaluations,
        shaped(pictures, torch.stack(path)) if keep_path else None,
        torch.stack(log_densities),
        torch.stack(weights),
    )


def _seen(densities: Sequence[Density], x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Scores (k, n, dim) and interactions (k, n), at particles (n, dim).

    The latter are 0 but for compositions, which do not solve the heat equation.
    """
    found = [
        look(partial(density._answers, method=density._score_and_interaction), x, sigma)
        for density in densities
    ]
    scores, rates = zip(*found, strict=True)
    return torch.stack(scores), torch.stack(rates)


def _gain(here: Tensor, there: Tensor, step: Tensor, noise: Tensor, dv: float) -> Tensor:
    """What a step adds to log q_i: (k, n). here, there: scores (k, n, dim) at its two ends.

    step: (n, dim), the way of the particles; noise: (n, dim), its noise over r.
    """
    dot = torch.linalg.vecdot
    squares = dot(here, here) + dot(there, there)
    return 0.5 * dot(here + there, step) - 0.25 * dv * squares - 0.5 * dot(there - here, noise)


def _levelling(scores: Tensor, logs: Tensor, dv: float, sigma: float) -> Tensor:
    """Coefficients (k, n), summing to one, after whose step all log q_i are expected to be equal.

    With c_i = s_i - mean s, and kappa = 1/k + lambda, the mean score drops out of the condition:
    G lambda = (|c_i|^2 - mean |c|^2) / 2 - (log q_i - mean log q) / dv, G_ij = c_i . c_j. The least
    lambda that comes nearest to that sums to zero, but for rounding.
    """
    offsets = (scores - scores.mean(0)).transpose(0, 1)  # (n, k, dim)
    gram = offsets @ offsets.mT
    if not math.isfinite(_check.largest(gram)):
        raise ValueError(
            f"densities must have scores of moderate size, but at sigma = {sigma:.3g} their "
            "squares are not finite"
        )
    wanted = 0.5 * gram.diagonal(dim1=1, dim2=2) - logs.T / dv
    wanted = wanted - wanted.mean(1, keepdim=True)
    # What is no more than the rounding of the scores is no difference.
    least = (_ROUNDING * torch.linalg.vector_norm(scores, dim=2).amax(0)) ** 2
    rtol = torch.full_like(least, _SINGULAR)
    inverse = torch.linalg.pinv(gram, hermitian=True, atol=least, rtol=rtol)
    change = inverse @ wanted[..., None]  # (n, k, 1)
    change = change - change.mean(1, keepdim=True)
    # Where the scores all but agree, what it takes may be out of all proportion.
    length = dv * torch.linalg.vector_norm(offsets.mT @ change, dim=(1, 2))
    scale = (_FARTHEST * dv**0.5 / length.clamp(min=1e-300)).clamp(max=1.0)
    return (1.0 / len(scores) + change[..., 0] * scale[:, None]).T
