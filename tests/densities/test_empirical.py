import math

import projcomp as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from tests.helpers import close, close_in_scale, gradient, normal, seeded, uniform


def by_brute_force(points, weights, x, sigma):
    """log p^sigma and score from all differences, (batch, N, n) of them."""
    sigma = torch.as_tensor(sigma, dtype=torch.float64).expand(len(x))[:, None]
    offsets = points - x[:, None]
    logs = weights.log() - 0.5 * (offsets**2).sum(-1) / sigma**2
    shares = torch.softmax(logs, 1)
    constant = 0.5 * points.shape[1] * torch.log(2 * math.pi * sigma[:, 0] ** 2)
    score = (shares[..., None] * offsets).sum(1) / sigma**2
    return torch.logsumexp(logs, 1) - constant, score


@st.composite
def clouds(draw):
    generator = seeded(draw(st.integers(0, 2**32 - 1)))
    count, dim = draw(st.integers(1, 30)), draw(st.integers(1, 8))
    points = draw(st.sampled_from([1e-3, 1.0, 100.0])) * normal(generator, count, dim)
    weights = None
    if draw(st.booleans()):
        weights = 0.01 + uniform(generator, count)
        weights = weights / weights.sum()
    return points, weights


@given(clouds(), st.floats(0.05, 20), st.sampled_from([0.0, 3.0, 1e6]), st.booleans())
def test_against_brute_force(cloud, ratio, offset, many):
    """Also where all points share a large offset: distances must not lose their digits."""
    points, weights = cloud
    spread = float(points.std()) if len(points) > 1 else 1.0
    points = points + offset
    x = points[:5] + spread * normal(seeded(0), min(5, len(points)), points.shape[1])
    sigma = ratio * spread
    if many:
        sigma = sigma * (0.5 + uniform(seeded(1), len(x)))
    p = pc.Empirical(points, weights)
    log_prob, score = by_brute_force(points, p.weights, x, sigma)
    close(p.log_prob(x, sigma), log_prob, 1e-11, 1e-10)
    close_in_scale(p.score(x, sigma), score, 1e-10)


@given(clouds(), st.floats(0.2, 20))
def test_score_is_the_gradient(cloud, sigma):
    points, weights = cloud
    p = pc.Empirical(points, weights)
    x = points[:6] + sigma * normal(seeded(0), min(6, len(points)), points.shape[1])
    close_in_scale(p.score(x, sigma), gradient(lambda y: p.log_prob(y, sigma), x), 1e-10)
    sigmas = sigma * (0.5 + uniform(seeded(1), len(x)))
    close_in_scale(p.score(x, sigmas), gradient(lambda y: p.log_prob(y, sigmas), x), 1e-10)


