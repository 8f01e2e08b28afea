"""Draws the generated pictures that were labelled by eye.

    python tools/draw_for_labels.py [--file FILE] [--sheet PNG]
    python tools/draw_for_labels.py --nine PNG

The first eight pictures of one seed of every row, whose labels are in labels.json beside them.
`--sheet` writes them side by side, to look at. `--nine` draws what nine.json has labels of:
pictures of nine objects by the network "one", shuffled among rendered objects of known opacity.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import count_scenes
import torch
from projcomp import scenes
from safetensors.torch import save_file

LABELS = Path(__file__).parents[1] / "lib" / "projcomp" / "scenes" / "labels"
SEED = 7
ROWS = (
    ("A", 9), ("A, clean", 9), ("A, window", 4), ("A, window, clean", 9), ("B", 2), ("B", 4),
    ("C", 1), ("C", 6),
)  # fmt: skip


def blind() -> list[tuple[int | None, torch.Tensor, list[float]]]:
    """48 pictures (3, 32, 32): index among those of row A, or None and the nine opacities."""
    chance, generator = random.Random(2024), torch.Generator().manual_seed(777)
    picked = sorted(chance.sample(range(100), 24))
    drawn = torch.cat([count_scenes.pictures("A", 9, 25, seed) for seed in count_scenes.SEEDS])
    found = [(i, drawn[i].float().reshape(3, 32, 32), []) for i in picked]
    floor, places = scenes.empty_picture(), scenes.lattice()

    def rendered(where):
        objects = scenes.random_objects(where, generator=generator, place_jitter=0.05)
        return scenes.render(objects)[0]

    for number in range(24):
        single = [rendered(place.expand(1, 1, 2)) for place in places]
        if number < 8:
            opacity, picture = [1.0] * 9, rendered(places.expand(1, 9, 2))
        else:
            opacity = [chance.choice([1.0, 1.0, 0.8, 0.6, 0.4, 0.0]) for _ in places]
            picture = floor + sum(o * (s - floor) for o, s in zip(opacity, single, strict=True))
        found.append((None, picture.clamp(0, 1), opacity))
    chance.shuffle(found)
    return found


def draw_sheet(
    pictures: list[torch.Tensor], file: Path, scale: int = 9, mode: str = "bicubic"
) -> None:
    """Eight in a row, enlarged: smoothly, or in squares (mode "nearest")."""
    from matplotlib.image import imsave

    large = torch.nn.functional.interpolate(
        torch.stack(pictures).clamp(0, 1), scale_factor=scale, mode=mode
    ).clamp(0, 1)
    rows = [torch.cat(list(large[i : i + 8]), 2) for i in range(0, len(large), 8)]
    imsave(file, torch.cat(rows, 1).permute(1, 2, 0).numpy())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file", type=Path, default=LABELS / "generated.safetensors")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--nine", type=Path)
    options = parser.parse_args()
    if options.nine:
        draw_sheet([picture for _, picture, _ in blind()], options.nine)
        return
    drawn = []
    for row, count in ROWS:
        drawn.append(count_scenes.sample(count_scenes.composition(row, count), 8, SEED).samples)
    values = (torch.cat(drawn).clamp(0, 1) * 255).round().to(torch.uint8)
    save_file({"pictures": values}, options.file)
    if options.sheet:
        draw_sheet(list(values.reshape(-1, 3, 32, 32) / 255), options.sheet, 6, "nearest")


if __name__ == "__main__":
    main()
