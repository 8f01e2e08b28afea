"""Counts what the exact scores of the table of pictures draw, and writes it down for the chapter.

    python tools/count_emoji.py [--again] [--only PART ...] [--file FILE] [--workers N]

Eight parts. Cells: of random cells (content x style) the share of particles that are the wanted
picture, by the ODE, the SDE, guidance and interaction weights. Steps: more of them, and moves of a
corrector. Size: of the table and of its pictures. Law: of tables at right angles. Guidance:
category x style, how many right and how varied. Repair: particles with weights, their number and
kind. Forecasts: 300 prompts of six kinds against the forecasts of chapter 13. Both: two contents
at once. All are the first draws of generators that their names seed. It takes 50 minutes on one
core. What is in the file already is not done again, unless `--again` says to begin from nothing.
"""

from __future__ import annotations

from functools import partial

import emoji_forecasts as foretelling
import emoji_prompts as prompts
import emoji_tallies as tallies
import projcomp as pc
import torch
from counting import Job, Jobs, chosen, main
from projcomp import emoji

WAYS = {
    "ode": ("ode", 1.0, 40), "sde": ("sde", 1.0, 40), "smc 32": ("smc", 1.0, 32),
    "sde 3": ("sde", 3.0, 40), "sde 2": ("sde", 2.0, 16), "sde 5": ("sde", 5.0, 16),
    "smc 8": ("smc", 1.0, 8), "ode 3": ("ode", 3.0, 16),
}  # fmt: skip
"""Method, weight of the concepts, particles."""
SETTINGS = {"16": (200, 16, 150), "32": (40, 32, 150), "all": (24, 16, 0)}
"""How many cells, pixels, and contents of the table (0: all)."""
FEWER = ("ode", "sde", "smc 32")
LADDER = (20, 40, 80, 160, 320, 640)
MOVES = {"mala 1": 1, "mala 3": 3}
STYLES, CONTENTS = (2, 4, 8), (10, 30, 100, 300, 0)
GUIDED = (1, 2, 3, 5, 8)
REPAIRS = {
    "16": {"n": 16}, "64": {"n": 64}, "256": {"n": 256},
    "64, half weights": {"n": 64, "power": 0.5},
    "64, resampled late": {"n": 64, "threshold": 0.1},
    "64, resampled early": {"n": 64, "threshold": 0.9},
    "64, moves": {"n": 64, "moves": 1},
    "1024": {"n": 1024},
}  # fmt: skip


def one_cell(table, method, n, weight, row, generator, sigmas=None, **options) -> list[float]:
    prompt = prompts.cell(table, row, weight)
    run, weights = prompts.draw(prompt.density, method, n, generator, sigmas, **options)
    return tallies.shares(table, row, prompt.read(run.samples), weights)


def fewer(way: str) -> tuple[str, float, int]:
    """One of `WAYS`, with 16 particles unless these carry weights."""
    method, weight, n = WAYS[way]
    return method, weight, n if method == "smc" else 16


def cells(setting: str, way: str) -> Job:
    count, *size = SETTINGS[setting]
    table = prompts.standard(*size)
    method, weight, n = WAYS[way] if setting == "16" else fewer(way)
    items = chosen(len(table.bank), "cells", setting)[:count]
    return Job(tallies.SHARES, items, partial(one_cell, table, method, n, weight))


def steps(way: str, count: int) -> Job:
    table = prompts.standard()
    options = {"moves": MOVES[way], "burn_in": 1} if way in MOVES else {}
    items = chosen(len(table.bank), "steps")[:16]

    method, weight = WAYS.get(way, ("mala" if way in MOVES else way, 1.0))[:2]

    def trial(row, generator):
        return one_cell(table, method, 8, weight, row, generator, prompts.grid(count), **options)

    return Job(tallies.SHARES, items, trial)


def size(pixels: int, styles: int, contents: int, way: str) -> Job:
    table, (method, weight, n) = prompts.standard(pixels, contents, styles), fewer(way)
    items = chosen(len(table.bank), "size", pixels, styles, contents)[:16]
    return Job(tallies.SHARES, items, partial(one_cell, table, method, n, weight))


def law(styles: int, contents: int, way: str) -> Job:
    """A table at right angles with the shares and the spread of one of pictures.

    Its cells are all alike, so the items are families of particles.
    """
    pictures, (method, weight, n) = prompts.standard(16, contents, styles), fewer(way)
    points = pictures.bank.points
    radius = float((points - points.mean(0)).square().sum(1).mean().sqrt())
    table = emoji.orthogonal(contents, styles, emoji.shares(pictures), radius)

    def trial(_, generator):
        return one_cell(table, method, n, weight, 0, generator)

    return Job(tallies.SHARES, list(range(8)), trial)


def guidance(way: str, n: int = 128) -> Job:
    """way: "exact", "ode", or the weight of the SDE."""
    table = prompts.standard()

    def trial(index, generator):
        prompt = prompts.group(table, index)
        even = torch.full((n,), 1.0 / n, dtype=torch.float64, device="cpu")
        if way == "exact":
            rows = torch.multinomial(prompt.target, n, True, generator=generator)
        else:
            asked = prompt if way == "ode" else prompt.weighted(float(way))
            run, _ = prompts.draw(asked.density, "ode" if way == "ode" else "sde", n, generator)
            rows = prompt.read(run.samples)
        evaluations = float(n * (way != "exact") * prompts.STEPS)
        share, *rest = tallies.variety(prompt, rows, even, float(n), evaluations, generator)
        parts = tallies.in_group(table, index, rows, even)
        return [share, *parts, *rest, tallies.lost(table, prompt, rows)]

    return Job((*tallies.VARIETY, "correlation with distance"), groups("guidance", 12), trial)


