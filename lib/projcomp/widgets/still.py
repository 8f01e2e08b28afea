"""The still picture of a figure: for print, for saved notebooks, and where scripts don't run.

It is drawn from the figure's whole state, with the layers, colours and legend of the live picture.
Here is what stills of every kind share; all lengths are CSS pixels.
"""

from __future__ import annotations

import base64
import io
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextPath
from PIL import Image

from projcomp import plots

INK, SOFT, FAINT, FRAME = plots.TRUTH, "#55606b", "#aab2bb", "#c9d0d6"
TEXT = 12
DOTTED = (0, (1.3, 2))  # the background's line
TRUTH_LINE, TRUTH_WIDTH = (0, (2.7, 1.4)), 2.2
OPERATORS = {"composition": "composition", "product": "simple product", "bayes": "Bayes"}
"""What the figures call the operators."""

_BASES = {"bayes": "unconditional", "product": "background (left out)"}
_SHARPNESS = 1.5  # of the picture's pixels to a CSS pixel
_SHADES = 256  # of a drawing: few hues
_APART, _CLEAR = 48, 26  # of the numbers: from one to the next, and free at the ends
_KEY, _GAP, _LINE = 22, 16, 20  # of the legend: its marks, what parts its words, its lines


class Picture(NamedTuple):
    """A PNG, base64-encoded, and how wide it is to be shown."""

    png: str
    width: int


class Still(NamedTuple):
    """A figure's still picture; the narrow one has its panels stacked, for a phone."""

    wide: Picture
    narrow: Picture | None = None


class Row(NamedTuple):
    """A row of the legend: what it says of marks of a colour and a style."""

    colour: str
    style: object  # "fill", "dot", or a style of line
    text: str


def part_rows(operator: str, concepts: int, base: bool = True) -> list[Row]:
    """Rows for the background, if any, and the concepts."""
    rows = [
        Row(colour, line, f"concept {i + 1}")
        for i, (colour, line) in enumerate(
            itertools.islice(zip(plots.CONCEPTS, plots.LINES, strict=True), concepts)
        )
    ]
    background = Row(plots.BACKGROUND, DOTTED, _BASES.get(operator, "background"))
    return [background, *rows] if base else rows


def sheet(width: float, height: float, legend: Sequence[Row] = ()) -> Figure:
    """A white sheet with room for pictures, and below them the legend, if there is one."""
    lines = list(_wrapped(legend, width))
    whole = height + (6 + _LINE * len(lines) if lines else 0)
    # A point is a pixel here, so that lines and letters have the live picture's sizes.
    figure = Figure(figsize=(width / 72, whole / 72), dpi=72, facecolor="white", layout="none")
    for number, rows in enumerate(lines):
        figure.legend(
            handles=[_mark(row) for row in rows],
            labels=[row.text for row in rows],
            loc="upper center",
            bbox_to_anchor=(0.5, 1 - (height + 6 + _LINE * number) / whole),
            ncols=len(rows),
            fontsize=TEXT,
            labelcolor=SOFT,
            frameon=False,
            handlelength=_KEY / TEXT,
            handletextpad=0.5,
            columnspacing=_GAP / TEXT,
            borderpad=0,
            borderaxespad=0,
        )
    return figure


def pane(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Bare axes with their upper left corner there on the sheet."""
    across, down = 72 * figure.get_size_inches()
    place = (left / across, 1 - (top + height) / down, width / across, height / down)
    ax = figure.add_axes(place)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_color(FRAME)
    return ax


def plane(ax: Axes, box: Sequence[float]) -> None:
    """Make bare axes show a box, (left, bottom, right, top), filling them."""
    left, bottom, right, top = box
    ax.set(xlim=(left, right), ylim=(bottom, top), autoscale_on=False)


def numbers(ax: Axes, box: Sequence[float], width: float, height: float) -> None:
    """A few light numbers along the bottom and the left edge, inside the picture."""
    left, bottom, right, top = box
    rim = [withStroke(linewidth=3, foreground="white")]
    look = {"fontsize": 11, "color": SOFT, "path_effects": rim, "zorder": 6}
    for low, high, size, upright in (left, right, width, False), (bottom, top, height, True):
        step = _round_step(high - low, size / _APART)
        for count in range(math.ceil(low / step), math.floor(high / step) + 1):
            share = (count * step - low) / (high - low)
            if not _CLEAR < share * size < size - _CLEAR:
                continue
            text = f"{count * step:.6g}".replace("-", "−")
            place, mark = (
                ((7 / width, share), (4 / width, share))
                if upright
                else ((share, 7 / height), (share, 4 / height))
            )
            ax.text(
                *place, text, ha="left" if upright else "center",
                va="center" if upright else "bottom", transform=ax.transAxes, **look,
            )  # fmt: skip
            foot = (0, share) if upright else (share, 0)
            ends = zip(foot, mark, strict=True)
            ax.plot(*ends, color=SOFT, linewidth=1, transform=ax.transAxes, zorder=6)


def _round_step(span: float, most: float) -> float:
    """The least round step of which at most `most` fit in a span."""
    unit = 10 ** math.floor(math.log10(span / most))
    return unit * next(m for m in (1, 2, 5, 10) if most * m * unit >= span)


def picture(figure: Figure, photographs: bool = False) -> Picture:
    """What is on a sheet. photographs: whether it holds more colours than a drawing has."""
    width = round(72 * figure.get_size_inches()[0])
    figure.set_dpi(72 * _SHARPNESS)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    if not photographs:
        drawn = drawn.quantize(_SHADES, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    drawn.save(buffer, "png", optimize=True)
    return Picture(base64.b64encode(buffer.getvalue()).decode(), width)


def _wrapped(rows: Sequence[Row], width: float) -> Iterator[list[Row]]:
    """Lines of a legend that fit into a width."""
    line, used = [], 0.0
    for row in rows:
        wide = _KEY + TEXT / 2 + TextPath((0, 0), row.text, size=TEXT).get_extents().width
        if line and used + wide > width:
            yield line
            line, used = [], 0.0
        line.append(row)
        used += wide + _GAP
    if line:
        yield line


def _mark(row: Row) -> Artist:
    if row.style == "fill":
        return Patch(color=row.colour, alpha=0.7, linewidth=0)
    if row.style == "dot":
        return Line2D([], [], color=row.colour, marker="o", markersize=6, linestyle="none")
    return Line2D([], [], color=row.colour, linestyle=row.style, linewidth=2)
