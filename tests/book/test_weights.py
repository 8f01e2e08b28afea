"""Weighted samples in the Explorer, on a page of its own: no kernel, no network."""

from __future__ import annotations

import re
from pathlib import Path

import projcomp as pc
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect
from projcomp.samplers.resampling import effective_size
from projcomp.widgets import CONTROLS, bundle

from tests.book.driving import copied, figure, largest_change, open_page, pixels, state, told
from tests.book.standalone import write_page
from tests.widgets.fixture import log_weights

LABEL = "weigh samples by interaction"


def on_the_line() -> pc.Explorer:
    pair = pc.GaussianMixture([0.3, 0.7], [[-1.0], [1.0]], 0.3)
    return pc.Explorer(
        pc.gaussian([0.0], 1.0),
        [pair, pc.gaussian([1.0], 0.8)],
        view="line",
        box=[-4, 0, 4, 1],
        show=["samples"],
        name="line",
    )


FIGURES = {
    "all": lambda: pc.Explorer.from_preset("mild-shear", controls=CONTROLS, name="all", sigma=0.0),
    "plain": lambda: pc.Explorer.from_preset("reweighted", controls=["sigma"], name="plain"),
    "mild": lambda: pc.Explorer.from_preset(
        "mild-shear", controls=["sigma", "play", "reweight"], name="mild", sigma=0.0
    ),
    "line": on_the_line,
}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_page(tmp_path_factory.mktemp("weights"), "Weights", FIGURES)


def numbers(found: Locator, trait: str) -> torch.Tensor:
    """A trait of bytes as float64."""
    values = found.evaluate(
        "(f, key) => Array.from(new Float64Array(f.pcModel.get(key).buffer))", trait
    )
    return torch.tensor(values, dtype=torch.float64)


def shown(found: Locator) -> float:
    """The effective sample size that the page shows."""
    return float(re.search(r"effective samples: ([\d.]+) of", found.inner_text())[1])


def starting_points(found: Locator) -> torch.Tensor:
    """The noise that the figure's sampler starts from."""
    seed, particles, sigma_max = state(found, "seed", "particles", "sigma_max")
    start = found.page.evaluate(
        """async ([module, seed, particles, sigma]) => {
            const blob = new Blob([module], { type: "text/javascript" });
            const { math } = (await import(URL.createObjectURL(blob))).default;
            return Array.from(math.initial(particles, sigma, math.normals(seed)));
        }""",
        [bundle.module(), seed, particles, sigma_max],
    )
    return torch.tensor(start, dtype=torch.float64).reshape(-1, 2)


def test_weights_make_the_four_blobs_weigh_the_same(page: Page):
    found = figure(page, "mild")
    found.get_by_role("checkbox", name=LABEL).check()
    found.page.wait_for_function(
        "figure => figure.pcModel.get('_log_weights')?.byteLength", arg=found.element_handle()
    )
    samples = numbers(found, "_samples").reshape(-1, 2)
    (rows,) = state(found, "directions")
    hits = ((samples @ torch.tensor(rows, dtype=torch.float64).T).prod(-1) > 0).double()
    weights = numbers(found, "_log_weights").exp()
    assert float(hits.mean()) > 0.65
    share = float(weights @ hits)
    error = float((weights**2 * (hits - share) ** 2).sum() ** 0.5)
    assert abs(share - 0.5) < 4 * error


@pytest.mark.parametrize("method", ["heun", "euler"])
def test_weights_and_effective_size_are_the_library_ones(page: Page, method: str):
    found = figure(page, "all")
    readout = told(found, reweight=True, method=method, seed=3)
    explorer = FIGURES["all"]()
    sigmas = pc.sigma_grid(explorer.sigma_min, explorer.sigma_max, explorer.steps)
    run = pc.reverse_diffusion(
        explorer.composition, 500, sigmas, method, start=starting_points(found), keep_path=True
    )
    logs = log_weights(explorer.composition, run)
    samples, mine = numbers(found, "_samples").reshape(-1, 2), numbers(found, "_log_weights")
    assert (samples - run.samples).abs().max() < 1e-8
    assert (mine - torch.log_softmax(logs[-1], 0)).abs().max() < 1e-8
    size = effective_size(logs[-1])
    assert readout["effective"] == pytest.approx(size, rel=1e-6)
    assert shown(found) == pytest.approx(size, rel=0.01)
    expect(found.locator(".pc-summary")).to_contain_text(f"{size:.0f} effective of 500")
    # And the weights mend the shares: |u| = |v| = 1 with equal signs is half of the composition.
    features = samples @ torch.tensor(explorer.directions, dtype=torch.float64).T
    alike = (features.prod(1) > 0).double()
    assert alike.mean() > 0.65
    assert abs(mine.exp() @ alike - 0.5) < 0.07
    # Higher up less is lost.
    level = float(sigmas[30])
    told(found, sigma=level)
    assert shown(found) == pytest.approx(effective_size(logs[30]), rel=0.01)


def test_along_the_sde_it_is_the_library_sampler(page: Page):
    found = figure(page, "all")
    told(found, reweight=True, method="sde", particles=2000)
    explorer = FIGURES["all"]()
    sigmas = pc.sigma_grid(explorer.sigma_min, explorer.sigma_max, explorer.steps)
    generator = torch.Generator().manual_seed(0)
    run = pc.smc(explorer.composition, 2000, sigmas, threshold=0.0, generator=generator)
    assert shown(found) == pytest.approx(float(run.effective[-1]), rel=0.08)


