"""The figure of words on a page of its own: a network runs there, with no kernel and offline."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.book.driving import copied, figure, open_page, pixels, state
from tests.book.standalone import write_page
from tests.widgets import worded
from tests.widgets.kinds import text_prompt

KEYS = ["prompts", "background", "guidance", "method", "steps", "level", "seed", "view"]
PATIENCE = 180_000
FIGURES = {"words": text_prompt}
# Of every worker all that it tells of pictures, in full.
LISTEN = """window.heard = [];
window.Worker = class extends Worker {
    constructor(url) {
        super(url);
        this.addEventListener("message", ({ data }) => data.states && heard.push({
            job: data.job, level: data.level, pictures: data.pictures,
            states: [...data.states], means: [...data.means], gained: [...data.gained],
        }));
    }
};"""
NO_WORKERS = "window.Worker = class { constructor() { throw new Error('no workers today'); } };"


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    worded.bring(folder)
    return write_page(folder, "Words", FIGURES)


@pytest.fixture(scope="module")
def loaded(browser: Browser, path: Path) -> Page:
    """A page whose network is there."""
    page = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}).new_page()
    page.add_init_script(LISTEN)
    page.goto(path.as_uri())
    found = figure(page, "words")
    found.get_by_role("button", name="Load the network").click()
    drawn(found)
    yield page
    page.context.close()


def drawn(found: Locator) -> dict:
    """The numbers of the present state, once the network has drawn it."""
    found.evaluate("f => f.pcModel.set('readout', {})")
    found.evaluate("f => f.pcModel.set('seed', f.pcModel.get('seed'))")
    expect(found.locator(".pc-said")).to_contain_text("Drawn.", timeout=PATIENCE)
    found.page.wait_for_function(
        "f => f.pcModel.get('readout').drawn", arg=found.element_handle(), timeout=PATIENCE
    )
    return state(found, "readout")[0]


def told(page: Page) -> dict[str, np.ndarray]:
    """States, means and gains of the last drawing: (levels, pictures, values)."""
    said = page.evaluate("heard.filter(({ job }) => job === Math.max(...heard.map(h => h.job)))")
    levels = 1 + max(part["level"] for part in said)
    found = {}
    for name in ("states", "means", "gained"):
        values = np.full((levels, 8, 1024 if name == "gained" else 3072), np.nan)
        for part in said:
            values[part["level"], part["pictures"]] = np.reshape(
                part[name], (len(part["pictures"]), -1)
            )
        found[name] = values
    return found


def test_nothing_is_loaded_before_it_is_asked_for(browser: Browser, path: Path):
    page = browser.new_context(offline=True).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    found = figure(page, "words")
    expect(found.get_by_role("button", name="Load the network")).to_contain_text("MB)")
    page.wait_for_timeout(500)
    assert {Path(url).name for url in asked} == {"page.html", "figures.js"}
    assert sum(Path(url.removeprefix("file://")).stat().st_size for url in asked) < 1e6
    page.context.close()


def test_before_that_the_stored_pictures_are_shown(browser: Browser, path: Path):
    page = open_page(browser, path)
    found = figure(page, "words")
    expect(found.locator(".pc-summary")).to_contain_text("Eight stored pictures.")
    wanted = text_prompt().samples()
    assert same(found, wanted)
    found.get_by_role("button", name="Another noise").click()
    expect(found.locator(".pc-summary")).to_contain_text("Not drawn: load the network first.")
    expect(found.locator(".pc-picture[data-shown=no]")).to_have_count(8)
    found.get_by_role("button", name="Reset").click()
    assert same(found, wanted)
    page.context.close()


def same(found: Locator, pictures) -> bool:
    """Whether the canvases show these, to a step of eight bits."""
    wanted = (255 * pictures.clamp(0, 1)).flatten(2).mT.flatten(1).numpy()
    shown = [
        found.locator(".pc-picture").nth(which).evaluate(
            """async canvas => {
                for (let i = 0; i < 5; i++) await new Promise(requestAnimationFrame);
                const { width, height } = canvas;
                const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
                return [...data].filter((_, i) => i % 4 < 3);
            }"""
        )
        for which in range(8)
    ]  # fmt: skip
    return np.abs(np.array(shown) - wanted).max() < 1.01


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"method": "ode", "background": "", "seed": 3},
        {"prompts": ["a cube"], "guidance": 1.0, "steps": 5},
        {"prompts": ["a cube", "a ball", "not at night", "on sand"], "guidance": 1.5},
    ],
    ids=["as it is", "ode", "one prompt", "four prompts"],
)
def test_pictures_are_those_of_the_library(loaded: Page, change: dict):
    found = figure(loaded, "words")
    found.get_by_role("button", name="Reset").click()
    drawn(found)
    ours = text_prompt(**change)
    link = "&".join(f"{key}={value if isinstance(value, str) else json.dumps(value)}"
                    for key, value in {**change, "level": ours.steps}.items())  # fmt: skip
    loaded.evaluate("hash => { location.hash = hash; }", f"#pc-words?{link}")
    readout = drawn(found)
    assert state(found, *KEYS) == [getattr(ours, key) for key in KEYS]
    flight, theirs = ours.flight(), told(loaded)
    for name in ("states", "means"):
        assert np.abs(theirs[name] - getattr(flight, name).numpy()).max() < 1e-3, name
    scale = float(flight.gained.abs().max()) or 1.0
    assert np.abs(theirs["gained"] - flight.gained.numpy()).max() < 1e-3 * scale
    weights = ours.log_weights.numpy()
    assert np.abs(np.array(readout["weights"]) - weights).max() < 1e-3 * (abs(weights).max() or 1)
    assert same(found, ours.samples())
    assert readout["right"] == ours.right.tolist()
    told_so = f"{int(ours.right.sum())} of 8 are as asked for."
    expect(found.locator(".pc-said")).to_contain_text(told_so)
    expect(found.locator(".pc-summary")).to_contain_text(told_so)


def test_every_level_is_kept(loaded: Page):
    found = figure(loaded, "words")
    found.get_by_role("button", name="Reset").click()
    drawn(found)
    ours = text_prompt()
    found.get_by_role("slider", name="noise σ").fill("2")
    assert state(found, "level") == [2]
    assert same(found, ours.flight().states[2].unflatten(1, (3, 32, 32)))
    found.get_by_role("button", name="denoised means").click()
    assert same(found, ours.flight().means[2].unflatten(1, (3, 32, 32)))
    before = pixels(found)
    found.get_by_role("button", name="interaction").click()
    expect(found.locator(".pc-tints")).to_be_visible()
    assert pixels(found) != before
    weights = ours.flight().gained[2].sum(-1)
    sign = "+" if weights[0] > 0 else "−"
    expect(found.locator(".pc-caption div").first).to_have_text(
        f"log w {sign}{abs(weights[0]):.1f}"
    )


def test_a_word_that_is_not_known_is_refused(loaded: Page):
    found = figure(loaded, "words")
    found.get_by_role("button", name="Reset").click()
    home = state(found, *KEYS)
    field = found.get_by_role("textbox", name="prompt 1")
    field.fill("a bule ball")
    field.press("Enter")
    notice = found.locator(".pc-notice")
    expect(notice).to_contain_text("The network was never taught the word “bule”; did you mean")
    expect(field).to_have_attribute("aria-invalid", "true")
    assert state(found, *KEYS) == home
    notice.get_by_role("button", name="blue").click()
    expect(notice).to_be_hidden()
    assert state(found, "prompts") == [["a blue ball", "not a blue cube"]]
    found.get_by_label("how prompt 1 is joined").select_option("not")
    found.get_by_role("textbox", name="prompt 2").fill("")
    found.get_by_role("textbox", name="prompt 2").press("Enter")
    assert state(found, "prompts") == [["not a blue ball"]]
    found.get_by_role("textbox", name="background prompt").fill("at nigt")
    found.get_by_role("textbox", name="background prompt").press("Enter")
    expect(notice.get_by_role("button", name="night")).to_be_visible()
    found.get_by_role("button", name="Reset").click()
    assert state(found, *KEYS) == home


def test_it_can_be_stopped_and_drawn_again(loaded: Page):
    found = figure(loaded, "words")
    found.get_by_role("button", name="Reset").click()
    found.get_by_role("slider", name="steps").fill("60")
    stop = found.get_by_role("button", name="Stop")
    expect(found.locator(".pc-said")).to_contain_text("of 60")
    stop.click()
    expect(found.locator(".pc-said")).to_have_text("Stopped.")
    reached = "Math.max(...heard.filter(h => h.job === heard.at(-1).job).map(h => h.level))"
    loaded.wait_for_timeout(1500)  # what was on its way
    count = loaded.evaluate("heard.length")
    loaded.wait_for_timeout(3000)
    assert loaded.evaluate("heard.length") == count
    assert loaded.evaluate(reached) < 60
    found.get_by_role("button", name="Draw again").click()
    expect(found.locator(".pc-said")).to_contain_text("of 60")
    found.get_by_role("button", name="Reset").click()  # leaves what was begun
    drawn(found)
    assert loaded.evaluate(reached) == 4


# Sets a slider, and does what follows before the page can do anything else.
SET = """(slider, [value, press]) => {
    slider.value = value;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    if (press) slider.closest(".pc-figure").querySelector(".pc-main").click();
}"""


def test_a_stop_holds_where_a_drawing_was_about_to_begin(loaded: Page):
    found = figure(loaded, "words")
    found.get_by_role("button", name="Reset").click()
    steps = found.get_by_role("slider", name="steps")
    steps.fill("59")
    expect(found.locator(".pc-said")).to_contain_text("of 59")
    steps.evaluate(SET, [60, True])
    expect(found.locator(".pc-said")).to_have_text("Stopped.")
    loaded.wait_for_timeout(2000)
    expect(found.locator(".pc-said")).to_have_text("Stopped.")
    expect(found.get_by_role("button", name="Draw again")).to_be_visible()


def test_what_comes_of_a_state_that_is_left_is_not_taken(loaded: Page):
    """Levels of a drawing of 60 steps still come for a moment when there are fewer."""
    problems: list[str] = []
    loaded.on("pageerror", lambda error: problems.append(str(error)))
    found = figure(loaded, "words")
    found.get_by_role("button", name="Reset").click()
    steps = found.get_by_role("slider", name="steps")
    steps.fill("60")
    expect(found.locator(".pc-said")).to_contain_text("of 60")
    for few in (4, 5, 6):
        before = loaded.evaluate("heard.length")
        loaded.wait_for_function("before => heard.length > before + 12", arg=before)
        steps.evaluate(SET, [few, False])
        loaded.wait_for_function("before => heard.length > before + 14", arg=before)
        steps.evaluate(SET, [60, False])
    steps.evaluate(SET, [4, False])
    drawn(found)
    assert not problems


def test_a_copy_in_python_rebuilds_it(loaded: Page):
    found = figure(loaded, "words")
    found.get_by_role("button", name="Reset").click()
    found.get_by_role("button", name="Another noise").click()
    found.get_by_role("slider", name="guidance weight").fill("3")
    found.get_by_role("button", name="ODE").click()
    code = copied(found, "Copy as Python")
    names: dict = {}
    exec(code, names)
    assert [getattr(names["figure"], key) for key in KEYS] == state(found, *KEYS)
    readout = drawn(found)
    assert readout["weights"] == pytest.approx(names["figure"].log_weights.tolist(), rel=1e-3)


def test_a_link_restores_the_state(loaded: Page, browser: Browser, path: Path):
    found = figure(loaded, "words")
    found.get_by_role("button", name="Reset").click()
    found.get_by_role("textbox", name="prompt 3").fill("on a beach")
    found.get_by_role("textbox", name="prompt 3").press("Enter")
    link = copied(found, "Copy link")
    again = open_page(browser, path, link[link.index("#") :])
    assert state(figure(again, "words"), *KEYS) == state(found, *KEYS)
    expect(again.get_by_role("textbox", name="prompt 3")).to_have_value("on a beach")
    again.context.close()
    found.get_by_role("button", name="Reset").click()


def test_less_motion_shows_the_end_alone(browser: Browser, path: Path):
    page = open_page(browser, path, reduced_motion="reduce")
    found = figure(page, "words")
    found.evaluate("f => f.pcModel.set('steps', 40)")
    found.get_by_role("button", name="Load the network").click()
    expect(found.locator(".pc-said")).to_have_text(re.compile(r"Step \d\d of 40"), timeout=PATIENCE)
    expect(found.locator(".pc-picture[data-shown=yes]")).to_have_count(0)
    drawn(found)
    expect(found.locator(".pc-picture[data-shown=yes]")).to_have_count(8)
    page.context.close()


def test_where_no_worker_may_start_it_says_so(browser: Browser, path: Path):
    page = browser.new_context(offline=True).new_page()
    page.add_init_script(NO_WORKERS)
    page.goto(path.as_uri())
    found = figure(page, "words")
    found.get_by_role("button", name="Load the network").click()
    expect(found.locator(".pc-notice")).to_contain_text("can't run here (no workers today)")
    expect(found.get_by_role("button", name="Try again")).to_be_visible()
    assert same(found, text_prompt().samples())
    page.context.close()


def test_where_the_files_are_missing_it_says_so(browser: Browser, path: Path, tmp_path: Path):
    alone = write_page(tmp_path, "Alone", FIGURES)
    page = open_page(browser, alone)
    found = figure(page, "words")
    found.get_by_role("button", name="Load the network").click()
    expect(found.locator(".pc-notice")).to_contain_text("there is no runtime with this page")
    worded.bring(tmp_path)
    found.get_by_role("button", name="Try again").click()
    drawn(found)
    expect(found.locator(".pc-notice")).to_be_hidden()
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_with_pictures_and_a_notice(browser: Browser, path: Path, scheme: str):
    page = open_page(browser, path, color_scheme=scheme)
    found = figure(page, "words")
    found.get_by_role("button", name="interaction").click()
    found.get_by_role("textbox", name="prompt 1").fill("a bule ball")
    found.get_by_role("textbox", name="prompt 1").press("Enter")
    expect(found.locator(".pc-notice")).to_be_visible()
    violations = Axe().run(page).response["violations"]
    page.context.close()
    assert not [f"{v['id']}: {json.dumps(v['nodes'])[:300]}" for v in violations]


def test_on_a_phone_everything_fits_and_can_be_touched(browser: Browser, path: Path):
    page = open_page(browser, path, has_touch=True, is_mobile=True)
    page.set_viewport_size({"width": 360, "height": 700})
    found = figure(page, "words")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in found.locator("button, select, input").all():
        assert control.bounding_box()["height"] >= 44
    boxes = [canvas.bounding_box() for canvas in found.locator(".pc-picture").all()]
    assert min(box["width"] for box in boxes) > 64
    found.get_by_role("button", name="Another noise").tap()
    assert state(found, "seed") == [1]
    page.context.close()
