"""Boxes and rings with noise, against 50 digits and against points laid densely."""

import math

import mpmath as mp
import projcomp as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import close, close_in_scale, normal, seeded

F64 = torch.float64
BOX, RING = pc.Box([-1.0, 0.0], [2.0, 0.5]), pc.Ring([0.3, -0.2], 1.5)


def blurred(x: float, low: float, high: float, sigma: float):
    """log density and score of a box on the line, with as many digits as it takes."""
    with mp.workdps(80):
        x, low, high, sigma = map(mp.mpf, (x, low, high, sigma))
        a, b = (low - x) / sigma, (high - x) / sigma
        sign = -1 if a + b < 0 else 1
        near, far = (a, b) if sign == 1 else (-b, -a)  # the tails: no difference of near ones
        mass = (mp.erfc(near / mp.sqrt(2)) - mp.erfc(far / mp.sqrt(2))) / 2
        slope = (mp.npdf(a) - mp.npdf(b)) / (sigma * mass)
        return float(mp.log(mass / (high - low))), float(slope)


@pytest.mark.parametrize("sigma", [1e-8, 1e-3, 0.1, 0.5, 0.8, 1.0, 2.0, 10.0, 1e3, 1e8])
def test_a_box_on_the_line(sigma):
    """Inside, at the edges, and on both sides of every change of formula."""
    box, half = pc.Box([-1.0], [2.0]), 1.5
    off = [0.1, 0.6, 1 - 1e-9, 1.0, 1 + 1e-9, 1.7, 30.0, 0.5 * (sigma / half) ** 2]
    off += [1 + k * sigma / half for k in (0.01, 1.0, 19.9, 20.1, 300.0, 1e4, 1e8)]
    x = torch.tensor([0.5 + sign * half * u for u in off for sign in (1, -1)], dtype=F64)[:, None]
    found = box.log_prob_and_score(x, sigma)
    wanted = torch.tensor([blurred(float(p), -1.0, 2.0, sigma) for p in x], dtype=F64)
    close(found[0], wanted[:, 0], 1e-13, 1e-13)
    close(found[1][:, 0], wanted[:, 1], 1e-10, 1e-13 / sigma)


@pytest.mark.parametrize("z", [50.0, 1e4, 1e6, 1e8])
def test_the_curvature_of_a_box_far_out(z):
    """The slope is that of a tail, -(z + 1/z - 2/z^3 + ..); so curved by -1 + 1/z^2 - 6/z^4 + .."""
    bend = torch.func.jacfwd(pc.Box([-1e9], [0.0]).score)(torch.tensor([z], dtype=F64), 1.0)
    close(bend, torch.tensor([[-1.0 + z**-2]], dtype=F64), 7 * z**-4 + 1e-12, 0.0)


@given(st.floats(0, 1), st.floats(0.05, 20.0))
def test_a_box_is_symmetric_and_a_product(place, sigma):
    line = [pc.Box([float(a)], [float(b)]) for a, b in zip(BOX.low, BOX.high, strict=True)]
    x = normal(seeded(int(place * 999)), 6, 2)
    product = pc.BlockProduct(line)
    close(BOX.log_prob(x, sigma), product.log_prob(x, sigma), 1e-12, 1e-12)
    mirrored = BOX.low + BOX.high - x
    close(BOX.log_prob(mirrored, sigma), BOX.log_prob(x, sigma), 1e-11, 1e-11)
    close(BOX.score(mirrored, sigma), -BOX.score(x, sigma), 1e-9, 1e-9)


def test_a_box_without_noise():
    x = torch.tensor([[0.0, 0.1], [-1.0, 0.5], [2.1, 0.1], [0.0, -1e-9]], dtype=F64)
    inside = -math.log(3.0 * 0.5)
    close(BOX.log_prob(x), torch.tensor([inside, inside, -math.inf, -math.inf], dtype=F64))
    close(BOX.score(x), torch.zeros(4, 2, dtype=F64), 0.0, 0.0)
    levels = torch.tensor([0.0, 0.3, 0.0, 0.3], dtype=F64)
    mixed = BOX.log_prob(x, levels)
    close(mixed[[0, 2]], BOX.log_prob(x)[[0, 2]], 0.0, 0.0)
    close(mixed[[1, 3]], BOX.log_prob(x, 0.3)[[1, 3]], 0.0, 0.0)
    close(BOX.score(x, levels)[[1, 3]], BOX.score(x, 0.3)[[1, 3]], 0.0, 0.0)
    close(BOX.log_prob(x[:1], 1e-9), BOX.log_prob(x[:1]), 1e-12, 1e-12)


