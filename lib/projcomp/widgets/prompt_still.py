"""The Prompt's still picture: five pictures, and below what each of four samples believes in."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from projcomp import plots
from projcomp.widgets import still
from projcomp.widgets.prompt_scene import Belief, Sample
from projcomp.widgets.still import Picture, Row, Still

TITLE, LINE, GAP, THUMB, CHART = 24, 16, 16, 30, 70
STRIP = LINE + THUMB + 10  # a density's numbers, its pictures and their bars
ENDS = 3  # lines below a picture
SEEN, FAINTEST = 0.005, 0.3  # of a belief, and of a picture's opacity
PARTS = ("content", "style", "entropy")
ENDS_OF_NUMBERS = (84, 50, 0)  # pixels from the right
LEGEND = [
    Row(plots.CONCEPTS[0], plots.LINES[0], "belief in the content, among the style's"),
    Row(plots.CONCEPTS[1], plots.LINES[1], "belief in the style, among the content's"),
    Row(plots.BACKGROUND, still.DOTTED, "entropy, among all"),
]


class Layout(NamedTuple):
    """Pictures in a row, beliefs in a row, the sheet's width and the letters of its lines."""

    shots: int
    minds: int
    width: int
    letters: int

    def side(self, columns: int) -> int:
        return (self.width - GAP * (columns - 1)) // columns


WIDE, NARROW = Layout(5, 4, 760, 118), Layout(3, 2, 336, 50)


class Pane(NamedTuple):
    """Of a way: its picture (n,) at the present level, what stands below, and its sample."""

    title: str
    picture: Tensor
    lines: list[str]
    sample: Sample | None


def draw(figure, titles: dict[str, str]) -> Still:
    """The still picture of a Prompt as it is, whose ways have these titles."""
    shown = panes(figure, titles)
    return Still(*(_drawn(figure, shown, layout) for layout in (WIDE, NARROW)))


def panes(figure, titles: dict[str, str]) -> list[Pane]:
    """What is shown: the wanted picture, and each way's sample."""
    lines = [figure.content, figure.style, ""]
    found = [Pane("wanted", _picture(figure, figure.wanted), lines, None)]
    for way, title in titles.items():
        sample = figure.sample(way)
        picture = sample.path[figure.level]
        if figure.view == "denoised":
            picture = figure.composed(way).denoise(picture, figure.levels[figure.level]).flatten()
        worth = f"{float(sample.effective[figure.level]):.1f} of {figure.particles} effective"
        more = {"guided": f"weight {figure.guidance:g}", "weighted": worth}
        end = "✓ as asked for" if sample.outcome.right else "✗ between"
        lines = [end, f"▲ decided at {level_text(sample.outcome.decided)}", more.get(way, "")]
        found.append(Pane(title, picture, lines, sample))
    return found


def numbers(belief: Belief, density: str) -> list[str]:
    """A row of a belief, as it is written: of the density's own label it says nothing."""
    return ["–" if part == density else share_text(getattr(belief, part)) for part in PARTS]


def share_text(value: float) -> str:
    """.25, 1.00"""
    return f"{value:.2f}".removeprefix("0")


def level_text(sigma: float) -> str:
    """A noise level with three digits."""
    if sigma < 0.0995:
        return f"{sigma:.3f}"
    return np.format_float_positional(sigma, 3, fractional=False, trim="k").rstrip(".")


def hint(figure) -> str:
    """What the numbers are."""
    contents, styles = figure.table.there.shape
    return (
        f"Which pictures each sample believes in, among all {contents * styles}, among the "
        f"content's {styles}, among the style's {contents}. Numbers: the belief in the content and "
        "the style that were asked for, and the entropy left. Where a sample is held between two "
        "pictures, the belief among all flips from one to the other."
    )


