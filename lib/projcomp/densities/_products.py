"""Products of powers of Gaussian mixtures in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from projcomp.densities.mixtures import GaussianMixture


def product_of_powers(terms, dim: int) -> GaussianMixture:
    """The normalised mixture prod_j p_j^{c_j}, each p_j a mixture and single where c_j != 1."""
    like = terms[0][0].means if terms else torch.zeros(1, dim, dtype=torch.float64, device="cpu")
    # From a common centre, and every weight from offsets to the mean of its own combination:
    # expanded squares would lose their digits far from the origin.
    centre = torch.cat([density.means for density, _ in terms] or [like]).mean(0)
    constants = like.new_zeros(1)
    precisions = like.new_zeros(1, dim, dim)
    linear = like.new_zeros(1, dim)  # precision times mean
    chosen: list[Tensor] = []  # of each density the component, for every combination
    for density, exponent in terms:
        precision = density.precisions()
        shift = torch.einsum("kij,kj->ki", precision, density.means - centre)
        constant = density.weights.log() + 0.5 * torch.logdet(precision)
        count, components = len(constants), len(constant)
        chosen = [index.repeat_interleave(components) for index in chosen]
        chosen.append(torch.arange(components, device=like.device).repeat(count))
        constants = (constants[:, None] + exponent * constant).reshape(-1)
        precisions = (precisions[:, None] + exponent * precision).reshape(-1, dim, dim)
        linear = (linear[:, None] + exponent * shift).reshape(-1, dim)
    smallest = float(torch.linalg.eigvalsh(precisions).min())
    if smallest <= 0:
        raise ValueError(
            "exact needs a normalisable composition, but one of its components has a precision "
            f"with eigenvalue {smallest:g}"
        )
    covariances = torch.linalg.inv(precisions)
    means = torch.einsum("kij,kj->ki", covariances, linear)
    log_weights = constants - 0.5 * torch.logdet(precisions)
    for (density, exponent), index in zip(terms, chosen, strict=True):
        offset = means - (density.means - centre)[index]
        pulled = torch.einsum("kij,kj->ki", density.precisions()[index], offset)
        log_weights = log_weights - 0.5 * exponent * (offset * pulled).sum(-1)
    return GaussianMixture(torch.softmax(log_weights, 0), centre + means, covariances)
