"""Eight designers' pictures of the same thousand things: a table of contents and styles."""

from projcomp.emoji.codes import Shares, orthogonal, shares
from projcomp.emoji.files import SIZES, load
from projcomp.emoji.sheets import sheet
from projcomp.emoji.table import Table

__all__ = ["SIZES", "Shares", "Table", "load", "orthogonal", "shares", "sheet"]
