"""What captions and prose ask a reader to do, done: the figure then shows what they promise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.book.conftest import chapters
from tests.book.driving import figure, open_page, state

ATLAS = "chapters/09-failure-atlas"


def links(page: Page, name: str = "") -> list[Locator]:
    """The links of a page that set a figure."""
    return page.locator(f".bd-article a[href^='#pc-{name}'][href*='?']").all()


def told(found: Locator, key: str):
    """A number of the figure's read-out, once it has one."""
    found.page.wait_for_function(
        "([figure, key]) => figure.pcModel.get('readout')[key] !== undefined",
        arg=[found.element_handle(), key],
    )
    return state(found, "readout")[0][key]


def settled(found: Locator, holds: Callable[[], bool]) -> None:
    """Waits until the figure has worked out something that holds."""
    for _ in range(100):
        if holds():
            return
        found.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert holds()


@pytest.mark.parametrize("name", chapters())
def test_every_link_in_the_prose_sets_its_figure(browser: Browser, book: Path, name: str):
    page = open_page(browser, book / f"{name}.html")
    for link in links(page):
        target, _, query = unquote(link.get_attribute("href")).removeprefix("#pc-").partition("?")
        found = figure(page, target)
        link.click()
        for key, text in parse_qsl(query):
            (value,) = state(found, key)
            assert value == (text if isinstance(value, str) else json.loads(text)), (target, key)
        expect(found.locator(".pc-notice")).to_be_hidden()
    page.context.close()


@pytest.fixture
def atlas(browser: Browser, book: Path):
    page = open_page(browser, book / f"{ATLAS}.html")
    yield page
    page.context.close()


def test_a_round_background_mends_the_shadows(atlas: Page):
    found = figure(atlas, "atlas-dependent")
    assert told(found, "first") > 0.1 and told(found, "second") > 0.1
    links(atlas, "atlas-dependent")[0].click()
    settled(found, lambda: max(told(found, "first"), told(found, "second")) < 1e-3)
