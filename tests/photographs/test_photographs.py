"""The photographs: what they are, where they come from, and patches of them."""

from __future__ import annotations

import hashlib
import importlib.util
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from projcomp import photographs
from projcomp.photographs.pictures import SHEET

TOOL = Path(__file__).resolve().parents[2] / "tools" / "make_photographs.py"
SPEC = importlib.util.spec_from_file_location("make_photographs", TOOL)
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)

PIXELS_SHA256 = "fc7f87eb0968793a01a993b2c791456e5c94be47c2ac966a1a845391371b3526"


def test_the_pictures_are_the_stored_ones():
    """Of the shades, not of the file: another library would pack them otherwise."""
    shades = np.array(Image.open(SHEET))
    assert shades.shape == (6 * photographs.PIXELS, photographs.PIXELS)
    assert hashlib.sha256(shades.tobytes()).hexdigest() == PIXELS_SHA256
    assert SHEET.stat().st_size < 100_000


@pytest.mark.parametrize("name", photographs.NAMES)
def test_they_fill_the_range(name):
    photograph = photographs.load(name)
    assert photograph.shape == (144, 144) and photograph.dtype == torch.float64
    assert -1 <= float(photograph.min()) < -0.4 and 0.3 < float(photograph.max()) <= 1


def test_who_took_them_is_told():
    card = SHEET.with_name("LICENCES.md").read_text(encoding="utf-8")
    for name, source in zip(photographs.NAMES, tool.SOURCES, strict=True):
        assert f"| {name} | `{source}` |" in card
    assert card.count("| CC0 |") == len(photographs.NAMES)


def test_loading_gives_a_picture_of_its_own():
    photographs.load("cat").zero_()
    assert float(photographs.load("cat").abs().max()) > 0


def test_patches_lie_on_a_grid():
    photograph = torch.arange(30.0).reshape(5, 6)
    found = photographs.patches(photograph, 3, 2)
    assert found.shape == (4, 9) and found.dtype == torch.float64
    assert torch.equal(found[3].reshape(3, 3), photograph[2:5, 2:5].double())
    assert torch.equal(found[1].reshape(3, 3), photograph[:3, 2:5].double())
    assert len(photographs.patches(photographs.load("cat"))) == 25


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: photographs.load("dog"), "name must be one of bricks, .*; got 'dog'"),
        (lambda: photographs.patches(torch.zeros(9)), r"photograph must be .* got shape \(9,\)"),
        (lambda: photographs.patches(torch.zeros(9, 47)), "at least 36 by 36 .*(9, 47)"),
        (lambda: photographs.patches(torch.zeros(48, 48), step=0), "step must be"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def package(path: Path, change: bytes = b"") -> Path:
    """A package with pictures of one shade each, or damaged ones."""
    with zipfile.ZipFile(path, "w") as file:
        for name in tool.SOURCES:
            file.writestr(f"skimage/data/{name}.png", b"not this picture" + change)
    return path


def test_the_tool_refuses_other_pictures(tmp_path):
    with pytest.raises(SystemExit, match=r"brick\.png in .* is not that of scikit-image==0\.26"):
        tool.photographs(package(tmp_path / "other.whl"))
    with pytest.raises(SystemExit, match="is not the package"):
        tool.photographs(tmp_path / "missing.whl")


def test_the_tool_averages_the_middle():
    shades = np.zeros((290, 300, 3), np.uint8)
    shades[1:3, 6:8] = [[[250, 0, 0], [0, 250, 0]], [[0, 0, 250], [250, 0, 0]]]
    with tool.io.BytesIO() as file:
        Image.fromarray(shades).save(file, "png")
        small = tool.small(file.getvalue())
    assert small.shape == (144, 144)
    assert small[0, 0] == round(62.5 * (1 + 0.2126)) and not small.ravel()[1:].any()
