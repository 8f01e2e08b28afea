"""A world with words: pictures of one object on a floor, in one of six styles, and what is in them.

Everything in a picture has a name, and whether a picture is as a prompt says can be told.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import CPU32
from projcomp._text import Brief
from projcomp.scenes.objects import COLOURS, MATERIALS, SHAPES, Objects
from projcomp.scenes.rendering import render
from projcomp.words.styles import FLOORS, HIDDEN, STYLES, drawn_as, on_floor

PIXELS = 32
ATTRIBUTES = {
    "shape": ("ball", "cube", "cylinder"),
    "colour": ("red", "yellow", "green", "cyan", "blue", "purple"),
    "material": ("matte", "shiny"),
    "size": ("small", "large"),
    "across": ("left", "right"),
    "depth": ("front", "back"),
    "floor": tuple(FLOORS),
    "style": tuple(STYLES),
}
"""What can be said of a picture, and the values of each. The first six are the object's."""
OBJECT = tuple(ATTRIBUTES)[:6]
HELD_OUT = {"shape": "cylinder", "colour": "purple"}
"""Purple cylinders are in no picture of the world: no network was ever shown one."""
SIZES = {"small": 0.56, "large": 0.84}
"""Half-widths on the floor."""
ACROSS, DEPTH, JITTER = (-0.98, 0.98), (-1.0, 0.62), 0.16
"""Where the four places are on the floor, and how far objects stray along each axis."""
PLACES = ("front left", "front right", "back left", "back right")
BARE = 0.08
"""The share of pictures of the bare floor."""
UNSEEN = -1


@dataclass(frozen=True, repr=False)
class Depictions(Brief):
    """N pictures, and what can be seen in each.

    pictures: (N, 3, 32, 32), float32 in [0, 1]. facts: (N, 8) for each of ATTRIBUTES the index of
    its value, or `UNSEEN` where there is no object or the style hides it.
    """

    pictures: Tensor
    facts: Tensor

    def __len__(self):
        return len(self.pictures)


def depictions(n: int, generator: torch.Generator | None = None) -> Depictions:
    """n pictures of the world: one object, or, in a share of `BARE`, none.

    All values of an attribute are as likely as one another, and the attributes independent, but for
    the combination that is held out, in whose stead another colour is drawn.

    Raises ValueError for n < 1.
    """
    n, generator = _check.count("n", n), _check.source("generator", generator)
    sizes = [len(values) for values in ATTRIBUTES.values()]
    facts = torch.stack([_below(size, n, generator) for size in sizes], 1)
    column = {name: index for index, name in enumerate(ATTRIBUTES)}
    shape, colour = (facts[:, column[name]] for name in HELD_OUT)
    held = [ATTRIBUTES[name].index(value) for name, value in HELD_OUT.items()]
    other = _below(len(ATTRIBUTES["colour"]) - 1, n, generator)
    other = other + (other >= held[1])
    facts[:, column["colour"]] = torch.where(
        (shape == held[0]) & (colour == held[1]), other, colour
    )
    there = torch.rand(n, generator=generator, **CPU32) >= BARE
    return pictured(facts, there, generator)


def pictured(facts: Tensor, there: Tensor, generator: torch.Generator | None = None) -> Depictions:
    """Pictures with given attributes: places, sizes, colours and turns vary a little.

    facts: (N, 8) indices. there: (N,) bool, whether the object is there at all.
    """
    pictures = crowded(facts[:, None], there[:, None], generator)
    return Depictions(pictures, visible(facts, there))


def crowded(facts: Tensor, there: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Pictures (N, 3, 32, 32) of up to K objects each, which the world itself does not have.

    facts: (N, K, 8) indices; floor and style are those of the first. there: (N, K) bool.
    """
    column = {name: facts[:, 0, index] for index, name in enumerate(ATTRIBUTES)}
    pictures = render(objects_of(facts, there, generator), PIXELS)
    return drawn_as(on_floor(pictures, column["floor"]), column["style"])


def visible(facts: Tensor, there: Tensor) -> Tensor:
    """What of the facts (..., 8) can be seen: the rest becomes `UNSEEN`. there: (...) bool."""
    names, seen = list(ATTRIBUTES), facts.clone()
    seen[..., : len(OBJECT)][~there] = UNSEEN
    for style, hidden in HIDDEN.items():
        rows = facts[..., names.index("style")] == ATTRIBUTES["style"].index(style)
        for name in hidden:
            seen[..., names.index(name)][rows] = UNSEEN
    return seen


def objects_of(facts: Tensor, there: Tensor, generator: torch.Generator | None) -> Objects:
    """N scenes of K objects each, with these attributes (N, K, 8); there: (N, K) bool."""
    column = {name: facts[..., index] for index, name in enumerate(ATTRIBUTES)}

    def near_one(spread, *shape):
        draws = torch.rand(*there.shape, *shape, generator=generator, **CPU32)
        return 1.0 + spread * (2.0 * draws - 1.0)

    where = [
        torch.tensor(values, **CPU32)[column[name]]
        for name, values in (("across", ACROSS), ("depth", DEPTH))
    ]
    place = torch.stack(where, -1) + (near_one(JITTER, 2) - 1.0)
    size = torch.tensor([SIZES[name] for name in ATTRIBUTES["size"]], **CPU32)[column["size"]]
    palette = torch.tensor([COLOURS[name] for name in ATTRIBUTES["colour"]], **CPU32)
    kinds = torch.tensor([SHAPES.index(_SHAPE[name]) for name in ATTRIBUTES["shape"]], device="cpu")
    stuff = torch.tensor(
        [MATERIALS.index(_STUFF[name]) for name in ATTRIBUTES["material"]], device="cpu"
    )
    return Objects(
        place,
        size * near_one(0.06),
        torch.pi * near_one(1.0),
        kinds[column["shape"]],
        stuff[column["material"]],
        (palette[column["colour"]] * near_one(0.06, 3)).clamp(0.0, 1.0),
        there,
    )


_SHAPE = {"ball": "sphere", "cube": "cube", "cylinder": "cylinder"}
_STUFF = {"matte": "rubber", "shiny": "metal"}


def _below(count: int, n: int, generator) -> Tensor:
    return torch.randint(count, (n,), generator=generator, device="cpu")
