"""Still pictures held to the live ones: what a caption says of one holds for the other."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import projcomp as pc
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page
from projcomp.widgets import explorer_still, lattice_still, prompt_still, square_still
from projcomp.widgets.explorer import LAYERS
from projcomp.widgets.explorer_scene import Scene
from projcomp.widgets.figure import Figure
from projcomp.widgets.lattice import SETTINGS
from projcomp.widgets.prompt import WAYS
from projcomp.widgets.square import LAYERS as SQUARE_LAYERS

from tests.book.driving import figure, open_page
from tests.book.standalone import write_page
from tests.widgets.kinds import lattice, prompt

SIZES = {
    "plane": 422, "line": 660, "square": 2 * 342 + 12, "lattice": 3 * 230 + 24,
    "prompt": 5 * 139 + 4 * 12,
}  # fmt: skip
"""Widths at which the live pictures are as large as the still ones, in CSS pixels."""
FIXED = ("kind", "name", "summary", "controls", "presets", "preset", "bank")
FACE = [layer for layer in LAYERS if layer != "interaction"]  # which hides the composition
NEAR = 1 / 2  # of what a layer changes, a still picture of it alone may be off by
NEARER = 3 / 4  # the same where other layers are drawn, which are off by something too


def on_the_plane(**options) -> pc.Explorer:
    preset = pc.widgets.PRESETS["mild-shear"]()
    given = {"sigma": 0.5, "seed": 3, "controls": ["sigma"], "name": "plane", **options}
    return pc.Explorer(preset.background, preset.concepts, **{**preset.options, **given})


def on_the_line(**options) -> pc.Explorer:
    given = {"sigma": 0.2, "seed": 3, "controls": ["sigma"], "name": "line", "view": "line"}
    concepts = [pc.gaussian([1.5], 1.0), pc.gaussian([1.0], 0.5)]
    return pc.Explorer(pc.gaussian([0.0], 0.8), concepts, box=[-3, 0, 7, 1], **{**given, **options})


def square(**options) -> pc.Square:
    return pc.Square.from_preset(**{"warp": "banana", **options})


FIGURES = {
    "plane": on_the_plane, "line": on_the_line, "square": square, "lattice": lattice,
    "prompt": prompt,
}  # fmt: skip


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory) -> Iterator[Page]:
    page = open_page(browser, write_page(tmp_path_factory.mktemp("stills"), "Stills", FIGURES))
    yield page
    page.context.close()


def shown(page: Page, own: Figure) -> Locator:
    """The live figure in the state of this one, as large as its still picture, without handles."""
    found = figure(page, own.name)
    margin = 64 if own.kind == "explorer" and "shadows" in own.show else 0
    traits = {key: value for key, value in own.state().items() if key not in FIXED}
    found.evaluate(
        """(f, [width, traits]) => {
            f.querySelector(".pc-live").style.width = `${width}px`;
            for (const svg of f.querySelectorAll(".pc-handles")) svg.style.display = "none";
            for (const canvas of f.querySelectorAll("canvas")) canvas.width = canvas.height = 1;
            f.pcModel.set("readout", {});
            Object.entries(traits).forEach(([key, value]) => f.pcModel.set(key, value));
        }""",
        [SIZES[own.name] + margin, traits],
    )
    page.wait_for_function(
        "f => Object.keys(f.pcModel.get('readout')).length", arg=found.element_handle()
    )
    return found


def part(found: Locator, selector: str = ".pc-plane", which: int = 0) -> Image.Image:
    """A live canvas as it is on the page."""
    taken = found.locator(selector).nth(which).screenshot()
    return Image.open(io.BytesIO(taken)).convert("RGB")


class Drawn:
    """A figure's still picture, to be cut into pieces."""

    def __init__(self, figure: Figure):
        picture = figure.still().wide
        self.image = Image.open(io.BytesIO(base64.b64decode(picture.png))).convert("RGB")
        self.sharpness = self.image.width / picture.width

    def cut(self, left: float, top: float, width: float, height: float) -> Image.Image:
        """A piece, by lengths in CSS pixels."""
        ends = left, top, left + width, top + height
        return self.image.crop(tuple(round(self.sharpness * x) for x in ends))


def plane(explorer: pc.Explorer) -> Image.Image:
    margin = 64 if "shadows" in explorer.show else 0
    return Drawn(explorer).cut(1 + margin, 1 + margin, 420, 420)