def test_second_derivatives_and_those_by_sigma(generator):
    p = pc.Empirical(normal(generator, 6, 3))
    x = normal(generator, 4, 3).requires_grad_(True)
    sigma = torch.tensor([0.3, 0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(p.score, (x, sigma))
    assert torch.autograd.gradcheck(p.log_prob, (x.detach(), sigma))


def test_it_is_the_mixture_of_narrow_gaussians(generator):
    points = normal(generator, 7, 2)
    p = pc.Empirical(points)
    x = normal(generator, 9, 2)
    for sigma in (0.1, 1.0):
        mixture = pc.GaussianMixture([1 / 7] * 7, points, sigma**2 / 2)
        close(p.log_prob(x, sigma), mixture.log_prob(x, sigma / 2**0.5), 1e-11, 1e-11)
        close(p.score(x, sigma), mixture.score(x, sigma / 2**0.5), 1e-10, 1e-10)


def test_denoising_finds_the_nearest_point_or_the_mean(generator):
    points = normal(generator, 9, 3)
    p = pc.Empirical(points)
    x = points + 0.01 * normal(generator, 9, 3)
    close(p.denoise(x, 0.01), points, 0.0, 1e-9)
    close(p.denoise(x, 1e6), points.mean(0).expand(9, 3), 0.0, 1e-9)


@pytest.mark.parametrize("distance", [1.0, 1e6, 1e40])
@pytest.mark.parametrize("sigma", [1e-50, 1e-3, 1.0, 1e4])
def test_finite_far_away_and_at_any_level(distance, sigma):
    p = pc.Empirical([[0.0, 1.0], [2.0, 0.0], [5.0, 5.0]], [1e-300, 0.5, 0.5])
    x = torch.tensor([[distance, 0.0], [-distance, 2 * distance], [0.0, 1.0]], dtype=torch.float64)
    log_prob, score = p.log_prob_and_score(x, sigma)
    assert torch.isfinite(log_prob).all()
    assert torch.isfinite(score).all()
    assert torch.isfinite(p.denoise(x, sigma)).all()


def test_no_nan_at_the_ends_of_the_range():
    p = pc.Empirical([[0.0, 1.0], [2.0, 0.0]])
    for x in ([0.0, 1.0], [1e100, -1e100], [1.0, 0.5]):
        for sigma in (1e-100, 1e100):
            log_prob, score = p.log_prob_and_score(x, sigma)
            assert not torch.isnan(log_prob)
            assert not torch.isnan(score).any()


def test_one_point_is_a_gaussian(generator):
    p, q = pc.Empirical([[1.0, -2.0]]), pc.gaussian([1.0, -2.0], 1e-16)
    x = normal(generator, 5, 2)
    close(p.score(x, 0.7), -(x - p.points) / 0.49)
    close(p.log_prob(x, 0.7), q.log_prob(x, 0.7), 1e-11, 1e-11)


def test_a_point_of_weight_zero_counts_for_nothing(generator):
    points = normal(generator, 4, 2)
    p, q = pc.Empirical(points[:3]), pc.Empirical(points, [1 / 3, 1 / 3, 1 / 3, 0.0])
    x = torch.cat([points, normal(generator, 3, 2)])
    close(q.log_prob(x, 0.1), p.log_prob(x, 0.1))
    close(q.score(x, 0.1), p.score(x, 0.1))
    drawn = q.sample(500, generator=generator)
    assert not (drawn == points[3]).all(1).any()


def test_samples_are_the_points_by_weight(generator):
    """Counts within 5 standard errors (failed at none of 100 other seeds)."""
    weights = torch.tensor([0.1, 0.2, 0.7], dtype=torch.float64)
    p = pc.Empirical([[0.0], [1.0], [2.0]], weights)
    x = p.sample(10_000, generator=generator)
    shares = torch.stack([(x == v).double().mean() for v in (0.0, 1.0, 2.0)])
    assert float(shares.sum()) == pytest.approx(1.0, abs=1e-12)
    assert ((shares - weights).abs() <= 5 * (weights * (1 - weights) / len(x)).sqrt()).all()
    noised = p.sample(10_000, 0.5, generator)[:, 0]
    variance = 0.25 + float((weights * (torch.arange(3) - 1.6) ** 2).sum())
    assert abs(float(noised.mean()) - 1.6) <= 5 * math.sqrt(variance / 10_000)


class LargestTensor(TorchDispatchMode):
    """Records the most entries of any tensor that an operation gives back."""

    def __init__(self):
        super().__init__()
        self.entries = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for part in result if isinstance(result, tuple | list) else [result]:
            if isinstance(part, torch.Tensor):
                self.entries = max(self.entries, part.untyped_storage().nbytes() // 8)
        return result


def test_no_temporary_holds_all_differences(generator):
    """Nothing larger than the points themselves, (N, n), or the (N, batch) shares."""
    count, dim, batch = 300, 200, 250
    p = pc.Empirical(normal(generator, count, dim))
    x = normal(generator, batch, dim)
    for sigma in (0.5, 0.5 + uniform(generator, batch)):
        with LargestTensor() as record:
            p.log_prob_and_score(x, sigma)
            p.denoise(x, sigma)
        assert record.entries <= max(count * dim, count * batch, dim * batch)


def test_large_batches_are_cut_into_pieces(generator, monkeypatch):
    monkeypatch.setattr("projcomp.densities.empirical._LOGITS", 1000)
    p = pc.Empirical(normal(generator, 100, 3))
    x = normal(generator, 57, 3)
    with LargestTensor() as record:
        pieces = p.score(x, 0.6)
    assert record.entries <= 1000
    monkeypatch.undo()
    close(pieces, p.score(x, 0.6))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), r"points must have shape \(N, n\), both >= 1, got \(0,\)"),
        ((torch.zeros(0, 3),), r"points must have shape \(N, n\), both >= 1, got \(0, 3\)"),
        ((torch.zeros(3, 0),), r"points must have shape \(N, n\), both >= 1, got \(3, 0\)"),
        (([1.0, 2.0],), r"points must have shape \(N, n\), both >= 1, got \(2,\)"),
        (([[1.0], [math.nan]],), r"points must be finite, got 1 NaN or infinite of 2"),
        (([[1e200]],), r"points must be at most 1e\+100 in magnitude"),
        (([[1.0], [2.0]], [0.5, 0.6]), r"weights must sum to one, got a sum of 1.1"),
        (([[1.0], [2.0]], [1.0]), r"weights must have shape \(2,\).*got \(1,\)"),
        (([[1.0], [2.0]], [2.0, -1.0]), r"weights must be >= 0, got -1"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        pc.Empirical(*arguments)


@pytest.mark.parametrize("sigma", [0.0, [0.5, 0.0], 1e-200])
def test_no_density_without_noise(sigma):
    p = pc.Empirical([[0.0, 1.0]])
    for method in (p.log_prob, p.score, p.denoise):
        with pytest.raises(ValueError, match=r"sigma must be > 0.*no density at 0; got"):
            method([[0.0, 0.0], [1.0, 1.0]], sigma)


def pictures_on_one_floor(kinds=3, each=70, dim=600, seed=5):
    """Points that differ from a common one in a few coordinates, each kind in others."""
    generator = seeded(seed)
    floor = 0.5 + normal(generator, dim)
    points = floor.repeat(kinds * each, 1)
    for kind in range(kinds):
        first = 40 + 150 * kind
        rows = slice(kind * each, (kind + 1) * each)
        points[rows, first : first + 90] += normal(generator, each, 90)
    return points


def uneven(points):
    weights = 0.01 + uniform(seeded(3), len(points))
    return weights / weights.sum()


@pytest.mark.parametrize("sigma", [0.05, 1.0, 30.0])
@pytest.mark.parametrize("offset", [0.0, 1e5])
@pytest.mark.parametrize("kinds", [1, 3])
def test_points_that_agree_in_most_coordinates(sigma, offset, kinds):
    """They are multiplied in the other coordinates only, and nothing changes."""
    points = pictures_on_one_floor(kinds) + offset
    p = pc.Empirical(points, uneven(points))
    kept = sum(slab.values.numel() for slab in p._parameters(points.device).centred.slabs)
    assert kept < 0.2 * points.numel()
    x = points[::30] + sigma * normal(seeded(6), len(points[::30]), points.shape[1])
    log_prob, score = by_brute_force(points, p.weights, x, sigma)
    close(p.log_prob(x, sigma), log_prob, 1e-11, 1e-9)
    close_in_scale(p.score(x, sigma), score, 1e-10)
    close_in_scale(p.denoise(x, sigma) - offset, x - offset + sigma**2 * score, 1e-10)
    close_in_scale(p.score(x, sigma), gradient(lambda y: p.log_prob(y, sigma), x), 1e-10)


def test_points_in_any_order_and_twice():
    points = pictures_on_one_floor()
    order = torch.randperm(len(points), generator=seeded(7))
    x = points[:9] + 0.3 * normal(seeded(8), 9, points.shape[1])
    p, shuffled = pc.Empirical(points), pc.Empirical(points[order])
    twice = pc.Empirical(torch.cat([points, points]))
    for other in (shuffled, twice):
        close(other.log_prob(x, 0.3), p.log_prob(x, 0.3), 1e-11, 1e-9)
        close_in_scale(other.score(x, 0.3), p.score(x, 0.3), 1e-10)


def test_points_that_are_all_the_same():
    points = pictures_on_one_floor()[:1].repeat(40, 1)
    p, one = pc.Empirical(points), pc.Empirical(points[:1])
    x = points[:3] + normal(seeded(9), 3, points.shape[1])
    close(p.log_prob(x, 0.7), one.log_prob(x, 0.7), 1e-11, 1e-9)
    close(p.score(x, 0.7), -(x - points[:3]) / 0.49, 1e-11, 1e-11)


def test_derivatives_of_points_that_agree():
    p = pc.Empirical(pictures_on_one_floor(1, 40))
    x = p.points[:2] + 0.5 * normal(seeded(10), 2, p.dim)
    x = x.requires_grad_(True)
    sigma = torch.tensor([0.3, 0.8], dtype=torch.float64, requires_grad=True)
    score = p.score(x, sigma)
    along = normal(seeded(11), 2, p.dim)
    (hessian_along,) = torch.autograd.grad((score * along).sum(), x)
    step = 1e-5
    with torch.no_grad():
        ahead, behind = (p.score(x + s * along, sigma) for s in (step, -step))
    close_in_scale(hessian_along, (ahead - behind) / (2 * step), 1e-6)
