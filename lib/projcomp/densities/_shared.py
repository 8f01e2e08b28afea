"""Densities of one bank given the same x: their posteriors, from one product with the points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp.densities._scratch import Scratch
from projcomp.densities._select import Member, Rows, Stored
from projcomp.densities._slabs import plus_mean
from projcomp.densities.empirical import Posterior, posterior


class Shared:
    """The posteriors of some densities given x (n, B), from one product with all of their points.

    members: of each density its rows, None for all, and the log weights there.
    """

    def __init__(self, stored: Stored, members: Sequence[Member], x, sigma, log_prob_alone):
        self.union, self.places = union_of([rows for rows, _ in members])
        self.here = Scratch(x, sigma).inplace  # where results may overwrite what they are made of
        self.stored = stored
        self.centred = at(stored.centred, self.union)
        heights = at(stored.heights, self.union)[:, None]
        products = torch.addmm(heights, self.centred, x - stored.centre[:, None], beta=-1.0)
        # Each overwrites its products: those over all points come last, and the last copies none.
        order = sorted(range(len(members)), key=lambda i: self.places[i] is None)
        found: dict[int, Posterior] = {}
        for i in order:
            (rows, log_weights), place = members[i], self.places[i]
            own = at(products, place)
            if i != order[-1] and not isinstance(place, Tensor):
                own = own.clone()
            part = stored._replace(
                centred=at(self.centred, place),
                heights=at(stored.heights, rows),
                log_weights=log_weights,
                rows=rows,
                selection=None,
            )
            found[i] = posterior(x, sigma, part, log_prob_alone, own)
        self.found = [found[i] for i in range(len(members))]

    def log_probs(self) -> Tensor:
        return torch.stack([found.log_prob for found in self.found])

    def means(self, x: Tensor) -> Tensor:
        return torch.stack([found.mean(x) for found in self.found])

    def pulls(self, x: Tensor) -> Tensor:
        """The posterior means less x, (m, n, B): those over all points from one product."""
        whole = [i for i, place in enumerate(self.places) if place is None]
        whole = [i for i in whole if self.found[i].close is None]
        pulls = {i: f.pull(x) for i, f in enumerate(self.found) if i not in whole}
        if whole:
            shares = torch.cat([self.found[i].share for i in whole], 1)
            away = (self.stored.centre[:, None] - x).repeat(1, len(whole))
            joint = plus_mean(away, self.centred, shares).unflatten(1, (len(whole), x.shape[1]))
            pulls |= {i: joint[:, j] for j, i in enumerate(whole)}
        return torch.stack([pulls[i] for i in range(len(self.found))])

    def combined(self, exponents: Sequence[float], x: Tensor) -> Tensor:
        """sum_j c_j (posterior mean_j - x): (n, B)."""
        terms = list(zip(self.found, self.places, exponents, strict=True))
        plain = [term for term in terms if term[0].close is None]
        total = sum((c * found.pull(x) for found, _, c in terms if found.close is not None), 0.0)
        if not plain:
            return total
        away = sum(exponent for *_, exponent in plain) * (self.stored.centre[:, None] - x)
        plain.sort(key=lambda term: term[1] is None)
        if plain[-1][1] is None:  # what is over all points takes in the others
            found, _, exponent = plain.pop()
            share = torch.mul(found.share, exponent, out=self.here(found.share))
        else:
            share = x.new_zeros((len(self.centred), x.shape[1]))
        for found, place, exponent in plain:
            share = self._plus(share, place, found.share, exponent)
        return total + plus_mean(away, self.centred, share)

    def _plus(self, share: Tensor, place: Rows | None, own: Tensor, exponent: float) -> Tensor:
        """`share` with exponent * own added at its rows `place`."""
        if place is None:
            return torch.add(share, own, alpha=exponent, out=self.here(share))
        if isinstance(place, slice):
            place = torch.arange(place.start, place.stop, place.step, device=share.device)
        add = torch.Tensor.index_add if self.here(share) is None else torch.Tensor.index_add_
        return add(share, 0, place, own, alpha=exponent)


def at(values: Tensor, rows: Rows | None) -> Tensor:
    return values if rows is None else values[rows]


def union_of(each: Sequence[Rows | None]) -> tuple[Rows | None, list[Rows | None]]:
    """All rows that are in one of several sets, and where the rows of each are among them."""
    if len(each) == 1 or any(rows is None for rows in each):
        return (each[0], [None]) if len(each) == 1 else (None, list(each))
    device = next((rows.device for rows in each if isinstance(rows, Tensor)), None)
    listed = [
        torch.arange(rows.start, rows.stop, rows.step, device=device)
        if isinstance(rows, slice)
        else rows
        for rows in each
    ]
    union = torch.cat(listed).unique()
    return union, [torch.searchsorted(union, rows) for rows in listed]
