"""Blocks as subspaces, found from the spans of the score deltas."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import plainly
from projcomp.composition import compose
from projcomp.densities import Density
from projcomp.diagnostics.features import Features, features_of, found_features
from projcomp.diagnostics.measure import draw, noise_range, noised

__all__ = ["Features", "features_of", "find_blocks", "found_features"]


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
