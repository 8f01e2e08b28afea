"""The energy distance where its three terms cancel, against sixty digits; and what it obeys."""

import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from projcomp import metrics
from projcomp.metrics import _twofold

from tests.helpers import normal, seeded

SEEDS = st.integers(0, 9999)
SIZES = [(1, 1), (1, 4), (7, 7), (12, 18), (13, 17)]


def exactly(x, y) -> float:
    with mpmath.workdps(60):
        sets = [[[mpmath.mpf(v) for v in row] for row in z.tolist()] for z in (x, y)]

        def mean(a, b):
            gaps = ([u - v for u, v in zip(p, q, strict=True)] for p in a for q in b)
            total = mpmath.fsum(mpmath.sqrt(mpmath.fsum(g * g for g in gap)) for gap in gaps)
            return total / (len(a) * len(b))

        square = 2 * mean(*sets) - mean(sets[0], sets[0]) - mean(sets[1], sets[1])
        return float(mpmath.sqrt(max(square, 0)))


def agrees(x, y):
    assert metrics.energy_distance(x, y) == pytest.approx(exactly(x, y), rel=1e-9, abs=0.0)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("scale", [1e-90, 1e-9, 1.0, 1e9, 1e90])
def test_against_sixty_digits_at_every_scale(sizes, scale):
    x, y = (scale * normal(seeded(k), size, 2) for k, size in enumerate(sizes))
    agrees(x, y)
    agrees(x + 1e6 * scale, y + 1e6 * scale)
    agrees(scale * (x / scale).round(), scale * (y / scale).round())


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("far", [1e3, 1e5, 1e7, 1e9, 1e12])
@pytest.mark.parametrize("apart", [0.0, 0.3, 100.0])
def test_outliers(sizes, far, apart):
    """One in each set, and as many as make equal shares."""
    x, y = (normal(seeded(k), size, 2) for k, size in enumerate(sizes))
    share = math.gcd(*sizes)
    for many, more in ((1, 1), (sizes[0] // share, sizes[1] // share)):
        a, b = x.clone(), y.clone()
        a[:many], b[:more] = far, far + apart
        agrees(a, b)


@pytest.mark.parametrize("step", [1e-3, 1e-6, 1e-9, 1e-12])
def test_sets_that_are_almost_equal(step):
    """The square is then about step^2, and lost in the rounding of the terms."""
    x, noise = normal(seeded(0), 20, 2), normal(seeded(1), 20, 2)
    agrees(x, x.flip(0) + step)
    agrees(x, x.flip(0) + step * noise)
    agrees(x, torch.cat([x, x + step * noise]))


def test_one_point_of_many_differs():
    x = normal(seeded(0), 20, 3)
    y = torch.cat([x[1:], x[:1] + 1e-5])
    agrees(x, y)


@given(SEEDS, st.floats(1e-6, 1e6), st.integers(1, 3), st.integers(2, 20), st.integers(2, 20))
def test_what_it_obeys(seed, scale, dim, m, l):  # noqa: E741
    generator = seeded(seed)
    x, y, z = normal(generator, m, dim), normal(generator, l, dim) + 1, normal(generator, 12, dim)
    distance = metrics.energy_distance
    found = distance(x, y)
    turn, _ = torch.linalg.qr(normal(generator, dim, dim))
    shift = normal(generator, dim)
    order = torch.randperm(m, generator=generator)
    for same in (
        distance(y, x),
        distance(scale * x, scale * y) / math.sqrt(scale),
        distance(x + shift, y + shift),
        distance(x @ turn, y @ turn),
        distance(x[order], y),
        distance(x.repeat(2, 1), y),
    ):
        assert same == pytest.approx(found, rel=1e-9)
    assert distance(x, z) <= found + distance(y, z) + 1e-12


@pytest.mark.parametrize("operation", ["add", "multiply"])
@given(st.floats(-1e60, 1e60), st.floats(-1e60, 1e60))
def test_twice_the_digits_lose_nothing(operation, a, b):
    if operation == "multiply" and a and b and abs(a * b) < 1e-250:
        return  # whose rounding is too small for float64
    left, right = (torch.tensor(v, dtype=torch.float64) for v in (a, b))
    hi, lo = getattr(_twofold, operation)(left, right)
    with mpmath.workdps(400):
        exact = mpmath.mpf(a) + mpmath.mpf(b) if operation == "add" else mpmath.mpf(a) * b
        assert mpmath.mpf(float(hi)) + mpmath.mpf(float(lo)) == exact
