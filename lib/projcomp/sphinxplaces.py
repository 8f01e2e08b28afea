"""Links that were right once: a place that has moved to another page is found there.

`projcomp_gone` in the configuration says for places that are no more which ones have what stood
there. Pages that have changed their names are the business of sphinx-reredirects. Torch must stay
out of what this module imports.
"""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

PLACES = "places.js"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("projcomp_gone", {}, "html", [dict])
    app.connect("build-finished", write_places)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def places_of(app: Sphinx) -> dict[str, str]:
    """On which page of the book each named place stands."""
    return {
        name: app.builder.get_target_uri(page)
        for page in sorted(app.env.found_docs, reverse=True)
        for node in app.env.get_doctree(page).findall(nodes.Element)
        for name in node.get("ids", [])
    }


def write_places(app: Sphinx, exception: Exception | None) -> None:
    """For book.js: the page of every place, page and place of what is no more."""
    if exception is not None or app.builder.name != "html":
        return
    places = places_of(app)
    gone = {}
    for old, new in app.config.projcomp_gone.items():
        if old in places:
            logger.warning("projcomp_gone: %s is still there", old)
        elif new not in places:
            logger.warning("projcomp_gone: %s leads to %s, which is nowhere", old, new)
        else:
            gone[old] = f"{places[new]}#{new}"
    script = f"window.bookPlaces = {json.dumps(places | gone, separators=(',', ':'))};\n"
    (Path(app.outdir) / "_static" / PLACES).write_text(script, encoding="utf-8")
