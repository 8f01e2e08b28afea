"""What other programs read of the built pages."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from matplotlib.image import imread

from tests.book.conftest import HTML, ROOT, chapters

TITLE = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["title"]
PAGES = ["index", "search", "genindex", *chapters()]


class Head(HTMLParser):
    """A page's metas by name or property, its links by relation, its title."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.metas: dict[str, list[str]] = {}
        self.links: dict[str, str] = {}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or given.get("property")
        if tag == "meta" and name:
            self.metas.setdefault(name, []).append(given["content"])
        if tag == "link":
            self.links[given["rel"]] = given["href"]


@pytest.fixture(params=PAGES, ids=lambda name: Path(name).name)
def path(request: pytest.FixtureRequest, book: Path) -> Path:
    return book / f"{request.param}.html"


def test_page_has_one_description_and_a_card(path: Path) -> None:
    metas = Head(path).metas
    (said,) = metas["description"]
    assert 50 <= len(said) <= 220
    assert said[-1] in ".?!" and not set("\\$\n") & set(said)
    assert metas["og:description"] == [said]
    assert metas["og:site_name"] == [TITLE]
    assert len(metas["og:title"]) == len(metas["og:type"]) == 1


def test_page_has_the_icon(path: Path) -> None:
    icon = path.parent / Head(path).links["icon"]
    assert icon.stat().st_size < 1000
    assert ElementTree.parse(icon).getroot().tag.endswith("svg")


def test_no_address_is_claimed_that_is_not_known(path: Path) -> None:
    """All of the links, or none: as the book was built."""
    head = Head(path)
    address = head.metas.get("og:url", [None])[0]
    assert head.links.get("canonical") == address
    assert ("og:image" in head.metas) == ("twitter:card" in head.metas) == (address is not None)


def test_descriptions_differ() -> None:
    said = [Head(HTML / f"{name}.html").metas["description"][0] for name in chapters()]
    assert len(set(said)) == len(said)


def test_card_has_a_picture(book: Path) -> None:
    picture = imread(book / "_static" / "card.png")
    assert picture.shape[:2] == (630, 1200)
    assert (book / "_static" / "card.png").stat().st_size < 600_000
    below = picture[250:, :, :3]
    assert (below.max(-1) - below.min(-1) > 0.2).mean() > 0.01, "no figure below the name"


def test_hosts_serve_every_file(book: Path) -> None:
    """GitHub leaves out what begins with an underscore, but for this file."""
    assert (book / ".nojekyll").is_file()
