"""Checks and code under what they show, through a small book built from nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_book import CONF, FIGURE, WORDS, Book, cell

CHECK = ":tags: [check]\n"
HIDDEN = ":tags: [hide-input]\n"
FOLDED_FIGURE = WORDS.replace("---\nmystnb", "---\ntags: [hide-input]\nmystnb")
PAGE = (
    cell("left = 1", HIDDEN)
    + cell(FIGURE, FOLDED_FIGURE)
    + "Prose.\n\n(check-sum)=\n**Check.** Two ways to add.\n\n"
    + cell('print("beside")\nassert 1 + 1 == 2\nprint(f"✓ checked: 1 + 1 < {1 + 2} & all")', CHECK)
    + "Not a check.\n\n"
    + cell('print("✓ checked: alone")', CHECK)
    + cell("alone = 2", HIDDEN)
    + "The end.\n"
)
FOLD = re.compile(r"<details class=\"pc-check\".*?</details>", re.S)


def new_book(folder: Path) -> Book:
    book = Book(folder)
    conf = CONF.replace('"projcomp.sphinxext"', '"projcomp.sphinxext", "projcomp.sphinxfold"')
    (book.source / "conf.py").write_text(conf, encoding="utf-8")
    return book


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    book = new_book(tmp_path_factory.mktemp("folds"))
    status, said = book.build(PAGE)
    assert status == 0, said
    return book.html


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_check_is_the_line_that_it_prints_and_opens_on_the_rest(html: str) -> None:
    first, second = FOLD.findall(html)
    assert 'id="check-sum"' in first.partition(">")[0]
    assert html.count('id="check-sum"') == 1
    line, _, rest = first.partition("</summary>")
    assert plain(line) == "✓ checked: 1 + 1 &lt; 3 &amp; all"
    assert plain(rest).startswith("Check. Two ways to add. print")
    assert plain(rest).endswith("beside")
    assert plain(second.partition("</summary>")[0]) == "✓ checked: alone"


def test_what_is_no_introduction_stays_outside(html: str) -> None:
    outside = plain(FOLD.sub("", html))
    assert "Prose. Not a check." in outside
    assert "Two ways" not in outside


def test_the_code_of_a_figure_comes_after_it_with_what_was_set_up_before(html: str) -> None:
    assert html.index("<img") < html.index("Show code cell source")
    folds = re.findall(r"<details class=\"admonition hide.*?</details>", html, re.S)
    assert len(folds) == 2
    assert plain(folds[0]).index("left = 1") < plain(folds[0]).index("matplotlib")
    assert "alone = 2" in plain(folds[1])


def test_a_check_that_says_nothing_fails_the_build(tmp_path: Path) -> None:
    status, said = new_book(tmp_path).build(cell('print("checked")', CHECK))
    assert status != 0
    assert "a check prints no line" in said


def test_it_loads_no_torch() -> None:
    code = (
        "import sys, projcomp.sphinxfold, projcomp.sphinxplaces; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


GONE = 'projcomp_gone = {"fig-old": "the-heir", "fig-lost": "nowhere"}\n'


def test_places_that_are_no_more_must_lead_somewhere(tmp_path: Path) -> None:
    book = Book(tmp_path)
    conf = CONF.replace('"projcomp.sphinxext"', '"projcomp.sphinxext", "projcomp.sphinxplaces"')
    (book.source / "conf.py").write_text(conf + GONE, encoding="utf-8")
    status, said = book.build("## The heir\n\nText.\n")
    assert status != 0
    assert "fig-lost leads to nowhere, which is nowhere" in said
    assert "fig-old" not in said
