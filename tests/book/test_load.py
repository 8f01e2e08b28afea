"""What a page asks for when it is opened, and in which order its formulas come."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import projcomp
import pytest
from playwright.sync_api import Browser

from tests.book.driving import TYPESET

BYTES, REQUESTS = 2.5e6, 20
# Of the formulas: how far from the view each was set, and how many times some were set at once.
WATCH = """() => addEventListener("readystatechange", () => {
    window.distances = [];
    window.times = 0;
    const far = ({ top, bottom }) => Math.max(0, top - innerHeight, -bottom);
    new MutationObserver((changes) => {
        const set = changes.flatMap(({ addedNodes }) => [...addedNodes])
            .filter(({ nodeName }) => nodeName === "MJX-CONTAINER");
        window.distances.push(...set.map((formula) => far(formula.getBoundingClientRect())));
        window.times += set.length > 0;
    }).observe(document.body, { childList: true, subtree: true });
}, { once: true, capture: true })"""


@pytest.fixture(scope="module")
def asked(browser: Browser, chapter: Path) -> list[Path]:
    """The files that a reader's browser asks for before anything is done."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.goto(chapter.as_uri())
    page.evaluate(TYPESET)
    page.wait_for_load_state("networkidle")
    page.close()
    return [Path(unquote(urlsplit(url).path)) for url in urls if url.startswith("file:")]


def test_a_page_is_light(asked: list[Path]) -> None:
    sizes = {path: path.stat().st_size for path in asked}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    assert sum(sizes.values()) <= BYTES, largest
    assert len(asked) <= REQUESTS, asked


def test_mathjax_is_where_formulas_are(asked: list[Path], chapter: Path) -> None:
    has_formulas = 'class="math' in chapter.read_text(encoding="utf-8")
    assert any("mathjax" in path.parts for path in asked) == has_formulas


@pytest.mark.parametrize("fragment", ["", "#check-blocks"])
def test_formulas_near_the_reader_are_set_first(
    browser: Browser, book: Path, fragment: str
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(f"({WATCH})()")
    page.goto((book / "chapters" / "10-the-path.html").as_uri() + fragment)
    page.evaluate(TYPESET)
    distances, times = page.evaluate("[distances, times]")
    page.close()
    assert 0 in distances[:4]
    assert len(distances) > 400
    assert times > 10


def test_text_and_code_have_faces_of_the_book(browser: Browser, book: Path) -> None:
    page = browser.new_page()
    page.goto((book / "chapters" / "01-noise-and-scores.html").as_uri())
    page.evaluate("document.fonts.ready")
    loaded = "[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)"
    faces = {family.strip('"') for family in page.evaluate(loaded)}
    page.close()
    assert faces >= {"Book Text", "Book Code"}
    fonts = (Path(projcomp.__file__).parent / "assets").glob("*.woff2")
    assert sum(font.stat().st_size for font in fonts) < 150e3
