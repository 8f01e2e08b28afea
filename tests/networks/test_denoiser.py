"""Preconditioning, and networks as densities."""

from __future__ import annotations

import math

import mpmath
import projcomp as pc
import pytest
import torch
from projcomp import networks
from torch import nn

from tests.helpers import close, normal, seeded

SIGMAS = torch.logspace(-3, 3, 40, dtype=torch.float64)


class Linear(nn.Module):
    """F = (gain of its label) times the inputs."""

    def __init__(self, gains):
        super().__init__()
        self.gains = nn.Parameter(torch.tensor(gains))

    def forward(self, x, noise, label):
        return self.gains[label][:, None] * x


def untrained(dim=2, labels=3, sigma_data=0.7):
    return networks.Preconditioned(networks.MLP(dim, labels), dim, sigma_data, labels)


@pytest.mark.parametrize("sigma_data", [0.1, 1.0, 7.0])
def test_scales(sigma_data):
    """Appendix B.6 of Karras et al. 2022, requirement by requirement."""
    p = networks.Preconditioning(sigma_data)
    skip, out, into = p.c_skip(SIGMAS), p.c_out(SIGMAS), p.c_in(SIGMAS)
    variance = SIGMAS**2 + sigma_data**2
    close(into**2 * variance, torch.ones_like(SIGMAS))  # inputs of unit variance
    target = (1 - skip) ** 2 * sigma_data**2 + skip**2 * SIGMAS**2
    close(target / out**2, torch.ones_like(SIGMAS))  # targets of unit variance
    for step in (-1e-4, 1e-4):  # c_skip makes c_out as small as it can be
        other = (1 - skip - step) ** 2 * sigma_data**2 + (skip + step) ** 2 * SIGMAS**2
        assert (other > out**2).all()
    close(p.weight(SIGMAS) * out**2, torch.ones_like(SIGMAS))
    close(p.c_noise(SIGMAS), 0.25 * SIGMAS.log())


FORMULAS = {
    "c_skip": lambda s, d: d**2 / (s**2 + d**2),
    "c_out": lambda s, d: s * d / mpmath.sqrt(s**2 + d**2),
    "c_in": lambda s, d: 1 / mpmath.sqrt(s**2 + d**2),
    "c_noise": lambda s, d: mpmath.log(s) / 4,
    "weight": lambda s, d: (s**2 + d**2) / (s * d) ** 2,
}
RANGES = {
    torch.float16: [6e-8, 1e-4, 0.3, 300.0, 6e4],
    torch.bfloat16: [1e-38, 1e-20, 0.3, 1e20, 1e38],
    torch.float32: [1e-30, 1e-20, 1e-3, 0.5, 2.0, 1e3, 1e20, 1e30],
    torch.float64: [1e-100, 1e-30, 0.5, 2.0, 1e30, 1e100],
}


def rounded(values, dtype):
    """Numbers of any size in `dtype`: the nearest, infinite beyond the largest."""
    most = torch.finfo(torch.float64).max
    exact = [float(v) if abs(v) < most else math.inf for v in values]
    return torch.tensor(exact, dtype=torch.float64).to(dtype)


def nearly(found, wanted):
    """Within eight roundings of the dtype, or one step where it has few digits left."""
    finfo = torch.finfo(found.dtype)
    relative, step = 8 * finfo.eps, 2 * finfo.smallest_normal * finfo.eps
    assert found.dtype == wanted.dtype
    close(found.double(), wanted.double(), relative, step)


@pytest.mark.parametrize("sigma_data", [0.1, 1.5, 300.0, 1e-15, 1e15])
@pytest.mark.parametrize("dtype", RANGES, ids=str)
def test_scales_at_the_ends_of_every_dtype(dtype, sigma_data):
    sigma = torch.tensor(RANGES[dtype], dtype=dtype)
    scales = networks.Preconditioning(sigma_data)
    for name, formula in FORMULAS.items():
        wanted = [formula(mpmath.mpf(s), mpmath.mpf(sigma_data)) for s in sigma.tolist()]
        nearly(getattr(scales, name)(sigma), rounded(wanted, dtype))


