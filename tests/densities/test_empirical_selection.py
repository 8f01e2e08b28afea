"""Points found in float32 and looked at in float64: the same digits, whatever the points are."""

import copy
import math
import pickle

import numpy as np
import projcomp as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from projcomp.densities import _select
from projcomp.densities._slabs import half_squares, plus_mean
from projcomp.densities.empirical import posterior

from tests.every_density import defaults
from tests.helpers import close, close_in_scale, gradient, normal, seeded, uniform

F64 = torch.float64
COUNT, DIM = 1100, 960


def cloud(count=COUNT, dim=DIM, seed=0):
    return normal(seeded(seed), count, dim)


def precisely(points, weights, x, sigma):
    """log p^sigma, score and shares (B, N), from all differences in long double."""
    points, x = (part.numpy().astype(np.longdouble) for part in (points, x))
    sigma = np.broadcast_to(np.asarray(sigma, np.longdouble), len(x))
    log_probs, scores, all_shares = [], [], []
    with np.errstate(divide="ignore"):
        logs_of_weights = np.log(weights.numpy().astype(np.longdouble))
    for y, s in zip(x, sigma, strict=True):
        gaps = points - y
        logs = logs_of_weights - (gaps * gaps).sum(1) / (2 * s * s)
        shares = np.exp(logs - logs.max())
        constant = len(y) * np.log(2 * np.pi * s * s) / 2
        log_probs.append(logs.max() + np.log(shares.sum()) - constant)
        shares /= shares.sum()
        scores.append((shares[:, None] * gaps).sum(0) / s**2)
        all_shares.append(shares)
    return [torch.from_numpy(np.array(f).astype(float)) for f in (log_probs, scores, all_shares)]


def selection(p):
    return p._parameters(p.points.device).selection


def prepared(points, weights=None):
    """A distribution that has its copy in float32, as after some calls at low noise."""
    p = pc.Empirical(points, weights)
    for _ in range(2):
        p.score(p.points[:32], 1e-3 * float(points.std()))
    assert selection(p).copy is not None
    return p


def rows_of(p, x, sigma):
    """The points that are looked at for each group of x, None for all of them."""
    level = torch.as_tensor(sigma, dtype=F64)
    return [rows for _, _, rows in selection(p).parts(x.T.contiguous(), level)]


@pytest.fixture
def always(monkeypatch):
    """Selection for the smallest of distributions too, however much is left."""
    for name in ("_LEAST", "_LEAST_POINTS", "_LEAST_DIM", "_WORTH"):
        monkeypatch.setattr(_select, name, 1)
    for name in ("_HOPEFUL", "_MOST", "_MOST_COPIED"):
        monkeypatch.setattr(_select, name, 1e9)


def uneven(count, zeros=True):
    weights = 0.01 + uniform(seeded(3), count)
    if zeros:
        weights[::3] = 0.0
    return weights / weights.sum()


@pytest.mark.parametrize("offset", [0.0, 1e3])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_digits_of_all_points(offset, weighted):
    """Within 1e-12 of a long double reference, as without a selection."""
    points = cloud() + offset
    weights = uneven(COUNT) if weighted else torch.full((COUNT,), 1 / COUNT, dtype=F64)
    p = prepared(points, weights)
    x = offset + cloud(20, seed=1)
    sigmas = 0.05 + uniform(seeded(2), 20)
    for sigma in (0.05, 0.3, 0.6, sigmas):
        assert all(rows is not None for rows in rows_of(p, x, sigma))
        log_prob, score, _ = precisely(points, weights, x, sigma)
        close(p.log_prob(x, sigma), log_prob, 1e-13, 0.0)
        close_in_scale(p.score(x, sigma), score, 1e-12)
        both = p.log_prob_and_score(x, sigma)
        close(both[0], log_prob, 1e-13, 0.0)
        close_in_scale(both[1], score, 1e-12)
        squares = torch.as_tensor(sigma, dtype=F64).expand(20)[:, None] ** 2
        close_in_scale(p.denoise(x, sigma) - offset, x - offset + squares * score, 1e-12)


def test_few_points_are_looked_at_at_low_noise_and_all_at_high():
    p, x = prepared(cloud()), cloud(70, seed=1)
    groups = rows_of(p, x, 0.3)
    assert len(groups) == 5  # of 64 columns in four, and the 6 columns after them
    assert max(len(rows) for rows in groups) < 80
    assert rows_of(p, x, 30.0) == [None]
    p.score(p.points[:32], 30.0)


