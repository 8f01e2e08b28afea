"""What is stored of prompts in words: what was drawn, counted by tools/count_words.py."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from projcomp import _check, metrics
from projcomp._counted import Counted, counted

COUNTS = Path(__file__).parent / "counts.json"
OVER = ("anything", "empty")
OUTCOMES = ("right", "fits 1", "fits 2", "objects", "hidden")
VERDICTS = ("exact", "score", "path", "target", "both", "unknown", "none")
"""Of diagnoses, in the order of the numbers in the file."""
DRAWS = 1000


def counts(file=None) -> dict[str, Counted]:
    """All that was counted, by the part, the kind and the way it was drawn.

    file: written by tools/count_words.py; None: the one that comes with the library. Raises
    ValueError where it is not there or no such file.
    """
    return counted(COUNTS if file is None else Path(file), "count_words.py")


def kinds(found: dict[str, Counted]) -> list[str]:
    """The kinds of pairs that were counted."""
    start = f"pairs/outcomes/{OVER[0]}/"
    return [key.removeprefix(start) for key in found if key.startswith(start)]


def pairs(
    found: dict[str, Counted], over: str = OVER[0], of: Sequence[str] | None = None
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """All pairs of some kinds: their prompts, how often they came out right, and the forecasts.

    over: of `OVER`, the background. of: kinds, all if None. Returns (m, 2) places of the two
    prompts in the items of "pairs/alone", (m,) shares, and for each forecast (m,), larger where
    more should go wrong: the columns of the file, and two made of them. "larger of two" is that of
    path gap and whitened cosine; "hard prompts", the chance that two prompts each by itself are not
    both drawn right.

    Raises ValueError for another background or kind.
    """
    _check.choice("over", over, OVER)
    known = kinds(found)
    chosen = known if of is None else [_check.choice("of", kind, known) for kind in of]
    told: dict[str, list[Tensor]] = {}
    items: list[int] = []
    for kind in chosen:
        outcomes, forecasts = (found[f"pairs/{part}/{over}/{kind}"]
                               for part in ("outcomes", "forecasts"))  # fmt: skip
        items += outcomes.items
        for part in (outcomes, forecasts):
            for name in part.columns:
                told.setdefault(name, []).append(part.column(name))
    alone = found["pairs/alone"]
    every = torch.tensor(list(itertools.combinations(range(len(alone.items)), 2)), device="cpu")
    places = every[items]
    columns = {name: torch.cat(parts) for name, parts in told.items()}
    right = columns["right"]
    forecasts = {name: column for name, column in columns.items() if name not in OUTCOMES}
    two = forecasts["path gap"], forecasts["whitened cosine"]
    forecasts["larger of two"] = torch.maximum(*two)
    forecasts["hard prompts"] = 1.0 - alone.column("right")[places].prod(1)
    return places, right, forecasts


def areas(
    found: dict[str, Counted],
    over: str = OVER[0],
    of: Sequence[str] | None = None,
    generator: torch.Generator | None = None,
) -> dict[str, tuple[float, float, float]]:
    """Of each forecast the ROC area and its 95% interval: how likely a wrong sample is of a pair
    with a larger forecast than a right sample.

    The interval is from a bootstrap over the prompts, each of which is in many pairs: a pair counts
    as often as the one prompt was drawn times the other. NaN where all samples are wrong, or right.
    generator: of the bootstrap; seed 0 if None. The rest is as for `pairs`.
    """
    places, right, forecasts = pairs(found, over, of)
    if generator is None:
        generator = torch.Generator().manual_seed(0)
    count = len(found["pairs/alone"].items)
    picks = torch.randint(count, (DRAWS, count), generator=generator, device="cpu")
    times = torch.nn.functional.one_hot(picks, count).sum(1).double()
    weights = torch.cat([right.new_ones(1, len(right)), times[:, places].prod(-1)])
    answers = {}
    ends = right.new_tensor([0.025, 0.975])
    for name, values in forecasts.items():
        area, *drawn = metrics.roc_area(values, weights * (1.0 - right), weights * right)
        drawn = torch.stack(drawn)
        low, high = drawn[~drawn.isnan()].quantile(ends) if bool(~area.isnan()) else (area, area)
        answers[name] = float(area), float(low), float(high)
    return answers
