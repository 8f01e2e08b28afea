"""Links that were right once: a place that has moved to another page is found there.

Pages that have changed their names are the business of sphinx-reredirects. Torch must stay out of
what this module imports.
"""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

PLACES = "places.js"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write_places)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_places(app: Sphinx, exception: Exception | None) -> None:
    """On which page each named place of the book stands, for book.js."""
    if exception is not None or app.builder.name != "html":
        return
    places = {
        name: app.builder.get_target_uri(page)
        for page in sorted(app.env.found_docs, reverse=True)
        for name in named_places(app.env.get_doctree(page))
    }
    script = f"window.bookPlaces = {json.dumps(places, separators=(',', ':'))};\n"
    (Path(app.outdir) / "_static" / PLACES).write_text(script, encoding="utf-8")


def named_places(doctree: nodes.document) -> set[str]:
    return {name for node in doctree.findall(nodes.Element) for name in node.get("ids", [])}
