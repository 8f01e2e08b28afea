"""Networks that come with the library: weights beside this file, made by tools/train_plane.py."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from projcomp import _check
from projcomp.networks.denoiser import Denoiser
from projcomp.networks.mlp import MLP
from projcomp.networks.pictures import WEIGHTS
from projcomp.networks.preconditioning import Preconditioned
from projcomp.networks.store import load_network


@dataclass(frozen=True)
class Shipped:
    """What to build before the weights can be read. preset: the distributions it was trained on."""

    preset: str
    sigma_data: float
    concepts: int = 2


SHIPPED = {
    "factorized": Shipped("factorized", 1.5),
    "shear": Shipped("mild-shear", 0.75),
}


def blank(name: str, generator: torch.Generator | None = None) -> Preconditioned:
    """The network `name` before training: 2 coordinates, a label for p_b and one for each p_i."""
    entry = SHIPPED[_check.choice("name", name, tuple(SHIPPED))]
    labels = 1 + entry.concepts
    return Preconditioned(MLP(2, labels, generator=generator), 2, entry.sigma_data, labels)


def load(name: str) -> tuple[Denoiser, list[Denoiser]]:
    """Learned versions of a background and its concepts in the plane: p_b, [p_1, p_2].

    "factorized" learned the preset of that name, "shear" the preset "mild-shear". All share one
    network, whose parameters need no grad until its `requires_grad_` is called.

    Raises ValueError for another name.
    """
    model = load_network(blank(name), WEIGHTS / f"{name}.safetensors")
    model.requires_grad_(False)
    return Denoiser(model), [Denoiser(model, label) for label in range(1, model.labels)]
