"""Networks that were told a content, or a style, or nothing of a picture, and never both."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from projcomp import _check, networks
from projcomp.emoji.files import load
from projcomp.emoji.table import Table
from projcomp.networks.pictures import WEIGHTS

PIXELS, CONTENTS, STYLES = 16, 48, 8
CENTRE, SIGMA_DATA = 0.55, 0.55
"""Mean, and root mean square about it, of a coordinate of the pictures (roughly)."""
SEEDS = {"emoji": 1, "emoji-2": 2}
"""Names of the networks, and the seed of their weights, data and noise in training."""
COUNTS = WEIGHTS / "emoji.json"
"""What the networks draw, counted by tools/count_learned_emoji.py."""


class Pictured(networks.Denoiser):
    """What a network knows of a prompt; its points are pictures, as those of the table."""

    shape = (3, PIXELS, PIXELS)


@dataclass(frozen=True, eq=False)
class Learned:
    """A network of the table, and what it was taught.

    model: the network. table: 48 contents in all styles. seen: the same table without the cells
    that were in no training picture, which is what the training pictures are.
    """

    model: networks.Preconditioned
    table: Table
    seen: Table

    def density(self, content: str | None = None, style: str | None = None) -> Pictured:
        """What the network knows of a content, or of a style; of all pictures if none is named.

        Raises ValueError where both are named, which it was never told, and for a name that the
        table does not have.
        """
        if content is not None and style is not None:
            raise ValueError(
                f"style must be None beside a content: the network was never told both, got "
                f"{content!r} and {style!r}"
            )
        for name, value in (("content", content), ("style", style)):
            if not isinstance(value, str | None):
                raise ValueError(f"{name} must be one name or None, got {value!r}")
        row = int(self.table.rows(content, style)[0])
        label = 0 if style is None else 1 + CONTENTS + row % STYLES
        label = label if content is None else 1 + row // STYLES
        return Pictured(self.model, label)


def load_learned(name: str = "emoji") -> Learned:
    """The network `name`, trained; its parameters need no grad until `requires_grad_` is called.

    name: "emoji", or "emoji-2", which is the same from another seed. Raises ValueError for others.
    """
    model = networks.load_network(blank(name), WEIGHTS / f"{name}.safetensors")
    table = part()
    return Learned(model.eval().requires_grad_(False), table, table.without(held_out(table)))


def blank(name: str, generator: torch.Generator | None = None) -> networks.Preconditioned:
    """The network `name` before training. Raises ValueError for another name.

    Of its labels 0 is nothing told, then come the contents, then the styles.
    """
    _check.choice("name", name, tuple(SEEDS))
    labels = 1 + CONTENTS + STYLES
    network = networks.UNet(PIXELS, labels, generator=generator)
    return networks.Preconditioned(network, 3 * PIXELS**2, SIGMA_DATA, labels, centre=CENTRE)


def part() -> Table:
    """48 contents, evenly spaced in the list of all (every 21st), in all styles, at 16 pixels."""
    table = load(PIXELS)
    step = len(table.contents) // CONTENTS
    return table.choose(table.contents[: step * CONTENTS : step])


def held_out(table: Table) -> list[tuple[str, str]]:
    """The cells that are in no training picture: style k mod 8 of content k.

    So every content lacks one style, and every style six contents.
    """
    return [(content, table.styles[k % STYLES]) for k, content in enumerate(table.contents)]
