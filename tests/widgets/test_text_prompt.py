"""The TextPrompt's Python side: its densities and pictures, what it hands over, what it refuses."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re

import numpy as np
import projcomp as pc
import pytest
import torch
from projcomp.widgets import assets, normals, text_prompt, text_prompt_still
from traitlets import TraitError

from tests.widgets.kinds import html_of, state_of
from tests.widgets.kinds import text_prompt as figure
from tests.widgets.worded import words

FILES = ("draw.graph", "draw.weights", "judge.graph", "judge.weights")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_prompt_after_not_has_a_negative_weight():
    ours = figure()
    own = words()
    parts = [own.density("a red ball on the left"), own.density("a blue cube")]
    expected = pc.compose(own.density("empty"), parts, [2.0, -2.0])
    x = torch.randn(3, 3072, generator=seeded(0), dtype=torch.float64)
    assert torch.equal(ours.composed().score(x, 0.7), expected.score(x, 0.7))
    assert text_prompt.signed_prompt("NOT at night") == (-1, "at night")
    assert text_prompt.signed_prompt("nothing") == (1, "nothing")


def test_the_ode_is_the_librarys():
    ours = figure(method="ode")
    start = 0.5 + 40 * normals.noise(0, 8, 5, 3072)[0]
    how = {"start": start, "keep_path": True, "progress": False}
    run = pc.reverse_diffusion(ours.composed(), 8, ours.levels, "euler", **how)
    assert (ours.flight().states - run.path.flatten(2)).abs().max() < 1e-9
    assert ours.samples().shape == (8, 3, 32, 32)


def test_the_sde_is_the_librarys(monkeypatch):
    """With the noise of a generator."""
    generator = seeded(3)
    draws = torch.randn(5, 8, 3072, generator=generator, dtype=torch.float64)
    monkeypatch.setattr(normals, "noise", lambda *_: draws)
    ours = figure(seed=9)
    rest = iter(draws[1:])
    monkeypatch.setattr(pc.samplers.diffusion, "normal_like", lambda x, _: next(rest))
    how = {"start": 0.5 + 40 * draws[0], "keep_path": True, "progress": False}
    run = pc.reverse_diffusion(ours.composed(), 8, ours.levels, "sde", **how)
    assert (ours.flight().states - run.path.flatten(2)).abs().max() < 1e-9


def test_log_weights_are_sums_over_the_interaction():
    """As `smc` adds them up: by trapezoids over log sigma, and the last step by its start."""
    ours = figure()
    density, levels, flight = ours.composed(), ours.levels.tolist(), ours.flight()
    rates = [
        s**2 * density.interaction(x, s) for x, s in zip(flight.states, levels[:-1], strict=False)
    ]
    pairs = zip(levels, levels[1:], rates, rates[1:], strict=False)
    expected = sum(np.log(a / b) * (one + other) for a, b, one, other in pairs) + rates[-1]
    assert (ours.log_weights / expected - 1).abs().max() < 1e-9
    assert flight.gained.shape == (5, 8, 1024)
    assert not flight.gained[0].any()
    alone = figure(prompts=["a red ball"], guidance=1.0)
    assert not alone.log_weights.any()


def test_means_are_the_compositions():
    flight, levels = figure().flight(), figure().levels
    expected = figure().composed().denoise(flight.states[2], levels[2])
    assert (flight.means[2] - expected).abs().max() < 1e-9
    assert torch.equal(flight.means[-1], flight.states[-1])


def test_what_is_right_is_so_by_the_judge(monkeypatch):
    world = pc.words.depictions(40, generator=seeded(0))
    ours = figure(prompts=["a thing on the left", "not at night"])
    monkeypatch.setattr(ours, "samples", lambda: world.pictures)
    seen = pc.words.judge(world.pictures)
    assert torch.equal(ours.right, seen.all(["a thing on the left"], ["at night"]))
    assert 5 < ours.right.sum() < 35


def test_the_page_gets_the_pictures_and_the_words():
    ours = figure()
    found = state_of(html_of(ours))
    stored = (
        np.frombuffer(base64.b64decode(found["stored"]["pictures"]), "u1").reshape(8, 3, 32, 32)
        / 255
    )
    assert np.abs(stored - ours.samples().clamp(0, 1).numpy()).max() < 0.51 / 255
    assert found["stored"]["prompts"] == ours.prompts
    told = found["network"]
    assert told["words"] == list(words().vocabulary.words)
    assert (told["length"], told["side"], told["centre"], told["data"]) == (20, 32, 0.5, 0.25)
    assert 8 < told["megabytes"] < 12


def test_the_still_shows_what_the_state_says():
    ours = figure(level=2)
    noisy, weights = text_prompt_still.panes(ours)
    assert torch.equal(noisy.flatten(1), ours.flight().states[2])
    assert torch.equal(weights, ours.flight().gained[2].sum(-1))
    ours.steps = 5
    ours.level = 60
    assert torch.equal(text_prompt_still.panes(ours)[0], ours.samples())
    ours.steps = 4
    denoised, _ = text_prompt_still.panes(figure(level=2, view="denoised"))
    assert torch.equal(denoised.flatten(1), ours.flight().means[2])
    coloured, _ = text_prompt_still.panes(figure(view="interaction"))
    top = ours.flight().gained[-1].flatten().argmax().item()
    picture, pixel = divmod(top, 1024)
    where = coloured[picture].flatten(1)[:, pixel]
    assert torch.allclose(
        where, torch.tensor(text_prompt_still.GAINS, dtype=where.dtype), atol=1e-6
    )


def test_what_is_asked_for_in_a_line():
    said = text_prompt_still.headline(["not a cube", "a ball", "not at night"], "empty")
    assert said == "NOT “a cube” AND “a ball” NOT “at night” over “empty”"
    assert "“a ball”" in figure(prompts=["a ball"]).summary


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompts": "a ball"}, "prompts must be 1 to 4 prompts, got 'a ball'"),
        ({"prompts": []}, "prompts must be 1 to 4 prompts"),
        ({"prompts": ["a ball"] * 5}, "prompts must be 1 to 4 prompts"),
        ({"prompts": ["a bule ball"]}, r"prompts\[0\]: .* 'bule'; did you mean 'blue'"),
        ({"prompts": ["a ball", "not "]}, r"prompts\[1\] must have words, got 'not '"),
        ({"prompts": ["a ball", 3]}, r"prompts\[1\]: prompt must be a string, got 3"),
        ({"background": "emptyy"}, "background: .* 'emptyy'; did you mean 'empty'"),
        ({"guidance": 0.2}, r"guidance must lie in \[0.5, 8\], got 0.2"),
        ({"guidance": 9}, r"guidance must lie in \[0.5, 8\], got 9"),
        ({"steps": 3}, "steps must be"),
        ({"steps": 61}, "steps must be at most 60, got 61"),
        ({"level": 5}, "level must be at most 4, the number of steps, got 5"),
        ({"seed": -1}, "seed must be"),
        ({"method": "heun"}, "method must be one of"),
        ({"view": "clear"}, "view must be one of"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        figure(**change)


def test_it_takes_nothing_else_for_a_network():
    with pytest.raises(ValueError, match="words must be a network of words"):
        pc.TextPrompt("a ball", ["a ball"])


def test_traits_that_make_no_sense_are_refused():
    ours = figure()
    for trait, value in (
        ("prompts", ["a bule ball"]),
        ("background", "emptyy"),
        ("method", "heun"),
    ):
        with pytest.raises(TraitError):
            setattr(ours, trait, value)
    before = ours.log_weights
    ours.prompts = ["a cube", "a ball"]
    assert (ours.log_weights - before).abs().min() > 1


# -- what a page loads --------------------------------------------------------------------------


def test_a_notebook_gets_the_files_from_its_kernel(monkeypatch):
    ours, sent = figure(), []
    monkeypatch.setattr(ours, "send", lambda content, buffers=None: sent.append((content, buffers)))
    ours._hand_over(ours, {"files": "model"}, [])
    ((content, buffers),) = sent
    assert content == {"of": "model", "files": list(FILES)}
    found = dict(zip(FILES, map(gzip.decompress, buffers), strict=True))
    assert found["draw.graph"] == assets.graph_of(assets.WORDS).read_bytes()
    assert found["draw.weights"] == assets.parts(text_prompt.stored_weights(words()))[1]
    assert found["judge.weights"] == assets.parts(assets.JUDGE.read_bytes())[1]
    monkeypatch.setattr(assets, "PARTS", ("no-such-file",))
    ours._hand_over(ours, {"files": "runtime"}, [])
    assert "ONNX Runtime Web is not installed: no no-such-file" in sent[1][0]["error"]
    ours._hand_over(ours, {"files": "../secret"}, [])
    assert len(sent) == 2


def test_the_graph_is_of_the_librarys_network():
    """After a change of the network or of its words: python tools/export_words.py."""
    assert set(assets.model(text_prompt.stored_weights(words()))) == set(FILES)


def test_a_graph_of_another_network_is_refused(tmp_path):
    other = pc.networks.Preconditioned(pc.networks.UNet(16, 3), 768, 0.25)
    pc.networks.save_network(other, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"words.onnx is of a network with other weights: run"):
        assets.model((tmp_path / "other.safetensors").read_bytes())


def test_scripts_are_written_where_they_are_old(tmp_path):
    weights = tmp_path / "weights"
    weights.write_bytes(text_prompt.stored_weights(words()))
    assets.write(tmp_path, weights)
    runtime, model = tmp_path / "runtime.js", tmp_path / "model.js"
    name, texts = re.fullmatch(
        r"PROJCOMP_WIDGET\.arrived\((.*?), (.*)\);\n", runtime.read_text(encoding="utf-8")
    ).groups()
    assert json.loads(name) == "runtime"
    wasm = gzip.decompress(base64.b64decode(json.loads(texts)["ort-wasm-simd-threaded.wasm"]))
    assert wasm.startswith(b"\0asm")
    assert abs(sum(map(len, assets.runtime().values())) / assets.RUNTIME_BYTES - 1) < 0.02
    for path in (runtime, model):
        path.write_text("kept", encoding="utf-8")
    assets.write(tmp_path, weights)
    os.utime(model, (1, 1))
    assert [path.read_text(encoding="utf-8") for path in (runtime, model)] == ["kept", "kept"]
    assets.write(tmp_path, weights)
    assert runtime.read_text(encoding="utf-8") == "kept"
    assert model.stat().st_size > 5e6
