"""The sandbox's verdict, as its JavaScript reaches it: the library's, with the right reasons."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import projcomp as pc
import pytest
import torch
from projcomp.widgets import PRESETS, bundle

HERE = Path(__file__).parent
CHAPTERS = HERE.parents[1] / "chapters"
JUDGED = (
    "factorized", "overlap", "dependent", "rotation", "shear", "guidance", "tidy-lie", "narrow",
)  # fmt: skip

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


def blob(x: float, y: float, variance: float = 0.25) -> pc.GaussianMixture:
    return pc.gaussian([x, y], variance)


def ring() -> pc.GaussianMixture:
    turn = torch.linspace(0, 5.4, 7, dtype=torch.float64)
    means = 2 * torch.stack([turn.cos(), turn.sin()], 1)
    return pc.GaussianMixture([1 / 7] * 7, means, 0.2)


STATES = {
    "one": lambda: pc.Sandbox(blob(0, 0), [ring()]),
    "one that changes nothing": lambda: pc.Sandbox(blob(0, 0), [blob(0, 0)]),
    "two alike": lambda: pc.Sandbox(blob(0, 0), [blob(2, 0), blob(1.5, 0)]),
    "aslant": lambda: pc.Sandbox(blob(0, 0), [blob(2, 0), blob(1.5, 2)]),
    "tied but kept": lambda: pc.Sandbox(
        pc.gaussian([0, 0], [[0.5, 0.2], [0.2, 0.5]]),
        [pc.gaussian(m, [[0.5, 0.2], [0.2, 0.5]]) for m in ([2, 0], [0, 2])],
    ),
    "four": lambda: pc.Sandbox(blob(0, 0), [blob(2, 0), blob(0, 2), blob(-2, 0), blob(0, -2)]),
    "third without": lambda: pc.Sandbox(blob(0, 0), [blob(0, 0), blob(2, 0), ring()]),
    "a ring and a blob": lambda: pc.Sandbox(blob(0, 0, 1.0), [ring(), blob(0, 1)]),
    "thrice": lambda: pc.Sandbox(blob(0, 0), [blob(2, 0), blob(0, 2)], weights=[3, 3]),
    "minus": lambda: pc.Sandbox(None, [blob(2, 0), blob(0, 2)], weights=[-1, 0.5]),
    "product": lambda: pc.Sandbox(None, [blob(2, 0), blob(0, 2)]),
    "bayes": lambda: pc.Sandbox(blob(0, 0), [blob(2, 0), blob(0, 2)], operator="bayes"),
    "runs away": lambda: pc.Sandbox(
        pc.GaussianMixture([0.5, 0.5], [[0.0, 0.0], [0.5, 0.0]], [0.3, 0.2]),
        [blob(2, 0, 4.0), blob(0, 2, 4.0)],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict:
    made = {name: pc.Sandbox.from_preset(name) for name in PRESETS}
    made.update({name: make() for name, make in STATES.items()})
    path = tmp_path_factory.mktemp("verdicts") / "states.json"
    path.write_text(json.dumps({name: figure.state() for name, figure in made.items()}), "utf-8")
    env = {**os.environ, "STATES": str(path), "MODULES": str(bundle.FOLDER)}
    command = ["node", str(HERE / "verdict_run.mjs")]
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def finding(told: dict, name: str, topic: str) -> dict:
    (found,) = (f for f in told["verdicts"][name]["findings"] if f["topic"] == topic)
    return found


@pytest.mark.parametrize("name", JUDGED)
@pytest.mark.filterwarnings("ignore:the density is not normalisable")
def test_the_kind_is_that_of_the_library(told: dict, name: str):
    preset = PRESETS[name]()
    generator = torch.Generator().manual_seed(0)
    report = pc.diagnose(
        preset.background,
        preset.concepts,
        blocks=[[0], [1]],
        transform=preset.options.get("directions"),
        weights=preset.options.get("weights"),
        samples=500,
        generator=generator,
    )
    assert told["verdicts"][name]["kind"] == report.verdict.kind
    if report.verdict.kind != "exact":
        assert told["verdicts"][name]["title"] == report.verdict.title


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("few-steps", "sampler"),
        ("wrong-start", "sampler"),
        ("speck", "both"),
        ("jump", "both"),
        ("one", "exact"),
        ("one that changes nothing", "exact"),
        ("two alike", "target"),
        ("tied but kept", "exact"),
        ("thrice", "target"),
        ("minus", "none"),
        ("runs away", "unknown"),
        ("four", "target"),
        ("a ring and a blob", "both"),
    ],
)
def test_kinds_that_the_library_does_not_tell(told: dict, name: str, kind: str):
    assert told["verdicts"][name]["kind"] == kind


@pytest.mark.parametrize(
    ("name", "topic", "holds", "words", "link"),
    [
        ("two-concepts", "exists", True, "exists, at σ = 0", "operator"),
        ("factorized", "exists", None, "do not decide", "operator"),
        ("tidy-lie", "exists", False, r"From σ = 0\.53 up", "threshold"),
        ("minus", "exists", False, "none at high noise either", "nothing"),
        ("factorized", "factorized", True, "1 changes x alone, concept 2 changes y", "scores"),
        ("runs away", "exists", None, "at the edge of every box", "nothing"),
        ("shear", "factorized", True, "60° apart", "features"),
        ("aslant", "factorized", False, r"depend .* \(total variation 0\.\d", "dependent"),
        ("overlap", "factorized", False, "directions depend", "dependent"),
        ("dependent", "factorized", False, r"direction x by \d\d% and changes", "scores"),
        ("two alike", "factorized", False, "the same direction, x", "pile"),
        ("four", "factorized", False, "4 concepts can't each", "factorized"),
        ("third without", "factorized", None, "more than one direction", "scores"),
        ("product", "factorized", None, "has no background", "product"),
        ("bayes", "factorized", False, r"\(0\.71, −0\.71\), and pile up", "pile"),
        ("one that changes nothing", "factorized", True, "No concept differs", "factorized"),
        ("factorized", "projective", True, "along x and y are right, to less", "projective"),
        ("two alike", "projective", False, "concept 1 along x by", "pile"),
        ("bayes", "projective", False, r"along .* by 0\.95", "average"),
        ("thrice", "projective", False, "concept 2 along y by nearly 1", "weighted"),
        ("rotation", "path", True, "the interaction is constant", "commute"),
        ("shear", "path", False, r"at σ = 0\.2\d the two orders differ by 0\.50", "commute"),
        ("two-concepts", "samples", True, "than chance has it: energy", "sampled"),
        ("shear", "samples", False, "miss the composition: energy", "sampled"),
        ("skewed-shear", "repair", True, "samples are then worth 17", "weights"),
        ("steep-shear", "repair", False, "is not enough", "repair"),
        ("mild-shear", "repair", None, r"too little to show .* 500 are worth 4\d\d", "weights"),
        ("few-steps", "repair", None, "the sampler is at fault", "steps"),
    ],
)  # fmt: skip
def test_reasons(told: dict, name: str, topic: str, holds: bool | None, words: str, link: str):
    found = finding(told, name, topic)
    assert (found["holds"], found["link"]) == (holds, link), found["text"]
    assert re.search(words, found["text"]), found["text"]


def test_every_reason_leads_to_its_place(told: dict):
    assert len(told["links"]) > 10
    for page, place, name in told["links"].values():
        text = (CHAPTERS / f"{page}.md").read_text(encoding="utf-8")
        assert re.search(rf"^:label: {place}$|^\({place}\)=$", text, re.M), place
        assert name


def test_a_sandbox_is_of_the_plane():
    with pytest.raises(ValueError, match="view must be one of"):
        pc.Sandbox(pc.gaussian([0.0], 1.0), [pc.gaussian([1.0], 1.0)], view="line")
