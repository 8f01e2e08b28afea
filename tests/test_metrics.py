import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import projcomp as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from projcomp import metrics

from tests.helpers import close, normal, random_mixture, seeded

DISTANCES = [metrics.w2, metrics.sliced_w2, metrics.energy_distance]
TARGET = pc.GaussianMixture([0.3, 0.7], [[0.0, 1.0], [2.0, -1.0]], [0.2, 0.6])


@given(st.integers(0, 9999), st.integers(1, 4), st.floats(-5, 5))
def test_w2_between_shifted_sets(seed, dim, length):
    """Transport of a set to its shifted copy costs the shift."""
    x = normal(seeded(seed), 40, dim)
    shift = length * torch.nn.functional.normalize(normal(seeded(seed), dim), dim=0)
    shuffled = (x + shift)[torch.randperm(40, generator=seeded(seed))]
    assert metrics.w2(x, shuffled) == pytest.approx(abs(length), abs=1e-7)


@given(st.integers(0, 9999), st.integers(2, 6), st.integers(1, 3))
def test_w2_against_all_permutations(seed, count, dim):
    x, y = normal(seeded(seed), count, dim), 2 * normal(seeded(seed + 1), count, dim)
    cost = ((x[:, None] - y) ** 2).sum(-1)
    rows = torch.arange(count)
    best = min(
        float(cost[rows, list(order)].mean()) for order in itertools.permutations(range(count))
    )
    assert metrics.w2(x, y) == pytest.approx(math.sqrt(best), abs=1e-9)


def test_w2_between_sets_of_different_sizes():
    """Half the mass of each of two points goes to 0: (1 + 9) / 2."""
    assert metrics.w2([[0.0]], [[1.0], [3.0]]) == pytest.approx(math.sqrt(5.0), abs=1e-12)
    assert metrics.w2([[0.0], [1.0], [2.0]], [[1.0]]) == pytest.approx(math.sqrt(2 / 3), abs=1e-12)


def test_w2_in_one_dimension_sorts(generator):
    x, y = normal(generator, 300, 1), 2 * normal(generator, 300, 1) + 1
    gap = x.sort(0).values - y.sort(0).values
    wanted = float((gap**2).mean().sqrt())
    assert metrics.w2(x, y) == pytest.approx(wanted, rel=1e-10)
    assert metrics.sliced_w2(x, y, 3, generator) == pytest.approx(wanted, rel=1e-10)


def test_sliced_w2_between_shifted_sets(generator):
    """The mean of (shift . u)^2 over directions u is |shift|^2 / n; 5 standard errors.

    Failed at none of 200 other seeds.
    """
    x = normal(generator, 50, 3)
    shift = torch.tensor([1.0, -2.0, 2.0], dtype=torch.float64)
    square = metrics.sliced_w2(x, x + shift, 2000, generator) ** 2
    # For n = 3 the square of a cosine has mean 1/3 and variance 4/45.
    assert abs(square - 3.0) < 5 * 9 * math.sqrt(4 / 45 / 2000)


def test_energy_distance_by_hand():
    """x = {0}, y = {0, 2}: 2 * 1 - 0 - 1."""
    assert metrics.energy_distance([[0.0]], [[0.0], [2.0]]) == pytest.approx(1.0, abs=1e-12)
    x, y = normal(seeded(0), 20, 2), normal(seeded(1), 30, 2) + 1
    norms = lambda a, b: float((a[:, None] - b).norm(dim=-1).mean())  # noqa: E731
    wanted = math.sqrt(2 * norms(x, y) - norms(x, x) - norms(y, y))
    assert metrics.energy_distance(x, y) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
