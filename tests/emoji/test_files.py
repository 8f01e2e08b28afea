"""The pictures that come with the library: whole, from where they say, and read as they are."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import projcomp as pc
import pytest
import torch
from projcomp.emoji import files

from tests.helpers import close, seeded

ROOT = Path(__file__).parents[2]
SHA256 = {
    16: "f75c555104fedea20b4ebdcd01888e80718b31967070a801f50a2bf6ba7b38be",
    32: "16cb8d044a309cf2c0ad73d08f14dee636a9c0c7a70cd2876e63bda516cde34d",
}
"""Of all pictures, as they are decoded: (styles, contents, pixels, pixels, 4) bytes."""
NAMES = json.loads((files.DATA / files.NAMES).read_text(encoding="utf-8"))
COUNT = 1_030


def decoded(pixels: int) -> np.ndarray:
    names = [files.sheet_name(style["icons"], pixels) for style in NAMES["styles"]]
    return np.stack([files._sheet(files.DATA / name, COUNT, pixels) for name in names])


@pytest.fixture(scope="module", params=files.SIZES)
def both(request):
    """A table, and the bytes that it was made of."""
    return pc.emoji.load(request.param), decoded(request.param)


def test_the_bytes_are_those_that_were_drawn(both):
    _, pictures = both
    assert hashlib.sha256(pictures.tobytes()).hexdigest() == SHA256[pictures.shape[2]]


def test_every_cell_is_there_and_none_is_empty(both):
    table, pictures = both
    pixels = pictures.shape[2]
    assert table.pictures.shape == (COUNT, 8, 3, pixels, pixels)
    assert table.pictures.dtype == table.alpha.dtype == torch.float64
    assert len(set(table.contents)) == COUNT and list(table.contents) == list(NAMES["contents"])
    assert len(set(table.styles)) == 8
    assert bool(table.there.all())
    opaque = pictures[..., 3].reshape(8 * COUNT, -1)
    assert (opaque > 127).any(1).all()
    assert not pictures[pictures[..., 3] == 0].any()
    spread = table.pictures.flatten(2)
    assert float((spread.amax(2) - spread.amin(2)).min()) > 0.1


def test_they_lie_on_white_in_the_right_range(both):
    table, pictures = both
    assert table.pictures.aminmax() == (-1.0, 1.0)
    assert table.alpha.aminmax() == (0.0, 1.0)
    some = torch.from_numpy(pictures[:, ::97].astype(np.float64) / 255).permute(1, 0, 4, 2, 3)
    alpha = some[:, :, 3:]
    close(table.pictures[::97], 2 * (some[:, :, :3] * alpha + 1 - alpha) - 1, 1e-14)
    close(table.alpha[::97], alpha[:, :, 0])


def test_few_cells_are_alike_and_they_are_the_same_at_both_sizes(both):
    table, _ = both
    pairs = table.alike()
    assert len(pairs) == 23
    assert len({cell for pair in pairs for cell in pair}) == 28
    assert (("blue heart", "black lines"), ("green heart", "black lines")) in pairs
    left = table.distinct()
    assert len(left.contents) == 1_009
    lost = set(table.contents) - set(left.contents)
    assert {"tongue", "comet", "white square button", "red circle"} < lost
    assert lost == {content for pair in pairs for content, _ in pair}


def test_another_background():
    table = pc.emoji.load(16, background=(0, 0.5, 1.0))
    clear = table.alpha == 0
    for channel, value in enumerate((-1.0, 0.0, 1.0)):
        assert float((table.pictures[:, :, channel][clear] - value).abs().max()) == 0.0
    white = pc.emoji.load(16)
    close(white.on((0, 0.5, 1.0)).pictures, table.pictures, 1e-14)
    opaque = table.alpha == 1
    close(table.pictures.movedim(2, -1)[opaque], white.pictures.movedim(2, -1)[opaque], 1e-14)


def test_categories_and_styles_in_plain_words():
    table = pc.emoji.load(16)
    assert set(table.categories) == {
        "activities", "animals and nature", "food and drink", "objects", "people and body",
        "smileys and emotion", "symbols", "travel and places",
    }  # fmt: skip
    kinds = dict(zip(table.contents, table.categories, strict=True))
    assert kinds["dog"] == "animals and nature" and kinds["pizza"] == "food and drink"
    assert all(name == name.lower() and "-" not in name for name in table.contents)
    with pytest.raises(ValueError, match=r"of the table's 1,030, got 'dgo'; did you mean .*'dog'"):
        table.density(content="dgo")
    assert len(table.rows(style="three-dimensional")) == COUNT


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pixels": 64}, r"pixels must be 16 or 32, got 64; larger ones are made by python tools/"),
        ({"pixels": 0}, "pixels must be >= 1"),
        ({"pixels": "32"}, "pixels must be an integer"),
        ({"background": "white"}, "background must be numeric"),
        ({"background": (1, 1)}, r"background must be three numbers in \[0, 1\]"),
        ({"background": (0, 0, 255)}, r"background must be three numbers in \[0, 1\]"),
        ({"folder": "nowhere"}, "folder must hold pictures of 32 pixels, .* got 'nowhere'"),
    ],
)
def test_what_cannot_be_loaded(options, said):
    with pytest.raises(ValueError, match=said):
        pc.emoji.load(**options)


def test_a_folder_with_too_little(tmp_path):
    names = tmp_path / files.NAMES
    names.write_text(json.dumps(NAMES), encoding="utf-8")
    for name in [files.sheet_name(style["icons"], 16) for style in NAMES["styles"]]:
        (tmp_path / name).write_bytes((files.DATA / name).read_bytes())
    assert pc.emoji.load(16, folder=tmp_path).contents == tuple(NAMES["contents"])
    with pytest.raises(ValueError, match="folder must hold pictures of 32 pixels"):
        pc.emoji.load(32, folder=tmp_path)
    sheet = tmp_path / "twemoji-16.webp"
    sheet.write_bytes(sheet.read_bytes()[:1000])
    with pytest.raises(ValueError, match="folder must hold pictures of 16 pixels"):
        pc.emoji.load(16, folder=tmp_path)
    sheet.write_bytes((files.DATA / "twemoji-32.webp").read_bytes())
    with pytest.raises(ValueError, match="not a sheet of 1030 pictures of 16 pixels"):
        pc.emoji.load(16, folder=tmp_path)
    for broken in ("{", "{}", "[]"):
        names.write_text(broken, encoding="utf-8")
        with pytest.raises(ValueError, match="folder must hold pictures of 16 pixels"):
            pc.emoji.load(16, folder=tmp_path)


def test_nothing_that_decodes_is_imported_before_it_is_asked_for():
    top = ast.parse(Path(files.__file__).read_text(encoding="utf-8")).body
    inner = [n for n in ast.walk(ast.Module(top, [])) if isinstance(n, ast.ImportFrom)]
    assert [node.module for node in inner if node not in top] == ["PIL"]


def test_one_file_says_whose_they_are():
    said = (files.DATA / "LICENCES.md").read_text(encoding="utf-8")
    rows = [line for line in said.splitlines() if line.startswith("| `")]
    assert len(rows) == 8
    for style, row in zip(NAMES["styles"], rows, strict=True):
        package = f"`{style['package']}` {style['version']}"
        facts = [f"`{style['icons']}-*.webp`", style["name"], style["title"], package]
        assert row == f"| {' | '.join([*facts, style['author'], style['licence']])} |"
    for text in ("Copyright (c) Microsoft Corporation.", "THE SOFTWARE IS PROVIDED", "Ranks.com",
                 "Copyright 2013 Google, Inc.", "creativecommons.org/licenses/by/4.0/legalcode",
                 "Apache-2.0.txt"):  # fmt: skip
        assert text in said
    assert "END OF TERMS" in (files.DATA / "Apache-2.0.txt").read_text(encoding="utf-8")
    shipped = {path.name for path in files.DATA.iterdir()}
    sheets = {files.sheet_name(s["icons"], size) for s in NAMES["styles"] for size in files.SIZES}
    assert shipped == {*sheets, files.NAMES, "counts.json", "LICENCES.md", "Apache-2.0.txt"}
    assert sum(path.stat().st_size for path in files.DATA.iterdir()) < 6e6


# -- the maker --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def maker():
    path = ROOT / "tools" / "make_emoji.py"
    spec = importlib.util.spec_from_file_location("make_emoji", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    sys.path.remove(str(path.parent))
    yield module
    del sys.modules[spec.name]


def test_the_maker_knows_the_packages_that_the_names_tell_of(maker):
    found = [(s.name, s.package, s.version, s.icons) for s in maker.SOURCES]
    assert found == [(s["name"], s["package"], s["version"], s["icons"]) for s in NAMES["styles"]]


def test_a_package_that_is_not_what_it_should_be(maker, tmp_path):
    source = maker.SOURCES[3]
    (tmp_path / source.tarball).write_bytes(b"something else")
    with pytest.raises(maker.Trouble, match=r"has the SHA-256 .* delete it to fetch it again"):
        maker.fetched(source, tmp_path)


def test_without_npm(maker, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(maker.npm_package.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(maker.Trouble, match="npm is not installed, and iconify-json-noto-1"):
        maker.fetched(maker.SOURCES[0], tmp_path)


def test_what_npm_says_is_told(maker, tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error no such host' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(maker.Trouble, match=r"npm could not fetch @iconify-json/noto@1\.2\.9: npm"):
        maker.fetched(maker.SOURCES[0], tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_is_written_whole(maker, tmp_path):
    maker.write(tmp_path / "a.webp", b"12")
    assert [path.name for path in tmp_path.iterdir()] == ["a.webp"]


def test_some_icons_drawn_again(maker, both):
    """Where the packages and the renderer are: the bytes are those of the source."""
    pytest.importorskip("resvg_py")
    if not all((maker.CACHE / source.tarball).exists() for source in maker.SOURCES):
        pytest.skip(f"the packages are not in {maker.CACHE}")
    _, pictures = both
    pixels, render = pictures.shape[2], maker.renderer()
    for index, source in enumerate(maker.SOURCES):
        package = maker.fetched(source, maker.CACHE)
        order = torch.randperm(COUNT, generator=seeded(pixels + index))[:5].tolist()
        icons = sorted(package.shown & {name.replace(" ", "-") for name in NAMES["contents"]})
        assert len(icons) == COUNT
        for place in order:
            again = render(package.svg(icons[place], pixels))
            assert np.array_equal(again, pictures[index, place]), (source.icons, icons[place])
