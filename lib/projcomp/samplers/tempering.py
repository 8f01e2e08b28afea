"""Tempering: from an easy distribution to a density at sigma = 0, without any noise level."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density
from projcomp.samplers.chains import Chains
from projcomp.samplers.particles import Ledger, ParticleRun
from projcomp.samplers.resampling import SCHEMES, effective_size
from projcomp.samplers.run import look, ordinary, settled, shaped

_MOST_STAGES = 1000


@ordinary()
def tempering(
    density: Density,
    n: int,
    base: Density,
    *,
    kernel: str = "hmc",
    moves: int = 4,
    burn_in: int = 2,
    threshold: float = 0.5,
    resampling: str = "systematic",
    generator: torch.Generator | None = None,
    keep_path: bool = False,
) -> ParticleRun:
    """Sample a density at sigma = 0 through base^(1-t) density^t, t from 0 to 1.

    Each t is chosen so that the effective sample size falls to `threshold` of n; then the
    particles are resampled, and moved by a Markov kernel that keeps the tempered density (Neal
    2001; Del Moral et al. 2006). It never looks at a noised density, so a wrong path of those
    does not matter to it; it needs a log density, and a base that covers the target.

    Args:
        density: any with `log_prob` at sigma = 0, up to a constant.
        base: a normalised Density with an exact sampler, e.g. a wide Gaussian.
        kernel, moves, burn_in: "mala" or "hmc", and its moves at each t; see `annealed_mcmc`.
        threshold: in (0, 1). resampling: "systematic" or "stratified".

    Returns a ParticleRun with `temperatures`; log_z estimates log of the density's integral.
    Raises ValueError for a bad argument; warns where all particles end as descendants of one.
    """
    _check.source("generator", generator)
    for name, given in (("density", density), ("base", base)):
        if not isinstance(given, Density):
            raise ValueError(f"{name} must be a Density, got {given!r}")
    if base.dim != density.dim:
        raise ValueError(f"base must live on R^{density.dim}, got R^{base.dim}")
    n = _check.count("n", n, 2)
    _check.choice("kernel", kernel, ("mala", "hmc"))
    _check.choice("resampling", resampling, SCHEMES)
    threshold = _check.number("threshold", threshold)
    if not 0 < threshold < 1:
        raise ValueError(f"threshold must lie in (0, 1), got {threshold:g}")
    chains = Chains(kernel, moves, burn_in)

    x = base.flat("samples", base.sample(n, 0.0, generator))
    ledger = Ledger(x.new_zeros(n))
    ledger.gain()
    evaluations, t, temperatures, path = 0, 0.0, [0.0], [x]
    while t < 1.0:
        if len(temperatures) > _MOST_STAGES:
            raise ValueError(
                f"base must overlap with the density, but {_MOST_STAGES} stages of tempering "
                f"only reached t = {t:.3g}"
            )
        gap = look(density.log_prob, x, 0.0) - look(base.log_prob, x, 0.0)
        evaluations += 1
        if not math.isfinite(effective_size(gap)):
            raise ValueError(
                "density must have a log density below infinity at every particle, and finite at "
                f"some: not so at t = {t:.3g} of the way from base"
            )
        step = _next(gap, 1.0 - t, threshold)
        t = 1.0 if step == 1.0 - t else t + step
        temperatures.append(t)
        ledger.gain(step * gap)
        x = x[ledger.resample(resampling, generator)]
        x = chains.run(_between(density, base, t), x, generator, f" at t = {t:.3g}").state.x
        path.append(x)
    return ledger.run(
        settled(density, x, 0.0, torch.softmax(ledger.log_weights, 0)),
        torch.zeros(len(temperatures), dtype=torch.float64, device="cpu"),
        evaluations + chains.evaluations,
        shaped(density, torch.stack(path)) if keep_path else None,
        torch.tensor(temperatures, dtype=torch.float64, device="cpu"),
    )


def _next(gap: Tensor, most: float, threshold: float) -> float:
    """The step of t at which weights exp(step * gap) are worth `threshold` of the particles."""
    wanted = threshold * len(gap)
    if effective_size(most * gap) >= wanted:
        return most
    low, high = 0.0, most
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective_size(middle * gap) >= wanted else (low, middle)
    return max(low, 1e-12)


def _between(density: Density, base: Density, t: float):
    def target(x):
        here, there = base.log_prob_and_score(x), density.log_prob_and_score(x)
        return tuple((1.0 - t) * a + t * b for a, b in zip(here, there, strict=True))

    return target
