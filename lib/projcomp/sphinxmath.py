"""Formulas, set by MathJax from a file of the book's own, on the pages that have any.

MathJax's combined files hold a menu that the book switches off. So its parts are joined here, with
the fonts that nearly every page asks for. book.js starts it, and sets a few formulas at a time.
Torch must stay out of what this module imports.
"""

from __future__ import annotations

import re
import shutil
from base64 import b64encode
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

SCRIPT = "mathjax/formulas.js"
PARTS = (
    "startup",
    "core",
    "input/tex",
    "output/chtml",
    "output/chtml/fonts/tex",
    "a11y/assistive-mml",
)
"""The first loads nothing, and starts once the script that it stands in has run to its end."""
FONTS = "output/chtml/fonts/woff-v2"
WITHIN = (
    "AMS-Regular", "Calligraphic-Regular", "Main-Bold", "Main-Regular", "Math-Italic",
    "Size1-Regular", "Size2-Regular", "Zero",
)  # fmt: skip
ON_DEMAND = ("input/tex/extensions/*.js", f"{FONTS}/*.woff")
FORMULA = re.compile(r'class="math[ "]')


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", load_locally)
    app.connect("html-page-context", load_where_needed)
    app.connect("build-finished", write_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def load_locally(app: Sphinx, config: Config) -> None:
    config.mathjax_path = SCRIPT


def load_where_needed(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    scripts, needed = context["script_files"], FORMULA.search(context.get("body", ""))
    for script in [script for script in scripts if str(script.filename).endswith(SCRIPT)]:
        if needed:
            script.attributes["type"] = "text/later"  # book.js starts it, after the first figure
        else:
            scripts.remove(script)


def write_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Also where no page has changed: Sphinx copies no static files then."""
    if exception is not None or app.builder.format != "html":
        return
    spec = find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("sphinx-mathjax-offline is not installed: see requirements.txt")
    source = Path(spec.origin).parent / "static" / "mathjax"
    target = Path(app.outdir, "_static", "mathjax")
    for path in (path for pattern in ON_DEMAND for path in source.glob(pattern)):
        copy = target / path.relative_to(source)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    Path(app.outdir, "_static", SCRIPT).write_text(joined(source), encoding="utf-8")


def joined(source: Path) -> str:
    """MathJax's parts in one script, with its commonest fonts."""
    script = ";\n".join((source / f"{part}.js").read_text(encoding="utf-8") for part in PARTS)
    for name in WITHIN:
        file = f"MathJax_{name}.woff"
        data = b64encode((source / FONTS / file).read_bytes()).decode()
        script = script.replace(f"%%URL%%/{file}", f"data:font/woff;base64,{data}")
    return script
