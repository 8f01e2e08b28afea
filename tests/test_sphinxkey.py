"""The key of the execution cache: what names lead to from the chapters, for sure."""

from __future__ import annotations

import os
from pathlib import Path

import projcomp
import pytest
from projcomp import sphinxkey

LIBRARY = Path(projcomp.__file__).parent
CHAPTERS = Path(__file__).resolve().parents[1] / "chapters"
FILES = {
    "__init__.py": """from importlib import import_module
_MODULES = ("noise", "new")
def __getattr__(name):
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
""",
    "noise.py": "def levels():\n    from package.parts import near\n",
    "parts/__init__.py": "",
    "parts/near.py": "",
    "parts/far.py": "",
    "apart.py": "",
    "execution.py": "",
    "weights.json": "[1]",
}
CHAPTER = "import package as pc\npc.noise.levels()"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "parts").mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def changes(package: Path, name: str, *chapters: str) -> bool:
    """Whether an edit of one file is another key."""
    before = sphinxkey.execution_key(package, list(chapters), [])
    with (package / name).open("a", encoding="utf-8") as file:
        file.write("\n")
    return sphinxkey.execution_key(package, list(chapters), []) != before


@pytest.mark.parametrize("name", [*FILES, "new.py"])
def test_key_follows_what_chapters_reach(package: Path, name: str) -> None:
    spared = {"apart.py", "parts/far.py"}
    assert changes(package, name, CHAPTER) == (name not in spared)


@pytest.mark.parametrize("name", ["apart.py", "parts/far.py"])
def test_every_chapter_counts(package: Path, name: str) -> None:
    assert changes(package, name, CHAPTER, f"from package import {Path(name).stem}")


@pytest.mark.parametrize(
    "code",
    [
        "import importlib\nimportlib.import_module('package.' + 'ap' + 'art')",
        "from importlib import import_module as load",
        "from importlib import import_module\nimport_module('ap' + word)",
        'from importlib import import_module\nimport_module(f"{word}.{name}")',
        "from importlib.util import find_spec",
        "__import__('ap' + 'art')",
        "import runpy",
        "import pkgutil",
        "exec('import ap' + 'art')",
        "x = eval(word)",
    ],
)
@pytest.mark.parametrize("file", ["noise.py", None])
def test_a_computed_import_may_reach_all(package: Path, code: str, file: str | None) -> None:
    if file:
        (package / file).write_text(code, encoding="utf-8")
        assert changes(package, "apart.py", CHAPTER)
    else:
        assert changes(package, "apart.py", CHAPTER, code)


def test_a_method_named_eval_computes_nothing(package: Path) -> None:
    assert not changes(package, "apart.py", CHAPTER, "model.eval()")


def test_library_key_follows_every_module(package: Path) -> None:
    before = sphinxkey.library_key(package, [])
    (package / "apart.py").write_text("changed", encoding="utf-8")
    assert sphinxkey.library_key(package, []) != before


def test_key_follows_names_and_pins(package: Path, tmp_path: Path) -> None:
    pins = tmp_path / "requirements.txt"
    keys = [sphinxkey.execution_key(package, [CHAPTER], [pins])]
    pins.write_text("numpy==2.0", encoding="utf-8")
    keys.append(sphinxkey.execution_key(package, [CHAPTER], [pins]))
    pins.write_text("numpy==2.1", encoding="utf-8")
    keys.append(sphinxkey.execution_key(package, [CHAPTER], [pins]))
    (package / "noise.py").rename(package / "new.py")
    keys.append(sphinxkey.execution_key(package, [CHAPTER], [pins]))
    assert len(set(keys)) == len(keys)


def test_key_ignores_what_no_cell_reads(package: Path) -> None:
    before = sphinxkey.execution_key(package, [CHAPTER], [])
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "noise.pyc").write_bytes(b"\0")
    (package / "book.css").write_text("p {}", encoding="utf-8")
    (package / "widget.js").write_text("1", encoding="utf-8")
    (package / "README.md").write_text("Read me.", encoding="utf-8")
    os.utime(package / "noise.py", (0, 0))
    assert sphinxkey.execution_key(package, [CHAPTER], []) == before


def test_chapters_reach_the_library_and_not_what_makes_pages() -> None:
    texts = [path.read_text(encoding="utf-8") for path in CHAPTERS.glob("*.md")]
    spared = sphinxkey.modules(LIBRARY) - sphinxkey.reached(LIBRARY, texts)
    assert {path.stem for path in spared} == {
        "sphinxext",
        "sphinxfold",
        "sphinxhead",
        "sphinxkey",
        "sphinxmath",
        "sphinxnetwork",
        "sphinxplaces",
        "sphinxsearch",
        "sphinxweight",
    }
