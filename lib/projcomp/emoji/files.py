"""The pictures that come with the library, and larger ones from a folder of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from projcomp import _check
from projcomp.emoji.table import Table, colour

DATA = Path(__file__).parent / "data"
NAMES = "names.json"
SIZES = (16, 32)
"""Pixels of the pictures that come with the library."""
COLUMNS = 32
"""Pictures in a row of a sheet."""
_AT_ONCE = 64
"""Pictures that are laid over the background together: they fit in the cache."""
_MAKE = "python tools/make_emoji.py --pixels {} --to FOLDER"


def load(pixels: int = 32, background=(1.0, 1.0, 1.0), folder=None) -> Table:
    """Eight designers' pictures of the same 1,030 things.

    The table's `pictures` are (contents, styles, 3, pixels, pixels), float64 in [-1, 1], laid over
    `background`; its `alpha` says where they are opaque. Contents are in alphabetical order; each
    has a category. Who drew what, under which licence, says LICENCES.md beside the data.

    Args:
        pixels: 16 or 32; with a folder, what is in it.
        background: a colour, three numbers in [0, 1].
        folder: with pictures that tools/make_emoji.py has made; None: those of the library.

    Raises ValueError for sizes that are not there, what is no colour, and damaged files.
    """
    pixels, background = _check.count("pixels", pixels), colour(background)
    if folder is None and pixels not in SIZES:
        raise ValueError(
            f"pixels must be {' or '.join(map(str, SIZES))}, got {pixels}; larger ones are made by "
            f"{_MAKE.format(pixels)} and read by load(pixels={pixels}, folder=FOLDER)"
        )
    place = DATA if folder is None else Path(folder)
    try:
        names = json.loads((place / NAMES).read_text(encoding="utf-8"))
        parts = [
            _sheet(place / sheet_name(style["icons"], pixels), len(names["contents"]), pixels)
            for style in names["styles"]
        ]
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"folder must hold pictures of {pixels} pixels, as {_MAKE.format(pixels)} makes them, "
            f"got {str(place)!r}: {error}"
        ) from None
    cells = (len(names["contents"]), len(parts))
    alpha = torch.empty(*cells, pixels, pixels, dtype=torch.float64, device="cpu")
    pictures = torch.empty(*cells, 3, pixels, pixels, dtype=torch.float64, device="cpu")
    under = (
        torch.tensor(background, dtype=torch.float64, device="cpu").mul(2.0).sub(1.0)[:, None, None]
    )
    for index, part in enumerate(parts):
        for start in range(0, cells[0], _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            cut = torch.from_numpy(part[some]).permute(0, 3, 1, 2)
            opaque = cut[:, 3:].double().div_(255.0)
            drawn = cut[:, :3].double().mul_(2.0 / 255.0).sub_(1.0).mul_(opaque)
            pictures[some, index] = drawn.addcmul_(1.0 - opaque, under)
            alpha[some, index] = opaque[:, 0]
    return Table(
        pictures,
        list(names["contents"]),
        [style["name"] for style in names["styles"]],
        list(names["contents"].values()),
        alpha=alpha,
        background=background,
    )


def sheet_name(icons: str, pixels: int) -> str:
    """The file that holds all pictures of one set of icons."""
    return f"{icons}-{pixels}.webp"


def _sheet(path: Path, count: int, pixels: int) -> np.ndarray:
    """(count, pixels, pixels, 4) uint8, red, green, blue and opacity, of a sheet of pictures."""
    from PIL import Image

    with Image.open(path) as opened:
        whole = np.asarray(opened.convert("RGBA"))
    rows = -(-count // COLUMNS)
    if whole.shape != (rows * pixels, COLUMNS * pixels, 4):
        raise OSError(f"{path.name} is not a sheet of {count} pictures of {pixels} pixels")
    cut = whole.reshape(rows, pixels, COLUMNS, pixels, 4).swapaxes(1, 2)
    return cut.reshape(-1, pixels, pixels, 4)[:count]
