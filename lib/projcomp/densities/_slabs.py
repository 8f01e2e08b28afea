"""Points that differ from one picture in few coordinates: products with those coordinates only.

Pictures of one object on the same floor are such points. They are cut into slabs of consecutive
points, and of each slab only the coordinates are kept in which one of its points differs from the
reference. Nothing is approximated: what is left out is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp._modes import keepable
from projcomp._text import Brief

_LEAST, _MOST_POINTS = 1 << 14, 1 << 14
"""Fewer entries than _LEAST are not worth it; more points than _MOST_POINTS are not looked at."""
_LOOKED_AT = 255
_SLAB = 2000
"""What another slab costs, in entries of a matrix."""
_SQUARES = 1 << 19
"""Entries of points whose squares are held at a time."""
_LONG, _SEVERAL, _BLOCK = 512, 16, 512
"""From _LONG coordinates and _SEVERAL sums on, sums of points are fastest by rows, _BLOCK points at
a time."""


@dataclass(frozen=True, repr=False)
class Slab(Brief):
    """Points start:stop, less the reference, at `columns`: values (stop - start, C)."""

    start: int
    stop: int
    columns: Tensor
    values: Tensor


@dataclass(frozen=True, repr=False)
class Slabs(Brief):
    """Points (N, n) as reference (n,) + slabs."""

    reference: Tensor
    slabs: tuple[Slab, ...]

    def half_squares(self, less: float = 0.0) -> Tensor:
        """|p - reference|^2 / 2 - less of each point, (N,)."""
        return torch.cat([half_squares(slab.values, less) for slab in self.slabs])

    def products(self, offset: Tensor, heights: Tensor) -> Tensor:
        """(p - reference) . offset - heights of each point: offset (n, B) to (N, B)."""
        parts = [
            torch.addmm(heights[s.start : s.stop, None], s.values, offset[s.columns], beta=-1.0)
            for s in self.slabs
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def add_mean(self, total: Tensor, share: Tensor) -> Tensor:
        """total (n, B) plus sum_j share_j (p_j - reference); share (N, B)."""
        add = torch.Tensor.index_add
        for s in self.slabs:
            none = share.new_zeros((len(s.columns), share.shape[1]))
            total = add(total, 0, s.columns, plus_mean(none, s.values, share[s.start : s.stop]))
            if keepable(total, share):  # a tensor of our own now
                add = torch.Tensor.index_add_
        return total

    def to(self, device) -> Slabs:
        moved = [
            Slab(s.start, s.stop, s.columns.to(device), s.values.to(device)) for s in self.slabs
        ]
        return Slabs(self.reference.to(device), tuple(moved))


def half_squares(points: Tensor, less: float = 0.0) -> Tensor:
    """|p|^2 / 2 - less of each row, (N,), with no temporary of the size of `points`.

    `less` is taken off term by term: what is close to it keeps its digits. It is 0 for no columns.
    """
    each = 2 * less / max(1, points.shape[1])
    size = max(1, _SQUARES // max(1, points.shape[1]))
    found, squares = points.new_empty(len(points)), torch.empty_like(points[:size])
    for rows, part in zip(points.split(size), found.split(size), strict=True):
        terms = torch.mul(rows, rows, out=squares[: len(rows)]).sub_(each)
        torch.sum(terms, 1, out=part)
    return found.mul_(0.5)


def plus_mean(total: Tensor, points: Tensor | Slabs, share: Tensor) -> Tensor:
    """total (n, B) + sum_j share_j points_j; points (N, n), share (N, B)."""
    if isinstance(points, Slabs):
        return points.add_mean(total, share)
    dim, batch = total.shape
    if dim < _LONG or not _SEVERAL <= batch <= dim:
        return torch.addmm(total, points.T, share)
    total, own = total.T, None
    for rows, part in zip(points.split(_BLOCK), share.split(_BLOCK), strict=True):
        total = torch.addmm(total, part.T, rows, out=own)
        own = total if keepable(total, share) else None
    return total.T


def slabs_of(points: Tensor) -> Slabs | None:
    """The slabs of points (N, n); None where they would keep more than half of the entries."""
    if points.numel() < _LEAST or len(points) > _MOST_POINTS:
        return None
    step = max(1, len(points) // _LOOKED_AT)
    reference = points[::step].median(0).values
    differs = points != reference
    if int(differs.count_nonzero()) > 0.5 * points.numel():
        return None
    slabs, kept = [], 0
    for start, stop in _cuts(differs.cpu().numpy()):
        columns = differs[start:stop].any(0).nonzero()[:, 0]
        slabs.append(Slab(start, stop, columns, points[start:stop, columns] - reference[columns]))
        kept += slabs[-1].values.numel()
    return Slabs(reference, tuple(slabs)) if kept <= 0.5 * points.numel() else None


def _cuts(differs) -> list[tuple[int, int]]:
    """Where to cut: a point joins the slab before it unless one of its own is cheaper."""
    cuts, start, union = [], 0, differs[0]
    width = int(union.sum())
    for index in range(1, len(differs)):
        wider = union | differs[index]
        joined = int(wider.sum())
        count, alone = index - start, int(differs[index].sum())
        if (count + 1) * joined - count * width > alone + _SLAB:
            cuts.append((start, index))
            start, wider, joined = index, differs[index], alone
        union, width = wider, joined
    return [*cuts, (start, len(differs))]
