"""A chapter can be read in one sitting: how long its page is while nothing is unfolded."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.book.driving import open_page

MOST_PIXELS, MOST_WORDS = 12_000, 3_600
CHAPTERS = sorted((Path(__file__).parents[2] / "chapters").glob("[0-9]*.md"))
WORDS = """() => {
    const copy = document.querySelector(".bd-article").cloneNode(true);
    const folded = "details, .cell, .pc-figure, figcaption, pre, table, .math, script, .headerlink";
    copy.querySelectorAll(folded).forEach((node) => node.remove());
    return copy.textContent.split(/\\s+/).filter((word) => /[a-z]/i.test(word)).length;
}"""


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_is_read_in_one_sitting(browser: Browser, book: Path, chapter: Path) -> None:
    page = open_page(browser, book / "chapters" / f"{chapter.stem}.html")
    height = page.evaluate("document.querySelector('.bd-article').getBoundingClientRect().height")
    words = page.evaluate(WORDS)
    page.context.close()
    assert words <= MOST_WORDS
    assert height <= MOST_PIXELS
