"""What the reader sees first: prose, figures, results. Checks and code are folded beneath.

A cell with the tag `check` becomes one line, the last that it prints, which opens the words before
it, its code and what else it prints. The folded code of a figure comes after the figure, together
with folded cells right before it that show nothing. Notebooks stay as they are written. Torch must
stay out of what this module imports.
"""

from __future__ import annotations

from html import escape

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

from projcomp.sphinxext import elements

logger = logging.getLogger(__name__)

CHECKED = "✓ checked: "
INTRODUCTION = "Check."


class Check(nodes.Element):
    """A check, folded: `line` says what was checked and what came out."""


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(Check, html=(visit_check, depart_check))
    app.connect("doctree-resolved", fold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def visit_check(self: HTML5Translator, node: Check) -> None:
    self.body.append(self.starttag(node, "details", CLASS="pc-check"))
    words = escape(node["line"].removeprefix(CHECKED))
    self.body.append(f"<summary><span>✓ checked:</span> {words}</summary>\n")


def depart_check(self: HTML5Translator, node: Check) -> None:
    self.body.append("</details>\n")


def fold(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for cell in elements(doctree, "cell_code"):
        if "tag_check" in cell["classes"]:
            fold_check(cell)
        elif cell.children and isinstance(cell.children[0], HideCodeCellNode):
            put_code_last(cell)


def fold_check(cell: nodes.container) -> None:
    line = take_line(cell)
    if line is None:
        logger.warning(
            "a check prints no line that begins with '%s'", CHECKED, location=cell, type="projcomp"
        )
        return
    place = cell.parent.index(cell)
    before = cell.parent[place - 1] if place else None
    folded = Check("", line=line)
    cell.parent.replace(cell, folded)
    if isinstance(before, nodes.paragraph) and before.astext().startswith(INTRODUCTION):
        before.parent.remove(before)
        folded["ids"], before["ids"] = before["ids"], []
        folded += before
    folded += cell


def take_line(cell: nodes.container) -> str | None:
    """The last line of what a cell prints that says what was checked, taken out of the output."""
    for output in reversed(list(cell.findall(nodes.literal_block))):
        lines = output.astext().splitlines()
        found = [line for line in lines if line.startswith(CHECKED)]
        if "stream" not in output["classes"] or not found:
            continue
        lines.remove(found[-1])
        if any(line.strip() for line in lines):
            output.rawsource = "\n".join(lines)
            output[:] = [nodes.Text(output.rawsource)]
        else:
            remove(output, cell)
        return found[-1]
    return None


def remove(node: nodes.Element, within: nodes.Element) -> None:
    """Take a node away, and what holds nothing but it."""
    while node is not within:
        parent = node.parent
        parent.remove(node)
        if parent.children:
            return
        node = parent


def put_code_last(cell: nodes.container) -> None:
    """Move a figure's folded code below it; a folded cell without an output joins the next one."""
    code = cell.children[0]
    if len(cell.children) > 1:
        cell.remove(code)
        cell += code
        return
    place = cell.parent.index(cell)
    follower = cell.parent[place + 1] if place + 1 < len(cell.parent) else None
    if isinstance(follower, nodes.container) and follower.get("nb_element") == "cell_code":
        first = follower.children[0]
        if isinstance(first, HideCodeCellNode):
            first.insert(0, code.children)
            cell.parent.remove(cell)
