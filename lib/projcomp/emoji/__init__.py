"""Eight designers' pictures of the same thousand things: a table of contents and styles."""

from projcomp.emoji.codes import Shares, orthogonal, shares
from projcomp.emoji.counted import COUNTS, Counted, counts
from projcomp.emoji.files import SIZES, load
from projcomp.emoji.learned import Learned, load_learned
from projcomp.emoji.sheets import sheet
from projcomp.emoji.table import Table

__all__ = [
    "COUNTS", "SIZES", "Counted", "Learned", "Shares", "Table", "counts", "load", "load_learned",
    "orthogonal", "shares", "sheet",
]  # fmt: skip
