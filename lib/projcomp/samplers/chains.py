"""Many chains at one target: a kernel, its step size, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from projcomp import _check
from projcomp.samplers import kernels
from projcomp.samplers.convergence import effective_samples
from projcomp.samplers.kernels import KERNELS, TARGET_ACCEPTANCE, State, Target

__all__ = ["Chains", "Leg", "effective_samples"]

_GAIN = 1.5
_FIRST_STEP = {"ula": 0.5, "mala": 1.0, "hmc": 0.5}
"""In units of 1 / (root mean square score), the length scale of the density."""
_REFUSED = 0.05
"""Mean acceptance of a first move below which its step is too long to begin with."""
_SHRINK, _MOST_TRIES = 4.0, 300
_OVERSHOT = 0.001
"""Share of the moves of ULA that may be unstable before its own step is shortened."""
_LARGEST_STEP = 1e100


@dataclass(frozen=True, eq=False, repr=False)
class Leg:
    """Moves of all chains at one target: where they end, and what was found on the way.

    draws: (moves, n, dim), after each move that counts.
    """

    state: State
    draws: Tensor
    acceptance: float
    step: float

    def __repr__(self):
        moves, n, dim = self.draws.shape
        return f"Leg({moves} moves of {n} chains in R^{dim})"


class Chains:
    """A kernel that carries its relative step size from one target to the next.

    Where the first move of all is next to never accepted, as when the chains stand in a mode and
    their scores say nothing of its width, the step is shrunk until it is; where there is no burn-in
    to adapt it, at every target. ULA's step is halved after moves that overshoot. A step that was
    given and is not adapted stays as it is.

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
        self.adapts = self.wanted is not None and self.burn_in > 0
        self.given = step is not None
        self.cost = leapfrog if kernel == "hmc" else 1
        self.evaluations = 0

    def run(self, target: Target, x: Tensor, generator, place: str = "") -> Leg:
        """burn_in + moves moves of the chains that stand at x: (n, dim).

        place: where that is, for the error that the density is not known there.
        """
        state = self._begin(target, x, place)
        size = float(state.score.square().mean().sqrt())
        scale = min(1.0 / size, _LARGEST_STEP) if size > 0 else 1.0
        draws, accepted = [], 0.0
        for number in range(self.burn_in + self.moves):
            if number == 0:
                state, taken, scale = self._first(state, target, scale, generator)
            else:
                state, taken = self.move(state, target, self.relative * scale, generator)
            if self.wanted is None and not self.given and float(taken.mean()) < 1.0 - _OVERSHOT:
                scale /= _SHRINK**0.5
            if number >= self.burn_in:
                draws.append(state.x)
                accepted += float(taken.mean()) / self.moves
            elif self.wanted is not None:
                change = 2.718281828459045 ** (_GAIN * (float(taken.mean()) - self.wanted))
                self.relative = min(self.relative * change, _LARGEST_STEP)
        self.evaluations += 1 + self.cost * (self.burn_in + self.moves)
        return Leg(state, torch.stack(draws), accepted, self.relative * scale)

    def _first(self, state: State, target: Target, scale: float, generator):
        """The first move, what was accepted, and the length scale at which it was."""
        wanted = 0.9 if self.wanted is None else self.wanted
        enough = min(_REFUSED, wanted)
        if self.evaluations if self.adapts else self.given:
            enough = 0.0
        for tries in range(_MOST_TRIES):
            step = self.relative * scale
            there, taken = self.move(state, target, step, generator)
            self.evaluations += self.cost if tries else 0
            likely = taken
            if self.kernel == "ula":
                log_ratio = kernels.langevin_log_ratio(state, there, step)
                likely = taken * log_ratio.clamp(max=0.0).exp()
            if float(likely.mean()) >= enough:
                break
            scale, enough = scale / _SHRINK, wanted
        return there, taken, scale

    def _begin(self, target: Target, x: Tensor, place: str) -> State:
        state = kernels.begin(target, x)
        if state.log_prob is None and self.kernel != "ula":
            raise ValueError(
                f"kernel '{self.kernel}' needs a log density, and this density is known by its "
                "score alone; 'ula' works from scores"
            )
        known = kernels.known(state)
        if known is not None and not bool(known.all()):
            raise ValueError(
                "density must have a finite score, and a log density that is a number below "
                f"infinity, where its chains start{place}: not so at {int((~known).sum())} of "
                f"{len(x)} points"
            )
        return state
