"""Markov chain Monte Carlo on a density, at one noise level or down a schedule of them."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density
from projcomp.samplers.chains import Chains, Leg
from projcomp.samplers.convergence import FEWEST, balance, summary
from projcomp.samplers.diffusion import reverse_diffusion
from projcomp.samplers.kernels import Target
from projcomp.samplers.run import (
    ChainRun,
    initial,
    levels,
    ordinary,
    progress_bar,
    settled,
    shaped,
    silenced,
    starting,
    warn_if_not_normalisable,
)

PREDICTORS = ("euler", "heun", "sde")
_LOOKED_AT = 500
_OFF, _ERRORS = 1.5, 5.0
"""How far off 1 the balance of a last level is warned of: as a factor (at rest ULA with long steps
has 1.3), and in standard errors."""


def at_level(density: Density, sigma: float, scores_alone: bool) -> Target:
    """The density at one noise level, as a kernel's target."""
    if scores_alone:
        return lambda x: (None, density.score(x, sigma))
    return lambda x: density.log_prob_and_score(x, sigma)


@ordinary()
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
    _check.source("generator", generator)
    chains = Chains(kernel, moves, burn_in, step, leapfrog, acceptance)
    if not isinstance(density, Density):
        raise ValueError(f"density must be a Density, got {density!r}")
    sigma = _check.one_level("sigma", sigma)
    if sigma > 0:
        _check.within("sigma", torch.tensor(sigma, device="cpu"), density.sigma_range)
    x = starting(density, start, generator)
    leg = _leg(chains, density, sigma, x, generator)
    return ChainRun(
        settled(density, leg.state.x, sigma),
        torch.full((moves + 1,), sigma, dtype=torch.float64, device="cpu"),
        chains.evaluations,
        shaped(density, torch.cat([x[None], leg.draws])),
        *_columns([leg]),
    )


@ordinary()
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
    predictor: str | None = "auto",
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
        step: first step size, in units of 1 / (root mean square score); shrunk where the first
            move at a level is next to never accepted, unless it is given and not adapted.
        leapfrog: steps of a move of HMC.
        acceptance: target acceptance, .574 for "mala" and .8 for "hmc" unless given.
        predictor: None, "euler", "heun" or "sde"; "auto" is "sde" for "ula", whose small steps
            can't follow particles over a gap between levels, and None for the others.
        generator, start, keep_path, progress: as for `reverse_diffusion`.

    Returns a ChainRun. Raises ValueError for a bad argument, where a kernel needs a log density
    that is not known, or where the particles of a predictor run off. Warns where the density is
    known not to be normalisable: there the chains have nowhere to settle. Warns where 30 particles
    or more are not in equilibrium at the last level > 0: where `ChainRun.balance` is off 1 by a
    factor above 1.5 and by more than 5 standard errors. Shares of modes it can't judge.
    """
    _check.source("generator", generator)
    chains = Chains(kernel, moves, burn_in, step, leapfrog, acceptance)
    if not isinstance(density, Density):
        raise ValueError(f"density must be a Density, got {density!r}")
    n = _check.count("n", n)
    sigmas = levels(sigmas, density)
    if predictor == "auto":
        predictor = "sde" if kernel == "ula" else None
    if predictor is not None:
        _check.choice("predictor", predictor, PREDICTORS)
    x = initial(density, n, sigmas[0], start, generator)
    hopeless = warn_if_not_normalisable(density, sigmas)

    legs, path, predicted, before = [], [], 0, None
    with silenced():
        for sigma in progress_bar(sigmas.tolist(), f"annealed MCMC ({kernel})", progress):
            carried = predictor or ("euler" if sigma == 0 else None)
            if before is not None and carried:
                pair = [before, sigma]
                run = reverse_diffusion(density, n, pair, carried, generator=generator, start=x)
                x = density.flat("samples", run.samples)
                predicted += run.evaluations
            if sigma > 0:
                legs.append(_leg(chains, density, sigma, x, generator))
                x = legs[-1].state.x
            before = sigma
            if keep_path:
                path.append(x)
    if not hopeless:
        _warn_if_unbalanced(legs[-1], float(sigmas[len(legs) - 1]))
    samples = settled(density, x, float(sigmas[-1]))
    kept = shaped(density, torch.stack(path)) if keep_path else None
    return ChainRun(samples, sigmas, chains.evaluations + predicted, kept, *_columns(legs))


def _leg(chains: Chains, density: Density, sigma: float, x: Tensor, generator) -> Leg:
    target = at_level(density, sigma, chains.kernel == "ula")
    return chains.run(target, x, generator, f" at sigma = {sigma:.3g}")


def _columns(legs: list[Leg]) -> tuple[Tensor, ...]:
    rows = [
        (leg.acceptance, leg.step, *_worth(leg.draws), balance(leg.state.x, leg.state.score)[0])
        for leg in legs
    ]
    return torch.tensor(rows, dtype=torch.float64, device="cpu").T.unbind()


def _worth(draws: Tensor) -> tuple[float, float]:
    """Effective sample size and R-hat of draws (moves, n, dim), from the first `_LOOKED_AT` chains.

    More would take longer to sort than to move.
    """
    kept = draws[:, :_LOOKED_AT]
    size, ratio = summary(kept)
    return size * draws.shape[1] / kept.shape[1], ratio


def _warn_if_unbalanced(leg: Leg, sigma: float) -> None:
    """Warn where the chains have not come to rest at the last level with moves."""
    if len(leg.state.x) < FEWEST:
        return
    value, error = balance(leg.state.x, leg.state.score)
    if abs(value - 1.0) <= _ERRORS * error or 1.0 / _OFF <= value <= _OFF:
        return
    warnings.warn(
        f"the particles are not in equilibrium at sigma = {sigma:.3g}: -E[s . (x - mean)] / dim is "
        f"{value:.2g} ± {error:.1g} where it should be 1, so they are spread too "
        f"{'widely' if value > 1 else 'narrowly'}; take more levels, more moves, or a predictor",
        stacklevel=4,
    )
