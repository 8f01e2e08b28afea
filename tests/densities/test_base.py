"""The surface that every density shares."""

import math

import numpy as np
import projcomp as pc
import pytest
import torch

from tests.helpers import (
    BANANA,
    close,
    close_in_scale,
    gradient,
    needs_cuda,
    normal,
    random_mixture,
    seeded,
    uniform,
)


class Tilted(pc.Density):
    """x^4 and a tilt, known by its log density alone; the noise level shifts it."""

    def _log_prob(self, x, sigma):
        return -(x**4).sum(0) + x[0] - sigma * x[1]


def all_densities() -> dict[str, pc.Density]:
    """One of each kind on R^2."""
    generator = seeded(7)
    p, q, r = (random_mixture(generator, k, 2) for k in (1, 3, 3))
    cloud = pc.Empirical(normal(generator, 9, 2))
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    return {
        "gaussian": p,
        "mixture": q,
        "empirical": cloud,
        "blocks": pc.BlockProduct(
            [random_mixture(generator, 2, 1), random_mixture(generator, 3, 1)], [[1], [0]]
        ),
        "rotated": pc.pushforward(cloud, turn),
        "composition": pc.compose(p, [q, r], [0.7, -0.4]),
        "mixed composition": pc.compose(cloud, [q, r]),
        "product": pc.simple_product([q, r]),
        "flat": pc.Flat(2),
        "by log density": Tilted(2),
    }


NAMES = list(all_densities())


@pytest.fixture(params=NAMES)
def density(request) -> pc.Density:
    return all_densities()[request.param]


def test_score_is_the_gradient(density, generator):
    x = normal(generator, 7, 2)
    for sigma in (0.8, 0.2 + uniform(generator, 7)):
        wanted = gradient(lambda y, s=sigma: density.log_prob(y, s) + 0.0 * y.sum(-1), x)
        close_in_scale(density.score(x, sigma), wanted, 1e-11)


def test_second_derivatives(density, generator):
    x = normal(generator, 3, 2).requires_grad_(True)
    for sigma in (0.8, torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)):
        assert torch.autograd.gradcheck(
            lambda y, s=sigma: density.score(y, s) + 0.0 * y, x, rtol=1e-4, atol=1e-6
        )


def test_the_methods_agree(density, generator):
    x = normal(generator, 7, 2)
    for sigma in (0.8, 0.2 + uniform(generator, 7)):
        log_prob, score = density.log_prob_and_score(x, sigma)
        close(density.log_prob(x, sigma), log_prob)
        close(density.score(x, sigma), score)
        square = torch.as_tensor(sigma, dtype=torch.float64)[..., None] ** 2
        close(density.denoise(x, sigma), x + square * score, 1e-10, 1e-10)


@pytest.mark.parametrize(
    ("batch", "level"),
    [
        ((), ()),
        ((), (4,)),
        ((5,), (1,)),
        ((5,), (5,)),
        ((3, 1), (4,)),
        ((2, 3), (3,)),
        ((1,), (6,)),
    ],
)
def test_sigma_broadcasts_against_the_batch(density, generator, batch, level):
    x, sigma = normal(generator, *batch, 2), 0.3 + uniform(generator, *level)
    shape = torch.broadcast_shapes(batch, level)
    log_prob, score = density.log_prob(x, sigma), density.score(x, sigma)
    assert log_prob.shape == shape
    assert score.shape == density.denoise(x, sigma).shape == (*shape, 2)
    xs, sigmas = x.expand(*shape, 2).reshape(-1, 2), sigma.expand(shape).reshape(-1)
    one_by_one = [density.log_prob(*pair) for pair in zip(xs, sigmas.tolist(), strict=True)]
    close(log_prob.reshape(-1), torch.stack(one_by_one))
    one_by_one = [density.score(*pair) for pair in zip(xs, sigmas.tolist(), strict=True)]
    close(score.reshape(-1, 2), torch.stack(one_by_one), 1e-10, 1e-10)


def test_the_answer_has_the_dtype_of_the_question(density):
    x = [[0.5, -1.0], [1.0, 2.0]]
    wanted = density.score(x, 1.0)
    assert wanted.dtype == torch.float64
    for given in (np.array(x), torch.tensor(x, dtype=torch.float64)):
        close(density.score(given, 1.0), wanted, 0.0, 0.0)
    for given in (torch.tensor(x), np.array(x, np.float32), torch.tensor(x).half()):
        answers = [density.score(given, 1.0), density.denoise(given, 1.0)]
        answers += [density.log_prob(given, 1.0), *density.log_prob_and_score(given, 1.0)]
        dtype = torch.as_tensor(given).dtype
        assert {answer.dtype for answer in answers} == {dtype}
        close(answers[0], wanted.to(dtype), 0.0, 0.0)
    for given in ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]]), torch.tensor([[1, 2], [3, 4]])):
        close(density.score(given, 1), density.score([[1.0, 2.0], [3.0, 4.0]], 1.0), 0.0, 0.0)


def test_an_empty_batch_gives_an_empty_answer(density):
    for batch, sigma in (((0,), 1.0), ((3, 0), 1.0), ((0,), torch.ones(0)), ((0, 1), [1.0, 2.0])):
        x = torch.zeros(*batch, 2)
        shape = torch.broadcast_shapes(batch, torch.as_tensor(sigma).shape)
        assert density.log_prob(x, sigma).shape == shape
        assert density.score(x, sigma).shape == density.denoise(x, sigma).shape == (*shape, 2)
        assert [part.shape for part in density.log_prob_and_score(x, sigma)] == [shape, (*shape, 2)]


