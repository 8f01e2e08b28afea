"""The network that runs in a page: scripts that hold it, beside the pages.

They are written where a page has a figure for them, once for a state of the weights. Torch must
stay out of what this module imports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from projcomp.widgets import assets

logger = logging.getLogger(__name__)

FIGURE = '"kind": "words"'


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", note_figures)
    app.connect("build-finished", write_network)
    return {"parallel_read_safe": True, "parallel_write_safe": False}


def note_figures(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Leave a mark where a page has a figure that runs the network."""
    if FIGURE in context.get("body", ""):
        folder_of(app).mkdir(parents=True, exist_ok=True)


def write_network(app: Sphinx, exception: Exception | None) -> None:
    folder = folder_of(app)
    if exception is not None or app.builder.format != "html" or not folder.is_dir():
        return
    try:
        assets.write(folder, assets.WORDS)
    except (OSError, ValueError) as problem:
        logger.warning("the network of a figure can't go with the pages: %s", problem)


def folder_of(app: Sphinx) -> Path:
    return Path(app.outdir, "_static", assets.FOLDER)
