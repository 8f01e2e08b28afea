"""The square on a page of its own: no kernel, no network."""

from __future__ import annotations

import math
from pathlib import Path

import projcomp as pc
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from tests.book.driving import copied, figure, handle, largest_change, open_page, pixels, state
from tests.book.standalone import write_page

FIGURES = {
    "shear": lambda: pc.Square.from_preset("shear", name="shear"),
    "polar": lambda: pc.Square.from_preset("polar", name="polar"),
    "banana": lambda: pc.Square.from_preset("banana", name="banana"),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_page(tmp_path_factory.mktemp("square"), "Squares", FIGURES)


def differences(square: pc.Square) -> dict[str, float]:
    """Largest difference of the routes' log densities where either is above a millionth of its
    peak, on the cells that the figure takes."""
    left, bottom, right, top = square.boxes[square.warp][1]
    grid = pc.Grid([left, bottom], [right, top], 96)
    found = {}
    for operator in ("composition", "product"):
        square.operator = operator
        logs = [grid.masses(route).log() for route in square.routes]
        seen = torch.stack([one > one.max() + math.log(1e-6) for one in logs]).any(0)
        found[operator] = float((logs[0] - logs[1])[seen].abs().max())
    return found


@pytest.mark.parametrize("name", ["shear", "polar", "banana"])
def test_the_figure_gives_the_library_numbers(page: Page, name: str):
    found = figure(page, name)
    (readout,) = state(found, "readout")
    theirs = differences(FIGURES[name]())
    assert readout["composition"] < 1e-12
    assert readout["product"] == pytest.approx(theirs["product"], abs=1e-9)
    assert (readout["product"] > 1) == (name == "polar")
    assert readout["normalisable"] == "yes"
    expect(found.locator(".pc-summary")).to_contain_text(f"Warp: {name}")
    assert page.locator(".pc-failed, .pc-notice:not([hidden])").count() == 0
    for which in (0, 1):
        assert len(set(pixels(found, which))) > 20, "an empty picture"


def test_routes_give_one_picture_of_the_composition_and_two_of_the_product(page: Page):
    found = figure(page, "polar")
    second = found.get_by_role("button", name="map, then compose")
    operator = found.get_by_label("operator")
    before = pixels(found, 1)
    second.click()
    assert state(found, "route") == ["second"]
    expect(second).to_have_attribute("aria-pressed", "true")
    assert largest_change(before, pixels(found, 1)) <= 1
    operator.select_option("product")
    before = pixels(found, 1)
    found.get_by_role("button", name="compose, then map").click()
    assert largest_change(before, pixels(found, 1)) > 20
    # Without a background of its own, the product has no handle for it.
    expect(handle(found, "2.0.0")).to_have_count(0)


def test_keys_move_and_an_angle_goes_round(page: Page):
    found = figure(page, "polar")
    chosen = handle(found, "2.1.0")
    chosen.focus()
    (before,) = state(found, "concepts")
    page.keyboard.press("ArrowRight")
    assert state(found, "concepts")[0][1]["means"][1][0] > before[1]["means"][1][0]
    for _ in range(40):
        page.keyboard.press("Shift+ArrowUp")
    angle = state(found, "concepts")[0][1]["means"][1][1]
    assert -math.pi < angle <= math.pi
    page.keyboard.press("Delete")
    assert len(state(found, "concepts")[0][1]["weights"]) == 1


def test_the_amount_and_the_warp_can_be_chosen(page: Page):
    found = figure(page, "shear")
    slider = found.get_by_role("slider", name="angle of the axes")
    picture = pixels(found, 1)
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert state(found, "amount") == [59]
    assert largest_change(picture, pixels(found, 1)) > 20
    choice = found.get_by_label("warp W")
    choice.select_option("banana")
    assert state(found, "warp", "amount") == ["banana", 0.6]
    expect(found.get_by_role("slider", name="bend")).to_be_visible()
    choice.select_option("polar")
    expect(slider).to_have_count(0)
    choice.select_option("shear")
    assert state(found, "warp", "amount") == ["shear", 59]
    # From the model, as from a notebook.
    found.evaluate("f => f.pcModel.set('amount', 90)")
    expect(slider).to_have_value("90")


def test_an_angle_that_is_too_wide_is_refused(page: Page):
    found = figure(page, "shear")
    wide = {"weights": [1.0], "means": [[0.0, 0.0]], "covariances": [[[1.0, 0.0], [0.0, 16.0]]]}
    found.evaluate("(f, wide) => f.pcModel.set('background', wide)", wide)
    choice = found.get_by_label("warp W")
    choice.select_option("polar")
    expect(found.locator(".pc-notice")).to_contain_text("an angle's spread must be at most 3")
    expect(choice).to_have_value("shear")
    assert state(found, "warp") == ["shear"]


def test_copied_python_goes_both_ways_around(page: Page, capsys):
    for name in ("shear", "banana", "polar"):
        found = figure(page, name)
        names: dict = {}
        exec(compile(copied(found, "Copy as Python"), "snippet", "exec"), names)
        assert len(capsys.readouterr().out) > 10
        points = [[0.3, 0.2], [-1.0, 0.7]]
        ours = FIGURES[name]().routes
        for mine, theirs in zip(ours, (names["first"], names["second"]), strict=True):
            assert (mine.log_prob(points) - theirs.log_prob(points)).abs().max() < 1e-9


def test_a_link_restores_the_state(browser: Browser, path: Path, page: Page):
    found = figure(page, "shear")
    found.get_by_label("warp W").select_option("banana")
    handle(found, "1.0.0").focus()
    page.keyboard.press("ArrowUp")
    link = copied(found, "Copy link")
    again = open_page(browser, path, link[link.index("#") :])
    keys = ("background", "concepts", "warp", "amount", "operator", "route", "show")
    assert state(figure(again, "shear"), *keys) == state(found, *keys)
    again.context.close()


def test_on_a_phone_the_planes_are_stacked(browser: Browser, path: Path):
    page = open_page(browser, path, has_touch=True, is_mobile=True)
    page.set_viewport_size({"width": 360, "height": 700})
    found = figure(page, "shear")
    first, second = (found.locator(".pc-plane").nth(i).bounding_box() for i in (0, 1))
    assert second["y"] > first["y"] + first["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in found.locator("button, select, summary, .pc-check, input[type=range]").all():
        if control.is_visible():
            assert control.bounding_box()["height"] >= 44
    page.context.close()
