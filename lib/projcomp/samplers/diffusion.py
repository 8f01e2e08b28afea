"""Reverse diffusion: the probability-flow ODE and the reverse SDE, from noise to samples."""

from __future__ import annotations

import torch

from projcomp import _check
from projcomp.densities import Density
from projcomp.densities._draw import normal_like
from projcomp.samplers.multistep import History, Scheme, carried
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

SCHEMES = {
    "euler": Scheme(1),
    "2m": Scheme(2),
    "3m": Scheme(3),
    "unipc2": Scheme(2, corrects=True),
    "unipc3": Scheme(3, corrects=True),
    "sde": Scheme(1, rate=2),
    "sde2m": Scheme(2, rate=2),
    "sde3m": Scheme(3, rate=2),
}
METHODS = ("euler", "heun", "sde", *(name for name in SCHEMES if SCHEMES[name].order > 1))


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

    One evaluation a step, and a step that looks back on earlier ones (see `multistep`):

    ``"2m"``, ``"3m"``          the ODE, of order two and three (Lu et al. 2022).
    ``"unipc2"``, ``"unipc3"``  the same, and each level is put right by what is found there (Zhao
                            et al. 2023): of order three and four.
    ``"sde2m"``, ``"sde3m"``    the reverse SDE, with means of order two and three.

    They draw polynomials out over log sigma, so they want levels whose ratio changes slowly: a
    `sigma_grid` with a large rho. Where the denoised mean jumps between two levels none is exact.

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
    scheme = SCHEMES.get(method)
    history: History = []
    evaluations, before = 0, x
    pairs = list(zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True))
    for high, low in progress_bar(pairs, f"reverse diffusion ({method})", progress):
        denoised = look(density.denoise, x, high)
        evaluations += 1
        if scheme is not None:
            # While there is little to look back on, a first-order step would cost the order.
            short = len(history) < scheme.order and scheme.rate == 1
            if history and (scheme.corrects or short):
                known = [(high, denoised), *history]
                x = carried(before, known, history[0][0], high)
                if path is not None:
                    path[-1] = x
            before, history = x, [(high, denoised), *history][: scheme.order]
            x = carried(x, history, high, low, scheme.rate)
            if scheme.rate == 2 and low > 0:
                x = x + low * (1.0 - (low / high) ** 2) ** 0.5 * normal_like(x, generator)
        elif low == 0:
            x = denoised
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
