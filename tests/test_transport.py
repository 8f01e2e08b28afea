"""Transport at every scale, with outliers, ties and unequal sizes; and what it obeys."""

import math
import warnings

import numpy as np
import ot
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from projcomp import metrics
from scipy.optimize import linear_sum_assignment

from tests.helpers import normal, seeded, uniform

SEEDS = st.integers(0, 9999)
SCALES = (1e-9, 1e-7, 1e-3, 1e3, 1e9, 1e-90, 1e90)
OUTLIERS = (1e3, 1e5, 1e7, 1e9, 1e12)


def by_assignment(x, y):
    """W2 of both sets, repeated to one size, by a solver that has no tolerance."""
    size = math.lcm(len(x), len(y))
    x, y = x.repeat_interleave(size // len(x), 0), y.repeat_interleave(size // len(y), 0)
    cost = (x[:, None] - y).square().sum(-1).numpy()
    return math.sqrt(math.fsum(cost[linear_sum_assignment(cost)]) / size)


def agrees(x, y):
    assert metrics.w2(x, y) == pytest.approx(by_assignment(x, y), rel=1e-9, abs=0.0)


@pytest.fixture(scope="module")
def sets():
    """200 and 150 points in the plane: 50 is their common divisor."""
    return normal(seeded(0), 200, 2), normal(seeded(1), 200, 2) + 0.2, normal(seeded(2), 150, 2)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("distance", [metrics.w2, metrics.sliced_w2])
def test_the_unit_of_length_makes_no_difference(distance, scale, sets):
    x, *others = sets
    options = () if distance is metrics.w2 else (8,)
    for y in others:
        wanted = distance(x, y, *options, *([seeded(3)] if options else []))
        found = distance(scale * x, scale * y, *options, *([seeded(3)] if options else []))
        assert found == pytest.approx(scale * wanted, rel=1e-12)


def test_by_hand_at_a_small_scale():
    """The lattice of a grid against itself, moved by half a cell: .5e-7."""
    side = torch.arange(12, dtype=torch.float64)
    x = torch.cartesian_prod(side, side)
    y = x + torch.tensor([0.5, 0.0], dtype=torch.float64)
    assert metrics.w2(1e-7 * x, 1e-7 * y.flip(0)) == pytest.approx(0.5e-7, rel=1e-9)


@pytest.mark.parametrize("far", OUTLIERS)
def test_a_common_outlier_spoils_nothing(far, sets):
    x, y, fewer = sets
    place = torch.tensor([[far, -far]], dtype=torch.float64)
    agrees(torch.cat([place, x[1:]]), torch.cat([y[1:], place]))
    # 4 of 200 are 3 of 150.
    agrees(torch.cat([place.repeat(4, 1), x[4:]]), torch.cat([fewer[3:], place.repeat(3, 1)]))


@pytest.mark.parametrize("far", OUTLIERS)
@pytest.mark.parametrize("few", [1, 3, 12])
def test_clusters_of_outliers_spoil_nothing(far, few, sets):
    """Three clusters, `far` and a thousand times that away."""
    x, y, fewer = sets
    for other, times in ((y, 4), (fewer, 3)):
        a, b = x.clone(), other.clone()
        for index, shift in enumerate((far, -1e3 * far, 1e3)):
            here, there = index * 4 * few, index * times * few
            a[here : here + 4 * few] += shift
            b[there : there + times * few] += shift
        agrees(a, b)


@pytest.mark.parametrize("far", OUTLIERS)
def test_outliers_that_are_not_common(far, sets):
    x, y, fewer = sets
    a = x.clone()
    a[0] = far
    for other in (y, fewer):
        agrees(a, other)
        agrees(torch.cat([a[:1], x[:149]]), other)


@pytest.mark.parametrize("step", [1e-3, 1e-6, 1e-9, 1e-12])
def test_sets_that_are_almost_equal(step, sets):
    x, noise, fewer = sets
    order = torch.randperm(len(x), generator=seeded(4))
    agrees(x, x[order] + step * noise)
    agrees(fewer, torch.cat([fewer, fewer])[torch.randperm(300, generator=seeded(5))] + step)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 7), (2, 3), (40, 50), (30, 90), (27, 20)])
