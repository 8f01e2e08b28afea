"""A network of words with random weights, as the page and a file of weights hold them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from projcomp import networks
from projcomp.networks.words import blank_words
from projcomp.widgets import assets, text_prompt
from projcomp.words import captions


@cache
def words() -> networks.Words:
    """What it draws is no picture of anything, but every word and every layer has its say."""
    vocabulary = networks.Vocabulary(captions.words())
    model = blank_words(vocabulary, torch.Generator().manual_seed(1)).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(2)
    for weight in model.parameters():
        if not weight.any():  # a last layer begins at zero
            weight.copy_(0.03 * torch.randn(weight.shape, generator=generator))
        weight.copy_(weight.half())
    return networks.Words(model, vocabulary)


def bring(folder: Path) -> None:
    """The scripts of this network and of the runtime, beside a page's script in a folder."""
    weights = folder / "weights"
    weights.write_bytes(text_prompt.stored_weights(words()))
    (folder / assets.FOLDER).mkdir(exist_ok=True)
    assets.write(folder / assets.FOLDER, weights)
