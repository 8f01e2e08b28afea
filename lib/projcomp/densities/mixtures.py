"""Gaussian mixtures, exact at every noise level."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import plainly
from projcomp.densities._draw import categories
from projcomp.densities.base import Density
from projcomp.densities.powers import MixturePowers

_SMALLEST_VARIANCE = 1e-100


class GaussianMixture(Density):
    """p = sum_k weights[k] N(means[k], covariances[k]); p^sigma adds sigma**2 I to each.

    Each covariance is factorised once, here (eigenvalues and a rotation), so a new sigma costs no
    inverse. Evaluation goes through whitened offsets rather than expanded quadratic forms, so it
    keeps its digits for nearly singular covariances and far from the origin.

    Args:
        weights: (K,), >= 0, summing to one.
        means: (K, n).
        covariances: (K, n, n) full | (K, n) diagonals | (K,) isotropic variances | one variance.

    Raises ValueError for weights that are negative or do not sum to one, shapes that do not match,
    NaN or infinity, and covariances that are not symmetric (within the rounding of the dtype that
    they come in) and positive definite to working precision.
    """

    def __init__(self, weights, means, covariances):
        weights = _check.probabilities("weights", weights)
        means = _check.real("means", means).detach()
        if means.ndim != 2 or means.shape[1] == 0:
            raise ValueError(f"means must have shape (K, n), got {tuple(means.shape)}")
        if len(means) != len(weights):
            raise ValueError(
                f"means must have one row for each of the {len(weights)} weights, got "
                f"{tuple(means.shape)}"
            )
        if _check.largest(means) > _check.LARGEST:
            raise ValueError(f"means must be at most {_check.LARGEST:g} in magnitude")
        super().__init__(means.shape[1])
        # Copies: the mixture stays what it was if the caller's arrays change.
        self.means = means = means.clone()
        self.weights = weights.to(means.device)
        self._variances, self._rotation = _factorise(covariances, means)
        self._powers = powers_of([self], [1.0])

    @property
    def components(self) -> int:
        """K, the number of components."""
        return len(self.weights)

    @property
    def covariances(self) -> Tensor:
        """(K, n, n), at sigma = 0."""
        return self._rotated_back(self._variances)

    def precisions(self, sigma: float = 0.0) -> Tensor:
        """(K, n, n), the inverses of the covariances of p^sigma."""
        variance = _check.one_level("sigma", sigma) ** 2
        return self._rotated_back(1.0 / (self._variances + variance))

    @property
    def mean(self) -> Tensor:
        """(n,)"""
        return self.weights @ self.means

    @property
    def covariance(self) -> Tensor:
        """(n, n), of the whole mixture at sigma = 0."""
        offsets = self.means - self.mean
        within = torch.einsum("k,kij->ij", self.weights, self.covariances)
        return within + torch.einsum("k,ki,kj->ij", self.weights, offsets, offsets)

    @plainly
    def noised(self, sigma: float) -> GaussianMixture:
        """p^sigma as a mixture of its own."""
        noised = copy.copy(self)
        noised._variances = self._variances + _check.one_level("sigma", sigma) ** 2
        noised._powers = powers_of([noised], [1.0])
        return noised

    def marginal(self, coordinates) -> GaussianMixture:
        """The law of x[coordinates]: a mixture on R^len(coordinates)."""
        index = coordinate_block("coordinates", coordinates, self.dim)
        if self._rotation is None:
            covariances = self._variances[:, index]
        else:
            covariances = self.covariances[:, index][:, :, index]
        return GaussianMixture(self.weights, self.means[:, index], covariances)

    def __repr__(self):
        kind = "diagonal" if self._rotation is None else "full"
        return f"GaussianMixture(components={self.components}, dim={self.dim}, {kind})"

    def _rotated_back(self, diagonals: Tensor) -> Tensor:
        """R^T diag(d) R for each component's rotation R and diagonal d; diagonals: (K, n)."""
        if self._rotation is None:
            return torch.diag_embed(diagonals)
        return self._rotation.mT @ (diagonals[..., None] * self._rotation)

    # -- the surface of a Density -------------------------------------------------------------

    def _log_prob(self, x, sigma):
        return self._powers._log_prob(x, sigma)

    def _score(self, x, sigma):
        return self._powers._score(x, sigma)

    def _log_prob_and_score(self, x, sigma):
        return self._powers._log_prob_and_score(x, sigma)

    def _laplacian(self, x, sigma):
        return self._powers._laplacian(x, sigma)

    def _sample(self, n, generator, device):
        weights, means, variances = (
            t.to(device) for t in (self.weights, self.means, self._variances)
        )
        index = categories(weights, n, generator)
        noise = torch.randn((n, self.dim), generator=generator, dtype=means.dtype, device=device)
        offset = variances[index].sqrt() * noise
        if self._rotation is not None:
            offset = torch.einsum("bi,bij->bj", offset, self._rotation.to(device)[index])
        return means[index] + offset

    def _chunk(self, device):
        return self._powers._chunk(device)


