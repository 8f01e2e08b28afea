"""Total variation on a grid."""

from __future__ import annotations

from torch import Tensor

from projcomp.densities import Density
from projcomp.grid import Grid
from projcomp.metrics._sets import pair


def total_variation(p: Density, q: Density, grid: Grid, sigma=0.0) -> float:
    """Total variation between two densities by quadrature on `grid`, each normalised over it.

    Both may be known up to a constant only. The error is the quadrature's: refine the grid to see
    it. Mass outside of the box is not seen.

    Raises ValueError unless both live in the grid's dimension and are positive somewhere on it.
    """
    for name, density in (("p", p), ("q", q)):
        if density.dim != grid.dim:
            raise ValueError(f"{name} must live on the grid's R^{grid.dim}, got R^{density.dim}")
    here, there = (_masses(name, density, grid, sigma) for name, density in (("p", p), ("q", q)))
    return float(0.5 * (here - there).abs().sum())


def _masses(name: str, density: Density, grid: Grid, sigma) -> Tensor:
    try:
        return grid.masses(density, sigma)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def histogram_tv(x, y, grid: Grid) -> float:
    """Total variation between the histograms of two sample sets over the cells of `grid`.

    Everything outside of the box counts as one more cell.

    x, y: (m, n) and (l, n).
    Raises ValueError for other shapes, and coordinates that are not finite or above 1e100.
    """
    x, y = pair(x, y)
    (here, out_here), (there, out_there) = grid.histogram(x), grid.histogram(y)
    # In units of 1 / (m l) these are whole numbers.
    gap = int((here * len(y) - there * len(x)).abs().sum())
    return (gap + abs(out_here * len(y) - out_there * len(x))) / (2 * len(x) * len(y))
