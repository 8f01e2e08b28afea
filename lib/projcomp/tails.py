"""Which products of powers of Gaussian mixtures have a finite integral, by their tails.

Far out along a direction u, minus twice the log of a mixture is its smallest u^T P u, P a
component's precision. So prod_j p_j^{c_j} is normalisable if every choice of one component from
each p_j leaves a positive definite total, sum_j c_j P_j. That is exact as long as each p_j with
c_j < 0 has one covariance for all of its components.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from projcomp.densities import Density, Flat, GaussianMixture

MOST_COMPONENTS = 100_000
_MOST_ENTRIES = 1 << 22
_ROUNDING = 1e-14
_MARGIN = 1e-12
"""Relative to the precisions: what is this far from singular needs no eigenvalues."""
_FEW_DIMENSIONS = 8
"""Up to here elimination in all matrices at once is faster than LAPACK on one after another."""


def normalisable(
    terms: Sequence[tuple[Density, float]], sigmas: Sequence[float]
) -> list[bool | None]:
    """Whether prod_j p_j^{c_j}, everything at noise level sigma, has a finite integral: for each.

    None where that is not decided: for other densities than Gaussian mixtures (and `Flat`), several
    covariances under a negative exponent, and too many choices.
    """
    kept = [(p, c) for p, c in terms if c != 0 and not isinstance(p, Flat)]
    if not kept:
        return [False] * len(sigmas)
    entries = kept[0][0].dim ** 2
    if entries > _MOST_ENTRIES or not all(isinstance(p, GaussianMixture) for p, _ in kept):
        return [None] * len(sigmas)
    tails = [_tail(p, c) for p, c in kept]
    squares = torch.tensor(sigmas, dtype=torch.float64, device="cpu") ** 2
    counts = [len(tail.variances) for tail in tails]
    choices = math.prod(k for k, tail in zip(counts, tails, strict=True) if tail.exponent > 0)
    answers: list[bool | None] = []
    for some in squares.split(max(1, _MOST_ENTRIES // (entries * max(choices, *counts)))):
        answers += _at_levels(tails, some)
    return answers


class _Tail(NamedTuple):
    """The different covariances in a mixture, R^T diag(variances) R, and its exponent."""

    variances: Tensor  # (K, n)
    rotation: Tensor | None  # (K, n, n)
    exponent: float

    def inverses(self, squares: Tensor) -> Tensor:
        """Eigenvalues of the precisions P: (levels, K, n)."""
        return 1.0 / (self.variances + squares[:, None, None])

    def matrices(self, squares: Tensor) -> Tensor:
        """c P: (levels, K, n, n)."""
        inverses = self.inverses(squares)
        if self.rotation is None:
            return self.exponent * torch.diag_embed(inverses)
        return self.exponent * (self.rotation.mT @ (inverses[..., None] * self.rotation))

    def first(self) -> _Tail:
        rotation = None if self.rotation is None else self.rotation[:1]
        return _Tail(self.variances[:1], rotation, self.exponent)

    def bounds(self, squares: Tensor) -> Tensor:
        """Smallest eigenvalue and smallest trace of any c P, and its largest entry: (3, levels)."""
        inverses, c = self.inverses(squares), self.exponent
        low, high = inverses.amin((1, 2)), inverses.amax((1, 2))
        trace = inverses.sum(2).amin(1)
        return torch.stack([c * (low if c > 0 else high), c * trace, abs(c) * high])


def _tail(mixture: GaussianMixture, exponent: float) -> _Tail:
    """Of the components that have weight."""
    there, n = mixture.weights > 0, mixture.dim
    parts = [mixture._variances]
    if mixture._rotation is not None:
        parts.append(mixture._rotation.flatten(1))
    rows = torch.cat(parts, 1)[there].cpu()
    if len(rows) > 1:
        rows = torch.unique(rows, dim=0)
    rotation = None if len(parts) == 1 else rows[:, n:].reshape(-1, n, n)
    return _Tail(rows[:, :n], rotation, exponent)


def _at_levels(tails: list[_Tail], squares: Tensor) -> list[bool | None]:
    """The answers at each level; squares: (levels,) of the sigma^2."""
    answers: list[bool | None] = [None] * len(squares)
    one, chosen = torch.ones_like(squares, dtype=torch.bool), []
    for tail in tails:
        if tail.exponent < 0 and len(tail.variances) > 1:  # may still be one, by rounding
            matrices = tail.matrices(squares)
            one = one & (matrices == matrices[:, :1]).flatten(1).all(1)
            tail = tail.first()
        chosen.append(tail)
    if not bool(one.any()):
        return answers
    entries = chosen[0].variances.shape[1] ** 2
    count = math.prod(len(tail.variances) for tail in chosen)
    if count > MOST_COMPONENTS or count * entries > _MOST_ENTRIES:
        for index in one.nonzero()[:, 0].tolist():
            level = squares[index : index + 1]
            choices = [torch.unique(t.matrices(level)[0], dim=0)[None] for t in chosen]
            count = math.prod(c.shape[1] for c in choices)
            if count <= MOST_COMPONENTS and count * entries <= _MOST_ENTRIES:
                answers[index] = bool(_all_positive(choices)[0])
        return answers
    # Weyl: the smallest eigenvalue of a sum is at least the sum of the smallest. And the choice of
    # the smallest trace has an eigenvalue of at most its n-th part.
    low, trace, size = sum(tail.bounds(squares) for tail in chosen)
    margin = _MARGIN * entries**0.5 * size
    yes, no = one & (low > margin), one & (trace < -margin)
    for index in (yes | no).nonzero()[:, 0].tolist():
        answers[index] = bool(yes[index])
    rest = (one & ~yes & ~no).nonzero()[:, 0]
    if len(rest):
        found = _all_positive([tail.matrices(squares[rest]) for tail in chosen])
        for index, answer in zip(rest.tolist(), found.tolist(), strict=True):
            answers[index] = answer
    return answers


def _all_positive(choices: list[Tensor]) -> np.ndarray:
    """Whether every sum of one of each, (levels, K_j, n, n), is positive definite: (levels,)."""
    # By NumPy: many tiny matrices, which torch spreads over threads.
    size = sum(choice.abs().amax((1, 2, 3)) for choice in choices).numpy()
    totals = choices[0].numpy()
    for choice in choices[1:]:
        totals = totals[:, :, None] + choice.numpy()[:, None]
        totals = totals.reshape(len(totals), -1, *totals.shape[-2:])
    n = totals.shape[-1]
    sure = np.zeros(totals.shape[:2], bool)
    if n <= _FEW_DIMENSIONS:
        with np.errstate(all="ignore"):
            sure = _pivots_are_positive(totals, _MARGIN * n * size)
    found = sure.all(1)
    for level in np.flatnonzero(~found):
        unsure = totals[level][~sure[level]]
        for some in (unsure[:1], unsure[1:]):  # most often the first one tells
            found[level] = bool((np.linalg.eigvalsh(some) > _ROUNDING * size[level]).all())
            if not found[level]:
                break
    return found


def _pivots_are_positive(totals: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Whether elimination in totals - shift meets no pivot <= 0: (levels, count).

    Then the eigenvalues of totals, (levels, count, n, n), lie above the shift, up to rounding.
    """
    rows = totals.transpose(2, 3, 0, 1).copy()
    n = len(rows)
    rows[range(n), range(n)] -= shift[:, None]
    positive = np.ones(rows.shape[2:], bool)
    for i in range(n):
        positive &= rows[i, i] > 0
        pivot = np.where(positive, rows[i, i], 1.0)
        rows[i + 1 :, i + 1 :] -= (rows[i + 1 :, i] / pivot)[:, None] * rows[i, i + 1 :]
    return positive
