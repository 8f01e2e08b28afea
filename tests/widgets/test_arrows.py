"""Which part of the figures may import which: arrows point one way, in JavaScript and in Python."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath

import pytest
from projcomp.widgets import bundle

WIDGETS = bundle.FOLDER.parent
PARTS = sorted(path.relative_to(bundle.FOLDER).as_posix() for path in bundle.FOLDER.rglob("*.mjs"))
FIGURES = ("explorer", "lattice", "prompt", "square", "words")
ALLOWED = {"maths": {"maths"}, "shared": {"maths", "shared"}}
ALLOWED |= {figure: {"maths", "shared", figure} for figure in FIGURES}
ALLOWED["sandbox"] = {"maths", "shared", "explorer", "sandbox"}  # it is an Explorer

MODULES = sorted(path.stem for path in WIDGETS.glob("*.py") if path.stem != "__init__")
OWN = {
    "explorer": {"presets", "explorer_scene", "explorer_still", "fates_still"},
    "lattice": {"lattice_still"},
    "prompt": {"prompt_scene", "prompt_still"},
    "sandbox": set(),
    "square": {"square_still"},
    "text_prompt": {"text_prompt_scene", "text_prompt_still"},
}
"""Modules that are one figure's, besides its own."""


def room(part: str) -> str:
    return PurePosixPath(part).parent.as_posix()


def imported(module: str) -> set[str]:
    """The modules of this package that a module imports."""
    found = set()
    for node in ast.walk(ast.parse((WIDGETS / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import"
            names = [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
        else:
            continue
        split = [name.split(".") for name in names]
        found |= {name[2] for name in split if name[:2] == ["projcomp", "widgets"] and name[2:]}
    return found & set(MODULES)


def test_every_room_is_known():
    assert {room(part) for part in PARTS} == {".", *ALLOWED}
    assert [part for part in PARTS if room(part) == "."] == [bundle.ENTRY]


@pytest.mark.parametrize("name", ALLOWED)
def test_arrows_between_folders_point_one_way(name):
    parts = [part for part in PARTS if room(part) == name]
    wrong = [
        f"{part} imports {target}"
        for part in parts
        for target in bundle.imports(part)
        if room(target) not in ALLOWED[name]
    ]
    assert parts
    assert not wrong


def test_parts_go_round_in_no_circle_and_all_are_used():
    order = list(TopologicalSorter({part: bundle.imports(part) for part in PARTS}).static_order())
    assert sorted(order) == PARTS  # an import of what isn't there would be one more
    used = {target for part in PARTS for target in bundle.imports(part)}
    assert set(PARTS) - used == {bundle.ENTRY}


def test_the_bundler_sees_every_import():
    """It looks for one way to write them."""
    for part in PARTS:
        lines = Path(bundle.FOLDER, part).read_text(encoding="utf-8").splitlines()
        assert len(bundle.imports(part)) == sum(line.startswith("import") for line in lines), part


def test_arrows_between_modules_point_one_way():
    graph = {module: imported(module) for module in MODULES}
    list(TopologicalSorter(graph).static_order())
    assert all(set(MODULES) >= {figure, *own} for figure, own in OWN.items())
    owners = {module: figure for figure, own in OWN.items() for module in (figure, *own)}
    wrong = [
        f"{module} imports {target}"
        for module, targets in graph.items()
        for target in targets
        if owners.get(target) not in (None, owners.get(module))
        and (module, target) != ("sandbox", "explorer")  # it is an Explorer
    ]
    assert not wrong
    assert graph["figure"] == {"bundle", "still"}


def test_the_readme_names_every_room_and_every_module():
    said = set(re.findall(r"\w+", (WIDGETS / "README.md").read_text(encoding="utf-8")))
    parts = {PurePosixPath(part).stem for part in PARTS if room(part) in ("maths", "shared")}
    assert {*MODULES, *ALLOWED, *parts} <= said