@pytest.mark.parametrize("sigma", [0.02, 0.3, 0.7, 1.0])
def test_what_is_left_out_is_nothing(sigma, always):
    """All together less than 2^-53 of the posterior of each x."""
    p, x = pc.Empirical(cloud(400, 300)), cloud(40, 300, seed=1)
    *_, shares = precisely(p.points, p.weights, x, sigma)
    for start, rows in zip(range(0, 40, 16), rows_of(p, x, sigma), strict=True):
        rest = shares[start : start + 16].clone()
        rest[:, rows] = 0.0
        assert float(rest.sum(1).max()) < 2.0**-53


@pytest.mark.parametrize("signs", ["positive", "mixed"])
@pytest.mark.parametrize("placed", ["about the origin", "one far outlier"])
def test_points_closer_than_float32_can_tell(signs, placed, always):
    """They are all looked at: float32 alone would take wrong ones."""
    generator = seeded(4)
    base = normal(generator, 1, 3000)
    points = (base.abs() if signs == "positive" else base) + 2e-5 * normal(generator, 60, 3000)
    points = torch.cat([points, -points[:20]])
    if placed == "one far outlier":
        points[-1] *= 30.0
    p = pc.Empirical(points)
    x = points[:16] + 1e-6 * normal(generator, 16, 3000)
    sigma = 1e-5
    log_prob, score, shares = precisely(points, p.weights, x, sigma)
    (rows,) = rows_of(p, x, sigma)
    assert len(rows) < len(points)  # those on the other side are left out
    single = (points.float() @ x.T.float()).double() - half_squares(points)[:, None]
    best = single.argmax(0)
    assert (shares.argmax(1) != best).any()
    assert set(shares.argmax(1).tolist()) <= set(rows.tolist())
    close(p.log_prob(x, sigma), log_prob, 1e-8, 0.0)
    close_in_scale(sigma**2 * p.score(x, sigma), sigma**2 * score, 1e-6)


def test_the_bound_holds_for_products_that_add_up():
    """Terms of one sign: the worst for a sum. A thousandth of the bound does not hold."""
    points = 1.0 + 1e-3 * cloud()
    points[::2] -= 2.0
    found = selection(pc.Empirical(points))
    x = points[:64].T.contiguous()
    single = torch.mm(points.float(), x.float()).double()
    wrong = (single - points @ x).abs()
    bound = found.error * found.lengths[:, None] * x.norm(dim=0)
    assert (wrong <= bound).all()
    assert not (wrong <= bound / 1000).all()


