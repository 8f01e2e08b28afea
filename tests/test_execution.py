"""Chapters executed side by side: once each, at the same time, and as if one after another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from projcomp.execution import Board, Chapter, cores, read_times

from tests.small_book import Book, cell

TOC = "```{toctree}\none\ntwo\n```\n\n"


NOTED = """import time
from pathlib import Path

def note(moment):
    with open({log!r}, "a") as log:
        print({name!r}, moment, file=log)

begin = time.time()
note(begin)
Path({log!r} + {name!r}).touch()
while not Path({log!r} + {other!r}).exists() and time.time() < begin + {patience}:
    time.sleep(0.05)
time.sleep({seconds})
note(time.time())
"""
PATIENCE = 20.0


def noted(log: Path, name: str, other: str, seconds: float, then: str) -> str:
    """A chapter that notes when it begins and ends, and doesn't end before another began."""
    said = {"log": str(log), "name": name, "other": other, "seconds": seconds}
    return cell(NOTED.format(patience=PATIENCE, **said) + then)


def read(log: Path) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        name, moment = line.split()
        found.setdefault(name, []).append(float(moment))
    log.unlink()
    return found


def build(tmp_path: Path, seconds: float, **then: str) -> tuple[int, str, dict[str, list[float]]]:
    """A book of two chapters, built (again) in tmp_path."""
    log = tmp_path / "log"
    log.touch()
    book = Book.__new__(Book)
    book.source, book.out = tmp_path / "source", tmp_path / "out" / "html"
    if not book.source.exists():
        book = Book(tmp_path)
    pairs = (("one", "two"), ("two", "one"))
    chapters = {a: noted(log, a, b, seconds, then.get(a, "")) for a, b in pairs}
    status, said = book.build(TOC, chapters)
    return status, said, read(log)


@pytest.mark.skipif(cores() < 2, reason="needs two cores")
def test_chapters_run_at_the_same_time_and_once(tmp_path):
    status, said, found = build(tmp_path, 1.0)
    assert status == 0, said
    assert {name: len(moments) for name, moments in found.items()} == {"one": 2, "two": 2}
    assert found["one"][0] < found["two"][1] and found["two"][0] < found["one"][1]
    assert "executing chapters... [100%]" in said
    times = read_times(tmp_path / "out" / "times.json")
    assert {"one", "two"} <= set(times)
    for name, (begin, end) in found.items():
        assert times[name] > end - begin > 1.0
    # What is in the cache is not executed again, and an edited chapter alone.
    assert build(tmp_path, 1.0)[2] == {}
    status, said, found = build(tmp_path, 1.0, two="print('more')")
    assert status == 0 and set(found) == {"two"}


@pytest.mark.skipif(cores() < 2, reason="needs two cores")
def test_a_chapter_that_fails_is_named_and_the_others_are_kept(tmp_path):
    status, said, _ = build(tmp_path, 0.0, two="print(1 / 0)")
    assert status != 0
    assert "two" in said and "ZeroDivisionError" in said
    status, said, found = build(tmp_path, 0.0, two="print(1)")
    assert status == 0 and set(found) == {"two"}


def chapter(name: str, seconds: float) -> Chapter:
    return Chapter(name, Path(name), None, {}, seconds)


def test_what_is_left_is_told_by_what_is_done(capsys):
    """Of 100 s guessed 40 are done, in twice their time; two kernels share the rest."""
    chapters = [chapter("a", 40.0), chapter("b", 60.0)]
    board = Board(chapters, 2)
    board.begin(chapters[0])
    board.begun["a"] -= 80.0
    board.end(chapters[0])
    assert board.left() == pytest.approx(2 * 60 / 2, rel=0.01)
    assert "[ 50%] a took 80 s, about 60 s left" in capsys.readouterr().out
    board.begin(chapters[1])
    board.begun["b"] -= 500.0
    assert board.left() == 0.0


def test_times_that_cannot_be_read_are_none(tmp_path):
    assert read_times(tmp_path / "times.json") == {}
    (tmp_path / "times.json").write_text("{", encoding="utf-8")
    assert read_times(tmp_path / "times.json") == {}
    (tmp_path / "times.json").write_text(json.dumps({"a": 1.0}), encoding="utf-8")
    assert read_times(tmp_path / "times.json") == {"a": 1.0}
