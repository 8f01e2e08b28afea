"""What "Copy as Python" copies: it rebuilds the whole figure, and prints what the figure says."""

from __future__ import annotations

import re
from pathlib import Path

import projcomp as pc
import pytest
from playwright.sync_api import Browser, Locator, Page
from projcomp.widgets import CONTROLS, PRESETS

from tests.book.driving import copied, figure, handle, open_page, state
from tests.book.standalone import write_page
from tests.widgets.kinds import lattice, prompt

FIGURES = {
    "explorer": lambda: pc.Explorer.from_preset(
        "shear", controls=CONTROLS, readouts=["gap", "along"], name="explorer", alt='A "true" 𝒞.'
    ),
    "flat": lambda: pc.Explorer(None, [pc.gaussian([1.0, 0.0], 0.5)], name="flat", sigma_max=20.0),
    "line": lambda: pc.Explorer(
        pc.gaussian([0.0], 1.0),
        [pc.gaussian([1.0], 0.5)],
        view="line",
        box=[-4, 0, 4, 1],
        name="line",
        reweight=True,
    ),
    "square": lambda: pc.Square.from_preset("banana", name="square", show=["grid", "parts"]),
    "lattice": lattice,
    "prompt": prompt,
}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_page(tmp_path_factory.mktemp("python"), "Python", FIGURES)


def alike(ours, theirs) -> bool:
    """The same plain values; numbers to twelve digits."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(alike(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    if isinstance(ours, float):
        return theirs == pytest.approx(ours, rel=1e-12, abs=1e-12)
    return ours == theirs


def rebuilt(found: Locator, kind: str) -> dict:
    """What running the copy leaves; the figure in it must be in the state of the page's."""
    text = copied(found, "Copy as Python")
    assert text.endswith("\nfigure\n")
    names: dict = {}
    exec(compile(text, "snippet", "exec"), names)
    mine = names["figure"].state()
    kept = dict(zip(mine, state(found, *mine), strict=True))
    if kind == "square":  # other warps' boxes are fitted anew to the parts
        mine["boxes"], kept["boxes"] = (one["boxes"][one["warp"]] for one in (mine, kept))
    differing = [key for key in mine if not alike(kept[key], mine[key])]
    assert not differing, {key: (kept[key], mine[key]) for key in differing}
    return names


@pytest.mark.filterwarnings("ignore:the density is not normalisable")
def test_every_preset(page: Page, capsys):
    found = figure(page, "explorer")
    for name in PRESETS:
        found.get_by_label("preset").select_option(name)
        composition = rebuilt(found, "explorer")["composition"]
        told = re.findall(r"normalisable \w+ ?\w*: (\w+)", capsys.readouterr().out)
        (sigma,) = state(found, "sigma")
        assert told == [str(composition.normalisable(level)) for level in (0.0, sigma)], name


# What a reader may have changed: values of traits.
CHANGES = {
    "explorer": [
        {"operator": "product", "weights": [2.5, -0.5]},
        {"operator": "bayes", "sigma": 0.37, "show": ["interaction"]},
        {"reweight": True, "method": "sde", "steps": 20, "particles": 40, "seed": 3},
    ],
    "flat": [{"sigma": 2.0}],
    "line": [{"sigma": 0.5}, {"reweight": False}],
    "square": [
        {"warp": "rotation", "amount": 20},
        {"warp": "shear", "amount": 33.5, "operator": "product", "route": "second"},
        {"warp": "polar", "amount": 0},
    ],
    "lattice": [{"chosen": [], "clutter": "capped"}, {"level": 3, "seed": 2, "view": "belief"}],
    "prompt": [
        {"content": "key", "style": "black lines", "guidance": 4.5},
        {"level": 3, "seed": 2, "view": "denoised"},
    ],
}


@pytest.mark.parametrize("kind", FIGURES)
def test_every_kind_in_several_states(page: Page, kind: str):
    found = figure(page, kind)
    if kind not in ("lattice", "prompt"):
        rebuilt(found, kind)
        handle(found, "0.0.0").focus()
        page.keyboard.press("ArrowUp" if kind == "square" else "ArrowRight")
    rebuilt(found, kind)
    for change in CHANGES[kind]:
        found.evaluate(
            "(f, change) => Object.entries(change).forEach(([k, v]) => f.pcModel.set(k, v))", change
        )
        assert found.locator(".pc-notice:visible").filter(has_text="can't").count() == 0
        rebuilt(found, kind)


@pytest.mark.parametrize("warp", ["shear", "polar"])
def test_the_square_prints_the_differences_that_it_shows(page: Page, warp: str, capsys):
    found = figure(page, "square")
    found.get_by_label("warp W").select_option(warp)
    found.evaluate("f => f.pcModel.set('readout', {})")
    handle(found, "1.0.0").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("f => f.pcModel.get('readout').normalisable", arg=found.element_handle())
    rebuilt(found, "square")
    printed = re.search(r"routes differ by (\{.*\})", capsys.readouterr().out)[1]
    numbers, (readout,) = eval(printed), state(found, "readout")
    for operator in ("composition", "product"):
        assert numbers[operator] == pytest.approx(readout[operator], abs=1e-9)
    assert (numbers["product"] > 1) == (warp == "polar")


@pytest.mark.parametrize("make", [lattice, prompt])
def test_without_a_source_pictures_offer_no_python(tmp_path: Path, browser: Browser, make):
    alone = write_page(tmp_path, "Alone", {"alone": lambda: make("alone", source="")})
    page = open_page(browser, alone)
    found = figure(page, "alone")
    assert found.get_by_role("button", name="Copy link").count() == 1
    assert found.get_by_role("button", name="Copy as Python").count() == 0
    page.context.close()
