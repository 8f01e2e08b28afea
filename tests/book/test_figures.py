"""The live figures on the built pages: no kernel, no network."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import projcomp as pc
import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, expect
from projcomp.widgets import PRESETS, bundle

from tests.book.driving import centre, copied, figure, finger, handle, open_page, state
from tests.widgets.fixture import fixture


@pytest.fixture
def noise_page(browser: Browser, book: Path) -> Iterator[Page]:
    page = open_page(browser, book / "chapters" / "01-noise-and-scores.html")
    yield page
    page.context.close()


@pytest.fixture
def explorer(browser: Browser, book: Path) -> Iterator[Locator]:
    page = open_page(browser, book / "chapters" / "index.html")
    yield figure(page, "explorer")
    page.context.close()


def test_a_figure_waits_until_it_is_near_the_view(noise_page: Page):
    noise_page.set_viewport_size({"width": 1280, "height": 300})
    expect(noise_page.locator(".pc-figure").first).to_have_attribute("data-live", "yes")
    assert noise_page.locator(".pc-figure").nth(1).get_attribute("data-live") is None


def test_a_finger_drags(browser: Browser, book: Path):
    page = open_page(browser, book / "chapters" / "02-what-is-composition.html", has_touch=True)
    found = figure(page, "both")
    before = state(found, "concepts")[0][0]["means"][0]
    x, y = centre(handle(found, "0.0.0"))
    finger(page, x + 15, y + 12, -60, -30)  # within 22 px: the target is 44 px wide
    after = state(found, "concepts")[0][0]["means"][0]
    assert after[0] < before[0] - 0.3
    page.context.close()


def test_play_pause_step_and_reseed(noise_page: Page):
    found = figure(noise_page, "flow")
    sigma = found.locator(".pc-transport output")
    found.get_by_role("button", name="Restart").click()
    expect(found.get_by_role("button", name="Pause")).to_be_visible()
    noise_page.wait_for_function(
        "output => parseFloat(output.textContent) < 60", arg=sigma.element_handle()
    )
    found.get_by_role("button", name="Pause").click()
    (paused,) = state(found, "sigma")
    assert 0 < paused < 60
    found.get_by_role("button", name="Step").click()
    (stepped,) = state(found, "sigma")
    assert 0 < stepped < paused
    (seed,) = state(found, "seed")
    found.get_by_role("button", name="New noise").click()
    assert state(found, "seed") == [seed + 1]
    found.get_by_role("button", name="Play").click()
    expect(sigma).to_have_text("0", timeout=15_000)
    expect(found.get_by_role("button", name="Play")).to_be_visible()


def test_less_motion_goes_straight_to_the_end(browser: Browser, book: Path):
    path = book / "chapters" / "01-noise-and-scores.html"
    page = open_page(browser, path, reduced_motion="reduce")
    found = figure(page, "flow")
    found.get_by_role("button", name="Restart").click()
    assert state(found, "sigma") == [0]
    page.context.close()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_the_library_numbers(explorer: Locator, name: str):
    explorer.evaluate("f => f.pcModel.set('readout', {})")
    explorer.locator("select").first.select_option(name)
    explorer.page.wait_for_function(
        "f => f.pcModel.get('readout').normalisable", arg=explorer.element_handle()
    )
    readout, box, operator, sigma = state(explorer, "readout", "box", "operator", "sigma")
    expect(explorer.locator(".pc-summary")).to_contain_text(
        f"Noise level {float(f'{sigma:.3g}'):g}."
    )
    preset = PRESETS[name]()
    ours = pc.Explorer.from_preset(name).composition
    assert operator == preset.options.get("operator", "composition")
    answers = {True: "yes", False: "no", None: "not known"}
    assert readout["normalisable"].startswith(answers[ours.normalisable(0)])
    # The picture's box at this noise level, widened as the camera does.
    half = min(box[2] - box[0], box[3] - box[1]) / 2
    zoom = max(1.0, 2.2 * sigma / half)
    middle = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
    reach = [zoom * (box[2] - box[0]) / 2, zoom * (box[3] - box[1]) / 2]
    low = [m - r for m, r in zip(middle, reach, strict=True)]
    high = [m + r for m, r in zip(middle, reach, strict=True)]
    grid = pc.Grid(low, high, 96)
    try:
        truth = ours.exact()
    except ValueError:
        return  # compared by quadrature, or not normalisable
    theirs = 0.5 * (grid.masses(ours, sigma) - grid.masses(truth, sigma)).abs().sum()
    assert readout["gap"] == pytest.approx(float(theirs), abs=1e-9)


def test_copied_python_rebuilds_the_state(explorer: Locator, capsys):
    explorer.locator("select").first.select_option("guidance")
    chosen = handle(explorer, "1.0.0")
    chosen.focus()
    explorer.page.keyboard.press("ArrowRight")
    text = copied(explorer, "Copy as Python")
    names: dict = {}
    exec(compile(text, "snippet", "exec"), names)
    assert len(capsys.readouterr().out) > 10
    assert names["run"].samples.shape == (500, 2)
    concepts, weights = state(explorer, "concepts", "weights")
    assert names["composition"].weights.tolist() == weights
    for concept, spec in zip(names["concepts"], concepts, strict=True):
        assert concept.means.tolist() == spec["means"]
    points = 2 * torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    theirs = explorer.page.evaluate(
        """async ([module, c, points]) => {
            const blob = new Blob([module], { type: "text/javascript" });
            const { math } = (await import(URL.createObjectURL(blob))).default;
            const at = new math.Composition(new math.Mixture(c.background),
                c.concepts.map((m) => new math.Mixture(m)), c.weights).at(0.5);
            return points.map(([x, y]) => at.logDensity(x, y));
        }""",
        [
            bundle.module(),
            dict(zip(("background", "concepts", "weights"),
                     state(explorer, "background", "concepts", "weights"), strict=True)),
            points.tolist(),
        ],
    )  # fmt: skip
    ours = names["composition"].log_prob(points.double(), 0.5)
    assert ours.tolist() == pytest.approx(theirs, rel=1e-9)


def test_a_link_restores_the_state(browser: Browser, book: Path, explorer: Locator):
    (home,) = state(explorer, "concepts")
    explorer.locator("select").first.select_option("tidy-lie")
    handle(explorer, "0.0.0").focus()
    explorer.page.keyboard.press("ArrowUp")
    link = copied(explorer, "Copy link")
    fragment = link[link.index("#") :]
    assert explorer.page.url == link
    keys = ("background", "concepts", "weights", "operator", "sigma", "show", "seed")
    page = open_page(browser, book / "chapters" / "index.html", fragment)
    assert state(figure(page, "explorer"), *keys) == state(explorer, *keys)
    page.context.close()
    broken = open_page(browser, book / "chapters" / "index.html", fragment[:40])
    found = figure(broken, "explorer")
    expect(found.locator(".pc-notice")).to_contain_text("could not be read")
    assert state(found, "preset", "concepts") == ["shear", home]
    broken.context.close()


def test_two_figures_on_a_page_are_independent(noise_page: Page):
    flow, score = figure(noise_page, "flow"), figure(noise_page, "score")
    keys = ("concepts", "sigma", "show")
    before = state(score, *keys)
    handle(flow, "0.0.0").focus()
    noise_page.keyboard.press("ArrowRight")
    flow.get_by_role("button", name="Step").click()
    assert state(score, *keys) == before
    assert state(flow, "concepts")[0] != before[0]


def test_the_pages_module_agrees_with_the_library(browser: Browser):
    folder = Path(__file__).parents[1] / "widgets"
    texts = [(folder / name).read_text("utf-8") for name in ("agreement.mjs", "verdicts.mjs")]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the density is not normalisable")
        numbers = fixture()
    page = browser.new_page()
    report = page.evaluate(
        """async ([module, texts, fixture]) => {
            const load = (text) =>
                import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
            const { default: widget } = await load(module);
            const [{ compare }, { compareVerdicts }] = await Promise.all(texts.map(load));
            return compare(widget.math, fixture, compareVerdicts);
        }""",
        [bundle.module(), texts, numbers],
    )
    page.close()
    assert len(report) > 50
    assert max(entry["worst"] for entry in report) < 1e-9