def powers_of(mixtures: Sequence[GaussianMixture], exponents: Sequence[float]) -> MixturePowers:
    """prod_j mixtures[j]^exponents[j]; the shorter ones are given components of weight zero."""
    most = max(mixture.components for mixture in mixtures)
    columns = zip(*(_filled_up(mixture, most) for mixture in mixtures), strict=True)
    return MixturePowers(*columns, exponents)


def _filled_up(mixture: GaussianMixture, count: int) -> tuple[Tensor | None, ...]:
    """Log weights, means, variances and rotation of `count` components, the last one repeated."""
    log_weights, rotation = mixture.weights.log(), mixture._rotation
    more = count - len(log_weights)
    if not more:
        return log_weights, mixture.means, mixture._variances, rotation
    rows = torch.arange(count, device=log_weights.device).clamp(max=count - more - 1)
    log_weights = torch.cat([log_weights, log_weights.new_full((more,), -math.inf)])
    rotation = None if rotation is None else rotation[rows]
    return log_weights, mixture.means[rows], mixture._variances[rows], rotation


def gaussian(mean, covariance) -> GaussianMixture:
    """N(mean, covariance) as a mixture of one. mean: (n,); covariance: (n, n) | (n,) | number."""
    mean = _check.real("mean", mean)
    if mean.ndim != 1:
        raise ValueError(f"mean must have shape (n,), got {tuple(mean.shape)}")
    covariance = _check.real("covariance", covariance)
    return GaussianMixture([1.0], mean[None], covariance[None] if covariance.ndim else covariance)


def coordinate_block(name: str, coordinates, dim: int) -> list[int]:
    """`coordinates` as a list of distinct indices into range(dim), which is not empty."""
    try:
        index = [_check.count(name, c, 0) for c in coordinates]
    except TypeError:
        raise ValueError(f"{name} must be a sequence of indices, got {coordinates!r}") from None
    if not index or len(set(index)) != len(index) or max(index) >= dim:
        raise ValueError(f"{name} must be distinct indices below {dim}, got {index}")
    return index


def _factorise(covariances, means: Tensor) -> tuple[Tensor, Tensor | None]:
    """Variances (K, n) and rotation (K, n, n) with covariance = R^T diag(variances) R.

    The rotation is None where every covariance is diagonal.
    """
    components, dim = means.shape
    rounding = max(1e-8, 4 * dim * _check.rounding(covariances))
    covariances = _check.real("covariances", covariances, like=means).detach()
    if covariances.ndim == 0:
        covariances = covariances.expand(components)
    if covariances.shape == (components,):
        covariances = covariances[:, None].expand(components, dim)
    if covariances.shape == (components, dim):
        smallest = float(covariances.min())
        if smallest < _SMALLEST_VARIANCE:
            raise ValueError(
                f"covariances must be positive (at least {_SMALLEST_VARIANCE:g}), got {smallest:g}"
            )
        return covariances.clone(memory_format=torch.contiguous_format), None
    if covariances.shape != (components, dim, dim):
        raise ValueError(
            f"covariances must have shape ({components}, {dim}, {dim}), ({components}, {dim}), "
            f"({components},) or (), got {tuple(covariances.shape)}"
        )
    largest = covariances.abs().amax((1, 2))
    gap = (covariances - covariances.mT).abs().amax((1, 2))
    if bool((gap > rounding * largest).any()):
        worst = int((gap / largest).argmax())
        raise ValueError(
            f"covariances must be symmetric, but covariances[{worst}] differs from its transpose "
            f"by {float(gap[worst]):g}"
        )
    variances, vectors = torch.linalg.eigh(0.5 * (covariances + covariances.mT))
    floor = (dim * torch.finfo(torch.float64).eps * variances[:, -1]).clamp(_SMALLEST_VARIANCE)
    worst = int((variances[:, 0] - floor).argmin())
    if bool((variances[:, 0] < floor).any()):
        raise ValueError(
            f"covariances must be positive definite to working precision, but covariances[{worst}]"
            f" has smallest eigenvalue {float(variances[worst, 0]):g} and largest "
            f"{float(variances[worst, -1]):g}"
        )
    return variances.contiguous(), vectors.mT.contiguous()
