"""Counts what the shipped networks of pictures draw, and writes it down for chapter 8.

    python tools/count_scenes.py --again [--pictures 25] [--file FILE]

Five parts. Places: for every row (networks and background; exact scores; rendered scenes) and every
number K of objects, pictures from four seeds, and the opacity that the counter sees at each place.
Fits: of nine objects, the opacity of the best match among rendered objects, which knows no network.
Scores: on the way down, how large the other concepts' deltas are where an object is to stand, and
more. Diagnosis: `pc.diagnose` of two objects. Colours: what two colours composed over the average
give. Takes half an hour on one core. A part that is in the file already is not done again, unless
`--again` says to begin from nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import projcomp as pc
import torch
from projcomp import networks, scenes
from projcomp.composition import interaction_of

ROWS = {
    "A": ("one", None),
    "A, clean": ("one-clean", None),
    "A, window": ("one-window", None),
    "A, window, clean": ("one-window-clean", None),
    "B": ("one", networks.AVERAGE),
    "B, window, clean": ("one-window-clean", networks.AVERAGE),
    "C": ("clutter", networks.AVERAGE),
    "A, second seed": ("one-2", None),
    "A, window, clean, second seed": ("one-window-clean-2", None),
}
EXACT = ("rendered", "A, exact", "C, exact")
"""Yardsticks: scenes that were rendered with K objects, and what exact scores draw (chapter 7)."""
FITTED = (*EXACT[:2], "A", "A, second seed", "A, clean", "A, window", "A, window, clean",
          "A, window, clean, second seed", "C")  # fmt: skip
COUNTS, SEEDS = (1, 2, 3, 4, 6, 9), (100, 200, 300, 400)
ORDER = [4, 0, 8, 2, 6, 1, 7, 3, 5]
"""Of the lattice, the places in the order in which they are asked for."""
LOOKED = (3.0, 1.0, 0.3)


def sample(density: pc.Density, n: int, seed: int, first: int | None = None, **options):
    """As the chapter draws: 23 Euler steps from sigma = 20 to .02, from a grey start.

    first: how many of the n to draw, all if None.
    """
    levels = pc.sigma_grid(0.02, 20.0, 24, rho=7)[:-1]
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, density.dim, generator=generator, dtype=torch.float64)
    noise = noise[:first]
    return pc.reverse_diffusion(
        density, len(noise), levels, "euler", start=0.5 + 20.0 * noise, progress=False, **options
    )


def pictures(row: str, count: int, n: int, seed: int, first: int | None = None) -> torch.Tensor:
    """(n, 3072) pictures of a row, from one seed; or the first of them."""
    if row == "rendered":
        places = scenes.lattice()[ORDER[:count]].expand(n, count, 2)
        generator = torch.Generator().manual_seed(seed + count)
        crowd = scenes.random_objects(places, generator=generator, place_jitter=0.05)
        return scenes.render(crowd).flatten(1).double()[:first]
    if row in EXACT:
        return sample(exact(row, count), n, seed + count, first).samples
    return sample(composition(row, count), n, seed + count, first).samples


@cache
def banks_of(n: int) -> tuple:
    return scenes.on_lattice(n)


def exact(row: str, count: int) -> pc.Density:
    """Chapter 7's composition of `count` concepts of 60 pictures each, with exact scores.

    "A, exact": over the empty floor. "C, exact": one to five objects on the lattice in every
    picture, over their average.
    """
    empty, banks = banks_of(60)
    if row == "A, exact":
        concepts = [pc.Empirical(banks[j]) for j in ORDER[:count]]
        return pc.compose(pc.Empirical(empty[None]), concepts)
    blocks = scenes.divided(banks, empty)
    parts = scenes.clutter_parts(banks, empty, blocks)
    chances = torch.stack([scenes.log_chances_of(9, named, most=5) for named in range(9)])
    members = [scenes.Presences(*parts, blocks, chances[j]) for j in ORDER[:count]]
    mean = torch.logsumexp(chances, 0) - math.log(9)
    return scenes.Presences(*parts, blocks, mean).composed_with(members)


def fitted(values: torch.Tensor) -> torch.Tensor:
    """(N, 9) opacities in the order of ORDER, by the rendered object that fits best.

    The coefficient of the best of 300 rendered objects at each place, by least squares on the
    change to the bare floor, over the pixels within .2 of the place.
    """
    empty, banks = banks_of(300)
    masks = scenes.patches(scenes.lattice(), 0.2)
    near = [torch.where(mask, bank, empty) for mask, bank in zip(masks, banks, strict=True)]
    return scenes.opacities(values.double(), near, empty).opacity[:, ORDER]


@cache
def model_of(name: str) -> networks.Preconditioned:
    return networks.load_picture_model(name)


def composition(row: str, count: int) -> pc.Composition:
    name, over = ROWS[row]
    spots = scenes.image_position(scenes.lattice()[ORDER[:count]])
    return networks.composed_places(model_of(name), spots, over)


def places(row: str, count: int, n: int) -> dict:
    opacity, elsewhere = [], []
    for seed in SEEDS:
        seen = scenes.count(pictures(row, count, n, seed))
        opacity += seen.at(scenes.lattice())[:, ORDER[:count]].tolist()
        elsewhere += seen.elsewhere(scenes.lattice()[ORDER[:count]]).tolist()
    opacity = [[round(value, 3) for value in row] for row in opacity]
    return {"opacity": opacity, "elsewhere": elsewhere}


def fits(row: str, n: int) -> list:
    opacity = torch.cat([fitted(pictures(row, 9, n, seed)) for seed in SEEDS])
    return [[round(value, 3) for value in row] for row in opacity.tolist()]


def scores(row: str, count: int, n: int) -> dict:
    """On the way down, at three noise levels, from scores alone.

    strangers: at each place asked for, |sum of the others' deltas| over |its own|, root mean
    square. cosine: root mean square over pairs of concepts of the cosine between deltas at one
    point, weighted by their lengths. spread: standard deviation of sigma^2 I.
    """
    density = composition(row, count)
    run = sample(density, n, SEEDS[0] + count, keep_path=True)
    masks = scenes.patches(scenes.lattice()[ORDER[:count]])
    found = {}
    for wanted in LOOKED:
        level = int((run.sigmas - wanted).abs().argmin())
        sigma = float(run.sigmas[level])
        deltas = sigma * density.deltas(run.path[level], sigma)
        others = deltas.sum(0) - deltas
        strangers = [
            float((o[:, m].square().sum() / d[:, m].square().sum()).sqrt())
            for o, d, m in zip(others, deltas, masks, strict=True)
        ]
        products = torch.einsum("ibn,jbn->ijb", deltas, deltas)
        squares = torch.diagonal(products).T
        dots = products.square().mean(-1).sum() - squares.square().mean(-1).sum()
        lengths = (squares[:, None] * squares[None]).mean(-1).sum()
        lengths = lengths - squares.square().mean(-1).sum()
        found[str(wanted)] = {
            "strangers": [round(value, 4) for value in strangers],
            "cosine": round(float((dots / lengths).sqrt()), 4),
            "spread": round(float(interaction_of(deltas, density.weights).std()), 4),
        }
    return found


def diagnosis(row: str, n: int = 200) -> dict:
    """`pc.diagnose` of two objects. The networks' own samples are rendered pictures.

    Each block is all pixels that an object at its place can change. Half a nat of the 70 to 90 by
    which an object changes a picture counts as none.
    """
    name, over = ROWS[row]
    clutter = name == "clutter"
    places = scenes.lattice()[ORDER[:2]]

    def rendered(index):
        """600 pictures of a concept, or of the background where `index` is None."""
        generator = torch.Generator().manual_seed(70 if index is None else index)
        if index is None:
            if over is None:
                return scenes.empty_picture().flatten().expand(600, -1)
            make = scenes.one_to_many if clutter else scenes.one_object
            return make(600, generator=generator).values / 255.0
        if not clutter:
            where = places[index].expand(600, 1, 2)
            return scenes.render(scenes.random_objects(where, generator=generator)).flatten(1)
        objects, _ = scenes.free_clutter(600, 5, reach=1.55, generator=generator)
        where = objects.place.clone()
        where[:, 0] = places[index]
        return scenes.render(replace(objects, place=where)).flatten(1)

    labels = (over, *scenes.image_position(places))
    parts = [
        networks.Denoiser(model_of(name), label, rendered(index))
        for label, index in zip(labels, (None, 0, 1), strict=True)
    ]
    masks = scenes.patches(places, 0.5)
    rest = (~masks.any(0)).nonzero()[:, 0].tolist()
    report = pc.diagnose(
        parts[0], parts[1:], [rest, *(mask.nonzero()[:, 0].tolist() for mask in masks)],
        sigmas=(10.0, 3.0, 1.0, 0.3, 0.1), samples=n, nats=0.5,
        generator=torch.Generator().manual_seed(5),
    )  # fmt: skip
    exchanges = [concept.exchange for concept in report.concepts]
    return {
        "kind": report.verdict.kind,
        "title": report.verdict.title,
        "defect": [[round(e.defect.value, 3), round(e.defect.error, 3)] for e in exchanges],
        "claimed": [round(e.claimed.value, 3) for e in exchanges],
        "explained": [round(report.explained.value, 3), round(report.explained.error, 3)],
        "leak": [round(c.leak.off_block.value, 4) for c in report.concepts],
        "cosine": round(float(report.path.same_point[0, 1]), 4),
        "share": round(report.path.share, 4),
        "spread": {str(level.sigma): round(level.interaction.value, 4)
                   for level in report.path.levels if level.interaction},
    }  # fmt: skip


def colours(n: int) -> dict:
    """Mean colour of the one object, for the average, each colour, and each pair over the average.

    Each entry: in how many of n pictures there is exactly one object, and the colours of those.
    """
    pairs = map("+".join, itertools.combinations(scenes.COLOURS, 2))
    found = {}
    for entry in ("average", *scenes.COLOURS, *pairs):
        found[entry] = coloured(entry, n)
        print(entry, flush=True)
    return found


def coloured(entry: str, n: int) -> dict:
    """One entry: "average", a colour, or two with a plus between."""
    model = model_of("colour")
    names = [] if entry == "average" else entry.split("+")
    asked = [networks.Denoiser(model, 1 + list(scenes.COLOURS).index(name)) for name in names]
    over = networks.Denoiser(model, networks.AVERAGE)
    density = asked[0] if len(asked) == 1 else pc.compose(over, asked) if asked else over
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
    parser.add_argument("--again", action="store_true", help="do all parts, whatever the file has")
    options = parser.parse_args()
    if options.pictures < 1:
        parser.error(f"--pictures must be at least 1, got {options.pictures}")
    try:
        networks.writable(options.file)
        begun = options.file.is_file() and not options.again
        found = json.loads(options.file.read_text()) if begun else {}
    except (ValueError, OSError) as error:
        sys.exit(f"count_scenes: {error}")

    def keep(key, make):
        if key not in found:
            found[key] = make()
            text = json.dumps(found, indent=0, separators=(",", ":"))
            options.file.write_text(text.replace(",\n", ",") + "\n")

    for row, count in itertools.product((*EXACT, *ROWS), COUNTS):
        keep(f"places/{row}/{count}", lambda r=row, c=count: places(r, c, options.pictures))
        opacity = torch.tensor(found[f"places/{row}/{count}"]["opacity"])
        right = int(scenes.solid(opacity, whole=scenes.WHOLE).all(1).sum())
        print(f"{row}, {count}: all solid in {right} of {len(opacity)}", flush=True)
        if count > 1 and row in ROWS:
            keep(f"scores/{row}/{count}", lambda r=row, c=count: scores(r, c, 10))
    for row in FITTED:
        keep(f"fits/{row}", lambda r=row: fits(r, options.pictures))
    for row in ("A", "B", "C"):
        keep(f"diagnosis/{row}", lambda r=row: diagnosis(r))
        print(f"{row}, two objects: {found[f'diagnosis/{row}']['title']}", flush=True)
    keep("colours", lambda: colours(2 * options.pictures))


if __name__ == "__main__":
    main()
