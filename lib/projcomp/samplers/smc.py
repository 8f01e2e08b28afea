"""Sequential Monte Carlo: reverse diffusion whose particles carry weights that make it exact."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from projcomp import _check
from projcomp.composition import Composition
from projcomp.densities import Density
from projcomp.samplers.chains import Chains
from projcomp.samplers.kernels import KERNELS
from projcomp.samplers.mcmc import at_level
from projcomp.samplers.particles import Ledger, ParticleRun
from projcomp.samplers.resampling import SCHEMES, conditional_share
from projcomp.samplers.run import (
    initial,
    levels,
    ordinary,
    progress_bar,
    settled,
    shaped,
    warn_if_not_normalisable,
)
from projcomp.samplers.weighting import ByDensity, ByInteraction, Seen

WEIGHTS = {"interaction": ByInteraction, "density": ByDensity}
_MOST_HALVINGS = 12
"""Of one step, so that at most 4,096 take its place."""


@ordinary()
def smc(
    density: Density,
    n: int,
    sigmas,
    weights: str = "interaction",
    *,
    resampling: str = "systematic",
    threshold: float = 0.5,
    adaptive: float | None = None,
    moves: int | None = None,
    kernel: str = "mala",
    generator: torch.Generator | None = None,
    start=None,
    keep_path: bool = False,
    progress: bool | None = None,
) -> ParticleRun:
    """Carry n weighted particles from noise level sigmas[0] down to sigmas[-1].

    The particles move by ancestral sampling with the composed score, their noise of variance
    v = sigma^2 / c with c the density's `exponent` (1 over a background, k for the simple product
    of k): that of q^sigma far up. Their weights mend what that path gets wrong:

    ``"interaction"``  d log w = I dv as v falls, by the trapezoidal rule: scores alone. Exact as
                       the steps become fine (Feynman-Kac; Skreta et al. 2025). Where c is not 1
                       the Laplacian of log q joins in, exactly: in closed form for Gaussian
                       mixtures; other parts pay one derivative of their score a coordinate.
    ``"density"``      the ratio of target and proposal, q(x_low) L(x_high | x_low) over
                       q(x_high) K(x_low | x_high), with L the noising and K the step that was
                       taken: exact at any number of steps down to the last level > 0 (weighted
                       means are consistent, and exp(log_z) is unbiased). Needs a log density. Its
                       weights have a noise of their own, which falls with the number of steps.

    Where the effective sample size falls below `threshold` of n, the particles are resampled.

    Args:
        density: for "interaction" a Composition; for "density" any with `log_prob`.
        sigmas: (steps + 1,), strictly decreasing, e.g. from `sigma_grid`.
        resampling: "systematic" or "stratified". threshold: in [0, 1]; 0 never resamples.
        adaptive: in [0, 1), the smallest effective share that one step may leave of any weighted
            particles (Zhou, Johansen and Aston 2016): a step that would leave less is drawn again
            over half of its length in log sigma. The levels visited are the run's `sigmas`. Steps
            that are kept for how they went are biased, by less with more particles; and of
            "interaction" weights the share shows how they vary, not how wrong a long step is.
        moves, kernel: moves of a Markov kernel at each level > 0, after resampling, and as many
            before them to adapt the step; see `annealed_mcmc`. They keep q^sigma, so the weights
            stay right. None: one, at the levels where particles were resampled, if the density has
            a log density and the kernel is not "ula", which keeps it only nearly.
        generator, start, keep_path, progress: as for `reverse_diffusion`. `start` counts as
            exact for the first level; the default N(0, sigmas[0]^2 / c I) is corrected for by
            "density", so that log_z is then the log normaliser itself.

    Returns a ParticleRun. Raises ValueError for a bad argument, or naming the noise level where
    particles run off or weights are no longer finite; warns as `reverse_diffusion`, and where all
    particles end as descendants of one.
    """
    _check.source("generator", generator)
    if not isinstance(density, Density):
        raise ValueError(f"density must be a Density, got {density!r}")
    n = _check.count("n", n, 2)
    sigmas = levels(sigmas, density)
    _check.choice("weights", weights, tuple(WEIGHTS))
    if weights == "interaction" and not isinstance(density, Composition):
        raise ValueError(f"density must be a Composition for weights='interaction', got {density}")
    _check.choice("resampling", resampling, SCHEMES)
    threshold = _check.number("threshold", threshold)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must lie in [0, 1], got {threshold:g}")
    adaptive = 0.0 if adaptive is None else _check.number("adaptive", adaptive)
    if not 0 <= adaptive < 1:
        raise ValueError(f"adaptive must lie in [0, 1), got {adaptive:g}")
    moving = _Moves(density, moves, kernel)
    x = initial(density, n, sigmas[0], start, generator)
    warn_if_not_normalisable(density, sigmas)

    way = WEIGHTS[weights](density)
    high = float(sigmas[0])
    seen = way.see(x, high)
    ledger = Ledger(way.first(x, high, seen[1]) if start is None else x.new_zeros(n))
    visited, path = [high], []

    def settle(x: Tensor, seen: Seen, gain: Tensor | None) -> tuple[Tensor, Seen]:
        """Weigh the particles at the last level visited; resample and move them if it is time."""
        sigma, first = visited[-1], gain is None
        size = ledger.gain(gain)
        if not math.isfinite(size):
            raise ValueError(
                f"density must give its particles finite weights, but at sigma = {sigma:.3g} they "
                f"are not: its {way.known_as} is NaN or infinite there"
            )
        again = size < threshold * n and sigma > 0
        if again:
            chosen = ledger.resample(resampling, generator)
            x, seen = x[chosen], (seen[0][chosen], seen[1][chosen])
        if sigma > 0 and moving.now(x, sigma, again, first):
            x = moving.run(x, sigma, generator)
            seen = way.see(x, sigma)
        if keep_path:
            path.append(x)
        return x, seen

    x, seen = settle(x, seen, None)
    for wanted in progress_bar(sigmas[1:].tolist(), f"SMC ({weights})", progress):
        ahead = [(wanted, 0)]  # and how often the step to it was halved
        while ahead:
            low, halvings = ahead.pop()
            there, seen_there, gain = way.step(x, seen, high, low, generator)
            divisible = adaptive and low > 0 and halvings < _MOST_HALVINGS
            if divisible and conditional_share(ledger.log_weights, gain) < adaptive:
                ahead += [(low, halvings + 1), (math.sqrt(high * low), halvings + 1)]
                continue
            high = low
            visited.append(low)
            x, seen = settle(there, seen_there, gain)
    samples = settled(density, x, high, torch.softmax(ledger.log_weights, 0))
    if len(visited) > len(sigmas):
        sigmas = torch.tensor(visited, dtype=torch.float64, device=sigmas.device)
    kept = shaped(density, torch.stack(path)) if keep_path else None
    return ledger.run(samples, sigmas, way.evaluations + moving.evaluations, kept)


class _Moves:
    """Moves of a Markov kernel, at every level but the first or where particles were resampled."""

    def __init__(self, density: Density, moves: int | None, kernel: str):
        self.density = density
        self.everywhere = moves is not None
        _check.choice("kernel", kernel, KERNELS)
        if moves is None:
            moves = 0 if kernel == "ula" else 1
        moves = _check.count("moves", moves, 0)
        self.chains = Chains(kernel, moves, moves) if moves else None

    @property
    def evaluations(self) -> int:
        return 0 if self.chains is None else self.chains.evaluations

    def now(self, x: Tensor, sigma: float, resampled: bool, first: bool) -> bool:
        if self.chains is None:
            return False
        return not first if self.everywhere else resampled and self._known(x, sigma)

    def run(self, x: Tensor, sigma: float, generator) -> Tensor:
        target = at_level(self.density, sigma, self.chains.kernel == "ula")
        return self.chains.run(target, x, generator, f" at sigma = {sigma:.3g}").state.x

    def _known(self, x: Tensor, sigma: float) -> bool:
        """Whether the density has a log density; where not, nothing is ever moved."""
        try:
            self.density.log_prob(x[:1], sigma)
        except ValueError:
            self.chains = None
        return self.chains is not None
