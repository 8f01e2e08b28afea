"""Densities of the plane (or the line) to and from the plain numbers that a figure holds."""

from __future__ import annotations

from projcomp.densities import BlockProduct, Density, Flat, GaussianMixture

MOST_COMPONENTS = 64
MOST_CONCEPTS = 4

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
