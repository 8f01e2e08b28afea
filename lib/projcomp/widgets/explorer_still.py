"""The Explorer's still picture: every layer of the live one, in the same order."""

from __future__ import annotations

import math

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MultipleLocator
from matplotlib.transforms import Affine2D

from projcomp import plots
from projcomp.composition import Composition
from projcomp.densities import Flat
from projcomp.grid import Grid
from projcomp.widgets import still
from projcomp.widgets.explorer_scene import COARSE, FINE, Particles, Scene
from projcomp.widgets.still import Row, Still

SIZE, WIDE, MARGIN = 420, 640, 64
LINE, BARS = (470, 300), (190, 300)
NARROW, BARS_BELOW = 360, 180
FOOT = 22  # pixels below the line, for its numbers
TRACKS = 6
DOT, LARGEST_DOT = 9, 900  # square pixels
SPACING, BARB = 34, 4.5  # of the arrows
POINTS, LINE_BINS = 400, 60
WEIGHED = Row(still.INK, "dot", "samples: the area is the weight")
NOTHING = "no composition: it is not normalisable"


def draw(composition: Composition, state: dict) -> Still:
    """The still picture of a state of the Explorer, whose composition is given too."""
    scene = Scene(composition, state)
    if state["view"] == "plane":
        return Still(_plane(scene))
    bars = _precisions(scene)
    return Still(_line(scene, bars, False), _line(scene, bars, True) if bars else None)


def legend_rows(scene: Scene) -> list[Row]:
    """The live picture's legend."""
    state, plane = scene.state, scene.state["view"] == "plane"
    show, concepts = state["show"], len(state["concepts"])
    rows = []
    if plane and "interaction" in show:
        below, above, *_ = plots.CONCEPTS
        rows.append(Row(below, "fill", "interaction < 0"))
        rows.append(Row(above, "fill", "interaction > 0"))
    elif "composition" in show and scene.exists:
        alone = concepts == 1 and isinstance(scene.composition.background, Flat)
        name = "distribution" if alone else still.OPERATORS[state["operator"]]
        rows.append(Row(plots.COMPOSED, "fill", name))
    if "parts" in show:
        rows += still.part_rows(state["operator"], concepts, scene.base is not None)
    if plane and "truth" in show:
        rows.append(Row(still.INK, still.TRUTH_LINE, scene.truth_words))
    if plane and state["reweight"] and "samples" in show:
        rows.append(WEIGHED)
    return rows


# -- the plane --------------------------------------------------------------------------------


def _plane(scene: Scene) -> still.Picture:
    show = scene.state["show"]
    margin = MARGIN if "shadows" in show else 0
    wide = high = SIZE
    if "fate" in scene.state["controls"]:  # in its box's shape
        left, bottom, right, top = scene.state["box"]
        wide, high = WIDE, round(WIDE * (top - bottom) / (right - left))
    figure = still.sheet(wide + 2 + 2 * margin, high + 2 + margin, legend_rows(scene))
    ax = still.pane(figure, 1 + margin, 1 + margin, wide, high)
    still.plane(ax, scene.box)
    if "interaction" in show:
        _signed(ax, scene)
    elif "composition" in show and scene.exists:
        grid = scene.grid(FINE)
        plots.shade(ax, grid.masses(scene.composition, scene.sigma), grid, plots.COMPOSED)
    if "parts" in show:
        _parts(ax, scene)
    if "truth" in show and scene.has_truth and scene.exists:
        how = {"line": still.TRUTH_LINE, "width": still.TRUTH_WIDTH}
        plots.outlines(ax, scene.truth(), scene.grid(COARSE), still.INK, **how)
    if "score" in show and scene.sigma > 0:
        _arrows(ax, scene)
    if scene.particles:
        _particles(ax, scene)
    if "shadows" in show and scene.exists:
        strips = (1 + margin, 0, wide, margin), (1 + margin + wide, 1 + margin, margin, high)
        for index, (strip, direction) in enumerate(
            zip(strips, scene.state["directions"], strict=False)
        ):
            _shadow(still.pane(figure, *strip), scene, index, direction)
    ax.set(autoscale_on=False)
    still.numbers(ax, scene.box, wide, high)
    if not scene.exists:
        _say_nothing(ax)
    still.plane(ax, scene.box)
    return still.picture(figure)


def _signed(ax: Axes, scene: Scene) -> None:
    """The interaction in two colours, either side of zero."""
    values = scene.interaction()
    scale = float(values.abs().flatten().sort().values[int(0.95 * (values.numel() - 1))]) or 1.0
    below, above, *_ = plots.CONCEPTS
    shades = LinearSegmentedColormap.from_list("signed", [below, "#ffffff", above])
    left, bottom, right, top = scene.box
    ax.imshow(
        (values / scale).clamp(-1, 1).T.numpy(), origin="lower", extent=(left, right, bottom, top),
        cmap=shades, vmin=-1.15, vmax=1.15, interpolation="bilinear", aspect="auto", zorder=0,
    )  # fmt: skip


