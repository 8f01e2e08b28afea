"""Reverse diffusion: the probability-flow ODE and the reverse SDE, from noise to samples."""

from __future__ import annotations

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density
from projcomp.samplers.run import (
    Run,
    initial,
    levels,
    look,
    ordinary,
    progress_bar,
    warn_if_not_normalisable,
    within_reach,
)

METHODS = ("euler", "heun", "sde")


@ordinary()
def reverse_diffusion(
    density: Density,
    n: int,
    sigmas,
    method: str = "heun",
    *,
    generator: torch.Generator | None = None,
    start=None,
    keep_path: bool = False,
    progress: bool | None = None,
) -> Run:
    """Carry n particles from noise level sigmas[0] down to sigmas[-1] with the density's score.

    ``"euler"``  dx/dsigma = -sigma s(x, sigma), first order; the same steps as DDIM.
    ``"heun"``   the same ODE, second order (Karras et al. 2022, algorithm 1): two evaluations a
                 step, one on a last step to 0.
    ``"sde"``    ancestral sampling (DDPM; Ho et al. 2020): each step draws from the Gaussian
                 bridge between the particle and its denoised mean; weak order one.

    Args:
        density: any Density with a score.
        n: number of particles.
        sigmas: (steps + 1,), strictly decreasing, e.g. from `sigma_grid`.
        generator: source of all randomness; the run is a function of it. Its device is the run's;
            without one, the device of `start`, or the CPU.
        start: (n, dim) particles at sigmas[0]; draws from N(0, sigmas[0]**2 I) if None, which is
            right up to |mean| / sigmas[0].
        keep_path: keep the particles at every level.
        progress: show a bar; None shows it once a run has lasted two seconds.

    Raises ValueError for a bad argument, or naming the noise level where a density's particles run
    off beyond the largest coordinate. Warns where the density is known not to be normalisable.
    """
    _check.source("generator", generator)
    if not isinstance(density, Density):
        raise ValueError(f"density must be a Density, got {density!r}")
    n = _check.count("n", n)
    sigmas = levels(sigmas)
    _check.choice("method", method, METHODS)
    x = initial(density, n, sigmas[0], start, generator)
    warn_if_not_normalisable(density, sigmas)

    path = [x] if keep_path else None
    evaluations = 0
    pairs = list(zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True))
    for high, low in progress_bar(pairs, f"reverse diffusion ({method})", progress):
        denoised = look(density.denoise, x, high)
        evaluations += 1
        if method == "sde":
            x = _bridge(x, denoised, high, low, generator)
        elif method == "euler" or low == 0:
            x = denoised + (low / high) * (x - denoised)
        else:
            slope = (x - denoised) / high
            guess = x + (low - high) * slope
            slope_there = (guess - look(density.denoise, guess, low)) / low
            evaluations += 1
            x = x + 0.5 * (low - high) * (slope + slope_there)
        if path is not None:
            path.append(x)
    within_reach(x, float(sigmas[-1]))
    return Run(x, sigmas, evaluations, None if path is None else torch.stack(path))


def _bridge(x: Tensor, denoised: Tensor, high: float, low: float, generator) -> Tensor:
    """A draw of x_low given x_high = x and x_0 = denoised."""
    ratio = (low / high) ** 2
    mean = denoised + ratio * (x - denoised)
    if low == 0:
        return mean
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    return mean + low * (1.0 - ratio) ** 0.5 * noise
