"""The built book and a browser without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.book.driving import open_page

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# A busy machine may take its time; what never comes still fails.
expect.set_options(timeout=30_000)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def chapters() -> list[str]:
    """The book's pages, in reading order, from its table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *(page["file"] for part in toc["parts"] for page in part["chapters"])]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def book() -> Path:
    """The folder of the built book."""
    missing = [name for name in chapters() if not (HTML / f"{name}.html").exists()]
    if missing:
        pytest.fail(f"the book is not built (no {missing[0]}.html): run `make book`", pytrace=False)
    return HTML


@pytest.fixture(scope="module", params=chapters(), ids=lambda name: Path(name).name)
def chapter(request: pytest.FixtureRequest, book: Path) -> Path:
    """One built page after another."""
    return book / f"{request.param}.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.fail("no Chromium or Chrome on PATH: install one (Debian: chromium)", pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, path: Path) -> Iterator[Page]:
    """The page at the module's `path`, opened; the browser must have nothing to complain of."""
    opened = open_page(browser, path)
    problems: list[str] = []
    opened.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    yield opened
    opened.context.close()
    assert not problems
