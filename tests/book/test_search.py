"""Searching the built book: opened from its file with the network off, and served by a host."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.book.driving import TYPESET

WORD, WHERE = "opacity", "chapters/07-counting-objects"


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module", params=["file", "host"])
def address(request: pytest.FixtureRequest, book: Path) -> Iterator[str]:
    if request.param == "file":
        yield book.as_uri()
        return
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=book)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The book's first chapter. Nothing may go wrong, and nothing but the book be asked for."""
    context = browser.new_context(offline=address.startswith("file"))
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda r: r.url.startswith((address, "data:")) or problems.append(r.url))
    page.goto(f"{address}/chapters/01-noise-and-scores.html")
    page.evaluate(TYPESET)
    yield page
    context.close()
    assert not problems


def search(page: Page, words: str) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=*")
    expect(page.locator(".search-summary")).to_contain_text("found")


def index(book: Path) -> dict:
    text = (book / "searchindex.js").read_text(encoding="utf-8")
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def test_a_word_of_the_text_is_found_with_what_stands_around_it(page: Page, book: Path) -> None:
    assert not [title for title in index(book)["alltitles"] if WORD in title.lower()]
    search(page, WORD)
    result = page.locator("ul.search li").filter(has=page.locator(f"a[href^='{WHERE}.html']"))
    excerpt = result.locator(".context")
    assert re.fullmatch(WORD, excerpt.locator("mark").first.inner_text(), re.I)
    assert 60 < len(excerpt.inner_text()) < 400


def test_a_result_leads_to_the_section_that_holds_the_word(page: Page) -> None:
    search(page, WORD)
    page.locator(f"ul.search a[href^='{WHERE}.html']").click()
    page.wait_for_url(f"**/{WHERE}.html#*")
    section = page.evaluate("document.querySelector(location.hash).textContent")
    assert WORD in section.lower()
    page.evaluate(TYPESET)


def test_every_result_shows_a_form_of_the_word(page: Page) -> None:
    """What the index knows of it is "densiti", which is on no page."""
    search(page, "density")
    results = page.locator("ul.search li")
    assert results.count() > 5
    for result in results.all():
        assert re.match("densit(y|ies)$", result.locator("mark").first.inner_text(), re.I)


def test_a_form_that_is_nowhere_finds_those_that_are(page: Page) -> None:
    search(page, "remedies")
    assert page.locator("ul.search mark").all_inner_texts() == ["remedy"]


def test_nothing_found_is_said(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("zyzzyva")
    page.keyboard.press("Enter")
    expect(page.locator(".search-summary")).to_contain_text("did not match")
    assert page.locator("ul.search li").count() == 0


def test_every_page_is_there(book: Path) -> None:
    script = (book / "_static" / "searchtext.js").read_text(encoding="utf-8")
    pages = json.loads(script[script.index("{") : script.rindex("}") + 1])
    assert sorted(pages) == sorted(index(book)["docnames"])
    assert all(heading and id_ for sections in pages.values() for id_, heading, *_ in sections)
