"""Descriptions, cards and the text for the search, through small books built from nothing."""

from __future__ import annotations

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


@pytest.fixture
def book(tmp_path: Path) -> Book:
    book = Book(tmp_path)
    conf = CONF.replace('"projcomp.sphinxext"', EXTENSIONS) + 'html_title = "A <small> book"\n'
    (book.source / "conf.py").write_text(conf, encoding="utf-8")
    return book


def build(book: Book, page: str, **environment: str) -> str:
    status, said = book.build(page, **environment)
    assert status == 0, said
    return book.html


def test_description_is_the_first_sentences_up_to_a_formula(book: Book) -> None:
    page = "One & two move. Another follows.\nWith {math}`x^2` it stops. Never said.\n\nNor this."
    assert build(book, page).count('<meta name="description"') == 1
    assert 'content="One &amp; two move. Another follows."' in book.html
    assert 'property="og:site_name" content="A &lt;small&gt; book"' in book.html


def test_a_long_first_sentence_is_whole_and_alone(book: Book) -> None:
    long = "word " * 60 + "end."
    assert f'name="description" content="{long}"' in build(book, f"{long} Another.\n")


@pytest.mark.parametrize("given", [FRONT, DIRECTIVE])
def test_a_given_description_is_taken(book: Book, given: str) -> None:
    (book.source / "other.md").write_text(f"{given}Not this.\n", encoding="utf-8")
    build(book, "A page.\n\n```{toctree}\nother\n```\n")
    other = (book.out / "other.html").read_text(encoding="utf-8")
    assert other.count('name="description"') == 1
    assert other.count('content="Said by hand &amp; kept."') == 2
    assert "Not this" not in other.split("</head>")[0]


def test_pages_of_no_source_say_what_the_book_says(book: Book) -> None:
    build(book, "A page.\n")
    search = (book.out / "search.html").read_text(encoding="utf-8")
    assert 'name="description" content="A page."' in search


@pytest.mark.parametrize("address", ["https://example.org/book", "https://example.org/book/"])
def test_an_address_that_is_known_is_said(book: Book, address: str) -> None:
    html = build(book, "A page.\n" + cell(FIGURE, WORDS), BOOK_URL=address)
    assert '<link rel="canonical" href="https://example.org/book/index.html" />' in html
    assert 'og:image" content="https://example.org/book/_static/card.png"' in html
    assert (book.out / "_static" / "card.png").is_file()


def test_an_address_that_is_not_known_is_not_said(book: Book) -> None:
    html = build(book, "A page.\n", BOOK_URL="")
    assert not [word for word in ("canonical", "og:image", "og:url", "twitter") if word in html]


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
