"""What is stored of the networks of emoji is drawn again: a few cells of every part of the file.

Which, the text of the tool and the file themselves decide: others after every change of either.
`PROJCOMP_CELL=7` picks others.
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
from projcomp.emoji import learned

TOOL = Path(__file__).parents[2] / "tools" / "count_learned_emoji.py"
SPEC = importlib.util.spec_from_file_location("count_learned_emoji", TOOL)
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)

COUNTED = json.loads(learned.COUNTS.read_text(encoding="utf-8"))
TEXT = TOOL.read_bytes() + learned.COUNTS.read_bytes()
SEED = os.environ.get("PROJCOMP_CELL", hashlib.sha256(TEXT).hexdigest())
QUICK = [way for way in tool.WAYS if way != "SMC, 32 particles"]


def share(source: str, kind: str, way: str, column: int = 0) -> float:
    rows = torch.tensor(COUNTED[f"cells/{source}/{kind}/{way}"], dtype=torch.float64)
    return float(rows[:, column].mean())


def test_every_part_is_there():
    cells = itertools.product(tool.SOURCES, tool.KINDS, tool.WAYS)
    wanted = {f"cells/{source}/{kind}/{way}" for source, kind, way in cells}
    for name, sigma in itertools.product(learned.SEEDS, tool.LEVELS):
        wanted |= {f"errors/{name}/{kind}/{sigma:g}" for kind in tool.TOLD}
        wanted |= {f"between/{name}/{kind}/{sigma:g}" for kind in ("content", "style")}
    assert set(COUNTED) == wanted
    for key, value in COUNTED.items():
        rows = torch.tensor(value, dtype=torch.float64)
        part = key.split("/")[0]
        assert rows.shape == {"cells": (learned.CONTENTS, 4), "errors": (4,), "between": (3,)}[part]
        assert float(rows.min()) >= 0 and bool(rows.isfinite().all())
        if part == "cells":
            both, content, style = rows[:, :3].T
            assert (
                bool((both <= torch.minimum(content, style) + 1e-9).all())
                and rows[:, :3].max() <= 1
            )


def test_seen_cells_are_seen_and_held_out_ones_are_not():
    there = tool.tables()["seen"].there
    table = tool.tables()["all"]
    for kind in tool.KINDS:
        places = [(table.contents.index(c), table.styles.index(s)) for c, s in tool.cells(kind)]
        assert [content for content, _ in places] == [*range(learned.CONTENTS)]
        assert {bool(there[place]) for place in places} == {kind == "seen"}


@pytest.mark.parametrize("source", tool.SOURCES)
def test_cells(source):
    """Sample by sample on one machine; elsewhere a sample in eight may end at another picture."""
    chance = random.Random(f"{SEED} {source}")
    gaps = []
    for _ in range(3):
        kind, way = chance.choice(tool.KINDS), chance.choice(QUICK)
        index = chance.randrange(learned.CONTENTS)
        found = tool.outcome(source, *tool.cells(kind)[index], way)
        stored = COUNTED[f"cells/{source}/{kind}/{way}"][index]
        gaps.append(max(abs(a - b) for a, b in zip(found[:3], stored[:3], strict=True)))
    assert sorted(gaps)[1] < 0.13, gaps


def test_errors():
    chance = random.Random(f"{SEED} errors")
    for part, measure in (("errors", tool.score_error), ("between", tool.between)):
        key = chance.choice([k for k in COUNTED if k.startswith(part) and "/content/" not in k])
        _, name, kind, sigma = key.split("/")
        found, stored = measure(name, kind, float(sigma)), COUNTED[key]
        assert all(abs(a - b) < 0.05 * b + 1e-3 for a, b in zip(found, stored, strict=True)), key
