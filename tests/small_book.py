"""Small books, built from nothing.

Of a build in an interpreter of its own three seconds are the imports, however small the book. So
one process imports what Sphinx loads of a book, and each build is a fork of it: as much on its own.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.font_manager

FRONT_MATTER = """---
jupytext:
  formats: md:myst
  text_representation: {extension: .md, format_name: myst, format_version: 0.13}
kernelspec: {name: python3, display_name: Python 3, language: python}
---

"""
HEADING = "# A page\n\n"
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

SECONDS = 120
FORKS = "forkserver" in multiprocessing.get_all_start_methods()
LOADED = ["myst_nb.sphinx_ext", "sphinx.builders.html", "sphinx.cmd.build", "projcomp.sphinxext"]


def cell(code: str, options: str = "") -> str:
    return f"```{{code-cell}} ipython3\n{options}{code}\n```\n\n"


class Book:
    """A page and perhaps others, built by Sphinx as the book is: warnings are errors."""

    def __init__(self, folder: Path) -> None:
        self.source, self.out = folder / "source", folder / "out" / "html"
        self.source.mkdir()
        (self.source / "conf.py").write_text(CONF, encoding="utf-8")

    def lend_fonts(self) -> None:
        """The list of fonts that this process has found, so that the build looks for none."""
        folder = self.out.parent / "home" / "mplconfigdir"
        folder.mkdir(parents=True, exist_ok=True)
        for path in Path(matplotlib.get_cachedir()).glob("fontlist-*.json"):
            shutil.copy(path, folder)

    def build(
        self,
        page: str,
        others: dict[str, str] | None = None,
        *,
        own_interpreter: bool = False,
        **environment: str,
    ) -> tuple[int, str]:
        """Status and all that was said, of the page `index` and others by name.

        own_interpreter: as the command is, with nothing imported and nothing found before.
        """
        for name, text in {"index": page, **(others or {})}.items():
            # A notebook costs a kernel, though it have no cells.
            whole = (FRONT_MATTER if "{code-cell}" in text else "") + HEADING + text
            path = self.source / f"{name}.md"
            # Sphinx reads a page again that is written again, though it be the same.
            if not path.exists() or path.read_text(encoding="utf-8") != whole:
                path.write_text(whole, encoding="utf-8")
        arguments = ["-W", "--keep-going", "-q", "-b", "html", str(self.source), str(self.out)]
        if not own_interpreter:
            self.lend_fonts()
        run = in_fork if FORKS and not own_interpreter else in_own_interpreter
        return run(arguments, {**os.environ, **environment}, self.source.parent / "said.txt")

    @property
    def html(self) -> str:
        return self.page("index")

    def page(self, name: str) -> str:
        return (self.out / f"{name}.html").read_text(encoding="utf-8")


def in_own_interpreter(
    arguments: list[str], environment: dict[str, str], said: Path
) -> tuple[int, str]:
    with said.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", *arguments],
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
    return done.returncode, said.read_text(encoding="utf-8")


def in_fork(arguments: list[str], environment: dict[str, str], said: Path) -> tuple[int, str]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    process = context.Process(target=sphinx, args=(arguments, environment, said))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        raise TimeoutError(said.read_text(encoding="utf-8"))
    return process.exitcode, said.read_text(encoding="utf-8")


def sphinx(arguments: list[str], environment: dict[str, str], said: Path) -> None:
    """The command of that name: takes the whole process, and says all to a file."""
    with said.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    from sphinx.cmd.build import main

    sys.exit(main(arguments))