def _drawn(figure, shown: list[Pane], layout: Layout) -> Picture:
    shot, mind = layout.side(layout.shots), layout.side(layout.minds)
    said = textwrap.wrap(_state(figure), layout.letters)
    said += textwrap.wrap(hint(figure), layout.letters)
    pitch, height = TITLE + shot + LINE * ENDS + 8, TITLE + LINE + 3 * STRIP + CHART + 18
    above = -(-len(shown) // layout.shots) * pitch
    middle = above + LINE * len(said) + 10
    whole = middle + -(-(len(shown) - 1) // layout.minds) * height
    sheet = still.sheet(layout.width, whole, LEGEND)
    paper = Paper(still.pane(sheet, 0, 0, layout.width, whole), layout.width, whole)
    for number, pane in enumerate(shown):
        row, column = divmod(number, layout.shots)
        _shot(paper, figure, pane, column * (shot + GAP), row * pitch, shot)
    for number, line in enumerate(said):
        paper.write(line, layout.width / 2, above + LINE * number, "center", still.SOFT)
    for number, pane in enumerate(shown[1:]):
        row, column = divmod(number, layout.minds)
        left, top = column * (mind + GAP), middle + row * height
        _mind(paper, figure, pane, left, top, mind)
        chart = left + 4, top + height - CHART - 14, mind - 8, CHART
        _chart(still.pane(sheet, *chart), pane.sample, figure.levels, figure.level)
    return still.picture(sheet)


class Paper:
    """Bare axes whose units are pixels, from the upper left corner."""

    def __init__(self, ax: Axes, width: float, height: float):
        self.ax = ax
        ax.spines[:].set_visible(False)
        ax.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)

    def write(
        self,
        text: str,
        x: float,
        y: float,
        ha: str,
        colour: str,
        weight: str = "normal",
        size: float = still.TEXT,
    ) -> None:
        look = {"fontsize": size, "weight": weight, "color": colour, "ha": ha, "va": "top"}
        self.ax.text(x, y, text, **look)

    def photograph(self, picture: Tensor, left: float, top: float, side: float, alpha=1.0) -> None:
        size = round((picture.numel() / 3) ** 0.5)
        pixels = (0.5 * (picture + 1)).clamp(0, 1).reshape(3, size, size).permute(1, 2, 0)
        extent = left, left + side, top + side, top
        look = {"interpolation": "nearest", "aspect": "auto", "alpha": alpha}
        self.ax.imshow(pixels.numpy(), extent=extent, **look)

    def frame(self, left: float, top: float, side: float, colour: str) -> None:
        look = {"fill": False, "edgecolor": colour, "linewidth": 2}
        self.ax.add_patch(Rectangle((left, top), side, side, **look))

    def bar(self, left: float, top: float, width: float, colour: str) -> None:
        self.ax.add_patch(Rectangle((left, top), width, 3, color=colour, linewidth=0))


def _state(figure) -> str:
    what = "the samples" if figure.view == "noisy" else "the denoised means"
    return f"Noise σ = {level_text(figure.levels[figure.level])}; shown: {what}."


def _shot(paper: Paper, figure, pane: Pane, left: float, top: float, side: float) -> None:
    middle, foot = left + side / 2, top + TITLE + side + 4
    paper.write(pane.title, middle, top + 4, "center", still.INK, weight="bold")
    paper.photograph(pane.picture, left, top + TITLE, side)
    first, *rest = pane.lines
    bold = {"weight": "bold", "size": 11}
    if pane.sample is None or pane.sample.outcome.right:
        paper.write(first, middle, foot, "center", still.INK, **bold)
    else:
        paper.write(first, middle + 17, foot, "right", still.INK, **bold)
        for number, place in enumerate(pane.sample.outcome.pictures):
            paper.photograph(_picture(figure, place), middle + 19 + (LINE + 1) * number, foot, LINE)
    for number, line in enumerate(rest, 1):
        paper.write(line, middle, foot + LINE * number, "center", still.SOFT)


def _mind(paper: Paper, figure, pane: Pane, left: float, top: float, width: float) -> None:
    paper.write(pane.title, left + width / 2, top + 4, "center", still.SOFT)
    ends = [left + width - end for end in ENDS_OF_NUMBERS]
    for part, right in zip(PARTS, ends, strict=True):
        paper.write(part, right, top + TITLE, "right", still.SOFT, size=11)
    for row, (name, belief) in enumerate(pane.sample.beliefs[figure.level].items()):
        y = top + TITLE + LINE + STRIP * row
        paper.write(name, left, y, "left", still.INK, weight="bold")
        for text, right in zip(numbers(belief, name), ends, strict=True):
            paper.write(text, right, y, "right", still.INK)
        for number, (place, share) in enumerate(belief.top):
            if share < SEEN:
                continue
            spot = left + 2 + (THUMB + 4) * number, y + LINE
            paper.photograph(
                _picture(figure, place), *spot, THUMB, FAINTEST + (1 - FAINTEST) * share
            )
            if place == figure.wanted:
                paper.frame(*spot, THUMB, plots.COMPOSED)
            paper.bar(spot[0], spot[1] + THUMB + 3, THUMB * share, still.INK)


def _chart(ax: Axes, sample: Sample, levels: list[float], level: int) -> None:
    curves = (
        [belief["style"].content for belief in sample.beliefs],
        [belief["content"].style for belief in sample.beliefs],
        [belief["all"].entropy for belief in sample.beliefs],
    )
    ax.set(xscale="log", xlim=(levels[-1], levels[0]), ylim=(-0.03, 1.03))
    for share in (0, 1):
        ax.axhline(share, color=still.FAINT, linewidth=1)
    for values, row in zip(curves, LEGEND, strict=True):
        ax.plot(levels, values, color=row.colour, linestyle=row.style, linewidth=1.8, clip_on=False)
    now = {"color": still.INK, "linestyle": (0, (3, 3)), "linewidth": 1, "clip_on": False}
    ax.axvline(levels[level], **now)
    ax.plot(sample.outcome.decided, 0, "^", color=still.INK, markersize=8, clip_on=False)
    ticks = [sigma for sigma in (0.1, 1, 10, 100) if levels[-1] <= sigma <= levels[0]]
    ax.set_xticks(ticks, [f"{sigma:g}" for sigma in ticks])
    ax.set_xticks([], minor=True)
    ax.tick_params(labelsize=11, length=3, pad=1, color=still.FAINT, labelcolor=still.SOFT)
    ax.spines[:].set_visible(False)
    words = {"ha": "right", "va": "top", "fontsize": 11, "color": still.SOFT}
    ax.text(1, -0.06, "σ", transform=ax.transAxes, **words)


def _picture(figure, place: int) -> Tensor:
    return figure.table.bank.points[place]
