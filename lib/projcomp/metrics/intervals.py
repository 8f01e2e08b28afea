"""Means and shares of independent trials, with their errors and intervals."""

from __future__ import annotations

import math
from itertools import chain, repeat

from scipy.special import stdtrit

from projcomp import _check
from projcomp.metrics._sets import bounded, in_units


def mean_and_error(values) -> tuple[float, float]:
    """Mean and its standard error, of at least two independent values (m,).

    The mean is summed exactly. The error is the standard deviation (with m - 1) over sqrt(m). It
    is no interval: mean ± 1.96 errors covers the truth in 95 of 100 cases for many values alone,
    and in fewer for few (in 91 for m = 8). `mean_interval` gives the interval.

    Raises ValueError for other shapes, and values that are not finite or above 1e100.
    """
    values = bounded("values", values)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"values must have shape (m,) with m >= 2, got {tuple(values.shape)}")
    unit, values = in_units(values)
    m, middle = len(values), float(values.median())
    # Around the middle, so that equal values have themselves as their mean.
    mean = middle + math.fsum(chain(values.tolist(), repeat(-middle, m))) / m
    gaps = values - mean
    variance = float(gaps.square().sum() - gaps.sum().square() / m) / (m - 1)
    return unit * mean, unit * math.sqrt(max(variance, 0.0) / m)


def mean_interval(values, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of independent values (m,), and its Student t interval: mean, lower, upper.

    It covers the true mean with probability `level` where the values are normal, and with less
    where they are few and skewed. Raises ValueError as `mean_and_error`, and unless
    0 < level < 1.
    """
    mean, error = mean_and_error(values := bounded("values", values))
    half = student(level, len(values)) * error
    return mean, mean - half, mean + half


def student(level: float, count: int) -> float:
    """How many standard errors of `count` values an interval of `level` reaches to each side."""
    level = _check.number("level", level)
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level:g}")
    return -float(stdtrit(count - 1, (1 - level) / 2))


def skewness(values: list[float], mean: float, error: float) -> float:
    """Third central moment over the cube of the standard deviation; 0 for fewer than 3 values."""
    count = len(values)
    if count < 3 or not error > 0:
        return 0.0
    cubes = math.fsum(((value - mean) / (error * math.sqrt(count))) ** 3 for value in values)
    return cubes * count / ((count - 1) * (count - 2))


def skewed(standard: float, third: float, count: int) -> float:
    """What (mean - truth) / error is where a t statistic corrected for skewness is `standard`.

    The inverse of Hall's cubic transformation (1992, equation 2.5), for `count` values of skewness
    `third`; `standard` itself where that is 0.
    """
    root = math.sqrt(count)
    inner = standard / root - third / (6 * count)
    if abs(third) < 1e-6:  # to first order
        return root * (inner - third * inner**2 / 3)
    turned = 1 + third * inner
    return root * 3 / third * (math.copysign(abs(turned) ** (1 / 3), turned) - 1)


def proportion(hits: int, trials: int, z: float = 1.96) -> tuple[float, float, float]:
    """A share, and its Wilson score interval (95% for z = 1.96): share, lower, upper.

    Raises ValueError unless 0 <= hits <= trials, trials >= 1 and 0 < z <= 1e100.
    """
    trials = _check.count("trials", trials)
    hits = _check.count("hits", hits, 0)
    if hits > trials:
        raise ValueError(f"hits must be at most trials, got {hits} of {trials}")
    z = _check.number("z", z)
    if not 0 < z <= _check.LARGEST:
        raise ValueError(f"z must be > 0 and at most {_check.LARGEST:g}, got {z:g}")
    share = hits / trials
    # The ends solve (1 + extra) p^2 - (2 share + extra) p + share^2 = 0.
    extra = z * z / trials
    half = z * math.sqrt((share * (1 - share) + extra / 4) / trials)
    upper = (share + extra / 2 + half) / (1 + extra)
    lower = share * share / (upper * (1 + extra))
    # Where the share is 0 or 1 an end meets it, up to rounding.
    return share, min(lower, share), min(max(upper, share), 1.0)
