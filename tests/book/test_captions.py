"""What captions and prose ask a reader to do, done: the figure then shows what they promise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import projcomp as pc
import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, expect
from projcomp.widgets.spec import from_spec

from tests.book.conftest import chapters
from tests.book.driving import figure, open_page, state, told

ATLAS = "chapters/11-failure-atlas"


def links(page: Page, name: str = "") -> list[Locator]:
    """The links of a page that set a figure."""
    return page.locator(f".bd-article a[href^='#pc-{name}'][href*='?']").all()


def settled(found: Locator, holds: Callable[[], bool]) -> None:
    """Waits until the figure has worked out something that holds."""
    for _ in range(100):
        if holds():
            return
        found.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert holds()


@pytest.mark.parametrize("name", chapters())
def test_every_link_in_the_prose_sets_its_figure(browser: Browser, book: Path, name: str):
    page = open_page(browser, book / f"{name}.html")
    for link in links(page):
        target, _, query = unquote(link.get_attribute("href")).removeprefix("#pc-").partition("?")
        found = figure(page, target)
        link.click()
        for key, text in parse_qsl(query):
            (value,) = state(found, key)
            assert value == (text if isinstance(value, str) else json.loads(text)), (target, key)
        expect(found.locator(".pc-notice")).to_be_hidden()
    page.context.close()


@pytest.fixture
def atlas(browser: Browser, book: Path):
    page = open_page(browser, book / f"{ATLAS}.html")
    yield page
    page.context.close()


def patient(atlas: Page, query: str) -> Locator:
    """The first figure of the atlas, once a link of its cards has been followed."""
    found = figure(atlas, "atlas-guess")
    full = f"#pc-atlas-guess?{query}"
    exact = [link for link in links(atlas) if unquote(link.get_attribute("href")) == full]
    longer = [link for link in links(atlas) if link.get_attribute("href").startswith(full)]
    (exact or longer)[0].click()
    return found


def test_a_round_background_mends_the_shadows(atlas: Page):
    found = patient(atlas, "preset=dependent")
    settled(found, lambda: min(told(found)["first"], told(found)["second"]) > 0.1)
    patient(atlas, "preset=dependent&background=")
    settled(found, lambda: SHADOWS(told(found)) < 1e-3)


def most(*keys: str) -> Callable[[dict], float]:
    return lambda readout: max(readout[key] for key in keys)


SHADOWS, GAP = most("first", "second"), most("gap")
FITS, OFF = (0.0, 0.02), (0.1, 1.0)
# Page, figure, what its caption asks for, what is measured, the least and the most it promises.
PROMISES = [
    ("02-what-is-composition", "both", {"operator": "product"}, SHADOWS, OFF),
    ("02-what-is-composition", "both", {"operator": "composition"}, SHADOWS, FITS),
    ("05-which-background", "background-blend", {"operator": "bayes"}, SHADOWS, OFF),
    ("05-which-background", "background-blend", {"operator": "composition"}, SHADOWS, FITS),
    ("06-nearly-factorized", "background-speck", {"sigma": 0}, SHADOWS, (0.9, 1.0)),
    ("06-nearly-factorized", "background-speck", {"sigma": 0.4}, SHADOWS, (0.4, 0.6)),
    ("06-nearly-factorized", "background-speck", {"sigma": 0.6}, SHADOWS, (0.0, 0.03)),
    ("10-the-path", "path-shear", {"sigma": 0}, GAP, FITS),
    ("10-the-path", "path-shear", {"sigma": 20}, GAP, FITS),
    ("10-the-path", "path-shear", {"sigma": 0.6}, GAP, OFF),
    ("10-the-path", "path-jump", {"sigma": 0.3}, GAP, (0.8, 1.0)),
    ("10-the-path", "path-jump", {"sigma": 0.085}, GAP, (0.4, 0.6)),
    ("10-the-path", "path-jump", {"sigma": 0.05}, GAP, (0.0, 0.2)),
    ("17-your-own-models", "own-models", {"operator": "bayes"}, SHADOWS, OFF),
    ("17-your-own-models", "own-models", {"operator": "composition"}, SHADOWS, FITS),
]


@pytest.mark.parametrize(
    ("name", "target", "asked", "measured", "promised"),
    PROMISES,
    ids=[f"{target}-{next(iter(asked.values()))}" for _, target, asked, *_ in PROMISES],
)
def test_what_a_caption_promises_is_seen(
    browser: Browser, book: Path, name: str, target: str, asked: dict, measured, promised
):
    page = open_page(browser, book / f"chapters/{name}.html")
    found = figure(page, target)
    value = measured(told(found, **asked))
    page.context.close()
    assert promised[0] <= value <= promised[1]


# Page, figure, the concept and component that its caption has dragged, to where, what else it asks
# for, what is measured, the least and the most it promises.
MOVES = [
    ("04-factorized-conditionals", "factorized", (0, 0), (-2, -1), {"sigma": 1}, GAP, FITS),
    ("04-factorized-conditionals", "factorized", (0, 0), (-2, -2.5), {"sigma": 1}, GAP, OFF),
    ("04-factorized-conditionals", "factorized-breaks", (1, 0), None, {}, SHADOWS, OFF),
    ("04-factorized-conditionals", "factorized-breaks", (1, 0), (0, 1.6), {}, SHADOWS, FITS),
    ("06-nearly-factorized", "background-speck", (1, 0), (0, 3.45), {}, SHADOWS, (0.4, 0.6)),
    ("06-nearly-factorized", "background-speck", (1, 0), (0, 3), {}, SHADOWS, (0.0, 0.03)),
    ("09-feature-space", "feature-overlap", (1, 0), None, {}, most("first"), OFF),
    ("09-feature-space", "feature-overlap", (1, 0), (0, 1.5), {}, most("first"), FITS),
    ("13-foretelling", "foretelling-turn", (1, 0), None, {}, SHADOWS, OFF),
    ("13-foretelling", "foretelling-turn", (1, 0), (0, 2.5), {}, SHADOWS, FITS),
]


@pytest.mark.parametrize(
    ("name", "target", "handle", "place", "asked", "measured", "promised"),
    MOVES,
    ids=[f"{target}-{place}" for _, target, _, place, *_ in MOVES],
)
def test_what_a_drag_promises_is_seen(
    browser: Browser, book: Path, name: str, target: str, handle, place, asked, measured, promised
):
    page = open_page(browser, book / f"chapters/{name}.html")
    found = figure(page, target)
    (concepts,) = state(found, "concepts")
    if place:
        concept, component = handle
        concepts[concept]["means"][component] = place
    value = measured(told(found, concepts=concepts, **asked))
    page.context.close()
    assert promised[0] <= value <= promised[1]


def test_below_a_third_nothing_is_left_of_the_precisions(browser: Browser, book: Path):
    page = open_page(browser, book / "chapters/03-the-operator.html")
    found = figure(page, "precisions")
    (background,) = state(found, "background")
    for variance, answer in ((0.34, "yes"), (0.33, "no")):
        narrow = {**background, "covariances": [[[variance]]]}
        assert told(found, background=narrow)["normalisable"].startswith(answer)
    page.context.close()


@pytest.mark.parametrize(
    ("query", "promised"),
    [
        ("preset=blend", OFF),
        ("preset=blend&operator=composition", FITS),
        ("preset=clutter", (0.002, 0.02)),
        ("preset=clutter&operator=composition", (0.0, 1e-4)),
        ("preset=speck", OFF),
        ("preset=speck&sigma=1", FITS),
    ],
)
def test_what_a_card_promises_is_seen(atlas: Page, query: str, promised):
    found = patient(atlas, query)
    settled(found, lambda: promised[0] <= SHADOWS(told(found)) <= promised[1])


def test_where_the_tidy_lie_begins(atlas: Page):
    found = patient(atlas, "preset=tidy-lie")
    for sigma, answer in ((1, "yes here"), (0.54, "yes here"), (0.52, "no here")):
        assert told(found, sigma=sigma)["normalisable"].endswith(answer)


def landed(found: Locator, **traits) -> tuple[pc.Composition, torch.Tensor]:
    """The composition of a figure, and its samples once all have arrived."""
    changed = state(found, *traits) != list(traits.values())
    found.evaluate("figure => { figure.before = figure.pcModel.get('_samples'); }")
    told(found, **traits)
    found.page.wait_for_function(
        """([figure, changed]) => {
            const now = figure.pcModel.get("_samples");
            return now?.byteLength && (!changed || now !== figure.before);
        }""",
        arg=[found.element_handle(), changed],
    )
    flat = found.evaluate("f => Array.from(new Float64Array(f.pcModel.get('_samples').buffer))")
    keys = ("background", "concepts", "weights")
    background, concepts, weights = state(found, *keys)
    parts = [from_spec(spec, 2) for spec in (background, *concepts)]
    samples = torch.tensor(flat, dtype=torch.float64).reshape(-1, 2)
    return pc.compose(parts[0], parts[1:], weights), samples


def test_under_guidance_the_dots_keep_other_corners_and_without_it_they_agree(atlas: Page):
    found = patient(atlas, "preset=guidance")
    grid = pc.Grid([-6.0, -6.0], [8.0, 8.0], 300)
    corner = (grid.points > 0).all(-1)

    def shares(weight: float) -> tuple[float, float, int]:
        composition, samples = landed(found, weights=[weight, weight])
        exact = float(grid.masses(composition)[corner].sum())
        return exact, float((samples > 0).all(-1).double().mean()), len(samples)

    exact, sampled, _ = shares(3.0)
    assert exact > 0.9
    assert sampled < exact - 0.1
    exact, sampled, count = shares(1.0)
    assert abs(sampled - exact) < 4 * (exact * (1 - exact) / count) ** 0.5


def test_forty_steps_leave_nothing_between_the_blobs(atlas: Page):
    found = patient(atlas, "preset=few-steps")

    def astray(steps: int) -> float:
        """The share of samples where the composition has a thousandth of its mass."""
        composition, samples = landed(found, steps=steps)
        grid = pc.Grid([-6.0, -6.0], [6.0, 6.0], 300)
        masses = grid.masses(composition).flatten()
        logs = composition.log_prob(grid.points).flatten()
        order = logs.argsort()
        edge = logs[order[masses[order].cumsum(0) > 1e-3][0]]
        return float((composition.log_prob(samples) < edge).double().mean())

    assert astray(5) == pytest.approx(1 / 9, abs=4 * (8 / 81 / 500) ** 0.5)
    assert astray(40) < 0.02


def test_more_steps_change_nothing_under_the_shear(atlas: Page):
    found = patient(atlas, "preset=skewed-shear")

    def aligned(steps: int) -> float:
        (rows,) = state(found, "directions")
        _, samples = landed(found, steps=steps)
        return float(
            ((samples @ torch.tensor(rows, dtype=torch.float64).T).prod(-1) > 0).double().mean()
        )

    sixty, many = aligned(60), aligned(200)
    error = (sixty * (1 - sixty) / 500) ** 0.5
    assert abs(sixty - many) < 4 * 2**0.5 * error


def test_after_the_jump_the_samples_stay_behind(atlas: Page):
    _, samples = landed(patient(atlas, "preset=jump"))
    assert float((samples[:, 0] > 0.5).double().mean()) > 0.9


def test_from_the_wrong_start_the_dots_stop_halfway(atlas: Page):
    _, samples = landed(patient(atlas, "preset=wrong-start"))
    assert ((samples.mean(0) > 1) & (samples.mean(0) < 2)).all()
