"""Densities that are evaluated together, in as few passes as pay: mixtures, and families."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

import torch
from torch import Tensor

from projcomp.densities._family import Kin
from projcomp.densities.base import Density, Flat
from projcomp.densities.mixtures import GaussianMixture, powers_of
from projcomp.densities.powers import MixturePowers

_WORTH = 15_000
"""A pass that is saved is worth as many coordinates of points from components of no weight."""

_FEW = 16
"""For fewer points mixtures of other sizes are not filled up at all: that would take memory."""


class Group(NamedTuple):
    """prod_j p_j^{c_j} over some of the densities: `density` to the power of `exponent`.

    places: where its densities stand among all; several for `MixturePowers` and `Kin` alone.
    """

    density: Density
    exponent: float
    places: tuple[int, ...]


class Together:
    """prod_j p_j^{c_j}, for points (n, B), and the scores of the p_j from the same pass.

    Mixtures of equal size share a pass. Those of other sizes join it, filled up with components of
    weight zero, where the points are so few that a pass of their own would cost more than that.
    Other densities share one where they are of one `Family`.
    What has the exponent 0 is left out, unless its score is asked for.
    """

    def __init__(self, densities: Sequence[Density], exponents: Sequence[float]):
        terms = list(enumerate(zip(densities, exponents, strict=True)))
        used = [term for term in terms if term[1][1] and not isinstance(term[1][0], Flat)]
        self._count = len(terms)
        self._product = _Ways(used or [(0, (Flat(densities[0].dim), 1.0))])
        self._every = self._product if len(used) == len(terms) else _Ways(terms)

    def evaluate(self, x, sigma, log_prob=True, score=True) -> list[Tensor]:
        """Log density (B,) and score (n, B) of the product: those wanted."""
        found = []
        for group in self._product.groups(x):
            if log_prob and score:
                values = group.density._log_prob_and_score(x, sigma)
            elif score:
                values = (group.density._score(x, sigma),)
            else:
                values = (group.density._log_prob(x, sigma),)
            found.append((values, group.exponent))
        return [
            combined([(values[i], exponent) for values, exponent in found])
            for i in range(log_prob + score)
        ]

    def each(self, x, sigma, log_prob: bool) -> tuple[Tensor | None, Tensor]:
        """Log density of the product, (B,), if wanted, and the score of each: (terms, n, B)."""
        logs, scores = [], {}
        for density, exponent, places in self._every.groups(x):
            value = None
            if isinstance(density, MixturePowers | Kin):
                value, rows = density.each(x, sigma, log_prob)
            elif log_prob and exponent:
                value, row = density._log_prob_and_score(x, sigma)
                rows = row[None]
            else:
                rows = density._score(x, sigma)[None]
            if value is not None:
                logs.append((value, exponent))
            if len(places) < self._count:
                scores.update(zip(places, rows, strict=True))
        if scores:
            rows = torch.stack([scores[place] for place in range(self._count)])
        return (combined(logs) if log_prob else None), rows

    def laplacian(self, x, sigma) -> Tensor:
        """The Laplacian of the log density of the product: (B,)."""
        groups = self._product.groups(x)
        return combined([(g.density._laplacian(x, sigma), g.exponent) for g in groups])

    def chunk(self, device: torch.device) -> int:
        return min(group.density._chunk(device) for group in self._every.apart)


class _Ways:
    """Groups of terms: mixtures by their sizes, or all of them together for a few points."""

    def __init__(self, terms):
        sizes: dict[int, list] = {}
        families: dict = {}  # what has none is one by itself
        for place, (density, exponent) in terms:
            if isinstance(density, GaussianMixture):
                sizes.setdefault(density.components, []).append((place, density, exponent))
            else:
                family = place if density._family is None else density._family
                families.setdefault(family, []).append((place, density, exponent))
        others = [_related(members) for members in families.values()]
        self.apart = [_group(mixtures) for mixtures in sizes.values()] + others
        self._few, self._joined = 0, self.apart
        if len(sizes) > 1:
            mixtures = [mixture for group in sizes.values() for mixture in group]
            wasted = sum(max(sizes) - mixture.components for _, mixture, _ in mixtures)
            few = _WORTH * (len(sizes) - 1) // (wasted * mixtures[0][1].dim)
            joined = _group(mixtures) if few >= _FEW else None
            if joined is not None and not joined.density.far:
                self._few, self._joined = few, [joined, *others]

    def groups(self, x: Tensor) -> list[Group]:
        """Those for points (n, B)."""
        return self._joined if x.shape[1] <= self._few else self.apart


def _group(mixtures) -> Group:
    places, densities, exponents = zip(*sorted(mixtures, key=itemgetter(0)), strict=True)
    return Group(powers_of(densities, exponents), 1.0, places)


def _related(members) -> Group:
    """Densities of one family, or a single one."""
    places, densities, exponents = zip(*members, strict=True)
    if len(places) == 1:
        return Group(densities[0], exponents[0], places)
    return Group(Kin(densities, exponents), 1.0, places)


def combined(terms: list[tuple[Tensor, float]]) -> Tensor:
    """The sum of values times numbers."""
    total = terms[0][0] * terms[0][1]
    for value, factor in terms[1:]:
        total = torch.add(total, value, alpha=factor)
    return total
