"""Data sets of rendered pictures as tensors, with what is known of every picture."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import CPU32
from projcomp._text import Brief
from projcomp.scenes.layouts import free_clutter, lattice, scattered
from projcomp.scenes.objects import COLOURS, Objects, random_objects
from projcomp.scenes.rendering import Camera, image_position, render

REACH = 1.55
"""Free places lie in [-REACH, REACH]^2: the lattice of 3 x 3 places and a little more."""


@dataclasses.dataclass(frozen=True, repr=False)
class Pictures(Brief):
    """N rendered scenes.

    values: (N, 3 pixels^2) uint8, pictures flattened, 255 for 1. place: (N, 2) where in the picture
    the named object stands, (u, v) as of `image_position`. colour: (N,) index of its colour in
    COLOURS, or None. objects: the scenes.
    """

    values: Tensor
    place: Tensor
    objects: Objects
    colour: Tensor | None = None

    def __len__(self):
        return len(self.values)


def one_object(n: int, pixels: int = 32, generator: torch.Generator | None = None) -> Pictures:
    """n scenes with one object anywhere, of any kind. Raises ValueError for n < 1."""
    where = scattered(_check.count("n", n), 1, reach=REACH, generator=generator)
    return _pictures(random_objects(where, generator=generator), pixels)


def one_to_many(
    n: int, most: int = 5, pixels: int = 32, generator: torch.Generator | None = None
) -> Pictures:
    """n scenes with 1 to `most` objects, all numbers alike, anywhere; the first one is named."""
    objects, _ = free_clutter(n, most, reach=REACH, generator=generator)
    return _pictures(objects, pixels)


def one_coloured(n: int, pixels: int = 32, generator: torch.Generator | None = None) -> Pictures:
    """n scenes with one object anywhere, and its colour, an index into COLOURS."""
    where = scattered(_check.count("n", n), 1, reach=REACH, generator=generator)
    colour = torch.randint(len(COLOURS), (n,), generator=generator, device="cpu")
    shade = 0.94 + 0.12 * torch.rand(n, 1, 3, generator=generator, **CPU32)
    palette = torch.tensor(list(COLOURS.values()), **CPU32)
    values = (palette[colour][:, None] * shade).clamp(0, 1)
    objects = random_objects(where, generator=generator, colour=values)
    return dataclasses.replace(_pictures(objects, pixels), colour=colour)


def on_lattice(n: int, pixels: int = 32) -> tuple[Tensor, list[Tensor]]:
    """The bare floor, (3 pixels^2,), and for each of nine places of a lattice n pictures, (n, 3
    pixels^2), of one object of any kind near it; float64. Raises ValueError for n < 1.

    The pictures of a place come from its number as the seed: always the same for the same n.
    """
    n, banks = _check.count("n", n), []
    for seed, place in enumerate(lattice()):
        where, generator = place.expand(n, 1, 2), torch.Generator().manual_seed(seed)
        objects = random_objects(where, generator=generator, place_jitter=0.05)
        banks.append(render(objects, pixels).flatten(1).double())
    return empty_picture(pixels).flatten().double(), banks


def empty_picture(pixels: int = 32, camera: Camera | None = None) -> Tensor:
    """The bare floor: (3, pixels, pixels), float32."""
    nothing = torch.zeros(1, 1, dtype=torch.bool, device="cpu")
    return render(random_objects(torch.zeros(1, 1, 2, **CPU32), nothing), pixels, camera)[0]


def _pictures(objects: Objects, pixels: int) -> Pictures:
    values = (render(objects, pixels) * 255.0).round().to(torch.uint8).flatten(1)
    return Pictures(values, image_position(objects.place[:, 0]), objects)
