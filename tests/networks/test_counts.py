"""What is stored of the networks' pictures is drawn again: a cell of every part of the file.

Which cell, the text of the tool and the file themselves decide: another one after every change of
either, and the same one for all who have the same. `PROJCOMP_CELL=7` picks another.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import os
import random
from pathlib import Path

import pytest
import torch
from projcomp import metrics, networks, scenes

TOOL = Path(__file__).resolve().parents[2] / "tools" / "count_scenes.py"
SPEC = importlib.util.spec_from_file_location("count_scenes", TOOL)
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)

COUNTED = json.loads(networks.COUNTS.read_text(encoding="utf-8"))
TEXT = TOOL.read_bytes() + networks.COUNTS.read_bytes()
SEED = os.environ.get("PROJCOMP_CELL", hashlib.sha256(TEXT).hexdigest())
FEW = 4
"""Of the 25 pictures of one seed."""


def cell(part: str) -> list[str]:
    chance = random.Random(f"{SEED} {part}")
    return chance.choice(sorted(key for key in COUNTED if key.startswith(part))).split("/")


def test_every_part_is_there():
    rows = (*tool.EXACT, *tool.ROWS)
    wanted = {f"places/{row}/{count}" for row in rows for count in tool.COUNTS}
    wanted |= {f"scores/{row}/{k}" for row in tool.ROWS for k in tool.COUNTS if k > 1}
    wanted |= {f"fits/{row}" for row in tool.FITTED}
    wanted |= {f"diagnosis/{row}" for row in "ABC"}
    assert set(COUNTED) == wanted | {"colours"}
    for row, count in itertools.product(rows, tool.COUNTS):
        found = COUNTED[f"places/{row}/{count}"]
        assert torch.tensor(found["opacity"]).shape == (100, count)
        assert len(found["elsewhere"]) == 100
        if count > 1 and row in tool.ROWS:
            assert len(COUNTED[f"scores/{row}/{count}"]["0.3"]["strangers"]) == count
    assert set(COUNTED["colours"]) > {"average", *scenes.COLOURS}


@pytest.mark.parametrize("row", ["A", "C"])
def test_the_first_pictures_are_counted_again(row):
    drawn = tool.pictures(row, 2, 25, tool.SEEDS[0], FEW)
    seen = scenes.count(drawn).at(scenes.lattice())[:, tool.ORDER[:2]]
    stored = torch.tensor(COUNTED[f"places/{row}/2"]["opacity"][:FEW])
    assert float((seen - stored).abs().max()) < 0.03


@pytest.mark.parametrize("part", ["networks", "yardsticks"])
def test_places(part):
    """Picture by picture; and of all 100 the share lies in the interval of those few."""
    rows = tool.ROWS if part == "networks" else tool.EXACT
    chance = random.Random(f"{SEED} {part}")
    row, count = chance.choice(list(rows)), chance.choice(tool.COUNTS)
    seed = chance.randrange(len(tool.SEEDS))
    drawn = tool.pictures(row, count, 25, tool.SEEDS[seed], FEW)
    seen = scenes.count(drawn).at(scenes.lattice())[:, tool.ORDER[:count]]
    stored = torch.tensor(COUNTED[f"places/{row}/{count}"]["opacity"])
    gap = (seen - stored[25 * seed : 25 * seed + FEW]).abs()
    assert float(gap.median()) < 0.01 and float(gap.max()) < 0.03, (row, count, seed)
    solid = scenes.solid(seen, whole=scenes.WHOLE).all(1)
    _, low, high = metrics.proportion(int(solid.sum()), FEW, 3.0)
    share = scenes.solid(stored, whole=scenes.WHOLE).all(1).double().mean()
    assert low <= float(share) <= high


def test_fits():
    _, row = cell("fits/")
    drawn = tool.pictures(row, 9, 25, tool.SEEDS[0], FEW)
    stored = torch.tensor(COUNTED[f"fits/{row}"][:FEW])
    gap = (tool.fitted(drawn) - stored).abs()
    assert float(gap.median()) < 0.01 and float(gap.max()) < 0.03, row


def test_scores():
    _, row, count = cell("scores/")
    found, stored = tool.scores(row, int(count), 10), COUNTED[f"scores/{row}/{count}"]
    for sigma, values in stored.items():
        for name, value in values.items():
            again = torch.tensor(found[sigma][name])
            assert torch.allclose(again, torch.tensor(value), rtol=0.02, atol=2e-3), (row, count)


def test_diagnosis():
    _, row = cell("diagnosis/")
    found, stored = tool.diagnosis(row), COUNTED[f"diagnosis/{row}"]
    assert (found["kind"], found["title"]) == (stored["kind"], stored["title"])
    for name in ("defect", "claimed", "explained"):
        again, before = torch.tensor(found[name]), torch.tensor(stored[name])
        assert torch.allclose(again, before, rtol=0.05, atol=0.02), name
    assert found["leak"] == pytest.approx(stored["leak"], rel=0.02)
    assert found["cosine"] == pytest.approx(stored["cosine"], rel=0.02)
    assert found["spread"] == pytest.approx(stored["spread"], rel=0.05, abs=2e-4)
    assert found["share"] == pytest.approx(stored["share"], rel=0.2)


def test_colours():
    entry = random.Random(f"{SEED} colours").choice(sorted(COUNTED["colours"]))
    stored = COUNTED["colours"][entry]
    found = tool.coloured(entry, stored["n"])
    _, low, high = metrics.proportion(len(found["colours"]), found["n"])
    assert low <= len(stored["colours"]) / stored["n"] <= high
    again, before = (torch.tensor(part["colours"]).mean(0) for part in (found, stored))
    assert float((again - before).abs().max()) < 0.01, entry
