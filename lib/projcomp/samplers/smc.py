"""Sequential Monte Carlo: reverse diffusion whose particles carry weights that make it exact."""

from __future__ import annotations

import math

import torch

from projcomp import _check
from projcomp.composition import Composition
from projcomp.densities import Density
from projcomp.densities._draw import normal_like
from projcomp.samplers.chains import Chains
from projcomp.samplers.mcmc import at_level
from projcomp.samplers.resampling import SCHEMES, ancestors, effective_size
from projcomp.samplers.run import (
    ParticleRun,
    initial,
    levels,
    look,
    ordinary,
    progress_bar,
    warn_if_not_normalisable,
    within_reach,
)

WEIGHTS = ("interaction", "density")


@ordinary()
def smc(
    density: Density,
    n: int,
    sigmas,
    weights: str = "interaction",
    *,
    resampling: str = "systematic",
    threshold: float = 0.5,
    moves: int = 0,
    kernel: str = "mala",
    generator: torch.Generator | None = None,
    start=None,
    keep_path: bool = False,
    progress: bool | None = None,
) -> ParticleRun:
    """Carry n weighted particles from noise level sigmas[0] down to sigmas[-1].

    The particles move by ancestral sampling with the composed score. Their weights mend what that
    path gets wrong:

    ``"interaction"``  d log w = I dv as v = sigma^2 falls, by the trapezoidal rule: scores alone.
                       Exact as the steps become fine (Feynman-Kac; Skreta et al. 2025).
    ``"density"``      the ratio of target and proposal, q(x_low) L(x_high | x_low) over
                       q(x_high) K(x_low | x_high), with L the noising and K the step that was
                       taken: exact at any number of steps down to the last level > 0 (weighted
                       means are consistent, and exp(log_z) is unbiased). Needs a log density.

    Where the effective sample size falls below `threshold` of n, the particles are resampled.

    Args:
        density: for "interaction" a Composition; for "density" any with `log_prob`.
        sigmas: (steps + 1,), strictly decreasing, e.g. from `sigma_grid`.
        resampling: "systematic" or "stratified". threshold: in [0, 1]; 0 never resamples.
        moves, kernel: moves of a Markov kernel at each level > 0, after resampling; see
            `annealed_mcmc`. They keep q^sigma, so the weights stay right.
        generator, start, keep_path, progress: as for `reverse_diffusion`. `start` counts as
            exact for the first level; the default N(0, sigmas[0]^2 I) is corrected for by
            "density", so that log_z is then the log normaliser itself.

    Returns a ParticleRun. Raises ValueError for a bad argument, or naming the noise level where
    particles run off or weights are no longer finite; warns as `reverse_diffusion`.
    """
    _check.source("generator", generator)
    if not isinstance(density, Density):
        raise ValueError(f"density must be a Density, got {density!r}")
    n = _check.count("n", n, 2)
    sigmas = levels(sigmas)
    _check.choice("weights", weights, WEIGHTS)
    if weights == "interaction" and not isinstance(density, Composition):
        raise ValueError(f"density must be a Composition for weights='interaction', got {density}")
    _check.choice("resampling", resampling, SCHEMES)
    threshold = _check.number("threshold", threshold)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must lie in [0, 1], got {threshold:g}")
    moves = _check.count("moves", moves, 0)
    chains = Chains(kernel, moves, moves) if moves else None
    x = initial(density, n, sigmas[0], start, generator)
    warn_if_not_normalisable(density, sigmas)

    see = _looker(density, weights)
    log_weights, log_z = x.new_zeros(n), 0.0
    sizes, normalisers, resampled, path = [], [], [], []
    high = float(sigmas[0])
    score, value = see(x, high)
    if weights == "density" and start is None:
        noise = -0.5 * (x / high).square().sum(-1) - density.dim * math.log(high)
        log_weights = value - noise + 0.5 * density.dim * math.log(2.0 * math.pi)
    evaluations = 1
    for low in [None, *progress_bar(sigmas[1:].tolist(), f"SMC ({weights})", progress)]:
        if low is not None:
            x, score, value, gain = _step(see, weights, x, score, value, high, low, generator)
            log_weights, evaluations = log_weights + gain, evaluations + (low > 0)
            high = low
        sizes.append(effective_size(log_weights))
        if not math.isfinite(sizes[-1]):
            raise ValueError(
                f"density must give its particles finite weights, but at sigma = {high:.3g} they "
                f"are not: its {'log density' if weights == 'density' else 'interaction'} is NaN "
                "or infinite there"
            )
        normalisers.append(log_z + float(torch.logsumexp(log_weights, 0)) - math.log(n))
        again = sizes[-1] < threshold * n and high > 0
        resampled.append(again)
        if again:
            chosen = ancestors(log_weights, resampling, generator)
            x, score, value = x[chosen], score[chosen], value[chosen]
            log_weights, log_z = torch.zeros_like(log_weights), normalisers[-1]
        if chains is not None and low is not None and low > 0:
            target = at_level(density, low, kernel == "ula")
            x = chains.run(target, x, generator, f" at sigma = {low:.3g}").state.x
            score, value = see(x, low)
            evaluations += 1
        if keep_path:
            path.append(x)
    within_reach(x, high)
    if chains is not None:
        evaluations += chains.evaluations
    return ParticleRun(
        x,
        sigmas,
        evaluations,
        torch.stack(path) if keep_path else None,
        torch.log_softmax(log_weights, 0),
        torch.tensor(sizes, dtype=torch.float64, device="cpu"),
        torch.tensor(normalisers, dtype=torch.float64, device="cpu"),
        torch.tensor(resampled, device="cpu"),
    )


def _looker(density: Density, weights: str):
    """What a step needs at a point: its score, and the interaction or the log density."""
    if weights == "interaction":
        return lambda x, sigma: look(density.score_and_interaction, x, sigma)
    return lambda x, sigma: look(density.log_prob_and_score, x, sigma)[::-1]


def _step(see, weights, x, score, value, high, low, generator):
    """One ancestral step: new particles, what is seen there, and the gain of their log weights."""
    denoised = x + high**2 * score
    if low == 0.0:  # nothing is drawn: the last bit of the path counts by its first point
        gain = high**2 * value if weights == "interaction" else torch.zeros_like(value)
        return denoised, score, value, gain
    ratio = (low / high) ** 2
    mean = denoised + ratio * (x - denoised)
    noise = normal_like(x, generator)
    moved = mean + low * (1.0 - ratio) ** 0.5 * noise
    score_there, value_there = see(moved, low)
    if weights == "interaction":
        gain = math.log(high / low) * (high**2 * value + low**2 * value_there)
    else:
        jump = (x - moved) / (high**2 - low**2) ** 0.5
        squares = torch.linalg.vecdot(noise, noise) - torch.linalg.vecdot(jump, jump)
        gain = value_there - value + 0.5 * squares
        gain = gain - x.shape[1] * math.log(high / low)
    return moved, score_there, value_there, gain
