"""The TextPrompt's still picture: eight pictures, and the log weight of each."""

from __future__ import annotations

import textwrap

from torch import Tensor

from projcomp.widgets import still
from projcomp.widgets.still import Still

SIZE, GAP, TOLD, LINE, COLUMNS, WIDE = 112, 12, 26, 18, 4, 78
GAINS, LOSES = (0.0, 0.447, 0.698), (0.761, 0.306, 0.0)
"""Colours of pixels that add to the log weight, and of those that take from it."""


def draw(figure) -> Still:
    """The still picture of a TextPrompt as it is."""
    shown, weights = panes(figure)
    said = textwrap.wrap(headline(figure.prompts, figure.background), WIDE)
    top = LINE * len(said) + 10
    rows = -(-len(shown) // COLUMNS)
    width = COLUMNS * SIZE + (COLUMNS - 1) * GAP
    sheet = still.sheet(width, top + rows * (SIZE + TOLD))
    high = 72 * sheet.get_size_inches()[1]
    how = {"ha": "center", "fontsize": still.TEXT, "color": still.INK}
    sheet.text(0.5, 1 - 2 / high, "\n".join(said), va="top", linespacing=1.4, **how)
    for which, (picture, weight) in enumerate(zip(shown, weights.tolist(), strict=True)):
        row, column = divmod(which, COLUMNS)
        ax = still.pane(sheet, column * (SIZE + GAP), top + row * (SIZE + TOLD), SIZE, SIZE)
        ax.imshow(picture.clamp(0, 1).permute(1, 2, 0).numpy(), interpolation="nearest")
        ax.spines[:].set_visible(False)
        ax.text(0.5, -0.04, weight_text(weight), va="top", transform=ax.transAxes, **how)
    return Still(still.picture(sheet, photographs=True))


def panes(figure) -> tuple[Tensor, Tensor]:
    """What is shown, (N, 3, s, s), and the log weights (N,) at the present level."""
    side, flight = figure.network["side"], figure.flight()
    level = min(figure.level, figure.steps)
    shown = flight.means if figure.view == "denoised" else flight.states
    picture = shown[level].unflatten(-1, (3, side, side))
    gained = flight.gained[level]
    if figure.view == "interaction":
        scale = float(flight.gained[-1].abs().max()) or 1.0
        picture = coloured(picture, (gained / scale).unflatten(-1, (side, side)))
    return picture, gained.sum(-1)


def coloured(pictures: Tensor, shares: Tensor) -> Tensor:
    """Pale grey pictures (N, 3, s, s), coloured by shares (N, s, s) in [-1, 1]."""
    grey = 0.6 + 0.4 * pictures.clamp(0, 1).mean(1, keepdim=True)
    tints = pictures.new_tensor([GAINS, LOSES])[(shares < 0).long()]
    much = shares.abs().clamp(max=1).sqrt()[:, None]
    return (1 - much) * grey + much * tints.movedim(-1, 1)


def headline(prompts, background: str) -> str:
    """What is asked for, in a line: “a” AND “b”, NOT “c”, over “d”."""
    said = ""
    for prompt in prompts:
        taken = prompt.lower().startswith("not ")
        join = "" if not said and not taken else " NOT " if taken else " AND "
        said += f"{join}“{prompt[4 * taken :]}”"
    return f"{said.strip()} over “{background}”"


def weight_text(weight: float) -> str:
    """log w +1.2"""
    return f"log w {weight:+.1f}".replace("-", "−")
