"""Regular grids, and integrals over them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from projcomp import _check


class Grid:
    """A regular grid of cell centres over the box [lower, upper].

    Sums over cell centres times the cell volume (the midpoint rule) converge faster than any power
    of the spacing for smooth densities that vanish at the box's edge.

    Args:
        lower, upper: (n,) corners.
        cells: cells along every axis, or one count for each axis.

    Raises ValueError where lower < upper does not hold or a count is below 2.
    """

    def __init__(self, lower, upper, cells: int | Sequence[int] = 200):
        lower, upper = _check.real("lower", lower), _check.real("upper", upper)
        if lower.ndim != 1 or lower.shape != upper.shape or not len(lower):
            raise ValueError(
                f"lower and upper must have the same shape (n,), got {tuple(lower.shape)} and "
                f"{tuple(upper.shape)}"
            )
        if not bool((lower < upper).all()):
            raise ValueError(f"lower must be < upper, got {lower.tolist()} and {upper.tolist()}")
        counts = list(cells) if isinstance(cells, Iterable) else [cells] * len(lower)
        if len(counts) != len(lower):
            raise ValueError(f"cells must be one count or {len(lower)} counts, got {cells!r}")
        self.lower, self.upper = lower, upper
        self.cells = tuple(_check.count("cells", count, 2) for count in counts)
        self.dim = len(self.cells)

    @classmethod
    def square(cls, half: float, cells: int = 200, dim: int = 2) -> Grid:
        """The box [-half, half]^dim."""
        return cls([-half] * dim, [half] * dim, cells)

    @property
    def axes(self) -> list[Tensor]:
        """Cell centres along each axis."""
        ramps = [(torch.arange(c, dtype=torch.float64) + 0.5) / c for c in self.cells]
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
        return float(((self.upper - self.lower) / torch.tensor(self.cells)).prod())

    def log_integral(self, log_values: Tensor) -> Tensor:
        """log of the integral of exp(log_values); log_values: (*cells)."""
        return torch.logsumexp(log_values.reshape(-1), 0) + math.log(self.volume)

    def masses(self, density, sigma=0.0) -> Tensor:
        """The share of each cell in the density, normalised over the box: (*cells), sums to 1.

        Works for densities known up to a constant.
        """
        log_values = density.log_prob(self.points, sigma)
        return torch.softmax(log_values.reshape(-1), 0).reshape(self.cells)

    def histogram(self, samples) -> tuple[Tensor, int]:
        """Counts of samples (m, n) in each cell, (*cells), and how many fell outside."""
        samples, _ = _check.points("samples", samples, self.dim)
        shape = torch.tensor(self.cells)
        index = ((samples - self.lower) / (self.upper - self.lower) * shape).floor().long()
        inside = ((index >= 0) & (index < shape)).all(-1)
        strides = shape.flip(0).cumprod(0).flip(0).roll(-1)
        strides[-1] = 1
        flat = (index[inside] * strides).sum(-1)
        counts = torch.bincount(flat, minlength=int(shape.prod())).reshape(self.cells)
        return counts, int((~inside).sum())

    def __repr__(self):
        return f"Grid({self.lower.tolist()}, {self.upper.tolist()}, {list(self.cells)})"