def _parts(ax: Axes, scene: Scene) -> None:
    grid = scene.grid(COARSE)
    if scene.base is not None:
        plots.contours(ax, scene.base, grid, plots.BACKGROUND, scene.sigma, line=still.DOTTED)
    for concept, colour, line in zip(
        scene.composition.concepts, plots.CONCEPTS, plots.LINES, strict=False
    ):
        plots.contours(ax, concept, grid, colour, scene.sigma, line=line)


def _arrows(ax: Axes, scene: Scene) -> None:
    """sigma * score on a coarse lattice, in pixels."""
    count = round(SIZE / SPACING)
    left, bottom, right, top = scene.box
    points = Grid([left, bottom], [right, top], count).points.reshape(-1, 2)
    steps = scene.sigma * scene.composition.score(points, scene.sigma)
    lengths = steps.norm(dim=1, keepdim=True)
    start = Grid([0, 0], [SIZE, SIZE], count).points.reshape(-1, 2)
    ends = start + 0.84 * SPACING * steps / (1 + lengths)
    angles = torch.atan2(steps[:, 1], steps[:, 0])
    lines = [torch.stack([start, ends], 1)]
    for turn in (2.6, -2.6):
        barb = torch.stack([(angles + turn).cos(), (angles + turn).sin()], 1)
        lines.append(torch.stack([ends, ends + BARB * barb], 1))
    drawn = torch.cat([line[lengths[:, 0] > 1e-9] for line in lines])
    pixels = Affine2D().scale(1 / SIZE) + ax.transAxes
    ax.add_collection(
        LineCollection(drawn.numpy(), colors=still.INK, linewidths=1.1, transform=pixels, zorder=4)
    )


def _particles(ax: Axes, scene: Scene) -> None:
    ways = scene.particles.ways
    watched = "play" in scene.state["controls"]
    for track in ways[:, :TRACKS].unbind(1) if watched else ():
        ax.plot(*track.T.numpy(), color=still.FAINT, linewidth=1, zorder=2.5)
    draw_dots(ax, scene.particles)
    if watched:
        ax.plot(*ways[:, 0].T.numpy(), color=plots.CONCEPTS[0], linewidth=2, zorder=3.5)


def draw_dots(ax: Axes, found: Particles) -> None:
    """Samples; with shares of the whole weight their areas are as these."""
    points, shares, _ = found
    sizes = torch.full((len(points),), float(DOT), dtype=torch.float64, device="cpu")
    if shares is not None:  # as large on average
        relative = shares * len(points)
        sizes = relative * min(DOT, LARGEST_DOT / float(relative.max()))
    plots.samples(ax, points, still.INK, size=4 / math.pi * sizes.numpy())


def _shadow(ax: Axes, scene: Scene, index: int, direction) -> None:
    """The marginals on a margin of the plane: the first above it, the second beside it."""
    ax.axis("off")
    shadow = scene.shadow(index, direction)
    if shadow is None:
        return
    curves = [
        (shadow.own, plots.COMPOSED, plots.LINES[0]),
        (shadow.wanted, plots.CONCEPTS[index], plots.LINES[1]),
    ]
    draw_strip(ax, curves, shadow.bars, index == 0)
    along, own = (np.arange(FINE) + 0.5) / FINE, shadow.own.numpy()
    fill = ax.fill_between if index == 0 else ax.fill_betweenx
    fill(along, own, color=plots.COMPOSED, alpha=0.14, linewidth=0)


def draw_strip(ax: Axes, curves: list, bars: np.ndarray | None, upright: bool) -> None:
    """Curves (masses, colour, line) along a margin of the plane, perhaps over bars."""
    peak = max(
        float(values.max()) for values in (*(c[0] for c in curves), bars) if values is not None
    )
    reach = (0, peak / 0.94)
    ax.set(xlim=(0, 1) if upright else reach, ylim=reach if upright else (0, 1))
    if bars is not None:
        places = (np.arange(len(bars)) + 0.5) / len(bars)
        draw_bars = ax.bar if upright else ax.barh
        draw_bars(places, bars, 0.9 / len(bars), color=still.INK, alpha=0.3, linewidth=0)
    for values, colour, line in curves:
        along = (np.arange(len(values)) + 0.5) / len(values)
        pair = (along, values.numpy()) if upright else (values.numpy(), along)
        ax.plot(*pair, color=colour, linestyle=line, linewidth=1.8)


def _say_nothing(ax: Axes) -> None:
    ax.text(0.5, 0.95, NOTHING, ha="center", va="center", fontsize=13, transform=ax.transAxes)


# -- the line ---------------------------------------------------------------------------------


