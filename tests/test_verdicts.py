"""Verdicts beside truths: the stored ones are drawn again, and tables say what they should.

Which one is drawn again, the text of the benchmark and the file decide: another one after every
change of either. `PROJCOMP_CELL=7` picks another.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import random
import sys
from pathlib import Path

import projcomp as pc
import pytest
import torch

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))
learned, verdicts = importlib.import_module("learned"), importlib.import_module("verdicts")

STORED = verdicts.read(verdicts.STORED)
FILES = [*(FOLDER / f"{name}.py" for name in ("problems", "learned", "verdicts")), verdicts.STORED]
SEED = os.environ.get(
    "PROJCOMP_CELL", hashlib.sha256(b"".join(file.read_bytes() for file in FILES)).hexdigest()
)


def test_every_composition_is_stored():
    """Twenty problems, half of them factorized, each at three levels of training."""
    assert len(STORED) == 60
    assert sum(one["kind"] == "factorized" for one in STORED.values()) == 30
    for key, one in STORED.items():
        assert key == f"{one['problem']}/{one['level']}"
        assert one["problem"].startswith(f"{one['n']}-{one['kind']}")
        assert set(one["forecasts"]) == set(verdicts.FORECASTS)
        assert {one[rule] for rule in verdicts.RULES} <= set(verdicts.KINDS)
        broken = max(one["defects"]) >= 0.1 and one["missed"] >= 0.1
        assert broken == (one["kind"] != "factorized") == (max(one["defects"]) > 0)


def test_a_diagnosis_comes_again(monkeypatch, tmp_path):
    """Trained and diagnosed from nothing, as far as processors round alike."""
    monkeypatch.setattr(learned, "FOLDER", tmp_path)
    small = [key for key, one in STORED.items() if one["n"] <= 8 and one["level"] == "little"]
    key = random.Random(SEED).choice(sorted(small))
    stored = STORED[key]
    problem = next(p for p in verdicts.problems([stored["n"]]) if p.name == stored["problem"])
    found = verdicts.entry(problem, 0)
    assert list(found) == list(stored)
    for name in ("n", "kind", "level", "verdict", "title", "control", "evaluations"):
        assert found[name] == stored[name], (key, name)
    for name in ("score errors", "defects", "missed"):
        assert found[name] == pytest.approx(stored[name], rel=0.02), (key, name)
    for name in ("exchange", "claimed"):
        for (value, error), (wanted, spread) in zip(found[name], stored[name], strict=True):
            assert abs(value - wanted) < 0.2 * spread, (key, name)
            assert error == pytest.approx(spread, rel=0.1), (key, name)
    for name, wanted in stored["forecasts"].items():
        close = pytest.approx(wanted, rel=0.02, abs=0.005)
        assert found["forecasts"][name] == close, (key, name)


def made(kind: str, verdict: str, control: str = "unknown", level="little", n=2) -> dict:
    return {"problem": f"{n}-{kind}", "kind": kind, "level": level, "n": n,
            "verdict": verdict, "control": control}  # fmt: skip


@pytest.mark.parametrize(
    "kind, right, wrong",
    [("factorized", ("exact", "score"), ("path", "target", "both", "none")),
     ("tied", ("path", "target", "both"), ("exact", "score", "none"))],
)  # fmt: skip
def test_outcomes_are_those_fixed_beforehand(kind, right, wrong):
    assert {verdicts.outcome(made(kind, one)) for one in right} == {"right"}
    assert {verdicts.outcome(made(kind, one)) for one in wrong} == {"wrong"}
    assert verdicts.outcome(made(kind, "unknown")) == "cannot tell"
    assert verdicts.outcome(made(kind, "exact", right[0]), "control") == "right"


def test_a_table_counts_truths_and_verdicts(capsys):
    rows = [made("factorized", "exact"), made("factorized", "score", level="most"),
            made("factorized", "both", n=8), made("tied", "path"),
            made("also", "unknown")]  # fmt: skip
    verdicts.confusion(rows, "verdict")
    lines = capsys.readouterr().out.splitlines()
    table = {line.split()[0]: line.split()[1:] for line in lines[3:5]}
    assert table == {"factorized": list("1100100"), "broken": list("0010010")}
    outcomes = {line[:14].strip(): line[14:] for line in lines[6:]}
    assert "n = 64" not in outcomes
    for name, wanted in (("all", "311"), ("factorized", "201"), ("broken", "110"),
                         ("most", "100"), ("little", "211"), ("n = 8", "001")):  # fmt: skip
        cells = outcomes[name].split("]")
        assert [cell.split()[0] for cell in cells[:3]] == list(wanted), name
    _, low, high = pc.metrics.proportion(3, 5)
    assert outcomes["all"].startswith(f"   3 [{low:4.0%}, {high:4.0%}]")


def test_areas_are_shares_of_pairs():
    """Of every pair of a broken and a factorized one, as often as a draw holds both."""
    generator = verdicts.seeded(3)
    values = torch.randint(4, (9,), generator=generator).double()
    broken = torch.arange(9) % 2 == 0
    counts = torch.randint(3, (2, 9), generator=generator).double()
    for row, found in zip(counts, verdicts.areas(values, broken, counts), strict=True):
        hits = pairs = 0.0
        for i in broken.nonzero()[:, 0].tolist():
            for j in (~broken).nonzero()[:, 0].tolist():
                often = float(row[i] * row[j])
                hits += often * (float(values[i] > values[j]) + float(values[i] == values[j]) / 2)
                pairs += often
        assert float(found) == pytest.approx(hits / pairs, rel=1e-12)


def test_levels_of_a_problem_are_drawn_together():
    rows = [made("tied", "both", level=level, n=n) for n in (2, 8, 64) for level in "abc"]
    draws = verdicts.redraws(rows)
    assert torch.equal(draws[:, ::3], draws[:, 1::3]) and torch.equal(draws[:, ::3], draws[:, 2::3])
    assert bool((draws[:, ::3].sum(1) == 3).all())
    one, two = draws[:, 0], draws[:, 3]
    assert abs(float(one.mean()) - 1) < 4 * float(one.std()) / len(draws) ** 0.5
    assert not torch.equal(one, two)


def test_what_is_stored_is_printed_again(tmp_path, capsys):
    file = tmp_path / "verdicts.json"
    few = {key: one for key, one in STORED.items() if one["n"] == 2}
    verdicts.write(file, few)
    assert json.loads(file.read_text()) == few
    assert verdicts.main(["--stored", "--file", str(file)]) == 0
    said = capsys.readouterr().out
    for one in few.values():
        assert verdicts.row(one) in said
    assert "12 compositions, by the rule for exact scores" in said
    assert all(f"\n{name}" in said for name in verdicts.FORECASTS)


def test_what_is_stored_is_not_done_again(monkeypatch, tmp_path, capsys):
    """Only what is missing is diagnosed; each is kept as soon as it is there."""
    file = tmp_path / "verdicts.json"
    few = {key: one for key, one in STORED.items() if one["n"] == 2}
    missing = "2-tied/some"
    verdicts.write(file, {key: one for key, one in few.items() if key != missing})
    asked = []

    def entry(problem, level):
        asked.append((problem.name, level))
        return few[missing]

    monkeypatch.setattr(verdicts, "entry", entry)
    verdicts.main(["--dims", "2", "--store", "--file", str(file)])
    assert asked == [("2-tied", 1)]
    assert verdicts.read(file) == few
    assert verdicts.row(few[missing]) in capsys.readouterr().out
