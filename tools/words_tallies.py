"""Tallies of pictures: what the judge sees in samples of prompts and of compositions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from projcomp import words
from projcomp.words.counted import OUTCOMES
from projcomp.words.seen import FAINT
from torch import Tensor
from words_prompts import Case, plain

SINGLE = ("right", "alone", *words.ATTRIBUTES, "bare")
"""Of one prompt: everything as named; exactly one object; each attribute as named; the bare floor
where it is named."""
MOST = 4
FITS = tuple(f"fits {place + 1}" for place in range(MOST))
COMPOSED = ("right", "alone", *FITS, "objects", "ghosts", "hidden")
"""Of a composition: all as wanted; as many objects as wanted besides; each prompt by itself (of
those that are taken away too); the mean number of objects; something pale at some place; and right
because the style hides what a prompt names, such as two colours in a blueprint."""
PAIR = OUTCOMES
"""Of two prompts: all as wanted, each by itself, the mean number of objects, and the last again."""


def single(prompt: str, pictures: Tensor) -> list[float | None]:
    """`SINGLE`: shares of pictures (n, *shape); None for what the prompt does not name."""
    seen, named = words.judge(pictures), words.meaning(prompt)

    def share(hits: Tensor) -> float:
        return float(hits.double().mean())

    each = [
        share(seen.fits(plain({name: named[name][0]}))) if name in named else None
        for name in words.ATTRIBUTES
    ]
    bare = share(seen.count == 0) if "object" in named else None
    return [share(seen.fits(prompt)), share(seen.count == 1), *each, bare]


def composed(case: Case, pictures: Tensor, weights: Tensor) -> list[float | None]:
    """`COMPOSED`: means over pictures (n, *shape) with weights (n,), which sum to one."""
    seen = words.judge(pictures)
    every = (*case.prompts, *case.without)
    right = seen.all(list(case.prompts), list(case.without))
    fits = [seen.fits(prompt) for prompt in every]
    ghosts = ((seen.opacity >= FAINT) & ~seen.solid).any(1)
    hidden = right & hiding(every, seen.facts["style"])
    rows = [right, right & (seen.count == case.objects), *fits, seen.count, ghosts, hidden]
    means = [float(weights @ row.to(weights)) for row in rows]
    means[2 + len(every) : 2 + len(every)] = [None] * (MOST - len(every))
    return means


def hiding(prompts: Sequence[str], style: Tensor) -> Tensor:
    """Which styles (n,), indices, hide an attribute that a prompt names: (n,) bool."""
    named = {name for prompt in prompts for name in words.meaning(prompt)}
    hides = [not named.isdisjoint(words.HIDDEN.get(name, ())) for name in words.STYLES]
    return torch.tensor(hides)[style]


def paired(prompts: tuple[str, str], pictures: Tensor) -> list[float]:
    """`PAIR`, of pictures (n, *shape)."""
    seen = words.judge(pictures)
    right = seen.all(list(prompts))
    hidden = right & hiding(prompts, seen.facts["style"])
    rows = [right, *(seen.fits(prompt) for prompt in prompts), seen.count, hidden]
    return [float(row.double().mean()) for row in rows]
