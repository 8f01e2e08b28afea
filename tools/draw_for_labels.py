"""Draws the generated pictures of `scenes.labelled`, which a person has labelled.

    python tools/draw_for_labels.py [--file FILE] [--sheet PNG]

The first eight pictures of one seed of every row. `--sheet` writes them side by side, to look at.
Their labels are in labels.json, beside them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import count_scenes
import torch
from safetensors.torch import save_file

LABELS = Path(__file__).parents[1] / "lib" / "projcomp" / "scenes" / "labels"
SEED = 7
ROWS = (
    ("A", 9), ("A, clean", 9), ("A, window", 4), ("A, window, clean", 9), ("B", 2), ("B", 4),
    ("C", 1), ("C", 6),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=LABELS / "generated.safetensors")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    drawn = []
    for row, count in ROWS:
        name, over = count_scenes.ROWS[row]
        density = count_scenes.composition(name, count, over)
        drawn.append(count_scenes.sample(density, 8, SEED).samples)
    values = (torch.cat(drawn).clamp(0, 1) * 255).round().to(torch.uint8)
    save_file({"pictures": values}, options.file)
    if options.sheet:
        from matplotlib.image import imsave

        rows = values.reshape(len(ROWS), 8, 3, 32, 32).permute(0, 3, 1, 4, 2)
        image = rows.reshape(len(ROWS) * 32, 8 * 32, 3).numpy()
        imsave(options.sheet, image.repeat(6, 0).repeat(6, 1))


if __name__ == "__main__":
    main()