def distance(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of 42 x 42 cells' colours, in 255ths."""
    both = [x.resize((42, 42), Image.Resampling.BOX) for x in (one, other)]
    first, second = (np.asarray(x, float) for x in both)
    return float(np.abs(first - second).mean())


def said(own: pc.Explorer) -> list[str]:
    """The legend of the still picture."""
    return [row.text for row in explorer_still.legend_rows(Scene(own.composition, own.state()))]


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer != "shadows"])
def test_a_layer_is_drawn_as_the_live_one(opened: Page, layer: str):
    own = on_the_plane(show=[layer])
    live = part(shown(opened, own))
    nothing = distance(live, plane(on_the_plane(show=[])))
    assert nothing > 2
    assert distance(live, plane(own)) < NEAR * nothing


def test_all_layers_are_drawn_together(opened: Page):
    own = on_the_plane(show=FACE)
    live = part(shown(opened, own))
    near = distance(live, plane(own))
    for layer in (layer for layer in FACE if layer != "shadows"):
        others = on_the_plane(show=[one for one in FACE if one != layer])
        assert near < NEARER * distance(live, plane(others)), layer


@pytest.mark.parametrize("reweight", [False, True])
def test_margins_are_the_live_ones(opened: Page, reweight: bool):
    strips = {".pc-top": (65, 0, 420, 64), ".pc-side": (485, 65, 64, 420)}
    curves = on_the_plane(show=["shadows"])
    bars = on_the_plane(show=["shadows", "samples"], reweight=reweight)
    nothing, alone, both = Drawn(on_the_plane(show=["samples"])), Drawn(curves), Drawn(bars)
    for own, mine, less in ((curves, alone, nothing), (bars, both, alone)):
        found = shown(opened, own)
        for selector, place in strips.items():
            live = part(found, selector)
            bare = Image.new("RGB", live.size, "white") if less is nothing else less.cut(*place)
            assert distance(live, mine.cut(*place)) < NEAR * distance(live, bare), selector


def test_weights_are_the_areas_of_the_dots(opened: Page):
    alike, weighed = (on_the_plane(show=["samples"], reweight=on) for on in (False, True))
    pictures = [plane(alike), plane(weighed)]
    for which, own in enumerate((alike, weighed)):
        live = part(shown(opened, own))
        near, far = distance(live, pictures[which]), distance(live, pictures[1 - which])
        assert near < NEARER * far


@pytest.mark.parametrize(
    ("method", "sigma", "others"),
    [
        ("heun", 0.0, ({"seed": 4}, {"steps": 60}, {"sigma": 0.5}, {"method": "euler"})),
        ("euler", 6.0, ({"seed": 4}, {"sigma": 1.0})),
    ],
)
def test_noise_steps_and_camera_are_the_live_ones(opened: Page, method, sigma, others):
    how = {"show": ["parts", "samples"], "sigma": sigma, "steps": 7, "method": method}
    own = on_the_plane(**how)
    live = part(shown(opened, own))
    near = distance(live, plane(own))
    for other in others:
        assert near < NEARER * distance(live, plane(on_the_plane(**{**how, **other}))), other


def test_the_product_shows_the_background_that_it_leaves_out(opened: Page):
    own = on_the_plane(show=["parts"], operator="product")
    live = part(shown(opened, own))
    near = distance(live, plane(own))
    own.background = None
    assert near < NEARER * distance(live, plane(own))


@pytest.mark.parametrize("sigma", [0.0, 0.5, 3.0])
def test_the_truth_by_quadrature_is_the_live_one(opened: Page, sigma: float):
    preset = pc.widgets.PRESETS["factorized"]()
    own, none = (
        pc.Explorer(
            preset.background,
            preset.concepts,
            name="plane",
            show=show,
            sigma=sigma,
            box=[-4, -4, 4, 4],
        )
        for show in (["truth"], [])
    )
    live = part(shown(opened, own))
    assert distance(live, plane(own)) < NEAR * distance(live, plane(none))
    assert said(own) == ["noised composition (by quadrature)"]


@pytest.mark.parametrize("operator", ["composition", "product", "bayes"])
@pytest.mark.parametrize("show", [FACE, ["interaction", "samples"], ["parts"]], ids=len)
def test_the_legend_says_the_same(opened: Page, show: list[str], operator: str):
    own = on_the_plane(show=show, operator=operator, reweight=True)
    assert said(own) == shown(opened, own).locator(".pc-key:visible").all_inner_texts()


@pytest.mark.parametrize("layer", ["parts", "composition", "samples"])
def test_a_curve_is_drawn_as_the_live_one(opened: Page, layer: str):
    own = on_the_line(show=[layer])
    found, mine = shown(opened, own), Drawn(own)
    curves, bars = (1, 1, 468, 276), (470, 0, 190, 298)
    live = part(found)
    live = live.crop((0, 0, live.width, 276))
    nothing = distance(live, Drawn(on_the_line(show=[])).cut(*curves))
    assert nothing > 2
    assert distance(live, mine.cut(*curves)) < NEAR * nothing
    live = part(found, ".pc-side")
    blank = Image.new("RGB", live.size, "white")
    assert distance(live, mine.cut(*bars)) < NEAR * distance(live, blank)
    assert said(own) == found.locator(".pc-key:visible").all_inner_texts()


