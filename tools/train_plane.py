"""Trains the networks of the plane that come with the library, and says how good they are.

    python tools/train_plane.py [--steps 8000] [--folder lib/projcomp/networks/weights] [NAME ...]

Takes one to two minutes a network on one core. A run that was interrupted goes on from its
checkpoint, a file in the folder that is deleted at the end.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import projcomp as pc
import torch
from projcomp.networks import shipped
from projcomp.widgets import PRESETS

SEED = 1
BATCH = 1024


@torch.no_grad()
def excess(learned: pc.Density, exact: pc.Density, sigma: float) -> float:
    """sigma^2 E |learned score - score|^2 at noised samples of the distribution."""
    x = exact.sample(20_000, sigma, torch.Generator().manual_seed(2))
    gap = learned.score(x, sigma) - exact.score(x, sigma)
    return float(sigma**2 * gap.square().sum(1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="; ".join(shipped.SHIPPED))
    parser.add_argument("--steps", type=int, default=8_000)
    parser.add_argument("--folder", type=Path, default=shipped.WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.names or shipped.SHIPPED:
        preset = PRESETS[shipped.SHIPPED[name].preset]()
        data = [preset.background, *preset.concepts]
        checkpoint = options.folder / f"{name}.checkpoint"
        run = pc.networks.train(
            shipped.blank(name, torch.Generator().manual_seed(SEED)),
            data,
            pc.networks.Recipe(options.steps, BATCH, checkpoint=checkpoint, progress=True),
            generator=torch.Generator().manual_seed(SEED),
        )
        pc.networks.save_network(run.model, options.folder / f"{name}.safetensors")
        checkpoint.unlink()
        last = run.losses[-1000:]
        print(f"{name}: {options.steps} steps of {BATCH}, {run.samples_per_second:,.0f} samples/s,")
        print(f"    loss {run.losses[:100].mean():.4f} at first, {last.mean():.4f} at last")
        for sigma in (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0):
            found = [
                excess(pc.networks.Denoiser(run.model, label), exact, sigma)
                for label, exact in enumerate(data)
            ]
            print(f"    sigma = {sigma:<5} {'  '.join(f'{value:.1e}' for value in found)}")


if __name__ == "__main__":
    main()
