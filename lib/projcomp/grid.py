"""Regular grids, and integrals over them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import values


class Grid:
    """A regular grid of cell centres over the box [lower, upper].

    Sums over cell centres times the cell volume (the midpoint rule) converge faster than any power
    of the spacing for smooth densities that vanish at the box's edge.

    Args:
        lower, upper: (n,) corners.
        cells: cells along every axis, or one count for each axis.

    Raises ValueError where lower < upper does not hold, a corner is above 1e100, a count is below
    2, or float64 cannot tell the cells of an axis apart or hold their volume.
    """

    def __init__(self, lower, upper, cells: int | Sequence[int] = 200):
        lower, upper = _check.real("lower", lower).cpu(), _check.real("upper", upper).cpu()
        if lower.ndim != 1 or lower.shape != upper.shape or not len(lower):
            raise ValueError(
                f"lower and upper must have the same shape (n,), got {tuple(lower.shape)} and "
                f"{tuple(upper.shape)}"
            )
        if not bool((lower < upper).all()):
            raise ValueError(f"lower must be < upper, got {lower.tolist()} and {upper.tolist()}")
        for name, corner in (("lower", lower), ("upper", upper)):
            if (largest := _check.largest(corner)) > _check.LARGEST:
                raise ValueError(
                    f"{name} must be at most {_check.LARGEST:g} in magnitude, got {largest:g}"
                )
        try:
            counts = list(cells)
        except TypeError:
            counts = [cells] * len(lower)
        if len(counts) != len(lower):
            raise ValueError(f"cells must be one count or {len(lower)} counts, got {cells!r}")
        self.lower, self.upper = lower, upper
        self.cells = tuple(_check.count("cells", count, 2) for count in counts)
        self.dim = len(self.cells)
        self._log_volume = 0.0
        for low, high, count in zip(lower.tolist(), upper.tolist(), self.cells, strict=True):
            # A centre is rounded by less than two units in its last place.
            if count > (high - low) / (4 * math.ulp(max(abs(low), abs(high)))):
                raise ValueError(
                    f"cells must be wide enough to tell apart in float64, got {count} in "
                    f"[{low!r}, {high!r}]"
                )
            self._log_volume += math.log((high - low) / count)
        if abs(self._log_volume) > 700:
            raise ValueError(
                "lower and upper must span cells whose volume fits in float64, got a volume of "
                f"exp({self._log_volume:.4g})"
            )

    @classmethod
    def square(cls, half: float, cells: int = 200, dim: int = 2) -> Grid:
        """The box [-half, half]^dim."""
        return cls([-half] * dim, [half] * dim, cells)

    @property
    def axes(self) -> list[Tensor]:
        """Cell centres along each axis."""
        ramps = [(torch.arange(c, dtype=torch.float64, device="cpu") + 0.5) / c for c in self.cells]
        return [
            low + (high - low) * ramp
            for low, high, ramp in zip(self.lower, self.upper, ramps, strict=True)
        ]

    @property
    def points(self) -> Tensor:
        """(*cells, n) cell centres, indexed along the axes in order."""
        return torch.stack(torch.meshgrid(*self.axes, indexing="ij"), -1)

    @property
    def volume(self) -> float:
        """Volume of one cell."""
        widths = (self.upper - self.lower).tolist()
        return math.prod(width / count for width, count in zip(widths, self.cells, strict=True))

    def log_integral(self, log_values: Tensor) -> Tensor:
        """log of the integral of exp(log_values); log_values: (*cells)."""
        return torch.logsumexp(log_values.reshape(-1), 0) + self._log_volume

    def masses(self, density, sigma=0.0) -> Tensor:
        """The share of each cell in the density, normalised over the box: (*cells), sums to 1.

        Works for densities known up to a constant. Raises ValueError for one that is 0 on the whole
        grid, or infinite.
        """
        log_values = density.log_prob(self.points, sigma).reshape(-1)
        if not math.isfinite(top := float(values(log_values).max())):
            raise ValueError(
                f"density must be positive and finite on the grid, got a largest log value of {top}"
            )
        return torch.softmax(log_values, 0).reshape(self.cells)

    def histogram(self, samples) -> tuple[Tensor, int]:
        """Counts of samples (..., n) in each cell, (*cells), and how many fell outside.

        A cell holds its lower edge and not its upper one.
        Raises ValueError for samples of another shape, not finite or above 1e100.
        """
        samples, _ = _check.points("samples", samples, self.dim)
        samples = samples.detach().reshape(-1, self.dim).cpu()
        inside = samples[((samples >= self.lower) & (samples < self.upper)).all(-1)]
        shares = (inside - self.lower) / (self.upper - self.lower)
        shape = torch.tensor(self.cells, device="cpu")
        # A sample just below the upper edge may round to it.
        index = (shares * shape).floor().long().minimum(shape - 1)
        strides = shape.flip(0).cumprod(0).flip(0).roll(-1)
        strides[-1] = 1
        flat = (index * strides).sum(-1)
        counts = torch.bincount(flat, minlength=math.prod(self.cells)).reshape(self.cells)
        return counts, len(samples) - len(inside)

    def __repr__(self):
        return f"Grid({self.lower.tolist()}, {self.upper.tolist()}, {list(self.cells)})"
