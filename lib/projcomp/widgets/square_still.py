"""The Square's still picture: features beside pixels, with the layers of the live one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke
from torch import Tensor

from projcomp import plots
from projcomp.densities import Density
from projcomp.grid import Grid
from projcomp.widgets import still
from projcomp.widgets.still import Picture, Row, Still

SIZE, TITLE, GAP = 340, 24, 20
CELLS = 96
POINTS = 97  # of each line of the grid


class Plane(NamedTuple):
    """One side of the square: what is shaded, the parts (background first), the box, the map from
    features to here, and the axes' names at their right, upper and lower ends."""

    title: str
    shaded: Density
    parts: Sequence[Density]
    box: Sequence[float]
    map: Callable[[Tensor], Tensor]
    names: Sequence[str]


def draw(planes: Sequence[Plane], state: dict) -> Still:
    """The still picture of a state of the Square, whose planes are given too."""
    return Still(_drawn(planes, state, False), _drawn(planes, state, True))


def legend_rows(state: dict) -> list[Row]:
    """The live picture's legend."""
    show, rows = state["show"], []
    if "composition" in show:
        rows.append(Row(plots.COMPOSED, "fill", still.OPERATORS[state["operator"]]))
    if "parts" in show:
        rows += still.part_rows(state["operator"], len(state["concepts"]))
    if "grid" in show:
        rows.append(Row(still.FAINT, "-", "lines of constant u or v"))
    return rows


def _drawn(planes: Sequence[Plane], state: dict, stacked: bool) -> Picture:
    pitch = (0, SIZE + TITLE + GAP) if stacked else (SIZE + GAP, 0)
    last = len(planes) - 1
    size = SIZE + 2 + last * pitch[0], SIZE + TITLE + 2 + last * pitch[1]
    figure = still.sheet(*size, legend_rows(state))
    spans = planes[0].box, state["warp"] == "polar"
    for number, plane in enumerate(planes):
        place = 1 + number * pitch[0], TITLE + 1 + number * pitch[1]
        _plane(still.pane(figure, *place, SIZE, SIZE), plane, state["show"], spans)
    return still.picture(figure)


def _plane(ax: Axes, plane: Plane, show: Sequence[str], spans) -> None:
    left, bottom, right, top = plane.box
    grid = Grid([left, bottom], [right, top], CELLS)
    ax.set_title(plane.title, fontsize=still.TEXT + 1, color=still.SOFT, pad=6)
    if "composition" in show:
        plots.heat(ax, plane.shaded, grid, plots.COMPOSED)
    if "grid" in show:
        lines = [plane.map(line).numpy() for line in _lines(*spans)]
        ax.add_collection(
            LineCollection(lines, colors=still.FAINT, alpha=0.6, linewidths=1, zorder=1)
        )
    if "parts" in show:
        lines = still.DOTTED, *plots.LINES
        for part, colour, line in zip(
            plane.parts, (plots.BACKGROUND, *plots.CONCEPTS), lines, strict=False
        ):
            plots.contours(ax, part, grid, colour, line=line)
    ax.set(aspect="auto")
    still.plane(ax, plane.box)
    still.numbers(ax, plane.box, SIZE, SIZE)
    ends = ("right", "bottom"), ("left", "top"), ("left", "bottom")
    for name, (ha, va) in zip(plane.names, ends, strict=False):
        ax.text(
            0.98 if ha == "right" else 0.02, 0.98 if va == "top" else 0.02, name, ha=ha, va=va,
            fontsize=still.TEXT + 1, transform=ax.transAxes,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )  # fmt: skip


def _lines(box: Sequence[float], periodic: bool) -> list[Tensor]:
    """Lines of constant u and of constant v over a box of features, (POINTS, 2) each."""
    left, bottom, right, top = box
    across = math.pi / 6 if periodic else _step(top - bottom)
    along = torch.linspace(0, 1, POINTS, dtype=torch.float64, device="cpu")
    us, vs = left + along * (right - left), bottom + along * (top - bottom)
    upright = [torch.stack([vs.new_full((POINTS,), u), vs], 1) for u in _ticks(left, right)]
    level = [torch.stack([us, us.new_full((POINTS,), v)], 1) for v in _ticks(bottom, top, across)]
    return [*upright, *level]


def _ticks(low: float, high: float, step: float | None = None) -> list[float]:
    step = _step(high - low) if step is None else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [step * number for number in range(first, last + 1)]


def _step(span: float) -> float:
    """A round step of which about ten fit."""
    unit = 10 ** math.floor(math.log10(span / 10))
    return unit * next(m for m in (1, 2, 5, 10) if 14 * m * unit >= span)
