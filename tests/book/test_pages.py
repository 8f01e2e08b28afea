"""Every page, opened from its file with the network off."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from tests.book import paper
from tests.book.driving import TYPESET, mount_all

PROOFS = "details.sd-dropdown"
COLOURS = """canvases => canvases.map(canvas => new Set(new Uint32Array(canvas.getContext("2d")
    .getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size)"""
# Of formulas, and of the tokens of code, one of every kind: the classes of it and of all it is in.
PRUNE = """() => {
    const around = (node) => node ? `${around(node.parentElement)} > ${node.className}` : "";
    const seen = new Set();
    const isNew = (node) => seen.size < seen.add(around(node)).size;
    for (const formula of document.querySelectorAll("mjx-container")) {
        if (!isNew(formula)) formula.replaceChildren();
    }
    for (const token of document.querySelectorAll(".highlight pre span")) {
        if (!isNew(token)) token.remove();
    }
}"""
LOOKS = """all => all.map(shown => {
    const { filter, mixBlendMode } = getComputedStyle(shown);
    return [filter, mixBlendMode, shown.src ?? shown.className];
})"""
# A picture that is far away waits for the reader.
ALL_LOADED = """async all => Promise.all(all.map(async image => {
    image.loading = "eager";
    await image.decode().catch(() => {});
    return [image.naturalWidth, image.src];
}))"""
# Words of tables that stand in more than one line.
BROKEN = """() => [...document.querySelectorAll(".bd-article :is(td, th)")].flatMap(cell => {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    const broken = [];
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        for (const word of text.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            const tops = [...range.getClientRects()].map(({ top }) => Math.round(top));
            if (new Set(tops).size > 1) broken.push(word[0]);
        }
    }
    return broken;
})"""
# Captions and names of rows that leave the box of their table, however it is scrolled, and names
# that leave too little of it for the numbers.
ASTRAY = """() => [...document.querySelectorAll(".pc-table")].flatMap(table => {
    const { left, right, width } = table.getBoundingClientRect();
    const shown = [...table.querySelectorAll("caption span, th[scope=row]")];
    const astray = width < 200 ? [table] : [];
    for (let along = 0; along < table.scrollWidth; along += 40) {
        table.scrollLeft = along;
        astray.push(...shown.filter(node => {
            const box = node.getBoundingClientRect();
            const wide = node.tagName === "TH" && box.width > 0.6 * width;
            return wide || Math.abs(box.left - left) > 1 || box.right > right + 1;
        }));
    }
    table.scrollLeft = 0;
    return astray.map(node => node.textContent.trim());
})"""
# How many letters of its own text would fill a line of a paragraph.
LETTERS = """() => {
    const pen = document.createElement("canvas").getContext("2d");
    return [...document.querySelectorAll(".bd-article section > p")]
        .filter(p => !p.querySelector(".math") && p.innerText.length > 200)
        .map(p => {
            const { fontSize, fontFamily } = getComputedStyle(p);
            pen.font = `${fontSize} ${fontFamily}`;
            return p.clientWidth * p.innerText.length / pen.measureText(p.innerText).width;
        });
}"""
WORDS = """() => {
    const all = "[class^=pc-concept-], .pc-background, .pc-composed";
    return [...document.querySelectorAll(`.bd-article span:is(${all})`)].map(word => {
        const probe = document.createElement("i");
        probe.style.color = `var(--${word.className})`;
        document.body.append(probe);
        const wanted = getComputedStyle(probe).color;
        probe.remove();
        const line = parseFloat(getComputedStyle(word, "::before").width) || 0;
        return [word.className, getComputedStyle(word).color, wanted, line];
    });
}"""
SOLUTIONS = "div.admonition.toggle, div.admonition.dropdown:not(.proof)"


@dataclass
class Visit:
    """A page that was opened, and everything that went wrong since."""

    page: Page
    folder: Path
    problems: list[str] = field(default_factory=list)

    def console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def request(self, request: Request) -> None:
        url = urlsplit(request.url)
        inside = url.scheme == "file" and Path(unquote(url.path)).is_relative_to(self.folder)
        if not inside and url.scheme not in {"data", "blob"}:
            self.problems.append(f"request outside the book: {request.url}")


def visit(browser: Browser, path: Path, book: Path, width: int, scheme: str) -> Visit:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
    )
    opened = Visit(context.new_page(), book)
    page = opened.page
    page.on("console", opened.console)
    page.on("pageerror", lambda error: opened.problems.append(f"page error: {error}"))
    page.on("request", opened.request)
    page.on("requestfailed", lambda r: opened.problems.append(f"failed: {r.url}"))
    page.goto(path.as_uri())
    page.wait_for_load_state("load")
    page.evaluate(TYPESET)
    mount_all(page)
    return opened


@pytest.fixture(scope="module")
def desktop(browser: Browser, book: Path, chapter: Path) -> Iterator[Visit]:
    opened = visit(browser, chapter, book, 1280, "light")
    yield opened
    opened.page.context.close()


@pytest.fixture(scope="module")
def phone(browser: Browser, book: Path, chapter: Path) -> Iterator[Visit]:
    opened = visit(browser, chapter, book, 360, "light")
    yield opened
    opened.page.context.close()


def test_every_figure_comes_alive(desktop: Visit) -> None:
    page = desktop.page
    count = page.locator(".pc-figure").count()
    assert count > 0 or page.url.endswith("/map.html")
    assert page.locator(".pc-figure[data-live=yes]").count() == count
    assert page.locator(".pc-failed, .pc-notice:not([hidden])").count() == 0
    for colours in page.locator(".pc-plane, .pc-picture").evaluate_all(COLOURS):
        assert colours > 20, "an empty picture"


def test_maths_is_typeset(desktop: Visit) -> None:
    sources = desktop.page.locator(".math").count()
    assert desktop.page.locator(".math mjx-container").count() >= sources
    assert desktop.page.locator("mjx-merror").count() == 0


def test_pictures_have_words(desktop: Visit) -> None:
    images = desktop.page.locator(".bd-article img")
    for alt, source in images.evaluate_all("all => all.map(i => [i.alt, i.src])"):
        assert alt.strip(), source
        assert not alt.endswith((".png", ".svg", ".jpg")), f"{source}: {alt} is a file name"


def test_pictures_are_there(desktop: Visit) -> None:
    images = desktop.page.locator(".bd-article img")
    for width, source in images.evaluate_all(ALL_LOADED):
        assert width > 0, source


def test_pictures_keep_their_colours_in_the_dark(desktop: Visit) -> None:
    page = desktop.page
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    shown = page.locator(".bd-article img, .bd-article canvas")
    for style, blend, source in shown.evaluate_all(LOOKS):
        assert (style, blend) == ("none", "normal"), source
    page.emulate_media(color_scheme="light")


def test_on_paper_all_is_dark_on_light_whatever_the_screen_is(desktop: Visit) -> None:
    page = desktop.page

    def themed(name: str) -> None:
        # A page hears of it with its next frame, and many figures may be drawn in that.
        expect(page.locator("html")).to_have_attribute("data-theme", name, timeout=30_000)

    page.emulate_media(color_scheme="dark")
    themed("dark")
    page.emulate_media(color_scheme="dark", media="print")
    themed("light")
    page.evaluate("document.getAnimations().forEach(fading => fading.finish())")
    unreadable, torn = paper.faint(page), paper.loose(page)
    closed = page.locator(f"{PROOFS}:not([open]), .hide > summary:visible").count()
    page.emulate_media(color_scheme="dark", media="screen")
    themed("dark")
    assert page.locator(f"{PROOFS}[open]").count() == 0
    page.emulate_media(color_scheme="light")
    assert not unreadable
    assert not torn
    assert not closed


def test_captions_of_live_figures_name_no_colour_that_the_dark_turns(desktop: Visit) -> None:
    for words in desktop.page.locator("figure:has(.pc-figure) figcaption").all_inner_texts():
        assert not re.search(r"\b(black|white)\b", words, re.IGNORECASE), words


def test_no_dead_widgets(desktop: Visit) -> None:
    assert desktop.page.locator("script[type*='jupyter.widget']").count() == 0


def test_proofs_open(desktop: Visit) -> None:
    for proof in desktop.page.locator(PROOFS).all():  # one that holds another before that
        body = proof.locator("> .sd-summary-content")
        assert not body.is_visible()
        proof.locator("> summary").click()
        assert body.is_visible()


def test_checks_open_below_their_line(desktop: Visit) -> None:
    for check in desktop.page.locator("details.pc-check:not(details details)").all():
        line, code = check.locator("> summary"), check.locator(".cell_input").first
        assert not code.is_visible()
        line.click()
        above, below = line.bounding_box(), code.bounding_box()
        assert below["y"] >= above["y"] + above["height"]
        line.click()


def test_solutions_open(desktop: Visit) -> None:
    for solution in desktop.page.locator(SOLUTIONS).all():
        body = solution.locator("section").first
        assert not body.is_visible()
        solution.locator(".admonition-title").first.click()
        body.wait_for(state="visible", timeout=2000)


# With its proofs and solutions open.
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(desktop: Visit, scheme: str) -> None:
    page = desktop.page
    page.evaluate(PRUNE)
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("html")).to_have_attribute("data-theme", scheme)
    page.evaluate("document.getAnimations().forEach(fading => fading.finish())")
    results = Axe().run(page, options={"preload": False})  # a page may fetch nothing
    grave = [
        f"{violation['id']}: {node['html'][:120]}"
        for violation in results.response["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]
    assert not grave, "\n".join(grave)


def test_nothing_wider_than_a_phone(phone: Visit) -> None:
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
    phone.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_nothing_wider_at_twice_the_size(desktop: Visit) -> None:
    """A screen of 1280 pixels at 200 % holds 640."""
    page = desktop.page
    page.set_viewport_size({"width": 640, "height": 400})
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    page.set_viewport_size({"width": 1280, "height": 800})


def test_tables_break_no_word(phone: Visit) -> None:
    broken = phone.page.evaluate(BROKEN)
    assert not broken


def test_tables_keep_their_captions_and_names_in_view(phone: Visit) -> None:
    phone.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    astray = phone.page.evaluate(ASTRAY)
    assert not astray


def test_running_text_has_65_to_75_letters_in_a_line(desktop: Visit) -> None:
    assert 65 <= statistics.median(desktop.page.evaluate(LETTERS)) <= 75


def test_words_have_the_colour_and_the_line_of_their_mark(desktop: Visit) -> None:
    words = desktop.page.evaluate(WORDS)
    assert words or "02-" not in desktop.page.url
    for name, colour, wanted, line in words:
        assert colour == wanted, name
        assert line > 0, name


# Last: it has seen all that the tests before it did to the two pages.
def test_no_errors_and_no_requests(desktop: Visit, phone: Visit) -> None:
    assert not desktop.problems + phone.problems
