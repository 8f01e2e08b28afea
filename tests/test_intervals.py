"""Means, shares and their intervals, at every scale."""

import dataclasses
import math
import statistics

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from projcomp import metrics
from projcomp.metrics import intervals
from scipy import stats

from tests.helpers import normal, seeded

COMPARISON = metrics.Comparison(0.5, 0.03, 0.1, 0.04, 8.0, 100, 8)


@pytest.mark.parametrize("scale", [1e-200, 1e-90, 1e-9, 1.0, 1e9, 1e98])
@pytest.mark.parametrize("shift", [0.0, 1.0, 1e6])
@given(st.integers(0, 9999), st.integers(2, 30))
def test_mean_and_error_are_those_of_exact_fractions(scale, shift, seed, count):
    values = (scale * (shift + normal(seeded(seed), count)) * (1 if shift < 1e6 else 1e-6)).tolist()
    mean, error = metrics.mean_and_error(values)
    assert mean == pytest.approx(statistics.mean(values), rel=1e-15)
    assert error == pytest.approx(statistics.stdev(values) / math.sqrt(count), rel=1e-12)


def test_mean_and_error_of_values_that_cancel_or_agree():
    mean, error = metrics.mean_and_error([1e16, 1.0, -1e16])
    assert mean == pytest.approx(1 / 3, rel=1e-15)
    assert error == pytest.approx(1e16 / math.sqrt(3), rel=1e-12)
    mean, error = metrics.mean_and_error([1.0, 1.0 + 2.0**-52])
    assert error == 2.0**-53
    for value in (0.1, 0.1, 1 / 3, -7e99, 0.0):
        for count in (2, 3, 10, 49):
            assert metrics.mean_and_error([value] * count) == (value, 0.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int32])
def test_mean_and_error_of_every_dtype(dtype):
    values = torch.tensor([30000, 20000, 30000, 25000]).to(dtype)
    wanted = metrics.mean_and_error(values.double())
    assert metrics.mean_and_error(values) == wanted
    assert metrics.mean_and_error([float(v) for v in values]) == wanted


def test_an_interval_of_skewed_distances_leans_the_way_they_do():
    """Hall's cubic turns the ends back to Student's; no skewness leaves them."""
    for third in (1.2, -0.7, 1e-5, 1e-7, 0.0):
        found = dataclasses.replace(COMPARISON, skewness=third)
        n, half = found.batches, stats.t.ppf(0.975, found.batches - 1)
        for end, wanted in zip(found.interval(), (half, -half), strict=True):
            shift = (found.value - end) / found.error / math.sqrt(n)
            turned = shift + third * shift**2 / 3 + third**2 * shift**3 / 27 + third / (6 * n)
            assert math.sqrt(n) * turned == pytest.approx(wanted, rel=1e-8)
    low, high = dataclasses.replace(COMPARISON, skewness=1.0).interval()
    assert high - COMPARISON.value > COMPARISON.value - low
    values = [1.0, 2.0, 4.0, 9.0]
    mean, error = metrics.mean_and_error(values)
    wanted = stats.skew(values, bias=False)
    assert intervals.skewness(values, mean, error) == pytest.approx(wanted)


def test_intervals_are_students():
    values = [1.0, 2.0, 3.0, 6.0]
    for level in (0.5, 0.95, 0.999):
        wanted = stats.t.interval(level, 3, 3.0, stats.sem(values))
        found = metrics.mean_interval(values, level)
        assert found == pytest.approx((3.0, *wanted), rel=1e-9)
        wanted = stats.t.interval(level, 7, COMPARISON.value, COMPARISON.error)
        assert COMPARISON.interval(level) == pytest.approx(wanted, rel=1e-9)
    # 2.3646 is in every table of Student's distribution.
    assert COMPARISON.interval() == pytest.approx((0.5 - 2.3646 * 0.03, 0.5 + 2.3646 * 0.03), 1e-5)
    assert all(map(math.isfinite, COMPARISON.interval(1 - 2.0**-53)))


@given(st.integers(1, 10**12), st.floats(1e-6, 1e6), st.data())
def test_the_ends_of_a_share_multiply_to_its_square(trials, z, data):
    """The roots p of (1 + e) p^2 - (2 s + e) p + s^2 = 0, e = z^2 / trials."""
    hits = data.draw(st.integers(1, trials))
    share, lower, upper = metrics.proportion(hits, trials, z)
    assert 0 < lower <= share <= upper <= 1
    extra = z * z / trials
    assert lower * upper * (1 + extra) == pytest.approx(share**2, rel=1e-9)
    assert lower + upper == pytest.approx((2 * share + extra) / (1 + extra), rel=1e-9)


def test_the_lower_end_of_a_small_share():
    """For z^2 much above trials: share^2 / upper / (z^2 / trials)."""
    _, lower, _ = metrics.proportion(1, 10, 1e6)
    assert lower == pytest.approx(1e-13 * (1 - 2e-12), rel=1e-9)
    assert metrics.proportion(1, 10, 1e100)[1] == pytest.approx(1e-201, rel=1e-9)
    assert metrics.proportion(0, 10, 1e100) == (0.0, 0.0, 1.0)


def test_counts_of_a_share_may_be_numpys_or_torchs():
    wanted = metrics.proportion(3, 7)
    assert metrics.proportion(np.int64(3), np.uint8(7)) == wanted
    assert metrics.proportion(torch.tensor(3), np.int16(7), np.float32(1.96)) == pytest.approx(
        wanted, rel=1e-6
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.proportion(1, 2, 0.0), r"z must be > 0 and at most 1e\+100, got 0"),
        (lambda: metrics.proportion(1, 2, -1.96), r"z must be > 0.*got -1.96"),
        (lambda: metrics.proportion(1, 2, math.nan), r"z must be finite"),
        (lambda: metrics.proportion(1, 2, 1e101), r"z must be .*at most 1e\+100, got 1e\+101"),
        (lambda: metrics.proportion(1, 2, "a"), r"z must be numeric, got 'a'"),
        (lambda: metrics.proportion(1, 2, [1.0, 2.0]), r"z must be one number"),
        (lambda: metrics.proportion(np.float64(1), 2), r"hits must be an integer >= 0"),
        (lambda: metrics.proportion(True, 2), r"hits must be an integer >= 0, got True"),
        (lambda: metrics.mean_and_error([1.0, 1e101]), r"values must be at most 1e\+100.*1e\+101"),
        (lambda: metrics.mean_and_error([1.0, math.inf]), r"values must be finite"),
        (lambda: metrics.mean_interval([1.0]), r"values must have shape \(m,\) with m >= 2"),
        (lambda: metrics.mean_interval([[1.0, 2.0]]), r"values must have shape.*got \(1, 2\)"),
        (lambda: metrics.mean_interval([1.0, 2.0], 1.0), r"level must lie in \(0, 1\), got 1"),
        (lambda: COMPARISON.interval(0.0), r"level must lie in \(0, 1\), got 0"),
        (lambda: COMPARISON.interval(95), r"level must lie in \(0, 1\), got 95"),
        (lambda: COMPARISON.interval("a"), r"level must be numeric"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
