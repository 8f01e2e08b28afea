"""Draws the generated pictures of the world of words that are labelled by eye.

    python tools/draw_words_for_labels.py [--folder FOLDER] [--sheets FOLDER]

The first eight pictures of one seed of every row: single prompts, and compositions over "" and
over "empty". Beside generated.safetensors stands labels.json; its labels stay as long as the
pictures are what they were. `--sheets` writes sheets to look at, 32 pictures each, enlarged and
numbered, in an order that does not give away what was asked for. `--checkpoint` draws with a
training that is under way.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import projcomp as pc
import torch
from projcomp import networks, words
from projcomp.networks.words import Words, blank_words
from projcomp.words.labelling import LABELS
from safetensors.torch import load_file, save_file

SEED, EACH, SCALE, ON_A_SHEET = 7, 8, 8, 32
ROWS = (
    ("", ["a small red ball on the left at the front by day"]),
    ("", ["a large shiny green cube on the right at the back in fog on sand"]),
    ("", ["a large blue cylinder at the back at night"]),
    ("", ["a yellow cube pencil drawing on grass"]),
    ("", ["a large ball at the front as a blueprint"]),
    ("", ["a small matte cyan thing as pixel art"]),
    ("", [""]),
    ("empty", ["a red ball on the left by day", "a blue cube on the right by day"]),
    ("", ["a red ball on the left by day", "a blue cube on the right by day"]),
    ("empty", ["a ball at the front at night", "a cylinder at the back at night"]),
    ("", ["a large cube", "a green thing"]),
    ("", ["a shiny ball", "in fog"]),
    ("", ["a cylinder", "pencil drawing"]),
    ("", ["a red thing", "a blue thing"]),
    ("empty", ["on the left at the front", "on the right at the front", "on the left at the back"]),
    ("", ["a purple cylinder"]),
)
"""Each a background and the prompts that are composed over it; one prompt is taken as it is."""


def density(model: Words, background: str, prompts: list[str]) -> pc.Density:
    parts = [model.density(prompt) for prompt in prompts]
    return parts[0] if len(parts) == 1 else pc.compose(model.density(background), parts)


def called(background: str, prompts: list[str]) -> str:
    asked = " AND ".join(f'"{prompt}"' for prompt in prompts)
    return asked if len(prompts) == 1 else f'{asked} over "{background}"'


def draw(model: Words, background: str, prompts: list[str]) -> torch.Tensor:
    """The first pictures (8, 3, 32, 32) of a row, uint8, by the ODE."""
    run = pc.reverse_diffusion(
        density(model, background, prompts),
        EACH,
        pc.sigma_grid(0.02, 40.0, 25),
        generator=torch.Generator().manual_seed(SEED),
        progress=False,
    )
    return (run.samples.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)


def under_way(checkpoint: Path) -> Words:
    """The network of words with the averaged weights of a training that is under way."""
    vocabulary = networks.Vocabulary(words.words())
    model = blank_words(vocabulary)
    found = load_file(checkpoint).items()
    average = {k.removeprefix("average."): v for k, v in found if k.startswith("average.")}
    model.load_state_dict(average, strict=False)
    return Words(model.eval().requires_grad_(False), vocabulary)


def keep(folder: Path, pictures: torch.Tensor, rows: list[str]) -> None:
    """Write the pictures, and what was asked for; labels of other pictures go."""
    folder.mkdir(exist_ok=True)
    file, labels = folder / "generated.safetensors", folder / "labels.json"
    by = {}
    if file.is_file() and labels.is_file():
        old = load_file(file)["pictures"]
        if old.shape == pictures.shape and int((old.int() - pictures.int()).abs().max()) <= 2:
            by = json.loads(labels.read_text(encoding="utf-8"))["by"]
    save_file({"pictures": pictures}, file)
    labels.write_text(json.dumps({"rows": rows, "by": by}, indent=1) + "\n", encoding="utf-8")


def draw_sheet(pictures: torch.Tensor, first: int, file: Path) -> None:
    """Eight in a row, each with its number above it."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(pictures) // 8, 8, figsize=(16, 2.25 * len(pictures) / 8))
    for index, (ax, picture) in enumerate(zip(axes.flat, pictures, strict=True), first):
        large = picture.repeat_interleave(SCALE, 1).repeat_interleave(SCALE, 2)
        ax.imshow(large.permute(1, 2, 0).numpy())
        ax.set_title(index, fontsize=9, pad=2)
        ax.axis("off")
    figure.subplots_adjust(0.005, 0.005, 0.995, 0.97, 0.03, 0.1)
    figure.savefig(file, dpi=140)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=LABELS)
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(max(1, options.threads))
    model = under_way(options.checkpoint) if options.checkpoint else networks.load_words()
    pictures = torch.cat([draw(model, *row) for row in ROWS])
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(SEED))
    pictures = pictures[order]
    rows = [called(*ROWS[index // EACH]) for index in order.tolist()]
    keep(options.folder, pictures, rows)
    if options.sheets:
        for first in range(0, len(pictures), ON_A_SHEET):
            part = pictures[first : first + ON_A_SHEET].reshape(-1, 3, 32, 32)
            draw_sheet(part, first, options.sheets / f"words-{first // ON_A_SHEET + 1}.png")


if __name__ == "__main__":
    main()
