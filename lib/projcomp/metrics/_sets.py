"""What the distances do with their arguments first."""

from __future__ import annotations

import math

from torch import Tensor

from projcomp import _check


def bounded(name: str, value) -> Tensor:
    """`value` as a float64 tensor on the CPU, without derivatives, of at most 1e100."""
    tensor = _check.real(name, value).detach().cpu()
    if (largest := _check.largest(tensor)) > _check.LARGEST:
        raise ValueError(f"{name} must be at most {_check.LARGEST:g} in magnitude, got {largest:g}")
    return tensor


def pair(x, y) -> tuple[Tensor, Tensor]:
    """Two sample sets (m, n) and (l, n)."""
    x, y = bounded("x", x), bounded("y", y)
    if x.ndim != 2 or y.ndim != 2 or 0 in x.shape or 0 in y.shape or x.shape[1] != y.shape[1]:
        raise ValueError(
            f"x and y must be sample sets (m, n) and (l, n), got {tuple(x.shape)} and "
            f"{tuple(y.shape)}"
        )
    return x, y


def in_units(*tensors: Tensor) -> tuple[float, *tuple[Tensor, ...]]:
    """A power of two, and `tensors` divided by it, without a rounding: the largest is about 1."""
    _, exponent = math.frexp(max(map(_check.largest, tensors)))
    unit = math.ldexp(1.0, min(max(exponent, -1000), 1000))
    return unit, *(tensor / unit for tensor in tensors)