@pytest.mark.parametrize("distance", [1e2, 1e4, 1e8])
def test_clusters_far_apart(distance, always):
    points = torch.cat([cloud(60, 40), distance + cloud(60, 40, seed=1)])
    p = pc.Empirical(points)
    x = torch.cat([points[:5], points[-5:]]) + 0.2 * cloud(10, 40, seed=2)
    for sigma in (0.3, 1.0, 0.3 + uniform(seeded(3), 10)):
        log_prob, score, _ = precisely(points, p.weights, x, sigma)
        close(p.log_prob(x, sigma), log_prob, 1e-11, 1e-11)
        close_in_scale(p.score(x, sigma), score, 1e-9)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1e-6, 1.0, 1e6]),
    st.sampled_from([0.0, 3.0, 1e4]),
    st.floats(0.05, 20),
    st.booleans(),
)
def test_random_clouds(seed, scale, offset, ratio, many):
    generator = seeded(seed)
    count, dim = (int(torch.randint(1, most, (), generator=generator)) for most in (40, 12))
    points = scale * (offset + normal(generator, count, dim))
    points = torch.cat([points, points[: count // 2]])  # and some twice
    weights = uneven(len(points), zeros=len(points) > 3)
    x = points[:20] + scale * normal(generator, len(points[:20]), dim)
    sigma = ratio * scale
    if many:
        sigma = sigma * (0.5 + uniform(generator, len(x)))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_LEAST", "_LEAST_POINTS", "_LEAST_DIM", "_WORTH"):
            patch.setattr(_select, name, 1)
        for name in ("_HOPEFUL", "_MOST", "_MOST_COPIED"):
            patch.setattr(_select, name, 1e9)
        p = pc.Empirical(points, weights)
        log_prob, score, _ = precisely(points, weights, x, sigma)
        close(p.log_prob(x, sigma), log_prob, 1e-11, 1e-9)
        close_in_scale(p.score(x, sigma), score, 1e-9)


def test_ties_and_duplicates():
    """A point stored twice counts twice, and x between two points is drawn to both."""
    points = cloud()
    points[1], points[2] = points[0], -points[0]
    p = prepared(points)
    x = torch.stack([points[0], torch.zeros(DIM, dtype=F64), points[3]])
    log_prob, score, _ = precisely(points, p.weights, x, 0.2)
    close(p.log_prob(x, 0.2), log_prob, 1e-13, 0.0)
    close_in_scale(p.score(x, 0.2), score, 1e-12)
    same = prepared(points[:1].repeat(COUNT, 1) + 1e-3 * cloud(seed=1).round())
    assert torch.isfinite(same.score(x, 0.2)).all()


@pytest.mark.parametrize("magnitude", [1e-90, 1e-12, 1e16, 1e100])
def test_points_that_float32_does_not_hold_are_never_copied(magnitude):
    points = magnitude * cloud().clamp(-1, 1)
    p = pc.Empirical(points)
    assert selection(p) is None
    x = points[:40]
    close_in_scale(p.denoise(x, 0.01 * magnitude), x, 1e-12)


def test_x_that_float32_does_not_hold():
    p = prepared(cloud())
    for far in (1e16, 1e50, 1e100):
        x = torch.cat([cloud(2, seed=1), torch.full((1, DIM), far, dtype=F64)])
        assert rows_of(p, x, 0.1) == [None]
        assert torch.isfinite(p.score(x, 0.1)).all()
        close(p.score(x, 0.1)[:2], p.score(x[:2], 0.1), 1e-9, 1e-9)


@pytest.mark.parametrize("sigma", [1e-100, 1e-3, 1e100])
def test_any_level(sigma):
    p, x = prepared(cloud()), cloud(40, seed=1)
    nearest = p.points[torch.cdist(x, p.points).argmin(1)]
    wanted = nearest if sigma < 1 else p.points.mean(0).expand_as(x)
    close_in_scale(p.denoise(x, sigma), wanted, 1e-12)
    assert not torch.isnan(p.log_prob(x, sigma)).any()


def test_a_level_of_zero_is_still_refused():
    p = prepared(cloud())
    with pytest.raises(ValueError, match=r"sigma must be > 0.*no density at 0; got 0"):
        p.score(p.points[:2], [0.1, 0.0])


def test_an_empty_batch():
    p = prepared(cloud())
    assert p.score(p.points[:0], 0.1).shape == (0, DIM)
    assert p.log_prob(p.points[:0], 0.1).shape == (0,)


def test_a_copy_is_made_when_it_is_worth_it():
    p, x = pc.Empirical(cloud()), cloud(8, seed=1)
    for _ in range(8):
        p.score(x, 40.0)
    assert selection(p).copy is None
    for _ in range(3):
        p.score(x, 0.1)
    assert selection(p).copy is None
    p.score(x, 0.1)
    assert selection(p).copy.dtype == torch.float32
    assert selection(pc.Empirical(cloud(300, 200))) is None  # too small to be of use


def test_copies_and_pickles_have_the_points_once():
    p, x = prepared(cloud()), cloud(40, seed=1)
    pickled = pickle.dumps(p)
    assert len(pickled) < 1.1 * p.points.nbytes
    for other in (pickle.loads(pickled), copy.deepcopy(p)):
        assert selection(other).copy is None
        close(other.score(x, 0.1), p.score(x, 0.1), 0.0, 0.0)


def test_derivatives_are_those_of_all_points():
    p, x = prepared(cloud()), cloud(3, seed=1)
    wanted = p.score(x, 0.4)
    close_in_scale(gradient(lambda y: p.log_prob(y, 0.4), x), wanted, 1e-12)
    close_in_scale(torch.func.vmap(lambda y: p.score(y, 0.4))(x), wanted, 1e-12)
    along = cloud(3, seed=2)
    value, change = torch.func.jvp(lambda y: p.log_prob(y, 0.4), (x,), (along,))
    close(value, p.log_prob(x, 0.4), 1e-13, 0.0)
    close(change, (wanted * along).sum(1), 1e-9, 1e-9)
    level = torch.tensor(0.4, dtype=F64, requires_grad=True)
    (slope,) = torch.autograd.grad(p.log_prob(x, level).sum(), level)
    ahead, behind = (float(p.log_prob(x, 0.4 + step).sum()) for step in (1e-5, -1e-5))
    assert float(slope) == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)


def test_in_inference_mode_and_without_gradients():
    p, x = pc.Empirical(cloud()), cloud(40, seed=1)
    with torch.inference_mode():
        found = p.score(x, 0.1), p.score(x, 0.1)
    assert selection(p).copy is not None
    assert not selection(p).copy.is_inference()
    y = x.clone().requires_grad_(True)
    with torch.no_grad():
        close(p.score(y, 0.1), found[1], 0.0, 0.0)
    close_in_scale(torch.autograd.grad(p.log_prob(y, 0.1).sum(), y)[0], found[0], 1e-12)


def in_bfloat16():
    return torch.autocast("cpu", dtype=torch.bfloat16)


class MediumPrecision:
    """Products of float32 matrices in bfloat16, where the processor has them."""

    def __enter__(self):
        self.before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("medium")

    def __exit__(self, *_):
        torch.set_float32_matmul_precision(self.before)


@pytest.mark.parametrize("setting", [in_bfloat16, MediumPrecision])
def test_no_selection_where_float32_is_something_else(setting):
    p, x = prepared(cloud()), cloud(40, seed=1)
    wanted = p.score(x, 0.4)
    level = torch.tensor(0.4, dtype=F64)
    assert _select.selection(p._parameters(x.device), x.T, level) is not None
    with setting():
        assert _select.selection(p._parameters(x.device), x.T, level) is None
        close_in_scale(p.score(x, 0.4), wanted, 1e-12)
    assert _select.selection(p._parameters(x.device), x.T, level) is not None


@pytest.mark.parametrize("changed", [{"dtype": torch.float64}, {"device": "meta"}])
def test_whatever_the_defaults_are(changed):
    points, x = cloud(), cloud(40, seed=1)
    wanted = prepared(points).score(x, 0.3)
    with defaults(**changed):
        p = pc.Empirical(points)
        p.score(x, 0.3)
        found = p.score(x, 0.3)
        assert selection(p).copy is not None
    close(found, wanted, 0.0, 0.0)


def test_answers_in_float32_and_of_any_shape():
    p, x = prepared(cloud()), cloud(40, seed=1).reshape(4, 10, DIM)
    sigma = 0.1 + 0.3 * uniform(seeded(5), 4, 1)
    score, log_prob = p.score(x, sigma), p.log_prob(x, sigma)
    assert score.shape == x.shape
    close(score[2, 3], p.score(x[2, 3], float(sigma[2])), 1e-10, 1e-10)
    close(log_prob[1], p.log_prob(x[1], float(sigma[1])), 1e-12, 0.0)
    assert p.score(x.float(), sigma).dtype == torch.float32


def test_shares_are_zero_before_they_are_subnormal():
    """Products with subnormal numbers are many times slower."""
    points = torch.linspace(0, 60, 4000, dtype=F64)[:, None] * torch.eye(1, 20, dtype=F64)
    p = pc.Empirical(points)
    x, level = torch.zeros(20, 3, dtype=F64), torch.tensor(1.0, dtype=F64)
    share = posterior(x, level, p._parameters(x.device)).share
    assert float(share[share > 0].min()) > 1e-250
    assert not share[2100:].any()
    assert float(share.sum(0)[0]) == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("shape", [(1300, 700, 20), (1300, 700, 1), (40, 700, 900), (50, 3, 8)])
def test_sums_of_points(shape):
    count, dim, batch = shape
    points, total = cloud(count, dim), cloud(dim, batch, seed=1)
    share = uniform(seeded(2), count, batch)
    before = total.clone()
    close_in_scale(plus_mean(total, points, share), before + points.T @ share, 1e-13)
    assert torch.equal(total, before)  # it is the caller's
    common = points[0, :, None].expand(dim, batch)
    close_in_scale(plus_mean(common, points, share), common + points.T @ share, 1e-13)


def test_half_squares_keep_the_digits_of_what_they_differ_by():
    points = 1.0 + 1e-3 * cloud()
    with np.errstate(all="raise"):
        exactly = (points.numpy().astype(np.longdouble) ** 2).sum(1) / 2
    level = float(exactly.min())
    wanted = torch.from_numpy((exactly - np.longdouble(level)).astype(float))
    close(half_squares(points, level), wanted, 0.0, 4 * math.ulp(1.0) * DIM**0.5)
    close(half_squares(points), torch.from_numpy(exactly.astype(float)), 1e-15, 0.0)
