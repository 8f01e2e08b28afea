"""Counts what the shipped networks of pictures draw, and writes it down for chapter 6.

    python tools/count_scenes.py [--pictures 25] [--file lib/projcomp/networks/weights/counts.json]

Three parts. Places: for every row (networks and background) and every number K of objects, pictures
from four seeds, and the opacity that the counter sees at each place. Scores: on the way down, how
large the other concepts' deltas are where an object is to stand, beside its own. Colours: what two
colours composed over the average give. Takes about ten minutes on two cores; a part that is in the
file already is not done again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from functools import cache
from pathlib import Path

import projcomp as pc
import torch
from projcomp import networks, scenes

ROWS = {
    "A": ("one", None),
    "A, clean": ("one-clean", None),
    "A, window": ("one-window", None),
    "A, window, clean": ("one-window-clean", None),
    "B": ("one", networks.AVERAGE),
    "B, window, clean": ("one-window-clean", networks.AVERAGE),
    "C": ("clutter", networks.AVERAGE),
}
COUNTS, SEEDS = (1, 2, 3, 4, 6, 9), (100, 200, 300, 400)
ORDER = [4, 0, 8, 2, 6, 1, 7, 3, 5]
"""Of the lattice, the places in the order in which they are asked for."""
LOOKED = (3.0, 1.0, 0.3)


def sample(density: pc.Density, n: int, seed: int, **options):
    """As the chapter draws: 23 Euler steps from sigma = 20 to .02, from a grey start."""
    levels = pc.sigma_grid(0.02, 20.0, 24)[:-1]
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, density.dim, generator=generator, dtype=torch.float64)
    return pc.reverse_diffusion(
        density, n, levels, "euler", start=0.5 + 20.0 * noise, progress=False, **options
    )


@cache
def model_of(name: str) -> networks.Preconditioned:
    return networks.load_picture_model(name)


def composition(name: str, count: int, over) -> pc.Composition:
    spots = scenes.image_position(scenes.lattice()[ORDER[:count]])
    return networks.composed_places(model_of(name), spots, over)


def places(row: str, count: int, n: int) -> dict:
    name, over = ROWS[row]
    density = composition(name, count, over)
    opacity, elsewhere = [], []
    for seed in SEEDS:
        seen = scenes.count(sample(density, n, seed + count).samples)
        wanted = seen.at(scenes.lattice())[:, ORDER[:count]]
        opacity += wanted.round(decimals=3).tolist()
        elsewhere += seen.elsewhere(scenes.lattice()[ORDER[:count]]).tolist()
    opacity = [[round(value, 3) for value in row] for row in opacity]
    return {"opacity": opacity, "elsewhere": elsewhere}


def scores(row: str, count: int, n: int) -> dict:
    """At each place asked for, |sum of the others' deltas| over |its own|, root mean square."""
    name, over = ROWS[row]
    density = composition(name, count, over)
    run = sample(density, n, SEEDS[0] + count, keep_path=True)
    return {
        str(sigma): [round(float(value), 4) for value in strangers(density, run, sigma, count)]
        for sigma in LOOKED
    }


def strangers(density: pc.Composition, run, sigma: float, count: int):
    level = int((run.sigmas - sigma).abs().argmin())
    deltas = density.deltas(run.path[level], float(run.sigmas[level]))
    masks = scenes.patches(scenes.lattice()[ORDER[:count]])
    others = deltas.sum(0) - deltas
    for j, mask in enumerate(masks):
        yield (others[j][:, mask].square().sum() / deltas[j][:, mask].square().sum()).sqrt()


def colours(n: int) -> dict:
    """Mean colour of the one object, for the average, each colour, and each pair over the average.

    Each entry: in how many of n pictures there is exactly one object, and the colours of those.
    """
    model = networks.load_picture_model("colour")
    over = networks.Denoiser(model, networks.AVERAGE)
    single = [networks.Denoiser(model, 1 + i) for i in range(len(scenes.COLOURS))]
    names = list(scenes.COLOURS)
    found = {
        "average": coloured(over, n),
        **{c: coloured(p, n) for c, p in zip(names, single, strict=True)},
    }
    for i, j in itertools.combinations(range(len(names)), 2):
        pair = pc.compose(over, [single[i], single[j]])
        found[f"{names[i]}+{names[j]}"] = coloured(pair, n)
        print(f"{names[i]} and {names[j]}", flush=True)
    return found


def coloured(density: pc.Density, n: int) -> dict:
    pictures = sample(density, n, SEEDS[0]).samples.reshape(-1, 3, 32, 32)
    seen = scenes.count(pictures)
    alone = (seen.counts(0.2) == 1)[seen.picture]
    values = [
        scenes.colour_at(pictures[p], place)
        for p, place in zip(seen.picture[alone], seen.place[alone], strict=True)
    ]
    return {"n": n, "colours": [[round(float(v), 3) for v in value] for value in values]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=25, help="for each of four seeds")
    parser.add_argument("--file", type=Path, default=networks.COUNTS)
    options = parser.parse_args()
    if options.pictures < 1:
        parser.error(f"--pictures must be at least 1, got {options.pictures}")
    try:
        networks.writable(options.file)
        found = json.loads(options.file.read_text()) if options.file.is_file() else {}
    except (ValueError, OSError) as error:
        sys.exit(f"count_scenes: {error}")

    def keep(key, make):
        if key not in found:
            found[key] = make()
            text = json.dumps(found, indent=0, separators=(",", ":"))
            options.file.write_text(text.replace(",\n", ",") + "\n")

    for row, count in itertools.product(ROWS, COUNTS):
        keep(f"places/{row}/{count}", lambda r=row, c=count: places(r, c, options.pictures))
        if count > 1:
            keep(f"scores/{row}/{count}", lambda r=row, c=count: scores(r, c, 10))
        opacity = torch.tensor(found[f"places/{row}/{count}"]["opacity"])
        solid = int((opacity >= scenes.SOLID).all(1).sum())
        print(f"{row}, {count}: all solid in {solid} of {len(opacity)}", flush=True)
    keep("colours", lambda: colours(2 * options.pictures))


if __name__ == "__main__":
    main()
