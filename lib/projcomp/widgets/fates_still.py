"""The still picture of one noise and its four fates, as `fatesview.mjs` draws them."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from projcomp import plots
from projcomp.composition import Composition
from projcomp.widgets import still
from projcomp.widgets.explorer_scene import COARSE, Particles, Scene
from projcomp.widgets.explorer_still import WEIGHED, draw_dots, draw_strip
from projcomp.widgets.still import Picture, Row, Still

SIZE, MARGIN, TITLE, GAP = 260, 44, 22, 14
BLOCKS = 8


def draw(composition: Composition, state: dict) -> Still:
    """The still picture of a state of the Explorer whose view is "fates"."""
    scene = Scene(composition, {**state, "method": "heun", "reweight": False})
    weighted = Scene(composition, {**state, "method": "sde", "reweight": True}).particles
    drawn = {
        "ODE": scene.particles,
        "SDE": weighted and weighted._replace(shares=None),
        "weighted SDE": weighted,
        "exact draws": exact_draws(scene) if scene.has_truth else None,
    }
    return Still(_sheet(scene, drawn, 2), _sheet(scene, drawn, 1))


def exact_draws(scene: Scene) -> Particles:
    """Independent draws of the noised composition."""
    count = scene.state["particles"]
    generator = torch.Generator("cpu").manual_seed(scene.state["seed"] + 1)
    if scene.exact is not None:
        points = scene.exact.sample(count, scene.sigma, generator=generator)
    else:
        grid = scene.grid(COARSE)
        cells = scene.truth().flatten().multinomial(count, replacement=True, generator=generator)
        shift = torch.rand(count, 2, generator=generator, dtype=torch.float64, device="cpu") - 0.5
        width = torch.stack([x[1] - x[0] for x in grid.axes])
        points = grid.points.reshape(-1, 2)[cells] + shift * width
    return Particles(points, None, points[None, :0])


def off_by(scene: Scene, found: Particles) -> float:
    """Half the sum of differences of shares, in blocks of the picture and in what is outside."""
    left, bottom, right, top = scene.box
    side = COARSE // BLOCKS
    wanted = scene.truth().reshape(BLOCKS, side, BLOCKS, side).sum((1, 3)).numpy()
    shares = found.weights()
    x, y = found.points.T.numpy()
    ends = ((left, right), (bottom, top))
    counted = np.histogram2d(x, y, BLOCKS, ends, weights=shares)[0]
    outside = max(float(shares.sum() - counted.sum()), 0.0)
    return 0.5 * (float(np.abs(counted - wanted).sum()) + outside)


def _sheet(scene: Scene, drawn: dict[str, Particles | None], columns: int) -> Picture:
    wide, high = SIZE + MARGIN + GAP, TITLE + MARGIN + SIZE + GAP
    rows = -(-len(drawn) // columns)
    figure = still.sheet(columns * wide, rows * high, _legend(scene))
    for number, (name, found) in enumerate(drawn.items()):
        left, top = (number % columns) * wide, (number // columns) * high
        _fate(figure, scene, name, found, left + 1, top)
    return still.picture(figure)


def _fate(figure: Figure, scene: Scene, name: str, found, left: float, top: float) -> None:
    ax = still.pane(figure, left, top + TITLE + MARGIN, SIZE, SIZE)
    still.plane(ax, scene.box)
    title = still.pane(figure, left, top, SIZE, TITLE)
    title.axis("off")
    title.text(0, 0.5, name, fontsize=still.TEXT, color=still.SOFT, va="center")
    if scene.has_truth:
        plots.shade(ax, scene.truth(), scene.grid(COARSE), plots.COMPOSED)
    if found is not None:
        draw_dots(ax, found)
        if scene.has_truth:
            words = f"off by {off_by(scene, found):.2f}"
            title.text(1, 0.5, words, fontsize=still.TEXT, ha="right", va="center")
    still.plane(ax, scene.box)
    if not scene.exists:
        return
    strips = (left, top + TITLE, SIZE, MARGIN), (left + SIZE, top + TITLE + MARGIN, MARGIN, SIZE)
    for index, (strip, direction) in enumerate(
        zip(strips, scene.state["directions"], strict=False)
    ):
        shadow = scene.shadow(index, direction, found)
        margin = still.pane(figure, *strip)
        margin.axis("off")
        if shadow is not None:
            curves = [(shadow.wanted, plots.CONCEPTS[index], plots.LINES[1])]
            draw_strip(margin, curves, shadow.bars, index == 0)


def _legend(scene: Scene) -> list[Row]:
    rows = [Row(plots.COMPOSED, "fill", scene.truth_words), WEIGHED]
    for index in range(len(scene.state["concepts"])):
        line = plots.CONCEPTS[index], plots.LINES[1]
        rows.append(Row(*line, f"shadow of concept {index + 1}"))
    return rows