def test_the_checkbox_changes_the_dots(page: Page):
    found = figure(page, "all")
    told(found, show=["samples"])
    plain = pixels(found)
    box, worth = found.get_by_label(LABEL), found.locator(".pc-worth")
    expect(worth).to_be_hidden()
    assert "effective" not in found.locator(".pc-summary").text_content()
    box.focus()
    page.keyboard.press("Space")
    assert state(found, "reweight") == [True]
    expect(worth).to_be_visible()
    meter = found.get_by_role("meter", name="effective samples")
    assert float(meter.get_attribute("aria-valuenow")) == pytest.approx(shown(found), abs=0.6)
    inside, whole = (meter.locator("div").bounding_box(), meter.bounding_box())
    assert inside["width"] / whole["width"] == pytest.approx(shown(found) / 500, abs=0.03)
    expect(found.locator(".pc-legend")).to_contain_text("the area is the weight")
    weighted = pixels(found)
    assert largest_change(plain, weighted) > 20
    found.page.wait_for_function(
        "f => f.pcModel.get('_log_weights').byteLength === 4000", arg=found.element_handle()
    )
    page.keyboard.press("Space")
    expect(worth).to_be_hidden()
    assert largest_change(plain, pixels(found)) == 0
    found.page.wait_for_function(
        "f => f.pcModel.get('_log_weights').byteLength === 0", arg=found.element_handle()
    )


def test_weighing_shows_the_samples(page: Page):
    found = figure(page, "all")
    told(found, show=["composition"])
    found.get_by_label(LABEL).check()
    assert state(found, "show") == [["composition", "samples"]]


def test_a_preset_weighs_and_another_does_not(page: Page):
    found = figure(page, "all")
    preset = found.locator("select").first
    preset.select_option("reweighted")
    assert state(found, "reweight") == [True]
    expect(found.get_by_label(LABEL)).to_be_checked()
    preset.select_option("shear")
    expect(found.get_by_label(LABEL)).not_to_be_checked()
    expect(found.locator(".pc-worth")).to_be_hidden()
    # A figure may weigh without offering the choice.
    alone = figure(page, "plain")
    assert alone.get_by_label(LABEL).count() == 0
    assert 380 < shown(alone) < 430


def test_play_carries_the_weights_along(page: Page):
    found = figure(page, "all")
    told(found, reweight=True, particles=2000)
    found.get_by_role("button", name="Restart").click()
    expect(found.locator(".pc-worth")).to_contain_text("2000 of 2000")
    expect(found.get_by_role("button", name="Play")).to_be_visible(timeout=15_000)
    assert 1500 < shown(found) < 1750


def test_on_the_line_the_histogram_is_weighted(page: Page):
    found = figure(page, "line")
    plain = pixels(found)
    found.get_by_label(LABEL).check()
    expect(found.locator(".pc-worth")).to_be_visible()
    assert largest_change(plain, pixels(found)) > 20
    assert 250 < shown(found) < 499


@pytest.mark.parametrize("method", ["heun", "sde"])
def test_copied_python_weighs(page: Page, capsys, method: str):
    found = figure(page, "all")
    told(found, reweight=True, method=method)
    names: dict = {}
    exec(compile(copied(found, "Copy as Python"), "snippet", "exec"), names)
    printed = float(re.search(r"effective samples: ([\d.]+)", capsys.readouterr().out)[1])
    assert printed == pytest.approx(shown(found), rel=0.1)
    shares = names["weights_of_samples"]
    expected = log_weights(names["composition"], names["run"])[-1]
    assert (shares - torch.softmax(expected, 0)).abs().max() < 1e-12
    told(found, reweight=False)
    assert "weights_of_samples" not in copied(found, "Copy as Python")


def test_a_link_keeps_the_weights(browser: Browser, path: Path, page: Page):
    found = figure(page, "all")
    told(found, reweight=True)
    link = copied(found, "Copy link")
    opened = open_page(browser, path, link[link.index("#") :])
    other = figure(opened, "all")
    assert state(other, "reweight") == [True]
    expect(other.locator(".pc-worth")).to_have_text(found.locator(".pc-worth").inner_text())
    opened.context.close()


@pytest.mark.parametrize(
    "preset", ["rotation", "mild-shear", "shear", "steep-shear", "skewed-shear", "factorized"]
)
def test_exact_shadows_are_exact(page: Page, preset: str):
    found = figure(page, "all")
    found.locator("select").first.select_option(preset)
    readout = told(found, sigma=0.0)
    assert max(readout["first"], readout["second"]) < 1e-4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_and_narrow(browser: Browser, path: Path, scheme: str):
    page = open_page(browser, path, color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 800})
    for name in FIGURES:
        found = figure(page, name)
        told(found, reweight=True)
        expect(found.locator(".pc-worth")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator(".pc-live [id]").count() == 0
    violations = Axe().run(page).response["violations"]
    page.context.close()
    found = [f"{v['id']}: {n['html'][:120]}" for v in violations for n in v["nodes"]]
    assert not found, "\n".join(found)
