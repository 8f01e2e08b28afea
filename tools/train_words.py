"""Trains the network of words that comes with the library.

    python tools/train_words.py [--again]

Pictures and captions are made while training. There are two phases: in the second one noise is
less, and shapes are learned. A phase begins with the file that the one before has left, and is not
done again if the card in the folder says so, unless `--again` says to begin from nothing. A run
that was interrupted goes on from its checkpoint, a file in the folder that is deleted at the end.
`--threads 1` makes a run repeatable to the last bit.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

import cards
import torch
from projcomp import networks
from projcomp.networks.shipped import WEIGHTS
from projcomp.networks.words import blank_words
from projcomp.words import lessons, words

BATCH, AVERAGE, SEED = 64, 0.999, 1


class Phase(NamedTuple):
    """How many steps at which rate, and the mean and spread of log sigma."""

    steps: int
    rate: float
    log_sigma: tuple[float, float]


PHASES = (Phase(9_000, 1.5e-3, (0.0, 1.5)), Phase(5_000, 1e-3, (-0.4, 1.0)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--again", action="store_true", help="begin with the first phase")
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(max(1, options.threads))
    try:
        train(options.folder, options.again)
    except ValueError as error:
        sys.exit(f"train_words: {error}")
    except KeyboardInterrupt:
        sys.exit("\ntrain_words: interrupted; the same command goes on from the checkpoint")


def train(folder: Path, again: bool = False, phases: tuple[Phase, ...] = PHASES) -> None:
    """Train what is not done yet; after each phase write the network and its card."""
    vocabulary = networks.Vocabulary(words())
    model = blank_words(vocabulary, torch.Generator().manual_seed(SEED))
    weights, card = folder / "words.safetensors", folder / "words.json"
    checkpoint = networks.writable(folder / "words.checkpoint")
    done = [] if again or not card.is_file() else json.loads(card.read_text("utf-8"))["phases"]
    if done:
        networks.load_network(model, weights)
    for number, phase in enumerate(phases[len(done) :], len(done) + 1):
        run = networks.train(
            model.to(memory_format=torch.channels_last),
            lessons(vocabulary),
            networks.Recipe(
                phase.steps, BATCH, phase.rate, average=AVERAGE, checkpoint=checkpoint,
                progress=True,
            ),
            log_sigma=phase.log_sigma,
            generator=torch.Generator().manual_seed(SEED + number - 1),
        )  # fmt: skip
        networks.save_network(model, weights)
        networks.load_network(model, weights)  # as the next phase would find it
        done.append(told_of(phase, run))
        text = json.dumps({"words": vocabulary.words, "phases": done}, indent=1)
        card.write_text(text + "\n", encoding="utf-8")
        checkpoint.unlink()
        print(json.dumps(done[-1]), flush=True)


def told_of(phase: Phase, run: networks.Training) -> dict:
    """What the card says of a phase."""
    return {
        **phase._asdict(),
        "pictures": phase.steps * BATCH,
        "pictures_per_second": round(run.samples_per_second),
        **cards.of_losses(run.losses),
    }


if __name__ == "__main__":
    main()
