"""Where objects stand: on a lattice, anywhere with a distance between them, or as clutter."""

from __future__ import annotations

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import CPU32
from projcomp.scenes.objects import FLOOR, SIZE, Objects, random_objects

_TRIES, _ROUNDS = 200, 10


def lattice(columns: int = 3, rows: int = 3, spacing: float = 1.35) -> Tensor:
    """Places (columns * rows, 2) of a centred lattice, row by row from the front left.

    Raises ValueError where it does not fit on the floor.
    """
    columns, rows = _check.count("columns", columns), _check.count("rows", rows)
    spacing = _check.number("spacing", spacing)
    widest = 0.5 * spacing * (max(columns, rows) - 1)
    if not spacing > 0 or widest > FLOOR:
        raise ValueError(
            f"spacing must be > 0 and keep {columns} x {rows} places within {FLOOR:g} of the "
            f"centre, got {spacing:g}"
        )
    across = spacing * (torch.arange(columns, **CPU32) - 0.5 * (columns - 1))
    along = spacing * (torch.arange(rows, **CPU32) - 0.5 * (rows - 1))
    return torch.stack(torch.meshgrid(across, along, indexing="xy"), -1).reshape(-1, 2)


def scattered(
    n: int,
    count: int,
    distance: float = 0.8,
    reach: float = 1.6,
    generator: torch.Generator | None = None,
) -> Tensor:
    """n layouts of `count` places in [-reach, reach]^2, none closer than `distance`: (n, count, 2).

    Places are drawn one after another, and drawn again while too close to an earlier one. A layout
    that leaves no room is begun again. Raises ValueError where they do not fit.
    """
    _check.source("generator", generator)
    n, count = _check.count("n", n), _check.count("count", count)
    distance, reach = _check.number("distance", distance), _check.number("reach", reach)
    if not 0 < reach <= FLOOR:
        raise ValueError(f"reach must lie in (0, {FLOOR:g}], got {reach:g}")
    places = torch.empty(n, count, 2, **CPU32)
    todo = torch.arange(n, device="cpu")
    for _ in range(_ROUNDS):
        drawn, fits = _scatter(len(todo), count, distance, reach, generator)
        places[todo[fits]] = drawn[fits]
        todo = todo[~fits]
        if not len(todo):
            return places
    raise ValueError(
        f"distance must leave room for {count} objects within {reach:g} of the centre, got "
        f"{distance:g}"
    )


def _scatter(n: int, count: int, distance: float, reach: float, generator):
    """One attempt at n layouts: places (n, count, 2), and (n,) where they keep their distance."""
    places = torch.empty(n, 0, 2, **CPU32)
    fits = torch.ones(n, dtype=torch.bool, device="cpu")
    for _ in range(count):
        new, open_ = torch.empty(n, 2, **CPU32), fits.clone()
        for _ in range(_TRIES):
            tried = reach * (2 * torch.rand(n, 2, generator=generator, **CPU32) - 1)
            new = torch.where(open_[:, None], tried, new)
            open_ = fits & ((places - new[:, None]).norm(dim=-1) < distance).any(1)
            if not bool(open_.any()):
                break
        fits &= ~open_
        places = torch.cat([places, new[:, None]], 1)
    return places, fits


def cluttered(
    n: int,
    places: int,
    named: int | None = None,
    *,
    rate: float | None = None,
    most: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Which of `places` hold an object, in n scenes: (n, places) bool.

    rate: every place holds one with this probability, independently. most: instead, a number of
    objects uniform in 1..most, at random places (a cap). named: this place holds one always.
    Give exactly one of `rate` and `most`.
    """
    _check.source("generator", generator)
    n, places = _check.count("n", n), _check.count("places", places)
    if (rate is None) == (most is None):
        raise ValueError(f"give exactly one of rate and most, got rate={rate} and most={most}")
    if named is not None and not 0 <= _check.count("named", named, 0) < places:
        raise ValueError(f"named must be below {places}, got {named}")
    draws = torch.rand(n, places, generator=generator, **CPU32)
    if rate is not None:
        rate = _check.number("rate", rate)
        if not 0 <= rate <= 1:
            raise ValueError(f"rate must lie in [0, 1], got {rate:g}")
        there = draws < rate
        if named is not None:
            there[:, named] = True
        return there
    most = _check.count("most", most)
    if most > places:
        raise ValueError(f"most must be at most {places}, got {most}")
    if named is not None:
        draws[:, named] = -1.0  # first in the order
    counts = torch.randint(1, most + 1, (n, 1), generator=generator, device="cpu")
    return draws.argsort(1).argsort(1) < counts


def free_clutter(
    n: int,
    places: int,
    *,
    rate: float | None = None,
    distance: float = 0.8,
    reach: float = 1.6,
    size: float = SIZE,
    size_jitter: float = 0.06,
    colour=None,
    generator: torch.Generator | None = None,
) -> tuple[Objects, Tensor]:
    """n scenes of clutter off the lattice, and one place in each that has an object: (n, 2).

    The named place is uniform in the square, and is that of the scene's first object. The others
    stand at random, no two objects closer than `distance`.

    Args:
        places: the most objects in a scene.
        rate: each object but the named one is there with this probability, independently (their
            number is binomial). None: the number of objects is uniform in 1..places (a cap).
        distance, reach: as for `scattered`. size, size_jitter, colour: as for `random_objects`.

    Raises ValueError as these two, and for a rate outside of [0, 1].
    """
    _check.source("generator", generator)
    n, places = _check.count("n", n), _check.count("places", places)
    if rate is None:
        counts = torch.randint(1, places + 1, (n,), generator=generator, device="cpu")
    else:
        counts = cluttered(n, places, 0, rate=rate, generator=generator).sum(1)
    where = scattered(n, places, distance, reach, generator)
    # The first ones drawn, so that nobody makes room for an object that is not there.
    there = torch.arange(places, device="cpu") < counts[:, None]
    objects = random_objects(
        where,
        there,
        generator=generator,
        size=size,
        size_jitter=size_jitter,
        distance=distance,
        colour=colour,
    )
    return objects, where[:, 0]