def test_what_every_distance_obeys(distance, generator):
    x, y = normal(generator, 60, 3), normal(generator, 60, 3) + 0.5
    assert distance(x, x) == pytest.approx(0.0, abs=1e-7)
    assert distance(x, x[torch.randperm(60, generator=generator)]) == pytest.approx(0.0, abs=1e-7)
    if distance is not metrics.sliced_w2:
        assert distance(x, y) == pytest.approx(distance(y, x), rel=1e-9)
        moved = distance(1e6 + x, 1e6 + y)
        assert moved == pytest.approx(distance(x, y), rel=1e-8)
    assert distance(x, y) > 0.1
    assert isinstance(distance(x.numpy(), y.tolist()), float)
    assert distance(x.clone().requires_grad_(True), y) > 0.1


def test_sliced_w2_is_a_function_of_the_generator():
    x, y = normal(seeded(0), 60, 3), normal(seeded(1), 60, 3)
    one, two, three = (metrics.sliced_w2(x, y, 8, seeded(s)) for s in (5, 5, 6))
    assert one == two
    assert one != three


def test_total_variation_of_shifted_gaussians():
    """2 Phi(|shift| / 2 sd) - 1, also at a noise level, also up to a constant."""
    p, q = pc.gaussian([0.0], 1.0), pc.gaussian([1.0], 1.0)
    grid = pc.Grid([-12.0], [13.0], 5000)
    for sigma in (0.0, 2.0):
        wanted = math.erf(0.5 / math.sqrt(2 * (1 + sigma**2)))
        assert metrics.total_variation(p, q, grid, sigma) == pytest.approx(wanted, abs=1e-6)
    tripled = pc.simple_product([q, pc.Flat(1)])
    assert metrics.total_variation(p, tripled, grid) == pytest.approx(
        math.erf(0.5 / 2**0.5), abs=1e-6
    )
    assert metrics.total_variation(p, p, grid) == 0.0
    far = pc.gaussian([9.0], 0.01)
    assert metrics.total_variation(p, far, grid) == pytest.approx(1.0, abs=1e-12)


def test_histogram_tv_by_hand():
    grid = pc.Grid([0.0], [2.0], 2)
    x = [[0.5], [0.5], [1.5], [9.0]]
    y = [[1.5], [-1.0]]
    # Shares (1/2, 1/4, out 1/4) and (0, 1/2, out 1/2).
    assert metrics.histogram_tv(x, y, grid) == pytest.approx(0.5, abs=1e-15)
    assert metrics.histogram_tv(x, x, grid) == 0.0


@given(st.integers(0, 9999), st.integers(1, 40), st.integers(1, 40))
def test_histogram_tv_is_a_ratio_of_whole_numbers(seed, m, l):  # noqa: E741
    """Of m l, so it is right to the last digit; and a far sample is one more outside."""
    grid = pc.Grid([-1.0, -1.0], [1.0, 1.0], 3)
    x, y = normal(seeded(seed), m, 2), normal(seeded(seed + 1), l, 2)
    x[0] = 1e100
    counts = [Counter(_cell(p) for p in z.tolist()) for z in (x, y)]
    gap = sum(
        abs(Fraction(counts[0][c], m) - Fraction(counts[1][c], l)) for c in counts[0] | counts[1]
    )
    assert metrics.histogram_tv(x, y, grid) == float(gap / 2)
    assert metrics.histogram_tv(x.repeat(3, 1), x.flip(0), grid) == 0.0


def _cell(point):
    if not all(-1 <= c < 1 for c in point):
        return "outside"
    return tuple(int((c + 1) / 2 * 3) for c in point)


@pytest.mark.parametrize("scale", [1e-9, 1e9, 1e50])
@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_total_variation_in_every_unit_of_length(scale, shift):
    x, y = scale * shift, scale * (1 + shift)
    p, q = pc.gaussian([x], scale**2), pc.gaussian([y], scale**2)
    grid = pc.Grid([x - 12 * scale], [y + 12 * scale], 5000)
    wanted = math.erf(0.5 / math.sqrt(2))
    assert metrics.total_variation(p, q, grid) == pytest.approx(wanted, abs=1e-6)
    samples = p.sample(50, generator=seeded(0)), q.sample(70, generator=seeded(1))
    unscaled = pc.Grid([shift - 12], [shift + 13], 40)
    coarse = pc.Grid([x - 12 * scale], [x + 13 * scale], 40)
    there = metrics.histogram_tv(*(z / scale for z in samples), unscaled)
    assert metrics.histogram_tv(*samples, coarse) == pytest.approx(there, abs=1e-15)


