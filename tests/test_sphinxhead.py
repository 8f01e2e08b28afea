"""Descriptions, cards and the text for the search, through small books built from nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from projcomp import sphinxsearch

from tests.small_book import CONF, FIGURE, WORDS, Book, cell

EXTENSIONS = '"projcomp.sphinxext", "projcomp.sphinxsearch", "projcomp.sphinxhead"'
SAID = "Said by hand & kept."
FRONT = f"---\nmyst:\n  html_meta:\n    description: {SAID}\n---\n\n# Other\n\n"
DIRECTIVE = f"# Other\n\n```{{eval-rst}}\n.. meta::\n   :description: {SAID}\n```\n\n"


LONG = "word " * 60 + "end."
FIRST = """One & two move. Another follows.
With {math}`x^2` it stops. Never said.

Nor this.

```{toctree}
long
front
directive
```
"""


def new_book(folder: Path) -> Book:
    book = Book(folder)
    conf = CONF.replace('"projcomp.sphinxext"', EXTENSIONS) + 'html_title = "A <small> book"\n'
    (book.source / "conf.py").write_text(conf, encoding="utf-8")
    return book


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """Built, with an address that is not known."""
    book = new_book(tmp_path_factory.mktemp("book"))
    for name, given in {"front": FRONT, "directive": DIRECTIVE}.items():
        (book.source / f"{name}.md").write_text(f"{given}Not this.\n", encoding="utf-8")
    status, said = book.build(FIRST, {"long": f"{LONG} Another.\n"}, BOOK_URL="")
    assert status == 0, said
    return book


def test_description_is_the_first_sentences_up_to_a_formula(book: Book) -> None:
    assert book.html.count('<meta name="description"') == 1
    assert book.html.count('content="One &amp; two move. Another follows."') == 2
    assert 'property="og:site_name" content="A &lt;small&gt; book"' in book.html


def test_a_long_first_sentence_is_whole_and_alone(book: Book) -> None:
    assert f'name="description" content="{LONG}"' in book.page("long")


@pytest.mark.parametrize("name", ["front", "directive"])
def test_a_given_description_is_taken(book: Book, name: str) -> None:
    page = book.page(name)
    assert page.count('name="description"') == 1
    assert page.count('content="Said by hand &amp; kept."') == 2
    assert "Not this" not in page.split("</head>")[0]


def test_pages_of_no_source_say_what_the_book_says(book: Book) -> None:
    said = 'name="description" content="One &amp; two move. Another follows."'
    assert said in book.page("search")


@pytest.fixture(scope="module")
def illustrated(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """Not built yet: the second build has the picture from the cache."""
    return new_book(tmp_path_factory.mktemp("illustrated"))


@pytest.mark.parametrize("address", ["https://example.org/book", "https://example.org/book/"])
def test_an_address_that_is_known_is_said(illustrated: Book, address: str) -> None:
    shutil.rmtree(illustrated.out, ignore_errors=True)
    status, said = illustrated.build("A page.\n" + cell(FIGURE, WORDS), BOOK_URL=address)
    assert status == 0, said
    html = illustrated.html
    assert '<link rel="canonical" href="https://example.org/book/index.html" />' in html
    assert 'og:image" content="https://example.org/book/_static/card.png"' in html
    assert (illustrated.out / "_static" / "card.png").is_file()


def test_an_address_that_is_not_known_is_not_said(book: Book) -> None:
    words = ("canonical", "og:image", "og:url", "twitter")
    assert not [word for word in words if word in book.html]


def test_text_for_the_search() -> None:
    html = """<p>Before.</p><section id="a"><h1>One<a class="headerlink">#</a></h1>
        <p>Say <em>un</em>done</p><p>twice <span class="math">\\(x\\)</span>.</p>
        <section id="b"><h2>Two</h2><pre><span>f</span>(1)</pre><script>no</script>
        <section><p>inner</p></section></section>
        <div class="math"><div>no</div>no</div><p>after &amp; out</p></section><p>After.</p>"""
    assert sphinxsearch.sections(html) == [
        ["a", "One", "Say undone twice … . … after & out", ""],
        ["b", "Two", "inner", "f(1)"],
    ]


def test_extensions_do_not_import_torch() -> None:
    code = (
        "import sys, projcomp.sphinxhead, projcomp.sphinxsearch; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
