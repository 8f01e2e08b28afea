"""One ES module and one style sheet out of the parts, with nothing but text joined together."""

from __future__ import annotations

import json
import posixpath
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "js"
ENTRY = "figures.mjs"
SHARED = "shared"

_IMPORT = re.compile(
    r'^import (?:\* as (?P<space>\w+)|\{(?P<names>[^}]*)\}) from "(?P<file>\.{1,2}/[\w./]+)";\n',
    re.M,
)
_EXPORT = re.compile(r"^export (?=(async )?(function\*?|class|const) (?P<name>\w+))", re.M)


@cache
def module() -> str:
    """The figures' module: every part in a function of its own, in order of dependence."""
    order: list[str] = []

    def visit(file: str) -> None:
        if file in order:
            return
        for imported in imports(file):
            visit(imported)
        order.append(file)

    visit(ENTRY)
    pieces = [_wrapped(file) for file in order]
    return "\n".join([*pieces, f"export default {_variable(ENTRY)}.default;\n"])


@cache
def style() -> str:
    """The figures' style sheet: what they share, then what each adds."""
    sheets = sorted(FOLDER.rglob("*.css"), key=lambda path: (path.parent.name != SHARED, path))
    return "".join(path.read_text(encoding="utf-8") for path in sheets)


def imports(file: str) -> list[str]:
    """The parts that a part imports; all are named by their paths in the folder."""
    return [_target(file, match) for match in _IMPORT.finditer(_read(file))]


def _target(file: str, match: re.Match) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), match["file"]))


def _wrapped(file: str) -> str:
    text = _read(file)
    exported = re.findall(r"^export (?:async )?(?:function\*?|class|const) (\w+)", text, re.M)
    default = re.search(r"^export default (.+);$", text, re.M)

    def imported(match: re.Match) -> str:
        name = match["space"] or f"{{{match['names']}}}"
        return f"const {name} = {_variable(_target(file, match))};\n"

    body = _IMPORT.sub(imported, text)
    body = re.sub(r"^export default .+;\n", "", body, flags=re.M)
    body = _EXPORT.sub("", body)
    fields = exported + ([f"default: {default[1]}"] if default else [])
    return f"const {_variable(file)} = (() => {{\n{body}return {{ {', '.join(fields)} }};\n}})();"


def _variable(file: str) -> str:
    return "_" + file.removesuffix(".mjs").replace("/", "_")


def _read(file: str) -> str:
    return (FOLDER / file).read_text(encoding="utf-8")


@cache
def page_script() -> str:
    """A classic script for a static page: the module, the style, and what mounts the figures."""
    # Its only export is on its last line; as a function's value it needs no module loader, which
    # a page opened from a file could use only by way of a detour.
    body = module().replace("\nexport default ", "\nreturn ")
    return (
        f"const PROJCOMP_WIDGET = {{ css: {json.dumps(style())}, start() {{\n{body}}} }};\n"
        f"{_read('page.js')}"
    )
