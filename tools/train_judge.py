"""Trains the judge that comes with the library, and says how often it is right.

    python tools/train_judge.py [--steps 2600] [--threads 1]

Takes a quarter of an hour on one core. A run that was interrupted goes on from its checkpoint.
How often the judge is right goes into judge.json beside the weights.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cards
import torch
from projcomp import networks, scenes, words
from projcomp.words.judging import WEIGHTS
from projcomp.words.labelling import confusion, given
from projcomp.words.seen import FACTS, FAINT
from projcomp.words.styles import drawn_as, on_floor
from projcomp.words.world import PLACES, UNSEEN, crowded, visible
from torch.nn.functional import cross_entropy, interpolate
from train_counter import blurred

SEED, SINGLES, TOGETHER = 1, 3_000, 4_000
RECIPE = {"batch": 64, "rate": 2e-3, "average": 0.998}
RATE, SOLID, GRAIN = 0.45, 0.5, 0.05
"""Chances that a place holds something, and that this is solid; the strongest noise."""
NAMES = list(words.ATTRIBUTES)
PLAIN = NAMES.index("floor")  # from here on what is the picture's


def random_facts(n: int, generator: torch.Generator) -> torch.Tensor:
    """Facts (n, 4, 8) of four objects, one at each place, on a floor, in a style."""
    each = [torch.randint(len(v), (n, 4), generator=generator) for v in words.ATTRIBUTES.values()]
    facts = torch.stack(each, -1)
    for index, place in enumerate(PLACES):
        for name in ("across", "depth"):
            value = next(i for i, v in enumerate(words.ATTRIBUTES[name]) if v in place)
            facts[:, index, NAMES.index(name)] = value
    facts[..., PLAIN:] = facts[:, :1, PLAIN:]
    return facts


def undrawn(facts: torch.Tensor) -> torch.Tensor:
    """Facts by day on the grey floor, which filters leave as they are."""
    facts = facts.clone()
    facts[..., PLAIN:] = 0
    return facts


class Bank:
    """Renders without floor and style: objects alone, place by place, and several together."""

    def __init__(
        self, generator: torch.Generator, singles: int = SINGLES, together: int = TOGETHER
    ):
        alone = random_facts(singles, generator)
        one, plain = torch.ones(singles, 1, dtype=torch.bool), undrawn(alone)
        self.alone = alone  # (S, 4, 8)
        drawn = [crowded(plain[:, i, None], one, generator) for i in range(4)]
        self.pictures = torch.stack(drawn, 1)  # (S, 4, 3, 32, 32)
        self.floor = crowded(plain[:1, :1], one[:1] & False, generator)
        self.facts = random_facts(together, generator)
        self.there = scenes.cluttered(together, 4, rate=RATE, generator=generator)
        self.scenes = crowded(undrawn(self.facts), self.there, generator)

    def solid(self, n: int, generator: torch.Generator):
        """Scenes of solid objects that hide one another: pictures, facts, opacity (n, 4)."""
        rows = torch.randint(len(self.scenes), (n,), generator=generator)
        facts = self.facts[rows]
        facts[..., PLAIN:] = random_facts(n, generator)[..., PLAIN:]
        return drawn(self.scenes[rows], facts), facts, self.there[rows].float()

    def pale(self, n: int, generator: torch.Generator):
        """Objects of all opacities, whose changes of the floor are added.

        In one half before the picture gets its style, in the other after.
        """
        rows = torch.randint(len(self.pictures), (n, 4), generator=generator)
        facts = self.alone[rows, torch.arange(4)]
        facts[..., PLAIN:] = random_facts(n, generator)[..., PLAIN:]
        there = scenes.cluttered(n, 4, rate=RATE, generator=generator)
        whole = torch.rand(n, 4, generator=generator) < SOLID
        opacity = 1.2 * torch.rand(n, 4, generator=generator)
        opacity = torch.where(whole, 1.0, opacity) * there
        objects, half = self.pictures[rows, torch.arange(4)], n // 2
        before = added(objects[:half], self.floor, opacity[:half])
        floor = drawn(self.floor.expand(n - half, -1, -1, -1), facts[half:])
        after = drawn(objects[half:].flatten(0, 1), facts[half:].flatten(0, 1))
        after = added(after.unflatten(0, (n - half, 4)), floor, opacity[half:])
        pictures = torch.cat([drawn(before.clamp(0.0, 1.0), facts[:half]), after])
        return pictures, facts, opacity

    def draw(self, n: int, generator: torch.Generator):
        """A batch: pictures, facts (n, 4, 8) with what cannot be seen left out, opacity (n, 4)."""
        parts = [self.solid(n // 2, generator), self.pale(n - n // 2, generator)]
        pictures, facts, opacity = (torch.cat(column) for column in zip(*parts, strict=True))
        seen = visible(facts, opacity >= FAINT)
        return smudged(pictures, generator), seen, opacity


def smudged(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Pictures as a network may draw them: too soft or too sharp, with grain and stains."""
    n, _, side, _ = pictures.shape
    soft = blurred(pictures, torch.full((n,), 0.8))
    how_soft = 1.5 * torch.rand(n, 1, 1, 1, generator=generator) - 0.5
    pictures = pictures + how_soft * (soft - pictures)
    strength = GRAIN * torch.rand(n, 1, 1, 1, generator=generator).square()
    for size in (1, 2, 4):
        noise = torch.randn(n, 3, side // size, side // size, generator=generator)
        pictures = pictures + strength * interpolate(noise, size=(side, side), mode="bilinear")
    return pictures


def drawn(pictures: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
    """Plain pictures on the floor and in the style of their facts, (n, 8) or (n, 4, 8)."""
    floor, style = (facts.reshape(len(facts), -1)[:, PLAIN:8]).T
    return drawn_as(on_floor(pictures, floor), style)


def added(objects: torch.Tensor, floor: torch.Tensor, opacity: torch.Tensor) -> torch.Tensor:
    """The floor and what objects (n, 4, 3, 32, 32) of these opacities (n, 4) change of it."""
    return floor + (opacity[..., None, None, None] * (objects - floor[:, None])).sum(1)


def loss(model, pictures, facts, opacity):
    """Of every picture: of opacities, and of all attributes that can be seen."""
    places, whole = model(pictures)
    total = 5.0 * (places[..., 0] - opacity).square().sum(1)
    sizes = [len(words.ATTRIBUTES[name]) for name in FACTS]
    scores = [*places[..., 1:].split(sizes[:4], -1), *whole.split(sizes[4:], -1)]
    for name, score in zip(FACTS, scores, strict=True):
        wanted = facts[..., NAMES.index(name)]
        wanted = wanted if score.ndim == 3 else wanted[:, 0]
        each = cross_entropy(score.movedim(-1, 1), wanted, ignore_index=UNSEEN, reduction="none")
        total = total + each.reshape(len(each), -1).sum(1)
    return total


def measured(model, generator: torch.Generator, n: int = 4_000) -> dict:
    """Confusion matrices on n fresh renders of one object, and on n / 4 of up to four.

    By style, as `labelling.confusion` has them: what is (rows) and what the judge saw (columns).
    Among them are purple cylinders, which the world never shows.
    """
    one = torch.nn.functional.one_hot(torch.randint(4, (n,), generator=generator), 4).bool()
    some = scenes.cluttered(n // 4, 4, rate=RATE, generator=generator)
    found = {}
    for kind, there in (("one", one), ("up to four", some)):
        facts = random_facts(len(there), generator)
        seen = words.judge(crowded(facts, there, generator), model)
        true = given(visible(facts, there), there.float())
        style = facts[:, 0, NAMES.index("style")]
        found[kind] = {
            name: confusion(true[style == index], seen[style == index])
            for index, name in enumerate(words.STYLES)
        }
    return found


def table_of(tables: dict) -> str:
    """The share of right answers: a row for each attribute, a column for each style."""
    names = ("place", *FACTS)
    rows = ["".join(f"{kind:>10}" for kind in ("", *tables, "all"))]
    for name in names:
        each = [tables[kind][name] for kind in tables]
        shares = [float(m.trace() / m.sum()) for m in (*each, sum(each))]  # NaN: it is hidden
        rows.append(f"{name:>10}" + "".join(f"{share:10.4f}" for share in shares))
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=2_600)
    parser.add_argument("--file", type=Path, default=WEIGHTS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measure", action="store_true", help="only measure the one in the file")
    options = parser.parse_args()
    torch.set_num_threads(max(1, options.threads))
    checkpoint = options.file.with_suffix(".checkpoint")
    card = options.file.with_suffix(".json")
    try:
        networks.writable(checkpoint)
        if options.measure:
            model = networks.load_network(words.Judge(), options.file)
            about = json.loads(card.read_text(encoding="utf-8")) if card.is_file() else {}
        else:
            model, about = trained(options.steps, checkpoint)
            networks.save_network(model, options.file)
            checkpoint.unlink()
    except ValueError as error:
        sys.exit(f"train_judge: {error}")
    found = measured(model, torch.Generator().manual_seed(SEED + 1))
    for kind, tables in found.items():
        print(f"objects: {kind}\n{table_of(tables)}")
        about[kind] = {
            style: {name: matrix.tolist() for name, matrix in table.items()}
            for style, table in tables.items()
        }
    card.write_text(json.dumps(about) + "\n", encoding="utf-8")


def trained(steps: int, checkpoint: Path, singles: int = SINGLES, together: int = TOGETHER):
    """The judge after training, and what its card says of the run."""
    generator = torch.Generator().manual_seed(SEED)
    bank = Bank(generator, singles, together)
    run = networks.fit(
        words.Judge(torch.Generator().manual_seed(SEED)).to(memory_format=torch.channels_last),
        lambda generator: bank.draw(RECIPE["batch"], generator),
        loss,
        networks.Recipe(steps, checkpoint=checkpoint, progress=True, **RECIPE),
        about={"singles": singles, "together": together},
        generator=generator,
    )
    curve = cards.of_losses(run.losses, 10, 3)["curve"]
    return run.model, {"steps": steps, "batch": RECIPE["batch"], "curve": curve}


if __name__ == "__main__":
    main()
