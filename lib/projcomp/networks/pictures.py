"""The networks of pictures that come with the library, made by tools/train_scenes.py."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from projcomp import _check
from projcomp.networks.preconditioning import Preconditioned
from projcomp.networks.unet import UNet

PIXELS = 32
CENTRE, SIGMA_DATA = 0.58, 0.1
"""Mean, and root mean square about it, of a coordinate of the pictures (roughly)."""
COLOUR_LABELS = 10


@dataclass(frozen=True)
class Picture:
    """One network. data: what it is trained on. window, target: as of UNet and Preconditioned."""

    data: str
    window: bool = False
    target: str = "scaled"


PICTURE_MODELS = {
    "one": Picture("one object"),
    "one-clean": Picture("one object", target="clean"),
    "one-window": Picture("one object", window=True),
    "one-window-clean": Picture("one object", window=True, target="clean"),
    "clutter": Picture("one to five objects"),
    "colour": Picture("one object, its colour told"),
}


def blank_picture_model(name: str, generator: torch.Generator | None = None) -> Preconditioned:
    """The network `name` before training. Raises ValueError for another name."""
    entry = PICTURE_MODELS[_check.choice("name", name, tuple(PICTURE_MODELS))]
    labels = COLOUR_LABELS if name == "colour" else 0
    network = UNet(PIXELS, labels, entry.window, generator=generator)
    return Preconditioned(
        network, 3 * PIXELS**2, SIGMA_DATA, max(labels, 1), centre=CENTRE, target=entry.target
    )
