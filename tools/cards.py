"""What the cards of trained networks say of a run."""

from __future__ import annotations

from torch import Tensor


def of_losses(losses: Tensor, parts: int = 20, digits: int = 4) -> dict:
    """The mean loss of the first and of the last hundredth of the steps, and of `parts` parts.

    losses: (steps,). digits: of the curve; there are no more parts than steps.
    """
    few = max(1, len(losses) // 100)
    curve = losses.tensor_split(min(parts, len(losses)))
    return {
        "first": round(float(losses[:few].mean()), 4),
        "last": round(float(losses[-few:].mean()), 4),
        "curve": [round(float(part.mean()), digits) for part in curve],
    }