def test_proportion_is_wilsons():
    """8 of 10: (.4902, .9433); the ends stay within [0, 1]."""
    z = 1.959963985
    wanted = (0.8, 0.4901625, 0.9433178)
    assert metrics.proportion(8, 10, z) == pytest.approx(wanted, abs=1e-7)
    assert metrics.proportion(8, 10) == pytest.approx(wanted, abs=1e-5)
    assert metrics.proportion(0, 10, 2.0) == pytest.approx((0.0, 0.0, 4 / 14), abs=1e-12)
    assert metrics.proportion(10, 10, 2.0) == pytest.approx((1.0, 10 / 14, 1.0), abs=1e-12)


@given(st.integers(1, 500), st.data())
def test_proportion_solves_its_equation(trials, data):
    """Both ends lie z standard errors from the share, by their own standard errors."""
    hits = data.draw(st.integers(0, trials))
    share, *ends = metrics.proportion(hits, trials, z=2.5)
    for end in ends:
        if 1e-9 < end < 1 - 1e-9:
            error = math.sqrt(end * (1 - end) / trials)
            assert abs(share - end) == pytest.approx(2.5 * error, rel=1e-9, abs=1e-12)
    assert ends[0] <= share <= ends[1]


def test_mean_and_error():
    mean, error = metrics.mean_and_error([1.0, 2.0, 3.0, 6.0])
    assert mean == 3.0
    assert error == pytest.approx(np.std([1, 2, 3, 6], ddof=1) / 2, rel=1e-14)


# -- comparisons with a noise floor --------------------------------------------------------------


@pytest.mark.parametrize("distance", DISTANCES)
def test_exact_samples_lie_at_the_floor(distance, generator):
    """Within 5 standard errors of 16 batches (failed at none of 100 other seeds)."""
    samples = TARGET.sample(1603, generator=generator)
    found = metrics.compare(samples, TARGET, distance, batches=16, generator=generator)
    assert abs(found.excess) < 5
    assert found.floor > 0
    assert (found.batch, found.batches) == (100, 16)


@pytest.mark.parametrize("distance", DISTANCES)
def test_wrong_samples_lie_above_it(distance, generator):
    """By 5 standard errors; and at the floor of what they are (failed at none of 100 seeds)."""
    wrong = TARGET.sample(1600, 2.0, generator)
    options = {"batches": 16, "generator": generator}
    assert metrics.compare(wrong, TARGET, distance, **options).excess > 5
    assert abs(metrics.compare(wrong, TARGET, distance, sigma=2.0, **options).excess) < 5


def test_the_floor_falls_with_the_number_of_samples(generator):
    floors = []
    for size in (400, 6400):
        samples = TARGET.sample(size, generator=generator)
        found = metrics.compare(samples, TARGET, metrics.sliced_w2, generator=generator)
        floors.append(found.floor)
    # As one over the root of the size, within a factor of 2.
    assert 2 < floors[0] / floors[1] < 8


def test_a_comparison_is_a_function_of_the_generator():
    samples = TARGET.sample(160, generator=seeded(0))
    for distance in DISTANCES:
        one, two = (
            metrics.compare(samples, TARGET, distance, generator=seeded(4)) for _ in range(2)
        )
        assert one == two


