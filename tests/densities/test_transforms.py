import math

import projcomp as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import (
    BANANA,
    POLAR,
    close,
    close_in_scale,
    gradient,
    mixtures,
    noise_levels,
    normal,
    points_near,
    random_mixture,
    seeded,
    uniform,
)

bump, unbump = BANANA._forward, BANANA._inverse


@st.composite
def maps(draw, dim: int):
    """A well-conditioned matrix and an offset."""
    generator = seeded(draw(st.integers(0, 2**32 - 1)))
    left, _ = torch.linalg.qr(normal(generator, dim, dim))
    right, _ = torch.linalg.qr(normal(generator, dim, dim))
    matrix = left @ torch.diag(0.3 + 2 * uniform(generator, dim)) @ right
    return pc.LinearMap(matrix, normal(generator, dim))


@st.composite
def mapped(draw):
    p = draw(mixtures())
    return p, draw(maps(p.dim))


def rotation(generator, dim):
    return torch.linalg.qr(normal(generator, dim, dim))[0]


@given(mapped())
def test_change_of_variables_under_a_linear_map(pair):
    """As a mixture, and by the formula through the general class."""
    p, f = pair
    q, general = pc.pushforward(p, f), pc.Pushforward(p, f)
    assert isinstance(q, pc.GaussianMixture)
    x = points_near(p)
    wanted = p.log_prob(x) - math.log(abs(float(torch.linalg.det(f.matrix))))
    close(q.log_prob(f.forward(x)), wanted, 1e-8, 1e-8)
    close(general.log_prob(f.forward(x)), wanted, 1e-8, 1e-8)
    close_in_scale(q.score(f.forward(x)) @ f.matrix, p.score(x), 1e-8)
    close_in_scale(general.score(f.forward(x)), q.score(f.forward(x)), 1e-8)


@given(mapped(), noise_levels())
def test_noise_is_added_after_the_map(pair, sigma):
    p, f = pair
    q = pc.pushforward(p, f)
    eye = torch.eye(p.dim, dtype=torch.float64)
    covariances = f.matrix @ p.covariances @ f.matrix.T + sigma**2 * eye
    wanted = pc.GaussianMixture(p.weights, p.means @ f.matrix.T + f.offset, covariances)
    y = f.forward(points_near(p))
    close(q.log_prob(y, sigma), wanted.log_prob(y), 1e-8, 1e-8)


@given(mixtures(), st.integers(0, 999), noise_levels())
def test_noise_commutes_with_an_orthogonal_map(p, seed, sigma):
    turn = pc.LinearMap(rotation(seeded(seed), p.dim), normal(seeded(seed), p.dim))
    assert turn.orthogonal
    q, general = pc.pushforward(p, turn), pc.Pushforward(p, turn)
    x = points_near(p)
    y = turn.forward(x)
    for density in (q, general):
        close(density.log_prob(y, sigma), p.log_prob(x, sigma), 1e-8, 1e-8)
        close_in_scale(density.score(y, sigma) @ turn.matrix, p.score(x, sigma), 1e-8)
    sigmas = 0.5 + uniform(seeded(seed), len(x))
    close(general.log_prob(y, sigmas), p.log_prob(x, sigmas), 1e-8, 1e-8)


@pytest.mark.parametrize("f", [BANANA, POLAR, pc.Diffeomorphism(2, bump, unbump)])
def test_change_of_variables_under_a_diffeomorphism(f, generator):
    p = pc.GaussianMixture([0.3, 0.7], [[0.0, 0.4], [0.8, -0.5]], [0.1, 0.2])
    q = pc.pushforward(p, f)
    x = p.sample(20, generator=generator)
    y = f.forward(x)
    close(f.inverse(y), x, 1e-10, 1e-12)
    jacobians = torch.stack([torch.autograd.functional.jacobian(f.forward, row) for row in x])
    wanted = p.log_prob(x) - torch.linalg.slogdet(jacobians).logabsdet
    close(q.log_prob(y), wanted, 1e-9, 1e-9)
    close(f.log_abs_det(x), torch.linalg.slogdet(jacobians).logabsdet, 1e-9, 1e-9)
    close_in_scale(q.score(y), gradient(q.log_prob, y), 1e-12)
    assert torch.autograd.gradcheck(q.score, y[:3].clone().requires_grad_(True))