@given(st.floats(0.02, 30.0), st.integers(0, 99))
def test_a_ring_is_its_points_laid_densely(sigma, seed):
    """The trapezoidal rule around a circle converges faster than any power: 20,000 are plenty."""
    turn = 2 * math.pi * torch.arange(20_000, dtype=F64) / 20_000
    points = RING.centre + RING.radius * torch.stack([turn.cos(), turn.sin()], 1)
    x = RING.centre + 2.0 * normal(seeded(seed), 5, 2)
    found, wanted = (p.log_prob_and_score(x, sigma) for p in (RING, pc.Empirical(points)))
    close(found[0], wanted[0], 1e-10, 1e-10)
    close_in_scale(found[1], wanted[1], 1e-9)


def around(distance: float, radius: float, sigma: float):
    """log density and radial score of a ring, by Bessel functions or their series far out."""
    with mp.workdps(60):
        r, radius, sigma = map(mp.mpf, (distance, radius, sigma))
        z = r * radius / sigma**2

        def scaled(order):
            if z < 1e4:
                return mp.besseli(order, z) * mp.exp(-z)
            term = total = mp.mpf(1)
            for k in range(1, 16):
                term *= -(4 * order**2 - (2 * k - 1) ** 2) / (8 * k * z)
                total += term
            return total / mp.sqrt(2 * mp.pi * z)

        log_prob = mp.log(scaled(0)) - ((r - radius) / sigma) ** 2 / 2
        slope = (radius * scaled(1) / scaled(0) - r) / sigma**2
        return float(log_prob - mp.log(2 * mp.pi * sigma**2)), float(slope)


@pytest.mark.parametrize("radius", [1.0, 1e-6, 1e7])
@pytest.mark.parametrize("sigma", [1e-8, 1e-5, 0.1, 1.0, 1e8])
def test_a_ring_at_any_distance(radius, sigma):
    """On the circle too, where -1/2r is left of the two large terms of its score."""
    z = [s * sigma**2 / radius for s in (0.5, 0.999, 1.001, 7.0, 99.9, 100.1, 1e6)]
    r = [1e-12 * radius, 0.5 * radius, radius, 3 * radius, radius + 1e8 * sigma, *z]
    r = [d for d in r if 1e-90 < d < 1e90]
    x = torch.tensor([[0.0, -d] for d in r], dtype=F64)
    log_prob, score = pc.Ring([0.0, 0.0], radius).log_prob_and_score(x, sigma)
    wanted = torch.tensor([around(d, radius, sigma) for d in r], dtype=F64)
    close(log_prob, wanted[:, 0], 1e-13, 1e-13)
    close(-score[:, 1], wanted[:, 1], 1e-11, 0.0)
    close(score[:, 0], torch.zeros(len(r), dtype=F64), 0.0, 0.0)


def test_the_centre_of_a_ring():
    """Smooth there: the score is zero, and the Hessian (R^2 / 2 sigma^2 - 1) / sigma^2."""
    for sigma in (0.3, 1.0, 5.0):
        log_prob, score = RING.log_prob_and_score(RING.centre, sigma)
        wanted = -0.5 * (RING.radius / sigma) ** 2 - math.log(2 * math.pi * sigma**2)
        assert float(log_prob) == pytest.approx(wanted, rel=1e-14)
        close(score, torch.zeros(2, dtype=F64), 0.0, 0.0)
        bend = torch.func.hessian(lambda y, s=sigma: RING.log_prob(y, s))(RING.centre)
        size = (0.5 * (RING.radius / sigma) ** 2 - 1.0) / sigma**2
        close(bend, size * torch.eye(2, dtype=F64), 1e-12, 1e-12)


