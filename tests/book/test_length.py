"""A chapter can be read in one sitting: how long its page is while nothing is unfolded."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.book.driving import mount_all, open_page

MOST_PIXELS, MOST_WORDS = 12_000, 3_600
OTHER_BROWSERS = 1.01  # set a line a little higher
CHAPTERS = sorted((Path(__file__).parents[2] / "chapters").glob("[0-9]*.md"))
WORDS = """() => {
    const copy = document.querySelector(".bd-article").cloneNode(true);
    const folded = "details, .cell, .pc-figure, figcaption, pre, table, .math, script, .headerlink";
    copy.querySelectorAll(folded).forEach((node) => node.remove());
    return copy.textContent.split(/\\s+/).filter((word) => /[a-z]/i.test(word)).length;
}"""
# Far formulas and pictures come last.
COMPLETE = """() => {
    for (const picture of document.querySelectorAll("img[loading=lazy]")) picture.loading = "eager";
    const shown = (node) => !node.closest("details:not([open])");
    return [...document.querySelectorAll(".bd-article .math")].filter(shown)
            .every((formula) => formula.querySelector("mjx-container"))
        && [...document.images].filter(shown).every((picture) => picture.complete);
}"""


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_is_read_in_one_sitting(browser: Browser, book: Path, chapter: Path) -> None:
    page = open_page(browser, book / "chapters" / f"{chapter.stem}.html")
    mount_all(page)
    page.wait_for_function(COMPLETE)
    height = page.evaluate("document.querySelector('.bd-article').getBoundingClientRect().height")
    words = page.evaluate(WORDS)
    page.context.close()
    assert words <= MOST_WORDS
    assert height <= OTHER_BROWSERS * MOST_PIXELS
