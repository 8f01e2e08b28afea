"""The lattice on a page of its own: no kernel, no network."""

from __future__ import annotations

from pathlib import Path

import projcomp as pc
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.book.driving import copied, figure, open_page, state
from tests.book.standalone import write_page
from tests.widgets.kinds import lattice
from tests.widgets.pictures import believed

KEYS = ["chosen", "clutter", "level", "seed", "view"]


FIGURES = {
    "lattice": lattice,
    "other": lambda: lattice(name="other", chosen=[4], view="belief"),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_page(tmp_path_factory.mktemp("lattice"), "Lattices", FIGURES)


def place(found: Locator, name: str) -> Locator:
    return found.get_by_role("button", name=name, exact=True)


def readout(found: Locator) -> dict:
    """The numbers, once those of the present state are told."""
    found.evaluate("f => f.pcModel.set('readout', {})")
    found.evaluate("f => f.pcModel.set('seed', f.pcModel.get('seed'))")
    found.page.wait_for_function("f => f.pcModel.get('readout').sigma", arg=found.element_handle())
    return state(found, "readout")[0]


def pixels(found: Locator, which: int) -> list[int]:
    """The bytes of a picture, as it is."""
    return (
        found.locator(".pc-picture")
        .nth(which)
        .evaluate(
            """canvas => {
                const { width, height } = canvas;
                const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
                return [...data].filter((_, i) => i % 4 < 3);
            }"""
        )
    )


def test_the_pictures_and_numbers_are_those_of_the_library(page: Page):
    found, ours = figure(page, "lattice"), lattice()
    for rule, chosen in (("independent", [0, 2, 4, 8]), ("capped", list(range(9)))):
        ours.chosen, ours.clutter = chosen, rule
        found.get_by_role("button", name=rule).click()
        if len(chosen) == 9:
            found.get_by_role("button", name="All").click()
        assert state(found, "chosen", "clutter") == [chosen, rule]
        told = readout(found)
        for which, setting in enumerate("ABC"):
            expected = ours.opacities(setting)
            assert told[setting]["opacities"] == pytest.approx(expected.tolist(), abs=1e-9)
            assert told[setting]["sum"] == pytest.approx(float(expected.sum()), abs=1e-8)
            solid = (expected > 0.75) & (expected < 1.3)
            assert told[setting]["solid"] == int(solid[chosen].sum())
            assert told[setting]["elsewhere"] == int(solid.sum() - solid[chosen].sum())
            picture = (255 * ours.sample(setting).clamp(0, 1)).reshape(3, -1).T.flatten()
            shown = pixels(found, which)
            pairs = zip(shown, picture.tolist(), strict=True)
            assert max(abs(a - b) for a, b in pairs) < 0.51
    assert told["A"]["solid"] == 9
    assert told["B"]["solid"] < 9
    expect(found.locator(".pc-summary")).to_contain_text("A, empty floor: 9 of 9 solid")
    assert page.locator(".pc-failed, .pc-notice:not([hidden])").count() == 0


def test_what_the_model_believes_at_every_level(page: Page):
    found, ours = figure(page, "lattice"), lattice()
    found.get_by_role("button", name="the model's belief").click()
    slider = found.get_by_role("slider", name="noise σ")
    start, levels = ours.start[None], ours.levels
    for level in (0, 12, 23):
        slider.fill(str(23 - level))
        assert state(found, "level") == [level]
        told = readout(found)
        assert told["sigma"] == levels[level]
        for setting in "ABC":
            density, x = ours.composition(setting), start
            if level:
                run = pc.reverse_diffusion(
                    density, 1, levels[: level + 1], "euler", start=start, progress=False
                )
                x = run.samples
            expected = believed(ours, setting, x, levels[level])[0]
            assert told[setting]["opacities"] == pytest.approx(expected.tolist(), abs=1e-8)
        assert told["B"]["sum"] == pytest.approx(1, abs=1e-9)
    found.get_by_role("button", name="the picture").click()
    slider.fill("23")
    expect(found.locator(".pc-verdict").first).to_contain_text("too noisy")
    assert readout(found)["A"] is None


def test_a_click_toggles_a_place_in_buttons_and_pictures(page: Page):
    found = figure(page, "lattice")
    before = pixels(found, 0)
    expect(place(found, "centre")).to_have_attribute("aria-pressed", "true")
    place(found, "centre").click()
    expect(place(found, "centre")).to_have_attribute("aria-pressed", "false")
    assert state(found, "chosen") == [[0, 2, 8]]
    assert readout(found)["A"]["solid"] == 3
    after = pixels(found, 0)
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) > 60
    box = found.locator(".pc-picture").nth(2).bounding_box()
    spots = {0: (0.15, 0.75), 4: (0.5, 0.45), 6: (0.18, 0.2), 8: (0.82, 0.2)}
    for spot, (x, y) in spots.items():
        (chosen,) = state(found, "chosen")
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        assert set(state(found, "chosen")[0]) == set(chosen) ^ {spot}
    found.get_by_role("button", name="None").click()
    assert state(found, "chosen") == [[]]
    told = readout(found)
    assert abs(told["A"]["sum"]) < 0.2
    assert told["B"]["sum"] == pytest.approx(1, abs=0.15)
    assert told["B"]["elsewhere"] == 1
    expect(found.locator(".pc-verdict").nth(1)).to_contain_text("1 solid")
    found.get_by_role("button", name="Another sample").click()
    assert state(found, "seed") == [1]


