"""Products of powers of mixtures: every way through the hot loop gives the same numbers."""

import math
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import projcomp as pc
import pytest
import torch
from projcomp.densities.mixtures import powers_of

from tests.helpers import close, close_in_scale, gradient, normal, random_mixture, seeded, uniform

# (mixtures, components, dimensions): with fewer dimensions than components in all, one sigma goes
# by a single matrix product; the others by whitened offsets, rotated where a covariance is full.
SHAPES = [(1, 1, 1), (1, 1, 3), (1, 6, 2), (4, 3, 2), (2, 2, 4), (2, 2, 7), (3, 2, 6), (2, 5, 8)]
MIXES = [("full",), ("diagonal",), ("isotropic", "full")]


def family(shape, kinds, seed=0):
    m, components, dim = shape
    generator = seeded(seed)
    mixtures = [random_mixture(generator, components, dim, kinds[j % len(kinds)]) for j in range(m)]
    exponents = [1.7, -0.6, 1.0, -2.0][:m]
    return mixtures, exponents, powers_of(mixtures, exponents)


def by_definition(mixtures, exponents, x, sigma):
    """Sum of exponents times log densities, component by component, by Cholesky factors."""
    eye = torch.eye(x.shape[-1], dtype=torch.float64)
    noise = torch.as_tensor(sigma, dtype=torch.float64)[..., None, None, None] ** 2 * eye
    total = 0.0
    for p, exponent in zip(mixtures, exponents, strict=True):
        normals = torch.distributions.MultivariateNormal(p.means, p.covariances + noise)
        logs = normals.log_prob(x[:, None]) + p.weights.log()
        total = total + exponent * torch.logsumexp(logs, 1)
    return total


def levels(generator, batch):
    """One level, none, and a level for each point with a zero among them."""
    many = 2 * uniform(generator, batch)
    many[0] = 0.0
    return 0.6, 0.0, many


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kinds", MIXES)
def test_log_prob_by_definition(generator, shape, kinds):
    mixtures, exponents, powers = family(shape, kinds)
    x = 2 * normal(generator, 9, shape[2])
    for sigma in levels(generator, 9):
        close(powers.log_prob(x, sigma), by_definition(mixtures, exponents, x, sigma), 1e-11, 1e-11)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kinds", MIXES)
def test_score_is_the_gradient(generator, shape, kinds):
    mixtures, exponents, powers = family(shape, kinds)
    x = 2 * normal(generator, 9, shape[2])
    for sigma in levels(generator, 9):
        wanted = gradient(lambda y, s=sigma: by_definition(mixtures, exponents, y, s), x)
        log_prob, score = powers.log_prob_and_score(x, sigma)
        close_in_scale(score, wanted, 1e-11)
        close(powers.score(x, sigma), score, 0.0, 0.0)
        close(powers.log_prob(x, sigma), log_prob, 0.0, 0.0)
        close_in_scale(gradient(lambda y, s=sigma: powers.log_prob(y, s), x), wanted, 1e-11)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kinds", MIXES)
def test_recording_gradients_changes_no_number(generator, shape, kinds):
    _, _, powers = family(shape, kinds)
    x = 2 * normal(generator, 9, shape[2])
    for sigma in levels(generator, 9):
        log_prob, score = powers.log_prob_and_score(x, sigma)
        recorded = powers.log_prob_and_score(x.clone().requires_grad_(True), sigma)
        assert all(part.requires_grad for part in recorded)
        close(recorded[0].detach(), log_prob, 1e-13, 1e-13)
        close_in_scale(recorded[1].detach(), score, 1e-13)
        with torch.inference_mode():
            inside = powers.log_prob_and_score(x, sigma)
        close(inside[0].clone(), log_prob, 1e-13, 1e-13)
        close_in_scale(inside[1].clone(), score, 1e-13)


@pytest.mark.parametrize("shape", [(1, 1, 3), (4, 3, 2), (3, 2, 6)])
@pytest.mark.parametrize("kinds", MIXES)
def test_second_derivatives(generator, shape, kinds):
    _, _, powers = family(shape, kinds)
    x = normal(generator, 3, shape[2]).requires_grad_(True)
    for sigma in levels(generator, 3):
        assert torch.autograd.gradcheck(lambda y, s=sigma: powers.score(y, s), x)


