"""Eight designers' pictures of the same thousand things: a table of contents and styles."""

from projcomp.emoji.files import SIZES, load
from projcomp.emoji.sheets import sheet
from projcomp.emoji.table import Table

__all__ = ["SIZES", "Table", "load", "sheet"]