def test_points_in_any_memory_order(density, generator):
    x = normal(generator, 2, 6)
    close(density.score(x.T, 0.9), density.score(x.T.contiguous(), 0.9), 0.0, 0.0)
    repeated = x[:, 0].expand(4, 2)
    close(density.score(repeated, 0.9), density.score(x[:, 0], 0.9).expand(4, 2))


BAD_CALLS = [
    (([1.0, 2.0, 3.0],), r"x must have shape \(..., 2\), got \(3,\)"),
    ((1.0,), r"x must have shape \(..., 2\), got \(\)"),
    (([],), r"x must have shape \(..., 2\), got \(0,\)"),
    (([math.nan, 0.0],), r"x must be finite"),
    ((torch.tensor([math.inf, 0.0]),), r"x must be finite"),
    (([1e101, 0.0],), r"x must be finite and at most 1e\+100 in magnitude"),
    (("ab",), r"x must be numeric, got 'ab'"),
    (([1.0j, 0.0],), r"x must be real, got dtype complex128"),
    (([0.0, 0.0], -0.1), r"sigma must be >= 0, got -0.1"),
    (([0.0, 0.0], math.nan), r"sigma must be finite, got 1 NaN or infinite of 1"),
    (([0.0, 0.0], [1.0, math.inf]), r"sigma must be finite, got 1 NaN or infinite of 2"),
    (([0.0, 0.0], 1e101), r"sigma must be at most 1e\+100, got 1e\+101"),
    (([0.0, 0.0], "high"), r"sigma must be numeric, got 'high'"),
    (([[0.0, 0.0]] * 3, [1.0, 2.0]), r"sigma of shape \(2,\) does not broadcast.*\(3,\) of x"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_CALLS)
def test_bad_calls(density, arguments, message):
    for method in (density.log_prob, density.score, density.log_prob_and_score):
        with pytest.raises(ValueError, match=message):
            method(*arguments)
    with pytest.raises(ValueError, match=message):
        density.denoise(*arguments, *([1.0] if len(arguments) == 1 else []))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), r"n must be >= 1, got 0"),
        ((2.0,), r"n must be an integer >= 1, got 2.0"),
        ((True,), r"n must be an integer >= 1, got True"),
        ((3, -1.0), r"sigma must be >= 0, got -1"),
        ((3, [1.0, 2.0]), r"sigma must be one number to sample, got shape \(2,\)"),
    ],
)
def test_bad_sample_calls(arguments, message):
    with pytest.raises(ValueError, match=message):
        pc.gaussian([0.0], 1.0).sample(*arguments)


def test_what_cannot_be_sampled_says_so():
    for name in ("composition", "flat", "by log density"):
        with pytest.raises(ValueError, match=r"has no exact sampler; use pc.reverse_diffusion"):
            all_densities()[name].sample(3)


@pytest.mark.parametrize("name", ["gaussian", "mixture", "empirical", "blocks", "rotated"])
@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_samples_are_a_function_of_the_generator(name, sigma):
    density = all_densities()[name]
    one, two = (density.sample(50, sigma, seeded(3)) for _ in range(2))
    assert torch.equal(one, two)
    assert one.shape == (50, 2)
    assert one.dtype == torch.float64
    assert not torch.equal(one, density.sample(50, sigma, seeded(4)))


def test_flat_is_one_everywhere():
    flat = pc.Flat(3)
    x = normal(seeded(0), 4, 3)
    assert (flat.log_prob(x, 2.0) == 0).all()
    assert (flat.score(x) == 0).all()
    assert torch.equal(flat.denoise(x, 2.0), x)
    assert flat.normalisable() is False


@pytest.mark.parametrize("dim", [0, -1, 2.5, None])
def test_bad_dimensions(dim):
    with pytest.raises(ValueError, match=r"dim must be "):
        pc.Flat(dim)


@needs_cuda
@pytest.mark.parametrize("name", NAMES)
def test_on_a_gpu(name):
    density = all_densities()[name]
    x = normal(seeded(0), 300, 2)
    for sigma in (0.7, 0.2 + uniform(seeded(1), 300)):
        there = density.score(x.cuda(), sigma)
        assert there.device.type == "cuda"
        close_in_scale(there.cpu(), density.score(x, sigma), 1e-10)
        close(density.log_prob(x.cuda(), sigma).cpu(), density.log_prob(x, sigma), 1e-10, 1e-10)
    assert density.score(x.cuda().float(), 0.7).dtype == torch.float32


@needs_cuda
def test_made_and_sampled_on_a_gpu():
    p = random_mixture(seeded(0), 3, 2)
    there = pc.GaussianMixture(p.weights, p.means.cuda(), p.covariances)
    x = normal(seeded(0), 30, 2)
    close(there.log_prob(x, 0.3), p.log_prob(x, 0.3))
    generator = torch.Generator("cuda").manual_seed(0)
    assert there.sample(10, 0.5, generator).device.type == "cuda"
    assert pc.pushforward(p, BANANA).sample(10, generator=generator).device.type == "cuda"
    c = pc.compose(there, [there, there])
    assert c.normalisable() in (None, True, False)
    single = pc.gaussian(p.means[0].cuda(), 1.0)
    close(pc.compose(single, [single]).exact().mean.cpu(), p.means[0])
