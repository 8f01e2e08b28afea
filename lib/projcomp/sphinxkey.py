"""Which of the library's files the outputs of chapters depend on, as short hashes.

A module is imported by its name. So one whose name stands nowhere in the chapters, nor in a module
that is reached from them, can't be imported. A name counts wherever it stands, be it code or not:
that finds imports within functions and the tables of lazy packages alike, and errs towards more.
Names that a program puts together stand nowhere, so where one may, every module counts. Torch must
stay out of what this module imports.
"""

from __future__ import annotations

import hashlib
import platform
import re
from pathlib import Path

EXECUTES = "execution"
"""No chapter names what executes it."""
UNREAD = {".css", ".html", ".js", ".md", ".mjs", ".svg", ".txt", ".woff2"}
"""Style sheets, scripts, templates, fonts and notes: no output that a page shows has them."""
COMPUTED = re.compile(
    r"\b(importlib|import_module|__import__|runpy|pkgutil)\b|(?<![.\w])(exec|eval)\("
)
LOOKED_UP = re.compile(
    r"^from importlib import import_module$"
    r'|\bimport_module\(f"\{__name__\}\.\{(_HOME\[name\]|name)\}"\)',
    re.MULTILINE,
)
"""Packages that load on first use what a table of theirs names."""


def execution_key(package: Path, chapters: list[str], pins: list[Path]) -> str:
    """What the outputs of `chapters` (their texts) depend on besides their own cells."""
    return key(package, reached(package, chapters), pins)


def library_key(package: Path, pins: list[Path]) -> str:
    return key(package, modules(package), pins)


def modules(package: Path) -> set[Path]:
    return {path for path in package.rglob("*.py") if "__pycache__" not in path.parts}


def reached(package: Path, texts: list[str]) -> set[Path]:
    """The modules that names lead to from `texts`; all where an import may be computed."""
    rest = modules(package)
    found: set[Path] = set()
    texts = [EXECUTES, *texts]
    while True:
        if any(COMPUTED.search(LOOKED_UP.sub("", text)) for text in texts):
            return found | rest
        more = {path for path in rest if any(name_of(path) in text for text in texts)}
        if not more:
            return found
        texts = [path.read_text(encoding="utf-8") for path in more]
        found, rest = found | more, rest - more


def name_of(path: Path) -> str:
    return path.parent.name if path.name == "__init__.py" else path.stem


def key(package: Path, chosen: set[Path], pins: list[Path]) -> str:
    digest = hashlib.sha256(platform.python_version().encode())
    others = (p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    data = {p for p in others if p.suffix not in {*UNREAD, ".py"}}
    for path in [*sorted(chosen | data), *(p for p in pins if p.exists())]:
        name = path.relative_to(package) if path.is_relative_to(package) else path.name
        digest.update(f"\0{name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
