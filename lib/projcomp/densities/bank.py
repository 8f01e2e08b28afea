"""One bank of points, and many densities: each the empirical distribution of some of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import plainly
from projcomp.densities._draw import categories
from projcomp.densities._family import Family
from projcomp.densities._select import Prepared, Rows, Stored, selection, with_selection
from projcomp.densities._shared import Shared, at
from projcomp.densities._slabs import half_squares
from projcomp.densities.base import Density
from projcomp.densities.empirical import about_a_centre, in_one, positive

_LOGITS = 1 << 25
"""Most entries of a (points, batch) matrix; larger batches are cut."""
_LEAST_SELECTED = 512
"""Fewer points than these are as fast without a selection."""


class Bank(Prepared, Family):
    """Points, such as all pictures of a collection, of which a prompt names some.

    Densities of one bank that are evaluated together (in a composition, its samplers, weights and
    interaction) share one product of x with the points, and the composed score takes a second one,
    however many there are. Nothing is copied for a density but its rows; where these are evenly
    spaced, as the rows and columns of a table are, not even those.

    Args:
        points: (N, n), or pictures (N, *shape). Kept as float64 and not copied if it is that.

    Raises ValueError for another shape, N = 0, NaN or infinity.
    """

    @plainly
    def __init__(self, points):
        points = _check.real("points", points).detach()
        if points.ndim < 2 or 0 in points.shape:
            raise ValueError(
                f"points must have shape (N, n) or (N, *shape), all >= 1, got {tuple(points.shape)}"
            )
        if _check.largest(points) > _check.LARGEST:
            raise ValueError(f"points must be at most {_check.LARGEST:g} in magnitude")
        self.shape = tuple(points.shape[1:])
        self.points = points.flatten(1)
        self._prepare()

    def __repr__(self):
        return f"Bank(points={len(self)}, shape={self.shape})"

    def __len__(self):
        return len(self.points)

    def _stored(self) -> Stored:
        points = self.points
        equal = points.new_full((len(points),), 1.0 / len(points))
        centred, centre, level = about_a_centre(points, equal)
        heights = half_squares(centred, level)
        return with_selection(points, centred, centre, heights, equal.log(), level)

    def density(self, rows=None, weights=None) -> Subset:
        """The empirical distribution of the points at `rows`.

        rows: (m,) integers, each at most once, or a mask (N,) of booleans; None: all points.
        weights: (m,), >= 0, summing to one; None for equal weights.

        Raises ValueError for rows that are not in the bank, none at all, or bad weights.
        """
        return Subset(self, rows, weights)

    # -- several densities at once ------------------------------------------------------------

    def scores(self, densities, x, sigma):
        return self.log_probs_and_scores(densities, x, sigma)[1]

    def log_probs(self, densities, x, sigma):
        parts = self._posteriors(densities, x, sigma, log_prob_alone=True)
        return in_one([(shared.log_probs(),) for _, _, shared in parts])[0]

    def log_probs_and_scores(self, densities, x, sigma):
        parts = self._posteriors(densities, x, sigma)
        return in_one([(sh.log_probs(), sh.pulls(y) / s**2) for y, s, sh in parts])

    def product_score(self, densities, exponents, x, sigma):
        """One product for all of them: the posteriors are added before it."""
        parts = self._posteriors(densities, x, sigma)
        return in_one([(sh.combined(exponents, y) / s**2,) for y, s, sh in parts])[0]

    def means(self, densities, x, sigma):
        """The posterior mean of each: (len(densities), n, B)."""
        parts = self._posteriors(densities, x, sigma)
        return in_one([(sh.means(y),) for y, _, sh in parts])[0]

    def _posteriors(self, densities: Sequence[Subset], x, sigma, log_prob_alone=False):
        """Parts of the columns of x, with their levels and what the densities share there."""
        positive(sigma)
        stored = self._parameters(x.device)
        logs = [density._logs(x.device) for density in densities]
        members = [(d._rows, at(log, d._rows)) for d, log in zip(densities, logs, strict=True)]
        large = max(len(log_weights) for _, log_weights in members) >= _LEAST_SELECTED
        select = selection(stored, x, sigma) if large else None
        parts = [(x, sigma, None)] if select is None else select.shared_parts(members, x, sigma)
        for y, levels, kept in parts:
            if kept is not None:
                found = [(rows, log[rows]) for rows, log in zip(kept, logs, strict=True)]
                yield y, levels, Shared(stored, found, y, levels, log_prob_alone)
            else:
                yield y, levels, Shared(stored, members, y, levels, log_prob_alone)


class Subset(Density):
    """The empirical distribution of some points of a `Bank`, exact at every sigma > 0.

    Made by `Bank.density`. Evaluated with others of its bank, in a composition, it shares their
    product with the points; alone it takes one with its own points only.
    """

    def __init__(self, bank: Bank, rows=None, weights=None):
        super().__init__(bank.points.shape[1])
        self.bank = self._family = bank
        index = _chosen(rows, len(bank))
        count = len(bank) if index is None else len(index)
        home = bank.points.device
        if weights is None:
            weights = torch.full((count,), 1.0 / count, dtype=torch.float64, device=home)
        weights = _check.probabilities("weights", weights).to(home)
        if len(weights) != count:
            raise ValueError(
                f"weights must have shape ({count},), one for each row, got {tuple(weights.shape)}"
            )
        self.weights = weights
        self._rows = None if index is None else _evenly(index.to(home))
        log = torch.full((len(bank),), -math.inf, dtype=torch.float64, device=home)
        log[slice(None) if self._rows is None else self._rows] = weights.log()
        self._log = log

    @property
    def shape(self):
        return self.bank.shape

    @property
    def rows(self) -> Tensor:
        """Which points of the bank it has: (m,)."""
        return at(torch.arange(len(self.bank), device=self._log.device), self._rows)

    @property
    def points(self) -> Tensor:
        """They themselves: (m, n)."""
        return at(self.bank.points, self._rows)

    def __repr__(self):
        return f"Subset(points={len(self.weights)} of {len(self.bank)}, shape={self.shape})"

    def _logs(self, device) -> Tensor:
        """Log weights of all points of the bank: (N,)."""
        return self._log.to(device)

    def _log_prob(self, x, sigma):
        return self.bank.log_probs([self], x, sigma)[0]

    def _score(self, x, sigma):
        return self.bank.product_score([self], [1.0], x, sigma)

    def _log_prob_and_score(self, x, sigma):
        log_probs, scores = self.bank.log_probs_and_scores([self], x, sigma)
        return log_probs[0], scores[0]

    def _denoise(self, x, sigma):
        return self.bank.means([self], x, sigma)[0]

    def _sample(self, n, generator, device):
        index = categories(self.weights.to(device), n, generator)
        return self.points.to(device)[index]

    def _chunk(self, device):
        return max(1, _LOGITS // len(self.weights))


def _chosen(rows, count: int) -> Tensor | None:
    """Rows of a bank of `count` points as (m,) integers; None for all of them."""
    if rows is None:
        return None
    rows = torch.as_tensor(rows, device="cpu")
    if rows.dtype == torch.bool:
        if rows.shape != (count,):
            raise ValueError(
                f"rows must be a mask of shape ({count},), got shape {tuple(rows.shape)}"
            )
        rows = rows.nonzero()[:, 0]
    if rows.ndim != 1 or len(rows) == 0 or rows.is_floating_point() or rows.is_complex():
        raise ValueError(
            f"rows must be one or more integers, (m,), or a mask, got {rows.dtype} of shape "
            f"{tuple(rows.shape)}"
        )
    if int(rows.min()) < 0 or int(rows.max()) >= count:
        raise ValueError(
            f"rows must lie between 0 and {count - 1}, got {int(rows.min())} to {int(rows.max())}"
        )
    if len(rows.unique()) < len(rows):
        raise ValueError("rows must not name a point twice; give it more weight")
    return rows.long()


def _evenly(rows: Tensor) -> Rows:
    """The same as a slice, which copies nothing, where the rows are evenly spaced."""
    steps = rows.diff()
    if len(rows) == 1 or (bool((steps == steps[0]).all()) and int(steps[0]) > 0):
        step = int(steps[0]) if len(rows) > 1 else 1
        return slice(int(rows[0]), int(rows[-1]) + 1, step)
    return rows
