"""The network of words that comes with the library, made by tools/train_words.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp.densities._family import Family
from projcomp.networks.denoiser import Denoiser
from projcomp.networks.pictures import WEIGHTS
from projcomp.networks.preconditioning import Preconditioned
from projcomp.networks.store import load_network
from projcomp.networks.vocabulary import Vocabulary
from projcomp.networks.worded import WordedUNet

PIXELS = 32
CENTRE, SIGMA_DATA = 0.5, 0.25
"""Mean, and root mean square about it, of a coordinate of the pictures (roughly)."""
_FEW = 16
VOCABULARY = WEIGHTS / "words.json"
"""The words that the network was taught, in the order of their tokens."""


class Prompted(Denoiser):
    """What a network draws for a prompt; its points are pictures, (3, 32, 32).

    Several prompts of one network are evaluated in one batch, where points are few.
    """

    shape = (3, PIXELS, PIXELS)

    def __init__(self, model: Preconditioned, label: str = "", samples: Tensor | None = None):
        super().__init__(model, label, samples)
        self._family = _Told(model)


class _Told(Family):
    """All that one network can be told.

    A few points alone make a batch that is too small: a fifth of the time is saved for eight of
    three prompts, as measured on one core. Of 32 each prompt is better read once, by itself.
    """

    def __init__(self, model: Preconditioned):
        self.model = model

    def __eq__(self, other):
        return isinstance(other, _Told) and other.model is self.model

    def __hash__(self):
        return hash(id(self.model))

    def scores(self, densities: Sequence[Prompted], x: Tensor, sigma: Tensor) -> Tensor:
        first, count, batch = densities[0], len(densities), x.shape[1]
        if batch > _FEW:
            return torch.stack([density._score(x, sigma) for density in densities])
        told = torch.cat([density.condition for density in densities])
        told = told.repeat_interleave(batch, 0)
        points, levels = x.T.repeat(count, 1), sigma.expand(batch).repeat(count)
        size = first._chunk(x.device)
        starts = range(0, max(1, len(points)), size)
        rows = [slice(start, start + size) for start in starts]
        answers = [first._told(points[part], levels[part], told[part]) for part in rows]
        return torch.cat(answers).view(count, batch, first.dim).mT


@dataclass(frozen=True, eq=False)
class Words:
    """A network that draws what it is told in words.

    model: the network, on pictures flattened to R^3072. vocabulary: the words that it can read.
    """

    model: Preconditioned
    vocabulary: Vocabulary

    def density(self, prompt: str = "", samples: Tensor | None = None) -> Prompted:
        """What the network draws for a prompt: "" is anything, "empty" the bare floor.

        samples: (N, 3072) or (N, 3, 32, 32) pictures of it, independent, or None; as for `Scored`.

        Raises ValueError for what is no string, for a word that the network was never taught, with
        the nearest ones, and for too many words.
        """
        self.vocabulary.split(prompt)
        return Prompted(self.model, prompt, samples)


def blank_words(vocabulary: Vocabulary, generator: torch.Generator | None = None) -> Preconditioned:
    """The network before training."""
    network = WordedUNet(vocabulary, PIXELS, generator=generator)
    return Preconditioned(network, 3 * PIXELS**2, SIGMA_DATA, centre=CENTRE)


def load_words() -> Words:
    """The network of words, trained; its parameters need no grad until its `requires_grad_`."""
    vocabulary = Vocabulary(json.loads(VOCABULARY.read_text(encoding="utf-8"))["words"])
    model = load_network(blank_words(vocabulary), WEIGHTS / "words.safetensors")
    return Words(model.eval().requires_grad_(False), vocabulary)
