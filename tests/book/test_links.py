"""The built files: every internal link leads somewhere, and every name is given once."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser


class Names(HTMLParser):
    """The ids of a page, the targets of its links, and the names of its live figures."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.figures: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(given["id"])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])

    def handle_data(self, data: str) -> None:
        if self.get_starttag_text() == '<script type="application/json">':
            self.figures.append(json.loads(data)["name"])


@cache
def names(path: Path) -> Names:
    parser = Names()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def leads_somewhere(link: str, page: Path, book: Path) -> bool:
    url = urlsplit(link)
    if url.scheme in {"http", "https", "mailto"}:
        return True
    target = (page.parent / unquote(url.path)).resolve() if url.path else page
    if not target.is_file() or not target.is_relative_to(book):
        return False
    fragment = unquote(url.fragment)
    if fragment.startswith("pc-"):
        return fragment.removeprefix("pc-").split("?")[0] in names(target).figures
    return not fragment or fragment in names(target).ids


def test_internal_links_resolve(chapter: Path, book: Path) -> None:
    links = names(chapter).links
    assert [link for link in links if not leads_somewhere(link, chapter, book)] == []


def test_ids_are_unique(chapter: Path) -> None:
    assert [name for name, count in Counter(names(chapter).ids).items() if count > 1] == []


def test_index_opens_the_book(browser: Browser, book: Path) -> None:
    """A double click on index.html, with the network off."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((book / "index.html").as_uri())
    page.wait_for_url(f"{book.as_uri()}/chapters/index.html", timeout=10_000)
    assert page.locator(".bd-article h1").is_visible()
    context.close()
