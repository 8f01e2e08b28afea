"""What is printed can be printed, on any console."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import projcomp as pc
import pytest
from projcomp import metrics, scenes
from projcomp._text import printable

from tests.helpers import normal, seeded

README = Path(__file__).resolve().parents[1] / "README.md"


def console(encoding: str | None) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "latin-1", "ascii", "cp437"])
def test_a_report_and_its_parts_on_a_console(encoding, monkeypatch):
    report = pc.diagnose(
        pc.gaussian([0.0, 0.0], 1.0),
        [pc.gaussian([1.0, 0.0], 1.0), pc.gaussian([0.0, 1.0], 2.0)],
        samples=400,
        generator=seeded(1),
    )
    compared = metrics.compare(normal(seeded(2), 100, 2), pc.gaussian([0.0, 0.0], 1.0))
    out = console(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    for item in (report, repr(report), compared, report.path.levels[0].interaction, report.path):
        print(item)
    out.flush()
    text = out.buffer.getvalue().decode(encoding)
    assert "?" not in text
    assert ("+-" if encoding == "ascii" else "±") in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_figures_say_what_they_show_on_a_console(encoding, monkeypatch):
    out = console(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    figures = [pc.Explorer.from_preset("shear"), pc.Square.from_preset("shear")]
    for figure in figures:
        print(figure)
    out.flush()
    lines = out.buffer.getvalue().decode(encoding).splitlines()
    assert len(lines) == len(figures)
    assert all(line.startswith(("Explorer: ", "Square: ")) for line in lines)


def test_text_is_left_alone_where_it_can_be_shown(monkeypatch):
    for encoding, shown in (("utf-8", "σ ± 1"), ("ascii", "sigma +- 1"), ("latin-1", "sigma +- 1")):
        monkeypatch.setattr(sys, "stdout", console(encoding))
        assert printable("σ ± 1") == shown
    monkeypatch.setattr(sys, "stdout", None)
    assert printable("σ") == "σ"


def example_of_the_readme() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    return code


def test_the_example_of_the_readme_prints():
    done = subprocess.run(
        [sys.executable, "-c", example_of_the_readme()],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "TQDM_DISABLE": "1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode("ascii")
    assert b"Verdict: Factorized" in done.stdout


def test_the_example_of_the_readme_prints_on_another_console(monkeypatch):
    out = console("cp1252")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setattr(sys, "stdout", out)
    exec(example_of_the_readme(), {"__name__": "__main__"})
    out.flush()
    assert b"Verdict: Factorized" in out.buffer.getvalue()


def test_what_holds_tensors_has_a_repr_of_one_line():
    composition = pc.compose(pc.gaussian([0.0, 0.0], 1.0), [pc.gaussian([1.0, 0.0], 1.0)] * 2)
    report = pc.diagnose(composition.background, composition.concepts, samples=400)
    pictures = scenes.one_object(2, generator=seeded(0))
    empty = scenes.empty_picture().reshape(-1)
    seen = scenes.opacities(pictures.values.double() / 255, [empty[None] + 0.1], empty)
    for item in (
        composition, report, report.path, report.features, pictures, pictures.objects, seen,
        scenes.labelled(), pc.Grid.square(1.0), pc.warps.shear(1.0),
        pc.reverse_diffusion(composition, 500, pc.sigma_grid(0.1, 9.0, 8)),
    ):  # fmt: skip
        text = repr(item)
        assert "\n" not in text, text
        assert len(text) < 400
