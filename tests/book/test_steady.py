"""Controls stay under the reader's hand, whatever the figure shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import projcomp as pc
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from projcomp.widgets import CONTROLS

from tests.book.driving import copied, figure, handle, open_page, state, told
from tests.book.standalone import write_page
from tests.widgets.kinds import KINDS, lattice, prompt, square, text_prompt

FIGURES = {
    "explorer": lambda: pc.Explorer.from_preset("shear", controls=CONTROLS, name="explorer"),
    "square": square,
    "lattice": lattice,
    "prompt": prompt,
    "words": text_prompt,
    "line": lambda: pc.Explorer(
        pc.gaussian([0.0], 1.0),
        [pc.gaussian([1.0], 0.5)],
        view="line",
        box=[-4, 0, 4, 1],
        name="line",
    ),
}
# A mark on each control that is there at first, and where each then is, in its figure.
MARKED = """figure => {
    const wanted = ":is(button, input, select, summary):not(.pc-chosen *), .pc-picture, .pc-curve";
    figure.pcControls = [...figure.querySelectorAll(".pc-live *")].filter(
        node => node.matches(wanted) && node.getClientRects().length);
    return figure.pcControls.map(
        node => node.getAttribute("aria-label") || node.textContent || node.parentNode.textContent);
}"""
PLACES = """async figure => {
    for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
    await new Promise(done => setTimeout(done, 140));  // the numbers come a little later
    const origin = figure.getBoundingClientRect();
    return figure.pcControls.map(node => {  // null for what another warp has replaced
        const { x, y, width, height } = node.getBoundingClientRect();
        return node.isConnected ? [x - origin.x, y - origin.y, width, height] : null;
    });
}"""


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_page(tmp_path_factory.mktemp("steady"), "Steady", FIGURES)


def deeds(found: Locator) -> Iterator[str]:
    """All that a reader may do, one after another; says what was done."""
    for name in ("Play", "Restart"):
        button = found.get_by_role("button", name=name, exact=True)
        if button.count():
            button.click()
            yield f"{name} has begun"
            found.page.wait_for_timeout(600)
            yield f"{name} goes on"
            pause = found.get_by_role("button", name="Pause")
            if pause.count():
                pause.click()
            yield f"{name} was stopped"
    for slider in found.locator(":is(.pc-transport, .pc-panel) input[type=range]").all():
        low, high = (float(slider.get_attribute(end)) for end in ("min", "max"))
        for value in (high, 0.5 * (low + high), low):
            slider.fill(f"{value:g}")
            yield f"{slider.get_attribute('aria-label')} {value:g}"
    for box in found.get_by_role("checkbox").all():
        box.click()
        yield f"a checkbox was turned {'on' if box.is_checked() else 'off'}"
    for choice in found.locator(".pc-panel select:visible").all():
        for option in choice.locator("option").all():
            choice.select_option(option.get_attribute("value"))
            yield f"{option.text_content()}"
    for button in found.locator(":is(.pc-choices, .pc-row, .pc-styles) button").all():
        button.click()
        yield f"{button.text_content()} was pressed"
    for key in ("0.0.0", "1.0.0"):
        if handle(found, key).count():
            handle(found, key).focus()
            found.page.keyboard.press("ArrowUp")
            yield f"handle {key} was moved"
    anew = ("New noise", "Another sample", "Another noise", "Ten noises")
    for name in ("All", "None", *anew, "Copy link", "Reset"):
        button = found.get_by_role("button", name=name, exact=True)
        if button.count():
            button.click()
            yield f"{name} was pressed"


# At 580 px the lattice's two hints differ in lines.
WIDTHS = [(name, width) for name in FIGURES for width in (360, 760)] + [("lattice", 580)]


@pytest.mark.parametrize(("name", "width"), WIDTHS)
def test_no_control_moves(browser: Browser, path: Path, name: str, width: int):
    page = open_page(browser, path)
    page.set_viewport_size({"width": width, "height": 900})
    found = figure(page, name)
    names, before = found.evaluate(MARKED), found.evaluate(PLACES)
    assert len(names) > 5
    for deed in deeds(found):
        for control, old, new in zip(names, before, found.evaluate(PLACES), strict=True):
            assert new is None or new == pytest.approx(old, abs=1), f"{control}, after {deed}"
    page.context.close()


@pytest.mark.parametrize("width", [360, 760, 1280])
@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_a_figure_stays_when_its_numbers_come(
    browser: Browser, tmp_path: Path, kind: str, width: int
):
    page = open_page(browser, write_page(tmp_path, "Alone", {kind: KINDS[kind]}))
    page.set_viewport_size({"width": width, "height": 900})
    found = figure(page, kind)
    height = "figure => figure.getBoundingClientRect().height"
    alive = found.evaluate(height)
    if kind not in ("lattice", "prompt", "words"):
        told(found)
    if kind == "sandbox":
        expect(found.locator(".pc-finding li").first).to_be_visible()
    page.wait_for_timeout(200)
    assert found.evaluate(height) == alive
    page.context.close()


def chosen(found: Locator) -> Locator:
    return found.locator(".pc-chosen")


@pytest.mark.parametrize("kind", ["explorer", "square"])
def test_the_chosen_components_numbers_come_and_go_with_the_choice(
    browser: Browser, path: Path, page: Page, kind: str
):
    found = figure(page, kind)
    group = chosen(found)
    # Not there for a screen reader either.
    assert found.get_by_role("group", name="chosen component").count() == 0
    handle(found, "1.0.0").focus()
    page.keyboard.press("ArrowUp")
    expect(group).to_contain_text("concept 1, component 1")
    first, second = state(found, "concepts")[0][0]["means"][0]
    names = ("x", "y") if kind == "explorer" else ("u", "v")
    for name, value in zip(names, (first, second), strict=True):
        shown = group.get_by_role("spinbutton", name=name, exact=True)
        assert float(shown.input_value()) == pytest.approx(value, abs=6e-4)
    link = copied(found, "Copy link")
    found.get_by_role("button", name="Reset").click()
    expect(group).to_be_hidden()
    handle(found, "1.0.0").focus()
    expect(group).to_be_visible()
    if kind == "explorer":
        found.get_by_label("preset").select_option("two-concepts")
        expect(group).to_be_hidden()
        handle(found, "1.0.0").focus()
    page.evaluate("location.hash = '#elsewhere'")
    page.goto(link)
    expect(group).to_be_hidden()


@pytest.mark.parametrize("kind", ["explorer", "square"])
def test_another_operator_keeps_the_choice(page: Page, kind: str):
    found = figure(page, kind)
    operator = found.get_by_label("operator")
    handle(found, "2.0.0").focus()
    expect(chosen(found)).to_contain_text("concept 2, component 1")
    operator.select_option("product")  # which has no handles for the background
    expect(chosen(found)).to_contain_text("concept 2, component 1")
    operator.select_option("composition")
    handle(found, "0.0.0").focus()
    expect(chosen(found)).to_contain_text("background, component 1")
    operator.select_option("product")
    expect(chosen(found)).to_be_hidden()


def test_the_numbers_are_those_of_the_component(page: Page):
    found = figure(page, "explorer")
    handle(found, "1.0.0").focus()
    field = chosen(found).get_by_role("spinbutton", name="x", exact=True)
    field.fill("500")
    page.keyboard.press("Enter")
    assert state(found, "concepts")[0][0]["means"][0][0] == 100
    expect(field).to_have_value("100")
    field.fill("")
    page.keyboard.press("Enter")
    expect(field).to_have_value("100")
    # A field that still has the focus follows what another control does.
    found.evaluate(
        """f => f.pcModel.set("concepts", f.pcModel.get("concepts").map(
            concept => ({ ...concept, means: concept.means.map(() => [1.5, 0]) })))"""
    )
    expect(field).to_be_focused()
    expect(field).to_have_value("1.5")
    seed = found.get_by_label("seed")
    found.locator("summary", has_text="sampler").click()
    seed.focus()
    found.evaluate(
        "f => [...f.querySelectorAll('button')].find(b => b.textContent === 'New noise').click()"
    )
    expect(seed).to_have_value("1")


def test_removing_and_adding_components(page: Page):
    found = figure(page, "explorer")
    handle(found, "1.1.0").focus()
    group = chosen(found)
    for name, words in (("Remove", "component 1"), ("Add component", "component 2")):
        group.get_by_role("button", name=name).click()
        expect(group.locator("p")).to_have_text(f"concept 1, {words}")
    assert len(state(found, "concepts")[0][0]["weights"]) == 2


def test_margins_are_there_only_with_what_they_show(page: Page):
    found, line = figure(page, "explorer"), figure(page, "line")
    margins = [found.get_by_role("img", name=f"{which} shadow") for which in ("First", "Second")]
    for margin in margins:
        expect(margin).to_have_count(1)
    found.get_by_label("shadows").uncheck()
    for margin in margins:  # a role is looked for as a screen reader does
        expect(margin).to_have_count(0)
        expect(found.locator("canvas[hidden]")).to_have_count(2)
    expect(line.get_by_role("img", name="shadow")).to_have_count(0)
    expect(line.get_by_role("img", name="Precisions")).to_have_count(1)
    handle(line, "1.0.0").focus()
    line.get_by_role("button", name="Add component").click()
    expect(line.get_by_role("img", name="Precisions")).to_have_count(0)
