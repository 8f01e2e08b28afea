"""The network of words that comes with the library, made by tools/train_words.py."""

from __future__ import annotations

import json
from dataclasses import dataclass

import torch

from projcomp.networks.denoiser import Denoiser
from projcomp.networks.pictures import WEIGHTS
from projcomp.networks.preconditioning import Preconditioned
from projcomp.networks.store import load_network
from projcomp.networks.vocabulary import Vocabulary
from projcomp.networks.worded import WordedUNet

PIXELS = 32
CENTRE, SIGMA_DATA = 0.5, 0.25
"""Mean, and root mean square about it, of a coordinate of the pictures (roughly)."""
VOCABULARY = WEIGHTS / "words.json"
"""The words that the network was taught, in the order of their tokens."""


class Prompted(Denoiser):
    """What a network draws for a prompt; its points are pictures, (3, 32, 32)."""

    shape = (3, PIXELS, PIXELS)


@dataclass(frozen=True, eq=False)
class Words:
    """A network that draws what it is told in words.

    model: the network, on pictures flattened to R^3072. vocabulary: the words that it can read.
    """

    model: Preconditioned
    vocabulary: Vocabulary

    def density(self, prompt: str = "") -> Prompted:
        """What the network draws for a prompt: "" is anything, "empty" the bare floor.

        Raises ValueError for what is no string, for a word that the network was never taught, with
        the nearest ones, and for too many words.
        """
        self.vocabulary.split(prompt)
        return Prompted(self.model, prompt)


def blank_words(vocabulary: Vocabulary, generator: torch.Generator | None = None) -> Preconditioned:
    """The network before training."""
    network = WordedUNet(vocabulary, PIXELS, generator=generator)
    return Preconditioned(network, 3 * PIXELS**2, SIGMA_DATA, centre=CENTRE)


def load_words() -> Words:
    """The network of words, trained; its parameters need no grad until `requires_grad_` of them."""
    vocabulary = Vocabulary(json.loads(VOCABULARY.read_text(encoding="utf-8"))["words"])
    model = load_network(blank_words(vocabulary), WEIGHTS / "words.safetensors")
    return Words(model.eval().requires_grad_(False), vocabulary)