def test_what_a_comparison_says(generator):
    found = metrics.Comparison(0.5, 0.03, 0.1, 0.04, 8.0, 100, 8)
    assert str(found) == "0.5000 ± 0.0300 (noise floor 0.1000 ± 0.0400; 8 batches of 100)"
    samples = TARGET.sample(80, generator=generator)
    steady = iter([1.0, 0.5, 2.0, 1.1, 3.0, 2.2])  # distance and floor, for each of three batches
    found = metrics.compare(samples, TARGET, lambda x, y: next(steady), batches=3)
    assert (found.value, found.floor) == (2.0, pytest.approx(3.8 / 3))
    error = np.std([0.5, 0.9, 0.8], ddof=1) / math.sqrt(3)
    assert found.excess == pytest.approx((2.2 / 3) / error)
    assert metrics.compare(samples, TARGET, lambda x, y: 0.3).excess == 0.0


def test_a_comparison_of_batches_that_agree():
    """Every batch finds 0.1 more than the floor: no error, and an infinite excess."""
    samples = TARGET.sample(80, generator=seeded(0))
    steady = iter([0.1, 0.0] * 10)
    found = metrics.compare(samples, TARGET, lambda x, y: next(steady), batches=10)
    assert (found.value, found.error, found.excess) == (0.1, 0.0, math.inf)
    assert found.interval() == (0.1, 0.1)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_a_comparison_in_every_unit_of_length(distance, scale):
    samples, pool = TARGET.sample(160, generator=seeded(0)), TARGET.sample(320, generator=seeded(1))
    one = metrics.compare(samples, pool, distance, generator=seeded(2))
    two = metrics.compare(scale * samples, scale * pool, distance, generator=seeded(2))
    unit = scale**0.5 if distance is metrics.energy_distance else scale
    for name in ("value", "error", "floor", "floor_error"):
        assert getattr(two, name) == pytest.approx(unit * getattr(one, name), rel=1e-9)
    assert two.excess == pytest.approx(one.excess, rel=1e-9)


@pytest.fixture(params=["dtype", "device"])
def other_defaults(request):
    """torch with defaults that somebody else has set."""
    dtype = torch.get_default_dtype()
    if request.param == "dtype":
        torch.set_default_dtype(torch.float16)
    else:
        torch.set_default_device("meta")
    yield
    torch.set_default_dtype(dtype)
    torch.set_default_device(None)


def everything():
    x, y = [[0.0, 1.0], [2.0, 3.0], [4.0, -1.0]], [[1.0, 1.0], [0.3, 0.1]]
    line = pc.Grid([-5.0, -5.0], [5.0, 5.0], [40, 50])
    p, q = TARGET, pc.gaussian([0.0, 0.0], 1.0)
    return [
        metrics.w2(x, y),
        metrics.w2([[0.0], [1.0], [3.0]], [[0.1], [5.0]]),
        metrics.sliced_w2(x, y, 8, seeded(0)),
        metrics.energy_distance(x, y),
        metrics.energy_distance(x, [[v + 1e-9 for v in row] for row in x]),
        metrics.histogram_tv(x, y, line),
        metrics.total_variation(p, q, line),
        metrics.mean_and_error([1.0, 2.0, 4.0]),
        metrics.mean_interval([1.0, 2.0, 4.0]),
        metrics.compare(x * 4, x * 8, metrics.w2, batches=3),
        metrics.compare(x * 4, x * 8, batches=3, generator=seeded(1)),
    ]


EVERYTHING = everything()


def test_the_defaults_of_torch_make_no_difference(other_defaults):
    assert everything() == EVERYTHING
    assert metrics.sliced_w2([[0.0, 1.0]], [[1.0, 0.0]]) > 0


def test_comparing_leaves_the_samples_alone(generator):
    samples = TARGET.sample(100, generator=generator)
    kept = samples.clone()
    metrics.compare(samples, TARGET, batches=3, generator=generator)
    close(samples, kept, 0.0, 0.0)


GRID = pc.Grid.square(3.0, 20)
X = [[0.0, 0.0]]


