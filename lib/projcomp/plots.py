"""The book's one visual language, on Matplotlib.

Colour names a role, everywhere: the background is grey, concepts are blue, orange and so on, a
composition is green, the truth it should match is a dashed black line. Colours are told apart by
the colour-blind (Okabe and Ito), and a line style or a marker always says the same thing again.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density
from projcomp.grid import Grid

BACKGROUND = "#6e6e6e"
CONCEPTS = ("#0072b2", "#d55e00", "#8a5fbf", "#a07800")
COMPOSED = "#00805f"
TRUTH = "#111111"
MARKERS = ("o", "^", "s", "D")
LINES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))

_STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.labelcolor": "#222222",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
}


def use() -> None:
    """Apply the book's style, and sharp PNG pictures in notebooks."""
    plt.rcParams.update(_STYLE)
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # outside of a notebook
        return
    set_matplotlib_formats("retina")


def panels(
    columns: int, rows: int = 1, *, width: float = 8.0, ratio: float = 1.0, **share: bool
) -> tuple[Figure, list[Axes]]:
    """A figure of columns x rows panels, each `ratio` as tall as wide; the axes in reading order.

    `share`: sharex and sharey, as for `matplotlib.pyplot.subplots`.
    """
    columns, rows = _check.count("columns", columns), _check.count("rows", rows)
    size = (width, width / columns * rows * ratio)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **share)
    return figure, list(axes.flat)


def plane(ax: Axes, grid: Grid, title: str = "") -> None:
    """Turn `ax` into a bare plane over the box of `grid`, equal scales on both axes."""
    (left, bottom), (right, top) = grid.lower.tolist(), grid.upper.tolist()
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color("#bbbbbb")
    if title:
        ax.set_title(title)


def heat(ax: Axes, density: Density, grid: Grid, colour: str, sigma: float = 0.0) -> None:
    """A density on the plane as shades of one colour, normalised to its peak in the box."""
    shade(ax, grid.masses(density, sigma), grid, colour)


def shade(ax: Axes, masses: Tensor, grid: Grid, colour: str) -> None:
    """The same of masses, (*cells) as of `Grid.masses`."""
    shades = LinearSegmentedColormap.from_list("shades", ["#ffffff", colour])
    (left, bottom), (right, top) = grid.lower.tolist(), grid.upper.tolist()
    ax.imshow(
        (masses / masses.max()).T.numpy(),
        origin="lower",
        extent=(left, right, bottom, top),
        cmap=shades,
        vmin=0.0,
        vmax=1.15,
        interpolation="bilinear",
        zorder=0,
    )


def contours(
    ax: Axes,
    density: Density,
    grid: Grid,
    colour: str,
    sigma: float = 0.0,
    shares: Sequence[float] = (0.5, 0.9),
    line=LINES[0],
) -> None:
    """Outlines of the smallest regions that hold the given shares of a density's mass."""
    outlines(ax, grid.masses(density, sigma), grid, colour, shares, line)


def outlines(
    ax: Axes,
    masses: Tensor,
    grid: Grid,
    colour: str,
    shares: Sequence[float] = (0.5, 0.9),
    line=LINES[0],
    width: float = 1.5,
) -> None:
    """The same of masses, (*cells) as of `Grid.masses`."""
    ordered = masses.reshape(-1).sort(descending=True).values
    held = ordered.cumsum(0)
    levels = sorted({float(ordered[int((held < share).sum())]) for share in shares})
    x, y = (axis.numpy() for axis in grid.axes)
    ax.contour(
        x,
        y,
        masses.T.numpy(),
        levels=levels,
        colors=[colour],
        linestyles=[line],
        linewidths=width,
        zorder=2,
    )


def samples(
    ax: Axes, points, colour: str, marker: str = "o", size=3.0, label: str | None = None
) -> None:
    """Samples (m, 2) as small marks; size: one for all, or one for each, in square points."""
    points = _check.points("points", points, 2)[0].numpy()
    ax.scatter(
        points[:, 0], points[:, 1], s=size, c=[to_rgb(colour)], marker=marker, alpha=0.55,
        linewidths=0, rasterized=True, label=label, zorder=3,
    )  # fmt: skip


