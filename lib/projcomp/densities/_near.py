"""Squared distances without cancellation, where expanded ones would lose their digits.

|x - p|^2 is expanded about one centre, which makes it a matrix product. Where the points lie far
apart for the noise level (clusters at 0 and at 1e8, say) its rounding is larger than the distances
that decide. There each x gets an anchor, its nearest point r, and of the points that can matter the
distances are taken from it: |x - p|^2 - |x - r|^2 = |p - r|^2 - 2 (x - r).(p - r).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp._modes import mapped, values
from projcomp._text import Brief

_ROUNDING = 8 * torch.finfo(torch.float64).eps
_SHARP, _SHARP_HIGH, _LOW = 1e-10, 4e-9, 64
"""Largest bound on the error of a log share that is left alone (the error itself is far below): up
to _LOW dimensions, where looking closely costs next to nothing, and above."""
_SINGLE = 4e-8
"""The same of a log density, where one point has all the share."""
_NEGLIGIBLE = 38.0
"""exp(-38) is less than 2^-54."""


@dataclass(frozen=True, repr=False)
class Near(Brief):
    """Pairs that can have a share, points[rows] with x[columns]; and each x's anchor, (B, n)."""

    points: Tensor
    rows: Tensor
    columns: Tensor
    anchor: Tensor
    best: Tensor

    def _gaps(self):
        """p - r of the pairs, so many at a time that they are no larger than the points."""
        size = max(len(self.points), len(self.anchor))
        for row, column in zip(self.rows.split(size), self.columns.split(size), strict=True):
            yield row, column, self.points[row] - self.anchor[column]

    def products(self, x: Tensor) -> Tensor:
        """(|x - r|^2 - |x - p|^2) / 2 of each pair: x (n, B) to (M,)."""
        offset = x.T - self.anchor
        parts = [(gap * (offset[b] - 0.5 * gap)).sum(1) for _, b, gap in self._gaps()]
        return torch.cat(parts)

    def mean(self, share: Tensor) -> Tensor:
        """sum_j share_j (p_j - r) over the pairs: share (N, B) to (n, B)."""
        total = torch.zeros_like(self.anchor)
        for row, column, gap in self._gaps():
            total = total.index_add(0, column, share[row, column][:, None] * gap)
        return total.T


def window(count: int) -> float:
    """So far below the top in their log share `count` points have at most 2^-54 together."""
    return _NEGLIGIBLE + math.log(count)


def near(points, lengths, squares, products, precision, log_weights, rows=None) -> Near | None:
    """What must be looked at closely; None where the expanded squares are good enough.

    points: (N, n), or more, of which `rows` are meant. lengths: (N,) |q| about the centre. squares:
    (B,) |offset|^2 of x from it. products: (N, B) q . offset - |q|^2 / 2, plus any constant.
    precision: 1 / sigma^2, () or (B,).
    """
    precise, away = values(precision), values(squares).sqrt()
    reach = float(lengths.max())
    worst = _ROUNDING * reach * (reach + away) * precise
    low = points.shape[1] <= _LOW
    if not bool((worst > (_SHARP if low else _SHARP_HIGH)).any()):
        return None
    logs = products.detach() * precision.detach() + log_weights[:, None]
    best = logs.argmax(0)
    if mapped(squares, precision):  # nothing can be decided by values: every pair
        mask = torch.ones(logs.shape, dtype=torch.bool, device=logs.device)
    else:
        mask = _candidates(values(logs), lengths[:, None], away, precise)
        single = not low and mask.shape[1] == int(mask.sum())
        if single and bool((worst < _SINGLE).all()):
            return None  # one point each: its share is one, whatever the rounding
    points = points.to(mask.device)
    points = points if rows is None else points[rows]
    return Near(points, *mask.nonzero().T, points[best], best)


def _candidates(logs: Tensor, lengths: Tensor, away: Tensor, precise: Tensor) -> Tensor:
    """Which points can have a share in each x, given how wrong the logs may be: (N, B) bool."""
    bound = _ROUNDING * lengths * (lengths + away) * precise
    lower = (logs - bound).nan_to_num(-math.inf, -math.inf, -math.inf).amax(0)
    return (logs + bound > lower - window(len(logs))) & (logs > -math.inf)
