"""Distances between samples and densities, with error bars and noise floors.

A distance between finite sample sets is never zero, even for two exact sets from one
distribution: that noise floor is the yardstick, and `compare` measures it beside the distance.

Everything is computed in float64, whatever came in. Coordinates above 1e100 in magnitude are
refused, as densities refuse them; below it, the unit of length makes no difference.
"""

from projcomp.metrics.comparison import Comparison, compare
from projcomp.metrics.energy import energy_distance
from projcomp.metrics.intervals import mean_and_error, mean_interval, proportion
from projcomp.metrics.masses import histogram_tv, total_variation
from projcomp.metrics.ranking import roc_area
from projcomp.metrics.transport import sliced_w2, w2

__all__ = [
    "Comparison",
    "compare",
    "energy_distance",
    "histogram_tv",
    "mean_and_error",
    "mean_interval",
    "proportion",
    "roc_area",
    "sliced_w2",
    "total_variation",
    "w2",
]