PLANES = [(1 + which * 360, 25, 340, 340) for which in (0, 1)]


@pytest.mark.parametrize("layer", SQUARE_LAYERS)
def test_both_planes_of_the_square_are_the_live_ones(opened: Page, layer: str):
    own = square(show=[layer])
    found, mine, nothing = shown(opened, own), Drawn(own), Drawn(square(show=[]))
    for which, place in enumerate(PLANES):
        live = part(found, which=which)
        assert distance(live, mine.cut(*place)) < NEAR * distance(live, nothing.cut(*place))
    rows = [row.text for row in square_still.legend_rows(own.state())]
    assert rows == found.locator(".pc-key:visible").all_inner_texts()


def test_the_square_goes_the_way_that_is_chosen(opened: Page):
    how = {"operator": "product", "warp": "polar", "show": ["composition", "grid"]}
    ways = [square(**how, route=route) for route in ("first", "second")]
    pictures = [Drawn(way).cut(*PLANES[1]) for way in ways]
    for which, own in enumerate(ways):
        live = part(shown(opened, own), which=1)
        near, far = distance(live, pictures[which]), distance(live, pictures[1 - which])
        assert near < NEARER * far


@pytest.mark.parametrize(("view", "level"), [("picture", 23), ("picture", 8), ("belief", 8)])
def test_the_lattices_pictures_and_numbers_are_the_live_ones(opened: Page, view: str, level: int):
    own = lattice(view=view, level=level)
    other = Drawn(lattice(view=view, level=level, seed=1))
    found, mine = shown(opened, own), Drawn(own)
    for which, pane in enumerate(lattice_still.panes(own, SETTINGS)):
        live, place = part(found, ".pc-picture", which), (250 * which, 44, 230, 230)
        assert distance(live, mine.cut(*place)) < NEAR * distance(live, other.cut(*place))
        told = found.locator(".pc-told").nth(which)
        numbers = told.locator(".pc-opacities span").all_inner_texts()
        assert numbers == [lattice_still.number(pane, at) for at in (6, 7, 8, 3, 4, 5, 0, 1, 2)]
        verdict = told.locator(".pc-verdict div").all_inner_texts()
        assert verdict == lattice_still.verdict(pane.opacities, own.chosen)
    assert found.locator(".pc-hint:visible").first.inner_text() == lattice_still.HINTS[view]


@pytest.mark.parametrize(("view", "level"), [("noisy", 23), ("noisy", 8), ("denoised", 12)])
def test_the_prompts_pictures_and_numbers_are_the_live_ones(opened: Page, view: str, level: int):
    own = prompt(view=view, level=level)
    elsewhere = {"content": "key", "style": "painted", "seed": 1}
    other = Drawn(prompt(view=view, level=level, **elsewhere))
    found, mine = shown(opened, own), Drawn(own)
    side = prompt_still.WIDE.side(5)
    for which, pane in enumerate(prompt_still.panes(own, WAYS)):
        live = part(found, ".pc-picture", which)
        place = which * (side + prompt_still.GAP), prompt_still.TITLE, side, side
        near, far = (distance(live, drawn.cut(*place)) for drawn in (mine, other))
        assert near < NEAR * far
        end = found.locator(".pc-end").nth(which)
        assert end.locator("div:not(.pc-mark, .pc-tally)").all_inner_texts() == pane.lines
        if not which:
            continue
        mind = found.locator(".pc-mind").nth(which - 1)
        beliefs = pane.sample.beliefs[level].items()
        rows = [prompt_still.numbers(belief, name) for name, belief in beliefs]
        assert mind.locator(".pc-number").all_inner_texts() == [
            text for row in rows for text in row
        ]
    assert found.locator(".pc-hint").inner_text() == prompt_still.hint(own)
    rows = [row.text for row in prompt_still.LEGEND]
    assert found.locator(".pc-key").all_inner_texts() == rows


@pytest.mark.parametrize("kind", ["line", "square", "lattice", "prompt"])
def test_on_a_phone_panels_are_stacked(browser: Browser, tmp_path: Path, kind: str):
    path = write_page(tmp_path, "Without scripts", {kind: FIGURES[kind]})
    boxes = []
    for width in (1280, 360):  # opened anew: a picture for another width is loaded in its own time
        view = {"width": width, "height": 700}
        page = open_page(browser, path, java_script_enabled=False, viewport=view)
        boxes.append(page.locator(".pc-still").bounding_box())
        page.context.close()
    wide, narrow = boxes
    assert wide["width"] > 1.2 * wide["height"]
    assert 300 < narrow["width"] <= 344 and narrow["height"] > 1.2 * narrow["width"]
