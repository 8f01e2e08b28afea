"""Tables of results: HTML for notebooks and screen readers, aligned lines of text elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from projcomp._text import printable


class Table:
    """Rows under a header; the first cell of a row is its name.

    caption: what the table shows. header: one name a column, the first for the rows' own names.
    rows: sequences of as many cells; a cell is shown as `str` shows it. ValueError where a row has
    another length than the header.
    """

    def __init__(self, caption: str, header: Sequence[str], rows: Sequence[Sequence]) -> None:
        self.caption = str(caption)
        self.header = [str(name) for name in header]
        self.rows = [[str(cell) for cell in row] for row in rows]
        for number, row in enumerate(self.rows):
            if len(row) != len(self.header):
                raise ValueError(
                    f"rows must have one cell a column, here {len(self.header)};"
                    f" row {number} has {len(row)}"
                )

    def __str__(self):
        return printable("\n".join([self.caption, *aligned([self.header, *self.rows])]))

    __repr__ = __str__

    def _repr_html_(self):
        return html_of(self.caption, self.header, self.rows)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row, with its cells below those of the row before."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def html_of(
    caption: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    marked: Callable[[str], str] = escape,
) -> str:
    """A table that scrolls in its own box; `marked` makes HTML of a text."""
    head = "".join(f'<th scope="col">{marked(name)}</th>' for name in header)
    body = "".join(
        f'<tr><th scope="row">{marked(name)}</th>'
        + "".join(f"<td>{marked(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    return (
        '<div class="pc-table" tabindex="0"><table>'
        f"<caption><span>{marked(caption)}</span></caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
