"""2-Wasserstein distances between sample sets."""

from __future__ import annotations

import math
import warnings

import numpy as np
import ot
import torch
from torch import Tensor

from projcomp import _check
from projcomp.metrics._sets import in_units, pair

_LARGEST_EXACT = 4000
_GAP = 1e-9  # of the squared distance, between the plan and the bound below it
_ROUNDS = 20


def w2(x, y) -> float:
    """Exact 2-Wasserstein distance between two sample sets, (m, n) and (l, n), equal weights.

    Solved as a linear programme by POT (network simplex), for up to 4,000 points a side, and
    certified by its dual: the square is right to 1e-9 of itself and the rounding of float64. That
    holds at every scale and with outliers that are common to both sets. In one dimension the
    sorted points are matched.

    Raises ValueError for other shapes, too many points, and coordinates that are not finite or
    above 1e100. Warns, with the bound, where the dual doesn't certify the plan.
    """
    x, y = pair(x, y)
    if max(len(x), len(y)) > _LARGEST_EXACT:
        raise ValueError(
            f"x and y must have at most {_LARGEST_EXACT} points for exact transport, got {len(x)} "
            f"and {len(y)}; use sliced_w2"
        )
    unit, x, y = in_units(x, y)
    if x.shape[1] == 1:
        return unit * math.sqrt(float(_sorted_cost(x, y)))
    cost = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square_()
    return unit * math.sqrt(_least_cost(cost.numpy()))


def sliced_w2(x, y, projections: int = 128, generator: torch.Generator | None = None) -> float:
    """Sliced 2-Wasserstein distance: root mean square of W2 over random directions.

    In one dimension the single direction makes it the exact W2. In more, a projection rounds: two
    orders of one set may lie 1e-15 of the largest distance between the points apart, not 0.

    x, y: (m, n) and (l, n). generator: source of the directions.
    Raises ValueError for other shapes, and coordinates that are not finite or above 1e100.
    """
    _check.source("generator", generator)
    x, y = pair(x, y)
    projections = _check.count("projections", projections)
    device = "cpu" if generator is None else generator.device
    shape = x.shape[1], projections
    directions = torch.randn(shape, generator=generator, dtype=torch.float64, device=device).cpu()
    directions = directions / directions.norm(dim=0)
    # Around their middle, and not the mean, which an outlier would move.
    middle = torch.cat([x, y]).median(0).values
    unit, x, y = in_units(x - middle, y - middle)
    return unit * math.sqrt(float(_sorted_cost(x @ directions, y @ directions).mean()))


def _sorted_cost(x: Tensor, y: Tensor) -> Tensor:
    """The least mean square between the columns of (m, k) and those of (l, k): (k,)."""
    x, y = x.sort(0).values, y.sort(0).values
    m, l = len(x), len(y)  # noqa: E741
    if m == l:
        return (x - y).square().mean(0)
    # The two distribution functions step at multiples of l and of m, in units of 1 / (m l).
    steps = [torch.arange(n + 1, device="cpu") * other for n, other in ((m, l), (l, m))]
    edges = torch.cat(steps).unique()
    starts, widths = edges[:-1], edges.diff().to(x.dtype)
    return widths @ (x[starts // l] - y[starts // m]).square() / (m * l)


def _least_cost(cost: np.ndarray) -> float:
    """The least mean cost of a transport plan, for costs (m, l) >= 0 and equal weights.

    POT stops at reduced costs within a rounding of the largest cost. So a plan is held against the
    bound of its dual variables, and where it lies more than `_GAP` above that, solved again. The
    weights are whole numbers, and so is a plan's flow: an arc that costs more than a whole plan
    carries none, and can be cut to twice the plan's cost. Where that cuts little, go on with the
    reduced costs, which have the same best plan and a smaller sum.
    """
    m, l = cost.shape  # noqa: E741
    whole = math.lcm(m, l)
    weights = np.full(m, whole / m), np.full(l, whole / l)
    reduced, top = cost, float(cost.max()) or 1.0
    for _ in range(_ROUNDS):
        left = np.minimum(reduced, top)
        left /= top
        # Large sets need more pivots than POT's default.
        plan, found = ot.emd(*weights, left, numItermax=10_000_000, log=True)
        used = plan.nonzero()
        total, above = float(plan[used] @ cost[used]), float(plan[used] @ reduced[used])
        # u + v first: where both are large, they are so with opposite signs.
        np.add.outer(-top * found["u"], -top * found["v"], out=left)
        left += reduced
        left -= left.min(0)
        left -= left.min(1)[:, None]
        # All three are sums of what is not below 0.
        gap = min(float(plan[used] @ left[used]), above, total)
        if gap <= _GAP * total:
            break
        if above < top / 4:
            top = 2 * above
        else:
            reduced, top = left, 2 * gap
    else:
        warnings.warn(
            f"w2: the squared distance may be too large by a share of {gap / total:.2g}",
            stacklevel=3,
        )
    return total / whole