def groups(part: str, count: int) -> list[int]:
    table = prompts.standard()
    return chosen(len(set(table.categories)) * len(table.styles), part)[:count]


class Powered(pc.Composition):
    """A composition whose particles get the interaction's weights to a power."""

    power = 1.0

    def score_and_interaction(self, x, sigma=0.0, natural=False):
        score, interaction = super().score_and_interaction(x, sigma, natural)
        return score, self.power * interaction


def repair(kind: str, way: str) -> Job:
    """kind: "category" or "cell", of a style. way: of `REPAIRS`."""
    table, options = prompts.standard(), dict(REPAIRS[way])
    n, power = options.pop("n"), options.pop("power", 1.0)
    category = kind == "category"

    def trial(index, generator):
        prompt = prompts.group(table, index) if category else prompts.cell(table, index)
        parts = prompt.density
        density = Powered(parts.background, parts.concepts, parts.weights)
        density.power = power
        run, weights = prompts.draw(density, "smc", n, generator, **options)
        rows, families = prompt.read(run.samples), float(run.effective_families[-1])
        price = float(n * run.evaluations)
        share, *rest = tallies.variety(prompt, rows, weights, families, price, generator)
        if category:
            parts = tallies.in_group(table, index, rows, weights)
        else:
            parts = tallies.shares(table, index, rows, weights)[1:]
        return [share, *parts, *rest]

    count = 4 if n > 256 else 8 if "moves" in options else 16 if category else 12
    every = chosen(len(table.bank), "repair") if not category else groups("repair", 64)
    return Job(tallies.VARIETY, every[:count], trial)


def forecasts(kind: str) -> Job:
    count, prompt = foretelling.kinds()[kind]

    def trial(index, generator):
        return foretelling.foretold(prompt(index), generator)

    items = chosen(count, "forecasts", kind)[:50]
    return Job(foretelling.OUTCOMES + foretelling.FORECASTS, items, trial)


def guess(kind: str) -> Job:
    """Of the same prompts how far the sum of the mean changes ends from what is wanted."""
    count, prompt = foretelling.kinds()[kind]
    items = chosen(count, "forecasts", kind)[:50]
    return Job(foretelling.GUESS, items, lambda i, _: foretelling.guessed(prompt(i)))


def both(over: str, way: str) -> Job:
    """Cat and dog, and 20 random pairs of contents of one category. over: the background."""
    table, whole = prompts.standard(), prompts.whole(prompts.PIXELS)
    names, kinds = whole.contents, whole.categories
    at = foretelling.pairs(len(names))
    count = len(names) * (len(names) - 1)
    alike = (i for i in chosen(count, "both") if kinds[at(i)[0]] == kinds[at(i)[1]])
    cat, dog = names.index("cat"), names.index("dog")
    items = [cat * (len(names) - 1) + dog - (dog > cat), *(next(alike) for _ in range(20))]
    method, weight, n = fewer(way)

    def trial(index, generator):
        density, doubles, best = prompts.joint(whole, table, *at(index), over)
        density = pc.compose(density.background, density.concepts, [weight, weight])
        sigmas = prompts.grid()[:-1]
        run, weights = prompts.draw(density, method, n, generator, sigmas)
        last = density.denoise(run.samples, prompts.SIGMA_MIN)
        here, there = (
            tallies.together(whole, at(index), x, weights, doubles, best)
            for x in (run.samples, last)
        )
        return [*here, *there[:3]]

    return Job(tallies.TOGETHER, items, trial)


def jobs() -> Jobs:
    """All entries of the file, in the order in which they are made."""
    found = {f"cells/16/{way}": partial(cells, "16", way) for way in WAYS}
    for kind in foretelling.kinds():
        found[f"forecasts/{kind}"] = partial(forecasts, kind)
    for kind in foretelling.kinds():
        if kind != "two over their average":  # which has no target
            found[f"guess/{kind}"] = partial(guess, kind)
    for over in prompts.OVER:
        for way in ("ode", "sde", "sde 3", "smc 32"):
            found[f"both/{over}/{way}"] = partial(both, over, way)
    for way in ("exact", "ode", *GUIDED):
        found[f"guidance/{way}"] = partial(guidance, str(way))
    for kind in ("category", "cell"):
        for way in REPAIRS if kind == "category" else ("16", "64", "256"):
            found[f"repair/{kind}/{way}"] = partial(repair, kind, way)
    for way in ("ode", "sde", "sde 3", "sde 5", "ode, looking back"):
        for count in LADDER[:4] if way == "ode, looking back" else LADDER:
            found[f"steps/{way}/{count}"] = partial(steps, way, count)
    for way in MOVES:
        found[f"steps/{way}/80"] = partial(steps, way, 80)
    sizes = [(16, styles, contents) for contents in CONTENTS for styles in STYLES]
    for form in ((8, 8, 100), (32, 8, 100), *sizes[:-1]):
        for way in ("sde", "ode", "smc 32") if form[1] == 8 else ("sde",):
            found["size/{}/{}/{}/{}".format(*form, way)] = partial(size, *form, way)
    for styles in STYLES:
        for contents in CONTENTS[:-1]:
            for way in ("sde", "ode") if styles == 8 else ("sde",):
                found[f"law/{styles}/{contents}/{way}"] = partial(law, styles, contents, way)
    for setting, ways in (("all", (*FEWER, "sde 3")), ("32", FEWER)):
        for way in ways:
            found[f"cells/{setting}/{way}"] = partial(cells, setting, way)
    return found


if __name__ == "__main__":
    main("count_emoji", __doc__, jobs(), emoji.COUNTS)
