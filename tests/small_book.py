"""Small books, built from nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FRONT_MATTER = """---
jupytext:
  formats: md:myst
  text_representation: {extension: .md, format_name: myst, format_version: 0.13}
kernelspec: {name: python3, display_name: Python 3, language: python}
---

# A page

"""
CONF = """
extensions = ["myst_nb", "projcomp.sphinxext"]
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_mime_priority_overrides = [["html", "text/html", 5]]
nb_ipywidgets_js = {}
html_theme = "basic"
"""
FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
WORDS = "---\nmystnb:\n  image:\n    alt: A line\n---\n"


def cell(code: str, options: str = "") -> str:
    return f"```{{code-cell}} ipython3\n{options}{code}\n```\n\n"


class Book:
    """A page and perhaps others, built by Sphinx as the book is: warnings are errors."""

    def __init__(self, folder: Path) -> None:
        self.source, self.out = folder / "source", folder / "out" / "html"
        self.source.mkdir()
        (self.source / "conf.py").write_text(CONF, encoding="utf-8")

    def build(self, page: str, others: dict[str, str] | None = None, **environment: str):
        """Status and all that was said, of the page `index` and others by name."""
        for name, text in {"index": page, **(others or {})}.items():
            (self.source / f"{name}.md").write_text(FRONT_MATTER + text, encoding="utf-8")
        arguments = ["-W", "--keep-going", "-q", "-b", "html", self.source, self.out]
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def html(self) -> str:
        return (self.out / "index.html").read_text(encoding="utf-8")
