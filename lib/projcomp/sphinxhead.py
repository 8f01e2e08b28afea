"""What other programs read of a page: its description, its card where it is linked, its icon.

The description is what a page gives as such (`.. meta::` in an `{eval-rst}` block, or
`myst.html_meta` in the front matter), else its first sentences. Links to the book's own address,
which cards and search engines want, are made where it is known: from `html.baseurl` in
_config.yml, or from BOOK_URL in the environment. Torch must stay out of what this module imports.
"""

from __future__ import annotations

import os
import re
from html import escape, unescape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

ICON = Path(__file__).resolve().parent / "assets" / "favicon.svg"
CARD = "_static/card.png"
CARD_SIZE = (1200, 630)
LONGEST = 200
FORMULA = "\0"
TAGS = re.compile(r"<[^>]*>")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", take_address_and_icon)
    app.connect("html-page-context", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def take_address_and_icon(app: Sphinx, config: Config) -> None:
    address = os.environ.get("BOOK_URL") or config.html_baseurl
    config.html_baseurl = f"{address.rstrip('/')}/" if address else ""
    config.html_favicon = config.html_favicon or str(ICON)


def describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    config, front = app.config, page == app.config.root_doc
    book = config.html_title or config.project
    title = unescape(TAGS.sub("", context.get("title", ""))) or book
    given = given_description(doctree) if doctree else ""
    said = given or (doctree and first_sentences(doctree)) or description_of_book(app)
    description = f'<meta name="description" content="{escape(said)}" />'
    tags = card_tags(title, said, book, "website" if front else "article")
    if config.html_baseurl:
        tags += address_tags(config.html_baseurl, app.builder.get_target_uri(page), book)
    shown = tags if given else [description, *tags]  # Sphinx itself writes what is given
    context["metatags"] = context.get("metatags", "") + "".join(f"\n    {tag}" for tag in shown)
    if front:
        draw_card(book, first_picture(app, doctree), Path(app.outdir, CARD))
        if page != "index":
            write_door(app, book, [description, *tags])


def description_of_book(app: Sphinx) -> str:
    front = app.env.get_doctree(app.config.root_doc)
    return given_description(front) or first_sentences(front)


def given_description(doctree: nodes.document) -> str:
    metas = (meta for meta in doctree.findall(nodes.meta) if meta.get("name") == "description")
    return next((meta["content"] for meta in metas), "")


def first_sentences(doctree: nodes.document) -> str:
    """Whole sentences of the first paragraph of running text, up to the first with a formula."""
    running = (p for p in doctree.findall(nodes.paragraph) if isinstance(p.parent, nodes.section))
    paragraph = next(running, None)
    if paragraph is None:
        return ""
    pieces = paragraph.findall(nodes.Text)
    text = "".join(FORMULA if isinstance(t.parent, nodes.math) else t.astext() for t in pieces)
    sentences = re.split(r"(?<=[.?!])\s+", " ".join(text.split()))
    said = sentences[0].replace(FORMULA, "…")
    for sentence in sentences[1:]:
        if FORMULA in sentence or len(said) + len(sentence) >= LONGEST:
            break
        said += f" {sentence}"
    return said


def card_tags(title: str, said: str, book: str, kind: str) -> list[str]:
    properties = {"title": title, "description": said, "type": kind, "site_name": book}
    return [f'<meta property="og:{k}" content="{escape(v)}" />' for k, v in properties.items()]


def address_tags(address: str, target: str, book: str) -> list[str]:
    """A card's picture must be named by its whole address."""
    width, height = map(str, CARD_SIZE)
    properties = {
        "url": address + target,
        "image": address + CARD,
        "image:width": width,
        "image:height": height,
        "image:alt": f"A figure of {book}",
    }
    tags = [f'<meta property="og:{k}" content="{escape(v)}" />' for k, v in properties.items()]
    return [*tags, '<meta name="twitter:card" content="summary_large_image" />']


def write_door(app: Sphinx, book: str, tags: list[str]) -> None:
    """The page at the book's own address, which leads to the first page and has the same card."""
    first = escape(app.builder.get_target_uri(app.config.root_doc))
    if app.config.html_baseurl:
        tags = [f'<link rel="canonical" href="{escape(app.config.html_baseurl)}{first}" />', *tags]
    lines = [
        "<!DOCTYPE html>",
        f'<html lang="{app.config.language}">',
        "<head>",
        '<meta charset="utf-8" />',
        f"<title>{escape(book)}</title>",
        f'<meta http-equiv="refresh" content="0; url={first}" />',
        f'<link rel="icon" href="_static/{Path(app.config.html_favicon).name}" />',
        *tags,
        "</head>",
        f'<body><p><a href="{first}">{escape(book)}</a></p></body>',
        "</html>",
    ]
    Path(app.outdir, "index.html").write_text("\n".join(lines) + "\n", encoding="utf-8")


# The card's picture


def first_picture(app: Sphinx, doctree: nodes.document) -> Path | None:
    """The page is written by now, and its pictures are called as they will be in the book."""
    sources = {name: Path(app.srcdir, source) for source, name in app.builder.images.items()}
    paths = (sources.get(Path(image["uri"]).name) for image in doctree.findall(nodes.image))
    return next((path for path in paths if path and path.suffix == ".png"), None)


def draw_card(title: str, picture: Path | None, file: Path) -> None:
    """The book's name above its first figure."""
    from matplotlib.figure import Figure
    from matplotlib.image import imread

    width, height = CARD_SIZE
    card = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor="white")
    size = min(48, 1050 / max(1, len(title)))
    card.text(
        0.5, 0.84 if picture else 0.5, title, size=size, weight="bold", ha="center", va="center"
    )
    if picture:
        axes = card.add_axes((0.03, 0.04, 0.94, 0.68))
        axes.imshow(imread(picture), interpolation="lanczos")
        axes.axis("off")
    file.parent.mkdir(parents=True, exist_ok=True)
    card.savefig(file)
