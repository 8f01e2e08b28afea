"""The book's Sphinx extension: on files alone, and through small books built from nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from projcomp import sphinxext

from tests.small_book import FIGURE, WORDS, Book, cell

OWN_LIBRARY = """
from pathlib import Path
from projcomp import sphinxext

sphinxext.PACKAGE = Path(__file__).parent / "library"

def setup(app):
    app.connect("source-read", lambda app, name, text: print("reads", name))
"""
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


def test_extension_does_not_import_torch() -> None:
    code = "import sys, projcomp.sphinxext; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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
    assert (mathjax / "formulas.js").exists()
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


def test_a_module_that_no_chapter_reaches_is_read_for_and_not_executed_for(book: Book) -> None:
    """A library of two modules: a notebook names one, what is no notebook the other."""
    library = book.source / "library"
    library.mkdir()
    for name in ("reached", "apart"):
        (library / f"{name}.py").touch()
    (book.source / "notes.md").write_text("---\norphan: true\n---\n# apart", encoding="utf-8")
    with (book.source / "conf.py").open("a", encoding="utf-8") as conf:
        conf.write(OWN_LIBRARY)
    page = cell("import uuid\nprint('drawn', uuid.uuid4())  # reached")

    def drawn(edited: str) -> str:
        (library / f"{edited}.py").write_text(f"changed = {edited!r}", encoding="utf-8")
        status, said = book.build(page)
        assert status == 0, said
        assert "reads index" in said
        return book.html.split("drawn ")[-1][:36]

    first = drawn("")
    assert drawn("apart") == first
    assert drawn("reached") != first


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
