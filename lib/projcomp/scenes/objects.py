"""What stands in a scene: shapes, materials, colours and places, as tensors."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from projcomp import _check

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


@dataclass(frozen=True)
class Objects:
    """N scenes of up to K objects each.

    place: (N, K, 2) on the floor. size: (N, K) half-widths. turn: (N, K) angles about the vertical,
    radians. shape: (N, K) indices into SHAPES. material: (N, K) indices into MATERIALS. colour:
    (N, K, 3) in [0, 1]. there: (N, K) whether the object is there at all.

    Raises ValueError for shapes that do not match, a place off the floor, or a size <= 0.
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
        here = self.place[self.there]
        if here.numel() and not float(here.abs().max()) <= FLOOR:
            raise ValueError(
                f"place must lie within [-{FLOOR:g}, {FLOOR:g}]^2, got "
                f"{float(here.abs().max()):.3g}"
            )
        if self.size.numel() and not float(self.size.min()) > 0:
            raise ValueError(f"size must be > 0, got {float(self.size.min()):g}")
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


def random_objects(
    place,
    there=None,
    *,
    generator: torch.Generator | None = None,
    size: float = SIZE,
    size_jitter: float = 0.06,
    place_jitter: float = 0.0,
) -> Objects:
    """Objects of random shape, material, colour, turn and size at given places.

    place: (N, K, 2). there: (N, K) bool, everywhere if None. Sizes are uniform within
    `size_jitter` of `size`, places are shifted by up to `place_jitter` along each axis, and
    colours vary a little about those of COLOURS.
    """
    place = _check.real("place", place).to(torch.float32)
    if place.ndim != 3 or place.shape[-1] != 2:
        raise ValueError(f"place must have shape (N, K, 2), got {tuple(place.shape)}")
    batch = place.shape[:2]

    def uniform(*shape):
        return torch.rand(*batch, *shape, generator=generator)

    def index(count):
        return torch.randint(count, batch, generator=generator)

    palette = torch.tensor(list(COLOURS.values()))
    return Objects(
        place + place_jitter * (2 * uniform(2) - 1),
        size + size_jitter * (2 * uniform() - 1),
        2 * torch.pi * uniform(),
        index(len(SHAPES)),
        index(len(MATERIALS)),
        (palette[index(len(palette))] * (0.94 + 0.12 * uniform(3))).clamp(0, 1),
        torch.ones(batch, dtype=torch.bool) if there is None else there,
    )
