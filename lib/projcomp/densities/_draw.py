"""Draws that several samplers share."""

from __future__ import annotations

import torch
from torch import Tensor

_MOST = 1 << 24
"""torch.multinomial takes no more categories."""


def categories(weights: Tensor, n: int, generator: torch.Generator | None) -> Tensor:
    """n indices (n,), drawn with probabilities `weights` (K,), on their device."""
    if len(weights) <= _MOST:
        return torch.multinomial(weights, n, replacement=True, generator=generator)
    edges = weights.cumsum(0)
    teeth = torch.rand(n, generator=generator, dtype=edges.dtype, device=edges.device) * edges[-1]
    return torch.searchsorted(edges, teeth, right=True).clamp(max=len(edges) - 1)


def normal_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal numbers in the shape of x, of its dtype and on its device."""
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
