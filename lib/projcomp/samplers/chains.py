"""Many chains at one target: a kernel, its step size, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from projcomp import _check
from projcomp.samplers import kernels
from projcomp.samplers.kernels import KERNELS, TARGET_ACCEPTANCE, State, Target

_GAIN = 1.5
_FIRST_STEP = {"ula": 0.5, "mala": 1.0, "hmc": 0.5}
"""In units of 1 / (root mean square score), the length scale of the density."""


@dataclass(frozen=True)
class Leg:
    """Moves of all chains at one target: where they end, and what was found on the way.

    draws: (moves, n, dim), after each move that counts.
    """

    state: State
    draws: Tensor
    acceptance: float
    step: float


class Chains:
    """A kernel that carries its relative step size from one target to the next.

    Args:
        kernel: "ula", "mala" or "hmc".
        moves, burn_in: moves that count at each target, and before them those that adapt the step
            size towards a target acceptance. It is frozen for the moves that count.
        step: step size in units of 1 / (root mean square score); adapted from there.
        leapfrog: steps of a move of HMC.
        acceptance: target acceptance; for "ula" there is none.
    """

    def __init__(
        self, kernel: str, moves: int, burn_in: int, step=None, leapfrog=5, acceptance=None
    ):
        self.kernel = _check.choice("kernel", kernel, KERNELS)
        self.moves = _check.count("moves", moves)
        self.burn_in = _check.count("burn_in", burn_in, 0)
        leapfrog = _check.count("leapfrog", leapfrog)
        self.relative = _FIRST_STEP[kernel] if step is None else _check.number("step", step)
        if not self.relative > 0:
            raise ValueError(f"step must be > 0, got {self.relative:g}")
        self.wanted = TARGET_ACCEPTANCE.get(kernel)
        if acceptance is not None:
            if kernel == "ula":
                raise ValueError("acceptance must be None for kernel 'ula', which accepts all")
            self.wanted = _check.number("acceptance", acceptance)
            if not 0 < self.wanted < 1:
                raise ValueError(f"acceptance must lie in (0, 1), got {self.wanted:g}")
        self.move = {
            "ula": kernels.ula,
            "mala": kernels.mala,
            "hmc": partial(kernels.hmc, leapfrog=leapfrog),
        }[kernel]
        self.cost = leapfrog if kernel == "hmc" else 1
        self.evaluations = 0

    def run(self, target: Target, x: Tensor, generator) -> Leg:
        """burn_in + moves moves of the chains that stand at x: (n, dim)."""
        state = self._begin(target, x)
        size = float(state.score.square().mean().sqrt())
        scale = 1.0 / size if size > 0 else 1.0
        for _ in range(self.burn_in):
            state, taken = self.move(state, target, self.relative * scale, generator)
            if self.wanted is not None:
                self.relative *= 2.718281828459045 ** (_GAIN * (float(taken.mean()) - self.wanted))
        step, draws, accepted = self.relative * scale, [], 0.0
        for _ in range(self.moves):
            state, taken = self.move(state, target, step, generator)
            draws.append(state.x)
            accepted += float(taken.mean()) / self.moves
        self.evaluations += 1 + self.cost * (self.burn_in + self.moves)
        return Leg(state, torch.stack(draws), accepted, step)

    def _begin(self, target: Target, x: Tensor) -> State:
        state = kernels.begin(target, x)
        if state.log_prob is None and self.kernel != "ula":
            raise ValueError(
                f"kernel '{self.kernel}' needs a log density, and this density is known by its "
                "score alone; 'ula' works from scores"
            )
        return state


def effective_samples(draws: Tensor) -> float:
    """Effective sample size of draws (m, n, dim), m moves of n independent chains.

    n m / tau with tau = 1 + 2 sum_t (1 - t/m) rho_t, the autocorrelations rho_t taken over all
    chains about their common mean, summed while pairs of them stay positive (Geyer 1992); the
    worst coordinate counts. For one level of an annealed run m is small, and n makes it precise.
    """
    draws = _check.real("draws", draws)
    if draws.ndim != 3 or 0 in draws.shape:
        raise ValueError(f"draws must have shape (moves, n, dim), got {tuple(draws.shape)}")
    m, n, _ = draws.shape
    centred = draws - draws.mean((0, 1))
    variance = centred.square().mean((0, 1)).clamp(min=1e-300)
    tau = torch.ones_like(variance)
    growing = torch.ones_like(variance, dtype=torch.bool)
    for first in range(1, m, 2):
        pair = torch.zeros_like(variance)
        for lag in range(first, min(first + 2, m)):
            rho = (centred[lag:] * centred[:-lag]).mean((0, 1)) / variance
            pair += 2.0 * (1.0 - lag / m) * rho
        growing &= pair > 0
        if not bool(growing.any()):
            break
        tau += torch.where(growing, pair, 0.0)
    return float(n * m / tau.max())