@pytest.mark.parametrize(("f", "box"), [(BANANA, (-5.0, 7.0)), (POLAR, (-9.0, 9.0))])
def test_a_pushforward_has_mass_one(f, box):
    """Quadrature: a wrong or missing Jacobian shows as a wrong total.

    The polar map's angle stays within half a turn where the density has mass.
    """
    p = pc.gaussian([0.3, 0.2], [0.09, 0.15])
    grid = pc.Grid([box[0]] * 2, [box[1]] * 2, 600)
    total = grid.log_integral(pc.pushforward(p, f).log_prob(grid.points)).exp()
    assert abs(float(total) - 1) < 1e-8


def test_samples_are_the_images(generator):
    p = pc.gaussian([0.0, 0.0], 1.0)
    for transform in (BANANA, pc.LinearMap([[2.0, 1.0], [0.0, 1.0]], [1.0, 1.0])):
        drawn = pc.Pushforward(p, transform).sample(30, generator=seeded(5))
        close(drawn, transform.forward(p.sample(30, generator=seeded(5))))


def test_an_offset_moves_the_density():
    p = pc.gaussian([1.0, 2.0], 1.0)
    q = pc.pushforward(p, pc.LinearMap(torch.eye(2), [3.0, -1.0]))
    close(q.mean, torch.tensor([4.0, 1.0], dtype=torch.float64))


def test_an_empirical_density_can_be_rotated(generator):
    points = normal(generator, 8, 3)
    matrix = rotation(generator, 3)
    q = pc.pushforward(pc.Empirical(points), matrix)
    x = normal(generator, 5, 3)
    close(q.score(x, 0.5), pc.Empirical(points @ matrix.T).score(x, 0.5), 1e-10, 1e-10)


@pytest.mark.parametrize("f", [BANANA, pc.LinearMap([[1.0, 1.0], [0.0, 1.0]])])
def test_noise_after_another_map_is_refused(f):
    q = pc.Pushforward(pc.gaussian([0.0, 0.0], 1.0), f)
    for sigma in (0.1, [0.0, 0.1]):
        for method in (q.log_prob, q.score, q.denoise):
            with pytest.raises(ValueError, match=r"sigma must be 0: noise does not commute"):
                method([[0.0, 0.0], [1.0, 1.0]], sigma)


def test_normalisable_is_passed_on():
    assert pc.Pushforward(pc.Flat(2), BANANA).normalisable() is False
    assert pc.Pushforward(pc.gaussian([0.0, 0.0], 1.0), BANANA).normalisable() is True


def test_maps_keep_dtype_and_shape():
    f = pc.LinearMap([[2.0, 0.0], [0.0, 4.0]])
    assert f.forward(torch.ones(3, 1, 2)).dtype == torch.float32
    assert f.log_abs_det(torch.ones(3, 1, 2)).shape == (3, 1)
    close(f.log_abs_det([1.0, 2.0]), torch.tensor(math.log(8.0), dtype=torch.float64))
    assert not f.orthogonal
    auto = pc.Diffeomorphism(2, bump, unbump)
    assert auto.log_abs_det(torch.zeros(0, 2)).shape == (0,)
    assert auto.log_abs_det(torch.zeros(4, 3, 2)).shape == (4, 3)


