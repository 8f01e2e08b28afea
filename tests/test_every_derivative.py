"""Every derivative of every density: in x and in sigma, of both modes and two orders."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.func import hessian, jacfwd, jacrev, jvp, vmap

from tests.every_density import every_density, level, methods
from tests.helpers import close, close_in_scale, normal, seeded

F64 = torch.float64


def differences(function, x: torch.Tensor, along: torch.Tensor, step: float) -> torch.Tensor:
    """The derivative of function at x along a direction, to fourth order."""
    with torch.no_grad():
        near = function(x + step * along) - function(x - step * along)
        wide = function(x + 2 * step * along) - function(x - 2 * step * along)
    return (8 * near - wide) / (12 * step)


@pytest.mark.parametrize("warm", [False, True])
@every_density
def test_derivatives_in_x_of_both_modes(case, warm):
    density, x = case.make(), case.points(4)
    along = normal(seeded(8), *x.shape)
    for method in methods(case, density):

        def function(y, method=method):
            return method(y, level(case))

        if warm:
            function(x)
        forward = jvp(function, (x,), (along,))[1].detach()
        with_grad = x.clone().requires_grad_(True)
        value = function(with_grad)
        weights = normal(seeded(9), *value.shape)
        if value.requires_grad:
            (backward,) = torch.autograd.grad((value * weights).sum(), with_grad)
        else:
            backward = torch.zeros_like(x)
        close_in_scale((backward * along).sum(), (forward * weights).sum().detach(), 1e-7)
        step = 1e-3 * (1.0 if case.centre == 0 else 10.0)
        measured = differences(function, x, along, step).detach()
        scale = float(measured.abs().max()) + float(function(x).detach().abs().max()) + 1e-12
        assert float((forward - measured).abs().max()) < 1e-5 * scale


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("many", [False, True])
@every_density
def test_derivatives_in_sigma_of_both_modes(case, warm, many):
    if case.clean:
        pytest.skip("it has one level alone")
    density, x = case.make(), case.points(4)
    sigma = torch.tensor(case.sigma, dtype=F64)
    if many:
        sigma = sigma * torch.tensor([1.0, 1.1, 0.9, 1.3], dtype=F64)
    along = torch.ones_like(sigma)
    for method in methods(case, density):

        def function(s, method=method):
            return method(x, s)

        if warm:
            function(sigma)
        forward = jvp(function, (sigma,), (along,))[1].detach()
        close(function(sigma).detach(), method(x, sigma.numpy()).detach(), 1e-12, 1e-12)
        measured = differences(function, sigma, along, 1e-3 * case.sigma).detach()
        scale = float(measured.abs().max()) + float(function(sigma).detach().abs().max()) + 1e-12
        assert float((forward - measured).abs().max()) < 1e-6 * scale
        given = sigma.clone().requires_grad_(True)
        value = function(given)
        if value.requires_grad:
            weights = normal(seeded(9), *value.shape)
            (backward,) = torch.autograd.grad((value * weights).sum(), given, allow_unused=True)
            total = 0.0 if backward is None else backward.sum()
            close_in_scale(torch.as_tensor(total, dtype=F64), (forward * weights).sum(), 1e-7)
        else:
            assert float(forward.abs().max()) == 0.0


@every_density
def test_mapped_over(case):
    """vmap over points, over levels, and over both."""
    density, x = case.make(), case.points(4)
    for method in methods(case, density):
        here = partial(method, sigma=level(case))
        wanted = here(x).detach()
        close_in_scale(vmap(here)(x).detach(), wanted, case.digits)
        rows = vmap(here)(x.reshape(2, 2, -1)).detach()
        close_in_scale(rows.reshape(wanted.shape), wanted, case.digits)
        if case.clean:
            continue
        sigmas = case.sigma * torch.tensor([1.0, 2.0, 0.8, 1.2], dtype=F64)
        wanted = method(x, sigmas).detach()
        close_in_scale(vmap(method)(x, sigmas).detach(), wanted, case.digits)
        wanted = method(x, sigmas[:, None]).detach()
        close_in_scale(vmap(partial(method, x))(sigmas).detach(), wanted, case.digits)


@every_density
def test_jacobians_and_hessians(case):
    density, x = case.make(), case.points(1)[0]
    sigma = torch.tensor(level(case), dtype=F64)
    score = density.score
    found = jacfwd(score)(x, sigma).detach()
    close_in_scale(jacrev(score)(x, sigma).detach(), found, 1e-8)
    rows = vmap(jacfwd(score), (0, None))(torch.stack([x, x]), sigma).detach()
    close_in_scale(rows[1], found, 1e-8)
    if case.log_prob:
        close_in_scale(hessian(density.log_prob)(x, sigma).detach(), found, 1e-8)
        close_in_scale(jacrev(density.log_prob)(x, sigma).detach(), score(x, sigma).detach(), 1e-8)
        if not case.clean:
            bent = hessian(density.log_prob, argnums=1)(x, sigma).detach()
            slope = jacfwd(density.log_prob, argnums=1)
            measured = differences(
                lambda s: slope(x, s), sigma, torch.ones_like(sigma), 1e-3 * sigma
            )
            close_in_scale(bent, measured.detach(), 1e-5)