class Nowhere(pc.Flat):
    """A density that is 0."""

    def _log_prob(self, x, sigma):
        return torch.full_like(x[0], -math.inf)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: metrics.w2([1.0], [[1.0]]),
            r"x and y must be sample sets.*got \(1,\) and",
        ),
        (lambda: metrics.w2(torch.zeros(0, 2), torch.zeros(3, 2)), r"x and y must be sample sets"),
        (lambda: metrics.energy_distance([[1.0]], [[1.0, 2.0]]), r"got \(1, 1\) and \(1, 2\)"),
        (lambda: metrics.w2([[math.nan]], [[1.0]]), r"x must be finite, got 1 NaN"),
        (lambda: metrics.w2(torch.zeros(4001, 1), [[1.0]]), r"at most 4000 points.*got 4001 and 1"),
        (lambda: metrics.sliced_w2([[1.0]], [[2.0]], 0), r"projections must be >= 1, got 0"),
        (lambda: metrics.total_variation(pc.Flat(3), TARGET, GRID), r"p must live on the grid's"),
        (lambda: metrics.total_variation(TARGET, pc.Flat(1), GRID), r"q must live on the grid's"),
        (lambda: metrics.histogram_tv([[1.0]], [[1.0]], GRID), r"samples must have shape \(..., 2"),
        (lambda: metrics.proportion(3, 2), r"hits must be at most trials, got 3 of 2"),
        (lambda: metrics.proportion(-1, 2), r"hits must be >= 0, got -1"),
        (lambda: metrics.proportion(0, 0), r"trials must be >= 1, got 0"),
        (lambda: metrics.proportion(1.5, 2), r"hits must be an integer >= 0, got 1.5"),
        (lambda: metrics.mean_and_error([1.0]), r"values must have shape \(m,\) with m >= 2"),
        (lambda: metrics.compare([[1.0, 2.0]] * 15, TARGET), r"samples must have .*m >= 16, got"),
        (lambda: metrics.compare([[1.0]] * 20, TARGET), r"samples must have shape \(..., 2\)"),
        (lambda: metrics.compare([[1.0, 2.0]] * 20, TARGET, batches=1), r"batches must be >= 2"),
        (lambda: metrics.compare([[1.0, 2.0]] * 20, pc.Flat(2)), r"Flat has no exact sampler"),
        (
            lambda: metrics.compare([[1e101, 2.0]] * 20, TARGET),
            r"samples must be .*at most 1e\+100",
        ),
        (lambda: metrics.compare([[1.0]] * 20, [[1e101]] * 40), r"target must be at most 1e\+100"),
        (
            lambda: metrics.compare([[1.0, 2.0]] * 20, TARGET, lambda x, y: math.nan),
            r"distance must be finite",
        ),
        (lambda: metrics.compare([[1.0, 2.0]] * 20, TARGET, generator=3), r"generator must be a"),
        (lambda: metrics.sliced_w2([[1.0]], [[2.0]], generator=3), r"generator must be a torch.G"),
        (lambda: metrics.histogram_tv([[1e101, 0.0]], X, GRID), r"x must be at most 1e\+100"),
        (lambda: metrics.total_variation(TARGET, Nowhere(2), GRID), r"q: density must be positive"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_large_exact_transport_is_solved_to_the_end(generator):
    """POT warns where it stops early; here a warning would be an error."""
    p = random_mixture(generator, 3, 2)
    x, y = p.sample(1500, generator=generator), p.sample(1500, generator=generator)
    assert 0 < metrics.w2(x, y) < 1


def test_compare_takes_samples_as_its_target():
    target = random_mixture(seeded(31), 2, 2)
    x, pool = target.sample(800, generator=seeded(32)), target.sample(1600, generator=seeded(33))
    same = metrics.compare(x, pool, generator=seeded(34))
    moved = metrics.compare(x + 1.0, pool, generator=seeded(34))
    assert abs(same.value - same.floor) < 5 * (same.error + same.floor_error)
    assert moved.excess > 5
    assert same.batch == 100


def test_compare_needs_twice_as_many_reference_samples():
    with pytest.raises(ValueError, match=r"samples \(l, 2\) with l >= 64, got \(63, 2\)"):
        metrics.compare(torch.zeros(32, 2), torch.zeros(63, 2))
