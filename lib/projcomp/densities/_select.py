"""The points that can have a share in the posterior, found by a product in float32.

At low noise a handful of thousands of points have all of the posterior. Which ones is settled by
distances in float32, together with a bound on how wrong these are; only the points that are left
are looked at in float64. Where the bound leaves too many, nothing is selected.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from projcomp._modes import differentiated, keepable, plainly, transformed, values
from projcomp.densities._near import window
from projcomp.densities._slabs import Slabs

_LEAST, _LEAST_POINTS, _LEAST_DIM = 1 << 20, 512, 256
"""Fewer entries, points or dimensions than these are as fast in float64."""
_SMALL, _LARGE = 1e-8, 1e15
"""Lengths between these have products that float32 holds, with 1e-6 of them to spare."""
_UNIT = 2.0**-24
"""Half the distance from one to the next number of float32."""
_SAMPLE, _HOPEFUL = 64, 1 / 8
"""Points of a first try, and the part of the distances in it that may matter."""
_PIECE, _GROUP = 64, 16
"""Columns of x with one product in float32, and columns whose points are looked at together."""
_MOST, _MOST_COPIED = 1 / 4, 1 / 2
"""The largest part of the points that is copied for a group, and for all groups of a piece."""
_WORTH = 32
"""Columns for which a copy would have been of use before it is made."""

Rows = slice | Tensor
Member = tuple[Rows | None, Tensor]
"""Some of the points, or all, and the log weights of these."""


class Stored(NamedTuple):
    """Points as they are, (N, n), and about a centre (n,), or as slabs; |p - centre|^2 / 2 - level,
    log weights. What is about the centre is of those at `rows` alone, where there are any.
    """

    points: Tensor
    centred: Tensor | Slabs
    centre: Tensor
    heights: Tensor
    log_weights: Tensor
    level: float
    rows: Tensor | None = None
    selection: Selection | None = None

    def to(self, device) -> Stored:
        """There, but for the points as they are: few of them are looked at."""
        return with_selection(self.points, *(part.to(device) for part in self[1:5]), self.level)

    def at(self, rows: Tensor | None) -> Stored:
        """The points of these rows alone; all of them for None."""
        if rows is None:
            return self
        centred, heights, log_weights = (
            part.index_select(0, rows) for part in (self.centred, self.heights, self.log_weights)
        )
        return self._replace(
            centred=centred, heights=heights, log_weights=log_weights, rows=rows, selection=None
        )

    def lengths(self) -> Tensor:
        """|p - centre|: (N,)."""
        return (2 * (self.heights + self.level).clamp(min=0)).sqrt()


def with_selection(points, centred, centre, heights, log_weights, level) -> Stored:
    """`Stored`, with a selection where one can be of use."""
    stored = Stored(points, centred, centre, heights, log_weights, level)
    if isinstance(centred, Slabs) or centred.device.type != "cpu":
        return stored
    count, dim = centred.shape
    if count * dim < _LEAST or count < _LEAST_POINTS or dim < _LEAST_DIM:
        return stored
    if not _SMALL < float(stored.lengths().max()) < _LARGE:
        return stored
    return stored._replace(selection=Selection(stored))


class Prepared(ABC):
    """What has `points`, and `Stored` of them on every device that it is asked on.

    Copies and pickles have the points alone, and prepare anew.
    """

    points: Tensor
    _local: dict[torch.device, Stored]

    @abstractmethod
    def _stored(self) -> Stored:
        """What every call needs, where the points are."""

    @plainly
    def _prepare(self) -> None:
        self._local = {self.points.device: self._stored()}

    def __getstate__(self):
        return {**self.__dict__, "_local": {}}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._prepare()

    def _parameters(self, device) -> Stored:
        if device in self._local:
            return self._local[device]
        moved = self._local[self.points.device].to(device)
        if keepable():
            self._local[device] = moved
        return moved


class Selection:
    """Which of the stored points matter to x.

    |x - p|^2 / 2 is |o|^2 / 2 - (q . o - |q|^2 / 2) with o = x - centre and q = p - centre. In
    float32 the n terms of q . o, added in any order, are wrong by at most
    ((1 + u)^(n + 2) - 1) |q| |o|, u = 2^-24 (Higham, Accuracy and Stability of Numerical
    Algorithms, 2002, section 3.1; the 2 are the roundings of q and o themselves). Lengths that are
    1e-6 of the largest longer than they are cover what underflows and the roundings in float64.
    """

    def __init__(self, stored: Stored):
        self.stored = stored
        self.lengths = stored.lengths()
        self.spare = 1e-6 * float(self.lengths.max())
        self.lengths += self.spare
        roundings = (stored.centred.shape[1] + 8) * _UNIT
        self.error = math.expm1(roundings)
        self.few = slice(None, None, max(1, len(self.lengths) // _SAMPLE))
        self.sample = _in_float32(stored.centred[self.few])
        self.copy: Tensor | None = None
        self.columns = 0

    def parts(self, x: Tensor, sigma: Tensor):
        """x (n, B) and sigma () or (B,) in parts of some columns, each with its rows or None."""
        for y, levels, found in self.shared_parts([(None, self.stored.log_weights)], x, sigma):
            yield y, levels, found and found[0]

    def shared_parts(self, members: Sequence[Member], x: Tensor, sigma: Tensor):
        """The same for several weightings of the points, each of those at some rows (None: of all).

        The rows that come with a part, one tensor for each, are among those of all stored points.
        """
        batch = x.shape[1]
        if not self._ready(*_columns(slice(None, None, -(-batch // _GROUP)), x, sigma), batch):
            yield x, sigma, None
            return
        columns = x.T.contiguous().T  # each in one stretch
        for piece in _cuts(slice(0, batch), _PIECE):
            groups = self.groups(members, *_columns(piece, x, sigma))
            cuts = [piece] if groups is None else _cuts(piece, _GROUP)
            for cut, rows in zip(cuts, groups or [None], strict=True):
                yield *_columns(cut, columns, sigma), rows

    def groups(self, members, x: Tensor, sigma: Tensor) -> list[tuple[Tensor, ...]] | None:
        """Which points have all of each posterior but 2^-54, for each group of columns.

        None where they are too many to be looked at alone.
        """
        whole = any(rows is None for rows, _ in members)
        looked_at = slice(None) if whole or len(members) > 1 else members[0][0]
        found = self._products(self.copy[looked_at], looked_at, x)
        if found is None:
            return None
        groups = []
        for rows, log_weights in members:
            among = slice(None) if rows is None or rows is looked_at else rows
            lengths = self.lengths[slice(None) if rows is None else rows]
            excess = self._excess(found[0][among], lengths, log_weights, found[1], sigma**2)
            kept = [(part.amax(1) > 0).nonzero()[:, 0] for part in excess.split(_GROUP, 1)]
            counts, count = [len(part) for part in kept], len(lengths)
            # Of a few points it doesn't matter how many are copied.
            many = count > len(self.lengths) * _MOST_COPIED / 2
            if many and (max(counts) > _MOST * count or sum(counts) > _MOST_COPIED * count):
                return None
            groups.append(kept if rows is None else [_at(rows, part) for part in kept])
        return list(zip(*groups, strict=True))

    def _ready(self, x: Tensor, sigma: Tensor, batch: int) -> bool:
        """Whether a few points promise a gain; then the copy is there, once it is worth making.

        x and sigma: some columns of the `batch`.
        """
        found = self._products(self.sample, self.few, x)
        if found is None:
            return False
        log_weights = self.stored.log_weights[self.few]
        excess = self._excess(found[0], self.lengths[self.few], log_weights, found[1], sigma**2)
        if int((excess > 0).sum()) > _HOPEFUL * excess.numel():
            return False
        self.columns += batch
        if self.copy is None and self.columns >= _WORTH:
            self.copy = _in_float32(self.stored.centred)
        return self.copy is not None

    def _products(self, points: Tensor, part, x: Tensor) -> tuple[Tensor, Tensor] | None:
        """q . o - |q|^2 / 2 of `points`, those at `part`: (N, B); and how wrong it can be for a
        unit of length of q: (B,). None where float32 does not hold x.
        """
        offset = (x - self.stored.centre[:, None]).to(torch.float32)
        away = (1 + self.error) * (offset * offset).sum(0).sqrt().to(torch.float64)
        if not float(away.max()) < _LARGE:
            return None
        products = torch.mm(points, offset) - self.stored.heights[part, None]
        return products, self.error * (away + self.spare)

    def _excess(self, products, lengths, log_weights, wrong, variance) -> Tensor:
        """> 0 where a point can matter to x: (N, B), in units of the log share times sigma^2."""
        near = torch.addcmul(products, log_weights[:, None], variance)
        surely = near.addcmul_(lengths[:, None], wrong, value=-1.0).amax(0)
        near.addcmul_(lengths[:, None], wrong, value=2.0)
        return near.sub_(surely - window(len(lengths)) * variance)


def _cuts(part: slice, size: int) -> list[slice]:
    starts = range(part.start, part.stop, size)
    return [slice(start, min(start + size, part.stop)) for start in starts]


def _columns(part: slice, *arrays: Tensor) -> list[Tensor]:
    """These columns of arrays (.., B), and what has none, (), as it is."""
    return [array[..., part] if array.ndim else array for array in arrays]


def _at(rows: Rows, part: Tensor) -> Tensor:
    """The rows at `part` of `rows`."""
    if isinstance(rows, slice):
        return rows.start + (rows.step or 1) * part
    return rows[part]


def selection(stored: Stored, x: Tensor, sigma: Tensor) -> Selection | None:
    """How to select for x and sigma; None where everything is to be looked at.

    So it is where derivatives are taken, and where float32 products are not made in float32.
    """
    found = stored.selection
    if found is None or transformed() or differentiated(x) or differentiated(sigma):
        return None
    return found if x.shape[1] and _made_in_float32() else None


def _made_in_float32() -> bool:
    """Whether torch makes products of float32 matrices on the CPU in float32 (not in bfloat16)."""
    if torch.is_autocast_enabled("cpu"):
        return False
    settings = getattr(torch.backends.mkldnn, "matmul", None)  # there since torch 2.9
    if settings is None:
        return torch.get_float32_matmul_precision() == "highest"
    return settings.fp32_precision in ("none", "ieee")


@plainly
def _in_float32(points: Tensor) -> Tensor:
    return values(points).to(torch.float32)
