"""Every public density, to be held to everything that a density must do: one line each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import projcomp as pc
import pytest
import torch
from projcomp import networks, scenes, warps
from torch import Tensor

from tests.helpers import close_in_scale, normal, random_mixture, seeded


@dataclass(frozen=True)
class Case:
    """make: the density. sigma: a level at which it has a score. clean: only at sigma = 0.

    log_prob: whether it has one. digits: what its own arithmetic keeps, as a relative error.
    scale, centre: where its points lie.
    """

    make: Callable[[], pc.Density]
    sigma: float = 0.5
    clean: bool = False
    log_prob: bool = True
    digits: float = 1e-9
    scale: float = 1.0
    centre: float = 0.0

    def points(self, count: int = 5, seed: int = 3) -> Tensor:
        return self.centre + self.scale * normal(seeded(seed), count, self.make().dim)


class Tilted(pc.Density):
    """A density of one's own, by its log density alone."""

    def _log_prob(self, x, sigma):
        return -0.5 * x.square().sum(0) / (1 + sigma**2) - x[0].tanh() * (1 + sigma)


def mixture(components: int = 3, dim: int = 2, kind: str = "full", seed: int = 1):
    return random_mixture(seeded(seed), components, dim, kind)


def cloud(count: int = 9, dim: int = 2) -> pc.Empirical:
    return pc.Empirical(normal(seeded(2), count, dim))


def far_cloud() -> pc.Empirical:
    return pc.Empirical([[0.0, 0.0], [1e8, 0.0], [1e8 + 1, 0.5], [1e8 + 0.5, 1.0]])


def far_mixture() -> pc.GaussianMixture:
    means = [[0.0, 0.0], [1e8, 0.0], [1e8 + 1, 0.5]]
    return pc.GaussianMixture([0.2, 0.3, 0.5], means, [[1.0, 0.3], [0.3, 0.5], [0.7, 0.7]])


def pictures() -> pc.Empirical:
    """Points that agree in most coordinates."""
    points = (0.5 + normal(seeded(4), 400)).repeat(60, 1)
    points[:30, 40:90] += normal(seeded(5), 30, 50)
    points[30:, 200:240] += normal(seeded(6), 30, 40)
    return pc.Empirical(points)


def subset(rows) -> pc.Density:
    return pc.Bank(normal(seeded(2), 40, 2)).density(rows, None)


def subsets(*each) -> pc.Composition:
    """Of one bank, that are evaluated together."""
    bank = pc.Bank(normal(seeded(2), 40, 2))
    return pc.compose(bank.density(), [bank.density(rows) for rows in each], [0.7, -0.4])


def presences() -> scenes.Presences:
    on = [mixture(2, 1, seed=8), mixture(2, 1, seed=9)]
    off = [mixture(1, 1, seed=10), mixture(1, 1, seed=11)]
    return scenes.Presences(on, off, [[1], [0]], scenes.log_chances_of(2, rate=0.3))


def composed_presences() -> scenes.Presences:
    whole = presences()
    named = [
        scenes.Presences(whole.on, whole.off, whole.blocks, scenes.log_chances_of(2, j, rate=0.3))
        for j in range(2)
    ]
    return whole.composed_with(named)


def by_score(x: Tensor, sigma: Tensor) -> Tensor:
    return -x / (2.0 + sigma[:, None] ** 2) - 0.1 * x**3


@torch.inference_mode(False)
def denoiser() -> networks.Denoiser:
    """A network with random weights, in float64 so that its derivatives have digits to compare."""
    model = networks.Preconditioned(networks.MLP(2, 2, generator=seeded(12)), 2, 0.8, 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * normal(seeded(13), *parameter.shape).to(parameter))
    return networks.Denoiser(model.double(), 1)


def wound() -> pc.Density:
    return pc.pushforward(warps.Wrapped(mixture(2), axis=1), warps.polar())


