"""A few photographs in grey, and patches of them in which content and texture are apart."""

from projcomp.photographs.bands import Bands, cosines
from projcomp.photographs.pictures import NAMES, PIXELS, load, patches

__all__ = ["NAMES", "PIXELS", "Bands", "cosines", "load", "patches"]
