"""The scripts of the network go with the pages that have a figure for it, and with no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from projcomp.widgets import assets

from tests.small_book import Book

FIGURE = """```{raw} html
<div class="pc-figure"><script type="application/json">{"kind": "words"}</script></div>
```
"""


@pytest.fixture
def book(tmp_path: Path) -> Book:
    book = Book(tmp_path)
    with (book.source / "conf.py").open("a", encoding="utf-8") as conf:
        conf.write('extensions.append("projcomp.sphinxnetwork")\n')
    return book


def test_a_page_with_the_figure_brings_its_network(book: Book) -> None:
    status, said = book.build(FIGURE)
    assert (status, said) == (0, "")
    folder = book.out / "_static" / assets.FOLDER
    assert {path.name for path in folder.iterdir()} == {"runtime.js", "model.js"}
    assert (folder / "model.js").read_text(encoding="utf-8").startswith("PROJCOMP_WIDGET.arrived(")
    assert "figures.js" in book.html
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert book.build(FIGURE + "More.\n")[0] == 0
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times


def test_a_book_without_it_stays_light(book: Book) -> None:
    assert book.build("Nothing alive.\n")[0] == 0
    assert not (book.out / "_static" / assets.FOLDER).exists()
