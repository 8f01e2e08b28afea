"""Blocks as subspaces: given by the caller, or found from the spans of the score deltas."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import plainly
from projcomp._text import Brief
from projcomp.composition import compose
from projcomp.densities import Density, Diffeomorphism, Identity, LinearMap
from projcomp.densities.blocks import partition
from projcomp.diagnostics.measure import draw, noise_range, noised

_CLOSE = 1e-8


@plainly
@torch.no_grad()
def find_blocks(
    background: Density,
    concepts: Sequence[Density],
    *,
    sigmas=None,
    samples: int = 256,
    tolerance: float = 1e-6,
    generator: torch.Generator | None = None,
) -> list[Tensor]:
    """The subspace that each concept's score delta spans, without being told the feature space.

    Under factorized conditionals in an orthogonal feature space every delta lives in its own
    block, at every point and noise level. So the blocks are read off the deltas: many of them are
    stacked, scaled by sigma, and a singular value decomposition gives their span. Where a concept
    changes its block in fewer directions than the block has (a shift, say), the answer is that
    smaller subspace. Where the condition fails, the spans overlap or fill everything.

    Args:
        sigmas: noise levels > 0 to look at; 12 over the data's range if None.
        samples: points of the background and of the concept, each, at every level.
        tolerance: singular values below this share of the largest count as zero. Raise it to the
            relative error of the scores for a trained network.
        generator: source of the points.

    Returns: one orthonormal basis for each concept, (n, r_i), strongest directions first; r_i = 0
    where the delta vanishes. Raises ValueError for a bad argument.
    """
    composition = compose(background, concepts)
    samples = _check.count("samples", samples, 2)
    _check.source("generator", generator)
    tolerance = _check.number("tolerance", tolerance)
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must lie between 0 and 1, got {tolerance:g}")
    densities = [background, *composition.concepts]
    levels = noise_range(densities, sigmas, 12, generator)
    samples = max(samples, -(-4 * background.dim // len(levels)))
    clean = [draw(density, samples, levels, generator) for density in densities]
    bases = []
    for concept, own in zip(composition.concepts, clean[1:], strict=True):
        points = torch.cat([clean[0], own])
        rows = []
        for sigma in levels.tolist():
            x = noised(points, sigma, generator)
            delta = sigma * (concept.score(x, sigma) - background.score(x, sigma))
            scale = float(delta.square().mean().sqrt())
            # Below rounding, a level says nothing of directions.
            if scale > 1e-12 * float(x.square().mean().sqrt()) / sigma:
                rows.append(delta / scale)
        bases.append(_span(rows, tolerance, background.dim))
    return bases


def _span(rows: list[Tensor], tolerance: float, dim: int) -> Tensor:
    if not rows:
        return torch.zeros(dim, 0, dtype=torch.float64, device="cpu")
    _, values, directions = torch.linalg.svd(torch.cat(rows), full_matrices=False)
    return directions[: int((values > tolerance * values[0]).sum())].T.contiguous()


@dataclass(frozen=True, repr=False)
class Features(Brief):
    """A feature space and its blocks: M_b (perhaps empty) and one for each concept.

    transform: from pixels to features, A of Theorem 6.1. found: read off the deltas, not given.
    """

    transform: Diffeomorphism
    background: list[int]
    own: list[list[int]]
    found: bool = False

    def rest(self, concept: int) -> list[int]:
        """All coordinates that are not the concept's own."""
        own = set(self.own[concept])
        return [index for index in range(self.transform.dim) if index not in own]

    @property
    def parts(self) -> list[list[int]]:
        """The blocks that are not empty."""
        return [block for block in (self.background, *self.own) if block]


def features_of(blocks, transform, concepts: int, dim: int) -> Features:
    """`blocks` and `transform` as `diagnose` takes them, checked."""
    if transform is None:
        chart: Diffeomorphism = Identity(dim)
    elif isinstance(transform, Diffeomorphism):
        chart = transform
    elif callable(transform):
        raise ValueError(
            "transform must be a Diffeomorphism (a map with an inverse and a log-determinant, both "
            f"of which are needed) or an invertible matrix, got {transform!r}"
        )
    else:
        chart = LinearMap(transform)
    if chart.dim != dim:
        raise ValueError(f"transform must act on R^{dim}, got R^{chart.dim}")
    if isinstance(blocks, str) or not isinstance(blocks, Iterable):
        raise ValueError(f"blocks must be a sequence of index lists or of bases, got {blocks!r}")
    blocks = list(blocks)
    if blocks and all(getattr(block, "ndim", 1) == 2 for block in blocks):
        if transform is not None:
            raise ValueError("blocks must be index lists where a transform is given, got bases")
        return _features_along(_orthogonal(blocks, concepts, dim), dim)
    if len(blocks) not in (concepts, concepts + 1):
        raise ValueError(
            f"blocks must be {concepts} index lists, one for each concept, or {concepts + 1} with "
            f"the background's first, got {len(blocks)}"
        )
    own = list(blocks[-concepts:])
    others = [block for block in blocks[:-concepts] if len(list(block))]
    checked = partition("blocks", [*others, *own], dim)
    return Features(chart, [i for block in checked[:-concepts] for i in block], checked[-concepts:])


def found_features(bases: list[Tensor], dim: int) -> Features | None:
    """The feature space of found bases, where they are orthogonal to each other; else None."""
    together = torch.cat(bases, 1)
    if 0 in (basis.shape[1] for basis in bases) or together.shape[1] > dim:
        return None
    if largest_overlap(together) > 1e-6:
        return None
    # Orthogonal up to the rounding of the scores: made exactly so, basis by basis.
    exact = torch.linalg.qr(together).Q
    exact = exact * torch.sign((exact * together).sum(0))
    sizes = [basis.shape[1] for basis in bases]
    return replace(_features_along(list(exact.split(sizes, 1)), dim), found=True)


def largest_overlap(together: Tensor) -> float:
    """How far the columns are from orthonormal: max |B^T B - 1|."""
    gram = together.T @ together
    return (
        float((gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device)).abs().max())
        if len(gram)
        else 0.0
    )


def _features_along(bases: list[Tensor], dim: int) -> Features:
    """Coordinates along the bases, the background's (the rest) first."""
    together = torch.cat(bases, 1)
    rank = together.shape[1]
    rest = torch.linalg.svd(together, full_matrices=True).U[:, rank:]
    sizes = [rest.shape[1], *(basis.shape[1] for basis in bases)]
    ends = list(itertools.accumulate(sizes))
    own = [list(range(low, high)) for low, high in itertools.pairwise(ends)]
    return Features(LinearMap(torch.cat([rest, together], 1).T), list(range(ends[0])), own)


def _orthogonal(blocks, concepts: int, dim: int) -> list[Tensor]:
    bases = [_check.real(f"blocks[{j}]", block) for j, block in enumerate(blocks)]
    if len(bases) != concepts:
        raise ValueError(f"blocks must be {concepts} bases, one a concept, got {len(bases)}")
    for j, basis in enumerate(bases):
        if basis.shape[0] != dim or not 1 <= basis.shape[1] <= dim:
            raise ValueError(f"blocks[{j}] must have shape ({dim}, r), got {tuple(basis.shape)}")
    gap = largest_overlap(torch.cat(bases, 1))
    if gap > _CLOSE:
        raise ValueError(
            "blocks must be orthonormal bases of mutually orthogonal subspaces, but their inner "
            f"products are off by up to {gap:.2g}"
        )
    return bases
