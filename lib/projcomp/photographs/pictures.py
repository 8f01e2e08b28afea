"""The photographs, and patches cut out of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from projcomp import _check

SHEET = Path(__file__).parent / "data" / "photographs.png"
"""All photographs, one below the other; made by tools/make_photographs.py."""
NAMES = ("bricks", "grass", "gravel", "man with a camera", "cat", "coffee")
PIXELS = 144
"""Width and height of each."""


@cache
def _sheet() -> Tensor:
    """(6, 144, 144) shades of grey, uint8."""
    from PIL import Image

    with Image.open(SHEET) as picture:
        return torch.from_numpy(np.array(picture)).reshape(len(NAMES), PIXELS, PIXELS)


def load(name: str) -> Tensor:
    """A photograph in grey: (144, 144), float64, from -1 (black) to 1 (white).

    name: one of `NAMES`. Who took them, and that all are in the public domain, is told in
    `data/LICENCES.md`. Raises ValueError for another name.
    """
    index = NAMES.index(_check.choice("name", name, NAMES))
    return _sheet()[index].double() / 127.5 - 1.0


def patches(photograph, pixels: int = 36, step: int = 27) -> Tensor:
    """The square patches of a photograph that lie on a grid, row by row: (N, pixels^2), float64.

    Args:
        photograph: (height, width).
        pixels: width and height of a patch.
        step: pixels from one patch to the next. Smaller than `pixels`, neighbours overlap.

    Raises ValueError where the photograph is no matrix, or smaller than a patch.
    """
    photograph = _check.real("photograph", photograph)
    pixels, step = _check.count("pixels", pixels), _check.count("step", step)
    if photograph.ndim != 2 or min(photograph.shape) < pixels:
        raise ValueError(
            f"photograph must be a picture in grey of at least {pixels} by {pixels} pixels, got "
            f"shape {tuple(photograph.shape)}"
        )
    cut = photograph.unfold(0, pixels, step).unfold(1, pixels, step)
    return cut.reshape(-1, pixels**2)
