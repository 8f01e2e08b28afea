"""Mixtures of the line and the plane: to and from plain numbers, and what holds them."""

from __future__ import annotations

from collections.abc import Sequence

from projcomp.densities import BlockProduct, Density, Flat, GaussianMixture

MOST_COMPONENTS = 64

Spec = dict[str, list]


def to_spec(name: str, density: Density | None, dim: int) -> Spec | None:
    """Weights, means and covariances of a mixture on R^dim as nested lists; None if it is flat.

    Raises ValueError for anything that is not a mixture (or a block product of mixtures) on R^dim
    with at most 64 components.
    """
    if density is None or isinstance(density, Flat):
        return None
    if isinstance(density, BlockProduct):
        density = density.mixture()
    if not isinstance(density, GaussianMixture):
        raise ValueError(f"{name} must be a Gaussian mixture to be drawn, got {density!r}")
    if density.dim != dim:
        raise ValueError(f"{name} must live on R^{dim} to be drawn here, got R^{density.dim}")
    if density.components > MOST_COMPONENTS:
        raise ValueError(
            f"{name} must have at most {MOST_COMPONENTS} components to be drawn, got "
            f"{density.components}"
        )
    return {
        "weights": density.weights.tolist(),
        "means": density.means.tolist(),
        "covariances": density.covariances.tolist(),
    }


def from_spec(spec: Spec | None, dim: int) -> Density:
    """The density of a specification; flat for None."""
    if spec is None:
        return Flat(dim)
    return GaussianMixture(spec["weights"], spec["means"], spec["covariances"])


def span(specs: Sequence[Spec | None], axis: int) -> tuple[float, float]:
    """What holds every component out to three standard deviations, along one coordinate."""
    ends = [
        (m[axis] - 3 * c[axis][axis] ** 0.5, m[axis] + 3 * c[axis][axis] ** 0.5)
        for spec in specs
        if spec
        for m, c in zip(spec["means"], spec["covariances"], strict=True)
    ]
    return min(low for low, _ in ends), max(high for _, high in ends)


def fitted_box(specs: Sequence[Spec | None]) -> list[float]:
    """A square that holds every component out to three standard deviations."""
    dim = next(len(spec["means"][0]) for spec in specs if spec)
    lows, highs = zip(*(span(specs, axis) for axis in range(dim)), strict=True)
    return [min(lows), min(lows), max(highs), max(highs)]


def line(*components: tuple[float, float, float]) -> GaussianMixture:
    """A mixture on the line from (weight, mean, standard deviation) triples."""
    weights, means, deviations = zip(*components, strict=True)
    return GaussianMixture(weights, [[m] for m in means], [s**2 for s in deviations])


def blocks(first: Density, second: Density) -> GaussianMixture:
    """Independent coordinates, as one mixture of the plane."""
    return BlockProduct([first, second]).mixture()