@given(SEEDS, st.sampled_from([0.0, 1e-3, 1.0]))
def test_sizes_ties_and_duplicates(sizes, seed, cell):
    x, y = (normal(seeded(seed + k), size, 2) for k, size in enumerate(sizes))
    if cell:
        x, y = cell * (x / cell).round(), cell * (y / cell).round()
    agrees(x, y)


@pytest.mark.parametrize("distance", [metrics.w2, metrics.sliced_w2, metrics.energy_distance])
@given(SEEDS, st.integers(1, 60), st.integers(1, 3), st.sampled_from([1.0, 1e-9, 1e9]))
def test_one_set_in_two_orders(distance, seed, count, dim, scale):
    """0 exactly; projections round by 1e-15 of the largest coordinate."""
    generator = seeded(seed)
    x = scale * normal(generator, count, dim)
    x[0] = 1e12 * scale
    moved = x[torch.randperm(count, generator=generator)]
    twice = torch.cat([x, moved])
    bound = 0.0 if distance is not metrics.sliced_w2 or dim == 1 else 2e-15 * 1e12 * scale * dim
    for y in (x, moved, twice):
        assert 0.0 <= distance(x, y) <= bound
        assert math.copysign(1.0, distance(y, x)) == 1.0


@given(SEEDS, st.integers(1, 40), st.integers(1, 40))
def test_one_dimension_by_the_quantile_functions(seed, m, l):  # noqa: E741
    x, y = normal(seeded(seed), m, 1), 2 * normal(seeded(seed + 1), l, 1)
    size = math.lcm(m, l)
    a = x.repeat_interleave(size // m, 0).sort(0).values
    b = y.repeat_interleave(size // l, 0).sort(0).values
    wanted = math.sqrt(math.fsum((a - b).square()[:, 0].tolist()) / size)
    assert metrics.w2(x, y) == pytest.approx(wanted, rel=1e-13)
    assert metrics.sliced_w2(x, y, 3) == pytest.approx(wanted, rel=1e-13)


def test_one_dimension_with_a_common_outlier_of_unequal_sets():
    """1 of 3 and 2 of 6 points at 1e12: the shares must meet to the last digit."""
    x, y = [[0.0], [1.0], [1e12]], [[0.5], [0.5], [0.5], [0.5], [1e12], [1e12]]
    wanted = math.sqrt(2 / 3) / 2
    assert metrics.w2(x, y) == pytest.approx(wanted, rel=1e-13)
    assert metrics.sliced_w2(x, y) == pytest.approx(wanted, rel=1e-13)
    # 14 and 49 points, of which two and seven lie out.
    x, y = [[0.0]] * 12 + [[1e12]] * 2, [[1.0]] * 42 + [[1e12]] * 7
    assert metrics.w2(x, y) == pytest.approx(math.sqrt(6 / 7), rel=1e-13)


def test_sliced_w2_is_pots(generator):
    x, y = normal(generator, 60, 3), normal(generator, 45, 3)
    directions = torch.nn.functional.normalize(normal(seeded(7), 3, 16), dim=0)
    wanted = ot.sliced_wasserstein_distance(x.numpy(), y.numpy(), projections=directions.numpy())
    assert metrics.sliced_w2(x, y, 16, seeded(7)) == pytest.approx(wanted, rel=1e-12)


def test_sliced_w2_far_from_the_origin():
    """Of sets on a lattice of 2^-10, which a shift by 2^20 does not round."""
    x, y = ((1024 * normal(seeded(k), 50, 3)).round() / 1024 for k in (0, 1))
    wanted = metrics.sliced_w2(x, y, 8, seeded(3))
    moved = metrics.sliced_w2(x + 2.0**20, y + 2.0**20, 8, seeded(3))
    assert moved == pytest.approx(wanted, rel=1e-13)


@given(SEEDS, st.floats(1e-6, 1e6), st.integers(1, 3), st.integers(2, 20), st.integers(2, 20))
def test_what_w2_obeys(seed, scale, dim, m, l):  # noqa: E741
    generator = seeded(seed)
    x, y, z = normal(generator, m, dim), normal(generator, l, dim) + 1, normal(generator, 12, dim)
    found = metrics.w2(x, y)
    turn, _ = torch.linalg.qr(normal(generator, dim, dim))
    shift = normal(generator, dim)
    order = torch.randperm(m, generator=generator)
    for same in (
        metrics.w2(y, x),
        metrics.w2(scale * x, scale * y) / scale,
        metrics.w2(x + shift, y + shift),
        metrics.w2(x @ turn, y @ turn),
        metrics.w2(x[order], y),
        metrics.w2(x.repeat(2, 1), y),
    ):
        assert same == pytest.approx(found, rel=1e-9)
    assert metrics.w2(x, z) <= found + metrics.w2(y, z) + 1e-12
    # Means are moved by no more than the points.
    assert float((x.mean(0) - y.mean(0)).norm()) <= found + 1e-12
    assert metrics.w2(x, x + shift) == pytest.approx(float(shift.norm()), rel=1e-9)


def test_a_plan_is_whole_and_certified_at_two_thousand_points():
    """Unequal sizes with a least common multiple of three million; no warning."""
    x, y = normal(seeded(0), 2000, 2), normal(seeded(1), 1501, 2)
    x[:4], y[:3] = 1e7, 1e7
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.w2(x, y)
    # The shares out there, 4/2000 and 3/1501, differ by 4e-6 / 3.002: that much goes all the way.
    apart = abs(4 / 2000 - 3 / 1501)
    assert found == pytest.approx(math.sqrt(2 * apart) * 1e7, rel=1e-4)


def test_it_warns_where_the_dual_does_not_certify_the_plan(monkeypatch, sets):
    """A solver that pairs the points as they come: the bound says how far off it is."""

    def poor(a, b, cost, **options):
        return np.diag(a), {"u": np.zeros(len(a)), "v": np.zeros(len(b))}

    monkeypatch.setattr(ot, "emd", poor)
    x, y, _ = sets
    with pytest.warns(UserWarning, match=r"w2: the squared distance may be too large by a share"):
        assert metrics.w2(x, y) == pytest.approx(float((x - y).square().sum(1).mean().sqrt()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int64])
@pytest.mark.parametrize("distance", [metrics.w2, metrics.sliced_w2, metrics.energy_distance])
def test_every_dtype_is_computed_in_float64(distance, dtype):
    """Coordinates up to 60,000, whose squares no half-precision number holds."""
    x, y = (
        (6e4 * uniform(seeded(k), 30, 2) if dtype != torch.bfloat16 else uniform(seeded(k), 30, 2))
        for k in (0, 1)
    )
    x, y = x.to(dtype), y.to(dtype)
    options = (8, seeded(2)) if distance is metrics.sliced_w2 else ()
    wanted = distance(x.double(), y.double(), *options)
    options = (8, seeded(2)) if distance is metrics.sliced_w2 else ()
    assert distance(x, y.tolist(), *options) == wanted
    if dtype != torch.bfloat16:
        options = (8, seeded(2)) if distance is metrics.sliced_w2 else ()
        assert distance(x.numpy(), y.numpy(), *options) == wanted


@pytest.mark.parametrize("distance", [metrics.w2, metrics.sliced_w2, metrics.energy_distance])
def test_coordinates_that_are_too_large(distance):
    """At 1e100 it is right, above it refused."""
    wanted = 2e50 if distance is metrics.energy_distance else 2e100
    assert distance([[1e100]], [[-1e100]]) == pytest.approx(wanted, rel=1e-12)
    for pair, name in ((([[1.1e100]], [[0.0]]), "x"), (([[0.0]], [[-1e200]]), "y")):
        with pytest.raises(ValueError, match=rf"{name} must be at most 1e\+100 in magnitude, got"):
            distance(*pair)
