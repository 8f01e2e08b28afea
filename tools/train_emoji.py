"""Trains the networks of emoji that come with the library.

    python tools/train_emoji.py [NAME ...]

Every picture is told by its content, by its style, or not at all, in shares of 2, 2 and 1, and
never by both; one cell of every content is in no picture. A run that was interrupted goes on from
its checkpoint, a file in the folder that is deleted at the end. `--threads 1` makes a run
repeatable to the last bit.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cards
import torch
from projcomp import networks
from projcomp.emoji import Table, learned
from projcomp.networks.shipped import WEIGHTS

RECIPE = {"batch": 64, "rate": 1e-3, "average": 0.999, "precision": "bfloat16"}
LOG_SIGMA = (0.4, 1.4)


def data_of(seen: Table) -> networks.Labelled:
    """The training pictures, and what is told of each."""
    content, style = seen.there.nonzero().T
    samples = seen.pictures[content, style].flatten(1).float()
    by_content, by_style = 1 + content, 1 + learned.CONTENTS + style
    told = [by_content, by_content, by_style, by_style, torch.zeros_like(style)]
    index = torch.arange(len(samples)).repeat(len(told))
    return networks.Labelled(samples, index, torch.cat(told))


def train(name: str, data: networks.Labelled, steps: int, folder: Path) -> dict:
    """Train one network, write its file, and return what its card says of the run."""
    seed = learned.SEEDS[name]
    checkpoint = folder / f"{name}.checkpoint"
    run = networks.train(
        learned.blank(name, torch.Generator().manual_seed(seed)),
        data,
        networks.Recipe(steps, checkpoint=checkpoint, progress=True, **RECIPE),
        log_sigma=LOG_SIGMA,
        generator=torch.Generator().manual_seed(seed),
    )
    networks.save_network(run.model, folder / f"{name}.safetensors")
    checkpoint.unlink()
    return {
        "name": name,
        "steps": steps,
        "images": steps * RECIPE["batch"],
        "images_per_second": round(run.samples_per_second),
        **cards.of_losses(run.losses, digits=3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="; ".join(learned.SEEDS))
    parser.add_argument("--steps", type=int, default=16_000)
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in learned.SEEDS]
    if unknown:
        parser.error(f"NAME must be one of {', '.join(learned.SEEDS)}; got {unknown[0]}")
    torch.set_num_threads(max(1, options.threads))
    table = learned.part()
    data = data_of(table.without(learned.held_out(table)))
    try:
        for name in options.names or learned.SEEDS:
            networks.writable(options.folder / f"{name}.safetensors")
            print(json.dumps(train(name, data, options.steps, options.folder)), flush=True)
    except ValueError as error:
        sys.exit(f"train_emoji: {error}")
    except KeyboardInterrupt:
        sys.exit("\ntrain_emoji: interrupted; the same command goes on from the checkpoint")


if __name__ == "__main__":
    main()
