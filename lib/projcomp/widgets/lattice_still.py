"""The Lattice's still picture: three pictures, and below each what is counted in it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.transforms import Affine2D
from torch import Tensor

from projcomp import scenes
from projcomp.widgets import still
from projcomp.widgets.still import Picture, Still

SIZE, TITLE, TOLD, GAP = 230, 44, 68, 20
LINE, COLUMN = 18, 40  # of the numbers
WIDE, NARROW = 120, 44  # letters in a line of the hint
LOW, HIGH = 0.75, 1.3  # between them an object is solid
READABLE = 0.1  # the error of an opacity that noise may make before it is not told
HINTS = {
    "picture": (
        "Numbers: the opacity that is counted at each place of the floor; 1 is a solid object."
    ),
    "belief": (
        "Numbers: the opacity of each place's object in what the model believes the clean picture "
        "to be."
    ),
}


class Pane(NamedTuple):
    """Of a setting what is shown: the picture (n,), and the opacities (9,); None if unknown."""

    setting: str
    title: str
    picture: Tensor
    opacities: Tensor | None


def draw(figure, titles: dict[str, str]) -> Still:
    """The still picture of a Lattice as it is, whose settings have these titles."""
    shown = panes(figure, titles)
    return Still(_drawn(figure, shown, False), _drawn(figure, shown, True))


def panes(figure, titles: dict[str, str]) -> list[Pane]:
    """What is shown of each setting."""
    return [Pane(setting, title, *_shown(figure, setting)) for setting, title in titles.items()]


def number(pane: Pane, place: int) -> str:
    """The opacity at a place, as it is written."""
    return "·" if pane.opacities is None else opacity_text(float(pane.opacities[place]))


def opacity_text(value: float) -> str:
    """.25, 1.00, −.33"""
    text = f"{abs(value):.2f}".removeprefix("0")
    return f"−{text}" if value < 0 and text != ".00" else text


def verdict(opacities: Tensor | None, chosen: Sequence[int]) -> list[str]:
    """The sum of opacities (9,), and how many of the chosen places and of the others are solid."""
    if opacities is None:
        return ["too noisy", "to count"]
    solid = [LOW < value < HIGH for value in opacities.tolist()]
    asked = sum(solid[place] for place in chosen)
    elsewhere = sum(solid) - asked
    return [
        f"sum {opacity_text(float(opacities.sum()))}",
        f"{asked} of {len(chosen)} solid" if chosen else "none asked for",
        *([f"{elsewhere} {'elsewhere' if chosen else 'solid'}"] if elsewhere else []),
    ]


def believed(figure, setting: str, x: Tensor, sigma: float) -> Tensor:
    """(9,) the opacity of each place's object in the denoised picture x (n,)."""
    if setting == "C":
        return figure.composition("C").presence(x, sigma)
    inside = torch.zeros(len(figure.banks), dtype=torch.float64, device="cpu")
    inside[figure.chosen] = 1.0
    if setting == "A":
        return inside
    logs = torch.stack([concept.log_prob(x, sigma) for concept in figure.concepts("B")])
    return inside - (len(figure.chosen) - 1) * torch.softmax(logs, 0)


def _shown(figure, setting: str) -> tuple[Tensor, Tensor | None]:
    """The picture (n,) at the present level, and the opacities (9,) if they can be told."""
    sigma, picture = figure.levels[figure.level], figure.path(setting)[figure.level]
    if figure.view == "belief":
        belief = figure.composition(setting).denoise(picture, sigma)
        return belief, believed(figure, setting, picture, sigma)
    changes = [(bank - figure.empty).square().sum(1).mean() for bank in figure.banks]
    if sigma >= READABLE * math.sqrt(min(changes)):
        return picture, None
    return picture, scenes.opacities(picture[None], figure.banks, figure.empty).opacity[0]


def _drawn(figure, shown: Sequence[Pane], stacked: bool) -> Picture:
    high, margin = TITLE + SIZE + TOLD, 40 if stacked else 0
    pitch = (0, high) if stacked else (SIZE + GAP, 0)
    last = len(shown) - 1
    hint = textwrap.wrap(HINTS[figure.view], NARROW if stacked else WIDE)
    foot = LINE * len(hint) + 6
    sheet = still.sheet(SIZE + last * pitch[0] + 2 * margin, high + last * pitch[1] + foot)
    side = math.isqrt(len(figure.empty) // 3)
    for which, pane in enumerate(shown):
        place = margin + which * pitch[0], TITLE + which * pitch[1]
        ax = still.pane(sheet, *place, SIZE, SIZE)
        pixels = pane.picture.clamp(0, 1).reshape(3, side, side).permute(1, 2, 0)
        ax.imshow(pixels.numpy(), interpolation="nearest")
        ax.spines[:].set_visible(False)
        _tell(ax, pane, figure.chosen)
    how = {"ha": "center", "va": "bottom", "fontsize": still.TEXT, "color": still.SOFT}
    sheet.text(0.5, 4 / (72 * sheet.get_size_inches()[1]), "\n".join(hint), **how)
    return still.picture(sheet, photographs=True)


def _tell(ax: Axes, pane: Pane, chosen: Sequence[int]) -> None:
    """The title above a picture; below it the opacities, back row first, and the verdict."""
    how = {"transform": Affine2D().scale(1 / SIZE) + ax.transAxes, "fontsize": still.TEXT}
    ax.text(0, SIZE + 24, pane.setting, weight="bold", color=still.INK, **how)
    ax.text(0, SIZE + 8, pane.title, color=still.SOFT, **how)
    for place in range(9):
        weight, colour = ("bold", still.INK) if place in chosen else ("normal", still.SOFT)
        across, down = COLUMN * (place % 3 + 1), LINE * (3 - place // 3)
        ax.text(across, -down, number(pane, place), ha="right", weight=weight, color=colour, **how)
    for line, words in enumerate(verdict(pane.opacities, chosen)):
        weight = "bold" if line == 1 and pane.opacities is not None else "normal"
        ax.text(COLUMN * 3 + 16, -LINE * (line + 1), words, color=still.INK, weight=weight, **how)
