"""Trains the network of words that comes with the library.

    python tools/train_words.py

Pictures and captions are made while training. A run that was interrupted goes on from its
checkpoint, a file in the folder that is deleted at the end. `--threads 1` makes a run repeatable to
the last bit.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from projcomp import networks
from projcomp.networks.shipped import WEIGHTS
from projcomp.networks.words import blank_words
from projcomp.words import captions, lessons

RECIPE = {"batch": 64, "rate": 1.5e-3, "average": 0.999}
LOG_SIGMA = (0.0, 1.5)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=9_000)
    parser.add_argument("--seed", type=int, default=1, help="of the weights, data and noise")
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(max(1, options.threads))
    try:
        print(json.dumps(train(options)))
    except ValueError as error:
        sys.exit(f"train_words: {error}")
    except KeyboardInterrupt:
        sys.exit("\ntrain_words: interrupted; the same command goes on from the checkpoint")


def train(options) -> dict:
    """Train the network, write its files, and return what its card says of the run."""
    vocabulary = networks.Vocabulary(captions.words())
    model = blank_words(vocabulary, torch.Generator().manual_seed(options.seed))
    checkpoint = networks.writable(options.folder / "words.checkpoint")
    run = networks.train(
        model.to(memory_format=torch.channels_last),
        lessons(vocabulary),
        networks.Recipe(options.steps, checkpoint=checkpoint, progress=True, **RECIPE),
        log_sigma=LOG_SIGMA,
        generator=torch.Generator().manual_seed(options.seed),
    )
    networks.save_network(model, options.folder / "words.safetensors")
    few = max(1, len(run.losses) // 100)
    card = {
        "words": list(vocabulary.words),
        "steps": options.steps,
        "pictures": options.steps * RECIPE["batch"],
        "pictures_per_second": round(run.samples_per_second),
        "first": round(float(run.losses[:few].mean()), 4),
        "last": round(float(run.losses[-few:].mean()), 4),
        "curve": [round(float(part.mean()), 4) for part in run.losses.tensor_split(20)],
    }
    (options.folder / "words.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    checkpoint.unlink()
    return card


if __name__ == "__main__":
    main()
