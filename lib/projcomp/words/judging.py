"""A network that says what stands at each place of a picture, how solid, and in what style.

It reads pictures that nobody rendered: with several objects, pale ones, or none.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle, silu

from projcomp import _check
from projcomp._modes import CPU32, plainly
from projcomp.networks.layers import convolution, linear, source_of_weights
from projcomp.networks.store import load_network
from projcomp.scenes import image_position
from projcomp.words.seen import FACTS, Seen
from projcomp.words.world import ACROSS, ATTRIBUTES, DEPTH, PIXELS, SIZES

WEIGHTS = Path(__file__).parent / "weights" / "judge.safetensors"
_CELLS = 8
_PARTS = FACTS[:4], FACTS[4:]
_FINE, _COARSE, _READ = 40, 88, 64


class Judge(nn.Module):
    """Convolutions, from which every place reads where it has learned to look.

    generator: source of the initial weights; seed 0 if None.
    Raises ValueError for another generator.
    """

    @plainly
    def __init__(self, generator: torch.Generator | None = None):
        super().__init__()
        generator = source_of_weights(generator)

        def layers(width, count):
            each = (convolution(width, width, generator, scale=0.7) for _ in range(count))
            return nn.ModuleList(each)

        self.enter = convolution(14, _FINE, generator, scale=1.4)
        self.fine = layers(_FINE, 1)
        self.shrink = convolution(_FINE, _COARSE, generator, stride=2, scale=1.4)
        self.coarse = layers(_COARSE, 3)
        ramp = (torch.arange(2 * _CELLS, **CPU32) + 0.5) / _CELLS - 1.0
        where = torch.stack([ramp.expand(len(ramp), -1), ramp[:, None].expand(-1, len(ramp))])
        self.register_buffer("where", where[None], persistent=False)
        self.look = nn.Parameter(_towards_the_places())
        self.read = linear(_COARSE, _READ, generator, scale=1.4)
        objects, picture = (sum(len(ATTRIBUTES[name]) for name in part) for part in _PARTS)
        self.tell = linear(_READ, 1 + objects, generator, scale=0.1)
        self.whole = linear(_COARSE, picture, generator, scale=0.1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Of pictures (N, 3, 32, 32): places (N, 4, 14) and whole (N, 9).

        places: the opacity, then a score for each value of the attributes FACTS[:4]. whole: for
        each value of floor and style.
        """
        hidden = pixel_unshuffle((pictures - 0.5) / 0.25, 2)
        hidden = torch.cat([hidden, self.where.expand(hidden.shape[0], -1, -1, -1)], 1)
        hidden = silu(self.enter(hidden))
        for layer in self.fine:
            hidden = hidden + silu(layer(hidden))
        hidden = silu(self.shrink(hidden))
        for layer in self.coarse:
            hidden = hidden + silu(layer(hidden))
        found = self.look.softmax(1) @ hidden.flatten(2).mT  # (N, 5, _COARSE)
        return self.tell(silu(self.read(found[:, :4]))), self.whole(found[:, 4])


def judge(pictures, network: Judge | None = None) -> Seen:
    """What can be seen in pictures.

    Args:
        pictures: (N, 3, 32, 32) or flattened (N, 3072), nominally in [0, 1].
        network: the shipped one if None.

    No derivatives are recorded. Raises ValueError for pictures of another shape, and for none.
    """
    pictures = _check.coloured("pictures", pictures, PIXELS)
    network = shipped_judge() if network is None else network
    with torch.no_grad():
        parts = [network(part) for part in pictures.split(512)]
    return Seen.of(*(torch.cat(part) for part in zip(*parts, strict=True)))


@lru_cache(maxsize=1)
def shipped_judge() -> Judge:
    """The judge that comes with the library, made by tools/train_judge.py."""
    return load_network(Judge(), WEIGHTS).eval().requires_grad_(False)


def _towards_the_places() -> Tensor:
    """Where each place looks before training, and the whole everywhere: (5, 64) logits."""
    places = torch.tensor([(across, depth) for depth in DEPTH for across in ACROSS], **CPU32)
    spots = image_position(places, sum(SIZES.values()) / len(SIZES))
    ramp = (torch.arange(_CELLS, **CPU32) + 0.5) * (2.0 / _CELLS) - 1.0
    down, across = torch.meshgrid(ramp, ramp, indexing="ij")
    gaps = torch.stack([across, down], -1).flatten(0, 1) - spots[:, None]  # (4, 64, 2)
    near = -0.5 * gaps.square().sum(-1) / 0.25**2
    return torch.cat([near, torch.zeros(1, _CELLS**2, **CPU32)])
