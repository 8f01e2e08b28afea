"""Where no composition exists, a figure draws nothing of it, tells no number of it, and says so."""

from __future__ import annotations

from pathlib import Path

import projcomp as pc
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.book.driving import figure, largest_change, pixels, told
from tests.book.standalone import write_page

NARROW, WIDE = pc.gaussian([0.0, 0.0], 0.36), pc.gaussian([0.0, 0.0], 9.0)
CONCEPTS = [pc.gaussian([2.0, 0.0], 1.0), pc.gaussian([0.0, 2.0], 1.0)]
CONTROLS = ["sigma", "readout", "curve", "layers"]
# With the narrow background a composition exists only above this level: there, for v its square,
# 2 / (1 + v) > 1 / (.36 + v).
EDGE = 0.28**0.5
FIGURES = {
    "plane": lambda: pc.Explorer(
        NARROW, CONCEPTS, controls=CONTROLS, box=[-6, -6, 9, 9], name="plane"
    ),
    "square": lambda: pc.Square(WIDE, CONCEPTS, warp="shear", name="square"),
}
SAYING = "No composition: it is not normalisable."


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_page(tmp_path_factory.mktemp("existence"), "Existence", FIGURES)


def picture(found: Locator, which: int = 0, **traits) -> list[int]:
    told(found, **traits)
    return pixels(found, which)


def test_in_the_plane_no_layer_draws_it(page: Page):
    found, margins = figure(page, "plane"), page.locator(".pc-top:visible, .pc-side:visible")
    above = picture(found, sigma=1.1 * EDGE, show=[])
    assert largest_change(above, picture(found, show=["composition"])) > 20
    told(found, show=["shadows"])
    expect(margins).to_have_count(2)
    for sigma in (0.9 * EDGE, 0.0):
        empty = picture(found, sigma=sigma, show=[])
        assert largest_change(empty, picture(found, show=["composition", "truth"])) == 0
        told(found, show=["shadows"])
        expect(margins).to_have_count(0)


def test_the_numbers_of_the_plane(page: Page):
    found = figure(page, "plane")
    there = told(found, sigma=1.1 * EDGE, show=["composition", "shadows"])
    assert there["normalisable"] == "no at σ = 0, yes here"
    assert there["first"] > 0 and there["gap"] is None
    expect(found.locator(".pc-legend")).to_contain_text("composition")
    expect(found.locator(".pc-summary")).not_to_contain_text(SAYING)
    gone = told(found, sigma=0.9 * EDGE)
    assert gone["normalisable"] == "no at σ = 0, no here"
    assert [gone[key] for key in ("first", "second", "gap", "effective")] == [None] * 4
    assert found.locator(".pc-readout dd").all_text_contents() == ["no", "no", "–", "–", "–"]
    expect(found.locator(".pc-legend")).not_to_contain_text("composition")
    expect(found.locator(".pc-summary")).to_contain_text(SAYING)


def test_at_a_level_where_there_is_none_though_there_is_one_at_zero(page: Page):
    found = figure(page, "plane")
    spread = found.evaluate(
        """f => f.pcModel.get("concepts").map(
            (c, i) => ({ ...c, covariances: [[[i ? 1 : 0.1, 0], [0, i ? 1 : 0.1]]] }))"""
    )
    change = {"operator": "product", "concepts": spread, "weights": [1, -1.5], "show": ["truth"]}
    there = told(found, **change, sigma=0.1)
    assert there["normalisable"] == "yes at σ = 0, yes here" and there["gap"] is not None
    gone = told(found, sigma=3.0)
    assert gone["normalisable"] == "yes at σ = 0, no here" and gone["gap"] is None
    assert largest_change(pixels(found), picture(found, show=[])) == 0


def test_the_picture_says_so(page: Page):
    found = figure(page, "plane")
    strip = """async (canvas) => {
        for (let i = 0; i < 5; i++) await new Promise(requestAnimationFrame);
        const ratio = canvas.width / canvas.clientWidth;
        const { data } = canvas.getContext("2d").getImageData(
            0, 10 * ratio, canvas.width, 14 * ratio);
        return [...data].filter((_, i) => i % 4 === 3 && data[i] > 0).length;
    }"""
    plane = found.locator(".pc-plane")
    told(found, sigma=1.1 * EDGE, show=[])
    assert plane.evaluate(strip) < 50
    told(found, sigma=0.9 * EDGE)
    assert plane.evaluate(strip) > 500


def test_the_square(page: Page):
    found = figure(page, "square")
    there = told(found, show=["composition"])
    assert there["normalisable"] == "yes"
    shown = [pixels(found, which) for which in (0, 1)]
    narrow = found.evaluate(
        "f => ({ ...f.pcModel.get('background'), covariances: [[[0.36, 0], [0, 0.36]]] })"
    )
    gone = told(found, background=narrow)
    assert gone["normalisable"] == "no" and gone["composition"] is None
    assert gone["product"] < 1e-9  # which needs no background
    for which in (0, 1):
        now = pixels(found, which)
        assert largest_change(shown[which], now) > 20
        assert largest_change(now, picture(found, which, show=[])) == 0
        told(found, show=["composition"])
    expect(found.locator(".pc-legend")).not_to_contain_text("composition")
    expect(found.locator(".pc-summary")).to_contain_text("Normalisable: no")
