"""Warps of the plane: bijections with the determinants that they state, and angles."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp import warps

from tests.helpers import close, normal, random_mixture, seeded

WARPS = {
    "rotation": warps.rotation(0.7),
    "shear": warps.shear(math.radians(60)),
    "banana": warps.banana(0.6),
    "polar": warps.polar(),
}


@pytest.mark.parametrize("warp", WARPS.values(), ids=WARPS)
def test_round_trip(warp):
    z = normal(seeded(0), 200, 2).clamp(-3, 3)
    close(warp.inverse(warp.forward(z)), z, absolute=1e-12)


@pytest.mark.parametrize("warp", WARPS.values(), ids=WARPS)
def test_determinant_is_that_of_the_jacobian(warp):
    z = normal(seeded(1), 50, 2)
    jacobian = torch.func.vmap(torch.func.jacrev(warp._forward))(z)
    close(warp.log_abs_det(z), torch.linalg.slogdet(jacobian).logabsdet, absolute=1e-12)


def test_only_the_rotation_is_orthogonal():
    assert [name for name, warp in WARPS.items() if warp.orthogonal] == ["rotation"]


def test_shear_axes_are_unit_vectors_at_the_angle():
    first, second = warps.shear(1.1).matrix.T
    close(first.norm(), torch.tensor(1.0, dtype=torch.float64))
    close(second.norm(), torch.tensor(1.0, dtype=torch.float64))
    close(first @ second, torch.tensor(math.cos(1.1), dtype=torch.float64))


def test_shear_without_an_angle_is_refused():
    with pytest.raises(ValueError, match="invertible"):
        warps.shear(0.0)


def test_wrapped_is_periodic_and_has_mass_one():
    mixture = random_mixture(seeded(2), components=3, dim=2)
    wrapped = warps.Wrapped(mixture, axis=1, turns=5)
    x = normal(seeded(3), 40, 2)
    turn = torch.tensor([0.0, 2 * math.pi], dtype=torch.float64)
    close(wrapped.log_prob(x + turn, 0.3), wrapped.log_prob(x, 0.3))
    grid = pc.Grid([-14.0, -math.pi], [14.0, math.pi], [800, 100])
    assert abs(float(grid.log_integral(wrapped.log_prob(grid.points, 0.5)))) < 1e-10


def test_wrapped_samples_match_the_density():
    wrapped = warps.Wrapped(pc.gaussian([2.6], 0.8))
    samples = wrapped.sample(40_000, 0.0, seeded(4))
    assert float(samples.abs().max()) <= math.pi
    grid = pc.Grid([-math.pi], [math.pi], 24)
    counts, outside = grid.histogram(samples)
    fine = pc.Grid([-math.pi], [math.pi], 2400)
    shares = fine.masses(wrapped).reshape(24, 100).sum(1)
    expected = shares * len(samples)
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    assert outside == 0
    assert chi2 < 23 + 5 * math.sqrt(46)


def test_polar_pushforward_of_a_wrapped_product_has_mass_one():
    radius, angle = pc.gaussian([0.5], 0.05), warps.Wrapped(pc.gaussian([2.5], 0.4))
    density = pc.pushforward(pc.BlockProduct([radius, angle]), warps.polar())
    grid = pc.Grid.square(7.0, 500)
    assert abs(float(grid.log_integral(density.log_prob(grid.points)))) < 1e-8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: warps.rotation(math.nan), "angle"),
        (lambda: warps.banana("much"), "bend"),
        (lambda: warps.Wrapped("p"), "density"),
        (lambda: warps.Wrapped(pc.gaussian([0.0], 1.0), axis=1), "axis"),
        (lambda: warps.Wrapped(pc.gaussian([0.0], 1.0), turns=0), "turns"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
