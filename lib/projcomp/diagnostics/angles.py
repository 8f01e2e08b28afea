"""How the score deltas stand to each other: cosines, each with its standard error."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp.densities import Density
from projcomp.densities._draw import normal_like
from projcomp.diagnostics.measure import jackknife

_KNOWN = 5.0
"""Standard errors that a mean must have moved by, to be known to move."""
_ROUNDING = 1e-12
_BATCHES = 20
"""For the errors of cosines, which are far from linear in few particles."""
_LOW = 64
"""Dimensions up to which second moments of the deltas are kept, rather than a few particles."""
_SKETCHED, _GROUPS = 24, 8
"""Those particles, and the groups for their error."""


class Angles:
    """Running sums over the noise levels of a path: of sigma Delta at the same particles.

    Takes (k, m, n) at each level. Cosines are root mean squares, weighted by the lengths; NaN where
    a delta vanishes.
    """

    def __init__(self):
        self._dots = self._lengths = self._moments = 0.0
        self._sketches: list[Tensor] = []

    def add(self, deltas: Tensor) -> None:
        products = torch.einsum("ibn,jbn->ijb", deltas, deltas)
        squares = torch.diagonal(products).T
        self._dots = self._dots + _batch_means(products.square())
        self._lengths = self._lengths + _batch_means(squares[:, None] * squares[None])
        if deltas.shape[-1] <= _LOW:
            outer = deltas[..., :, None] * deltas[..., None, :]
            self._moments = self._moments + _batch_means(outer.movedim(1, -1))
        else:
            self._sketches.append(deltas[:, :_SKETCHED])

    def same_point(self) -> tuple[Tensor, Tensor]:
        """(k, k) at one and the same point and level, and their errors."""
        return jackknife(
            lambda kept: _root(self._dots[kept].sum(0), self._lengths[kept].sum(0)), len(self._dots)
        )

    def across(self) -> tuple[Tensor, Tensor]:
        """(k, k) at independent points and levels, and their errors."""
        return self._across_of_sketches() if self._sketches else self._across_of_moments()

    def _across_of_moments(self) -> tuple[Tensor, Tensor]:
        """By E (x . y)^2 = tr(E xx^T E yy^T) for independent x and y."""

        def cosines(kept):
            moments = self._moments[kept].sum(0)
            lengths = moments.diagonal(dim1=-2, dim2=-1).sum(-1)
            dots = torch.einsum("iab,jab->ij", moments, moments)
            return _root(dots, lengths[:, None] * lengths)

        return jackknife(cosines, len(self._moments))

    def _across_of_sketches(self) -> tuple[Tensor, Tensor]:
        sketch = torch.stack(self._sketches, 2)  # (k, particles, levels, n)
        k, particles, _, n = sketch.shape
        groups = min(_GROUPS, particles)
        rows = sketch[:, : particles // groups * groups].reshape(k, -1, n)
        squares = rows.square().sum(2).unflatten(1, (groups, -1)).sum(2)  # (k, groups)
        dots = squares.new_empty(k, k, groups, groups)
        for i in range(k):
            for j in range(i + 1):
                table = (rows[i] @ rows[j].T).square()
                table = table.unflatten(1, (groups, -1)).unflatten(0, (groups, -1)).sum((1, 3))
                dots[i, j], dots[j, i] = table, table.T

        def cosines(kept):
            lengths = squares[:, kept].sum(1)
            return _root(dots[:, :, kept][..., kept].sum((2, 3)), lengths[:, None] * lengths)

        return jackknife(cosines, groups)


def _root(dots: Tensor, lengths: Tensor) -> Tensor:
    """sqrt(dots / lengths) of fourth powers of lengths; NaN where those are nothing."""
    found = (dots / lengths.clamp(min=1e-300)).sqrt()
    return torch.where(lengths > _ROUNDING**4, found, torch.nan)


def _batch_means(values: Tensor) -> Tensor:
    """Means over batches of the last axis: (..., m) to (batches, ...)."""
    size = max(1, values.shape[-1] // _BATCHES)
    kept = values[..., : values.shape[-1] // size * size]
    return kept.unflatten(-1, (-1, size)).mean(-1).movedim(-1, 0)


def mean_cosines(differences: Tensor, rounding: float = 0.0) -> tuple[Tensor, Tensor]:
    """(k, k) cosines between the means of differences (k, m, n), and their errors.

    NaN where a mean is not known to move: where it is within five standard errors of zero, or
    within `rounding`.
    """
    rows = _batch_means(differences.movedim(1, -1))  # (batches, k, n)
    errors = rows.std(0).norm(dim=-1) / len(rows) ** 0.5
    known = rows.mean(0).norm(dim=-1) > _KNOWN * errors + rounding
    found, error = jackknife(lambda kept: _cosines(rows[kept].mean(0)), len(rows))
    both = known[:, None] & known
    return torch.where(both, found, torch.nan), torch.where(both, error, torch.nan)


def _cosines(means: Tensor) -> Tensor:
    unit = means / means.norm(dim=-1, keepdim=True).clamp(min=1e-300)
    return unit @ unit.T


def mean_changes(
    background: Density,
    concepts: Sequence[Density],
    clean: Sequence[Tensor],
    sigma: float,
    generator,
) -> Tensor:
    """(k, m, n), whose means are mu_i - mu_b: denoised samples of each, less those of p_b.

    The mean of D_i(x) over x of p_i^sigma is mu_i at any level, and far less noisy than the samples
    themselves. clean: m samples of p_b and of each p_i. The noise is the same for all.
    """
    m = min(len(points) for points in clean)
    shift = sigma * normal_like(clean[0][:m], generator)
    base, *rest = (
        density.denoise(points[:m] + shift, sigma)
        for density, points in zip([background, *concepts], clean, strict=True)
    )
    return torch.stack([denoised - base for denoised in rest])