def test_keys_walk_over_the_floor(page: Page):
    found = figure(page, "lattice")
    place(found, "back left").focus()
    for key, name in (
        ("ArrowRight", "back"), ("ArrowDown", "centre"), ("ArrowDown", "front"),
        ("ArrowDown", "front"), ("ArrowLeft", "front left"), ("ArrowUp", "left"),
    ):  # fmt: skip
        page.keyboard.press(key)
        expect(place(found, name)).to_be_focused()
    page.keyboard.press("Space")
    assert state(found, "chosen") == [[0, 2, 3, 4, 8]]
    expect(place(found, "left")).to_be_focused()
    # One place is in the order of the tab key.
    page.keyboard.press("Tab")
    expect(found.get_by_role("button", name="All")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(place(found, "left")).to_be_focused()


def test_it_plays_down_the_noise(page: Page):
    found = figure(page, "lattice")
    found.get_by_role("button", name="Play").click()
    expect(found.get_by_role("button", name="Pause")).to_be_visible()
    output = found.locator(".pc-slider output")
    page.wait_for_function("o => parseFloat(o.textContent) > 1", arg=output.element_handle())
    place(found, "front").click()  # the reader need not wait
    expect(found.get_by_role("button", name="Play")).to_be_visible(timeout=60_000)
    expect(output).to_have_text(".020")
    assert state(found, "level") == [23]
    assert readout(found)["A"]["solid"] == 5


def test_less_motion_goes_straight_to_the_end(browser: Browser, path: Path):
    page = open_page(browser, path, reduced_motion="reduce")
    found = figure(page, "lattice")
    found.get_by_role("slider", name="noise σ").fill("20")
    found.get_by_role("button", name="Play").click()
    assert state(found, "level") == [23]
    page.context.close()


def test_a_link_restores_the_state(browser: Browser, path: Path, page: Page):
    found = figure(page, "lattice")
    place(found, "front").click()
    found.get_by_role("button", name="capped").click()
    found.get_by_role("button", name="Another sample").click()
    found.get_by_role("slider", name="noise σ").fill("7")
    link = copied(found, "Copy link")
    assert len(link) < len(path.as_uri()) + 200, "the pictures travel with the page"
    again = open_page(browser, path, link[link.index("#") :])
    assert state(figure(again, "lattice"), *KEYS) == state(found, *KEYS)
    assert state(found, *KEYS) == [[0, 1, 2, 4, 8], "capped", 16, 1, "picture"]
    again.context.close()
    found.get_by_role("button", name="Reset").click()
    assert state(found, *KEYS) == [[0, 2, 4, 8], "independent", 23, 0, "picture"]


def test_it_hears_the_model_and_refuses_what_makes_no_sense(page: Page):
    found = figure(page, "lattice")
    found.evaluate("f => f.pcModel.set('chosen', [1])")
    expect(place(found, "front")).to_have_attribute("aria-pressed", "true")
    assert readout(found)["A"]["solid"] == 1
    found.evaluate("f => f.pcModel.set('most', 3)")
    expect(found.get_by_role("button", name="capped at 3")).to_be_visible()
    found.evaluate("f => f.pcModel.set('chosen', [12])")
    expect(found.locator(".pc-notice")).to_contain_text("can't be shown: no such place")
    found.get_by_role("button", name="Back to the start").click()
    expect(found.locator(".pc-notice")).to_be_hidden()
    assert state(found, "chosen") == [[0, 2, 4, 8]]


def test_two_on_a_page_are_independent_and_go_without_a_trace(page: Page):
    found, other = figure(page, "lattice"), figure(page, "other")
    before = pixels(other, 1)
    place(found, "front").click()
    assert readout(found)["A"]["solid"] == 5
    assert pixels(other, 1) == before
    assert state(other, "chosen") == [[4]]
    assert page.locator(".pc-figure [id]").count() == 0
    place(other, "back").click()
    other.get_by_role("button", name="Play").click()
    page.wait_for_timeout(200)
    other.evaluate("f => f.pcDestroy()")
    said, shown = other.locator(".pc-summary").inner_text(), pixels(other, 1)
    other.evaluate("f => { f.pcModel.set('chosen', [0]); f.pcModel.set('readout', {}); }")
    page.wait_for_timeout(400)
    assert other.locator(".pc-summary").inner_text() == said
    assert pixels(other, 1) == shown
    assert state(other, "readout") == [{}]


def test_on_a_phone_everything_fits_and_can_be_touched(browser: Browser, path: Path):
    page = open_page(browser, path, has_touch=True, is_mobile=True)
    page.set_viewport_size({"width": 360, "height": 700})
    found = figure(page, "lattice")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in found.locator("button, input[type=range]").all():
        assert control.bounding_box()["height"] >= 44
        assert control.bounding_box()["width"] >= 44
    boxes = [canvas.bounding_box() for canvas in found.locator(".pc-picture").all()]
    assert len({round(box["y"]) for box in boxes}) == 1
    assert min(box["width"] for box in boxes) > 96
    place(found, "back").tap()
    assert state(found, "chosen") == [[0, 2, 4, 7, 8]]
    found.locator(".pc-picture").first.tap(position={"x": 50, "y": 50})
    assert state(found, "chosen") == [[0, 2, 7, 8]]
    page.context.close()
