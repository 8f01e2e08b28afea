"""The still picture of a figure: for print, for saved notebooks, and where scripts don't run."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from projcomp import plots
from projcomp.composition import Composition
from projcomp.densities import Density, Flat
from projcomp.grid import Grid


def still_picture(composition: Composition, box: Sequence[float], sigma: float) -> str:
    """A PNG of the composition with its parts, base64-encoded."""
    left, bottom, right, top = box
    figure = Figure(figsize=(4.2, 4.2 if composition.dim == 2 else 2.6), layout="constrained")
    ax = figure.add_subplot()
    if composition.dim == 1:
        _draw_line(ax, composition, Grid([left], [right], 400), sigma)
    else:
        _draw_plane(ax, composition, Grid([left, bottom], [right, top], 120), sigma)
    return _encoded(figure)


def still_square(*panes: tuple[Density, Sequence[Density], Sequence[float]]) -> str:
    """The same for two planes side by side: of each what is shaded, the parts (background first)
    and the box."""
    figure = Figure(figsize=(7.6, 4.0), layout="constrained")
    axes = figure.subplots(1, len(panes))
    titles = "features (u, v)", "pixels (x, y) = A(u, v)"
    for ax, title, (shaded, parts, (left, bottom, right, top)) in zip(
        axes, titles, panes, strict=True
    ):
        grid = Grid([left, bottom], [right, top], 100)
        plots.plane(ax, grid, title)
        plots.heat(ax, shaded, grid, plots.COMPOSED)
        ax.set(aspect="auto")
        lines = (plots.LINES[2], *plots.LINES)
        for part, colour, line in zip(
            parts, (plots.BACKGROUND, *plots.CONCEPTS), lines, strict=False
        ):
            plots.contours(ax, part, grid, colour, line=line)
    return _encoded(figure)


def still_pictures(panes: Sequence[tuple[str, Tensor, str]]) -> str:
    """The same for pictures side by side: of each its title, (s, s, 3) values, and a note below."""
    figure = Figure(figsize=(7.6, 3.0), layout="constrained")
    for ax, (title, picture, note) in zip(figure.subplots(1, len(panes)), panes, strict=True):
        ax.imshow(picture.numpy(), interpolation="nearest")
        ax.set(xticks=[], yticks=[], xlabel=note)
        ax.set_title(title, fontsize=10)
        ax.spines[:].set_visible(False)
    return _encoded(figure)


def _encoded(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return base64.b64encode(buffer.getvalue()).decode()


def _draw_plane(ax: Axes, composition: Composition, grid: Grid, sigma: float) -> None:
    plots.plane(ax, grid)
    plots.heat(ax, composition, grid, plots.COMPOSED, sigma)
    if not isinstance(composition.background, Flat):
        plots.contours(
            ax, composition.background, grid, plots.BACKGROUND, sigma, line=plots.LINES[2]
        )
    for concept, colour, line in zip(
        composition.concepts, plots.CONCEPTS, plots.LINES, strict=False
    ):
        plots.contours(ax, concept, grid, colour, sigma, line=line)


def _draw_line(ax: Axes, composition: Composition, grid: Grid, sigma: float) -> None:
    if not isinstance(composition.background, Flat):
        plots.curve(ax, composition.background, grid, plots.BACKGROUND, sigma, line=plots.LINES[2])
    for concept, colour, line in zip(
        composition.concepts, plots.CONCEPTS, plots.LINES, strict=False
    ):
        plots.curve(ax, concept, grid, colour, sigma, line=line)
    if composition.normalisable(sigma) is not False:
        plots.curve(ax, composition, grid, plots.COMPOSED, sigma, fill=True)
    ax.set(yticks=[])
