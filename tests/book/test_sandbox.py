"""The sandbox in the book: a reader builds an example, paints, and is told what it does."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, expect
from projcomp.widgets.spec import from_spec

from tests.book.driving import copied, figure, finger, handle, open_page, state
from tests.book.standalone import write_page
from tests.book.test_links import leads_somewhere
from tests.widgets.kinds import sandbox as a_sandbox

BOX = (-6.0, -6.0, 6.0, 6.0)


@pytest.fixture
def path(book: Path) -> Path:
    return book / "chapters" / "sandbox.html"


@pytest.fixture
def found(page: Page) -> Locator:
    return figure(page, "sandbox")


def button(found: Locator, name: str) -> Locator:
    return found.get_by_role("button", name=name, exact=True)


def verdict(found: Locator, change: Callable = lambda: None) -> dict:
    """Do something, and wait for the verdict on it."""
    if change:
        found.evaluate("f => f.pcModel.set('verdict', {})")
        change()
    found.page.wait_for_function(
        "f => f.pcModel.get('verdict')?.kind", arg=found.element_handle(), timeout=60_000
    )
    expect(found.locator(".pc-finding")).not_to_have_attribute("aria-busy", "true")
    (said,) = state(found, "verdict")
    assert found.locator(".pc-finding-title").text_content() == f"{said['title']}."
    shown = found.locator(".pc-finding li").all_inner_texts()
    for text, finding in zip(shown, said["findings"], strict=True):
        assert text.startswith(finding["text"])
    return said


def says(said: dict, topic: str) -> str:
    (text,) = (f["text"] for f in said["findings"] if f["topic"] == topic)
    return text


def pixel(found: Locator, x: float, y: float) -> tuple[float, float]:
    """Where a point of the plane is on the screen."""
    left, bottom, right, top = BOX
    shown = found.locator(".pc-plane").first.bounding_box()
    along, down = (x - left) / (right - left), (top - y) / (top - bottom)
    return shown["x"] + along * shown["width"], shown["y"] + down * shown["height"]


def draw(found: Locator, points: list[tuple[float, float]]) -> None:
    """A stroke with the mouse through points of the plane."""
    mouse = found.page.mouse
    mouse.move(*pixel(found, *points[0]))
    mouse.down()
    for point in points[1:]:
        mouse.move(*pixel(found, *point))
    mouse.up()


def arc(radius: float = 4.0, turns: float = 0.4) -> list[tuple[float, float]]:
    return [
        (radius * math.cos(a), radius * math.sin(a) - 2)
        for a in (2 * math.pi * turns * i / 30 for i in range(31))
    ]


def test_it_opens_with_a_verdict_whose_reasons_can_be_followed(
    found: Locator, path: Path, book: Path
):
    said = verdict(found, None)
    assert said["kind"] == "exact"
    links = found.locator(".pc-finding a").evaluate_all(
        "all => all.map(a => a.getAttribute('href'))"
    )
    assert len(links) == len(said["findings"])
    assert [link for link in links if not leads_somewhere(link, path, book)] == []


def test_the_way_back_from_a_reason_leads_to_the_same_example(found: Locator):
    verdict(found, lambda: button(found, "Add concept").click())
    (concepts,) = state(found, "concepts")
    page = found.page
    found.locator(".pc-finding a").first.click()
    page.wait_for_url(re.compile(r"chapters/\d\d-.*\.html#"))
    page.go_back()
    assert state(figure(page, "sandbox"), "concepts") == [concepts]


@pytest.mark.parametrize(
    ("preset", "kind", "topic", "words"),
    [
        ("factorized", "exact", "factorized", "concept 1 changes x alone"),
        ("shear", "path", "path", "does not commute"),
        ("tidy-lie", "none", "exists", "From σ = 0.53 up"),
    ],
)
def test_presets(found: Locator, preset: str, kind: str, topic: str, words: str):
    chosen = found.locator("select").first
    said = verdict(found, lambda: chosen.select_option(preset))
    assert said["kind"] == kind
    assert words in says(said, topic)


def test_starting_points(page: Page):
    found = figure(page, "sandbox")
    kinds = []
    for link in page.locator(".bd-article a[href^='#pc-sandbox?']").all():
        button(found, "Reset").click()
        kinds.append(verdict(found, link.click)["kind"])
    assert kinds == ["target", "none", "both", "both", "target", "both"]


def test_concepts_come_and_go(found: Locator):
    add = button(found, "Add concept")
    said = verdict(found, add.click)
    assert [len(value) for value in state(found, "concepts", "weights")] == [3, 3]
    assert says(said, "factorized").startswith("Not factorized: 3 concepts")
    assert button(found, "concept 3").get_attribute("aria-pressed") == "true"
    add.click()
    expect(add).to_be_disabled()
    for name in ("Remove concept 4", "Remove concept 1"):
        button(found, name[7:]).click()
        button(found, name).click()
    assert [len(value) for value in state(found, "concepts", "weights")] == [2, 2]
    assert state(found, "concepts")[0][1]["means"] == [[-3, 0]]
    expect(found.locator(".pc-notice")).to_be_hidden()
    button(found, "concept 2").click()
    button(found, "Remove concept 2").click()
    expect(button(found, "Remove concept 1")).to_be_disabled()
    assert verdict(found, button(found, "Reset").click)["kind"] == "exact"


def test_without_a_background_it_is_a_product(found: Locator):
    button(found, "background").click()
    said = verdict(found, button(found, "Remove background").click)
    assert state(found, "background") == [None]
    assert says(said, "factorized") == "A product has no background to factorize over."
    assert verdict(found, button(found, "Add background").click)["kind"] != "none"
    assert state(found, "background")[0]["means"] == [[0, 0]]


def test_a_click_adds_a_component(found: Locator):
    button(found, "concept 1").click()
    button(found, "Add").click()
    x, y = pixel(found, -3.0, -4.0)
    said = verdict(found, lambda: found.page.mouse.click(x, y))
    (first, other) = state(found, "concepts")[0]
    assert first["means"][1] == pytest.approx([-3, -4], abs=0.05)
    assert first["weights"] == [0.5, 0.5]
    assert len(other["weights"]) == 1
    assert said["kind"] != "exact"


def test_while_there_is_a_tool_marks_stay_where_they_are(found: Locator):
    button(found, "concept 2").click()
    button(found, "Paint").click()
    before = state(found, "background", "concepts")
    draw(found, [(3.0, 0.0), (3.0, -4.0)])
    background, concepts = state(found, "background", "concepts")
    assert [background, concepts[0]] == [before[0], before[1][0]]
    assert all(x == pytest.approx(3, abs=0.1) for x, _ in concepts[1]["means"])


def test_a_stroke_paints_and_another_adds(found: Locator):
    button(found, "concept 2").click()
    button(found, "Paint").click()
    said = verdict(found, lambda: draw(found, arc()))
    first = state(found, "concepts")[0][1]
    assert 2 <= len(first["weights"]) <= 8
    for x, y in first["means"]:
        assert math.hypot(x, y + 2) == pytest.approx(4, abs=0.35)
    painted = from_spec(first, 2)
    ink = torch.tensor(arc(), dtype=torch.float64)
    assert painted.log_prob(ink).min() > painted.log_prob(torch.zeros(1, 2).double()) + 2
    assert torch.linalg.eigvalsh(painted.covariances).min() > 0.36**2 - 1e-9  # 3% of 12
    assert said["kind"] == "both"
    assert "concept 2's score delta" in says(said, "factorized")
    draw(found, [(-5.0, 5.0), (-5.0, 4.0)])
    second = from_spec(state(found, "concepts")[0][1], 2)
    corner = torch.tensor([[-5.0, 4.5]], dtype=torch.float64)
    assert second.log_prob(corner) > painted.log_prob(corner) + 10
    assert second.log_prob(ink).min() > painted.log_prob(ink).min() - 2
    # After any other change a stroke begins anew.
    handle(found, "2.0.0").focus()
    found.page.keyboard.press("ArrowLeft")
    draw(found, [(4.0, 4.0)])
    assert state(found, "concepts")[0][1]["means"] == [pytest.approx([4, 4], abs=0.05)]


def test_a_finger_paints_and_the_page_stays(browser: Browser, path: Path):
    page = open_page(browser, path, has_touch=True, is_mobile=True)
    page.set_viewport_size({"width": 360, "height": 700})
    found = figure(page, "sandbox")
    button(found, "concept 1").click()
    button(found, "Paint").click()
    found.locator(".pc-plane").first.scroll_into_view_if_needed()
    before, place = state(found, "concepts")[0], page.evaluate("scrollY")
    finger(page, *pixel(found, -4.0, -4.0), 0, -120)
    assert page.evaluate("scrollY") == place
    after = state(found, "concepts")[0]
    assert after[0] != before[0] and after[1] == before[1]
    assert all(x == pytest.approx(-4, abs=0.2) for x, _ in after[0]["means"])
    button(found, "Move").click()
    finger(page, *pixel(found, -4.0, 5.0), 0, -80)
    page.wait_for_function("place => scrollY > place", arg=place)
    page.context.close()


def test_by_keyboard(found: Locator):
    for name in ("Add concept", "concept 2", "Add component"):
        button(found, name).focus()
        found.page.keyboard.press("Enter")
    concepts = state(found, "concepts")[0]
    assert [len(spec["weights"]) for spec in concepts] == [1, 2, 1]
    button(found, "Paint").focus()
    found.page.keyboard.press("Space")
    size = found.get_by_label("brush")
    size.focus()
    found.page.keyboard.press("ArrowRight")
    expect(size).to_have_attribute("aria-valuetext", "3.5%")


def test_the_verdict_is_told_when_it_is_another(found: Locator):
    verdict(found, None)
    spoken = found.locator(".pc-finding")
    assert spoken.locator("[aria-live=polite] li").count() >= 5
    spoken.evaluate(
        """region => {
            region.changes = 0;
            new MutationObserver((found) => { region.changes += found.length; })
                .observe(region, { attributes: true, childList: true, subtree: true });
        }"""
    )
    found.get_by_label("noise σ").focus()
    found.page.keyboard.press("End")
    expect(found.locator(".pc-summary")).to_contain_text("Noise level 100.")
    assert spoken.evaluate("region => region.changes") == 0
    verdict(found, lambda: found.locator("select").nth(1).select_option("product"))
    assert spoken.evaluate("region => region.changes") > 0


def test_copied_python_makes_the_painted_example(found: Locator, capsys):
    button(found, "Paint").click()
    draw(found, arc())
    names: dict = {}
    exec(compile(copied(found, "Copy as Python"), "snippet", "exec"), names)
    assert len(capsys.readouterr().out) > 10
    (concepts,) = state(found, "concepts")
    for ours, spec in zip(names["concepts"], concepts, strict=True):
        assert ours.means.tolist() == spec["means"]


def test_outside_the_book_reasons_are_plain_text(browser: Browser, tmp_path: Path):
    page = open_page(browser, write_page(tmp_path, "Alone", {"sandbox": a_sandbox}))
    found = figure(page, "sandbox")
    assert verdict(found, None)["kind"] == "exact"
    assert found.locator(".pc-finding a").count() == 0
    expect(found.locator(".pc-finding li").first).to_contain_text("(Chapter 3: the operator.)")
    page.context.close()
