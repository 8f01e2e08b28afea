"""Names that a caller gives, found among those that there are."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import torch

from projcomp import _check

_LIKE = 0.6
"""Least share of letters that two words have in common, in the same order, to be alike."""


def places(name: str, value, options: Mapping[str, int], elsewhere: Mapping[str, str]) -> list[int]:
    """Where the names `value`, one or several, stand among `options`; in the order given.

    elsewhere: other names, and of each the argument that knows it. Raises ValueError for a name
    that is not there, with the nearest that are, and for none at all.
    """
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, Sequence) or not all(isinstance(item, str) for item in several):
        raise ValueError(f"{name} must be a name or a sequence of names, got {value!r}")
    if not several:
        raise ValueError(f"{name} must name at least one, got {value!r}; None stands for any")
    return [_place(name, item, options, elsewhere) for item in several]


def _place(name: str, value: str, options: Mapping[str, int], elsewhere: Mapping[str, str]) -> int:
    plain = value.strip().lower().replace("-", " ").replace("_", " ")
    for key in (value, plain):
        if key in options:
            return options[key]
    if plain in elsewhere:
        hint = f"it is a {elsewhere[plain]}: {elsewhere[plain]}={plain!r}"
    else:
        near = _nearest(plain, list(options))
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "nothing is like it"
    raise ValueError(f"{name} must be one of the table's {len(options):,}, got {value!r}; {hint}")


def _nearest(value: str, options: Sequence[str], most: int = 3) -> list[str]:
    """Those that are spelt almost so, or have a word that is; the shorter first."""

    def distance(option: str) -> tuple[float, int]:
        parts = {option, *option.split()}
        return -max(difflib.SequenceMatcher(None, part, value).ratio() for part in parts), len(
            option
        )

    ranked = sorted((distance(option), option) for option in options)
    return [option for (ratio, _), option in ranked[:most] if -ratio >= _LIKE]


def indices(name: str, names: Sequence[str]) -> dict[str, int]:
    """Each of the `names` and where it stands. Raises ValueError unless they differ."""
    found = {str(item): index for index, item in enumerate(names)}
    if not found or len(found) != len(names):
        raise ValueError(f"{name} must be one or more names that differ, got {len(names)}")
    return found


def chosen(name: str, value, options: Mapping[str, int], generator=None) -> list[int]:
    """Where the names `value` stand; of a number, the first so many, or so many at random."""
    if value is None:
        return list(options.values())
    if isinstance(value, Sequence):
        found = places(name, value, options, {})
        if len(set(found)) < len(found):
            raise ValueError(f"{name} must differ, got {value!r}")
        return found
    count = _check.count(name, value)
    if count > len(options):
        raise ValueError(f"{name} must be at most {len(options):,}, got {count:,}")
    if _check.source("generator", generator) is None:
        return list(range(count))
    order = torch.randperm(len(options), generator=generator, device="cpu")
    return order[:count].tolist()
