"""The chapters' text: the map tells the truth, and every chapter has the parts it should."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "chapters").glob("*.md"))
CHAPTERS = [path for path in PAGES if path.name[0].isdigit()]
NOTEBOOKS = [path for path in PAGES if "{code-cell}" in path.read_text(encoding="utf-8")]
INDEX = (ROOT / "chapters" / "index.md").read_text(encoding="utf-8")
MAP_PAGE = (ROOT / "chapters" / "map.md").read_text(encoding="utf-8")

CELL = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```$", re.S | re.M)
STATEMENT = re.compile(r"^:::\{prf:(\w+)\}.*\n:label: (\S+)$", re.M)
ROW = re.compile(r"^\| (?!statement|\*\*|---)(.+)\|$", re.M)
NEEDS_PROOF = {"proposition", "theorem", "lemma", "corollary"}
LIVE = re.compile(r"pc\.(Explorer|Sandbox|Square|Lattice|Prompt|TextPrompt)(\.from_preset)?\(")


@dataclass
class Statement:
    """A numbered directive: its kind, and the text up to the next statement or heading."""

    kind: str
    after: str


def statements(text: str) -> dict[str, Statement]:
    found = {}
    for match in STATEMENT.finditer(text):
        rest = text[match.end() :]
        stop = re.search(r"^(:::\{prf:(?!proof)|##? )", rest, re.M)
        found[match[2]] = Statement(match[1], rest[: stop.start()] if stop else rest)
    return found


def checked_cell(text: str, label: str) -> str | None:
    """The first code cell after a check's label, if it comes before the next label or heading."""
    _, found, rest = text.partition(f"({label})=\n")
    cell = CELL.search(rest) if found else None
    if cell is None or re.search(r"^(\([\w-]+\)=|#+ )", rest[: cell.start()], re.M):
        return None
    return cell[1]


def figure_cell(text: str, label: str) -> str | None:
    return next(
        (c[1] for c in CELL.finditer(text) if re.search(rf"name: {label}$", c[1], re.M)), None
    )


ALL_TEXT = "\n".join(path.read_text(encoding="utf-8") for path in CHAPTERS)
ALL_STATEMENTS = statements(ALL_TEXT)
MAP = [[cell.strip() for cell in match[1].split("|")] for match in ROW.finditer(MAP_PAGE)]


def test_the_map_was_found():
    assert len(MAP) > 20
    assert all(len(row) == 5 for row in MAP)


@pytest.mark.parametrize("row", MAP, ids=lambda row: row[0])
def test_map_row_is_true(row):
    name, stated, *rest = row
    if stated == "to come":
        assert not any(rest), f"{name}: claims {rest} before it is stated"
        return
    proof, checks, live = rest
    (label,) = re.findall(r"\{prf:ref\}`([\w-]+)`", stated)
    statement = ALL_STATEMENTS[label]
    if proof == "proved":
        assert statement.kind in NEEDS_PROOF
        assert "{prf:proof}" in statement.after, f"{label} has no proof below it"
    else:
        assert (proof, statement.kind) == ("definition", "definition")
    labels = re.findall(r"\]\(#([\w-]+)\)", checks)
    assert labels, f"{label} is checked nowhere"
    for check in labels:
        cell = checked_cell(ALL_TEXT, check)
        assert cell is not None, f"{check} leads to no code cell"
        assert re.search(r"^\s*assert ", cell, re.M), f"{check} asserts nothing"
    for figure in re.findall(r"\{numref\}`([\w-]+)`", live):
        cell = figure_cell(ALL_TEXT + INDEX, figure)
        assert cell is not None, f"{figure} is not a figure"
        assert LIVE.search(cell), f"{figure} has no controls"


def test_every_label_is_given_once():
    label = r"^(?:\(([\w-]+)\)=|:label: ([\w-]+)| +name: (fig-[\w-]+))$"
    texts = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    given = Counter("".join(match) for match in re.findall(label, texts, re.M))
    assert len(given) > 300
    assert [name for name, times in given.items() if times > 1] == []


