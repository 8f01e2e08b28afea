"""Markov kernels: one move of every chain, on any target.

A target is a function of points (n, dim) that gives log density (n,), up to a constant, and score
(n, dim). A kernel takes a state and gives a new one, and the acceptance of each chain; nothing is
changed in place. Step sizes are lengths. Where a move leads out of reach, the chain stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities._draw import normal_like

KERNELS = ("ula", "mala", "hmc")
TARGET_ACCEPTANCE = {"mala": 0.574, "hmc": 0.8}
"""Near the best for many dimensions (Roberts and Rosenthal 1998; Betancourt et al. 2014)."""

_UNSTABLE = 10.0
"""For moves of ULA: MALA would accept them with a probability below exp(-10 dim)."""
_QUIET = (8.0 * _UNSTABLE) ** 0.5
"""While step |s| is below this in every coordinate, no move is so."""

Target = Callable[[Tensor], tuple[Tensor | None, Tensor]]


@dataclass(frozen=True, eq=False, repr=False)
class State:
    """Points (n, dim) with their log densities (n,), None where not known, and scores (n, dim)."""

    x: Tensor
    log_prob: Tensor | None
    score: Tensor

    def __repr__(self):
        n, dim = self.x.shape
        return f"State({n} points in R^{dim})"


def begin(target: Target, x: Tensor) -> State:
    """The state at x."""
    return State(x, *target(x))


def ula(state: State, target: Target, step: float, generator) -> tuple[State, Tensor]:
    """Unadjusted Langevin: x + step^2 s / 2 + step xi. Needs scores alone; biased by its step."""
    noise = normal_like(state.x, generator)
    x = state.x + _half_square(step) * state.score + step * noise
    there, stands = _propose(target, x, state)
    if step * _check.largest(there.score) > _QUIET:
        stands = _both(stands, ~_unstable(state, there, noise, step))
    if stands is None:
        return there, noise.new_ones(len(noise))
    return _choose(stands, there, state), stands.to(noise.dtype)


def _unstable(state: State, there: State, noise: Tensor, step: float) -> Tensor:
    """Where a move of ULA overshoots: (n,).

    On a Gaussian with standard deviations above step / 2, where ULA is stable, the drift obeys
    step |s(y)| <= step |s(x)| + 4 |noise|. Overshooting moves break that, and lead to where MALA
    would never go.
    """
    after, before = (step * torch.linalg.vector_norm(s.score, dim=-1) for s in (there, state))
    calm = after <= before + 4.0 * torch.linalg.vector_norm(noise, dim=-1)
    return ~(calm | (langevin_log_ratio(state, there, step) >= -_UNSTABLE * noise.shape[1]))


def langevin_log_ratio(state: State, there: State, step: float) -> Tensor:
    """log of MALA's acceptance ratio from scores alone, (n,), by the trapezoidal rule.

    With log q(y) - log q(x) = (s(x) + s(y)) . (y - x) / 2 the proposals cancel all but
    step^2 (|s(x)|^2 - |s(y)|^2) / 8. Exact on a Gaussian.
    """
    before, after = ((step * s).square().sum(-1) for s in (state.score, there.score))
    return 0.125 * (before - after)


def mala(state: State, target: Target, step: float, generator) -> tuple[State, Tensor]:
    """Metropolis-adjusted Langevin (Roberts and Tweedie 1996): exact, needs a log density."""
    noise = normal_like(state.x, generator)
    x = state.x + _half_square(step) * state.score + step * noise
    there, stands = _propose(target, x, state)
    back = (state.x - there.x - _half_square(step) * there.score) / step
    log_ratio = there.log_prob - state.log_prob
    log_ratio = log_ratio + 0.5 * (noise.square().sum(-1) - back.square().sum(-1))
    return _accept(state, there, log_ratio, stands, generator)


def hmc(
    state: State, target: Target, step: float, generator, leapfrog: int
) -> tuple[State, Tensor]:
    """Hamiltonian Monte Carlo (Duane et al. 1987) with unit masses and `leapfrog` steps.

    A trajectory that leaves what can be reached on its way is rejected at its end.
    """
    momentum = normal_like(state.x, generator)
    before = state.log_prob - 0.5 * momentum.square().sum(-1)
    there, velocity, stands = state, momentum, None
    for _ in range(leapfrog):
        half = velocity + 0.5 * step * there.score
        there, stood = _propose(target, there.x + step * half, state)
        velocity, stands = half + 0.5 * step * there.score, _both(stands, stood)
    after = there.log_prob - 0.5 * velocity.square().sum(-1)
    return _accept(state, there, after - before, stands, generator)


def _accept(
    state: State, there: State, log_ratio: Tensor, stands: Tensor | None, generator
) -> tuple[State, Tensor]:
    """Metropolis-Hastings, with a uniform number of its own for each chain."""
    uniform = torch.rand(
        log_ratio.shape, generator=generator, dtype=log_ratio.dtype, device=log_ratio.device
    )
    log_ratio = log_ratio.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    if stands is not None:
        log_ratio = torch.where(stands, log_ratio, -torch.inf)
    taken = uniform.log() < log_ratio
    return _choose(taken, there, state), log_ratio.clamp(max=0.0).exp()


def _choose(taken: Tensor, there: State, here: State) -> State:
    """`there` for the chains in `taken`, (n,), and `here` for the others."""
    column = taken[:, None]
    return State(
        torch.where(column, there.x, here.x),
        None if there.log_prob is None else torch.where(taken, there.log_prob, here.log_prob),
        torch.where(column, there.score, here.score),
    )


def _half_square(step: float) -> float:
    return 0.5 * min(step, 1e150) ** 2  # of a float, which raises where it overflows


# -- what can't be stood on ------------------------------------------------------------------------


def _propose(target: Target, x: Tensor, home: State) -> tuple[State, Tensor | None]:
    """The state at x, and (n,) where a chain can stand; None for everywhere.

    Not at points that are not finite or beyond the largest coordinate, nor where the log density
    is NaN or +inf or the score not finite. There the target is asked at `home`, and that is the
    answer.
    """
    stands = _within(x, _check.LARGEST)
    safe = x if stands is None else torch.where(stands[:, None], x, home.x)
    try:
        there = begin(target, safe)
    except ValueError:  # of a target that can't look at some of the points
        stands = _both(stands, _within(x, _check.LARGEST**0.5))
        safe = x if stands is None else torch.where(stands[:, None], x, home.x)
        stands = _both(stands, _asked(target, safe))
        there = begin(target, torch.where(stands[:, None], x, home.x))
    stands = _both(stands, known(there))
    return (there if stands is None else _choose(stands, there, home)), stands


def known(state: State) -> Tensor | None:
    """Where the score is finite, and the log density a number below infinity: (n,), or None."""
    parts = [state.score] if state.log_prob is None else [state.score, state.log_prob]
    if all(math.isfinite(_check.largest(part)) for part in parts):
        return None
    found = state.score.isfinite().all(-1)
    return found if state.log_prob is None else found & (state.log_prob < torch.inf)


def _both(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """Where both hold; None is everywhere."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _within(x: Tensor, bound: float) -> Tensor | None:
    return None if _check.largest(x) <= bound else (x.abs() <= bound).all(-1)


def _asked(target: Target, x: Tensor) -> Tensor:
    """Which of the points, (n,), the target answers to: by halves, down to single ones."""
    try:
        target(x)
    except ValueError:
        if len(x) == 1:
            return x.new_zeros(1, dtype=torch.bool)
        return torch.cat([_asked(target, half) for half in x.tensor_split(2)])
    return x.new_ones(len(x), dtype=torch.bool)
