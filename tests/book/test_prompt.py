"""The prompt on a page of its own: no kernel, no network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from projcomp.widgets.prompt import WAYS

from tests.book.driving import copied, figure, open_page, state
from tests.book.standalone import write_page
from tests.widgets.kinds import prompt

KEYS = ["content", "style", "guidance", "level", "seed", "view"]
FIGURES = {
    "prompt": prompt,
    "other": lambda: prompt(name="other", content="key", view="denoised", seed=4),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_page(tmp_path_factory.mktemp("prompt"), "Prompts", FIGURES)


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


def style(found: Locator, name: str) -> Locator:
    return found.get_by_role("group", name="style").get_by_role("button", name=name, exact=True)


def same_picture(found: Locator, which: int, picture) -> bool:
    wanted = (127.5 * (picture.clamp(-1, 1) + 1)).reshape(3, -1).T.flatten().tolist()
    return max(abs(a - b) for a, b in zip(pixels(found, which), wanted, strict=True)) < 0.51


def test_pictures_and_numbers_are_those_of_the_library(page: Page):
    found = figure(page, "prompt")
    for content, name, level, view in (
        ("dog", "flat", 23, "noisy"), ("ball", "black lines", 14, "denoised"),
    ):  # fmt: skip
        ours = prompt(content=content, style=name, level=level, view=view)
        found.get_by_label("content").select_option(content)
        style(found, name).click()
        found.get_by_role("slider", name="noise σ").fill(str(23 - level))
        kind = "the samples" if view == "noisy" else "denoised means"
        found.get_by_role("button", name=kind).click()
        assert state(found, *KEYS) == [content, name, 3, level, 0, view]
        told = readout(found)
        assert told["sigma"] == ours.levels[level]
        assert same_picture(found, 0, ours.table.cell(content, name))
        for which, way in enumerate(WAYS, 1):
            sample = ours.sample(way)
            picture = sample.path[level]
            if view == "denoised":
                picture = ours.composed(way).denoise(picture, ours.levels[level])
            assert same_picture(found, which, picture)
            outcome = {key: told[way][key] for key in ("pictures", "right", "decided")}
            assert outcome == sample.outcome._asdict()
            assert told[way]["effective"] == pytest.approx(float(sample.effective[level]))
            for density, belief in sample.beliefs[level].items():
                for part in ("style", "content", "entropy"):
                    expected = getattr(belief, part)
                    assert told[way][density][part] == pytest.approx(expected, abs=1e-9)
    assert page.locator(".pc-failed, .pc-notice:not([hidden])").count() == 0


def test_it_says_where_each_sample_ends(page: Page):
    found = figure(page, "prompt")
    told, summary = readout(found), found.locator(".pc-summary")
    expect(summary).to_contain_text("Asked for: dog, flat.")
    assert not told["ode"]["right"]
    ours = prompt()
    contents, styles = ours.table.contents, ours.table.styles
    names = [f"{contents[k // 3]}, {styles[k % 3]}" for k in told["ode"]["pictures"]]
    expect(summary).to_contain_text(f"ODE: between {' and '.join(names)}. Decided at σ =")
    assert told["weighted"]["right"]
    expect(summary).to_contain_text("weighted: as asked for.")
    marks = found.locator(".pc-mark")
    expect(marks.nth(1)).to_have_text("✗ between")
    expect(marks.nth(1).locator("canvas:visible")).to_have_count(2)
    expect(marks.nth(4)).to_have_text("✓ as asked for")
    expect(marks.nth(4).locator("canvas:visible")).to_have_count(0)


def test_another_noise_and_another_weight_change_what_they_should(page: Page):
    found = figure(page, "prompt")
    before = [pixels(found, which) for which in range(5)]
    found.get_by_role("slider", name="guidance weight").fill("6")
    assert readout(found)["guided"]["effective"] == 1
    after = [pixels(found, which) for which in range(5)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, True, False, True]
    found.get_by_role("button", name="Another noise").click()
    assert state(found, "seed") == [1]
    readout(found)
    anew = [pixels(found, which) for which in range(5)]
    assert [a == b for a, b in zip(after, anew, strict=True)] == [True, *[False] * 4]


def test_noises_are_counted(page: Page):
    found = figure(page, "prompt")
    expect(found.locator(".pc-tally").nth(1)).to_have_text("right: 0 of 1")
    found.get_by_role("button", name="Ten noises").click()
    expect(found.locator(".pc-tally").nth(4)).to_have_text(re.compile("of 11$"))
    assert state(found, "seed") == [10]
    told = readout(found)
    for way in WAYS:
        rights = [prompt(seed=seed).sample(way).outcome.right for seed in range(11)]
        assert told[way]["tally"] == {"right": sum(rights), "tried": 11}
    expect(found.locator(".pc-summary")).to_contain_text("of 11 noises")
    # A row of noises ends where it is stopped, and counts are of one prompt and one weight.
    # Two clicks in one stroke, so that the row can't end between them.
    found.get_by_role("button", name="Ten noises").evaluate("b => { b.click(); b.click(); }")
    (seed,) = state(found, "seed")
    style(found, "painted").click()
    expect(found.locator(".pc-tally").nth(4)).to_have_text(re.compile("of 1$"))
    assert state(found, "seed") == [seed]
    assert seed < 20


def test_keys_reach_everything(page: Page):
    found = figure(page, "prompt")
    found.get_by_label("content").focus()
    page.keyboard.type("key")  # a list is searched by typing
    assert state(found, "content") == ["key"]
    for name in ("Another noise", "Ten noises", "painted", "flat", "black lines"):
        page.keyboard.press("Tab")
        expect(found.get_by_role("button", name=name, exact=True)).to_be_focused()
    page.keyboard.press("Space")
    assert state(found, "style") == ["black lines"]
    expect(style(found, "black lines")).to_have_attribute("aria-pressed", "true")
    expect(style(found, "flat")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Tab")
    expect(found.get_by_role("slider", name="noise σ")).to_be_focused()
    page.keyboard.press("ArrowRight")
    assert state(found, "level") == [22]


def test_a_drag_over_a_chart_scrubs_the_noise(page: Page):
    found = figure(page, "prompt")
    chart = found.locator(".pc-mind .pc-plane").nth(2)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 4, y)
    page.mouse.down()
    assert state(found, "level") == [0]
    page.mouse.move(box["x"] + box["width"] / 2, y, steps=3)
    (middle,) = state(found, "level")
    assert 8 < middle < 15
    page.mouse.up()
    page.mouse.move(box["x"] + 4, y)
    assert state(found, "level") == [middle]
    page.mouse.click(box["x"] + 4, y)
    assert state(found, "level") == [23]


def test_it_plays_down_the_noise(page: Page):
    found = figure(page, "prompt")
    found.get_by_role("button", name="Play").click()
    output = found.locator(".pc-slider output").first
    page.wait_for_function("o => parseFloat(o.textContent) > 1", arg=output.element_handle())
    style(found, "painted").click()  # the reader need not wait
    expect(found.get_by_role("button", name="Play")).to_be_visible(timeout=60_000)
    expect(output).to_have_text(".100")
    assert state(found, "level", "style") == [23, "painted"]


def test_less_motion_goes_straight_to_the_end(browser: Browser, path: Path):
    page = open_page(browser, path, reduced_motion="reduce")
    found = figure(page, "prompt")
    found.get_by_role("slider", name="noise σ").fill("20")
    found.get_by_role("button", name="Play").click()
    assert state(found, "level") == [23]
    readout(found)
    assert same_picture(found, 2, prompt().sample("sde").path[-1])
    page.context.close()


def test_a_link_restores_the_state(browser: Browser, path: Path, page: Page):
    found = figure(page, "prompt")
    found.get_by_label("content").select_option("fish")
    found.get_by_role("button", name="Another noise").click()
    found.get_by_role("button", name="denoised means").click()
    found.get_by_role("slider", name="noise σ").fill("7")
    link = copied(found, "Copy link")
    assert len(link) < len(path.as_uri()) + 220, "the pictures travel with the page"
    again = open_page(browser, path, link[link.index("#") :])
    assert state(figure(again, "prompt"), *KEYS) == state(found, *KEYS)
    assert state(found, *KEYS) == ["fish", "flat", 3, 16, 1, "denoised"]
    again.context.close()
    named = open_page(browser, path, "#pc-prompt?content=cup&style=black%20lines&level=9")
    assert state(figure(named, "prompt"), *KEYS) == ["cup", "black lines", 3, 9, 0, "noisy"]
    named.context.close()


def test_it_hears_the_model_and_refuses_what_makes_no_sense(page: Page):
    found = figure(page, "prompt")
    found.evaluate("f => f.pcModel.set('content', 'hat')")
    expect(found.get_by_label("content")).to_have_value("hat")
    expect(found.locator(".pc-summary")).to_contain_text("Asked for: hat, flat.")
    found.evaluate("f => f.pcModel.set('style', 'cubist')")
    expect(found.locator(".pc-notice")).to_contain_text("can't be shown: there is no style cubist")
    found.get_by_role("button", name="Back to the start").click()
    expect(found.locator(".pc-notice")).to_be_hidden()
    assert state(found, "content", "style") == ["dog", "flat"]


def test_two_on_a_page_are_independent(page: Page):
    found, other = figure(page, "prompt"), figure(page, "other")
    before = pixels(other, 1)
    style(found, "painted").click()
    readout(found)
    assert pixels(other, 1) == before
    assert state(other, "content", "style") == ["key", "flat"]
    assert page.locator(".pc-figure [id]").count() == 0


def test_on_a_phone_everything_fits_and_can_be_touched(browser: Browser, path: Path):
    page = open_page(browser, path, has_touch=True, is_mobile=True)
    page.set_viewport_size({"width": 360, "height": 700})
    found = figure(page, "prompt")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in found.locator("button, select, input[type=range]").all():
        assert control.bounding_box()["height"] >= 44
        assert control.bounding_box()["width"] >= 44
    boxes = [canvas.bounding_box() for canvas in found.locator(".pc-picture").all()]
    assert min(box["width"] for box in boxes) > 96
    style(found, "painted").tap()
    assert state(found, "style") == ["painted"]
    chart = found.locator(".pc-mind .pc-plane").first
    chart.tap(position={"x": chart.bounding_box()["width"] / 2, "y": 30})
    assert 8 < state(found, "level")[0] < 15
    page.context.close()
