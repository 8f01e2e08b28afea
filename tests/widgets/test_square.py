"""The Square's Python side: its maps and routes, what it hands to the page, what it refuses."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp.widgets import square
from traitlets import TraitError

from tests.widgets.kinds import html_of, state_of

BACKGROUND = pc.gaussian([0.0, 0.0], 1.0)
ACROSS = pc.GaussianMixture([0.5, 0.5], [[-1.5, 0.0], [1.5, 0.0]], [[0.2, 1.0], [0.2, 1.0]])
UP = pc.GaussianMixture([0.3, 0.7], [[0.0, 0.0], [0.0, 2.0]], [[1.0, 0.2], [1.0, 0.2]])
AMOUNTS = {"rotation": 40.0, "shear": 35.0, "banana": 0.8, "polar": None}


def points(count: int = 30) -> torch.Tensor:
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("warp", AMOUNTS)
def test_the_routes_are_those_of_the_lemma(warp):
    figure = pc.Square(BACKGROUND, [ACROSS, UP], warp=warp, amount=AMOUNTS[warp])
    given = {
        "rotation": lambda: pc.warps.rotation(math.radians(40)),
        "shear": lambda: pc.warps.shear(math.radians(35)),
        "banana": lambda: pc.warps.banana(0.8),
        "polar": pc.warps.polar,
    }[warp]()
    parts = [BACKGROUND, ACROSS, UP]
    if warp == "polar":
        parts = [pc.warps.Wrapped(part, axis=1) for part in parts]
    x = given.forward(points())
    first = pc.pushforward(pc.compose(parts[0], parts[1:]), given).log_prob(x)
    pushed = [pc.pushforward(part, given) for part in parts]
    second = pc.compose(pushed[0], pushed[1:]).log_prob(x)
    assert (figure.routes[0].log_prob(x) - first).abs().max() < 1e-12
    assert (figure.routes[1].log_prob(x) - second).abs().max() < 1e-12
    assert (first - second).abs().max() < 1e-11
    assert (figure.map.forward(points()) - x).abs().max() == 0


def test_the_simple_products_routes_differ_by_the_determinant():
    figure = pc.Square(BACKGROUND, [ACROSS, UP], warp="polar", operator="product")
    x = figure.map.forward(points())
    first, second = (route.log_prob(x) for route in figure.routes)
    # Two densities carry the factor once each, where the product of the two should carry one.
    expected = figure.map.log_abs_det(figure.map.inverse(x))
    assert (first - second - expected).abs().max() < 1e-11


def test_setting_traits_changes_the_map():
    figure = pc.Square(BACKGROUND, [ACROSS], warp="shear", amount=60)
    figure.warp = "banana"
    assert figure.amount == 0.6
    figure.amount = 1.0
    assert figure.map.forward([2.0, 0.0]).tolist() == [2.0, 4.0]
    figure.warp = "polar"
    assert figure.amount == 0.0
    with pytest.raises(TraitError):
        figure.warp = "spiral"


@pytest.mark.parametrize("warp", square.PRESETS)
def test_presets_are_factorized_and_fit_their_boxes(warp):
    figure = pc.Square.from_preset(warp, name="made")
    assert figure.name == "made"
    box, pixel_box = figure.boxes[warp]
    for density, (left, bottom, right, top) in (
        (figure.composition, box),
        (figure.routes[0], pixel_box),
    ):
        masses = pc.Grid([left, bottom], [right, top], 80).masses(density)
        edge = torch.cat([masses[0], masses[-1]])
        assert edge.max() < 0.02 * masses.max()
    assert pixel_box[2] - pixel_box[0] == pytest.approx(pixel_box[3] - pixel_box[1])
    if warp == "polar":
        assert box[1::2] == [-math.pi, math.pi]


@pytest.mark.parametrize("preset", square.PRESETS)
@pytest.mark.parametrize("warp", AMOUNTS)
def test_the_composition_fills_a_fair_part_of_the_pixels(preset, warp):
    figure = pc.Square.from_preset(preset)
    figure.warp = warp
    left, bottom, right, top = figure.boxes[warp][1]
    masses = pc.Grid([left, bottom], [right, top], 96).masses(figure.routes[0])
    assert float((masses > 0.2 * masses.max()).double().mean()) > 0.015


def test_differences_are_those_of_the_normalised_log_densities():
    figure = pc.Square.from_preset("polar", operator="product")
    found = figure.differences()
    assert found["composition"] < 1e-12
    first, second = figure.routes
    left, bottom, right, top = figure.boxes["polar"][1]
    grid = pc.Grid([left, bottom], [right, top], square.CELLS)
    logs = [route.log_prob(grid.points) for route in (first, second)]
    logs = [one - one.flatten().logsumexp(0) for one in logs]
    seen = torch.stack([one > one.max() + math.log(1e-6) for one in logs]).any(0)
    assert found["product"] == pytest.approx(float((logs[0] - logs[1])[seen].abs().max()))
    narrow = pc.gaussian([0.0, 0.0], 0.4)
    concepts = [pc.gaussian([1.0, 0.0], 1.0), pc.gaussian([0.0, 1.0], 1.0)]
    for warp in ("shear", "polar"):
        found = pc.Square(narrow, concepts, warp=warp).differences()
        assert math.isnan(found["composition"]) and not math.isnan(found["product"])


def test_given_boxes_are_kept():
    figure = pc.Square(
        BACKGROUND, [UP], warp="banana", box=[-3, -2, 3, 5], pixel_box=[-9, -9, 9, 9]
    )
    assert figure.boxes["banana"] == [[-3, -2, 3, 5], [-9, -9, 9, 9]]
    assert figure.boxes["shear"][0] == [-3, -2, 3, 5]
    assert figure.boxes["shear"][1] != [-9, -9, 9, 9]
    polar = pc.Square(BACKGROUND, [UP], warp="polar", box=[-1, -2, 1, 2])
    assert polar.boxes["polar"][0] == [-1, -math.pi, 1, math.pi]


def test_the_static_form_holds_the_mixtures():
    state = state_of(html_of(pc.Square(BACKGROUND, [ACROSS, UP])))
    assert state["concepts"][1]["means"] == UP.means.tolist()
    assert "shear of 60 degrees" in pc.Square(BACKGROUND, [UP]).summary


WIDE = pc.gaussian([0.0, 0.0], [[1.0, 0.0], [0.0, 16.0]])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pc.Square(None, [UP]), "background must be a Gaussian mixture .* got None"),
        (lambda: pc.Square(pc.Flat(2), [UP]), "background must be a Gaussian mixture"),
        (lambda: pc.Square("wide", [UP]), "background must be a Gaussian mixture .* got 'wide'"),
        (lambda: pc.Square(BACKGROUND, [UP], warp="spiral"), "warp must be one of .*'spiral'"),
        (lambda: pc.Square(BACKGROUND, [UP], amount=10), "amount must be from 15 to 90 for shear"),
        (
            lambda: pc.Square(BACKGROUND, [UP], warp="rotation", amount=181),
            "amount must be from 0 to 180 for rotation, got 181",
        ),
        (
            lambda: pc.Square(BACKGROUND, [UP], warp="banana", amount=-0.1),
            "amount must be from 0 to 1 for banana, got -0.1",
        ),
        (lambda: pc.Square(BACKGROUND, [UP], warp="polar", amount=1), "amount must be None"),
        (lambda: pc.Square(BACKGROUND, [UP], amount="steep"), "amount must be numeric"),
        (lambda: pc.Square(BACKGROUND, [WIDE], warp="polar"), r"concepts\[0\] must have a stand"),
        (lambda: pc.Square(BACKGROUND, [UP], operator="bayes"), "operator must be one of"),
        (lambda: pc.Square(BACKGROUND, [UP], route="third"), "route must be one of"),
        (lambda: pc.Square(BACKGROUND, [UP], pixel_box=3), "pixel_box must be"),
        (lambda: pc.Square.from_preset("nothing"), "warp must be one of"),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(ValueError, match=words):
        make()
