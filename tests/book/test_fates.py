"""One noise, four fates; and the first page's figure: what they say is so, and follows the hand."""

from __future__ import annotations

import json
from pathlib import Path

import projcomp as pc
import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, expect

from tests.book.driving import drag, figure, handle, largest_change, open_page, pixels, state
from tests.book.standalone import write_page

FATES = ("ode", "sde", "weighted", "exact")
FLOOR = 0.12  # exact draws, 500 in 64 blocks: about half of sum sqrt(2 p / (500 pi)) from chance


def fates(preset: str, name: str):
    controls = ["sigma", "play", "edit"]
    return lambda: pc.Explorer.from_preset(
        preset, view="fates", controls=controls, name=name, sigma=0.0
    )


def hero() -> pc.Explorer:
    concepts = [pc.gaussian([3.0, 0.0], 0.5), pc.gaussian([0.0, 3.0], 0.5)]
    return pc.Explorer(
        pc.gaussian([0.0, 0.0], 0.5),
        concepts,
        controls=["drag", "fate"],
        show=["parts", "composition", "samples"],
        box=[-5.5, -2.3, 8.9, 5.7],
        particles=200,
        steps=40,
        name="hero",
    )


FIGURES = {
    "mild": fates("mild-shear", "mild"),
    "straight": fates("factorized", "straight"),
    "lie": fates("tidy-lie", "lie"),
    "hero": hero,
}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_page(tmp_path_factory.mktemp("fates"), "Fates", FIGURES)


@pytest.fixture
def page(browser: Browser, path: Path):
    page = open_page(browser, path)
    yield page
    page.context.close()


def off(found: Locator) -> dict[str, float]:
    """How far every fate is off, once all particles have arrived."""
    found.page.wait_for_function(
        "figure => 'exact' in figure.pcModel.get('readout')", arg=found.element_handle()
    )
    readout = state(found, "readout")[0]
    return {fate: readout[fate] for fate in FATES}


def test_weights_bring_back_what_the_path_lost(page: Page):
    found = figure(page, "mild")
    told = off(found)
    assert told["exact"] < FLOOR
    expect(found.get_by_role("meter", name="effective samples")).to_be_visible()
    assert told["weighted"] < told["ode"] - 0.05
    assert told["weighted"] < told["sde"] - 0.05


def test_where_nothing_interacts_all_four_are_chance(page: Page):
    found = figure(page, "straight")
    told = off(found)
    assert max(told.values()) < FLOOR
    shown = found.locator(".pc-off").all_text_contents()
    assert shown == [f"off by {told[fate]:.2f}" for fate in FATES]


def test_all_four_start_from_one_noise(page: Page):
    figure(page, "straight")
    starts = page.evaluate(
        """() => {
            const { Mixture, Noised, Path, drawn, normals } = PROJCOMP_WIDGET.start().math;
            const [mean, covariance] = [[1, -2], [[0.5, 0.2], [0.2, 0.3]]];
            const mixture = new Mixture({ weights: [1], means: [mean], covariances: [covariance] });
            const path = (method) => new Path(
                Object.assign(mixture, { spread: 1 }), [100, 1, 0], 50, method, 7);
            const draws = new Noised(drawn(mixture, 50, normals(8)), 7);
            const added = draws.atSigma(100).map((x, i) => x - draws.points[i]);
            return ["heun", "sde"].map(m => path(m).atSigma(100)).concat([added]).map(x => [...x]);
        }"""
    )
    assert starts[0] == starts[1] == pytest.approx(starts[2], rel=1e-9)


@pytest.mark.parametrize(
    "how", ["drawn(mixture, 20000, normals(3))", "drawnFrom(field, masses, 20000, normals(3))"]
)
def test_draws_have_the_mixtures_law(page: Page, how: str):
    """Mean and covariance within four standard errors, and a cell's width for the grid."""
    figure(page, "straight")
    weights, means = [0.3, 0.7], [[1.0, -2.0], [-1.0, 1.0]]
    covariances = [[[0.5, 0.35], [0.35, 0.3]], [[0.4, 0.3], [0.3, 0.4]]]
    given = {"weights": weights, "means": means, "covariances": covariances}
    flat = page.evaluate(
        """([given, how]) => {
            const { Field, Mixture, drawn, drawnFrom, normals } = PROJCOMP_WIDGET.start().math;
            const mixture = new Mixture(given);
            const field = new Field([-5, -5, 5, 5], 160);
            const masses = field.masses(mixture.at(0));
            return [...new Function("drawn", "drawnFrom", "normals", "mixture", "field", "masses",
                `return ${how}`)(drawn, drawnFrom, normals, mixture, field, masses)];
        }""",
        [given, how],
    )
    points = torch.tensor(flat, dtype=torch.float64).reshape(-1, 2)
    exact = pc.GaussianMixture(weights, means, covariances)
    error = points.std(0) / len(points) ** 0.5
    assert ((points.mean(0) - exact.mean).abs() < 4 * error).all()
    spread = torch.cov(points.T) - exact.covariance
    centred = points - points.mean(0)
    products = centred[:, :, None] * centred[:, None, :]
    assert (spread.abs() < 4 * products.std(0) / len(points) ** 0.5 + (10 / 160) ** 2 / 6).all()


def test_where_there_is_no_composition_nothing_is_measured(page: Page):
    found = figure(page, "lie")
    told = state(found, "readout")[0]
    assert told["normalisable"].startswith("no")
    assert all(told.get(fate) is None for fate in FATES)
    assert found.locator(".pc-off").all_text_contents() == [""] * 4
    assert "no composition to noise" in found.locator(".pc-legend").text_content()


def test_a_drag_changes_all_four(page: Page):
    found = figure(page, "mild")
    before = [pixels(found, which) for which in range(4)]
    drag(found, "1.0.0", 30, -30)
    for which, picture in enumerate(before):
        assert largest_change(picture, pixels(found, which)) > 20


def spec(x: float, y: float, variance: float) -> str:
    background = {"weights": [1], "means": [[x, y]]}
    background["covariances"] = [[[variance, 0], [0, variance]]]
    return json.dumps(background, separators=(",", ":"))


@pytest.mark.parametrize(
    ("background", "fate"),
    [
        (spec(0, 0, 0.5), "what was wanted"),
        (spec(1.5, 1.5, 0.5), "a blend"),
        (spec(0, 0, 0.2), "a tidy lie"),
        (spec(-1.5, 0, 0.5), "not what was wanted"),
    ],
)
def test_the_headline_says_what_became_of_it(page: Page, background: str, fate: str):
    found = figure(page, "hero")
    page.evaluate("hash => { location.hash = hash }", f"#pc-hero?background={background}")
    expect(found.locator(".pc-headline")).to_have_text(fate)


def test_the_background_is_dragged_from_wanted_to_a_blend_and_to_a_lie(page: Page):
    found = figure(page, "hero")
    word = found.locator(".pc-headline")
    expect(word).to_have_text("what was wanted")
    expect(handle(found, "0.0.1")).to_be_visible()
    box = found.locator(".pc-handles").bounding_box()
    unit = box["width"] / (8.9 + 5.5)
    drag(found, "0.0.0", 1.5 * unit, -1.5 * unit)
    expect(word).to_have_text("a blend")
    # One of its tips inwards, and nothing is normalisable.
    drag(found, "0.0.1", -0.35 * unit, 0)
    expect(word).to_have_text("a tidy lie")
