"""Old addresses: of pages that have changed their names, and of places that have changed pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.book.driving import open_page

MOVED = [
    ("06-counting-objects", "07-counting-objects"),
    ("07-feature-space", "09-feature-space"),
    ("08-the-path", "10-the-path"),
    ("09-failure-atlas", "11-failure-atlas"),
    ("10-repair", "12-repair"),
    ("11-foretelling", "13-foretelling"),
]
PLACES = [
    ("05-which-background", "check-speck", "06-nearly-factorized"),
    ("06-counting-objects", "check-counting-learned", "08-learned-objects"),
    ("07-counting-objects", "check-colour-pairs", "13-foretelling"),
    ("08-the-path", "cor-commute", "10-the-path"),
    ("10-repair", "thm-weights", "12-repair"),
]


@pytest.mark.parametrize(("old", "new"), MOVED)
def test_an_old_page_leads_to_the_new_one(browser: Browser, book: Path, old: str, new: str) -> None:
    page = open_page(browser, book / f"chapters/{old}.html")
    page.wait_for_url(f"**/{new}.html")
    page.context.close()


@pytest.mark.parametrize(("old", "place", "new"), PLACES)
def test_an_old_place_is_found_where_it_is_now(
    browser: Browser, book: Path, old: str, place: str, new: str
) -> None:
    page = open_page(browser, book / f"chapters/{old}.html", f"#{place}")
    page.wait_for_url(f"**/{new}.html#{place}")
    expect(page.locator(f"#{place}")).to_be_in_viewport()
    page.context.close()


GONE = [
    ("09-failure-atlas", "fig-atlas-jump", "11-failure-atlas", "card-jump"),
    ("05-which-background", "fig-counting-two", "05-which-background", "fig-background-blend"),
]


@pytest.mark.parametrize(("old", "place", "new", "heir"), GONE)
def test_what_is_no_more_leads_to_what_has_taken_its_place(
    browser: Browser, book: Path, old: str, place: str, new: str, heir: str
) -> None:
    page = open_page(browser, book / f"chapters/{old}.html", f"#{place}")
    page.wait_for_url(f"**/{new}.html#{heir}")
    expect(page.locator(f"#{heir}")).to_be_in_viewport()
    page.context.close()


def test_a_broken_address_breaks_nothing(browser: Browser, book: Path) -> None:
    page = open_page(browser, book / "chapters/03-the-operator.html", "#%E0%A4%A")
    page.wait_for_function("document.querySelector('mjx-container')")
    page.context.close()


def test_a_place_that_never_was_leaves_the_reader_where_he_is(browser: Browser, book: Path) -> None:
    page = open_page(browser, book / "chapters/03-the-operator.html", "#constructor")
    page.wait_for_function("window.bookPlaces !== undefined")
    assert page.url.endswith("03-the-operator.html#constructor")
    page.context.close()


def test_a_link_to_a_check_opens_it(browser: Browser, book: Path) -> None:
    page = open_page(browser, book / "chapters/map.html")
    page.locator("a[href$='#check-mixture-noised']").first.click()
    check = page.locator("#check-mixture-noised")
    expect(check).to_have_attribute("open", "")
    expect(check.locator("summary")).to_contain_text("✓ checked: log densities")
    expect(check.locator(".cell_input")).to_be_visible()
    page.context.close()
