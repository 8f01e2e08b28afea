"""The book's Sphinx extension.

It makes the built pages work with no network and from a double click, keys the execution cache
on the library, and fails the build where an output would be dead or mute on a static page.
Torch must stay out of what this module imports: every build, also one with nothing to do, loads it.
"""

from __future__ import annotations

import shutil
import traceback
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.core.read import is_myst_markdown_notebook
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging
from sphinx.util.matching import get_matching_files

from projcomp.execution import execute_ahead, own_folders, prepare_kernels
from projcomp.sphinxkey import execution_key, library_key
from projcomp.widgets import bundle

logger = logging.getLogger(__name__)

PACKAGE = Path(__file__).resolve().parent
ASSETS = PACKAGE / "assets"
FIGURES = "figures.js"
WIDGET = "application/vnd.jupyter.widget-view+json"
KEPT_CACHES = 2
UNFINISHED = ".unfinished"
REPEATED_IDS = {"proof", "proof-content", "exercise-content", "solution-content"}


def setup(app: Sphinx) -> dict[str, bool]:
    prepare_kernels()
    own_folders(build_folder(app) / "home")
    app.setup_extension("projcomp.sphinxmath")
    app.add_config_value("projcomp_library", "", "env", [str])
    app.connect("config-inited", key_execution_cache)
    app.connect("config-inited", forget_unfinished_build)
    app.connect("builder-inited", add_assets)
    app.connect("env-before-read-docs", execute_ahead)
    app.connect("doctree-read", check_outputs)
    app.connect("doctree-resolved", drop_repeated_ids)
    app.connect("html-page-context", mend_bibliography)
    app.connect("html-page-context", load_figures)
    app.connect("build-finished", name_failed_cell)
    app.connect("build-finished", copy_assets)
    app.connect("build-finished", note_finished_build, priority=900)
    app.add_css_file("book.css", priority=900)
    app.add_js_file("book.js", defer="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# The execution cache


def key_execution_cache(app: Sphinx, config: Config) -> None:
    """Give this state of what chapters can import a cache of its own.

    A new key is a new value of a setting that every page depends on, so Sphinx reads, and
    MyST-NB executes, every chapter again. Where the rest of the library has changed Sphinx reads
    every page again too, with outputs from the cache.
    """
    pins = [Path(app.srcdir, name) for name in ("requirements.txt", "constraints.txt")]
    caches = build_folder(app) / ".jupyter_cache"
    cache = caches / execution_key(PACKAGE, chapter_texts(app, config), pins)
    cache.mkdir(parents=True, exist_ok=True)
    cache.touch()
    config.nb_execution_cache_path = str(cache)
    config.projcomp_library = library_key(PACKAGE, pins)
    prune(caches, KEPT_CACHES)


def chapter_texts(app: Sphinx, config: Config) -> list[str]:
    """What MyST-NB would execute, and perhaps more: the table of contents is not read yet."""
    files = get_matching_files(app.srcdir, config.include_patterns, config.exclude_patterns)
    paths = (Path(app.srcdir, file) for file in files)
    chosen = [path for path in paths if path.suffix in app.registry.source_suffix]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in chosen]
    read = zip(chosen, texts, strict=True)
    return [t for path, t in read if path.suffix != ".md" or is_myst_markdown_notebook(t)]


def prune(folder: Path, keep: int) -> None:
    """Delete all but the `keep` newest entries of a folder of folders."""
    newest_first = sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime_ns, reverse=True)
    for old in newest_first[keep:]:
        shutil.rmtree(old) if old.is_dir() else old.unlink()


# A build that failed. Sphinx warns about a page only when it reads it, and after a failed build
# it would not read that page again: the same command, run twice, would pass.


def forget_unfinished_build(app: Sphinx, config: Config) -> None:
    mark = build_folder(app) / UNFINISHED
    if mark.exists():
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)
    mark.touch()


