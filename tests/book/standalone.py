"""A page of its own for figures that a test brings along: no book, no kernel, no network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from projcomp.widgets import bundle

from tests.widgets.kinds import html_of


def write_page(folder: Path, title: str, figures: dict[str, Callable]) -> Path:
    """A page with the figures, in a folder that holds their script too."""
    found = folder / "page.html"
    (folder / "figures.js").write_text(bundle.page_script(), encoding="utf-8")
    body = "\n".join(f"<p>A figure.</p>\n{html_of(make())}" for make in figures.values())
    dark = 'matchMedia("(prefers-color-scheme: dark)").matches'
    found.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f'<script>if ({dark}) document.documentElement.dataset.theme = "dark"</script>'
        "<style>img { max-width: 100% } [data-theme=dark] { background: #121417 }"
        "[data-theme=dark] :is(h1, p) { color: #fff }</style>"
        f'<script async src="figures.js"></script></head>'
        f"<body><main><h1>{title}</h1>{body}</main></body></html>",
        encoding="utf-8",
    )
    return found
