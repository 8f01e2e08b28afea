"""Trains the networks of pictures that come with the library.

    python tools/train_scenes.py [NAME ...]                     on this processor
    accelerate launch tools/train_scenes.py [NAME ...]          on every device that accelerate
                                                                is configured for

A run that was interrupted goes on from its checkpoint, a file in the folder that is deleted at the
end: at most a minute is lost. `--threads 1` makes a run repeatable to the last bit.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import cards
import torch
from projcomp import networks, scenes
from projcomp.networks.pictures import PICTURE_MODELS, blank_picture_model
from projcomp.networks.shipped import WEIGHTS

PICTURES = 24_000
SHARES = {"named": 0.7, "average": 0.2, "empty": 0.1}
"""Of the rows: told where the object is (or its colour), told nothing, and the bare floor."""
RECIPE = {"batch": 64, "rate": 1e-3, "average": 0.999}
LOG_SIGMA = (-1.0, 1.4)


def data_of(name: str, model: networks.Preconditioned, count: int, seed: int) -> networks.Labelled:
    """The pictures that a network is trained on, and what it is told of each."""
    generator = torch.Generator().manual_seed(seed)
    make = {
        "one object": scenes.one_object,
        "one to five objects": scenes.one_to_many,
        "one object, its colour told": scenes.one_coloured,
    }[PICTURE_MODELS[name].data]
    pictures = make(count, generator=generator)
    floor = (scenes.empty_picture() * 255).round().to(torch.uint8).flatten()
    named = round(SHARES["named"] * count)
    empties = round(SHARES["empty"] * count)
    average = count - named - empties
    if pictures.colour is None:
        told = torch.cat([torch.ones(named, 1), pictures.place[:named]], 1)
    else:
        told = 1 + pictures.colour[:named]
    rest = [
        model.condition(networks.AVERAGE).expand(average, *told.shape[1:]),
        model.condition(None).expand(empties, *told.shape[1:]),
    ]
    index = torch.cat([torch.arange(named + average), torch.full((empties,), count)])
    return networks.Labelled(
        torch.cat([pictures.values, floor[None]]), index, torch.cat([told, *rest])
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="; ".join(PICTURE_MODELS))
    parser.add_argument("--steps", type=int, default=4_000)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--seed", type=int, help="of the weights, data and noise; the card's")
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16"))
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in PICTURE_MODELS]
    if unknown:
        parser.error(f"NAME must be one of {', '.join(PICTURE_MODELS)}; got {unknown[0]}")
    torch.set_num_threads(max(1, options.threads))
    engine = None
    if "ACCELERATE_MIXED_PRECISION" in os.environ:  # which `accelerate launch` sets
        from accelerate import Accelerator

        engine = Accelerator()
    try:
        for name in options.names or PICTURE_MODELS:
            train(name, options, engine)
    except ValueError as error:
        sys.exit(f"train_scenes: {error}")
    except KeyboardInterrupt:
        sys.exit("\ntrain_scenes: interrupted; the same command goes on from the checkpoint")


def train(name: str, options, engine) -> None:
    seed = PICTURE_MODELS[name].seed if options.seed is None else options.seed
    model = blank_picture_model(name, torch.Generator().manual_seed(seed))
    checkpoint = options.folder / f"{name}.checkpoint"
    networks.writable(checkpoint)  # before a long rendering, not after
    data = data_of(name, model, options.pictures, seed)
    recipe = networks.Recipe(
        options.steps, precision=options.precision, checkpoint=checkpoint, engine=engine,
        progress=True, **RECIPE,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    run = networks.train(model, data, recipe, log_sigma=LOG_SIGMA, generator=generator)
    if engine is not None and not engine.is_main_process:
        return
    networks.save_network(model, options.folder / f"{name}.safetensors")
    checkpoint.unlink()
    card = {
        "name": name,
        "steps": options.steps,
        "images": options.steps * RECIPE["batch"],
        "images_per_second": round(run.samples_per_second),
        **cards.of_losses(run.losses),
    }
    print(json.dumps(card))


if __name__ == "__main__":
    main()
