"""Weights of particles: how many they are worth, and how to draw from them."""

from __future__ import annotations

import torch
from torch import Tensor

SCHEMES = ("systematic", "stratified")


def effective_size(log_weights: Tensor) -> float:
    """(sum w)^2 / sum w^2, of unnormalised log weights (n,): between 1 and n."""
    shares = torch.softmax(log_weights, 0)
    return float(1.0 / shares.square().sum())


def conditional_share(log_weights: Tensor, gain: Tensor) -> float:
    """The effective share that a gain of log weights leaves, (n,) both: between 0 and 1.

    (sum W g)^2 / sum W g^2 with W normalised: one where all gain alike, whatever W is (Zhou,
    Johansen and Aston 2016, equation 7).
    """
    logs = torch.log_softmax(log_weights, 0)
    share = 2.0 * torch.logsumexp(logs + gain, 0) - torch.logsumexp(logs + 2.0 * gain, 0)
    return float(share.exp())


def ancestors(log_weights: Tensor, scheme: str, generator, count: int | None = None) -> Tensor:
    """Indices (count,), n of them unless given, in order; each particle count w_i times on average.

    "systematic" shifts one comb by one uniform number, so the count of a particle differs from its
    mean by less than one; "stratified" draws one number in each of as many equal strata (Kitagawa
    1996; Carpenter 1999). A particle without weight is never drawn.
    """
    count = len(log_weights) if count is None else count
    like = {"dtype": torch.float64, "device": log_weights.device}
    offsets = torch.rand(1 if scheme == "systematic" else count, generator=generator, **like)
    return combed(log_weights, offsets, count)


def combed(log_weights: Tensor, offsets: Tensor, count: int) -> Tensor:
    """Indices (count,) of the particles that a comb meets, whose teeth lie at (i + offset) / count.

    offsets: one for all teeth, or one each, in [0, 1).
    """
    teeth = torch.arange(count, dtype=torch.float64, device=log_weights.device)
    teeth = (teeth + offsets) / count
    edges = torch.softmax(log_weights.to(torch.float64), 0).cumsum(0)
    last = torch.searchsorted(edges, edges[-1:])  # the last one that weighs anything
    return torch.minimum(torch.searchsorted(edges, teeth, right=True), last)
