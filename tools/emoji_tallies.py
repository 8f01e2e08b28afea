"""Tallies: numbers about what particles drew, from the rows of the nearest pictures."""

from __future__ import annotations

import emoji_prompts as prompts
import torch
from emoji_prompts import Prompt
from projcomp import emoji
from scipy.stats import spearmanr
from torch import Tensor

SHARES = ("wanted", "content", "style")
VARIETY = ("wanted", "content", "style", "different", "effective", "effective of exact draws",
           "pictures", "gap", "gap of exact draws", "families", "evaluations")  # fmt: skip
TOGETHER = ("first", "second", "double", "elsewhere", "limit", "first at last",
            "second at last", "double at last")  # fmt: skip


def shares(table: emoji.Table, row: int, rows: Tensor, weights: Tensor) -> list[float]:
    """Weighted shares of what is the wanted cell, of its content, and of its style."""
    styles = len(table.styles)
    hits = [rows == row, rows // styles == row // styles, rows % styles == row % styles]
    return [float(weights @ hit.double()) for hit in hits]


def entropy_size(shares: Tensor) -> float:
    """exp of the entropy of shares, normalised: how many equal ones they are worth."""
    total = float(shares.sum())
    return float(torch.special.entr(shares / total).sum().exp()) if total > 0 else 0.0


def variety(
    prompt: Prompt, rows: Tensor, weights: Tensor, families: float, evaluations: float, generator
) -> list[float]:
    """`VARIETY` but for the content and the style, which come after the share that is wanted.

    effective: number of equal pictures that the right ones are worth, by entropy; beside it that
    of as many exact draws, of `families` times the share of the right ones.
    """
    right = torch.bincount(rows, weights, minlength=len(prompt.target))[prompt.wanted]
    chances = prompt.target[prompt.wanted]
    n = round(families * float(right.sum()))
    exact = 0.0
    if n:
        drawn = torch.multinomial(chances.expand(100, -1), n, True, generator=generator)
        counts = torch.nn.functional.one_hot(drawn, len(chances)).sum(1).double()
        exact = sum(map(entropy_size, counts)) / len(counts)
    found = [float((right > 0).sum()), entropy_size(right), exact, float(len(chances))]
    found += [prompt.gap(rows, weights), prompt.floor(max(1, round(families)), generator)]
    return [prompt.share(rows, weights), *found, families, evaluations]


def in_group(table, index: int, rows: Tensor, weights: Tensor) -> list[float]:
    """Weighted shares of the right category and the right style."""
    styles, names = len(table.styles), sorted(set(table.categories))
    kinds = torch.tensor([names.index(kind) for kind in table.categories])
    hits = kinds[rows // styles] == index // styles, rows % styles == index % styles
    return [float(weights @ hit.double()) for hit in hits]


def lost(table: emoji.Table, prompt: Prompt, rows: Tensor) -> float:
    """Rank correlation of how often a right picture came with how far it is from their mean."""
    wanted = table.bank.points[prompt.wanted]
    away = (wanted - wanted.mean(0)).norm(dim=1)
    counts = torch.bincount(rows, minlength=len(prompt.wanted))[prompt.wanted]
    return float(spearmanr(counts, away).statistic) if counts.max() > counts.min() else 0.0


def together(table, pair, x: Tensor, weights: Tensor, doubles: Tensor, best: int) -> list[float]:
    """Shares that are a picture of the first, of the second, a double exposure, none of these;
    and the double exposure that the composition goes to.

    To be one of them is to be within a quarter of the distance between two pictures: for a double
    exposure those it is made of, for a picture it and the nearest one of the other content.
    """
    parts, x = [part.flatten(1) for part in prompts.pair(table, *pair)], x.flatten(1)
    apart = torch.cdist(*parts)
    reaches = apart.amin(1), apart.amin(0), apart.flatten()
    near = [
        torch.cdist(x, points) / r for points, r in zip((*parts, doubles), reaches, strict=True)
    ]
    closest, places = torch.stack([part.amin(1) for part in near]), near[2].argmin(1)
    which = torch.where(closest.amin(0) < 0.25, closest.argmin(0), 3)
    found = [float(weights @ (which == place).double()) for place in range(4)]
    return [*found, float(weights @ ((which == 2) & (places == best)).double())]
