"""Exponential multistep integrators: steps that look back on earlier denoised means.

With l = -log sigma the probability-flow ODE is dx/dl = D - x, D the denoised mean, and the reverse
SDE dx = 2 (D - x) dl + noise. So from noise level s to t, with rate a = 1 or 2 and h = log(s/t),

    x_t = e^(-a h) x_s + integral over u in [-h, 0] of a e^(a u) D(u) du + noise,

exactly. D is replaced by the polynomial through the last few of them: the order is their number.
For the ODE that is the multistep form of DPM-Solver++ (Lu et al. 2022) and DEIS (Zhang and Chen
2023) with its integrals taken exactly; for the SDE that of SA-Solver (Xue et al. 2023).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

_KNOTS, _GAUSS = np.polynomial.legendre.leggauss(64)
_LONGEST = 40.0
"""log(s / t) of a step over which no polynomial is drawn out: it takes the last mean alone."""

History = list[tuple[float, Tensor]]
"""Noise levels and the denoised means found there, the newest first."""


@dataclass(frozen=True)
class Scheme:
    """order: how many denoised means a step looks back on. rate: 1 for the ODE, 2 for the SDE.

    corrects: whether a particle is put right once its own denoised mean is known, at no further
    evaluation (UniPC; Zhao et al. 2023).
    """

    order: int
    rate: int = 1
    corrects: bool = False


def carried(x: Tensor, history: History, high: float, low: float, rate: int = 1) -> Tensor:
    """x at noise level `high` carried to `low`, without the noise of an SDE's step."""
    ratio = (low / high) ** rate
    mean = _mean(history, high, low, rate)
    return mean + ratio * (x - mean)


def _mean(history: History, high: float, low: float, rate: int) -> Tensor:
    """The average of the polynomial through the history, by the weight of each moment of the step.

    A last step to 0 ends in the last mean itself.
    """
    length = math.log(high) - math.log(low) if low > 0 else math.inf
    if len(history) == 1 or length > _LONGEST:
        return history[0][1]
    places = [math.log(low) - math.log(sigma) for sigma, _ in history]
    weights = _weights(places, length, rate)
    return sum(weight * mean for weight, (_, mean) in zip(weights, history, strict=True))


def _weights(places: list[float], length: float, rate: int) -> list[float]:
    """What each of the means at `places`, from the step's end on, contributes; they sum to one."""
    u = 0.5 * length * (_KNOTS - 1.0)
    density = _GAUSS * np.exp(rate * u)
    density /= density.sum()
    found = []
    for here in places:
        others = [place for place in places if place != here]
        values = np.prod([(u - other) / (here - other) for other in others], axis=0)
        found.append(float(density @ values))
    return found
