"""What several test files need: random mixtures, derivatives, and how to compare."""

from __future__ import annotations

import projcomp as pc
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

KINDS = ("full", "diagonal", "isotropic", "common")
"""The four ways to give covariances: (K, n, n), (K, n), (K,) and one number."""

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def uniform(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def random_mixture(
    generator: torch.Generator,
    components: int = 3,
    dim: int = 2,
    kind: str = "full",
    scale: float = 1.0,
) -> pc.GaussianMixture:
    """Skewed weights, means about 2 `scale` apart, standard deviations about `scale`."""
    weights = 0.1 + uniform(generator, components)
    means = 2 * scale * normal(generator, components, dim)
    if kind == "full":
        factor = normal(generator, components, dim, dim) / dim**0.5
        covariances = factor @ factor.mT + 0.2 * torch.eye(dim, dtype=torch.float64)
    else:
        shape = {"diagonal": (components, dim), "isotropic": (components,), "common": ()}[kind]
        covariances = 0.2 + uniform(generator, *shape)
    return pc.GaussianMixture(weights / weights.sum(), means, scale**2 * covariances)


@st.composite
def mixtures(
    draw, dim: int | None = None, most_components: int = 5, scales=(1.0, 0.01, 30.0)
) -> pc.GaussianMixture:
    """Random mixtures in up to 6 dimensions (or in `dim`), of every kind and several scales."""
    return random_mixture(
        seeded(draw(st.integers(0, 2**32 - 1))),
        components=draw(st.integers(1, most_components)),
        dim=draw(st.integers(1, 6)) if dim is None else dim,
        kind=draw(st.sampled_from(KINDS)),
        scale=draw(st.sampled_from(scales)),
    )


@st.composite
def families(draw, most: int = 4) -> tuple[pc.GaussianMixture, list[pc.GaussianMixture]]:
    """A background and one to `most` concepts of one dimension, sizes and kinds mixed."""
    dim = draw(st.integers(1, 4))
    generator = seeded(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, most))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=count + 1, max_size=count + 1))
    sizes = draw(st.lists(st.integers(1, 4), min_size=count + 1, max_size=count + 1))
    background, *concepts = (
        random_mixture(generator, size, dim, kind) for size, kind in zip(sizes, kinds, strict=True)
    )
    return background, concepts


def noise_levels() -> st.SearchStrategy[float]:
    return st.one_of(st.just(0.0), st.floats(1e-3, 50.0))


def points_near(mixture: pc.GaussianMixture, count: int = 12, seed: int = 0) -> Tensor:
    """Points where the mixture has mass, and around it."""
    generator = seeded(seed)
    x = mixture.sample(count, generator=generator)
    return x + 0.5 * x.std() * normal(generator, *x.shape) if count > 1 else x


def gradient(function, x: Tensor) -> Tensor:
    """The gradient of a function (B, n) -> (B,), each value depending on its own row."""
    x = x.detach().clone().requires_grad_(True)
    return torch.autograd.grad(function(x).sum(), x)[0]


def close(actual, wanted, relative: float = 1e-10, absolute: float = 1e-12) -> None:
    """Every entry within `absolute + relative * |wanted|`, and of the same shape and dtype."""
    torch.testing.assert_close(actual, wanted, rtol=relative, atol=absolute)


def close_in_scale(actual: Tensor, wanted: Tensor, relative: float = 1e-10) -> None:
    """Every entry within `relative` of the largest one wanted (for entries that pass zero)."""
    scale = max(float(wanted.detach().abs().max()), 1e-300) if wanted.numel() else 1.0
    torch.testing.assert_close(actual, wanted, rtol=0.0, atol=relative * scale)


BANANA = pc.warps.banana()
POLAR = pc.warps.polar()
