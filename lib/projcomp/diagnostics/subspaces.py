"""Blocks as subspaces, found from the spans of the score deltas."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import plainly
from projcomp._text import Brief
from projcomp.composition import compose
from projcomp.densities import Density, Scored
from projcomp.densities._draw import normal_like
from projcomp.diagnostics.features import Features, found_features
from projcomp.diagnostics.measure import draw, noise_range, noised

LEAST_GAP = 4.0
"""By so much the last direction kept must stand above the next, where scores are learned.

Errors of one size in all directions part by less than 3: with N rows for n directions their values
lie within 1 +- sqrt(n / N) (Marchenko and Pastur 1967), and there are at least 4 rows for each. The
rest is room for errors that are larger in some directions.
"""
_EXACT = 1e-6
_ROUNDING = 1e-12
_FEW = 1024
"""Up to so many coordinates all directions are looked at, beyond it a sketch of them."""
_SKETCH = 64
_MOST = 1 << 25
"""Numbers in an array of directions, at most: 268 MB."""
_BATCH = 1 << 22
"""Numbers in a batch of deltas."""


@dataclass(frozen=True, repr=False, eq=False)
class Blocks(Brief, Sequence):
    """What `find_blocks` found: the sequence of the bases, (n, r_i), and how it came to them.

    values: for each concept the singular values of its deltas, decreasing, scaled so that their
    squares are the shares of E|sigma Delta_i|^2 along its directions. Of all n directions, or of as
    many as were looked at. clear: for each concept, whether there is a rank that stands out; where
    there is none, the basis holds all directions that were looked at, and is no block.
    """

    bases: list[Tensor]
    values: list[Tensor]
    clear: list[bool]

    def __len__(self):
        return len(self.bases)

    def __getitem__(self, index):
        return self.bases[index]

    @property
    def ranks(self) -> list[int]:
        """r_i."""
        return [basis.shape[1] for basis in self.bases]

    @property
    def gaps(self) -> list[float]:
        """s_r / s_(r+1) at each rank: how far the last direction kept stands above the rest.

        Infinite where there is no rest.
        """
        return [_gap(v, rank) for v, rank in zip(self.values, self.ranks, strict=True)]

    def features(self, overlap: float | None = None) -> Features | None:
        """The orthogonal feature space of the blocks; None where they overlap or are not clear.

        overlap: the largest cosine between directions of two blocks that counts as none, below 1.
        By Wedin's theorem (1972) errors turn a basis by about 1 / gap, so if None it is the sum of
        that for the two least gaps: at least 1e-6, at most 0.5.
        """
        if not all(self.clear):
            return None
        if overlap is None:
            turned = sum(sorted(1 / gap for gap in self.gaps)[-2:])
            overlap = min(0.5, max(1e-6, turned))
        return found_features(self.bases, self.bases[0].shape[0], overlap)


@plainly
@torch.no_grad()
def find_blocks(
    background: Density,
    concepts: Sequence[Density],
    *,
    sigmas=None,
    samples: int | None = None,
    tolerance: float | None = None,
    generator: torch.Generator | None = None,
) -> Blocks:
    """The subspace that each concept's score delta spans, without being told the feature space.

    Under factorized conditionals in an orthogonal feature space every delta lives in its own
    block, at every point and noise level. So the blocks are read off the deltas: many of them are
    stacked, times sigma, and singular values tell how many directions they span. Where a concept
    changes its block in fewer directions than the block has (a shift, say), the answer is that
    smaller subspace. Where the condition fails, the spans overlap or fill everything.

    Up to 1024 coordinates all directions are looked at. Beyond, a random sketch finds the strongest
    (Halko, Martinsson and Tropp 2011), 64 at first and four times as many until the rank is clear,
    up to 2^25 / n and, of learned scores, to a quarter of `samples`. The deltas come in batches: of
    arrays as large as the points or the directions a few are held, and none of n times n.

    Learned scores have errors in every direction, so no value is zero. The rank is then where the
    values fall by the largest factor, which must be at least 4. What the concept changes by less
    than the errors is lost, and errors that lie in a few directions alone count as a change.

    Args:
        sigmas: noise levels > 0 to look at; 12 over the data's range if None.
        samples: points of the background and of the concept, each, at every level, or more where
            the directions need it. If None, 256, or as few as will do where a sketch is exact.
        tolerance: singular values below this share of the largest count as zero. If None, 1e-6,
            or by the largest gap where a density is known by its score alone.
        generator: source of the points.

    Returns: `Blocks`, the sequence of one orthonormal basis for each concept, (n, r_i), strongest
    directions first; r_i = 0 where the delta vanishes. Raises ValueError for a bad argument.
    """
    composition = compose(background, concepts)
    samples = None if samples is None else _check.count("samples", samples, 2)
    _check.source("generator", generator)
    densities = [background, *composition.concepts]
    if tolerance is not None:
        tolerance = _check.number("tolerance", tolerance)
        if not 0 < tolerance < 1:
            raise ValueError(f"tolerance must lie between 0 and 1, got {tolerance:g}")
    elif not any(map(_learned, densities)):
        tolerance = _EXACT
    levels = noise_range(densities, sigmas, 12, generator)
    found = [
        _block(background, concept, levels, samples, tolerance, generator)
        for concept in composition.concepts
    ]
    return Blocks(*map(list, zip(*found, strict=True)))


def _learned(density) -> bool:
    """Whether a density is known by its score alone, or has such a part."""
    if isinstance(density, Scored):
        return True
    for held in vars(density).values():
        parts = held if isinstance(held, list | tuple) else [held]
        if any(isinstance(part, Density) and _learned(part) for part in parts):
            return True
    return False


def _block(background, concept, levels, samples, tolerance, generator):
    """One concept's basis, its singular values, and whether the rank is clear."""
    dim, learned = background.dim, tolerance is None
    width = most = dim
    least = samples or 256
    if dim > _FEW:
        width, most = _SKETCH, min(dim, _MOST // dim)
        if learned:  # errors at one point are alike at many levels: points count, not rows
            most = min(most, max(width, least // 4))
        else:
            least = samples or 2
    while True:
        enough = 4 * width if learned and dim > _FEW else -(-4 * width // len(levels))
        count = max(least, enough)
        pools = [draw(density, count, levels, generator) for density in (background, concept)]
        deltas = _Deltas(background, concept, levels, pools, generator)
        values, directions = _singular(deltas, width, refine=learned)
        rank, clear = _rank(values, dim, tolerance)
        if clear or width >= most:
            return directions[:, :rank].contiguous(), values, clear
        width = min(4 * width, most)


@dataclass
class _Deltas:
    """sigma Delta at noised points, in batches: the rows of the stack, which is never held."""

    background: Density
    concept: Density
    levels: Tensor
    pools: list[Tensor]
    generator: torch.Generator | None

    def batches(self, half: int | None = None) -> Iterator[Tensor]:
        """(B, n) at a time, of the clean points of one half, or of all."""
        for pool in self.pools:
            clean = pool if half is None else pool[half::2]
            for points in clean.split(max(1, _BATCH // pool.shape[1])):
                for sigma in self.levels.tolist():
                    x = noised(points, sigma, self.generator)
                    delta = sigma * (self.concept.score(x, sigma) - self.background.score(x, sigma))
                    # Below rounding, a level says nothing of directions.
                    if delta.norm() > _ROUNDING * x.norm() / sigma:
                        yield delta


def _singular(deltas: _Deltas, width: int, refine: bool) -> tuple[Tensor, Tensor]:
    """Singular values of the stack and their directions, (n, width), strongest first.

    Where not all directions are looked at: randomised subspace iteration (Halko, Martinsson and
    Tropp 2011, algorithms 4.1 and 4.4), on the first half of the points. The values are measured on
    the second, so a direction that only fits the errors at the first falls back among the others.
    """
    dim = deltas.pools[0].shape[1]
    basis = None
    if width < dim:
        basis = _range(deltas, lambda d: normal_like(d[:, :1].expand(-1, width), deltas.generator))
        if refine and basis is not None:
            fixed = basis
            basis = _range(deltas, lambda d: d @ fixed)
    triangle, total = deltas.pools[0].new_zeros(0, width), 0.0
    for delta in deltas.batches(None if basis is None else 1):
        rows = delta if basis is None else delta @ basis
        triangle = torch.linalg.qr(torch.cat([triangle, rows]), mode="r").R
        total += float(delta.square().sum())
    if not total:
        return triangle.new_zeros(0), triangle.new_zeros(dim, 0)
    _, values, directions = torch.linalg.svd(triangle, full_matrices=False)
    directions = directions.T if basis is None else basis @ directions.T
    return values / math.sqrt(total), directions


def _range(deltas: _Deltas, by: Callable[[Tensor], Tensor]) -> Tensor | None:
    """An orthonormal basis of the columns of D^T by(D), (n, width); None where no row counts."""
    sketch = None
    for delta in deltas.batches(0):
        part = delta.T @ by(delta)
        sketch = part if sketch is None else sketch.add_(part)
    return None if sketch is None else torch.linalg.qr(sketch).Q


def _rank(values: Tensor, dim: int, tolerance: float | None) -> tuple[int, bool]:
    """How many directions stand out, and whether that is clear."""
    seen = len(values)
    if not seen:
        return 0, True
    if tolerance is not None:
        rank = int((values > tolerance * values[0]).sum())
        return rank, rank < seen or seen == dim
    # The last value of a sketch has no floor below it to stand above.
    gaps = [_gap(values, rank) for rank in range(1, seen)]
    most = max(gaps, default=0.0)
    if most < LEAST_GAP:
        return seen, False
    return gaps.index(most) + 1, True


def _gap(values: Tensor, rank: int) -> float:
    if not 0 < rank < len(values):
        return math.inf
    floor = _ROUNDING * float(values[0])
    return max(float(values[rank - 1]), floor) / max(float(values[rank]), floor)
