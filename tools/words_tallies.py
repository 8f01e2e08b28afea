"""Tallies of pictures: what the judge sees in samples of prompts and of compositions."""

from __future__ import annotations

import torch
from projcomp import words
from projcomp.words.counted import OUTCOMES
from torch import Tensor
from words_prompts import Case, plain

SINGLE = ("right", "alone", *words.ATTRIBUTES, "bare")
"""Of one prompt: everything as named; exactly one object; each attribute as named; the bare floor
where it is named."""
MOST = 4
COMPOSED = ("right", "alone", *(f"fits {i + 1}" for i in range(MOST)), "objects", "ghosts", "style")
"""Of a composition: all as wanted; as many objects as wanted besides; each prompt by itself (of
those that are taken away too); the mean number of objects; something pale at some place; and the
most frequent style's share."""
PAIR = OUTCOMES
"""Of two prompts: all as wanted, each by itself, and the mean number of objects."""
PALE = 0.2
"""Opacity of what is no solid object, and not nothing."""


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
    ghosts = ((seen.opacity > PALE) & ~seen.solid).any(1)
    rows = [right, right & (seen.count == case.objects), *fits, seen.count, ghosts]
    means = [float(weights @ row.to(weights)) for row in rows]
    means[2 + len(every) : 2 + len(every)] = [None] * (MOST - len(every))
    return [*means, float(torch.bincount(seen.facts["style"], weights).max())]


def right(prompts: tuple[str, str], pictures: Tensor) -> list[float]:
    """`PAIR`, of pictures (n, *shape)."""
    seen = words.judge(pictures)
    rows = [seen.all(list(prompts)), *(seen.fits(prompt) for prompt in prompts), seen.count]
    return [float(row.double().mean()) for row in rows]
