"""The book's Sphinx extension: on files alone, and through small books built from nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from projcomp import sphinxext

from tests.small_book import FIGURE, WORDS, Book, cell

SLIDER = "import ipywidgets\nfrom IPython.display import display\ndisplay(ipywidgets.IntSlider())"


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A book of two pages: a formula and a picture; a widget beside a still form."""
    book = Book(tmp_path_factory.mktemp("built"))
    still = "from IPython.display import HTML\ndisplay(HTML('<b>still</b>'))"
    page = "{math}`x^2`\n\n" + cell(FIGURE + "\ndisplay(1)", WORDS) + "```{toctree}\nwidget\n```\n"
    status, said = book.build(page, {"widget": cell(f"{SLIDER}\n{still}")})
    assert status == 0, said
    return book


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "noise.py").write_text("levels = 10\n", encoding="utf-8")
    (folder / "weights.json").write_text("[1]", encoding="utf-8")
    return folder


def test_extension_does_not_import_torch() -> None:
    code = "import sys, projcomp.sphinxext; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["noise.py", "weights.json", "new.py"])
def test_key_follows_the_library(package: Path, name: str) -> None:
    before = sphinxext.execution_key(package, [])
    (package / name).write_text("changed", encoding="utf-8")
    assert sphinxext.execution_key(package, []) != before


def test_key_follows_names_and_pins(package: Path, tmp_path: Path) -> None:
    pins = tmp_path / "requirements.txt"
    keys = [sphinxext.execution_key(package, [pins])]
    pins.write_text("numpy==2.0", encoding="utf-8")
    keys.append(sphinxext.execution_key(package, [pins]))
    pins.write_text("numpy==2.1", encoding="utf-8")
    keys.append(sphinxext.execution_key(package, [pins]))
    (package / "noise.py").rename(package / "sigma.py")
    keys.append(sphinxext.execution_key(package, [pins]))
    assert len(set(keys)) == len(keys)


def test_key_ignores_what_no_cell_reads(package: Path) -> None:
    before = sphinxext.execution_key(package, [])
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "noise.pyc").write_bytes(b"\0")
    (package / "book.css").write_text("p {}", encoding="utf-8")
    (package / "widget.js").write_text("1", encoding="utf-8")
    (package / "README.md").write_text("Read me.", encoding="utf-8")
    os.utime(package / "noise.py", (0, 0))
    assert sphinxext.execution_key(package, []) == before


def test_prune_keeps_the_newest(tmp_path: Path) -> None:
    for age, name in enumerate(["newest", "newer", "old", "oldest"]):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    sphinxext.prune(tmp_path, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"newest", "newer"}


def test_page_is_complete_without_a_network(built: Book) -> None:
    assert 'alt="A line"' in built.html
    assert "https://" not in built.html.replace("https://www.sphinx-doc.org", "")
    mathjax = built.out / "_static" / "mathjax"
    assert (mathjax / "tex-chtml.js").exists()
    assert list(mathjax.glob("output/chtml/fonts/woff-v2/*.woff"))
    assert sum(f.stat().st_size for f in mathjax.rglob("*") if f.is_file()) < 12e6


def test_a_build_needs_no_folder_of_the_user(book: Book) -> None:
    """With a home that can't be written to, and nothing said elsewhere of where to write."""
    nowhere = "/dev/null/nowhere"
    names = ("HOME", "USERPROFILE", "MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR",
             "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")  # fmt: skip
    homeless = dict.fromkeys(names, nowhere)
    status, said = book.build(cell(FIGURE, WORDS), own_interpreter=True, **homeless)
    assert status == 0, said
    assert "<img" in book.html
    assert "stderr" not in book.html
    assert "nowhere" not in book.html


def test_new_key_executes_again(book: Book) -> None:
    page = cell("import uuid\nprint('drawn', uuid.uuid4())")

    def drawn() -> str:
        status, said = book.build(page)
        assert status == 0, said
        return book.html.split("drawn ")[-1][:36]

    first = drawn()
    assert drawn() == first
    (book.source / "requirements.txt").write_text("numpy==2.0", encoding="utf-8")
    assert drawn() != first


def test_failed_cell_is_named(book: Book) -> None:
    page = cell("x = 1") + cell("x = 2\nraise ValueError('no such sigma')")
    status, said = book.build(page)
    assert status != 0
    assert "index.md:15: code cell 2 failed: ValueError: no such sigma" in said


def test_failed_build_is_not_forgotten(book: Book) -> None:
    """Sphinx alone would warn once, and pass the second time."""
    assert book.build("{doc}`nowhere`\n")[0] != 0
    status, said = book.build("{doc}`nowhere`\n")
    assert status != 0
    assert "nowhere" in said
    assert book.build("Mended.\n")[0] == 0


def test_picture_without_words_fails(book: Book) -> None:
    status, said = book.build(cell("1") + cell(FIGURE))
    assert status != 0
    assert "code cell 2: a figure has no alt text" in said


def test_widget_without_a_still_form_fails(book: Book) -> None:
    status, said = book.build(cell(SLIDER))
    assert status != 0
    assert "code cell 1: a widget has no still form" in said


def test_widget_beside_a_still_form_leaves_the_page(built: Book) -> None:
    html = built.page("widget")
    assert "<b>still</b>" in html
    assert "jupyter.widget" not in html
