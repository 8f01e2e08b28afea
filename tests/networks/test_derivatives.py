"""Learned scores are differentiated as torch has it: in x, sigma and parameters, every way."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from projcomp import networks
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap

from tests.helpers import close, close_in_scale, normal, seeded

POINT = torch.tensor([0.3, -0.7], dtype=torch.float64)
LEVEL = torch.tensor(0.5, dtype=torch.float64)
FLOAT32 = 2e-5
"""Relative to the largest entry: a hundred roundings of float32, which the network computes in."""
METHODS = ("score", "denoise")


def plane():
    return networks.load("shear")[0]


def in_float64(density):
    """The same, with a network that computes in float64."""
    return networks.Denoiser(copy.deepcopy(density.model).double(), density.label)


def pictures(target="scaled", **options):
    """A small U-Net with random weights, as a density."""
    network = networks.UNet(pixels=16, widths=(8, 8, 16), generator=seeded(1), **options)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=seeded(2)))
    labels = options.get("labels", 0)
    model = networks.Preconditioned(
        network.requires_grad_(False), 768, 0.1, max(1, labels), centre=0.5, target=target
    )
    return networks.Denoiser(model, 1 if labels else (0.2, 0.1))


def slope(function, at, step=1e-5):
    """Central differences: off by step^2 / 6 of the third derivative, and 1e-16 / step."""
    return (function(at + step) - function(at - step)) / (2 * step)


def test_the_derivative_in_sigma_that_was_wrong():
    level = LEVEL.clone().requires_grad_()
    found = torch.autograd.grad(plane().score(POINT, level).sum(), level)[0]
    assert float(found) == pytest.approx(-3.079, abs=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_derivatives_in_sigma_and_x(method):
    density = plane()
    exact = getattr(in_float64(density), method)
    learned = getattr(density, method)
    in_sigma = slope(lambda s: exact(POINT, s), LEVEL)
    close_in_scale(jvp(lambda s: learned(POINT, s), (LEVEL,), (LEVEL.new_ones(()),))[1], in_sigma,
                   FLOAT32)  # fmt: skip
    basis = torch.eye(2, dtype=torch.float64)
    in_x = torch.stack([slope(lambda t, e=e: exact(POINT + t * e, LEVEL), 0.0) for e in basis], 1)
    for differentiate in (jacfwd, jacrev):
        close_in_scale(differentiate(lambda s: learned(POINT, s))(LEVEL), in_sigma, FLOAT32)
        close_in_scale(differentiate(lambda y: learned(y, LEVEL))(POINT), in_x, FLOAT32)
    bent = hessian(lambda y: learned(y, LEVEL)[0])(POINT)
    wanted = jacrev(jacrev(lambda y: exact(y, LEVEL)[0]))(POINT)
    close_in_scale(bent, wanted, FLOAT32)


@pytest.mark.parametrize("method", METHODS)
def test_derivatives_in_the_parameters(method):
    density = plane()
    exact = in_float64(density)
    density.model.requires_grad_()
    exact.model.requires_grad_()
    answers = [getattr(d, method)(POINT, LEVEL).sum() for d in (density, exact)]
    found, wanted = (
        torch.autograd.grad(answer, list(d.model.parameters()))
        for answer, d in zip(answers, (density, exact), strict=True)
    )
    size = max(float(w.abs().max()) for w in wanted)
    assert size > 0.1
    for f, w in zip(found, wanted, strict=True):
        close(f.double(), w, relative=0.0, absolute=FLOAT32 * size)
    bias = exact.model.network.leave.bias

    def shifted(t):
        with torch.no_grad():
            bias[0] += t
            value = getattr(exact, method)(POINT, LEVEL).sum()
            bias[0] -= t
        return value

    close(wanted[-1][0], slope(shifted, torch.zeros((), dtype=torch.float64)), relative=1e-6)


def test_derivatives_in_functional_parameters():
    model = plane().model
    parameters = {k: v.detach() for k, v in model.named_parameters()}

    class Asked(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x, sigma):
            return networks.Denoiser(self.model).score(x, sigma).sum()

    def total(parameters):
        named = {f"model.{k}": v for k, v in parameters.items()}
        return functional_call(Asked(), named, (POINT, LEVEL))

    found = grad(total)(parameters)
    model.requires_grad_()
    wanted = torch.autograd.grad(Asked()(POINT, LEVEL), list(model.parameters()))
    assert any(bool(w.any()) for w in wanted)
    for name, value in zip(parameters, wanted, strict=True):
        close(found[name], value, relative=1e-5, absolute=1e-6)
    ensemble = {k: torch.stack([v, v]) for k, v in parameters.items()}
    assert vmap(total)(ensemble).shape == (2,)


def test_what_is_recorded_is_what_torch_records():
    """The answer needs grad where something that needs it goes in, and never under no_grad."""
    density = networks.Denoiser(
        networks.Preconditioned(networks.MLP(2), 2, 1.0).requires_grad_(False)
    )
    needing = POINT.clone().requires_grad_(), LEVEL.clone().requires_grad_()
    for method in METHODS:
        ask = getattr(density, method)
        assert not ask(POINT, LEVEL).requires_grad
        assert ask(needing[0], LEVEL).requires_grad
        assert ask(POINT, needing[1]).requires_grad
        density.model.requires_grad_()
        assert ask(POINT, LEVEL).requires_grad
        with torch.no_grad():
            assert not ask(*needing).requires_grad
        density.model.requires_grad_(False)


def test_the_shipped_networks_record_nothing_until_asked():
    models = [plane().model, networks.load_picture_model("one")]
    assert not any(p.requires_grad for model in models for p in model.parameters())
    assert not plane().score(POINT, LEVEL).requires_grad


@pytest.mark.parametrize("options", [{}, {"labels": 4}, {"window": True}])
@pytest.mark.parametrize("target", ["scaled", "clean"])
@pytest.mark.parametrize("method", METHODS)
def test_networks_of_pictures_under_transformations(options, target, method):
    ask = getattr(pictures(target, **options), method)
    x, v = normal(seeded(3), 3, 768), normal(seeded(4), 3, 768)
    levels = torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)
    answer = ask(x, levels)
    close_in_scale(vmap(ask)(x, levels), answer, FLOAT32)
    forward = jvp(lambda y: ask(y, levels), (x,), (v,))[1]
    close_in_scale(vmap(lambda y, t, s: jvp(lambda z: ask(z, s), (y,), (t,))[1])(x, v, levels),
                   forward, FLOAT32)  # fmt: skip
    y = x.clone().requires_grad_()
    back = torch.autograd.grad((ask(y, levels) * answer).sum(), y)[0]
    products = (forward * answer).sum(), (back * v).sum()
    scale = float(forward.norm() * answer.norm())
    assert abs(float(products[0] - products[1])) < FLOAT32 * scale
    slopes = [d(lambda s: ask(x[0], s))(LEVEL) for d in (jacfwd, jacrev)]
    close_in_scale(slopes[0], slopes[1], FLOAT32)
    step = slope(lambda s: ask(x[0], s), LEVEL, 1e-2)  # in float32: off by 1e-7 / step, and step^2
    close_in_scale(slopes[0], step, 5e-2)


def test_levels_are_refused_under_vmap_too():
    density = plane()
    for level in (0.0, 1e-120):
        levels = torch.tensor([0.5, level], dtype=torch.float64)
        with pytest.raises(ValueError, match="no score at sigma = 0, nor below 1e-100; got"):
            density.score(POINT, levels)
        with pytest.raises(ValueError, match="no score at sigma = 0, nor below 1e-100; got"):
            vmap(lambda s: density.score(POINT, s))(levels)
    close(density.denoise(POINT, 0.0), POINT)
    assert (
        jacfwd(lambda s: density.denoise(POINT, s))(torch.zeros((), dtype=torch.float64))
        .isfinite()
        .all()
    )
    assert density.score(POINT, 1e-100).isfinite().all()


def test_the_place_that_a_network_is_told_can_be_differentiated():
    model = pictures().model
    x = normal(seeded(5), 768)

    def total(place):
        return networks.Denoiser(model, place).score(x, 0.5).square().mean()

    place = torch.tensor([0.2, 0.1], dtype=torch.float64, requires_grad=True)
    found = torch.autograd.grad(total(place), place)[0]
    steps = torch.eye(2, dtype=torch.float64) * 1e-2
    with torch.no_grad():
        wanted = torch.stack([(total(place + e) - total(place - e)) / 2e-2 for e in steps])
    close_in_scale(found, wanted, 5e-2)  # float32, and the curvature of steps of 1e-2


def test_copies_after_use():
    density = plane()
    vmap(density.score)(POINT[None], LEVEL[None])
    jvp(lambda s: density.score(POINT, s), (LEVEL,), (LEVEL,))
    wanted = density.score(POINT, LEVEL)
    for made in (copy.deepcopy(density), pickle.loads(pickle.dumps(density))):
        close(made.score(POINT, LEVEL), wanted, 0.0, 0.0)
        close(made.score_function(POINT[None], LEVEL[None])[0], wanted, 0.0, 0.0)
        assert made.model is not density.model
        assert made.score_function.__self__ is made
    model = pickle.loads(pickle.dumps(copy.deepcopy(density.model)))
    assert isinstance(model, networks.Preconditioned)
    run = networks.Training(model, torch.ones(3), 1.0)
    assert repr(pickle.loads(pickle.dumps(copy.deepcopy(run)))) == repr(run)


@pytest.mark.parametrize("method", METHODS)
def test_compiled(method):
    density = plane()
    ask = getattr(density, method)
    compiled = torch.compile(ask, backend="aot_eager")
    close(compiled(POINT, LEVEL), ask(POINT, LEVEL), relative=1e-5)
    level = LEVEL.clone().requires_grad_()
    found, wanted = (torch.autograd.grad(f(POINT, level).sum(), level)[0] for f in (compiled, ask))
    close(found, wanted, relative=1e-4)
    torch._dynamo.reset()


def test_what_is_made_in_inference_mode_can_be_differentiated_later():
    with torch.inference_mode():
        named, placed = (
            networks.UNet(16, 3, widths=(8, 8, 16)),
            networks.UNet(16, widths=(8, 8, 16)),
        )
        densities = [
            *networks.load("shear")[1],
            networks.Denoiser(networks.Preconditioned(named, 768, 1.0, 3), 1),
            networks.Denoiser(networks.Preconditioned(placed, 768, 1.0), (0.1, 0.2)),
            networks.Denoiser(networks.Preconditioned(networks.MLP(2), 2, 1.0)),
        ]
        assert densities[0].score(POINT, LEVEL).isfinite().all()
    for density in densities:
        x = torch.zeros(density.dim, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.grad(density.score(x, 0.5).sum(), x)[0].isfinite().all()
