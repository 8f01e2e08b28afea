"""Checks of what more than one figure is handed: each raises `ValueError` naming the argument."""

from __future__ import annotations

from collections.abc import Sequence

from projcomp import _check
from projcomp.densities import Density
from projcomp.densities.blocks import density_list

MOST_LEVELS = 100


def concepts(value: Sequence[Density], most: int) -> list[Density]:
    """One to `most` densities."""
    found = density_list("concepts", value)
    if len(found) > most:
        raise ValueError(f"concepts must be at most {most}, got {len(found)}")
    return found


def choices(name: str, value: Sequence[str], options: Sequence[str]) -> list[str]:
    """Any of `options`."""
    return [_check.choice(name, one, options) for one in value]


def box(name: str, value) -> list[float]:
    """(left, bottom, right, top)."""
    found = _check.real(name, value).tolist()
    wanted = isinstance(found, list) and len(found) == 4
    if not wanted or not (found[0] < found[2] and found[1] < found[3]):
        raise ValueError(f"{name} must be (left, bottom, right, top), got {found}")
    return found


def levels(value) -> list[float]:
    """Strictly decreasing noise levels > 0."""
    found = _check.level("levels", value, positive=True)
    falling = found.ndim == 1 and bool((found[1:] < found[:-1]).all())
    if not falling or not 2 <= len(found) <= MOST_LEVELS:
        raise ValueError(
            f"levels must be 2 to {MOST_LEVELS} strictly decreasing noise levels, got "
            f"{found.tolist()}"
        )
    return found.tolist()


def place_in(name: str, value: int | None, values: Sequence) -> int:
    """An index of `values`; the last one for None."""
    place = len(values) - 1 if value is None else _check.count(name, value, 0)
    if place >= len(values):
        raise ValueError(f"{name} must be below {len(values)}, got {place}")
    return place
