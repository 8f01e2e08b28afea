"""A network that looks at a picture and says how many objects, where, and how solid.

It needs no reference pictures, so it counts in pictures that nobody rendered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from projcomp import _check
from projcomp._modes import plainly
from projcomp.networks.layers import convolution, source_of_weights
from projcomp.networks.store import load_network
from projcomp.scenes.rendering import image_position

WEIGHTS = Path(__file__).parent / "weights" / "counter.safetensors"
PIXELS, CELLS = 32, 16
SEEN, SOLID = 0.2, 0.7
"""Opacities from which something is there at all, and from which it counts as an object."""
WHOLE = 0.91
"""The opacity that the counter sees in a solid object, in the mean over rendered scenes."""
NEAR = 0.22
"""How far from a place, in the coordinates of `image_position`, an object still stands at it."""
_WIDTH = 1.1  # of a spot, in cells


class Counter(nn.Module):
    """Convolutions from pictures (N, 3, 32, 32) to maps (N, 16, 16) of spots as high as opaque.

    generator: source of the initial weights; seed 0 if None.
    Raises ValueError for another generator.
    """

    @plainly
    def __init__(self, generator: torch.Generator | None = None):
        super().__init__()
        generator = source_of_weights(generator)
        sizes = [(12, 48, 3), (48, 48, 3), (48, 48, 3), (48, 48, 3), (48, 32, 3)]
        self.layers = nn.ModuleList(
            convolution(i, o, generator, size=s, scale=1.4) for i, o, s in sizes
        )
        self.leave = convolution(32, 1, generator, size=1, scale=0.1)

    def forward(self, pictures: Tensor) -> Tensor:
        hidden = nn.functional.pixel_unshuffle((pictures - 0.58) / 0.2, 2)
        for index, layer in enumerate(self.layers):
            new = nn.functional.silu(layer(hidden))
            hidden = new if index == 0 or new.shape != hidden.shape else hidden + new
        return self.leave(hidden)[:, 0]


def spots(place: Tensor, opacity: Tensor) -> Tensor:
    """The map that a counter should draw: place (N, K, 2) as (u, v), opacity (N, K)."""
    cells = _ramp(CELLS, place.device)
    across = (cells - place[..., 0, None]) * (CELLS / 2)  # (N, K, 16), in cells
    down = (cells - place[..., 1, None]) * (CELLS / 2)
    square = across[:, :, None, :] ** 2 + down[:, :, :, None] ** 2
    return (opacity[..., None, None] * (-0.5 * square / _WIDTH**2).exp()).amax(1)


@dataclass(frozen=True)
class Sightings:
    """What a counter saw in N pictures: M things in all, in order of the pictures.

    picture: (M,) in which. place: (M, 2) where, (u, v) as of `image_position`. opacity: (M,) how
    solid: about 0.9 for an object, as the peak of its spot lies between the cells. n: N.
    """

    picture: Tensor
    place: Tensor
    opacity: Tensor
    n: int

    def __repr__(self):
        return f"Sightings({len(self.picture)} things in {self.n} pictures)"

    def counts(self, solid: float = SOLID) -> Tensor:
        """(N,) how many objects there are, of at least this opacity."""
        return torch.bincount(self.picture[self.opacity >= solid], minlength=self.n)

    def at(self, places) -> Tensor:
        """(N, L) the opacity at each of L floor places (L, 2); 0 where nothing was seen."""
        spots = image_position(places)
        gaps = (self.place[:, None] - spots).norm(dim=-1)  # (M, L)
        found = torch.where(gaps <= NEAR, self.opacity[:, None], 0.0)
        answer = self.opacity.new_zeros(self.n, len(spots))
        rows = self.picture[:, None].expand_as(found)
        return answer.scatter_reduce(0, rows, found, "amax")

    def elsewhere(self, places, solid: float = SOLID) -> Tensor:
        """(N,) how many objects stand at none of L floor places (L, 2)."""
        near = (self.place[:, None] - image_position(places)).norm(dim=-1) <= NEAR
        lost = (self.opacity >= solid) & ~near.any(1)
        return torch.bincount(self.picture[lost], minlength=self.n)


def count(pictures, counter: Counter | None = None) -> Sightings:
    """Find the objects in pictures.

    Args:
        pictures: (N, 3, 32, 32) or flattened (N, 3072), nominally in [0, 1].
        counter: the shipped one if None.

    A spot counts from an opacity of `SEEN`; its place is the centre of mass about its peak. What is
    counted has no derivatives: none are recorded.
    Raises ValueError for pictures of another shape, and for none.
    """
    pictures = _check.coloured("pictures", pictures, PIXELS)
    counter = shipped_counter() if counter is None else counter
    with torch.no_grad():
        maps = torch.cat([counter(part) for part in pictures.split(512)])
    return _peaks(maps)


@lru_cache(maxsize=1)
def shipped_counter() -> Counter:
    """The counter that comes with the library, made by tools/train_counter.py."""
    return load_network(Counter(), WEIGHTS).eval().requires_grad_(False)


@dataclass(frozen=True, repr=False)
class Labelled:
    """Generated pictures with labels by eye.

    pictures: (64, 3, 32, 32). row, asked: (64,) lists: which networks drew it, and how many objects
    were asked for. places: (64,) list of nine letters, one for each place of the lattice: s a solid
    object, p a pale one, g a ghost, . nothing, ? unsure; None where nobody looked at the places.
    objects: (64,) list of how many solid objects there are in all, None where unsure.
    """

    pictures: Tensor
    row: list[str]
    asked: list[int]
    places: list[str | None]
    objects: list[int | None]

    def __repr__(self):
        return f"Labelled({len(self.pictures)} pictures)"


def labelled() -> Labelled:
    """The generated pictures that were labelled by eye, drawn by tools/draw_for_labels.py."""
    folder = Path(__file__).parent / "labels"
    pictures = load_file(folder / "generated.safetensors")["pictures"]
    rows = json.loads((folder / "labels.json").read_text(encoding="utf-8"))["rows"]
    return Labelled(
        pictures.reshape(-1, 3, PIXELS, PIXELS).float() / 255.0,
        [row["row"] for row in rows for _ in row["places"]],
        [row["asked"] for row in rows for _ in row["places"]],
        [letters for row in rows for letters in row["places"]],
        [objects for row in rows for objects in row["objects"]],
    )


def patches(places, reach: float = 0.3, pixels: int = PIXELS) -> Tensor:
    """Which coordinates of a flattened picture belong to each of K floor places (K, 2): (K, n).

    Those of the pixels nearer to it than to the others, and within `reach`, in the coordinates of
    `image_position`.
    """
    spots = image_position(places)
    ramp = _ramp(pixels, spots.device)
    down, across = torch.meshgrid(ramp, ramp, indexing="ij")
    gaps = (torch.stack([across, down], -1) - spots[:, None, None]).norm(dim=-1)
    own = (gaps == gaps.amin(0)) & (gaps <= reach)
    return own.flatten(1).repeat(1, 3)


def colour_at(picture, place, reach: float = 0.12) -> Tensor:
    """The mean colour (3,) of a picture (3, s, s) within `reach` of (u, v) in it."""
    picture = _check.real("picture", picture)
    place = _check.real("place", place, like=picture)
    ramp = _ramp(picture.shape[-1], picture.device)
    near = (ramp - place[0]) ** 2 + (ramp[:, None] - place[1]) ** 2 <= reach**2
    return picture[:, near].mean(1)


def _ramp(cells: int, device: torch.device) -> Tensor:
    """The centres of so many cells from -1 to 1, float32."""
    return (torch.arange(cells, dtype=torch.float32, device=device) + 0.5) * (2.0 / cells) - 1.0


def _peaks(maps: Tensor) -> Sightings:
    padded = nn.functional.pad(maps, (1, 1, 1, 1), value=-1.0)[:, None]
    around = nn.functional.unfold(padded, 3).reshape(len(maps), 9, CELLS, CELLS)
    top = around.amax(1)
    picture, row, column = ((maps >= top) & (maps > SEEN)).nonzero().T
    weights = around[picture, :, row, column].clamp(min=0.0)
    offset = torch.arange(-1, 2, dtype=maps.dtype, device=maps.device)
    total = weights.sum(1)
    across = (weights.reshape(-1, 3, 3).sum(1) @ offset) / total
    down = (weights.reshape(-1, 3, 3).sum(2) @ offset) / total
    u = (column + across + 0.5) * (2.0 / CELLS) - 1.0
    v = (row + down + 0.5) * (2.0 / CELLS) - 1.0
    return Sightings(picture, torch.stack([u, v], 1), maps[picture, row, column], len(maps))