@torch.no_grad()
def arrows(
    ax: Axes, density: Density, grid: Grid, colour: str, sigma: float, cells: int = 15
) -> None:
    """The score as arrows, drawn as sigma * score so that every noise level reads alike."""
    coarse = Grid(grid.lower, grid.upper, cells)
    points = coarse.points.reshape(-1, 2)
    steps = sigma * density.score(points, sigma)
    lengths = steps.norm(dim=1, keepdim=True)
    spacing = float((coarse.upper - coarse.lower)[0]) / cells
    steps = steps / lengths.clamp(min=1e-300) * 0.85 * spacing * (lengths / (1.0 + lengths))
    (x, y), (u, v) = points.T.numpy(), steps.T.numpy()
    ax.quiver(
        x, y, u, v, color=colour, angles="xy",
        scale_units="xy", scale=1.0, width=0.004, zorder=4,
    )  # fmt: skip


def paths(ax: Axes, path, colour: str, count: int = 20, width: float = 0.9) -> None:
    """The first `count` trajectories of a run's path (steps + 1, n, 2), with their ends marked."""
    path = path[:, :count].numpy()
    for track in path.transpose(1, 0, 2):
        ax.plot(track[:, 0], track[:, 1], color=colour, linewidth=width, alpha=0.8, zorder=3)
    ends = path[-1]
    ax.scatter(ends[:, 0], ends[:, 1], s=14, color=colour, edgecolors="white", zorder=5)


def curve(
    ax: Axes, density: Density, grid: Grid, colour: str, sigma: float = 0.0, line=LINES[0],
    label: str | None = None, fill: bool = False,
) -> None:  # fmt: skip
    """A density on the line, normalised over the box of a one-dimensional `grid`."""
    values = (grid.masses(density, sigma) / grid.volume).numpy()
    x = grid.axes[0].numpy()
    ax.plot(x, values, color=colour, linestyle=line, label=label, zorder=3)
    if fill:
        ax.fill_between(x, values, color=colour, alpha=0.15, linewidth=0, zorder=1)


def histogram(ax: Axes, values, colour: str, bins, label: str | None = None) -> None:
    """A normalised histogram of one-dimensional samples (m,), as steps over a light fill."""
    values = _check.real("values", values).reshape(-1).numpy()
    ax.hist(values, bins=bins, density=True, color=colour, alpha=0.25, zorder=1)
    ax.hist(
        values, bins=bins, density=True, color=colour, histtype="step", linewidth=1.4, label=label,
        zorder=2,
    )  # fmt: skip


def spectra(ax: Axes, values: Sequence[Tensor], ranks: Sequence[int], most: int = 20) -> None:
    """Singular values of each concept's deltas, as of `find_blocks`, the first `most` of them.

    On a logarithmic axis: full marks for the directions kept, hollow ones for the rest. Values
    that are zero to rounding are drawn at 1e-12 of the largest.
    """
    for index, (seen, rank) in enumerate(zip(values, ranks, strict=True)):
        colour, marker = (cycle[index % len(cycle)] for cycle in (CONCEPTS, MARKERS))
        heights = seen[:most].clamp(min=1e-12 * float(seen[:1].sum())).cpu().numpy()
        places = range(1, len(heights) + 1)
        ax.plot(places, heights, color=colour, linewidth=0.8, linestyle=LINES[index % len(LINES)])
        for part, inside in ((slice(0, rank), colour), (slice(rank, None), "white")):
            ax.plot(
                places[part], heights[part], color=colour, marker=marker, linestyle="none",
                markerfacecolor=inside, markersize=5,
            )  # fmt: skip
    ax.set(yscale="log", xlabel="direction", ylabel="singular value")


def shadows(
    ax: Axes, density: Density, grid: Grid, targets: Sequence[Density | None], title: str = ""
) -> None:
    """A plane density with its two marginals on the margins, beside the marginals it should have.

    targets: one-dimensional densities for the first and the second coordinate (None: no target),
    drawn dashed in the first and second concept's colour.
    """
    plane(ax, grid)
    heat(ax, density, grid, COMPOSED)
    masses = grid.masses(density)
    top = ax.inset_axes([0.0, 1.03, 1.0, 0.24], sharex=ax)
    side = ax.inset_axes([1.03, 0.0, 0.24, 1.0], sharey=ax)
    for axis, (inset, target) in enumerate(zip((top, side), targets, strict=True)):
        line = Grid(grid.lower[axis : axis + 1], grid.upper[axis : axis + 1], grid.cells[axis])
        x = line.axes[0].numpy()
        curves = [(masses.sum(1 - axis).numpy() / line.volume, COMPOSED, LINES[0])]
        if target is not None:
            curves.append((line.masses(target).numpy() / line.volume, CONCEPTS[axis], LINES[1]))
        for values, colour, style in curves:
            pair = (x, values) if axis == 0 else (values, x)
            inset.plot(*pair, color=colour, linestyle=style, linewidth=1.6)
        inset.axis("off")
    if title:
        top.set_title(title, pad=4)
