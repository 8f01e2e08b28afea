"""Still pictures: every part of a state that a live picture shows changes the still one."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import projcomp as pc
import pytest
from PIL import Image
from projcomp.widgets import explorer_still, square_still
from projcomp.widgets.explorer import LAYERS
from projcomp.widgets.explorer_scene import Scene
from projcomp.widgets.figure import Figure
from projcomp.widgets.square import LAYERS as SQUARE_LAYERS

from tests.widgets.kinds import explorer, html_of, lattice, prompt, square

FACE = ["parts", "composition", "score", "samples", "truth", "shadows"]
TIDY = pc.widgets.PRESETS["tidy-lie"]()


def picture(figure: Figure) -> np.ndarray:
    """(height, width, 3) of the wide still picture."""
    drawn = Image.open(io.BytesIO(base64.b64decode(figure.still().wide.png)))
    return np.asarray(drawn.convert("RGB"))


def same(one: Figure, other: Figure) -> bool:
    return np.array_equal(picture(one), picture(other))


def tidy(**options) -> pc.Explorer:
    """A composition that exists at sigma = 1 and not at 0."""
    return pc.Explorer(TIDY.background, TIDY.concepts, box=[-6, -6, 9, 9], **options)


@pytest.fixture
def no_legend(monkeypatch):
    """A layer's words are not the layer."""
    monkeypatch.setattr(explorer_still, "legend_rows", lambda scene: [])
    monkeypatch.setattr(square_still, "legend_rows", lambda state: [])


@pytest.mark.usefixtures("no_legend")
@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_of_the_plane_is_seen(layer):
    show = [*FACE, "interaction"] if layer == "interaction" else FACE
    others = [one for one in show if one != layer]
    assert not same(explorer(show=show, sigma=0.5), explorer(show=others, sigma=0.5))


@pytest.mark.parametrize(
    "change",
    [
        {"sigma": 0.8}, {"operator": "product"}, {"weights": [1.0, 2.0]}, {"method": "sde"},
        {"steps": 7}, {"particles": 50}, {"seed": 1}, {"box": [-5, -4, 4, 4]},
        {"directions": [[1.0, 0.5], [0.0, 1.0]]}, {"sigma_max": 3.0},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.usefixtures("no_legend")
def test_every_number_of_the_state_is_seen(change):
    assert not same(explorer(show=FACE, sigma=0.5), explorer(show=FACE, **{"sigma": 0.5, **change}))


@pytest.mark.usefixtures("no_legend")
def test_weights_are_seen():
    """Where there is something to weigh."""
    shear = pc.widgets.PRESETS["mild-shear"]()
    plain, weighted = (
        pc.Explorer(shear.background, shear.concepts, show=["samples"], reweight=reweight)
        for reweight in (False, True)
    )
    assert not same(plain, weighted)


@pytest.mark.usefixtures("no_legend")
@pytest.mark.parametrize("layer", SQUARE_LAYERS)
def test_every_layer_of_the_square_is_seen(layer):
    others = [one for one in SQUARE_LAYERS if one != layer]
    assert not same(square(), square(show=others))


@pytest.mark.parametrize("change", [{"level": 8}, {"view": "belief"}, {"seed": 1}, {"chosen": [0]}])
def test_the_state_of_the_lattice_is_seen(change):
    assert not same(lattice(), lattice(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"level": 8}, {"view": "denoised"}, {"seed": 1}, {"content": "key"}, {"style": "painted"},
        {"guidance": 8.0}, {"particles": 4},
    ],
    ids=str,
)  # fmt: skip
def test_the_state_of_the_prompt_is_seen(change):
    assert not same(prompt(level=12), prompt(**{"level": 12, **change}))


def test_what_does_not_exist_is_not_drawn(monkeypatch):
    layers = ["composition", "truth"]
    assert not same(tidy(show=["composition"], sigma=1.0), tidy(show=[], sigma=1.0))
    assert same(tidy(show=["composition"]), tidy(show=[]))
    rows = [row.text for row in explorer_still.legend_rows(scene(tidy(show=layers)))]
    assert rows == ["no composition to noise"]
    margins = picture(tidy(show=["shadows"]))
    assert (margins[:90] == 255).all() and (margins[:, -90:] == 255).all()
    said = picture(tidy(show=[]))
    monkeypatch.setattr(explorer_still, "NOTHING", "")
    assert not np.array_equal(said, picture(tidy(show=[])))


def scene(figure: pc.Explorer) -> Scene:
    return Scene(figure.composition, figure.state())


def test_particles_that_run_off_are_left_out():
    concepts = [pc.gaussian([x, 0.0], 9.0) for x in (-1.0, 0.0, 1.0, 2.0)]
    how = {"weights": [20.0] * 4, "show": ["samples"], "particles": 20}
    wild = pc.Explorer(pc.gaussian([0.0, 0.0], 0.01), concepts, **how)
    assert scene(wild).particles.points.abs().max() > 1e50  # and can be drawn
    assert wild.still().wide.width == 422
    wild.steps = 400
    assert scene(wild).particles is None
    assert wild.still().wide.width == 422


@pytest.mark.parametrize("weights", [[-1.0, -1.0], [0.0, 0.0]])
def test_a_product_without_exponents_is_drawn(weights):
    figure = explorer(show=FACE, operator="product", weights=weights, reweight=True, sigma=0.5)
    assert (picture(figure) < 200).any()


def test_samples_stop_where_the_figure_stands():
    start = scene(explorer(show=["samples"], sigma=200.0)).particles
    assert len(start.ways) == 1 and start.points.equal(start.ways[0])
    end = scene(explorer(show=["samples"], sigma=0.0)).particles
    assert len(end.ways) == 61 and end.points.equal(end.ways[-1])
    between = scene(explorer(show=["samples"], sigma=0.5)).particles
    assert 2 < len(between.ways) < 61
    assert not between.points.equal(between.ways[-1])


def test_bars_of_precision_are_for_gaussians():
    pair = pc.GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], 1.0)
    one = pc.gaussian([1.0], 0.5)
    with_bars, without = (
        pc.Explorer(pc.gaussian([0.0], 1.0), [concept], view="line", box=[-3, 0, 3, 1]).still()
        for concept in (one, pair)
    )
    assert with_bars.wide.width == without.wide.width == 660
    assert with_bars.narrow.width == 360 and without.narrow is None


@pytest.mark.parametrize(
    ("make", "widths"), [(square, (702, 342)), (lattice, (730, 310)), (prompt, (760, 336))]
)
def test_panels_are_stacked_for_a_phone(make, widths):
    html = html_of(make())
    found = re.search(r"<picture><source ([^>]*)><img ([^>]*)></picture>", html)
    assert 'media="(max-width: 576px)"' in found[1]
    assert (
        tuple(int(re.search(r'width="(\d+)"', part)[1]) for part in found.groups()[::-1]) == widths
    )
    drawn = [base64.b64decode(text) for text in re.findall(r"base64,([\w+/=]+)", found[0])]
    narrow, wide = (Image.open(io.BytesIO(png)) for png in drawn)
    assert narrow.height > 2 * narrow.width * 0.9 and wide.height < wide.width


def test_one_picture_needs_no_other_for_a_phone():
    assert "<picture" not in html_of(explorer())
