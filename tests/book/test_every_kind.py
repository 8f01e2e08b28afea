"""What every kind of figure does, on a page that holds one of each: no kernel, no network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.book.driving import (
    centre,
    copied,
    drag,
    figure,
    finger,
    handle,
    largest_change,
    mount_all,
    open_page,
    pixels,
    state,
)
from tests.book.standalone import write_page
from tests.widgets.kinds import KINDS

WITH_HANDLES = ("explorer", "sandbox", "square")
# A button that changes the state of the others.
BUTTONS = {"lattice": "front", "prompt": "Another noise", "words": "Another noise"}
# What its link holds.
KEYS = {
    "explorer": (
        "background", "concepts", "unconditional", "weights", "operator", "sigma", "steps",
        "method", "particles", "seed", "show", "reweight",
    ),
    "sandbox": (
        "background", "concepts", "unconditional", "weights", "operator", "sigma", "steps",
        "method", "particles", "seed", "show", "reweight", "box",
    ),
    "square": ("background", "concepts", "operator", "warp", "amount", "route", "show"),
    "lattice": ("chosen", "clutter", "level", "seed", "view"),
    "prompt": ("content", "style", "guidance", "level", "seed", "view"),
    "words": (
        "prompts", "background", "guidance", "method", "steps", "level", "seed", "view",
    ),
}  # fmt: skip
# A trait, with a value that makes sense and one that makes none.
TRAITS = {
    "explorer": ("sigma", 3, "far"), "sandbox": ("box", [-9, -9, 9, 9], [1, 0, 0, 1]),
    "square": ("amount", 20, "steep"),
    "lattice": ("chosen", [0], [12]),
    "prompt": ("guidance", 5, "much"),
    "words": ("guidance", 5, "much"),
}  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_page(tmp_path_factory.mktemp("kinds"), "One of each", KINDS)


def touch(found: Locator, kind: str) -> None:
    """A change that only a reader makes."""
    if kind in WITH_HANDLES:
        handle(found, "1.0.0").focus()
        found.page.keyboard.press("ArrowUp")
    else:
        found.get_by_role("button", name=BUTTONS[kind], exact=True).click()


def put(found: Locator, key: str, value) -> None:
    """As from a notebook."""
    found.evaluate("(f, [key, value]) => f.pcModel.set(key, value)", [key, value])


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_restores_the_state(browser: Browser, path: Path, page: Page, kind: str):
    found = figure(page, kind)
    home = state(found, *KEYS[kind])
    touch(found, kind)
    touched = state(found, *KEYS[kind])
    assert touched != home
    link = copied(found, "Copy link")
    assert page.url == link
    fragment = link[link.index("#") :]
    again = open_page(browser, path, fragment)
    assert state(figure(again, kind), *KEYS[kind]) == touched
    again.context.close()
    broken = open_page(browser, path, fragment[: len(fragment) // 2])
    expect(figure(broken, kind).locator(".pc-notice")).to_contain_text("could not be read")
    assert state(figure(broken, kind), *KEYS[kind]) == home
    broken.context.close()
    found.get_by_role("button", name="Reset").click()
    assert state(found, *KEYS[kind]) == home


def add_link(page: Page, href: str) -> Locator:
    page.evaluate(
        """href => document.querySelector("main").insertAdjacentHTML(
            "afterbegin", `<a class="asked" href="${href}">make it so</a>`)""",
        href,
    )
    return page.locator("a.asked").first


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_in_the_same_tab_is_followed(path: Path, page: Page, kind: str):
    found = figure(page, kind)
    home = state(found, *KEYS[kind])
    touch(found, kind)
    touched = state(found, *KEYS[kind])
    fragment = copied(found, "Copy link").partition("#")[2]
    found.get_by_role("button", name="Reset").click()
    page.goto(f"{path.as_uri()}#elsewhere")
    assert state(found, *KEYS[kind]) == home
    page.goto(f"{path.as_uri()}#{fragment}")
    assert state(found, *KEYS[kind]) == touched


@pytest.mark.parametrize("kind", KINDS)
def test_prose_sets_a_figure(page: Page, kind: str):
    found = figure(page, kind)
    key, sense, nonsense = TRAITS[kind]
    home, rest = state(found, key), [name for name in KEYS[kind] if name != key]
    others = state(found, *rest)
    link = add_link(page, f"#pc-{kind}?{key}={json.dumps(sense)}".replace(" ", ""))
    for _ in range(2):  # the second time the address is that already
        link.click()
        assert state(found, key) == [sense]
        assert state(found, *rest) == others
        found.scroll_into_view_if_needed()
        found.get_by_role("button", name="Reset").click()
        assert state(found, key) == home
    for text in (f"{key}={json.dumps(nonsense)}".replace('"', "%22"), "name=1", "alt=none"):
        add_link(page, f"#pc-{kind}?{text}").click()
        expect(found.locator(".pc-notice")).to_contain_text("could not be read")
        assert state(found, key) == home


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_brings_its_figure_into_view(browser: Browser, path: Path, kind: str):
    key, sense, _ = TRAITS[kind]
    fragment = f"#pc-{kind}?{key}={json.dumps(sense)}"
    page = open_page(browser, path, fragment)
    found = page.locator(".pc-figure").nth(list(KINDS).index(kind))
    expect(found).to_be_in_viewport()
    # What comes later above it moves it no further.
    page.evaluate(
        """() => document.querySelector("main").insertAdjacentHTML(
            "afterbegin", "<div style='height: 3000px'></div>")"""
    )
    expect(found).to_be_in_viewport()
    assert state(found, key) == [sense]
    page.evaluate("scrollTo(0, 0)")
    page.keyboard.press("Home")
    page.evaluate("location.hash = '#nothing'")
    page.evaluate("fragment => { location.hash = fragment; }", fragment)
    expect(found).to_be_in_viewport()
    page.context.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_makes_no_sense_is_refused_with_a_way_back(page: Page, kind: str):
    found = figure(page, kind)
    key, sense, nonsense = TRAITS[kind]
    home = state(found, key)
    put(found, key, sense)
    expect(found.locator(".pc-notice")).to_be_hidden()
    put(found, key, nonsense)
    expect(found.locator(".pc-notice")).to_contain_text("can't be shown")
    found.get_by_role("button", name="Back to the start").click()
    expect(found.locator(".pc-notice")).to_be_hidden()
    assert state(found, key) == home


@pytest.mark.parametrize("kind", WITH_HANDLES)
def test_mixtures_that_make_no_sense_are_refused(page: Page, kind: str):
    found = figure(page, kind)
    (whole,) = state(found, "concepts")
    half = {name: whole[0][name] for name in ("weights", "means")}
    flat = {**whole[0], "covariances": [[[0, 0], [0, 0]] for _ in whole[0]["weights"]]}
    for nonsense, words in (
        ([], "wanted 1 to"),
        (whole * 5, "wanted 1 to"),
        ([half], "concept 1: lengths differ"),
        ([flat], "concept 1: a covariance is not positive definite"),
    ):
        put(found, "concepts", nonsense)
        expect(found.locator(".pc-notice")).to_contain_text(f"can't be shown: {words}")
        found.get_by_role("button", name="Back to the start").click()
        assert state(found, "concepts") == [whole]


@pytest.mark.parametrize("kind", WITH_HANDLES)
def test_a_drag_moves_a_component_and_the_picture(page: Page, kind: str):
    found = figure(page, kind)
    before, pictures = state(found, "concepts")[0][0], [pixels(found, 0)]
    if kind == "square":
        pictures.append(pixels(found, 1))
    drag(found, "1.0.0", 40, -30)
    after = state(found, "concepts")[0][0]
    assert after["means"][0][0] > before["means"][0][0] + 0.1
    assert after["means"][0][1] > before["means"][0][1] + 0.1
    for which, picture in enumerate(pictures):
        assert largest_change(picture, pixels(found, which)) > 20
    # The tips of the chosen component are now there, and change its spread.
    drag(found, "1.0.1", 15, -20)
    assert state(found, "concepts")[0][0]["covariances"][0] != after["covariances"][0]
    found.get_by_role("button", name="Reset").click()
    assert state(found, "concepts")[0][0] == before


@pytest.mark.parametrize("kind", WITH_HANDLES)
def test_keys_move_grow_and_remove(page: Page, kind: str):
    found = figure(page, kind)
    chosen = handle(found, "1.1.0")
    chosen.focus()
    expect(chosen).to_be_focused()
    before = state(found, "concepts")[0][0]
    for key in ("ArrowRight", "Shift+ArrowUp", "+"):
        page.keyboard.press(key)
    after = state(found, "concepts")[0][0]
    assert after["means"][1][0] > before["means"][1][0]
    assert after["means"][1][1] > before["means"][1][1] + 0.2
    assert after["covariances"][1][0][0] > before["covariances"][1][0][0]
    page.keyboard.press("Delete")
    left = state(found, "concepts")[0][0]
    assert len(left["weights"]) == len(before["weights"]) - 1
    assert sum(left["weights"]) == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_independent_of_the_others(page: Page, kind: str):
    others = {name: figure(page, name) for name in KINDS if name != kind}
    before = {name: state(found, *KEYS[name]) for name, found in others.items()}
    touch(figure(page, kind), kind)
    assert {name: state(found, *KEYS[name]) for name, found in others.items()} == before
    assert page.locator(".pc-figure [id]").count() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_without_a_trace(page: Page, kind: str):
    found = figure(page, kind)
    touch(found, kind)
    if found.get_by_role("button", name="Play").count():
        found.get_by_role("button", name="Play").click()
    page.wait_for_timeout(200)
    found.evaluate("f => f.pcDestroy()")
    said, shown = found.locator(".pc-summary").text_content(), pixels(found)
    put(found, "readout", {})
    put(found, *TRAITS[kind][:2])
    page.wait_for_timeout(400)
    assert found.locator(".pc-summary").text_content() == said
    assert pixels(found) == shown
    assert state(found, "readout") == [{}]


@pytest.mark.parametrize("kind", KINDS)
def test_on_a_phone_it_fits_and_can_be_touched(browser: Browser, path: Path, kind: str):
    page = open_page(browser, path, has_touch=True, is_mobile=True)
    page.set_viewport_size({"width": 360, "height": 700})
    found = figure(page, kind)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in found.locator("button, select, summary, .pc-check, input[type=range]").all():
        if control.is_visible():
            assert round(control.bounding_box()["height"], 2) >= 44
    page.context.close()


@pytest.mark.parametrize("way", [(60, 0), (0, -60), (45, 45)], ids=["right", "up", "aslant"])
@pytest.mark.parametrize("kind", WITH_HANDLES)
def test_a_finger_drags_and_the_page_stays(browser: Browser, path: Path, kind: str, way: tuple):
    page = open_page(browser, path, has_touch=True, is_mobile=True)
    found = figure(page, kind)
    chosen = handle(found, "1.0.0")
    chosen.scroll_into_view_if_needed()
    before, place = state(found, "concepts")[0][0]["means"][0], page.evaluate("scrollY")
    x, y = centre(chosen)
    finger(page, x + 12, y + 9, *way)  # within 22 px: the target is 44 px wide
    assert page.evaluate("scrollY") == place
    assert centre(chosen) == pytest.approx((x + 12 + way[0], y + 9 + way[1]), abs=2)
    assert state(found, "concepts")[0][0]["means"][0] != before
    # Beside the handles the plane is part of the page, and scrolls with it.
    box = found.locator(".pc-plane").first.bounding_box()
    finger(page, box["x"] + 6, box["y"] + box["height"] / 2, 0, -80)
    page.wait_for_function("place => scrollY > place", arg=place)
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(browser: Browser, path: Path, scheme: str):
    page = open_page(browser, path, color_scheme=scheme)
    mount_all(page)
    violations = Axe().run(page).response["violations"]
    page.context.close()
    assert not [f"{v['id']}: {json.dumps(v['nodes'])[:300]}" for v in violations]


@pytest.mark.parametrize("kind", KINDS)
def test_without_scripts_and_in_print_there_is_a_still_picture(
    browser: Browser, path: Path, kind: str
):
    which = list(KINDS).index(kind)
    page = open_page(browser, path, java_script_enabled=False)
    still = page.locator(".pc-still").nth(which)
    expect(still).to_be_visible()
    assert len(still.get_attribute("alt")) > 20
    page.context.close()
    page = open_page(browser, path)
    found = figure(page, kind)
    expect(found.locator(".pc-still")).to_be_hidden()
    page.emulate_media(media="print")
    expect(found.locator(".pc-still")).to_be_visible()
    expect(found.locator(".pc-live")).to_be_hidden()
    page.context.close()
