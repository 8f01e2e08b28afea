import math

import numpy as np
import projcomp as pc
import pytest
import torch
from hypothesis import given

from tests.every_density import defaults
from tests.helpers import close, mixtures, normal, random_mixture


def test_centres_of_the_cells():
    grid = pc.Grid([0.0, -1.0], [1.0, 5.0], [2, 3])
    assert (grid.dim, grid.cells, grid.volume) == (2, (2, 3), 1.0)
    close(grid.axes[0], torch.tensor([0.25, 0.75]).double())
    close(grid.axes[1], torch.tensor([0.0, 2.0, 4.0]).double())
    assert grid.points.shape == (2, 3, 2)
    close(grid.points[1, 2], torch.tensor([0.75, 4.0]).double())


def test_square():
    grid = pc.Grid.square(3.0, 7, dim=3)
    assert grid.cells == (7, 7, 7)
    close(grid.points.mean((0, 1, 2)), torch.zeros(3).double(), 0.0, 1e-14)
    assert grid.volume == pytest.approx((6 / 7) ** 3, rel=1e-14)


@given(mixtures(dim=1, scales=(1.0,)))
def test_a_density_has_integral_one(p):
    grid = pc.Grid([-40.0], [40.0], 2000)
    assert abs(float(grid.log_integral(p.log_prob(grid.points)))) < 1e-12


def test_a_density_in_the_plane_has_integral_one(generator):
    p = random_mixture(generator, 4, 2)
    grid = pc.Grid.square(20.0, 400)
    for sigma in (0.0, 1.0):
        assert abs(float(grid.log_integral(p.log_prob(grid.points, sigma)))) < 1e-12
        masses = grid.masses(p, sigma)
        assert masses.shape == (400, 400)
        assert float(masses.sum()) == pytest.approx(1.0, abs=1e-12)
        close(masses, p.log_prob(grid.points, sigma).exp() * grid.volume, 1e-9, 1e-14)


def test_masses_do_not_see_the_normaliser():
    p = pc.gaussian([0.2, 0.1], 1.0)
    grid = pc.Grid.square(4.0, 30)
    three = pc.simple_product([p], [1.0])
    close(grid.masses(three), grid.masses(p))
    far = pc.gaussian([1e5, 0.0], 1.0)
    assert torch.isfinite(grid.masses(far)).all()