DENSITIES: dict[str, Case] = {
    "gaussian": Case(lambda: pc.gaussian([0.3, -0.2], 0.7)),
    "mixture": Case(mixture),
    "diagonal mixture": Case(lambda: mixture(2, 5, "diagonal")),
    "mixture with fewer components than dimensions": Case(lambda: mixture(2, 7)),
    "far mixture": Case(far_mixture, scale=0.4, centre=1e8),
    "noised mixture": Case(lambda: mixture().noised(0.3)),
    "marginal": Case(lambda: mixture(3, 3).marginal([2, 0])),
    "closed form": Case(
        lambda: pc.compose(pc.gaussian([0.0, 0.0], 9.0), [mixture(2), mixture(3)]).exact(0.1)
    ),
    "empirical": Case(cloud),
    "far points": Case(far_cloud, sigma=0.3, scale=0.4, centre=1e8),
    "pictures on one floor": Case(pictures, sigma=0.8),
    "some of a bank": Case(lambda: subset([3, 5, 1, 30])),
    "all of a bank": Case(lambda: subset(None)),
    "composition of parts of a bank": Case(lambda: subsets(range(10, 20), [3, 17, 5])),
    "flat": Case(lambda: pc.Flat(2)),
    "blocks": Case(lambda: pc.BlockProduct([mixture(2, 1), cloud(5, 2)], [[1], [2, 0]])),
    "turned": Case(lambda: pc.pushforward(cloud(), warps.rotation(0.4))),
    "turned twice": Case(
        lambda: pc.pushforward(cloud(), warps.rotation(0.4).then(warps.rotation(1.0)))
    ),
    "bent": Case(lambda: pc.pushforward(mixture(), warps.banana()), clean=True),
    "bent back": Case(lambda: pc.pushforward(mixture(), warps.banana().inverted()), clean=True),
    "bent, then sheared": Case(
        lambda: pc.pushforward(mixture(), warps.banana().then(warps.shear(1.0))), clean=True
    ),
    "wrapped": Case(lambda: warps.Wrapped(mixture(2), axis=1)),
    "wound": Case(wound, clean=True),
    "composition": Case(
        lambda: pc.compose(mixture(1), [mixture(2), mixture(2, seed=5)], [0.7, -0.4])
    ),
    "composition of unlike parts": Case(
        lambda: pc.compose(cloud(), [mixture(2), cloud(4), Tilted(2)])
    ),
    "composition of bent parts": Case(
        lambda: pc.compose(
            pc.pushforward(mixture(1), warps.banana()),
            [pc.pushforward(mixture(2), warps.banana())] * 2,
        ),
        clean=True,
    ),
    "simple product": Case(lambda: pc.simple_product([mixture(2), mixture(3)])),
    "bayes": Case(lambda: pc.bayes(mixture(3), [mixture(3, seed=5), mixture(2, seed=6)])),
    "either": Case(lambda: pc.Mixture([mixture(2), cloud(4), Tilted(2)], [0.2, 0.5, 0.3])),
    "either or none": Case(lambda: pc.Mixture([mixture(2), pc.gaussian([9.0, 0.0], 1.0)], [1, 0])),
    "either, without noise": Case(
        lambda: pc.Mixture([mixture(2), pc.Box([-0.5, -1.0], [2.0, 0.5])]), clean=True
    ),
    "box": Case(lambda: pc.Box([-0.5, -1.0, 0.0], [2.0, 0.5, 1e-3])),
    "thin box, far out": Case(lambda: pc.Box([-0.5, 3.0], [-0.4, 4.0]), sigma=0.05),
    "ring": Case(lambda: pc.Ring([0.3, -0.2], 0.7)),
    "thin ring": Case(lambda: pc.Ring([0.3, -0.2], 3.0), sigma=0.1),
    "places": Case(presences),
    "composed places": Case(composed_presences),
    "by log density": Case(lambda: Tilted(2)),
    "by score": Case(lambda: pc.Scored(2, by_score), log_prob=False),
    "network": Case(denoiser, log_prob=False),
}


every_density = pytest.mark.parametrize("case", DENSITIES.values(), ids=DENSITIES)


def level(case: Case) -> float:
    return 0.0 if case.clean else case.sigma


def methods(case: Case, density: pc.Density) -> list:
    """The functions of (x, sigma) that the density has, by name."""
    found = [density.score, density.denoise]
    if case.log_prob:
        found += [density.log_prob, lambda x, sigma: density.log_prob_and_score(x, sigma)[0]]
    return found


def values_of(case: Case, density: pc.Density, x, sigma) -> list[torch.Tensor]:
    return [method(x, sigma).detach() for method in methods(case, density)]


def agree(case: Case, found, wanted, loosened: float = 1.0) -> None:
    for one, other in zip(found, wanted, strict=True):
        close_in_scale(one, other, loosened * case.digits)


@contextmanager
def defaults(dtype=None, device=None):
    """With another default dtype or device, and back."""
    before = torch.get_default_dtype()
    try:
        if dtype is not None:
            torch.set_default_dtype(dtype)
        if device is not None:
            torch.set_default_device(device)
        yield
    finally:
        torch.set_default_dtype(before)
        torch.set_default_device(None)
