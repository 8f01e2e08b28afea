"""The energy distance between sample sets."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from projcomp.metrics import _twofold
from projcomp.metrics._sets import in_units, pair

_CANCELLED = 1e-6


def energy_distance(x, y) -> float:
    """Szekely's energy distance sqrt(2 E|X-Y| - E|X-X'| - E|Y-Y'|) of the two empirical laws.

    Where the three terms nearly cancel (sets that are almost equal, or share outliers) they are
    summed again in twice the digits, without the points that both sets have: it is right to about
    nine digits, and exactly 0 for one set in two orders.

    x, y: (m, n) and (l, n).
    Raises ValueError for other shapes, and coordinates that are not finite or above 1e100.
    """
    unit, x, y = in_units(*pair(x, y))
    exact = {"compute_mode": "donot_use_mm_for_euclid_dist"}
    between = float(torch.cdist(x, y, **exact).mean())
    within = float(torch.cdist(x, x, **exact).mean() + torch.cdist(y, y, **exact).mean())
    square = 2 * between - within
    if square <= _CANCELLED * between:
        square = _square_of(x, y)
    return math.sqrt(unit) * math.sqrt(max(0.0, square))


def _square_of(x: Tensor, y: Tensor) -> float:
    """The square as one sum over pairs of points, -sum w_i w_j |z_i - z_j|, sum w = 0."""
    whole = math.lcm(len(x), len(y))
    points, place = torch.cat([x, y]).unique(dim=0, return_inverse=True)
    counts = torch.cat(
        [x.new_full((len(x),), whole // len(x)), y.new_full((len(y),), -(whole // len(y)))]
    )
    weights = points.new_zeros(len(points)).index_add(0, place, counts)
    points, weights = points[weights != 0].T.contiguous(), weights[weights != 0]
    terms = []
    for i in range(1, len(weights)):
        hi, lo = _twofold.distance(points[:, i : i + 1], points[:, :i])
        product, rest = _twofold.multiply(hi, weights[:i])
        hi, lo = _twofold.sum_of(product, rest + lo * weights[:i])
        product, rest = _twofold.multiply(hi, weights[i])
        terms += [float(product), float(rest + lo * weights[i])]
    return -2 * math.fsum(terms) / whole**2
