"""Feature spaces and their blocks: index lists, masks and boxes of pictures, or bases."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from projcomp import _check
from projcomp._text import Brief
from projcomp.densities import Diffeomorphism, Identity, LinearMap, Turn
from projcomp.densities.blocks import partition

_CLOSE = 1e-8


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

    def project(self, points: Tensor, concept: int) -> Tensor:
        """P_i x: what of x lies in the concept's block, in pixels. points: (..., n), as the answer.

        For vectors, such as scores: an offset of the feature map plays no part. Costs what the map
        costs, and no matrix is made. Raises ValueError unless the map is orthogonal: of any other
        the blocks are no orthogonal subspaces of the pixels.
        """
        if not self.transform.orthogonal:
            raise ValueError(f"transform must be orthogonal to project, got {self.transform!r}")
        origin = self.transform.forward(points.new_zeros(self.transform.dim))
        own = torch.tensor(self.own[concept], device=points.device)
        inside = origin.expand(points.shape).clone()
        inside[..., own] = self.transform.forward(points)[..., own]
        return self.transform.inverse(inside)


def features_of(
    blocks, transform, concepts: int, dim: int, shape: Sequence[int] | None = None
) -> Features:
    """`blocks` and `transform` as `diagnose` takes them, checked.

    Where points are pictures, of `shape`, a block may also be a mask or a box as `blocks_of` takes
    them, one for each concept; a tuple of four integers is then a box, and a list holds indices.
    """
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
        raise ValueError(
            f"blocks must be a sequence of index lists, masks, boxes or bases, got {blocks!r}"
        )
    blocks = list(blocks)
    pictures = shape is not None and len(shape) > 1
    if any(_is_mask(block) or (pictures and _is_box(block)) for block in blocks):
        if len(blocks) != concepts:
            raise ValueError(
                f"blocks must be {concepts} masks or boxes, one for each concept (the rest is the "
                f"background's), got {len(blocks)}"
            )
        blocks = _blocks_of("blocks", (dim,) if shape is None else tuple(shape), blocks)
    elif blocks and all(getattr(block, "ndim", 1) == 2 for block in blocks):
        if transform is not None:
            raise ValueError("blocks must be index lists where a transform is given, got bases")
        return _features_along(_orthogonal(blocks, concepts, dim))
    if len(blocks) not in (concepts, concepts + 1):
        raise ValueError(
            f"blocks must be {concepts} index lists, one for each concept, or {concepts + 1} with "
            f"the background's first, got {len(blocks)}"
        )
    own = list(blocks[-concepts:])
    others = [block for block in blocks[:-concepts] if len(list(block))]
    checked = partition("blocks", [*others, *own], dim)
    return Features(chart, [i for block in checked[:-concepts] for i in block], checked[-concepts:])


def blocks_of(shape: Sequence[int], parts: Sequence) -> list[list[int]]:
    """Parts of pictures as blocks: index lists that partition the coordinates.

    The first block is the background's, all that no part holds (perhaps nothing); then one for
    each part, as `diagnose` takes them.

    Args:
        shape: of a point: (H, W), (channels, H, W), or (n,), which has no boxes.
        parts: each a mask, boolean, of that shape or (H, W) for all channels; or a box
            (top, left, bottom, right) of all channels, in pixels, that holds the rows from top to
            below bottom and the columns from left to below right.

    Raises ValueError where parts overlap, hold nothing or leave the picture.
    """
    try:
        shape = tuple(_check.count("shape", size) for size in shape)
    except TypeError:
        raise ValueError(f"shape must be a sequence of sizes, got {shape!r}") from None
    if isinstance(parts, str) or not isinstance(parts, Iterable):
        raise ValueError(f"parts must be a sequence of masks or boxes, got {parts!r}")
    return _blocks_of("parts", shape, list(parts))


def found_features(bases: Sequence[Tensor], dim: int, overlap: float = 1e-6) -> Features | None:
    """The feature space of found bases, where they are orthogonal to each other; else None.

    overlap: the largest cosine between directions of two bases that counts as none, below 1. The
    bases are then made orthogonal in turn, each to those before it, so a later one moves by about
    that much.
    """
    together = torch.cat(list(bases), 1)
    if 0 in (basis.shape[1] for basis in bases) or together.shape[1] > dim:
        return None
    if largest_overlap(together) > overlap:
        return None
    exact, triangle = torch.linalg.qr(together)
    exact = exact * triangle.diagonal().sign()
    sizes = [basis.shape[1] for basis in bases]
    return replace(_features_along(list(exact.split(sizes, 1))), found=True)


def largest_overlap(together: Tensor) -> float:
    """How far the columns are from orthonormal: |B^T B - 1|, the largest singular value.

    Of two orthonormal bases that is the largest cosine between directions of the two.
    """
    gram = together.T @ together
    one = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    return float(torch.linalg.matrix_norm(gram - one, 2)) if len(gram) else 0.0


def _features_along(bases: list[Tensor]) -> Features:
    """Coordinates along the bases, the background's (the rest) first."""
    chart = Turn(torch.cat(bases, 1))
    sizes = [chart.dim - chart.rank, *(basis.shape[1] for basis in bases)]
    ends = list(itertools.accumulate(sizes))
    own = [list(range(low, high)) for low, high in itertools.pairwise(ends)]
    return Features(chart, list(range(ends[0])), own)


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


def _is_mask(part) -> bool:
    return str(getattr(part, "dtype", "")).removeprefix("torch.") == "bool"


def _is_box(part) -> bool:
    return isinstance(part, tuple) and len(part) == 4


def _blocks_of(name: str, shape: tuple[int, ...], parts: list) -> list[list[int]]:
    owner = np.full(shape, -1)
    for j, part in enumerate(parts):
        mask = _mask(f"{name}[{j}]", part, shape)
        taken = owner[mask & (owner >= 0)]
        if taken.size:
            raise ValueError(f"{name} must not overlap, but {name}[{taken[0]}] and {name}[{j}] do")
        owner[mask] = j
    flat = owner.reshape(-1)
    return [np.flatnonzero(flat == j).tolist() for j in range(-1, len(parts))]


def _mask(name: str, part, shape: tuple[int, ...]) -> np.ndarray:
    """A mask or a box as a mask of the whole shape, not empty."""
    if _is_mask(part):
        mask = part.cpu().numpy() if isinstance(part, Tensor) else np.asarray(part)
        if mask.shape not in (shape, shape[-2:]):
            wanted = " or ".join(map(str, dict.fromkeys((shape, shape[-2:]))))
            raise ValueError(f"{name} must be a mask of shape {wanted}, got {mask.shape}")
    else:
        mask = _inside(name, part, shape)
    if not mask.any():
        raise ValueError(f"{name} must hold at least one coordinate, got an empty mask")
    return np.broadcast_to(mask, shape)


def _inside(name: str, box, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) < 2:
        raise ValueError(f"{name} must be a boolean mask of shape {shape}, got {box!r}")
    try:
        top, left, bottom, right = (_check.count(name, side, -math.inf) for side in box)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a boolean mask or a box (top, left, bottom, right), got {box!r}"
        ) from None
    height, width = shape[-2:]
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise ValueError(
            f"{name} must be a box (top, left, bottom, right) with 0 <= top < bottom <= {height} "
            f"and 0 <= left < right <= {width}, got {tuple(box)}"
        )
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask
