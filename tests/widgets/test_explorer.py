"""The Explorer's Python side: what it takes, what it hands to the page, what it refuses."""

from __future__ import annotations

import gzip
import json
import math
import re

import projcomp as pc
import pytest
import torch
from projcomp.samplers.resampling import effective_size
from projcomp.widgets import CONTROLS, PRESETS, bundle
from projcomp.widgets.spec import from_spec, to_spec

from tests.widgets.fixture import log_weights
from tests.widgets.kinds import html_of, state_of

BACKGROUND = pc.gaussian([0.0, 0.0], 1.0)
RIGHT = pc.GaussianMixture([0.25, 0.75], [[2.0, 0.0], [1.0, 1.0]], [[0.5, 1.0], [0.3, 0.3]])
UP = pc.gaussian([0.0, 2.0], [[1.0, 0.2], [0.2, 0.5]])


def test_the_composition_is_the_one_of_the_text():
    figure = pc.Explorer(BACKGROUND, [RIGHT, UP], weights=[2.0, 0.5])
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = pc.compose(BACKGROUND, [RIGHT, UP], [2.0, 0.5])
    assert (figure.composition.score(x, 0.3) - expected.score(x, 0.3)).abs().max() < 1e-12


def test_operators():
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    over = pc.GaussianMixture([0.5, 0.5], [[1.0, 1.0], [0.0, 0.0]], 1.0)
    product = pc.Explorer(BACKGROUND, [RIGHT, UP], operator="product").composition
    expected = pc.simple_product([RIGHT, UP])
    assert (product.log_prob(x) - expected.log_prob(x)).abs().max() < 1e-12
    bayes = pc.Explorer(BACKGROUND, [RIGHT, UP], operator="bayes", unconditional=over).composition
    expected = pc.bayes(over, [RIGHT, UP])
    assert (bayes.log_prob(x) - expected.log_prob(x)).abs().max() < 1e-12
    # Without one, the unconditional is the average of the concepts.
    average = pc.Explorer(BACKGROUND, [RIGHT, UP], operator="bayes").composition.background
    half = 0.5 * (RIGHT.log_prob(x).exp() + UP.log_prob(x).exp())
    assert (average.log_prob(x).exp() - half).abs().max() < 1e-12


def test_setting_a_trait_changes_the_composition():
    figure = pc.Explorer(BACKGROUND, [UP])
    figure.concepts = [to_spec("concept", RIGHT, 2)]
    assert figure.composition.concepts[0].means.tolist() == RIGHT.means.tolist()


def test_samples_are_an_array():
    figure = pc.Explorer(BACKGROUND, [UP])
    assert figure.samples.shape == (0, 2)
    figure._samples = torch.arange(6, dtype=torch.float64).numpy().tobytes()
    assert figure.samples.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_log_weights_are_an_array():
    figure = pc.Explorer.from_preset("reweighted")
    assert figure.reweight is True
    assert figure.log_weights.shape == (0,)
    figure._samples = torch.zeros(4, 2, dtype=torch.float64).numpy().tobytes()
    assert figure.log_weights.tolist() == pytest.approx([-math.log(4)] * 4)
    told = torch.log_softmax(torch.arange(4, dtype=torch.float64), 0)
    figure._log_weights = told.numpy().tobytes()
    assert figure.log_weights.tolist() == told.tolist()


def test_weights_travel_with_the_state():
    figure = pc.Explorer(BACKGROUND, [RIGHT, UP], reweight=True)
    assert figure.state()["reweight"] is True
    assert pc.Explorer(BACKGROUND, [RIGHT, UP]).state()["reweight"] is False
    states = pc.Explorer.from_preset("shear", controls=CONTROLS).presets
    assert [name for name, kept in states.items() if kept["reweight"]] == ["reweighted"]


def test_the_figures_weights_are_those_of_the_sampler():
    composition = pc.Explorer.from_preset("reweighted").composition
    generator = torch.Generator().manual_seed(0)
    sigmas = pc.sigma_grid(0.01, 30.0, 25)
    run = pc.smc(
        composition, 50, sigmas, threshold=0.0, generator=generator, keep_path=True, progress=False
    )
    logs = log_weights(composition, run)
    assert (torch.log_softmax(logs[-1], 0) - run.log_weights).abs().max() < 1e-12
    assert [effective_size(row) for row in logs] == pytest.approx(run.effective.tolist())


