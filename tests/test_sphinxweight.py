"""One style sheet without what no page has, one script, and pictures in files of their own."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from projcomp import sphinxweight

from tests.small_book import Book

NAMED = {"here", "too"}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c63f80f0001010100b5d5d7b00000000049454e44ae426082"
)


@pytest.mark.parametrize(
    "rule",
    [
        "p{a:b}",
        ".here{a:b}",
        ".gone,.here{a:b}",
        ".here.too>p:hover{a:b}",
        ".here:not(.gone){a:b}",
        ":is(.gone,:not(.lost)) p{a:b}",
        r".a\:b{a:b}",
        "@media print{.here{a:b}}",
        "@keyframes turn{from{a:b}to{a:c}}",
    ],
)
def test_rules_that_may_match_stay(rule: str) -> None:
    assert sphinxweight.used(rule, NAMED) == rule


@pytest.mark.parametrize(
    "rule",
    [
        ".gone{a:b}",
        ".here.gone{a:b}",
        ".here .gone,.lost{a:b}",
        "@media print{.gone{a:b}}",
        "@font-face{src:url(../vendor/fontawesome/webfonts/fa-solid-900.woff2)}",
    ],
)
def test_rules_that_match_nothing_go(rule: str) -> None:
    sheet = f'@charset "UTF-8";/* .here{{ */{rule}p{{c:d}}'
    assert sphinxweight.used(sheet, NAMED) == "p{c:d}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A page with a tab set in words alone, a picture within it, and a class of its own."""
    book = Book(tmp_path_factory.mktemp("built"))
    with (book.source / "conf.py").open("a", encoding="utf-8") as conf:
        conf.write('extensions.append("projcomp.sphinxweight")\n')
        conf.write('html_context = {"default_mode": "auto"}\n')
    data = b64encode(PIXEL).decode()
    page = f'<img class="headerlink" alt="A dot" src="data:image/png;base64,{data}">\n'
    status, said = book.build(page)
    assert status == 0, said
    return book


def test_a_picture_stands_in_a_file(built: Book) -> None:
    (picture,) = (built.out / "_images").glob("*.png")
    assert picture.read_bytes() == PIXEL
    assert f'src="_images/{picture.name}" width="1" height="1"' in built.html
    assert 'loading="lazy"' in built.html


def test_a_page_has_one_sheet_and_one_script(built: Book) -> None:
    static = built.out / "_static"
    assert built.html.count('rel="stylesheet"') == 1
    assert "_static/page.css" in built.html
    assert "_static/page.js" in built.html
    assert "doctools.js" not in built.html
    assert "SphinxHighlight" in (static / "page.js").read_text(encoding="utf-8")
    sheet = (static / "page.css").read_text(encoding="utf-8")
    assert ".headerlink" in sheet
    assert ".sphinxsidebar" in (static / "basic.css").read_text(encoding="utf-8")
    assert "literal-block-wrapper" not in sheet


def test_what_one_script_says_of_strictness_holds_for_no_other(built: Book) -> None:
    text = Path(built.out, "_static", "page.js").read_text(encoding="utf-8")
    assert text.startswith(";")