def note_finished_build(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app._warncount == 0:
        (build_folder(app) / UNFINISHED).unlink(missing_ok=True)


def name_failed_cell(app: Sphinx, exception: Exception | None) -> None:
    """Say in one line which cell of which chapter failed, and how."""
    docname = app.env.temp_data.get("docname") if app.env else None
    error, cell = exception, None
    while error is not None and cell is None:
        cell = running_cell(error)
        error, last = error.__cause__ or error.__context__, error
    if cell is None or docname is None:
        return
    number, source = cell
    path = Path(app.env.doc2path(docname))
    before, found, _ = path.read_text(encoding="utf-8").partition(source)
    line = f":{before.count(chr(10)) + 1}" if found else ""
    what = f"{getattr(last, 'ename', type(last).__name__)}: {getattr(last, 'evalue', last)}"
    first = what.strip().splitlines()[0]
    logger.error("%s%s: code cell %d failed: %s", path.relative_to(app.srcdir), line, number, first)


def running_cell(error: BaseException) -> tuple[int, str] | None:
    """The number (from 1) and the source of the code cell that nbclient ran when this came up."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        names = frame.f_locals
        if "cell_index" in names and "cell" in names:
            cells = names["self"].nb.cells[: names["cell_index"] + 1]
            return sum(c.cell_type == "code" for c in cells), names["cell"].source
    return None


# Assets


def build_folder(app: Sphinx) -> Path:
    return Path(app.outdir).parent


def add_assets(app: Sphinx) -> None:
    app.config.html_static_path.append(str(ASSETS))


def copy_assets(app: Sphinx, exception: Exception | None) -> None:
    """Sphinx copies static files too, but not where no page has changed."""
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    for path in ASSETS.iterdir():
        shutil.copyfile(path, static / path.name)
    (static / FIGURES).write_text(bundle.page_script(), encoding="utf-8")


def load_figures(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """The script of the live figures, on the pages that have any."""
    if 'class="pc-figure"' in context.get("body", ""):
        app.add_js_file(FIGURES, **{"async": "async"})


# Slips of other extensions


def drop_repeated_ids(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Every proof, exercise and solution of a page comes with the same ids as the one before."""
    for node in doctree.findall(nodes.Element):
        node["ids"] = [name for name in node["ids"] if name not in REPEATED_IDS]


def mend_bibliography(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Docutils calls a bibliography a list but no entry an item: say neither."""
    body = context.get("body", "")
    context["body"] = body.replace('<div role="list" class="citation-list">', "<div>")


# Outputs of cells


def check_outputs(app: Sphinx, doctree: nodes.document) -> None:
    """Warn of a picture without words, and of a widget without a form that needs no kernel.

    What only a kernel could bring to life is then left out of the page.
    """
    app.env.nb_metadata[app.env.docname].get("js_files", {}).pop("ipywidgets_state", None)
    for number, cell in enumerate(elements(doctree, "cell_code"), start=1):
        outputs = elements(cell, "mime_bundle")
        has_still = any(has_static_form(output) for output in outputs)
        for output in outputs:
            if WIDGET in mime_types(output) and not has_static_form(output):
                if not has_still:
                    warn(cell, number, "a widget has no still form: display a figure beside it")
                output.parent.remove(output)
        for image in cell.findall(nodes.image):
            if not image.get("alt", "").strip():
                warn(cell, number, "a figure has no alt text: set mystnb.image.alt on the cell")


def elements(node: nodes.Element, kind: str) -> list[nodes.container]:
    return [c for c in node.findall(nodes.container) if c.get("nb_element") == kind]


def mime_types(output: nodes.container) -> set[str]:
    return {child["mime_type"] for child in output.children}


def has_static_form(output: nodes.container) -> bool:
    return any(mime == "text/html" or mime.startswith("image/") for mime in mime_types(output))


def warn(cell: nodes.container, number: int, message: str) -> None:
    logger.warning("code cell %d: %s", number, message, location=cell, type="projcomp")
