"""Counts what the shipped networks of emoji draw, beside exact scores, and writes it down.

    python tools/count_learned_emoji.py --again [--file FILE]

Three parts. Cells: for one seen cell and the held-out one of every content, and every way of
sampling, how many samples are nearest to the wanted picture, of all 384. Twins are compositions
with exact scores: "all" knows every picture, as if a network had understood the table; "seen" knows
the training pictures, as if it had learned them by heart. Errors: how far the networks are from the
second on training pictures. Between: how far from either on held-out ones. Takes half an hour on
one core. A part that is in the file already is not done again, unless `--again` says to begin from
nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from functools import cache
from pathlib import Path

import projcomp as pc
import torch
from projcomp import networks
from projcomp.emoji import Table, learned
from torch import Tensor

TWINS = ("all", "seen")
SOURCES = (*(f"exact, {twin}" for twin in TWINS), *learned.SEEDS)
KINDS = ("seen", "held out")
WAYS = {
    "ODE": ("euler", 1.0, 8),
    "SDE": ("sde", 1.0, 8),
    "SDE, weight 2": ("sde", 2.0, 8),
    "SDE, weight 3": ("sde", 3.0, 8),
    "SMC, 8 particles": ("smc", 1.0, 8),
    "SMC, 32 particles": ("smc", 1.0, 32),
}
"""Sampler, weight of both concepts, and samples."""
FROM, TO, STEPS = 30.0, 0.03, 40
LEVELS = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 16.0)
TOLD = {"nothing": 192, "content": 4, "style": 24}
"""Noised pictures for each label of a kind: 192 of every kind."""


@cache
def taught(name: str) -> learned.Learned:
    return learned.load_learned(name)


@cache
def tables() -> dict[str, Table]:
    """What the twins know: all pictures, and the training pictures."""
    table = learned.part()
    return {"all": table, "seen": table.without(learned.held_out(table))}


def density(source: str, content: str | None = None, style: str | None = None) -> pc.Density:
    """What a network or a twin knows of a content, of a style, or of everything."""
    if source in learned.SEEDS:
        return taught(source).density(content, style)
    return tables()[source.removeprefix("exact, ")].density(content, style)


def composition(source: str, content: str, style: str, weight: float = 1.0) -> pc.Composition:
    concepts = [density(source, content), density(source, style=style)]
    return pc.compose(density(source), concepts, [weight, weight])


def cells(kind: str) -> list[tuple[str, str]]:
    """Of every content the held-out style, or one of the seen ones, which a generator drew."""
    table = tables()["all"]
    if kind == "held out":
        return learned.held_out(table)
    generator = torch.Generator().manual_seed(1)
    later = torch.randint(1, learned.STYLES, (learned.CONTENTS,), generator=generator)
    places = (torch.arange(learned.CONTENTS) + later) % learned.STYLES
    return [(c, table.styles[s]) for c, s in zip(table.contents, places.tolist(), strict=True)]


def drawn(source: str, content: str, style: str, way: str) -> tuple[Tensor, Tensor]:
    """Samples (N, n) and their weights (N,). All ways start from the same noise, cell by cell."""
    method, weight, n = WAYS[way]
    composed = composition(source, content, style, weight)
    (row,) = tables()["all"].rows(content, style).tolist()
    generator = torch.Generator().manual_seed(row)
    noise = torch.randn(n, composed.dim, generator=generator, dtype=torch.float64)
    start = learned.CENTRE + FROM * noise
    levels = pc.sigma_grid(TO, FROM, STEPS + 1, rho=7)[:-1]
    options = {"generator": generator, "start": start, "progress": False}
    if method != "smc":
        run = pc.reverse_diffusion(composed, n, levels, method, **options)
        return run.samples, torch.full((n,), 1.0 / n, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "all .* particles descend from one")
        run = pc.smc(composed, n, levels, moves=0, **options)
    return run.samples, run.log_weights.exp()


def outcome(source: str, content: str, style: str, way: str) -> list[float]:
    """Shares of samples whose nearest picture is the wanted one, has the content, and the style;
    and their mean distance to that nearest picture."""
    samples, weights = drawn(source, content, style, way)
    table = tables()["all"]
    samples = samples.reshape(-1, *table.shape)
    place, across = table.nearest(samples)
    content_right = place == table.contents.index(content)
    style_right = across == table.styles.index(style)
    distance = (samples - table.pictures[place, across]).flatten(1).norm(dim=1)
    rows = content_right & style_right, content_right, style_right, distance
    return [round(float(weights @ row.double()), 4) for row in rows]


def labels(kind: str) -> list[dict[str, str]]:
    """All that is told of a kind, as arguments of `density`."""
    if kind == "nothing":
        return [{}]
    table = tables()["all"]
    return [{kind: name} for name in (table.contents if kind == "content" else table.styles)]


def noised(clean: Tensor, n: int, sigma: float, seed: int) -> tuple[Tensor, Tensor]:
    """n of the pictures, (n, dim), drawn with replacement; and with noise."""
    generator = torch.Generator().manual_seed(seed)
    chosen = clean[torch.randint(len(clean), (n,), generator=generator)]
    noise = torch.randn(chosen.shape, generator=generator, dtype=torch.float64)
    return chosen, chosen + sigma * noise


def score_error(name: str, kind: str, sigma: float) -> list[float]:
    """Over noised training pictures of each label: sigma^2 E |learned score - score|^2, and its
    standard error over them. In the same unit what nobody can know, E |D - x_0|^2 / sigma^2 with D
    the exact posterior mean; and how far D is from that of all pictures: what the label says."""
    gaps, unknown, said = [], [], []
    table = tables()["seen"]
    for index, told in enumerate(labels(kind)):
        bank = table.pictures.flatten(2).flatten(0, 1)[table.rows(**told)]
        clean, x = noised(bank, TOLD[kind], sigma, index)
        known = density("exact, seen", **told).denoise(x, sigma)
        others = density(name, **told).denoise(x, sigma), clean, table.density().denoise(x, sigma)
        far = [(known - other).square().sum(1) / sigma**2 for other in others]
        for found, value in zip((gaps, unknown, said), far, strict=True):
            found.append(value)
    gap = torch.cat(gaps)
    rest = torch.cat(unknown).mean(), torch.cat(said).mean()
    return short(gap.mean(), gap.std() / len(gap) ** 0.5, *rest)


def between(name: str, kind: str, sigma: float) -> list[float]:
    """At noised held-out pictures, told their content or their style: squared distances of the
    denoised mean to that of the twin that has not seen them, of the twin that has, and between
    these two, over sigma^2."""
    found = []
    for index, (content, style) in enumerate(cells("held out")):
        told = {"content": content} if kind == "content" else {"style": style}
        clean = tables()["all"].cell(content, style).reshape(1, -1)
        _, x = noised(clean, 4, sigma, index)
        guess, seen, every = (
            density(source, **told).denoise(x, sigma)
            for source in (name, "exact, seen", "exact, all")
        )
        pairs = (guess, seen), (guess, every), (seen, every)
        found.append(torch.stack([(a - b).square().sum(1).mean() for a, b in pairs]) / sigma**2)
    return short(*torch.stack(found).mean(0))


def short(*values) -> list[float]:
    return [float(f"{float(value):.4g}") for value in values]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file", type=Path, default=learned.COUNTS)
    parser.add_argument("--again", action="store_true", help="do all parts, whatever the file has")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        networks.writable(options.file)
        begun = options.file.is_file() and not options.again
        found = json.loads(options.file.read_text(encoding="utf-8")) if begun else {}
    except (ValueError, OSError) as error:
        sys.exit(f"count_learned_emoji: {error}")

    def keep(key, make):
        if key not in found:
            found[key] = make()
            lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items())
            text = "{\n" + ",\n".join(lines) + "\n}\n"
            options.file.write_text(text, encoding="utf-8")
        return found[key]

    for source in SOURCES:
        for kind in KINDS:
            for way in WAYS:
                key = f"cells/{source}/{kind}/{way}"
                rows = keep(key, lambda s=source, k=kind, w=way: [
                    outcome(s, *cell, w) for cell in cells(k)
                ])  # fmt: skip
                means = torch.tensor(rows, dtype=torch.float64).mean(0).tolist()
                print(f"{source}, {kind}, {way}: {' '.join(f'{m:.2f}' for m in means)}", flush=True)
    for name in learned.SEEDS:
        for sigma in LEVELS:
            for kind in TOLD:
                key = f"errors/{name}/{kind}/{sigma:g}"
                keep(key, lambda n=name, k=kind, s=sigma: score_error(n, k, s))
            for kind in ("content", "style"):
                key = f"between/{name}/{kind}/{sigma:g}"
                keep(key, lambda n=name, k=kind, s=sigma: between(n, k, s))


if __name__ == "__main__":
    main()
