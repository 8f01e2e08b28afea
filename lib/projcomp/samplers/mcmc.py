"""Markov chain Monte Carlo on a density, at one noise level or down a schedule of them."""

from __future__ import annotations

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density
from projcomp.samplers.chains import Chains, effective_samples
from projcomp.samplers.diffusion import METHODS, reverse_diffusion
from projcomp.samplers.kernels import Target
from projcomp.samplers.run import (
    ChainRun,
    initial,
    levels,
    progress_bar,
    silenced,
    warn_if_not_normalisable,
)


def at_level(density: Density, sigma: float, scores_alone: bool) -> Target:
    """The density at one noise level, as a kernel's target."""
    if scores_alone:
        return lambda x: (None, density.score(x, sigma))
    return lambda x: density.log_prob_and_score(x, sigma)


def mcmc(
    density: Density,
    start,
    moves: int,
    sigma: float = 0.0,
    kernel: str = "hmc",
    *,
    burn_in: int = 0,
    step: float | None = None,
    leapfrog: int = 5,
    acceptance: float | None = None,
    generator: torch.Generator | None = None,
) -> ChainRun:
    """Move chains that stand at `start`, (n, dim), with the density at one noise level.

    Arguments and errors as `annealed_mcmc`. The path, (moves + 1, n, dim), is kept: the points
    after burn-in and after each move. `sigmas` of the answer repeats the level.
    """
    chains = Chains(kernel, moves, burn_in, step, leapfrog, acceptance)
    if not isinstance(density, Density):
        raise ValueError(f"density must be a Density, got {density!r}")
    sigma = _check.one_level("sigma", sigma)
    x, _ = _check.points("start", start, density.dim)
    if x.ndim != 2:
        raise ValueError(f"start must have shape (n, {density.dim}), got {tuple(x.shape)}")
    with torch.no_grad():
        leg = chains.run(at_level(density, sigma, kernel == "ula"), x, generator)
    return ChainRun(
        leg.state.x,
        torch.full((moves + 1,), sigma, dtype=torch.float64),
        chains.evaluations,
        torch.cat([x[None], leg.draws]),
        *_columns([leg]),
    )


def annealed_mcmc(
    density: Density,
    n: int,
    sigmas,
    kernel: str = "hmc",
    *,
    moves: int = 4,
    burn_in: int = 2,
    step: float | None = None,
    leapfrog: int = 5,
    acceptance: float | None = None,
    predictor: str | None = None,
    generator: torch.Generator | None = None,
    start=None,
    keep_path: bool = False,
    progress: bool | None = None,
) -> ChainRun:
    """Follow the density from noise level sigmas[0] down to sigmas[-1] with Markov chains.

    At every level > 0 each particle makes burn_in + moves moves with p^sigma invariant; a last
    step to 0 denoises. With a `predictor` the particles are first carried to the level by one
    step of reverse diffusion (predictor-corrector; Song et al. 2021), otherwise they stay where
    they are (annealed Langevin; Song and Ermon 2019; for compositions Du et al. 2023).

    ``"ula"``   unadjusted Langevin: works from scores alone, biased by its step.
    ``"mala"``  Metropolis-adjusted Langevin. Needs a log density.
    ``"hmc"``   Hamiltonian Monte Carlo. Needs a log density.

    Args:
        density: any Density; for "mala" and "hmc" one with `log_prob` (up to a constant).
        n: number of particles, each a chain with its own acceptance.
        sigmas: (steps + 1,), strictly decreasing, e.g. from `sigma_grid`.
        moves, burn_in: moves at each level; those of the burn-in adapt the step size.
        step: first step size, in units of 1 / (root mean square score).
        leapfrog: steps of a move of HMC.
        acceptance: target acceptance, .574 for "mala" and .8 for "hmc" unless given.
        predictor: None, "euler", "heun" or "sde".
        generator, start, keep_path, progress: as for `reverse_diffusion`.

    Returns a ChainRun. Raises ValueError for a bad argument, or where a kernel needs a log density
    that is not known. Warns where the density is known not to be normalisable: there the chains
    have nowhere to settle.
    """
    chains = Chains(kernel, moves, burn_in, step, leapfrog, acceptance)
    if not isinstance(density, Density):
        raise ValueError(f"density must be a Density, got {density!r}")
    n = _check.count("n", n)
    sigmas = levels(sigmas)
    if predictor is not None:
        _check.choice("predictor", predictor, METHODS)
    x = initial(density, n, sigmas[0], start, generator)
    warn_if_not_normalisable(density, sigmas)

    legs, path, predicted, before = [], [], 0, None
    with torch.no_grad(), silenced():
        for sigma in progress_bar(sigmas.tolist(), f"annealed MCMC ({kernel})", progress):
            carried = predictor or ("euler" if sigma == 0 else None)
            if before is not None and carried:
                pair = [before, sigma]
                run = reverse_diffusion(density, n, pair, carried, generator=generator, start=x)
                x, predicted = run.samples, predicted + run.evaluations
            if sigma > 0:
                legs.append(chains.run(at_level(density, sigma, kernel == "ula"), x, generator))
                x = legs[-1].state.x
            before = sigma
            if keep_path:
                path.append(x)
    kept = torch.stack(path) if keep_path else None
    return ChainRun(x, sigmas, chains.evaluations + predicted, kept, *_columns(legs))


def _columns(legs) -> tuple[Tensor, Tensor, Tensor]:
    rows = [(leg.acceptance, leg.step, effective_samples(leg.draws)) for leg in legs]
    return tuple(torch.tensor(column, dtype=torch.float64) for column in zip(*rows, strict=True))