def test_histogram_by_hand():
    grid = pc.Grid([0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [2, 2, 3])
    samples = [[0.1, 0.1, 0.1], [0.1, 0.1, 0.2], [0.9, 1.9, 2.9], [0.6, 0.5, 1.5], [0.0, 1.0, 1.0]]
    outside = [[-0.1, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 1e90]]
    counts, missed = grid.histogram(samples + outside)
    wanted = torch.zeros(2, 2, 3, dtype=torch.long)
    wanted[0, 0, 0], wanted[1, 1, 2], wanted[1, 0, 1], wanted[0, 1, 1] = 2, 1, 1, 1
    assert torch.equal(counts, wanted)
    assert missed == 3


def test_histogram_is_numpys(generator):
    x = normal(generator, 500, 3)
    grid = pc.Grid([-1.0, -2.0, -1.5], [2.0, 1.0, 2.5], [4, 3, 5])
    counts, missed = grid.histogram(x)
    edges = [
        np.linspace(low, high, n + 1)
        for low, high, n in zip(grid.lower.tolist(), grid.upper.tolist(), grid.cells, strict=True)
    ]
    wanted, _ = np.histogramdd(x.numpy(), edges)
    assert (counts.numpy() == wanted).all()
    assert missed == 500 - int(wanted.sum())


def test_counts_may_be_numpy_integers():
    assert pc.Grid([0.0], [1.0], np.int64(5)).cells == (5,)
    assert pc.Grid([0.0], [1.0], np.array([5])).cells == (5,)


def test_samples_far_outside_and_at_the_edges():
    """A cell holds its lower edge; what no long integer holds is outside as well."""
    grid = pc.Grid([0.0], [0.3], 3)
    below, above = math.nextafter(0.0, -1), math.nextafter(0.3, 0)
    counts, missed = grid.histogram([[0.0], [below], [above], [0.3], [1e100], [-1e100], [9e18]])
    assert (counts.tolist(), missed) == ([1, 0, 1], 5)
    for cells in (2, 3, 7, 10, 49, 1000):
        for low, high in ((0.0, 0.3), (-1.0, 1e-3), (1e9, 1e9 + 1e-3), (-1e-9, 1e-9)):
            last = math.nextafter(high, low)
            counts, missed = pc.Grid([low], [high], cells).histogram([[low], [last], [high]])
            assert (int(counts[0]), int(counts[-1]), missed) == (1, 1, 1)


def test_samples_in_every_shape_and_dtype(generator):
    grid = pc.Grid.square(2.0, 8)
    x = normal(generator, 60, 2)
    counts, missed = grid.histogram(x)
    for same in (x.reshape(3, 20, 2), x.numpy(), x.tolist(), x.clone().requires_grad_(True)):
        again, outside = grid.histogram(same)
        assert torch.equal(again, counts)
        assert outside == missed
    halves = x.half()
    assert torch.equal(grid.histogram(halves)[0], grid.histogram(halves.double())[0])
    assert grid.histogram(x[:0])[1] == 0


@pytest.mark.parametrize("scale", [1e-40, 1e-9, 1.0, 1e9, 1e40])
@pytest.mark.parametrize("shift", [0.0, 1.0, 1e6])
def test_a_density_has_integral_one_in_every_unit_of_length(scale, shift):
    p = pc.gaussian([shift * scale], scale**2)
    grid = pc.Grid([(shift - 12) * scale], [(shift + 12) * scale], 400)
    assert (grid.axes[0].diff() > 0).all()
    assert abs(float(grid.log_integral(p.log_prob(grid.points)))) < 1e-9
    assert grid.volume == pytest.approx(scale * 24 / 400, rel=1e-9)


def test_cells_as_narrow_as_float64_can_tell_apart():
    """Four units in the last place of the edges; below that they are refused."""
    high = 1.0 + 40 * 4 * 2.0**-52
    assert (pc.Grid([1.0], [high], 40).axes[0].diff() > 0).all()
    with pytest.raises(ValueError, match=r"cells must be wide enough to tell apart.*got 41 in"):
        pc.Grid([1.0], [high], 41)


@pytest.mark.parametrize("changed", [{"dtype": torch.float16}, {"device": "meta"}])
def test_the_defaults_of_torch_make_no_difference(changed):
    def everything():
        grid = pc.Grid([0, -1], [1.0, 5.0], np.array([3, 4]))
        masses = grid.masses(pc.gaussian([0.0, 1.0], 1.0))
        return grid.points, masses, *grid.histogram([[0.5, 0.1], [9.0, 9.0]]), grid.volume

    wanted = everything()
    with defaults(**changed):
        found = everything()
    for one, other in zip(found, wanted, strict=True):
        close(one, other, 0.0, 0.0)


class Constant(pc.Flat):
    """A density that is exp(value) everywhere."""

    value = -math.inf

    def _log_prob(self, x, sigma):
        return torch.full_like(x[0], self.value)


def test_a_density_without_mass_on_the_grid():
    density, grid = Constant(2), pc.Grid.square(1.0, 5)
    for density.value in (-math.inf, math.inf):
        with pytest.raises(ValueError, match=r"density must be positive and finite on the grid"):
            grid.masses(density)
    density.value = -1e300
    close(grid.masses(density), torch.full((5, 5), 1 / 25, dtype=torch.float64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0], [1.0, 2.0]), r"lower and upper must have the same shape \(n,\), got \(1,\) and"),
        ((0.0, 1.0), r"lower and upper must have the same shape \(n,\), got \(\)"),
        (([], []), r"lower and upper must have the same shape \(n,\), got \(0,\)"),
        (([1.0], [1.0]), r"lower must be < upper, got \[1.0\] and \[1.0\]"),
        (([math.nan], [1.0]), r"lower must be finite"),
        (([0.0], [1.0], 1), r"cells must be >= 2, got 1"),
        (([0.0], [1.0], 2.5), r"cells must be an integer >= 2, got 2.5"),
        (([0.0], [1.0], [2, 3]), r"cells must be one count or 1 counts, got \[2, 3\]"),
        (([0.0], [1.0], math.inf), r"cells must be an integer >= 2, got inf"),
        (([0.0], [1.0], [math.nan]), r"cells must be an integer >= 2, got nan"),
        (([0.0], [1.0], True), r"cells must be an integer >= 2, got True"),
        (([0.0], [1.0], None), r"cells must be an integer >= 2, got None"),
        (([0.0], [1.0], "12"), r"cells must be one count or 1 counts, got '12'"),
        (([0.0], [1.0], 10**400), r"cells must be wide enough to tell apart in float64"),
        (([-1e308], [1.0]), r"lower must be at most 1e\+100 in magnitude, got 1e\+308"),
        (([0.0, 0.0], [1.0, 1e308]), r"upper must be at most 1e\+100 in magnitude, got 1e\+308"),
        (([1e9], [1e9 + 1e-5]), r"cells must be wide enough.*got 200 in \[1000000000.0, "),
        (([0.0], [5e-324]), r"cells must be wide enough"),
        (([-1e100] * 4, [1e100] * 4), r"lower and upper must span cells whose volume fits"),
        (([-1e-100] * 4, [1e-100] * 4), r"lower and upper must span cells whose volume fits"),
    ],
)
def test_bad_grids(arguments, message):
    with pytest.raises(ValueError, match=message):
        pc.Grid(*arguments)


def test_bad_samples():
    with pytest.raises(ValueError, match=r"samples must have shape \(..., 2\), got \(4, 3\)"):
        pc.Grid.square(1.0).histogram(torch.zeros(4, 3))
