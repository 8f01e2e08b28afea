"""Markov kernels: one move of every chain, on any target.

A target is a function of points (n, dim) that gives log density (n,), up to a constant, and score
(n, dim). A kernel takes a state and gives a new one; nothing is changed in place. Step sizes are
lengths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

KERNELS = ("ula", "mala", "hmc")
TARGET_ACCEPTANCE = {"mala": 0.574, "hmc": 0.8}
"""Near the best for many dimensions (Roberts and Rosenthal 1998; Betancourt et al. 2014)."""

Target = Callable[[Tensor], tuple[Tensor | None, Tensor]]


@dataclass(frozen=True)
class State:
    """Points (n, dim) with their log densities (n,), None where not known, and scores (n, dim)."""

    x: Tensor
    log_prob: Tensor | None
    score: Tensor


def begin(target: Target, x: Tensor) -> State:
    """The state at x."""
    return State(x, *target(x))


def ula(state: State, target: Target, step: float, generator) -> tuple[State, Tensor]:
    """Unadjusted Langevin: x + step^2 s / 2 + step xi. Needs scores alone; biased by its step."""
    x = state.x + 0.5 * step**2 * state.score + step * _normal(state.x, generator)
    return begin(target, x), state.x.new_ones(len(state.x))


def mala(state: State, target: Target, step: float, generator) -> tuple[State, Tensor]:
    """Metropolis-adjusted Langevin (Roberts and Tweedie 1996): exact, needs a log density."""
    noise = _normal(state.x, generator)
    there = begin(target, state.x + 0.5 * step**2 * state.score + step * noise)
    back = (state.x - there.x - 0.5 * step**2 * there.score) / step
    log_ratio = there.log_prob - state.log_prob
    log_ratio = log_ratio + 0.5 * (noise.square().sum(-1) - back.square().sum(-1))
    return _accept(state, there, log_ratio, generator)


def hmc(
    state: State, target: Target, step: float, generator, leapfrog: int
) -> tuple[State, Tensor]:
    """Hamiltonian Monte Carlo (Duane et al. 1987) with unit masses and `leapfrog` steps."""
    momentum = _normal(state.x, generator)
    before = state.log_prob - 0.5 * momentum.square().sum(-1)
    there, velocity = state, momentum
    for _ in range(leapfrog):
        half = velocity + 0.5 * step * there.score
        there = begin(target, there.x + step * half)
        velocity = half + 0.5 * step * there.score
    after = there.log_prob - 0.5 * velocity.square().sum(-1)
    return _accept(state, there, after - before, generator)


def _accept(state: State, there: State, log_ratio: Tensor, generator) -> tuple[State, Tensor]:
    """Metropolis-Hastings, with a uniform number of its own for each chain."""
    uniform = torch.rand(
        log_ratio.shape, generator=generator, dtype=log_ratio.dtype, device=log_ratio.device
    )
    taken = uniform.log() < log_ratio
    column = taken[:, None]
    new = State(
        torch.where(column, there.x, state.x),
        torch.where(taken, there.log_prob, state.log_prob),
        torch.where(column, there.score, state.score),
    )
    return new, log_ratio.clamp(max=0.0).exp()


def _normal(like: Tensor, generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype, device=like.device)
