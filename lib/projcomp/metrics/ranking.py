"""How well a number tells bad cases from good ones."""

from __future__ import annotations

from torch import Tensor

from projcomp import _check


def roc_area(values, bad, good) -> Tensor:
    """How likely a bad case has the larger value than a good one, ties by half: (...), in [0, 1].

    values: (m,) of the cases. bad, good: (..., m) how often, or by what weight, each case is bad
    and good, such as the numbers of its samples that are, or of its copies in a bootstrap draw.
    NaN where there is no bad case, or no good one.

    Raises ValueError for other shapes, for values that are not finite, and negative weights.
    """
    values = _check.real("values", values)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values must have shape (m,) with m >= 1, got {tuple(values.shape)}")
    bad, good = _weights("bad", bad, values), _weights("good", good, values)
    ranks, count = values.unique(return_inverse=True)[1], int(values.unique().numel())

    def at_each(weights: Tensor) -> Tensor:
        sums = weights.new_zeros(*weights.shape[:-1], count)
        return sums.index_add(-1, ranks, weights)

    low, high = at_each(good), at_each(bad)
    below = low.cumsum(-1) - 0.5 * low
    return (high * below).sum(-1) / (high.sum(-1) * low.sum(-1))


def _weights(name: str, weights, values: Tensor) -> Tensor:
    weights = _check.real(name, weights, like=values)
    if not weights.ndim or weights.shape[-1] != len(values):
        raise ValueError(
            f"{name} must have shape (..., {len(values)}), one for each value, got "
            f"{tuple(weights.shape)}"
        )
    if bool((weights < 0).any()):
        raise ValueError(f"{name} must be >= 0, got {float(weights.min()):g}")
    return weights
