"""A table without pictures: contents, styles and cells at right angles, in given shares."""

from __future__ import annotations

from typing import NamedTuple

import torch

from projcomp import _check
from projcomp.emoji.table import Table


class Shares(NamedTuple):
    """What part of the variance of a table's pictures is whose; the three sum to one.

    content: of the means of the contents; style: of the means of the styles; cell: what no sum of
    a content's and a style's part explains, each cell's own.
    """

    content: float
    style: float
    cell: float


def shares(table: Table) -> Shares:
    """The two-way analysis of variance of a complete table, cells being equally likely.

    Raises ValueError where cells are missing, or all pictures are the same.
    """
    if not bool(table.there.all()):
        raise ValueError(f"table must be complete to be split into parts, got {table!r}")
    pictures = table.pictures.flatten(2)
    rest = pictures - pictures.mean((0, 1))
    found = []
    for axis in (1, 0):
        part = rest.mean(axis, keepdim=True)
        found.append(float(part.square().sum(-1).mean()))
        rest = rest - part
    found.append(float(rest.square().sum(-1).mean()))
    if not sum(found) > 0.0:
        raise ValueError(f"table must have pictures that differ, got {table!r}")
    return Shares(*(part / sum(found) for part in found))


def orthogonal(contents: int, styles: int, shares: Shares, radius: float = 1.0) -> Table:
    """The table x_cs = radius (sqrt(content) A_c + sqrt(style) B_s + sqrt(cell) E_cs).

    All A_c, B_s and E_cs are unit vectors at right angles to each other, in
    contents + styles + contents * styles dimensions. So all points are as long as another, and the
    angle between two depends on whether they share a content, a style, or neither.

    shares: three numbers >= 0 that sum to one, as those of `shares`.

    Raises ValueError for counts below one, other shares, or a radius that is not positive.
    """
    contents, styles = _check.count("contents", contents), _check.count("styles", styles)
    parts = _check.probabilities("shares", shares)
    if len(parts) != 3:
        raise ValueError(f"shares must be three numbers, content, style and cell, got {shares!r}")
    radius = _check.number("radius", radius)
    if not radius > 0.0:
        raise ValueError(f"radius must be positive, got {radius:g}")
    content, style, cell = (radius * part for part in parts.sqrt().tolist())
    down, across = torch.meshgrid(
        torch.arange(contents, device="cpu"), torch.arange(styles, device="cpu"), indexing="ij"
    )
    points = torch.zeros(
        (contents, styles, contents + styles + contents * styles),
        dtype=torch.float64,
        device="cpu",
    )
    places = (down, contents + across, contents + styles + down * styles + across)
    for place, length in zip(places, (content, style, cell), strict=True):
        points.scatter_(2, place[..., None], length)
    return Table(
        points,
        [f"content {c}" for c in range(contents)],
        [f"style {s}" for s in range(styles)],
    )