def test_every_statement_is_on_the_map():
    on_map = set(re.findall(r"\{prf:ref\}`([\w-]+)`", MAP_PAGE))
    assert set(ALL_STATEMENTS) == on_map


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_has_its_parts(path):
    text = path.read_text(encoding="utf-8")
    for label, statement in statements(text).items():
        if statement.kind in NEEDS_PROOF:
            assert "{prf:proof}" in statement.after, f"{label} has no proof"
    exercises = re.findall(r"^:::\{exercise\}\n:label: (\S+)$", text, re.M)
    assert len(exercises) >= 3
    for label in exercises:
        _, found, solution = text.partition(f":::{{solution-start}} {label}\n:class: dropdown\n")
        assert found, f"{label} has no folded solution"
        cells = CELL.findall(solution.partition(":::{solution-end}")[0])
        assert any("assert " in cell for cell in cells), f"the solution of {label} asserts nothing"
    assert "(A proof.)" in text
    assert "(Code.)" in text
    for heading in ("## Summary", "## Exercises", "## Further reading"):
        assert f"\n{heading}\n" in text
    assert LIVE.search(text), "the chapter has no live figure"


def unfolded(path: Path) -> str:
    """A chapter without the solutions of its exercises, which are folded as a whole."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^:::\{solution-start\}.*?^:::\{solution-end\}", "", text, flags=re.S | re.M)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_check_is_folded_or_shows_its_result(path):
    text = unfolded(path)
    for label in re.findall(r"^\((check-[\w-]+)\)=$", text, re.M):
        cell = checked_cell(text, label)
        if cell is None:  # a sentence that says where the check has gone
            assert f"](#{label})" not in MAP_PAGE
            continue
        head = cell.partition("\n---\n")[0] if cell.startswith("---") else cell.partition("\n")[0]
        assert re.search(r"^ *assert ", cell, re.M), f"{label} asserts nothing"
        if re.search(r"tags: \[check\]", head):
            line = re.search(r"print\(\s*f?\"✓ checked: ", cell)
            assert line, f"{label} says nothing of what it checked"
            assert "{" in cell[line.start() :], f"{label} says no number that it computed"
        else:
            assert "hide-input" in head, f"{label} is not folded"
            assert "pc.Table(" in cell or "name: fig-" in cell, f"{label} has no result to show"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_visible_code_is_short(path):
    for cell in CELL.findall(unfolded(path)):
        if not re.search(r"tags: \[(check|hide-input|hide-cell|remove-input)\]", cell):
            assert len(cell.strip().splitlines()) <= 12, f"long code in the open: {cell[:200]}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_cells_are_fit_to_print(path):
    text = path.read_text(encoding="utf-8")
    for cell in CELL.findall(text):
        head, _, body = cell.rpartition("\n---\n") if cell.startswith("---") else ("", "", cell)
        if LIVE.search(body) or re.search(r"plots\.(panels|shadows)\(", body):
            assert "name: fig-" in head, f"a figure without a name: {body[:80]}"
            words = body if LIVE.search(body) else head
            assert "caption:" in head and re.search(r"alt[:=]", words), f"no words for {body[:80]}"
        long = [line for line in body.splitlines() if len(line) > 84]
        assert not long, f"too long for the page: {long}"
        assert not re.search(r"manual_seed\((?!\d+\)|seed\))|np\.random", body)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_front_matter_is_canonical(path):
    head = path.read_text(encoding="utf-8").split("---\n")[1]
    assert head == (
        "jupytext:\n  formats: md:myst\n  text_representation:\n    extension: .md\n"
        "    format_name: myst\n    format_version: 0.13\n"
        "kernelspec:\n  display_name: Python 3 (ipykernel)\n  language: python\n  name: python3\n"
    )


def test_every_citation_is_used_and_known():
    entries = set(
        re.findall(r"^@\w+\{([\w-]+),", (ROOT / "chapters" / "references.bib").read_text(), re.M)
    )
    cited = set()
    for path in PAGES:
        for keys in re.findall(r"\{cite(?::[pt])?\}`([^`]+)`", path.read_text(encoding="utf-8")):
            cited |= {key.strip() for key in keys.split(",")}
    assert cited == entries


def test_chapters_go_through_a_notebook_unchanged():
    done = subprocess.run(
        [sys.executable, "-m", "jupytext", "--test", "--to", "notebook", *map(str, NOTEBOOKS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