@pytest.mark.parametrize("target", networks.preconditioning.TARGETS)
@pytest.mark.parametrize("dtype", RANGES, ids=str)
def test_coefficients_at_the_ends_of_every_dtype(dtype, target):
    sigma, data = torch.tensor(RANGES[dtype], dtype=dtype), 0.7
    model = networks.Preconditioned(networks.MLP(2), 2, data, target=target)
    levels = [mpmath.mpf(s) for s in sigma.tolist()]
    clean = target == "clean"
    total = [s if clean else mpmath.sqrt(s**2 + mpmath.mpf(data) ** 2) for s in levels]
    own, out = model.score_coefficients(sigma)
    nearly(own, rounded([-1 / t**2 for t in total], dtype))
    nearly(out, rounded([data / (t * s) for t, s in zip(total, levels, strict=True)], dtype))
    skip, out = model.coefficients(sigma)
    at = 0 if clean else 1
    nearly(skip, rounded([at * FORMULAS["c_skip"](s, mpmath.mpf(data)) for s in levels], dtype))
    outs = [data if clean else FORMULAS["c_out"](s, mpmath.mpf(data)) for s in levels]
    nearly(out, rounded(outs, dtype))


def test_what_a_clean_target_weighs_stops_in_every_dtype():
    model = networks.Preconditioned(networks.MLP(2), 2, 0.5, target="clean")
    for dtype, sigma in RANGES.items():
        weight = model.weight(torch.tensor(sigma, dtype=dtype))
        assert float(weight[0]) == pytest.approx(20.0)  # 1 / .25^2 + 1 / .5^2
        assert weight.dtype == dtype


@pytest.mark.parametrize("dtype", RANGES, ids=str)
@pytest.mark.parametrize("target", networks.preconditioning.TARGETS)
def test_a_denoiser_at_the_ends_of_every_dtype(dtype, target):
    """At high noise the input is as large as the level; the answer is of the data's size."""
    sigma = torch.tensor(RANGES[dtype], dtype=dtype)
    x = sigma[:, None] * torch.tensor([1.0, -0.5], dtype=dtype)
    model = networks.Preconditioned(Linear([0.3]), 2, 0.7, target=target)
    answer = model(x, sigma, torch.zeros(1, dtype=torch.int64))
    exact = model(x.double(), sigma.double(), torch.zeros(1, dtype=torch.int64))
    assert answer.dtype == dtype
    assert answer.isfinite().all()
    close(answer.double(), exact, 8 * torch.finfo(dtype).eps + 1e-6, 1e-7)


def test_targets_have_unit_variance_on_samples():
    clean, noise = 0.7 * normal(seeded(1), 40_000), normal(seeded(2), 40_000)
    p = networks.Preconditioning(0.7)
    for sigma in torch.tensor([0.02, 0.5, 20.0], dtype=torch.float64):
        seen = clean + sigma * noise
        target = (clean - p.c_skip(sigma) * seen) / p.c_out(sigma)
        assert abs(float((p.c_in(sigma) * seen).var()) - 1) < 0.04
        assert abs(float(target.var()) - 1) < 0.04


def test_an_untrained_network_is_the_gaussian_of_its_scale():
    density = networks.Denoiser(untrained())
    gaussian = pc.gaussian([0.0, 0.0], 0.49)
    x = 3 * normal(seeded(3), 40, 2)
    close(density.score(x, SIGMAS), gaussian.score(x, SIGMAS), relative=1e-9)
    close(density.denoise(x, SIGMAS), gaussian.denoise(x, SIGMAS), relative=1e-9)


