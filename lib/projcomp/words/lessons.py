"""What the network of words is trained on: pictures and captions without end."""

from __future__ import annotations

import torch

from projcomp.networks.training import Stream
from projcomp.networks.vocabulary import Vocabulary
from projcomp.words.captions import said_of
from projcomp.words.world import depictions


def lessons(vocabulary: Vocabulary) -> Stream:
    """Fresh pictures of the world, flattened, and the tokens of one caption of each."""

    def draw(n: int, generator: torch.Generator):
        shown = depictions(n, generator)
        captions = [said_of(row, generator) for row in shown.facts]
        told = torch.cat([vocabulary.encode(caption) for caption in captions])
        return shown.pictures.flatten(1), told

    return Stream(draw, "words")
