"""A search that needs no server: excerpts come from a script, not from other pages.

Sphinx looks a word up in an index that is a script, but fetches the pages for what they say around
it, which a browser refuses a page that was opened from a file. Here their text is written into a
script of its own. Torch must stay out of what this module imports.
"""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

TEXT = "searchtext.js"
HEADING, PROSE, CODE = 1, 2, 3
PARTS = {**dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), HEADING), "pre": CODE}
INLINE = {"a", "abbr", "b", "cite", "code", "em", "i", "mark", "span", "strong", "sub", "sup"}
LEFT_OUT = {"button", "math", "noscript", "script", "style", "summary", "svg"}
LEFT_OUT_CLASSES = {"headerlink", "math", "pc-figure"}


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", fetch_nothing)
    app.connect("html-page-context", load_text)
    app.connect("build-finished", write_text)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def fetch_nothing(app: Sphinx, config: Config) -> None:
    config.html_show_search_summary = False


def load_text(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if page == "search" and app.builder.name == "html":
        app.add_js_file(TEXT, defer="defer")
        app.add_js_file("search.js", defer="defer")


def write_text(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.name != "html":
        return
    pages = {
        name: sections((Path(app.outdir) / f"{name}.html").read_text(encoding="utf-8"))
        for name in sorted(app.env.found_docs)
    }
    script = f"window.bookText = {json.dumps(pages, ensure_ascii=False, separators=(',', ':'))};\n"
    (Path(app.outdir) / "_static" / TEXT).write_text(script, encoding="utf-8")


def sections(html: str) -> list[list[str]]:
    """Of a page, every section that has an id: [id, heading, prose, code and what it prints].

    A formula is an ellipsis.
    """
    reader = Reader()
    reader.feed(html)
    return [[name, *(" ".join(part.split()) for part in parts)] for name, *parts in reader.found]


class Reader(HTMLParser):
    """Gathers what stands in the sections of a page, each piece in the innermost that has an id."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[list[str]] = []
        self.within: list[list[str]] = []
        self.part = PROSE
        self.skipped, self.depth = "", 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        classes = set((given.get("class") or "").split())
        if self.depth:
            self.depth += tag == self.skipped
        elif tag in LEFT_OUT or classes & LEFT_OUT_CLASSES:
            self.skipped, self.depth = tag, 1
            self.handle_text(" … " if "math" in classes else " ")
        elif tag == "section":
            if given.get("id"):
                self.found.append([given["id"], "", "", ""])
            self.within += self.found[-1:] if given.get("id") else self.within[-1:]
        elif tag in PARTS:
            self.part = PARTS[tag]
            self.handle_text(" ")
        elif tag not in INLINE:
            self.handle_text(" ")

    def handle_endtag(self, tag: str) -> None:
        if self.depth:
            self.depth -= tag == self.skipped
        elif tag == "section" and self.within:
            self.within.pop()
        elif tag in PARTS:
            self.part = PROSE
        elif tag not in INLINE:
            self.handle_text(" ")

    def handle_data(self, data: str) -> None:
        if not self.depth:
            self.handle_text(data)

    def handle_text(self, text: str) -> None:
        if self.within:
            self.within[-1][self.part] += text
