"""Pictures side by side."""

from __future__ import annotations

import torch
from torch import Tensor

from projcomp import _check


def sheet(pictures, columns: int | None = None) -> Tensor:
    """Pictures as one, for `imshow`: (rows * height, columns * width, 3), float64 in [0, 1].

    pictures: (rows, columns, 3, height, width), or (N, 3, height, width) with `columns` in a row,
    all in one row if None; values in [-1, 1], others are cut off. What a last row lacks is white.

    Raises ValueError for another shape.
    """
    pictures = _check.real("pictures", pictures)
    if pictures.ndim not in (4, 5) or pictures.shape[-3] != 3 or not pictures.numel():
        raise ValueError(
            "pictures must have shape (N, 3, height, width) or (rows, columns, 3, height, width), "
            f"got {tuple(pictures.shape)}"
        )
    if pictures.ndim == 4:
        columns = len(pictures) if columns is None else _check.count("columns", columns)
        missing = -len(pictures) % columns
        white = pictures.new_ones((missing, *pictures.shape[1:]))
        pictures = torch.cat([pictures, white]).unflatten(0, (-1, columns))
    elif columns is not None:
        raise ValueError(f"columns must be None where pictures have rows, got {columns!r}")
    rows = pictures.clamp(-1.0, 1.0).add(1.0).div(2.0).permute(0, 3, 1, 4, 2)
    return rows.flatten(2, 3).flatten(0, 1)