@pytest.mark.parametrize("shape", [(1, 1, 3), (4, 3, 2), (3, 2, 6)])
@pytest.mark.parametrize("kinds", MIXES)
def test_gradient_by_sigma(generator, shape, kinds):
    _, _, powers = family(shape, kinds)
    x = normal(generator, 3, shape[2])
    one = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    many = torch.tensor([0.3, 0.7, 1.5], dtype=torch.float64, requires_grad=True)
    for sigma in (one, many):
        assert torch.autograd.gradcheck(lambda s: powers.log_prob(x, s), sigma)
        assert torch.autograd.gradcheck(lambda s: powers.score(x, s), sigma)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_later_call_leaves_earlier_answers_alone(generator, shape):
    """Temporaries are reused between calls: none may be handed out."""
    for kinds in MIXES:
        _, _, powers = family(shape, kinds)
        x, y = normal(generator, 40, shape[2]), normal(generator, 40, shape[2])
        for sigma in levels(generator, 40):
            kept = x.clone()
            answers = (powers.log_prob(x, sigma), *powers.log_prob_and_score(x, sigma))
            copies = [part.clone() for part in answers]
            powers.log_prob_and_score(y, sigma)
            powers.log_prob_and_score(y.repeat(3, 1), 0.1)
            for part, copy in zip(answers, copies, strict=True):
                close(part, copy, 0.0, 0.0)
            close(x, kept, 0.0, 0.0)


def test_what_is_kept_for_one_sigma_is_not_used_for_another(generator):
    mixtures, exponents, powers = family((4, 3, 2), ("full",))
    x = normal(generator, 9, 2)
    for sigma in (0.5, 0.5, 0.0, 2.0, 0.5):
        close(powers.log_prob(x, sigma), by_definition(mixtures, exponents, x, sigma), 1e-11, 1e-11)


def test_inference_mode_first_and_gradients_later(generator):
    _, _, powers = family((4, 3, 2), ("full",), seed=1)
    x = normal(generator, 50_000, 2)
    with torch.inference_mode():
        inside = powers.score(x, 0.4)
    close(powers.score(x, 0.4), inside.clone(), 1e-13, 1e-12)
    gradient(lambda y: powers.log_prob(y, 0.4), x[:5])


def test_threads_do_not_disturb_each_other(generator):
    """Each thread has temporaries of its own, and all of them different levels to look up."""
    mixtures, exponents, powers = family((4, 3, 2), ("full",))
    jobs = [(normal(generator, 2000, 2), 0.1 * j) for j in range(4)]
    wanted = [by_definition(mixtures, exponents, *job) for job in jobs]
    together = Barrier(len(jobs))

    def work(job):
        together.wait()
        return [powers.log_prob(*job) for _ in range(50)]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns within each evaluation
    try:
        with ThreadPoolExecutor(len(jobs)) as pool:
            answers = list(pool.map(work, jobs))
    finally:
        sys.setswitchinterval(interval)
    for repeats, expected in zip(answers, wanted, strict=True):
        for answer in repeats:
            close(answer, expected, 1e-10, 1e-10)


@pytest.mark.parametrize("width", [1.0, 1e-40])
def test_components_too_far_to_count(width):
    """Each point near a component has its numbers: weights of the others are below 1e-300."""
    means = 80.0 * torch.arange(8, dtype=torch.float64)[:, None]
    p = pc.GaussianMixture(torch.full((8,), 0.125), means, width**2)
    z = normal(seeded(1), 8, 1)
    x = means + width * z
    log_prob, score = p.log_prob_and_score(x)
    z = (x - means) / width
    wanted = -0.5 * z[:, 0] ** 2 - math.log(8 * width * math.sqrt(2 * math.pi))
    close(log_prob, wanted, 1e-12, 1e-12)
    close(score, -z / width, 1e-12, 1e-11 if width == 1.0 else 1e-200)


def test_large_batches_are_cut_into_pieces(generator):
    _, _, powers = family((4, 3, 2), ("full",))
    size = powers._chunk(torch.device("cpu"))
    x = normal(generator, 2 * size + 3, 2)
    sigma = uniform(generator, len(x))
    some = torch.tensor([0, size - 1, size, 2 * size, 2 * size + 2])
    close(powers.log_prob(x, 0.3)[some], powers.log_prob(x[some], 0.3))
    close(powers.score(x, sigma)[some], powers.score(x[some], sigma[some]), 1e-10, 1e-10)
