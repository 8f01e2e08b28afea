"""Trains the counter that comes with the library, and says how often it is right.

    python tools/train_counter.py [--steps 3000]

Takes about ten minutes on one core. A run that was interrupted goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from projcomp import networks, scenes
from projcomp.scenes import counter as counting

SEED, SCENES, MOST = 1, 9_000, 9
RECIPE = {"batch": 96, "rate": 2e-3}


def scenes_of(n: int, generator: torch.Generator, solid: bool):
    """Pictures (n, 3, 32, 32) of 0 to 9 objects, places (n, 9, 2) and opacities (n, 9).

    Half of them stand on the lattice, half anywhere. Solid: rendered together, and they hide one
    another. Else each has an opacity of its own, and their changes of the floor are added.
    """
    lattice = scenes.lattice().expand(n // 2, MOST, 2)
    order = torch.rand(n // 2, MOST, generator=generator).argsort(1)
    lattice = lattice.gather(1, order[..., None].expand(-1, -1, 2))
    free = scenes.scattered(n - n // 2, MOST, distance=0.75, reach=1.7, generator=generator)
    where = torch.cat([lattice, free])
    counts = torch.randint(0, MOST + 1, (n, 1), generator=generator)
    there = torch.arange(MOST) < counts
    objects = scenes.random_objects(where, there, generator=generator, place_jitter=0.05)
    place = scenes.image_position(objects.place)
    if solid:
        return scenes.render(objects), place, there.float()
    floor = scenes.empty_picture()
    opacity = torch.rand(n, MOST, generator=generator) * 1.2
    whole = torch.rand(n, MOST, generator=generator) < 0.3
    opacity = torch.where(whole, 1.0, opacity) * there
    pictures = floor.expand(n, 3, 32, 32).clone()
    for index in range(MOST):
        alone = objects.only(index)
        pictures += opacity[:, index, None, None, None] * (scenes.render(alone) - floor)
    return pictures, place, opacity


def data(n: int, generator: torch.Generator):
    parts = [scenes_of(n // 2, generator, solid) for solid in (True, False)]
    pictures, place, opacity = (torch.cat(column) for column in zip(*parts, strict=True))
    return pictures, counting.spots(place, opacity), place, opacity


def blurred(pictures, sigma):
    """A little out of focus: sigma (B,) pixels."""
    offset = torch.arange(-2, 3).float()
    kernel = (-0.5 * offset**2 / sigma.clamp(min=0.05)[:, None] ** 2).exp()
    kernel = kernel / kernel.sum(1, keepdim=True)
    batch, _, side, _ = pictures.shape
    padded = torch.nn.functional.pad(pictures, (2, 2, 2, 2), mode="replicate")
    rows = (padded.unfold(2, 5, 1) * kernel[:, None, None, None, :]).sum(-1)
    return (
        (rows.unfold(3, 5, 1) * kernel[:, None, None, None, :])
        .sum(-1)
        .reshape(batch, 3, side, side)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3_000)
    parser.add_argument("--file", type=Path, default=counting.WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(SEED)
    checkpoint = options.file.with_suffix(".checkpoint")
    try:
        networks.writable(checkpoint)
    except ValueError as error:
        sys.exit(f"train_counter: {error}")
    pictures, wanted, *_ = data(SCENES, generator)

    def draw(generator):
        batch = RECIPE["batch"]
        rows = torch.randint(len(pictures), (batch,), generator=generator)
        sharp = torch.rand(batch, generator=generator) < 0.5
        focus = torch.where(sharp, 0.05, torch.rand(batch, generator=generator))
        grain = 0.05 * torch.rand(batch, 1, 1, 1, generator=generator)
        noise = torch.randn(batch, 3, 32, 32, generator=generator)
        return blurred(pictures[rows], focus) + grain * noise, wanted[rows]

    run = networks.fit(
        counting.Counter(torch.Generator().manual_seed(SEED)),
        draw,
        lambda model, seen, wanted: 100 * (model(seen) - wanted).square().mean((1, 2)),
        networks.Recipe(options.steps, checkpoint=checkpoint, progress=True, **RECIPE),
        generator=generator,
    )
    networks.save_network(run.model, options.file)
    checkpoint.unlink()
    print(f"loss {run.losses[:50].mean():.3f} at first, {run.losses[-200:].mean():.3f} at last")
    generator = torch.Generator().manual_seed(SEED + 1)
    for name, solid in (("rendered", True), ("faded and added", False)):
        pictures, _, opacity = scenes_of(1_000, generator, solid)
        true, seen = (opacity >= counting.SOLID).sum(1), counting.count(pictures, run.model)
        right = (seen.counts() == true).float().mean()
        print(f"{name}: the number of objects is right in {float(right):.3f} of 1,000 scenes")


if __name__ == "__main__":
    main()
