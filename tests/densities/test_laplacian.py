"""Laplacians of log densities: in closed form, against derivatives of the score."""

from __future__ import annotations

import projcomp as pc
import pytest
import torch

from tests.helpers import close, normal, random_mixture, seeded

F64 = torch.float64


def diagonal(seed, components, dim):
    g = seeded(seed)
    weights = torch.softmax(normal(g, components), 0)
    return pc.GaussianMixture(
        weights, 2 * normal(g, components, dim), 0.2 + normal(g, components, dim) ** 2
    )


P, Q, R = (random_mixture(seeded(s), k, 2) for s, k in ((1, 3), (2, 3), (3, 2)))
TURN = pc.LinearMap(torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=F64))
LINE = random_mixture(seeded(4), 2, 1)
DENSITIES = {
    "full covariances": P,
    "many dimensions": random_mixture(seeded(5), 2, 7),
    "diagonal": diagonal(6, 4, 5),
    "one component": pc.gaussian([1.0, 2.0], [0.3, 4.0]),
    "far means": pc.GaussianMixture(
        [0.4, 0.6], [[0.0, 0.0], [1e7, 0.0]], [[[1.0, 0.2], [0.2, 0.5]]] * 2
    ),
    "product": pc.simple_product([P, Q, R], [0.9, 0.6, -0.2]),
    "over a background": pc.compose(R, [P, Q], [1.0, 2.5]),
    "nested": pc.compose(R, [pc.simple_product([P, Q]), Q], [1.0, 0.5]),
    "blocks": pc.BlockProduct([pc.simple_product([LINE, LINE]), LINE]),
    "turned": pc.pushforward(pc.simple_product([P, Q]), TURN),
    "either": pc.Mixture([P, pc.compose(R, [P, Q])], [0.3, 0.7]),
    "points": pc.Empirical(normal(seeded(7), 9, 2)),
    "flat": pc.Flat(2),
}


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("sigma", [0.05, 0.7, 20.0])
def test_against_the_trace_of_the_jacobian(name, sigma):
    density = DENSITIES[name]
    x = (1.0 + sigma) * normal(seeded(8), 30, density.dim)
    level = torch.tensor(sigma, dtype=F64)
    found = density._laplacian(x.T.contiguous(), level)
    jacobians = torch.func.vmap(torch.func.jacfwd(lambda y: density.score(y, sigma)))(x)
    wanted = jacobians.diagonal(dim1=1, dim2=2).sum(-1)
    size = float((density.score(x, sigma) ** 2).sum(-1).max())  # what cancels in the closed form
    close(found, wanted, 1e-9, 1e-12 * (1 + size))


def test_at_a_level_for_each_point():
    product, levels = DENSITIES["product"], 0.1 + torch.rand(30, generator=seeded(9), dtype=F64)
    x = normal(seeded(10), 30, 2)
    found = product._laplacian(x.T.contiguous(), levels)
    one_by_one = [product._laplacian(y[:, None], s) for y, s in zip(x, levels, strict=True)]
    close(found, torch.cat(one_by_one), 1e-10, 1e-10)
