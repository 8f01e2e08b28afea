"""What is stored of prompts in words: how it is read, and some of it drawn again.

Which, the text of the tools and the file themselves decide: others after every change of either,
and the same for all who have the same. `PROJCOMP_CELL=7` picks others.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import sys
from pathlib import Path

import pytest
import torch
from projcomp import metrics, words
from projcomp._counted import Counted
from projcomp.words import counted

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import count_words as tool  # noqa: E402
import counting  # noqa: E402

SLOW = ("smc 32", "diagnoses", "forecasts", "quality", "/48")


@pytest.fixture(scope="module")
def found():
    return words.counts()


@pytest.fixture(scope="module")
def chance():
    names = ("counting", "count_words", "words_drawing", "words_prompts", "words_tallies")
    text = words.COUNTS.read_bytes() + b"".join(
        (TOOLS / f"{name}.py").read_bytes() for name in names
    )
    return random.Random(os.environ.get("PROJCOMP_CELL", hashlib.sha256(text).hexdigest()))


def test_every_part_is_there(found):
    jobs = tool.jobs()
    assert set(found) == set(jobs)
    for key, part in found.items():
        if not key.startswith("diagnoses"):  # which first renders the world
            job = jobs[key]()
            assert (part.columns, part.items, part.n) == (job.columns, tuple(job.items), job.n), key
        assert part.found.shape == (len(part.items), len(part.columns)), key
        assert part.found[:, 0].isfinite().all(), key
    assert words.COUNTS.stat().st_size < 1_500_000


@pytest.mark.parametrize("part", ["prompts", "compositions", "pairs/alone"])
def test_the_same_seed_draws_the_same(found, chance, part):
    """Sample by sample on one machine; elsewhere one may be seen otherwise."""
    keys = [key for key in found if key.startswith(part) and not any(s in key for s in SLOW)]
    key = chance.choice(sorted(keys))
    job, place = tool.jobs()[key](), chance.randrange(len(found[key].items))
    row = counting.trial(key, job, found[key].items[place])
    gap = abs(row[0] - float(found[key].column("right")[place]))
    assert gap <= 1.1 / found[key].n, (key, place)


def test_other_seeds_draw_as_much(found, chance):
    """Of five cases of a composition: their intervals meet."""
    keys = [key for key in found if key.startswith("compositions/") and key.endswith("/sde")]
    key = chance.choice(sorted(keys))
    job, places = tool.jobs()[key](), chance.sample(range(len(found[key].items)), 5)
    rows = [counting.trial(key, job, found[key].items[place], "again") for place in places]
    n = 5 * found[key].n
    means = [sum(row[0] for row in rows) / 5, float(found[key].column("right")[places].mean())]
    ends = [metrics.proportion(round(mean * n), n, 3.3)[1:] for mean in means]
    assert max(low for low, _ in ends) <= min(high for _, high in ends), (key, places)


@pytest.mark.parametrize("over", counted.OVER)
def test_areas_of_what_is_stored(found, over):
    for of in (None, *([kind] for kind in counted.kinds(found))):
        for name, (area, low, high) in words.areas(found, over, of).items():
            if area == area:
                assert 0 <= low <= area <= high <= 1, (of, name)


def made_up(right):
    """Three pairs of three prompts, two of one kind. right: the share of each."""
    every = list(itertools.combinations(range(3), 2))
    alone = Counted(("right",), ("a", "b", "c"), torch.tensor([[1.0], [0.5], [0.25]]).double(), 4)
    parts = {"pairs/alone": alone}
    for kind, items in (("near", (0, 2)), ("far", (1,))):
        rows = torch.tensor([[right[i], 0.1 * i] for i in items], dtype=torch.float64)
        told = torch.tensor([[0.3 - 0.1 * i, 0.2] for i in items], dtype=torch.float64)
        outcomes = Counted(("right", "path gap"), items, rows, 4)
        parts[f"pairs/outcomes/anything/{kind}"] = outcomes
        columns = ("whitened cosine", "dose")
        parts[f"pairs/forecasts/anything/{kind}"] = Counted(columns, items, told)
    return parts, torch.tensor(every)


def test_pairs_are_read_with_their_prompts_and_forecasts():
    parts, every = made_up([1.0, 0.5, 0.0])
    assert counted.kinds(parts) == ["near", "far"]
    places, right, forecasts = words.pairs(parts)
    assert places.tolist() == every[[0, 2, 1]].tolist() and right.tolist() == [1.0, 0.0, 0.5]
    assert forecasts["path gap"].tolist() == pytest.approx([0.0, 0.2, 0.1])
    assert forecasts["larger of two"].tolist() == pytest.approx([0.3, 0.2, 0.2])
    assert forecasts["hard prompts"].tolist() == pytest.approx([0.5, 0.875, 0.75])
    assert "right" not in forecasts
    assert words.pairs(parts, of=["far"])[1].tolist() == [0.5]


def test_areas_of_pairs():
    """By samples: half of the middle pair's are wrong, and all of the last one's."""
    parts, _ = made_up([1.0, 0.5, 0.0])
    found = words.areas(parts)
    right, wrong = torch.tensor([1.0, 0.5, 0.0]).double(), torch.tensor([0.0, 0.5, 1.0]).double()
    expected = float(metrics.roc_area(torch.tensor([0.0, 0.1, 0.2]), wrong, right))
    assert found["path gap"][0] == pytest.approx(expected) and expected > 0.8
    assert found["whitened cosine"][0] == pytest.approx(1 - expected)
    assert found["dose"][0] == 0.5  # all are equal
    assert all(low <= area <= high for area, low, high in found.values())
    assert found == words.areas(parts)
    for never in ([1.0] * 3, [0.0] * 3):
        area, low, high = words.areas(made_up(never)[0])["path gap"]
        assert area != area and low != low and high != high


def test_a_bootstrap_draws_prompts_and_not_pairs():
    """Where each prompt adds its share to outcome and forecast the interval is wider for it."""
    count, generator = 16, torch.Generator().manual_seed(1)
    every = torch.tensor(list(itertools.combinations(range(count), 2)))
    hard, loud = torch.randn(2, count, generator=generator, dtype=torch.float64)
    right = (hard[every].sum(1) < 0).double()[:, None]
    told = loud[every].sum(1)[:, None]
    items = tuple(range(len(every)))
    ones = torch.ones(count, 1, dtype=torch.float64)
    parts = {
        "pairs/alone": Counted(("right",), tuple(range(count)), ones, 4),
        "pairs/outcomes/anything/k": Counted(("right",), items, right, 4),
        "pairs/outcomes/empty/k": Counted(
            ("right", "path gap"), items, torch.cat([right, told], 1), 4
        ),
        "pairs/forecasts/empty/k": Counted(("whitened cosine",), items, told),
    }
    _, low, high = words.areas(parts, "empty")["path gap"]
    picks = torch.randint(len(every), (500, len(every)), generator=generator)
    times = torch.nn.functional.one_hot(picks, len(every)).sum(1).double()
    drawn = metrics.roc_area(told[:, 0], times * (1 - right[:, 0]), times * right[:, 0])
    by_pairs = float(drawn.quantile(0.975) - drawn.quantile(0.025))
    assert high - low > 1.5 * by_pairs


def test_bad_arguments(tmp_path):
    parts, _ = made_up([1.0, 0.5, 0.0])
    with pytest.raises(ValueError, match="over must be one of anything, empty; got 'sand'"):
        words.pairs(parts, "sand")
    with pytest.raises(ValueError, match="of must be one of near, far; got 'close'"):
        words.areas(parts, of=["close"])
    with pytest.raises(ValueError, match=r"tools/count_words\.py has written"):
        words.counts(tmp_path / "none.json")
