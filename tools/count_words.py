"""Counts what the shipped network of words draws, and writes it down for the chapter.

    python tools/count_words.py [--again] [--only PART ...] [--file FILE] [--workers N]

Prompts: of 200 random ones the share of samples with every named attribute right, by the judge;
guided, by the ODE and the SDE, and in more and fewer steps. Compositions: kinds of them over three
backgrounds, in six ways, and beside them one prompt that says it all. Pairs: the prompts that are
paired, by themselves; every pair of them over "" and over "empty", with what pilots meet on the way
down; and what could be known of every pair beforehand. Diagnoses of a few compositions. All are the
first samples of generators that their names seed. It takes two hours and a quarter on one core, of
which pairs take half; `--workers 2` halves that and changes nothing but the rounding. What is in
the file already is not done again, unless `--again` says to begin from nothing.
"""

from __future__ import annotations

from functools import partial

import projcomp as pc
import torch
import words_drawing as drawing
import words_forecasts as foretelling
import words_prompts as prompts
import words_tallies as tallies
from counting import Job, Jobs, main
from emoji_forecasts import Pilots
from projcomp import words
from projcomp.diagnostics.budget import FEWEST
from projcomp.diagnostics.path import Watched
from projcomp.words.counted import VERDICTS
from projcomp.words.world import PIXELS
from words_drawing import Way

QUALITY = Way("sde", n=100)
GUIDED = {
    f"{method} {weight}": Way(method, float(weight), n=2)
    for method in ("sde", "ode")
    for weight in (1, 2, 3)
    if (method, weight) != ("sde", 1)  # which is that of the quality
}
LADDER = (6, 12, 24, 48)
STEPPED = 80
"""Of the prompts, how many are drawn in other numbers of steps."""
WAYS = {
    "ode": (Way("ode"), 16),
    "sde": (Way("sde"), 16),
    "sde 2": (Way("sde", 2.0, n=2), 16),
    "sde 3": (Way("sde", 3.0, n=2), 16),
    "smc 8": (Way("smc", n=8), 16),
    "smc 32": (Way("smc", n=32), 8),
}
"""Of compositions: how, and of how many cases. 32 particles of two prompts over "" alone."""
WAYS_OVER = {"": tuple(WAYS), "empty": tuple(WAYS)[:-1], "told": ("ode", "sde")}
ALONE = 24
"""Samples of each of the prompts that are paired."""
JUDGED, PILOTS = 4, 2
FROM_PILOTS = (
    "same-point cosine on the way", "across cosine on the way", "early spread on the way",
    "spread on the way", "path gap", "spread of paths",
)  # fmt: skip
DIAGNOSED = {
    "": ("two places", "shape and colour", "content and style", "two colours"),
    "empty": ("two places", "shape and colour"),
}
"""Kinds of compositions whose first case is diagnosed, by the background."""
DIAGNOSIS = (
    "verdict", "explained", "error of explained", "path gap", "exchange", "error of exchange",
)  # fmt: skip
HELD, DIAGNOSED_LEVELS, MOST = 400, 8, 31_000
BACKGROUNDS = {"": "anything", "empty": "empty", "told": "told"}
"""Of compositions, and what they are called in the file."""


def quality(way: Way, count: int = prompts.PROMPTS) -> Job:
    """Of the first random prompts."""

    def trial(prompt, generator):
        density = drawing.prompt_of(prompt, way.weight)
        return tallies.single(prompt, drawing.draw(density, way, generator)[0])

    return Job(tallies.SINGLE, prompts.said()[:count], trial, way.n)


def compositions(kind: str, over: str, way: Way, count: int) -> Job:
    """Of the first cases of a kind. Weighted particles are one sample: what they agree on."""
    cases = {f"{place}. {case}": case for place, case in enumerate(prompts.cases(kind, over), 1)}

    def trial(name, generator):
        density = drawing.density_of(cases[name], way.weight)
        return tallies.composed(cases[name], *drawing.draw(density, way, generator))

    n = 1 if way.method == "smc" else way.n
    return Job(tallies.COMPOSED, list(cases)[:count], trial, n)


def at_once(kind: str) -> Job:
    """The same by one prompt that says it all, where that is not too long."""
    every = enumerate(prompts.cases(kind, ""), 1)
    cases, way = {f"{place}. {case.once}": case for place, case in every}, Way("sde")

    def trial(name, generator):
        case = cases[name]
        return tallies.composed(case, *drawing.draw(drawing.prompt_of(case.once), way, generator))

    return Job(tallies.COMPOSED, list(cases), trial, way.n)


def alone() -> Job:
    """The prompts that are paired, one by one."""
    job = quality(Way("sde", n=ALONE))
    return job._replace(items=[text for text, _ in prompts.paired()])


