"""Sums and distances in twice the digits of float64: a value is a pair of tensors, hi + lo.

By exact transformations (Dekker 1971; Knuth, TAOCP 2, 4.2.2), for values between about 1e-140
and 1e140.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SPLIT = 2.0**27 + 1


def add(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """a + b, and its rounding."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def multiply(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """a * b, and its rounding."""
    product = a * b
    (a, a_low), (b, b_low) = _halves(a), _halves(b)
    return product, ((a * b - product) + a * b_low + a_low * b) + a_low * b_low


def _halves(a: Tensor) -> tuple[Tensor, Tensor]:
    scaled = _SPLIT * a
    high = scaled - (scaled - a)
    return high, a - high


def sum_of(hi: Tensor, lo: Tensor) -> tuple[Tensor, Tensor]:
    """The sum over the first axis, by halves."""
    while len(hi) > 1:
        half, odd = divmod(len(hi), 2)
        total, rounding = add(hi[:half], hi[half : 2 * half])
        rest = lo[:half] + lo[half : 2 * half] + rounding
        hi = torch.cat([total, hi[-1:]]) if odd else total
        lo = torch.cat([rest, lo[-1:]]) if odd else rest
    return hi[0], lo[0]


def distance(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """|x - y| between one point (n, 1) and points (n, m): (m,)."""
    gap, rounding = add(x, -y)
    square, rest = multiply(gap, gap)
    square, rest = sum_of(square, rest + 2 * gap * rounding)
    root = square.sqrt()
    again, low = multiply(root, root)
    correction = ((square - again) - low + rest) / (2 * root)
    return root, torch.where(root > 0, correction, 0.0)
