"""Light pages: one style sheet and one script for all, and pictures that come when they are near.

The theme and the extensions bring two dozen files, a third of them for what no page of the book
has, and a font of two thousand icons, of which it shows ten; book.css draws those. A style rule for
a class that no page and no script names is left out. Torch must stay out of what this module
imports.
"""

from __future__ import annotations

import re
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from projcomp.widgets.bundle import FOLDER

COLOURS = FOLDER / "shared" / "colours.css"
TEMPLATES = Path(__file__).resolve().parent / "templates"
SHEET, SCRIPT = "page.css", "page.js"
SHEETS = (
    "basic.css", "styles/pydata-sphinx-theme.css", "pygments.css", "styles/sphinx-book-theme.css",
    "togglebutton.css", "copybutton.css", "mystnb.*.css", "proof.css", "exercise.css",
    "sphinx-design.min.css", "book.css",
)  # fmt: skip
SCRIPTS = (
    "doctools.js", "sphinx_highlight.js", "clipboard.min.js",
    "copybutton.js", "scripts/sphinx-book-theme.js", "togglebutton.js", "scripts/bootstrap.js",
    "scripts/pydata-sphinx-theme.js",
)  # fmt: skip
TABS = "design-tabs.js"
PICTURE = re.compile(r'(src|srcset)="data:image/png;base64,([A-Za-z0-9+/=]+)"')
FONT = re.compile(r"url\(([\w-]+\.woff2)\)")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
BLOCK = re.compile(r"[{}]")
CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")
WITHIN = re.compile(r"\([^()]*\)")
GROUPS = ("@media", "@supports", "@container")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", take_templates)
    app.connect("html-page-context", load_once, priority=900)
    app.connect("html-page-context", put_pictures_into_files)
    app.connect("build-finished", write_sheet_and_script, priority=900)
    app.add_css_file(SHEET, priority=0)
    app.add_js_file(SCRIPT, priority=890)  # after what is said to it in the page
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def take_templates(app: Sphinx, config: Config) -> None:
    config.templates_path.append(str(TEMPLATES))


def load_once(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """What the one sheet and the one script hold is not loaded again."""
    unused = () if "sd-tab-set" in context.get("body", "") else (TABS,)
    context["css_files"] = without(context["css_files"], SHEETS)
    context["script_files"] = without(context["script_files"], (*SCRIPTS, *unused))


def without(files: list, patterns: tuple[str, ...]) -> list:
    paths = [(file, Path(str(getattr(file, "filename", file)))) for file in files]
    return [file for file, path in paths if not any(map(path.match, patterns))]


def put_pictures_into_files(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """A figure carries its still picture with it; a page needs it only where no figure starts."""
    if "body" not in context:
        return

    def placed(match: re.Match) -> str:
        data = b64decode(match[2])
        name = f"_images/{sha256(data).hexdigest()[:32]}.png"
        path = Path(app.outdir, name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        place = f'{match[1]}="{context["pathto"](name, 1)}"'
        if match[1] == "srcset":
            return place
        width, height = struct.unpack(">II", data[16:24])
        return f'{place} width="{width}" height="{height}"'  # the room that it will need

    body = PICTURE.sub(placed, context["body"])
    context["body"] = body.replace("<img ", '<img loading="lazy" decoding="async" ')


def write_sheet_and_script(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    scripts = [read(path) for pattern in SCRIPTS for path in static.glob(pattern)]
    # A semicolon first, so that what one script says of strictness holds for no other.
    (static / SCRIPT).write_text("".join(f";\n{s}" for s in scripts), encoding="utf-8")
    others = [*Path(app.outdir).rglob("*.html"), *static.glob("*.js")]
    named = set(re.findall(r"[\w-]+", " ".join(map(read, others))))
    sheets = [read(COLOURS), *(read(path) for pattern in SHEETS for path in static.glob(pattern))]
    sheet = "\n".join(used(sheet, named) for sheet in sheets)
    (static / SHEET).write_text(FONT.sub(lambda m: within(static / m[1]), sheet), encoding="utf-8")


def within(font: Path) -> str:
    """A font in the sheet itself: from a file, not every browser would load it."""
    return f"url(data:font/woff2;base64,{b64encode(font.read_bytes()).decode()})"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# Style rules


def used(sheet: str, named: set[str]) -> str:
    """A style sheet without the rules for classes that are not `named`, and without icon fonts."""
    kept = []
    for head, body in rules(COMMENT.sub("", sheet)):
        if head.startswith(GROUPS):
            if inner := used(body, named):
                kept.append(f"{head}{{{inner}}}")
        elif head.startswith("@"):
            if "fontawesome" not in body:
                kept.append(f"{head}{{{body}}}")
        elif any(may_match(selector, named) for selector in selectors(head)):
            kept.append(f"{head}{{{body}}}")
    return "\n".join(kept)


def rules(sheet: str) -> Iterator[tuple[str, str]]:
    """Of every rule at the top, what stands before its braces and between them."""
    depth, start, opened = 0, 0, 0
    for brace in BLOCK.finditer(sheet):
        if brace[0] == "{":
            depth += 1
            if depth == 1:
                opened = brace.start()
        else:
            depth -= 1
            if depth == 0:
                head = sheet[start:opened].rpartition(";")[2]  # after @charset and @import
                yield " ".join(head.split()), sheet[opened + 1 : brace.start()].strip()
                start = brace.end()


def selectors(head: str) -> list[str]:
    """Without what stands in parentheses, which may be an alternative or a negation."""
    while WITHIN.search(head):
        head = WITHIN.sub("", head)
    return head.split(",")


def may_match(selector: str, named: set[str]) -> bool:
    return "\\" in selector or all(name in named for name in CLASS.findall(selector))