def facts_of(index: int) -> tuple[tuple[str, str], tuple[prompts.Facts, prompts.Facts]]:
    """Texts and facts of the two prompts of a pair."""
    both = (prompts.paired()[place] for place in prompts.pairs()[index])
    return tuple(zip(*both, strict=True))


def pairs(kind: str, over: str) -> Job:
    """All pairs of a kind, by the SDE. The pilots are other particles than the judged ones."""
    levels, n = drawing.grid(), PILOTS + JUDGED

    def trial(index, generator):
        texts, _ = facts_of(index)
        density = drawing.density_of(prompts.Case(texts, over=over))
        pilots = Pilots(density, PILOTS)
        watched = Watched(density, pilots.take)
        run = pc.reverse_diffusion(watched, n, levels, "sde", generator=generator, progress=False)
        pictures = run.samples[PILOTS:].float().unflatten(1, density.shape)
        seen = pilots.forecasts(foretelling.scale_of(over))
        return [*tallies.paired(texts, pictures), *seen]

    return Job(tallies.PAIR + FROM_PILOTS, of_kind(kind), trial, JUDGED)


def of_kind(kind: str) -> list[int]:
    found = (prompts.kind_of(*facts_of(index)[1]) for index in range(len(prompts.pairs())))
    return [index for index, one in enumerate(found) if one == kind]


def forecasts(kind: str, over: str) -> Job:
    def trial(index, _):
        return foretelling.foretold(over, prompts.pairs()[index])

    return Job(foretelling.FORECASTS, of_kind(kind), trial, whole=True)


def diagnoses(over: str) -> Job:
    """What `pc.diagnose` says of the first case of some kinds, with pictures of each prompt.

    The blocks are the halves of the picture where the prompts name both; else they are looked for.
    """
    levels = pc.sigma_grid(foretelling.LOWEST, drawing.FROM, DIAGNOSED_LEVELS)[:-1]
    left = torch.zeros(PIXELS, PIXELS, dtype=torch.bool)
    left[:, : PIXELS // 2] = True
    halves = {"left": left, "right": ~left}

    def trial(kind, generator):
        texts = prompts.cases(kind, over)[0].prompts
        parts = [
            drawing.network().density(text, foretelling.examples(text, HELD))
            for text in (over, *texts)
        ]
        sides = [words.meaning(text).get("across", [""])[0] for text in texts]
        blocks = [halves[side] for side in sides] if set(sides) == set(halves) else None
        report = pc.diagnose(
            parts[0], parts[1:], blocks, sigmas=levels, samples=FEWEST, evaluations=MOST,
            generator=generator, progress=False,
        )  # fmt: skip
        end = report.path.levels[-1].path
        swaps = [concept.exchange.defect for concept in report.concepts if concept.exchange]
        worst = max(swaps, key=lambda swap: swap.value, default=None)
        return [
            VERDICTS.index(report.verdict.kind),
            report.explained.value,
            report.explained.error,
            1.0 if end is None else end.value,
            *((None, None) if worst is None else (worst.value, worst.error)),
        ]

    return Job(DIAGNOSIS, list(DIAGNOSED[over]), trial)


def jobs() -> Jobs:
    """All entries of the file, in the order in which they are made."""
    found = {"prompts/quality": partial(quality, QUALITY)}
    for kind in prompts.KINDS:
        for over, name in BACKGROUNDS.items():
            for way in WAYS_OVER[over]:
                if way != "smc 32" or len(prompts.KINDS[kind].first) == 2:
                    found[f"compositions/{kind}/{name}/{way}"] = partial(
                        compositions, kind, over, *WAYS[way]
                    )
        if all(case.once for case in prompts.cases(kind, "")):
            found[f"compositions/{kind}/at once/sde"] = partial(at_once, kind)
    found["pairs/alone"] = alone
    for part, make in (("outcomes", pairs), ("forecasts", forecasts)):
        for over in foretelling.BACKGROUNDS:
            for kind in prompts.KINDS_OF_PAIRS:
                found[f"pairs/{part}/{BACKGROUNDS[over]}/{kind}"] = partial(make, kind, over)
    for name, way in GUIDED.items():
        found[f"prompts/guided/{name}"] = partial(quality, way)
    for method in ("sde", "ode"):
        for steps in LADDER:
            way = Way(method, n=2, steps=steps)
            found[f"prompts/steps/{method}/{steps}"] = partial(quality, way, STEPPED)
    for over in DIAGNOSED:
        found[f"diagnoses/{BACKGROUNDS[over]}"] = partial(diagnoses, over)
    return found


if __name__ == "__main__":
    main("count_words", __doc__, jobs(), words.COUNTS)
