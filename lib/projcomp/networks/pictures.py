"""The networks of pictures that come with the library, made by tools/train_scenes.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from projcomp import _check
from projcomp.composition import Composition, compose
from projcomp.networks.denoiser import Denoiser
from projcomp.networks.preconditioning import Preconditioned
from projcomp.networks.store import load_network
from projcomp.networks.unet import UNet

WEIGHTS = Path(__file__).parent / "weights"
COUNTS = WEIGHTS / "counts.json"
"""What the networks draw, counted by tools/count_scenes.py."""
PIXELS = 32
CENTRE, SIGMA_DATA = 0.58, 0.1
"""Mean, and root mean square about it, of a coordinate of the pictures (roughly)."""
COLOUR_LABELS = 10


@dataclass(frozen=True)
class Picture:
    """One network. data: what it is trained on. window, target: as of UNet and Preconditioned.
    seed: of its weights, data and noise in training.
    """

    data: str
    window: bool = False
    target: str = "scaled"
    seed: int = 1


PICTURE_MODELS = {
    "one": Picture("one object"),
    "one-clean": Picture("one object", target="clean"),
    "one-window": Picture("one object", window=True),
    "one-window-clean": Picture("one object", window=True, target="clean"),
    "clutter": Picture("one to five objects"),
    "colour": Picture("one object, its colour told"),
    "one-2": Picture("one object", seed=2),
    "one-window-clean-2": Picture("one object", window=True, target="clean", seed=2),
}


def blank_picture_model(name: str, generator: torch.Generator | None = None) -> Preconditioned:
    """The network `name` before training. Raises ValueError for another name."""
    entry = PICTURE_MODELS[_check.choice("name", name, tuple(PICTURE_MODELS))]
    labels = COLOUR_LABELS if name == "colour" else 0
    network = UNet(PIXELS, labels, entry.window, generator=generator)
    return Preconditioned(
        network, 3 * PIXELS**2, SIGMA_DATA, max(labels, 1), centre=CENTRE, target=entry.target
    )


def load_picture_model(name: str) -> Preconditioned:
    """The network `name`, trained; its parameters need no grad until `requires_grad_` is called.

    Raises ValueError for another name.
    """
    model = load_network(blank_picture_model(name), WEIGHTS / f"{name}.safetensors")
    return model.eval().requires_grad_(False)


def composed_places(model: Preconditioned, places, background=None) -> Composition:
    """One object at each of K places, composed over what `model` knows as `background`.

    places: (K, 2) in the picture, as (u, v) in [-1, 1]. background: None, the empty floor, or
    "average". Raises ValueError for places out of the picture.
    """
    places = _check.real("places", places)
    if places.ndim != 2 or places.shape[1] != 2:
        raise ValueError(f"places must have shape (K, 2), got {tuple(places.shape)}")
    return compose(Denoiser(model, background), [Denoiser(model, place) for place in places])
