"""The composition that chapter *Words* shows for a large model, on one with random weights."""

import re
from pathlib import Path

import projcomp as pc
import pytest
import torch

from tests.adapters import pipelines

CHAPTER = Path(__file__).parents[2] / "chapters" / "16-words.md"


@pytest.mark.filterwarnings("ignore")
def test_the_calls_that_the_chapter_shows(monkeypatch, tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", CHAPTER.read_text(encoding="utf-8"), re.S)
    pipeline, asked, drawn = pipelines.stable_diffusion_xl(tmp_path), [], []

    def loaded(name):
        asked.append(name)
        return pipeline

    def fewer(low, high, steps):
        assert steps == 50
        return grid(low, high, 3)

    def sampled(density, count, sigmas):
        run = sample(density, count, sigmas, generator=torch.Generator().manual_seed(0))
        drawn.append((density, run))
        return run

    grid, sample = pc.sigma_grid, pc.reverse_diffusion
    monkeypatch.setattr("diffusers.StableDiffusionXLPipeline.from_pretrained", loaded)
    monkeypatch.setattr(type(pipeline), "to", lambda self, device: asked.append(device) or self)
    monkeypatch.setattr(pc, "sigma_grid", fewer)
    monkeypatch.setattr(pc, "reverse_diffusion", sampled)
    scope = {"pc": pc, "name": "weights"}
    exec(code, scope)
    assert asked == ["weights", "cuda"]
    assert scope["pictures"].shape[:2] == (4, 3)
    (over_anything, one), (over_empty, other) = drawn
    assert [p.prompt for p in over_anything.concepts] == scope["texts"][2:]
    assert over_anything.background.prompt is None
    assert over_empty.background.prompt == "an empty grey floor"
    assert over_anything.weights.tolist() == [5.0, 5.0]
    assert not torch.equal(one.samples, other.samples)