P = pc.gaussian([0.0, 0.0], 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pc.LinearMap([1.0, 2.0]), r"matrix must have shape \(n, n\), got \(2,\)"),
        (lambda: pc.LinearMap([[1.0, 2.0]]), r"matrix must have shape \(n, n\), got \(1, 2\)"),
        (lambda: pc.LinearMap([[1.0, 2.0], [2.0, 4.0]]), r"matrix must be invertible.*singular"),
        (lambda: pc.LinearMap([[0.0]]), r"matrix must be invertible"),
        (lambda: pc.LinearMap([[math.nan]]), r"matrix must be finite"),
        (lambda: pc.LinearMap([[1.0]], [1.0, 2.0]), r"offset must have shape \(1,\), got \(2,\)"),
        (lambda: pc.Diffeomorphism(2, None, unbump), r"forward must be a function, got None"),
        (lambda: pc.Diffeomorphism(2, bump, 3), r"inverse must be a function, got 3"),
        (lambda: pc.Diffeomorphism(2, bump, unbump, 1.0), r"log_abs_det must be a function or Non"),
        (lambda: pc.Diffeomorphism(0, bump, unbump), r"dim must be >= 1, got 0"),
        (lambda: pc.pushforward("p", BANANA), r"density must be a Density, got 'p'"),
        (lambda: pc.pushforward(P, "f"), r"matrix must be numeric, got 'f'"),
        (lambda: pc.Pushforward(P, torch.eye(2)), r"transform must be a Diffeomorphism, got"),
        (lambda: pc.pushforward(P, torch.eye(3)), r"transform must act on R\^2.*got R\^3"),
        (lambda: pc.Pushforward(pc.Flat(3), BANANA), r"transform must act on R\^3.*got R\^2"),
        (lambda: BANANA.forward([1.0, 2.0, 3.0]), r"x must have shape \(..., 2\), got \(3,\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("f", [BANANA, POLAR, pc.LinearMap([[2.0, 1.0], [0.0, 1.0]], [1.0, -1.0])])
def test_inverted_undoes_it(f):
    z = normal(seeded(41), 30, 2)
    x = f.forward(z)
    close(f.inverted().forward(x), z, absolute=1e-12)
    close(f.inverted().inverse(z), x)
    close(f.inverted().log_abs_det(x), -f.log_abs_det(z), absolute=1e-12)


@pytest.mark.parametrize(("dim", "rank"), [(5, 2), (3, 3), (6, 1), (1, 1)])
def test_a_turn_takes_its_directions_to_the_last_coordinates(dim, rank):
    basis = rotation(seeded(dim), dim)[:, :rank]
    f = pc.densities.Turn(basis)
    matrix = f.forward(torch.eye(dim, dtype=torch.float64)).T
    close(matrix[dim - rank :], basis.T, absolute=1e-14)
    close(matrix @ matrix.T, torch.eye(dim, dtype=torch.float64), absolute=1e-14)
    x = normal(seeded(42), 2, 3, dim)
    close(f.inverse(f.forward(x)), x, absolute=1e-14)
    close(f.log_abs_det(x), torch.zeros(2, 3, dtype=torch.float64))
    assert f.orthogonal


def test_a_turn_of_directions_that_are_coordinates():
    """Where a reflection has least to go by: coordinates themselves, or their opposite."""
    eye = torch.eye(5, dtype=torch.float64)
    x = normal(seeded(43), 7, 5)
    for basis in (eye[:, 3:], -eye[:, 3:], eye[:, [4, 0]], eye[:, [0, 1]]):
        f = pc.densities.Turn(basis)
        close(f.forward(x)[:, 3:], x @ basis, absolute=1e-14)
        close(f.inverse(f.forward(x)), x, absolute=1e-14)


def test_a_density_turned_is_that_under_the_matrix():
    basis = rotation(seeded(44), 4)[:, :2]
    f = pc.densities.Turn(basis)
    matrix = f.forward(torch.eye(4, dtype=torch.float64)).T
    p = random_mixture(seeded(45), 3, 4)
    x = normal(seeded(46), 20, 4)
    for sigma in (0.0, 0.7):
        close(pc.pushforward(p, f).score(x, sigma), pc.pushforward(p, matrix).score(x, sigma))
    assert isinstance(pc.pushforward(p, f), pc.Pushforward)


def test_a_turn_is_orthogonal_though_its_directions_are_so_to_less():
    basis = rotation(seeded(47), 4)[:, :2] + 1e-9
    matrix = pc.densities.Turn(basis).forward(torch.eye(4, dtype=torch.float64))
    close(matrix @ matrix.T, torch.eye(4, dtype=torch.float64), absolute=1e-14)


@pytest.mark.parametrize(
    ("basis", "message"),
    [
        ([[1.0, 0.0]], r"basis must have shape \(n, r\), 1 <= r <= n, got \(1, 2\)"),
        ([1.0, 0.0], r"basis must have shape .* got \(2,\)"),
        ([[1.0, 0.0], [0.0, 1.0], [0.0, 0.1]], "basis must be orthonormal.* off by 0.01"),
        ([[math.nan]], "basis must be finite"),
    ],
)
def test_bad_directions(basis, message):
    with pytest.raises(ValueError, match=message):
        pc.densities.Turn(basis)