@pytest.mark.parametrize("density", [BOX, RING])
def test_nothing_is_lost_far_out_and_at_any_noise(density):
    x = torch.tensor([[1e90, 0.0], [0.1, -1e60], [1e8, 1e8], [0.3, 0.1], [1.8, -0.2]], dtype=F64)
    for sigma in (1e-100, 1e-30, 1e-8, 1.0, 1e8, 1e40, 1e100):
        log_prob, score = density.log_prob_and_score(x, sigma)
        assert not log_prob.isnan().any()
        assert not score.isnan().any()
        bend = torch.func.vmap(torch.func.jacfwd(lambda y, s=sigma: density.score(y, s)))(x)
        assert not bend.isnan().any()
        far = (x.norm(dim=1) > 1e3) & (x.norm(dim=1) / sigma < 1e100)
        assert torch.isfinite(log_prob[far]).all()


@pytest.mark.parametrize("density", [BOX, RING])
def test_samples_and_the_density_agree(density):
    """First and second moments: within 5 standard errors of the known ones; and with noise."""
    n = 40_000
    x = density.sample(n, generator=seeded(7))
    if density is BOX:
        assert bool(((x >= BOX.low) & (x <= BOX.high)).all())
        mean, variance = 0.5 * (BOX.low + BOX.high), (BOX.high - BOX.low) ** 2 / 12
    else:
        close((x - RING.centre).norm(dim=1), torch.full((n,), 1.5, dtype=F64), 1e-14, 1e-14)
        mean, variance = RING.centre, torch.full((2,), 0.5 * 1.5**2, dtype=F64)
    assert float(((x.mean(0) - mean) / (variance / n).sqrt()).abs().max()) < 5
    assert float((x.var(0) / variance - 1).abs().max()) < 5 * math.sqrt(2 / n)
    cells = pc.Grid.square(6.0, 240)
    total = float(cells.log_integral(density.log_prob(cells.points, 0.5)))
    assert abs(total) < 1e-9
    noisy = density.sample(n, 0.5, seeded(8))
    quarter = (cells.points[..., 0] > 0.8) & (cells.points[..., 1] > 0.2)
    share = float(cells.masses(density, 0.5)[quarter].sum())
    found = float(((noisy[:, 0] > 0.8) & (noisy[:, 1] > 0.2)).double().mean())
    # The region's border falls between cells: a cell's width in mass, at the density's most.
    assert abs(found - share) < 5 * math.sqrt(share * (1 - share) / n) + 0.01


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pc.Box(0.0, 1.0), r"low must have shape \(n,\), got \(\)"),
        (lambda: pc.Box([], []), r"low must have shape \(n,\), got \(0,\)"),
        (lambda: pc.Box([0.0], [1.0, 2.0]), r"high must have the shape of low, \(1,\), got \(2,\)"),
        (lambda: pc.Box([0.0, 1.0], [1.0, 1.0]), r"high must be above low, but high\[1\] = 1 and"),
        (lambda: pc.Box([0.0], [math.inf]), r"high must be finite"),
        (lambda: pc.Box([0.0], [1e101]), r"high must be at most 1e\+100 in magnitude"),
        (lambda: pc.Ring([0.0], 1.0), r"centre must have shape \(2,\), got \(1,\)"),
        (lambda: pc.Ring([0.0, 0.0], 0.0), r"radius must be > 0, got 0"),
        (lambda: pc.Ring([0.0, 0.0], [1.0, 2.0]), r"radius must be one number, got shape \(2,\)"),
        (lambda: pc.Ring([0.0, math.nan], 1.0), r"centre must be finite"),
        (lambda: RING.score([0.0, 0.0]), r"sigma must be > 0 \(no density at 0\), and at least"),
        (lambda: RING.log_prob([0.0, 0.0], [1.0, 0.0]), r"sigma must be > 0 \(no density at 0\)"),
        (lambda: BOX.log_prob([0.0, 0.0], 1e-101), r"sigma must be 0 or at least 1e-100, got 1e-"),
    ],
)
def test_bad_parameters(make, message):
    with pytest.raises(ValueError, match=message):
        make()
