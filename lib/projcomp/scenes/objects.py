"""What stands in a scene: shapes, materials, colours and places, as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import CPU32
from projcomp._text import Brief

SHAPES = ("sphere", "cube", "cylinder")
MATERIALS = ("rubber", "metal")
COLOURS = {
    "red": (0.80, 0.14, 0.16),
    "orange": (0.92, 0.48, 0.10),
    "yellow": (0.92, 0.80, 0.10),
    "green": (0.12, 0.58, 0.24),
    "cyan": (0.12, 0.68, 0.74),
    "blue": (0.14, 0.30, 0.82),
    "purple": (0.52, 0.20, 0.66),
    "white": (0.88, 0.88, 0.86),
}
FLOOR = 2.0
"""The floor that the camera sees holds the square [-FLOOR, FLOOR]^2."""

SIZE = 0.38
"""Half the width of an object of usual size, and about the height of its middle."""


@dataclass(frozen=True, repr=False)
class Objects(Brief):
    """N scenes of up to K objects each.

    place: (N, K, 2) on the floor. size: (N, K) half-widths. turn: (N, K) angles about the vertical,
    radians. shape: (N, K) indices into SHAPES. material: (N, K) indices into MATERIALS. colour:
    (N, K, 3) in [0, 1]. there: (N, K) bool, whether the object is there at all.

    Raises ValueError for shapes that do not match, a place off the floor of an object that is
    there, a size <= 0, a colour outside of [0, 1], or what is not finite.
    """

    place: Tensor
    size: Tensor
    turn: Tensor
    shape: Tensor
    material: Tensor
    colour: Tensor
    there: Tensor

    def __post_init__(self):
        if self.place.ndim != 3 or self.place.shape[-1] != 2:
            raise ValueError(f"place must have shape (N, K, 2), got {tuple(self.place.shape)}")
        batch = tuple(self.place.shape[:2])
        for item in fields(self):
            wanted = {"place": (2,), "colour": (3,)}.get(item.name, ())
            found = tuple(getattr(self, item.name).shape)
            if found != batch + wanted:
                raise ValueError(f"{item.name} must have shape {batch + wanted}, got {found}")
        if self.there.dtype != torch.bool:
            raise ValueError(f"there must be bool, got {self.there.dtype}")
        for name in ("place", "size", "turn", "colour"):
            _check.real(name, getattr(self, name))
        here = self.place[self.there]
        if here.numel() and not float(here.abs().max()) <= FLOOR:
            raise ValueError(
                f"place must lie within [-{FLOOR:g}, {FLOOR:g}]^2, got "
                f"{float(here.abs().max()):.3g}"
            )
        if self.size.numel() and not float(self.size.min()) > 0:
            raise ValueError(f"size must be > 0, got {float(self.size.min()):g}")
        if self.colour.numel():
            low, high = (float(end) for end in self.colour.aminmax())
            if low < 0 or high > 1:
                raise ValueError(f"colour must lie in [0, 1], got {low if low < 0 else high:g}")
        for name, count in (("shape", len(SHAPES)), ("material", len(MATERIALS))):
            values = getattr(self, name)
            if values.numel() and not (int(values.min()) >= 0 and int(values.max()) < count):
                raise ValueError(f"{name} must be indices below {count}, got {values.tolist()}")

    def __len__(self):
        return len(self.place)

    @property
    def count(self) -> Tensor:
        """(N,) objects in each scene."""
        return self.there.sum(1)

    def only(self, index: int) -> Objects:
        """The same scenes with their object `index` alone."""
        only = torch.zeros_like(self.there)
        only[:, index] = self.there[:, index]
        return replace(self, there=only)

    @property
    def gap(self) -> Tensor:
        """(N,) the smallest distance between two objects that are there; inf if there are none."""
        between = (self.place[:, :, None] - self.place[:, None]).norm(dim=-1)
        pairs = (self.there[:, :, None] & self.there[:, None]).triu(1)
        gaps = torch.where(pairs, between, torch.inf).flatten(1)
        return gaps.amin(1) if gaps.shape[1] else gaps.new_full((len(self),), torch.inf)

    def apart(self, distance: float) -> Objects:
        """These objects, if no two that are there stand closer than `distance`.

        Raises ValueError if two do.
        """
        distance = _check.number("distance", distance)
        close = (self.gap < distance).nonzero()[:, 0]
        if len(close):
            scene = int(close[0])
            raise ValueError(
                f"place must keep objects at least {distance:g} apart, got two at "
                f"{float(self.gap[scene]):.3g} in scene {scene}"
            )
        return self


def random_objects(
    place,
    there=None,
    *,
    generator: torch.Generator | None = None,
    size: float = SIZE,
    size_jitter: float = 0.06,
    place_jitter: float = 0.0,
    distance: float | None = None,
    colour: str | Sequence[str] | Tensor | None = None,
) -> Objects:
    """Objects of random shape, material, colour, turn and size at given places.

    Sizes are uniform within `size_jitter` of `size`, places are shifted by up to `place_jitter`
    along each axis.

    Args:
        place: (N, K, 2). there: (N, K) bool, everywhere if None.
        distance: no two objects that are there may stand closer than this.
        colour: a name or several of COLOURS, to draw from (all if None), which vary a little; or
            the very colours, in [0, 1], that broadcast to (N, K, 3).

    Raises ValueError as `Objects`, for objects closer than `distance`, or for unknown colours.
    """
    _check.source("generator", generator)
    place = _check.real("place", place).to(torch.float32)
    if place.ndim != 3 or place.shape[-1] != 2:
        raise ValueError(f"place must have shape (N, K, 2), got {tuple(place.shape)}")
    batch = place.shape[:2]

    def uniform(*shape):
        return torch.rand(*batch, *shape, generator=generator, **CPU32)

    def index(count):
        return torch.randint(count, batch, generator=generator, device="cpu")

    def coloured():
        if isinstance(palette, Tensor):
            return palette.expand(*batch, 3)
        values = torch.tensor([COLOURS[name] for name in palette], **CPU32)
        return (values[index(len(values))] * (0.94 + 0.12 * uniform(3))).clamp(0, 1)

    palette = _palette(colour, batch)
    present = torch.as_tensor(np.ones(batch, bool) if there is None else there, device="cpu")
    objects = Objects(
        place + place_jitter * (2 * uniform(2) - 1),
        size + size_jitter * (2 * uniform() - 1),
        2 * torch.pi * uniform(),
        index(len(SHAPES)),
        index(len(MATERIALS)),
        coloured(),
        present,
    )
    return objects if distance is None else objects.apart(distance)


def _palette(colour, batch) -> list[str] | Tensor:
    """Names of COLOURS to draw from, or colours that broadcast to batch + (3,)."""
    names = [colour] if isinstance(colour, str) else colour
    if names is None:
        return list(COLOURS)
    if not isinstance(names, Tensor) and any(isinstance(name, str) for name in names):
        for name in names:
            _check.choice("colour", name, list(COLOURS))
        return list(names)
    values = _check.real("colour", names).to(torch.float32)
    wanted = (*batch, 3)
    try:
        values.expand(wanted)
    except RuntimeError:
        raise ValueError(
            f"colour must broadcast to {wanted}, got shape {tuple(values.shape)}"
        ) from None
    return values
