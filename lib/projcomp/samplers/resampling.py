"""Weights of particles: how many they are worth, and how to draw from them."""

from __future__ import annotations

import torch
from torch import Tensor

SCHEMES = ("systematic", "stratified")


def effective_size(log_weights: Tensor) -> float:
    """(sum w)^2 / sum w^2, of unnormalised log weights (n,): between 1 and n."""
    shares = torch.softmax(log_weights, 0)
    return float(1.0 / shares.square().sum())


def ancestors(log_weights: Tensor, scheme: str, generator) -> Tensor:
    """Indices (n,): particle i is drawn n w_i times on average (Kitagawa 1996; Carpenter 1999).

    "systematic" shifts one comb of n teeth by one uniform number, so the count of a particle
    differs from n w_i by less than one; "stratified" draws one number in each of n equal strata.
    """
    n = len(log_weights)
    count = 1 if scheme == "systematic" else n
    offsets = torch.rand(count, generator=generator, dtype=torch.float64, device=log_weights.device)
    teeth = (torch.arange(n, dtype=torch.float64, device=log_weights.device) + offsets) / n
    edges = torch.softmax(log_weights.to(torch.float64), 0).cumsum(0)
    return torch.searchsorted(edges, teeth, right=True).clamp(max=n - 1)
