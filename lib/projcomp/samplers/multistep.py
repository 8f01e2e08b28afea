"""Exponential multistep integrators: steps that look back on earlier denoised means.

With l = -log sigma the probability-flow ODE is dx/dl = D - x, D the denoised mean, and the reverse
SDE dx = 2 (D - x) dl + noise. So from noise level s to t, with rate a = 1 or 2 and h = log(s/t),

    x_t = e^(-a h) x_s + integral over u in [-h, 0] of a e^(a u) D(u) du + noise,

exactly. D is replaced by the polynomial through the last few of them: the order is their number.
With the integral taken exactly that is DEIS (Zhang and Chen 2023) for the ODE and SA-Solver (Xue et
al. 2023) for the SDE; with D at the middle of the step and two means, DPM-Solver++(2M) and its SDE
(Lu et al. 2022), which is of the same order and overshoots less where steps are long.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

_KNOTS, _GAUSS = np.polynomial.legendre.leggauss(64)
_LONGEST = 40.0
"""log(s / t) of a step over which no polynomial is drawn out: it takes the last mean alone."""
_MOST = 7.0 + 1e-9
"""Most that a step may make of errors in the means it knows, as the sum of its weights' sizes.

Over levels of equal ratio three of them have between 11/3 and 7, however long the steps.
"""


@dataclass(frozen=True)
class Scheme:
    """order: how many denoised means a step looks back on. rate: 1 for the ODE, 2 for the SDE.

    corrects: whether a particle is put right once its own denoised mean is known, at no further
    evaluation (UniPC; Zhao et al. 2023). middle: whether the polynomial counts by its value at the
    middle of the step, instead of its average.
    """

    order: int
    rate: int = 1
    corrects: bool = False
    middle: bool = False


@dataclass(frozen=True)
class Step:
    """x at one noise level carried to another, without the noise of an SDE's step.

    ratio: how much of x is kept. weights: of the denoised means, the newest first; they sum to one.
    """

    ratio: float
    weights: tuple[float, ...]

    def __call__(self, x: Tensor, means: Sequence[Tensor]) -> Tensor:
        mean = means[0]
        if len(self.weights) > 1:
            mean = sum(w * m for w, m in zip(self.weights, means, strict=False))
        return mean + self.ratio * (x - mean)


def plan(sigmas: list[float], scheme: Scheme) -> list[tuple[float, float, Step | None, Step]]:
    """For every step from one level to the next: both, and how its start is put right and goes on.

    A start that is not put right has None for the first.
    """
    steps: list[tuple[float, float, Step | None, Step]] = []
    for i, (high, low) in enumerate(itertools.pairwise(sigmas)):
        known = sigmas[i::-1]
        # While there is little to look back on, a first-order step would cost the third order.
        corrects = scheme.corrects or (i < scheme.order - 1 and scheme.rate == 1)
        correction = None
        if corrects and i:
            correction = step(known[: scheme.order + 1], known[1], high)
        forward = step(known[: scheme.order], high, low, scheme.rate, scheme.middle)
        steps.append((high, low, correction, forward))
    return steps


def step(known: list[float], high: float, low: float, rate: int = 1, middle=False) -> Step:
    """The step from `high` to `low` with the means at the levels `known`, the newest first.

    Of lower order where the weights would be too large; a last step to 0 ends in the last mean.
    """
    ratio = (low / high) ** rate
    length = math.log(high) - math.log(low) if low > 0 else math.inf
    if length > _LONGEST:
        return Step(ratio, (1.0,))
    places = [math.log(low) - math.log(sigma) for sigma in known]
    while len(places) > 1:
        weights = _weights(places, length, rate, middle)
        if sum(map(abs, weights)) <= _MOST:
            return Step(ratio, tuple(weights))
        places.pop()
    return Step(ratio, (1.0,))


def _weights(places: list[float], length: float, rate: int, middle: bool) -> list[float]:
    """What each of the means at `places`, from the step's end on, contributes; they sum to one.

    The average of the polynomial through them, by the weight of each moment of the step.
    """
    if middle:
        u, density = np.array([-0.5 * length]), np.ones(1)
    else:
        u = 0.5 * length * (_KNOTS - 1.0)
        density = _GAUSS * np.exp(rate * u)
        density /= density.sum()
    found = []
    for here in places:
        others = [place for place in places if place != here]
        values = np.prod([(u - other) / (here - other) for other in others], axis=0)
        found.append(float(density @ values))
    return found
