"""Reverse diffusion: the probability-flow ODE and the reverse SDE, from noise to samples."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density
from projcomp.densities._draw import normal_like
from projcomp.samplers.multistep import Scheme, Step, plan
from projcomp.samplers.run import (
    Run,
    denoiser,
    initial,
    levels,
    look,
    ordinary,
    progress_bar,
    settled,
    shaped,
    spread,
    warn_if_not_normalisable,
)

SCHEMES = {
    "euler": Scheme(1),
    "heun": Scheme(1),  # but for its steps to levels above 0
    "sde": Scheme(1, rate=2),
    "2m": Scheme(2, middle=True),
    "3m": Scheme(3),
    "unipc2": Scheme(2, corrects=True),
    "unipc3": Scheme(3, corrects=True),
    "sde2m": Scheme(2, rate=2, middle=True),
    "sde3m": Scheme(3, rate=2),
}
METHODS = tuple(SCHEMES)


@ordinary()
def reverse_diffusion(
    density: Density,
    n: int,
    sigmas,
    method: str = "unipc3",
    *,
    generator: torch.Generator | None = None,
    start=None,
    keep_path: bool = False,
    progress: bool | None = None,
) -> Run:
    """Carry n particles from noise level sigmas[0] down to sigmas[-1] with the density's score.

    The probability-flow ODE, dx/dsigma = -sigma s(x, sigma) (Karras et al. 2022, eq. 1):

    ``"unipc3"``, ``"unipc2"``  each step looks back on three or two earlier levels, and each level
                            is put right by what is found there (Zhao et al. 2023): of order four
                            and three at one evaluation a step.
    ``"3m"``, ``"2m"``          the same, not put right: of order three and two (Lu et al. 2022).
    ``"heun"``              of order two, two evaluations a step and one on a last step to 0 (Karras
                            et al. 2022, algorithm 1). It looks back on nothing. Poor at less than
                            about 40 evaluations, at 10 worse than Euler.
    ``"euler"``             of order one; the same steps as DDIM.

    The reverse SDE, which takes more steps and forgets the errors of early ones:

    ``"sde3m"``, ``"sde2m"``    means that look back on three and two levels; of weak order two.
    ``"sde"``               ancestral sampling (DDPM; Ho et al. 2020): each step draws from the
                            Gaussian bridge between the particle and its denoised mean; order one.

    Those that look back draw polynomials out over log sigma. They want levels whose ratio changes
    slowly, as those of `sigma_grid` without rho; where it jumps, and on the first steps, they look
    back on fewer. Where the denoised mean itself jumps between two levels none is exact.

    For a composition whose exponents sum to c the particles carry noise of variance sigma**2 / c:
    q^sigma starts near N(0, sigma**2 / c I), and Gaussians of one covariance stay exact. `sigma` is
    where its parts are evaluated, at every c.

    Args:
        density: any Density with a score.
        n: number of particles.
        sigmas: (steps + 1,), strictly decreasing, e.g. from `sigma_grid`; those above 0 within
            the density's `sigma_range`.
        generator: source of all randomness; the run is a function of it. Its device is the run's;
            without one, the device of `start`, or the CPU.
        start: (n, dim) particles at sigmas[0], or pictures (n, *shape); draws from
            N(0, sigmas[0]**2 / c I) if None, which is right up to |mean| / sigmas[0].
        keep_path: keep the particles at every level.
        progress: show a bar; None shows it once a run has lasted two seconds.

    Raises ValueError for a bad argument, or naming the noise level where a density's particles run
    off beyond the largest coordinate. Warns where the density is known not to be normalisable,
    where the levels are too few, or too unevenly spaced, for the order of the method, and where
    particles of a composition end far out of all samples that its learned parts know.
    """
    _check.source("generator", generator)
    if not isinstance(density, Density):
        raise ValueError(f"density must be a Density, got {density!r}")
    n = _check.count("n", n)
    sigmas = levels(sigmas, density)
    _check.choice("method", method, METHODS)
    x = initial(density, n, sigmas[0], start, generator)
    warn_if_not_normalisable(density, sigmas)

    path = [x] if keep_path else None
    scheme = SCHEMES[method]
    steps = plan(sigmas.tolist(), scheme)
    _warn_if_unfit(method, scheme, [forward for _, low, _, forward in steps if low > 0])
    denoise, scale = denoiser(density), spread(density)
    means: list[Tensor] = []
    evaluations, before = 0, x
    label = f"reverse diffusion ({method})"
    for high, low, correction, forward in progress_bar(steps, label, progress):
        denoised = look(denoise, x, high)
        evaluations += 1
        means = [denoised, *means][: scheme.order + 1]
        if correction is not None:
            x = correction(before, means)
            if path is not None:
                path[-1] = x
        before = x
        if method != "heun" or low == 0:
            x = forward(x, means)
            if scheme.rate == 2 and low > 0:
                deviation = scale * low * (1.0 - (low / high) ** 2) ** 0.5
                x = x + deviation * normal_like(x, generator)
        else:
            slope = (x - denoised) / high
            guess = x + (low - high) * slope
            slope_there = (guess - look(denoise, guess, low)) / low
            evaluations += 1
            x = x + 0.5 * (low - high) * (slope + slope_there)
        if path is not None:
            path.append(x)
    samples = settled(density, x, float(sigmas[-1]))
    kept = None if path is None else shaped(density, torch.stack(path))
    return Run(samples, sigmas, evaluations, kept)


def _warn_if_unfit(method: str, scheme: Scheme, steps: list[Step]) -> None:
    """Warn where a method can't have its order on these levels."""
    order = scheme.order
    if 0 < len(steps) < order:
        reason = f"looks back on {order} levels, but there are only {len(steps)} steps"
    else:
        uneven = sum(len(step.weights) < order for step in steps[order - 1 :])
        if not uneven:
            return
        reason = (
            f"looks back on {order} levels, but at {uneven} of {len(steps)} steps their ratio "
            "changes too much for that"
        )
    warnings.warn(
        f"method {method!r} {reason}: it is of lower order there; levels equally spaced in log "
        "sigma fit best (sigma_grid without rho)",
        stacklevel=4,
    )
