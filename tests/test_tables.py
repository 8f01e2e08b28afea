"""Tables: names of rows and columns for screen readers, aligned text for consoles."""

from __future__ import annotations

import projcomp as pc
import pytest

TABLE = pc.Table("Shares <all>", ["K", "A & B"], [[1, "0.5"], [10, 0.25]])


def test_text_is_aligned() -> None:
    assert str(TABLE) == "Shares <all>\nK   A & B\n1   0.5\n10  0.25"
    assert repr(TABLE) == str(TABLE)


def test_html_names_rows_and_columns() -> None:
    html = TABLE._repr_html_()
    assert "<caption><span>Shares &lt;all&gt;</span></caption>" in html
    assert '<th scope="col">A &amp; B</th>' in html
    assert '<th scope="row">10</th><td>0.25</td>' in html


def test_a_row_has_a_cell_a_column() -> None:
    with pytest.raises(ValueError, match="rows must have one cell a column, here 2; row 1 has 3"):
        pc.Table("", ["a", "b"], [[1, 2], [1, 2, 3]])