def _line(scene: Scene, bars: list | None, narrow: bool) -> still.Picture:
    """Curves, and beside them (or below) the bars."""
    (width, height), (wide, high) = LINE, BARS
    if narrow:
        width, wide, high = NARROW, NARROW, BARS_BELOW
    elif not bars:
        width, wide = width + wide, 0
    rows = legend_rows(scene)
    size = (width, height + high) if narrow else (width + wide, height)
    figure = still.sheet(*size, rows)
    _curves(still.pane(figure, 1, 1, width - 2, height - 2 - FOOT), scene)
    if bars:
        left, top = (0, height) if narrow else (width, 0)
        _balance(still.pane(figure, left, top + 34, wide, high - 70), bars)
    return still.picture(figure)


def _curves(ax: Axes, scene: Scene) -> None:
    show, sigma, composition = scene.state["show"], scene.sigma, scene.composition
    left, _, right, _ = scene.box
    grid = Grid([left], [right], POINTS)
    x = grid.axes[0].numpy()
    parts = [
        (part, colour, line, part.log_prob(grid.points, sigma).exp().numpy())
        for part, colour, line in [
            (scene.base, plots.BACKGROUND, still.DOTTED),
            *zip(composition.concepts, plots.CONCEPTS, plots.LINES, strict=False),
        ]
        if part is not None
    ]
    peak = max(values.max() for *_, values in parts)
    if scene.exists:
        composed = (grid.masses(composition, sigma) / grid.volume).numpy()
        peak = max(peak, composed.max())
    if scene.particles:
        points = scene.particles.points[:, 0]
        shares = scene.particles.histogram(points, (left, right), LINE_BINS)
        edges = np.linspace(left, right, LINE_BINS + 1)
        heights = shares * LINE_BINS / (right - left)
        ax.bar(
            edges[:-1], heights, 0.9 * (edges[1] - edges[0]), align="edge", color=plots.COMPOSED,
            alpha=0.35, linewidth=0,
        )  # fmt: skip
    if scene.exists and "composition" in show:
        ax.plot(x, composed, color=plots.COMPOSED, linewidth=2)
        ax.fill_between(x, composed, color=plots.COMPOSED, alpha=0.14, linewidth=0)
    if "parts" in show:
        for _, colour, line, values in parts:
            ax.plot(x, values, color=colour, linestyle=line, linewidth=2)
    if not scene.exists:
        _say_nothing(ax)
    ax.set(xlim=(left, right), ylim=(0, 1.08 * peak))
    units = (unit for unit in (0.5, 1, 2, 5, 10, 20, 50, 100) if 14 * unit >= right - left)
    ticks = MultipleLocator(next(units, 200)).tick_values(left, right)
    edge = 0.03 * (right - left)  # there a number would be cut
    ax.set_xticks([x for x in ticks if left + edge < x < right - edge])
    ax.tick_params(labelsize=still.TEXT, color=still.FAINT)
    ax.spines[["left", "top", "right"]].set_visible(True)


def _precisions(scene: Scene) -> list[tuple[str, float, str]] | None:
    """Of each Gaussian its share of the precision, and their sum; None if one is a mixture."""
    composition, sigma = scene.composition, scene.sigma
    background = None if isinstance(composition.background, Flat) else composition.background
    all_of_them = [p for p in (background, *composition.concepts) if p is not None]
    if any(part.components > 1 for part in all_of_them):
        return None

    def precision(part) -> float:
        return 1 / (float(part.covariances) + sigma**2)

    weights = composition.weights.tolist()
    bars = [
        (str(i + 1), weight * precision(concept), plots.CONCEPTS[i])
        for i, (concept, weight) in enumerate(zip(composition.concepts, weights, strict=True))
    ]
    if background is not None:
        bars.append(("b", (1 - sum(weights)) * precision(background), plots.BACKGROUND))
    return [*bars, ("sum", sum(value for _, value, _ in bars), plots.COMPOSED)]


def _balance(ax: Axes, bars: list[tuple[str, float, str]]) -> None:
    """The bars, each with its number above it and its name below."""
    names, values, colours = zip(*bars, strict=True)
    top, low = max(*values, 0.1), min(*values, 0)
    ax.bar(range(len(bars)), values, 0.7, color=colours)
    for i, value in enumerate(values):
        place = {"ha": "center", "fontsize": still.TEXT}
        ax.annotate(f"{value:.2f}", (i, max(value, 0)), (0, 4), textcoords="offset points", **place)
    ax.axhline(0, color=still.INK, linewidth=1)
    ax.set(xlim=(-0.5, len(bars) - 0.5), ylim=(low, top))
    ax.set_title("precision", fontsize=still.TEXT, loc="left", x=0.02, pad=19)
    ax.set_xticks(range(len(bars)), names, fontsize=still.TEXT)
    ax.tick_params(length=0, pad=12)
    ax.spines[:].set_visible(False)
