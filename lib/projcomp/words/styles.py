"""Floors, and styles of drawing: fixed filters of pictures, (N, 3, s, s) in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

FLOORS = {"grey": (1.0, 1.0, 1.0), "sand": (1.16, 0.98, 0.66), "mint": (0.74, 1.08, 0.9)}
"""What the light that comes from the floor is multiplied with."""
_BRIGHT = 0.06


def _day(pictures: Tensor) -> Tensor:
    return pictures


def _night(pictures: Tensor) -> Tensor:
    return pictures * pictures.new_tensor([0.40, 0.47, 0.74])[:, None, None]


def _fog(pictures: Tensor) -> Tensor:
    return 0.48 * pictures + 0.52 * 0.88


def _pencil(pictures: Tensor) -> Tensor:
    """Coloured pencils on white paper: pale hatching, dark outlines."""
    side = pictures.shape[-1]
    ramp = torch.arange(side, device=pictures.device)
    hatch = ((ramp[:, None] + ramp) % 4 < 2).to(pictures.dtype)
    pale = 1.0 - (0.32 + 0.36 * hatch) * (1.0 - pictures)
    return pale * (1.0 - 0.85 * _outline(pictures))


def _blueprint(pictures: Tensor) -> Tensor:
    """White lines on blue paper."""
    line = _outline(pictures)
    paper = pictures.new_tensor([0.10, 0.24, 0.60])[:, None, None]
    return paper + (0.95 - paper) * line


def _pixels(pictures: Tensor) -> Tensor:
    """Large pixels of strong colours."""
    coarse = avg_pool2d(pictures, 2)
    grey = coarse.mean(1, keepdim=True)
    strong = (grey + 1.7 * (coarse - grey) + 0.06).clamp(0.0, 1.0)
    return interpolate(strong, scale_factor=2.0, mode="nearest")


STYLES = {
    "day": _day,
    "night": _night,
    "fog": _fog,
    "pencil": _pencil,
    "blueprint": _blueprint,
    "pixel art": _pixels,
}
HIDDEN = {
    "pencil": ("material",),
    "blueprint": ("colour", "material", "floor"),
    "pixel art": ("material",),
}
"""What cannot be seen in a style."""


def on_floor(pictures: Tensor, floor: Tensor) -> Tensor:
    """Pictures (N, 3, s, s) over a grey floor, with the floor (N,) an index into FLOORS.

    Grey is what has no colour of its own: the tint falls off with saturation.
    """
    tints = pictures.new_tensor(list(FLOORS.values()))[floor][..., None, None]
    high, low = pictures.amax(1, keepdim=True), pictures.amin(1, keepdim=True)
    grey = (1.0 - 12.0 * (high - low - _BRIGHT)).clamp(0.0, 1.0)
    return (pictures * (1.0 + grey * (tints - 1.0))).clamp(0.0, 1.0)


def drawn_as(pictures: Tensor, style: Tensor) -> Tensor:
    """Each of N pictures in its style (N,), an index into STYLES."""
    drawn = torch.empty_like(pictures)
    for index, name in enumerate(STYLES):
        rows = (style == index).nonzero()[:, 0]
        if len(rows):
            drawn[rows] = STYLES[name](pictures[rows])
    return drawn


def _outline(pictures: Tensor) -> Tensor:
    """How much a line there is at each pixel: (N, 1, s, s) in [0, 1]."""
    padded = pad(pictures, (1, 1, 1, 1), mode="replicate")
    across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    steep = torch.hypot(across, down).amax(1, keepdim=True)
    return (2.2 * (steep - 0.12)).clamp(0.0, 1.0)