def test_read_outs_are_named():
    figure = pc.Explorer(BACKGROUND, [UP])
    assert figure.state()["readouts"] == ["normalisable", "first", "second", "gap"]
    named = pc.Explorer.from_preset("shear", controls=CONTROLS, readouts=["along"])
    assert named.readouts == ["along"]
    # Another preset changes what is shown, not what is told.
    assert not any("readouts" in state for state in named.presets.values())


def test_a_preset_that_is_one_of_many_is_the_chosen_one():
    assert pc.Explorer.from_preset("shear", controls=CONTROLS).preset == "shear"
    assert pc.Explorer.from_preset("shear").preset == ""


def test_the_line():
    figure = pc.Explorer(
        pc.gaussian([0.0], 0.8), [pc.gaussian([1.0], 1.0)], view="line", box=[-3, 0, 3, 1]
    )
    assert figure.composition.dim == 1
    assert figure.samples.shape == (0, 1)
    assert "<img" in html_of(figure)


def test_specifications_round_trip():
    spec = to_spec("p", RIGHT, 2)
    again = from_spec(json.loads(json.dumps(spec)), 2)
    assert torch.equal(again.means, RIGHT.means)
    assert torch.equal(again.weights, RIGHT.weights)
    assert to_spec("p", pc.Flat(2), 2) is None
    assert isinstance(from_spec(None, 2), pc.Flat)
    product = pc.BlockProduct([pc.gaussian([1.0], 1.0), pc.gaussian([2.0], 3.0)])
    assert to_spec("p", product, 2)["means"] == [[1.0, 2.0]]


def test_the_static_form_holds_the_mixtures():
    state = state_of(html_of(pc.Explorer(BACKGROUND, [RIGHT, UP])))
    assert state["concepts"][0]["means"] == RIGHT.means.tolist()


def test_one_module_without_imports_or_outside_addresses():
    text = bundle.module()
    assert not re.search(r"^\s*import\b(?!\()|^\s*export (?!default)", text, re.M)
    assert text.count("export default") == 1
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    size = len(gzip.compress((text + bundle.style()).encode()))
    assert size < 100_000, f"{size} bytes gzipped"


@pytest.mark.parametrize("name", PRESETS)
def test_presets_can_be_drawn(name):
    figure = pc.Explorer.from_preset(name)
    assert torch.isfinite(figure.composition.log_prob([0.3, 0.2], 0.5))
    preset = PRESETS[name]()
    assert preset.title and preset.notice


def test_preset_options_can_be_overridden():
    assert pc.Explorer.from_preset("shear", sigma=3.0).sigma == 3.0
    assert set(pc.Explorer.from_preset("shear", controls=CONTROLS).presets) == set(PRESETS)


MANY = pc.GaussianMixture([1 / 65] * 65, [[float(i), 0.0] for i in range(65)], 1.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pc.Explorer(BACKGROUND, [MANY]), r"concepts\[0\] must have at most 64"),
        (lambda: pc.Explorer(BACKGROUND, [UP], controls=["zoom"]), "controls must be one of"),
        (lambda: pc.Explorer(BACKGROUND, [UP], readouts=["gaps"]), "readouts must be one of"),
        (lambda: pc.Explorer(BACKGROUND, [UP], method="rk4"), "method must be one of"),
        (lambda: pc.Explorer(BACKGROUND, [UP], reweight=1), "reweight must be True or False"),
        (lambda: pc.Explorer(BACKGROUND, [UP], view="cube"), "view must be one of"),
        (lambda: pc.Explorer(BACKGROUND, [UP], weights=[1, 2]), "weights must have 1 entries"),
        (lambda: pc.Explorer(BACKGROUND, [UP], sigma=-1), "sigma must be >= 0"),
        (lambda: pc.Explorer(BACKGROUND, [UP], particles=0), "particles must be >= 1"),
        (lambda: pc.Explorer(BACKGROUND, [UP], directions=[[0, 0]]), "directions must be nonzero"),
        (lambda: pc.Explorer.from_preset("nothing"), "preset must be one of"),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(ValueError, match=words):
        make()
