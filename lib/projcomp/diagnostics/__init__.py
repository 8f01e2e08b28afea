"""Diagnostics: is it factorized? do composing and noising commute? is it projective?"""

from projcomp.diagnostics.diagnose import diagnose
from projcomp.diagnostics.measure import Estimate
from projcomp.diagnostics.report import Report
from projcomp.diagnostics.subspaces import find_blocks

__all__ = ["Estimate", "Report", "diagnose", "find_blocks"]