def test_a_linear_network_is_known_in_closed_form():
    gains, s = [0.3, -0.2], 1.3
    model = networks.Preconditioned(Linear(gains), 2, s, labels=2)
    x = normal(seeded(4), 40, 2)
    for label, gain in enumerate(gains):
        density = networks.Denoiser(model, label)
        total = (SIGMAS**2 + s**2)[:, None]
        wanted = (s**2 + gain * s * SIGMAS[:, None]) / total * x
        close(density.denoise(x, SIGMAS), wanted, relative=1e-6, absolute=1e-9)
        level = 0.8
        score = (density.denoise(x, level) - x) / level**2
        close(density.score(x, level), score, relative=1e-9)
    assert networks.Denoiser(model).label == 0
    assert not torch.equal(networks.Denoiser(model).score(x, 1.0), density.score(x, 1.0))


def test_the_surface():
    model = untrained().requires_grad_(False)
    known = normal(seeded(5), 9, 2)
    background, concept = networks.Denoiser(model, samples=known), networks.Denoiser(model, 2)
    x = normal(seeded(6), 4, 5, 2)
    for out in (background.score(x, 0.3), background.denoise(x, 0.3)):
        assert out.shape == x.shape
        assert out.dtype == torch.float64
        assert not out.requires_grad
    assert background.score(x.float(), 0.3).dtype == torch.float32
    assert background.sample(9, generator=seeded(7)).shape == (9, 2)
    assert concept.most_samples == 0
    assert background.normalisable() is None
    close(background.denoise(x, 0.0), x)
    assert repr(background) == "Denoiser(background, dim=2)"
    assert repr(concept) == "Denoiser(concept 2, dim=2)"
    inner = x.clone().requires_grad_(True)
    assert torch.autograd.grad(concept.score(inner, 0.3).sum(), inner)[0].isfinite().all()
    assert torch.isfinite(concept.score(1e9 * x, 1e-6)).all()


def test_compositions_and_diagnoses_take_it():
    model = untrained()
    parts = [networks.Denoiser(model, label) for label in range(3)]
    composed = pc.compose(parts[0], parts[1:])
    assert composed.interaction(normal(seeded(8), 5, 2), 0.3).shape == (5,)
    sigmas = pc.sigma_grid(0.02, 20.0, 8)[:-1]
    report = pc.diagnose(
        parts[0], parts[1:], [[0], [1]], sigmas=sigmas, samples=400, generator=seeded(9)
    )
    assert report.path.levels[-1].path.value < 1e-9


def test_weights_come_from_the_generator_alone():
    state = torch.get_rng_state()
    one, two, three = (
        networks.MLP(2, generator=g).state_dict() for g in (seeded(1), seeded(1), seeded(2))
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["enter.weight"], three["enter.weight"])
    assert abs(float(one["blocks.0.first.weight"].std()) * math.sqrt(64) - 1) < 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: networks.Preconditioning(0.0), "sigma_data must be > 0, got 0"),
        (lambda: networks.Preconditioned(None, 2, 1.0), "network must be a torch module"),
        (lambda: networks.Preconditioned(nn.Identity(), 0, 1.0), "dim must be >= 1"),
        (lambda: networks.MLP(2, width=0), "width must be >= 1"),
        (lambda: networks.Denoiser(nn.Identity()), "model must be a Preconditioned network"),
        (lambda: networks.Denoiser(untrained(), 3), "label must be None or 0 to 2"),
        (lambda: networks.Denoiser(untrained(), 1.5), "label must be an integer"),
        (lambda: networks.Denoiser(untrained()).log_prob([0.0, 0.0]), "known by its score alone"),
        (lambda: networks.Denoiser(untrained()).score([0.0, 0.0]), "no score at sigma = 0"),
        (lambda: networks.Denoiser(untrained()).sample(1), "at most the 0 samples"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_network_that_answers_in_another_shape():
    class Wrong(nn.Module):
        def forward(self, x, noise, label):
            return x[:, :1]

    density = networks.Denoiser(networks.Preconditioned(Wrong(), 2, 1.0))
    with pytest.raises(ValueError, match=r"shape \(1, 2\), got \(1, 1\)"):
        density.score([0.0, 0.0], 1.0)
