"""What is stored of the table's prompts is drawn again: cells of every part of the file.

Which ones, the text of the tools and the file themselves decide: others after every change of
either, and the same for all who have the same. `PROJCOMP_CELL=7` picks others.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import sys
from pathlib import Path

import pytest
import torch
from projcomp import emoji, metrics

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import count_emoji as tool  # noqa: E402
import counting  # noqa: E402
import emoji_forecasts as foretelling  # noqa: E402
import emoji_prompts as prompts  # noqa: E402
import emoji_tallies as tallies  # noqa: E402

COUNTED = emoji.counts()
TEXT = emoji.COUNTS.read_bytes() + b"".join(
    (TOOLS / name).read_bytes()
    for name in (
        "counting.py",
        "count_emoji.py",
        "emoji_forecasts.py",
        "emoji_prompts.py",
        "emoji_tallies.py",
    )
)
SEED = os.environ.get("PROJCOMP_CELL", hashlib.sha256(TEXT).hexdigest())
JOBS = tool.jobs()
SLOW = ("/1024", "/256", "/640", "/320", "moves", "mala")
Z = 4.0


def chosen(part: str, count: int, fits=lambda key: True) -> tuple[str, list[int]]:
    """An entry of a part, and places of some of its items."""
    chance = random.Random(f"{SEED} {part}")
    keys = [key for key in COUNTED if key.startswith(part) and fits(key)]
    key = chance.choice(sorted(key for key in keys if not any(slow in key for slow in SLOW)))
    return key, chance.sample(range(len(COUNTED[key].items)), count)


def particles(key: str) -> int:
    part, setting, *way = key.split("/")
    if part == "steps":
        return 8
    return tool.WAYS[way[0]][2] if (part, setting) == ("cells", "16") else 16


def again(key: str, places: list[int], seed: str = "again") -> torch.Tensor:
    job = JOBS[key]()
    rows = [counting.trial(key, job, COUNTED[key].items[place], seed) for place in places]
    return torch.tensor(rows, dtype=torch.float64)


def test_every_part_is_there():
    assert list(COUNTED) and set(COUNTED) == set(JOBS)
    for key, part in COUNTED.items():
        job = JOBS[key]()
        assert (part.columns, part.items) == (tuple(job.columns), tuple(job.items)), key
        assert part.found.shape == (len(part.items), len(part.columns)), key
        assert len(set(part.items)) == len(part.items) and part.found.isfinite().all(), key
    cells = COUNTED["cells/16/ode"]
    assert len(cells.items) == 200
    assert all(COUNTED[f"cells/16/{way}"].items == cells.items for way in tool.WAYS)
    assert emoji.COUNTS.stat().st_size < 300_000


@pytest.mark.parametrize("part", ["cells/16", "cells/32", "cells/all", "steps", "size", "law"])
def test_shares_of_cells(part):
    """Each share agrees with that of as many particles from another seed: their intervals meet."""
    key, (place,) = chosen(part, 1, lambda key: "smc" not in key)
    n = particles(key)
    for pair in zip(again(key, [place])[0], COUNTED[key].found[place], strict=True):
        ends = [metrics.proportion(round(float(share) * n), n, 3.0)[1:] for share in pair]
        assert max(low for low, _ in ends) <= min(high for _, high in ends), (key, place)


@pytest.mark.parametrize("part", ["cells/16/ode", "cells/16/sde"])
def test_the_same_seed_draws_the_same(part):
    key, (place,) = chosen(part, 1)
    gap = (again(key, [place], "") - COUNTED[key].found[place]).abs().max()
    assert float(gap) <= 2.5 / particles(key), (key, place)


@pytest.mark.parametrize("part", ["cells/16/smc", "guidance", "repair", "forecasts", "both"])
def test_means_of_parts(part):
    """Means of two items from another seed, to within what items differ by.

    An item's own noise varies no more than items do, so this holds up to chance.
    """
    key, places = chosen(part, 2)
    stored = COUNTED[key].found
    gap = (again(key, places) - stored[places]).mean(0).abs()
    spread = stored.std(0) * math.sqrt(2 / len(places))
    assert (gap <= Z * spread + 0.02 * (1 + stored.abs().amax(0))).all(), (key, places)


def test_forecasts_are_those_of_a_prompt_alone():
    """Cosines of means need no particles: they come out the same."""
    kind = random.Random(SEED).choice(sorted(foretelling.kinds()))
    stored = COUNTED[f"forecasts/{kind}"]
    item = stored.items[0]
    prompt = foretelling.kinds()[kind][1](item)
    first = stored.columns.index("cosine of means")
    found = foretelling.of_means(prompt.density)
    assert found == pytest.approx(stored.found[0, first : first + 3].tolist(), abs=1e-4)
    if prompt.wanted.any():
        guess = COUNTED[f"guess/{kind}"]
        assert guess.items == stored.items
        assert foretelling.guessed(prompt) == pytest.approx(guess.found[0].tolist(), abs=1e-4)


def test_the_guess_of_a_sum_of_blocks_is_the_mean_of_the_target():
    """At two places over the empty canvas the mean changes add up to it; in one place hardly."""
    table = prompts.standard(contents=10)
    away, nearest = foretelling.guessed(prompts.side_by_side(table, 2, 7))
    assert away < 1e-12 < 0.05 < nearest
    prompt = prompts.cell(table, 13)
    points = table.bank.points
    sums = points[8:16].mean(0) + points[5::8].mean(0) - points.mean(0)
    distance = float((sums - points[13]).square().mean().sqrt())
    assert foretelling.guessed(prompt) == pytest.approx([distance, distance], rel=1e-12)


def test_a_negative_prompt_has_the_target_that_its_ratios_give():
    table = prompts.standard(contents=10, styles=4)
    prompt = prompts.negative(table, 6)
    content, style = divmod(6, 4)
    named = range(4 * content, 4 * content + 4)
    assert prompt.target.nonzero()[:, 0].tolist() == list(named)
    assert prompt.wanted.nonzero()[:, 0].tolist() == [row for row in named if row != 6]
    sure, count = prompts.SURE, 40
    ratio = (sure / 10 + (1 - sure) / count) / ((1 - sure) / count)
    other = float(prompt.target[4 * content + (style + 1) % 4])
    assert float(prompt.target[6]) == pytest.approx(other / ratio, rel=1e-12)
    sigma, x = 0.02, table.pictures.flatten(0, 1)[list(named)]
    logs = prompt.density.log_prob(x, sigma)
    expected = prompt.target[list(named)].log()
    # Squares of this size cancel; how they are rounded depends on the processor.
    rounding = torch.finfo(torch.float64).eps * float(x.flatten(1).square().sum(1).max()) / sigma**2
    assert torch.allclose(logs - logs[0], expected - expected[0], rtol=0.0, atol=16 * rounding)


@pytest.mark.parametrize("over", prompts.OVER)
def test_two_contents_at_one_place_go_to_a_double_exposure(over):
    """As sigma falls the density there beats all other double exposures, and both pictures."""
    table = prompts.standard(contents=40)
    whole = prompts.whole(prompts.PIXELS)
    pair = whole.contents.index("cat"), whole.contents.index("dog")
    density, doubles, best = prompts.joint(whole, table, *pair, over)
    every = torch.cat([doubles, *(part.flatten(1) for part in prompts.pair(whole, *pair))])
    assert int(density.log_prob(every, 0.05).argmax()) == best


def test_tallies_of_known_particles():
    table = prompts.standard(contents=10, styles=4)
    even = torch.full((4,), 0.25, dtype=torch.float64)
    rows = torch.tensor([5, 5, 4, 9])
    assert prompts.nearest(table, table.pictures.flatten(0, 1)[rows]).tolist() == rows.tolist()
    assert tallies.shares(table, 5, rows, even) == [0.5, 0.75, 0.75]
    assert tallies.entropy_size(torch.tensor([1.0, 1.0, 2.0, 0.0])) == pytest.approx(8**0.5)
    assert tallies.entropy_size(torch.zeros(3)) == 0.0
    prompt = prompts.cell(table, 5)
    assert prompt.share(rows, even) == prompt.gap(rows, even) == 0.5
    assert prompt.floor(7, counting.source("floor")) == 0.0
    two = foretelling.pairs(3)
    assert [two(i) for i in range(6)] == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    one, other = prompts.pair(table, 0, 1)
    double = (one[1] + other[2]) / 2
    middles = (one.flatten(1)[:, None] + other.flatten(1)).flatten(0, 1) / 2
    x = torch.stack([one[0], other[3], double, 3 - double])
    found = tallies.together(table, (0, 1), x, even, middles, 1 * 4 + 2)
    assert found == [0.25, 0.25, 0.25, 0.25, 0.25]


def test_side_by_side_reads_both_halves():
    table = prompts.standard(contents=10)
    prompt = prompts.side_by_side(table, 2, 7)
    one, other = prompts.pair(table, 2, 7)
    good = torch.cat([one[3], other[5]], -1)
    swapped = torch.cat([other[5], one[3]], -1)
    bare = torch.cat([one[3], prompts.blank(table)[0]], -1)
    assert prompt.read(torch.stack([good, swapped, bare])).tolist() == [3 * 8 + 5, 64, 64]
    assert float(prompt.target.sum()) == pytest.approx(1.0) and int(prompt.wanted.sum()) == 64


def test_a_faint_picture_at_a_place_is_none():
    two = prompts.standard(contents=10).choose(2)
    one, other = prompts.pair(two, 0, 1)
    faint = prompts.blank(two) + 0.4 * (other - prompts.blank(two))
    seen = prompts.nearest(two, faint) >= len(one)
    assert bool(seen.any())
    read = prompts.side_by_side(two, 0, 1).read
    assert (read(torch.cat([one, faint], -1))[seen] == 64).all()
    assert read(torch.cat([one, other], -1)).tolist() == [9 * k for k in range(8)]


def test_what_is_stored_is_read(tmp_path):
    with pytest.raises(ValueError, match=r"file must be one that tools/count_emoji\.py"):
        emoji.counts(tmp_path / "nothing.json")
    for text in ("[]", '{"cells": 3}', '{"cells": {"columns": ["a"], "items": [1]}}', "{"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ValueError, match="file must be one that"):
            emoji.counts(tmp_path / "bad.json")
    part = {"columns": ["wanted", "style"], "items": [4, 9], "found": [[0.25, 0.5], [1, 0.75]]}
    (tmp_path / "good.json").write_text(json.dumps({"cells/a": part}))
    read = emoji.counts(tmp_path / "good.json")["cells/a"]
    assert read.column("style").tolist() == [0.5, 0.75] and read.items == (4, 9)
    with pytest.raises(ValueError, match="name must be one of wanted, style; got 'styles'"):
        read.column("styles")
