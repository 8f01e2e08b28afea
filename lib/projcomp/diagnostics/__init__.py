"""Diagnostics: is it factorized? do composing and noising commute? is it projective?"""

from projcomp.diagnostics.diagnose import diagnose
from projcomp.diagnostics.features import blocks_of
from projcomp.diagnostics.lifts import Accepted, accept, estimated_lift, lift
from projcomp.diagnostics.measure import Estimate
from projcomp.diagnostics.report import Report
from projcomp.diagnostics.subspaces import Blocks, find_blocks

__all__ = [
    "Accepted",
    "Blocks",
    "Estimate",
    "Report",
    "accept",
    "blocks_of",
    "diagnose",
    "estimated_lift",
    "find_blocks",
    "lift",
]
