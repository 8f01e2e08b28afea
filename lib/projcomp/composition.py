"""Composition of distributions: the operator, the simple product and the Bayes composition.

For a background p_b, concepts p_1..p_k and weights w (ones unless given),

    C[p_b, p_1, ...](x)  ~  p_b(x) prod_i (p_i(x) / p_b(x))^{w_i}
    score                =  s_b + sum_i w_i (s_i - s_b)

(Bradley et al. 2025, Definition 5.1). At a noise level sigma everything is taken at that level:
the result is C[p^sigma], which is in general not the noised composition N_sigma[C[p]].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density, Flat, GaussianMixture
from projcomp.densities.blocks import density_list
from projcomp.densities.mixtures import powers_of

_MOST_COMPONENTS = 100_000
_MOST_ENTRIES = 1 << 22


class Composition(Density):
    """The composition operator as a Density; `log_prob` is up to its log normaliser, log Z.

    It has no exact sampler of its own: use a sampler, or `exact` where a closed form exists.
    Made by `compose`, `simple_product` and `bayes`.
    """

    def __init__(self, background: Density, concepts: Sequence[Density], weights=None):
        if not isinstance(background, Density):
            raise ValueError(f"background must be a Density, got {background!r}")
        concepts = density_list("concepts", concepts)
        for index, concept in enumerate(concepts):
            if concept.dim != background.dim:
                raise ValueError(
                    f"concepts[{index}] must live on R^{background.dim} as the background does, "
                    f"got R^{concept.dim}"
                )
        weights = (
            torch.ones(len(concepts), dtype=torch.float64, device="cpu")
            if weights is None
            else _check.real("weights", weights).detach()
        )
        if weights.shape != (len(concepts),):
            raise ValueError(
                f"weights must have shape ({len(concepts)},), one for each concept, got "
                f"{tuple(weights.shape)}"
            )
        super().__init__(background.dim)
        self.background = background
        self.concepts = tuple(concepts)
        self.weights = weights
        self._terms = [(background, 1.0 - float(weights.sum()))]
        self._terms += zip(self.concepts, weights.tolist(), strict=True)
        self._factors = _fuse(self._terms)

    def __repr__(self):
        return (
            f"Composition({self.background!r}, {list(self.concepts)!r}, "
            f"weights={self.weights.tolist()})"
        )

    def deltas(self, x, sigma=0.0) -> Tensor:
        """Score deltas Delta_i = s_i - s_b, stacked: (k, ..., n). x: (..., n)."""
        return self._background_and_deltas(x, sigma)[1]

    def interaction(self, x, sigma=0.0) -> Tensor:
        """I = (|sum_i w_i Delta_i|^2 - sum_i w_i |Delta_i|^2) / 2 at noise level sigma: (...).

        With unit weights this is the sum over pairs of Delta_i . Delta_j. It is what keeps the
        composed path from solving the heat equation: with v = sigma^2 and q the unnormalised
        composition, d log q/dv - (Laplacian log q + |grad log q|^2)/2 = -I.
        """
        return interaction_of(self.deltas(x, sigma), self.weights)

    def score_and_interaction(self, x, sigma=0.0) -> tuple[Tensor, Tensor]:
        """Both from one pass over the scores: (..., n) and (...)."""
        background, deltas = self._background_and_deltas(x, sigma)
        score = background + torch.tensordot(self.weights.to(deltas), deltas, dims=1)
        return score, interaction_of(deltas, self.weights)

    def _background_and_deltas(self, x, sigma) -> tuple[Tensor, Tensor]:
        background = self.background.score(x, sigma)
        scores = [concept.score(x, sigma) for concept in self.concepts]
        return background, torch.stack([score - background for score in scores])

    def normalisable(self, sigma=0.0) -> bool | None:
        """Whether the composition at noise level `sigma` has a finite integral.

        Decided for Gaussian mixtures (and a flat background) by the tails: far out along a
        direction u, minus twice the log of a mixture is its smallest u^T P u, P a component's
        precision. The composition is normalisable if every choice of one component from each
        density leaves a positive definite total. That is exact as long as each density with a
        negative exponent, such as the background of two concepts, has one covariance for all of
        its components. None where this does not decide.
        """
        sigma = _check.one_level("sigma", sigma)
        choices = []
        for density, exponent in self._terms:
            if isinstance(density, Flat) or exponent == 0:
                continue
            if not isinstance(density, GaussianMixture):
                return None
            precisions = density.precisions(sigma)
            if len(precisions) > 1:
                precisions = torch.unique(precisions[density.weights > 0], dim=0)
            if exponent < 0 and len(precisions) > 1:
                return None
            choices.append(exponent * precisions)
        if not choices:
            return False
        count = math.prod(len(choice) for choice in choices)
        if count > _MOST_COMPONENTS or count * self.dim**2 > _MOST_ENTRIES:
            return None
        totals = choices[0]
        for choice in choices[1:]:
            totals = (totals[:, None] + choice).reshape(-1, self.dim, self.dim)
        # By NumPy: many tiny matrices at every level of a run, which torch spreads over threads.
        eigenvalues = np.linalg.eigvalsh(totals.cpu().numpy())
        rounding = 1e-14 * sum(float(choice.abs().max()) for choice in choices)
        return bool((eigenvalues > rounding).all())

    def exact(self, sigma=0.0) -> GaussianMixture:
        """C[p^sigma], normalised, as a Gaussian mixture: one component for each choice of one
        component from every concept (products and quotients of Gaussians, by precisions).

        So ``c.exact().log_prob(x, sigma)`` is the true noised composition N_sigma[C[p]], beside
        ``c.log_prob(x, sigma)``, which is C[p^sigma] up to a constant.

        Raises ValueError unless every density is a Gaussian mixture (the background may be flat),
        every one with an exponent other than 1 has a single component, and the composition is
        normalisable at sigma.
        """
        sigma = _check.one_level("sigma", sigma)
        terms = []
        for density, exponent in self._terms:
            if isinstance(density, Flat) or exponent == 0:
                continue
            if not isinstance(density, GaussianMixture):
                raise ValueError(f"exact needs Gaussian mixtures, got {density!r}")
            if exponent != 1 and density.components > 1:
                raise ValueError(
                    f"exact needs a single Gaussian where the exponent is not 1, got {density!r} "
                    f"with exponent {exponent:g}"
                )
            terms.append((density.noised(sigma), exponent))
        if math.prod(density.components for density, _ in terms) > _MOST_COMPONENTS:
            raise ValueError(f"exact would need more than {_MOST_COMPONENTS} components")
        return _product_of_powers(terms, self.dim)

    # -- the surface of a Density -------------------------------------------------------------

    def _log_prob(self, x, sigma):
        return _combine([(factor._log_prob(x, sigma), w) for factor, w in self._factors])

    def _score(self, x, sigma):
        return _combine([(factor._score(x, sigma), w) for factor, w in self._factors])

    def _log_prob_and_score(self, x, sigma):
        pairs = [(factor._log_prob_and_score(x, sigma), w) for factor, w in self._factors]
        return tuple(_combine([(pair[i], w) for pair, w in pairs]) for i in (0, 1))

    def _chunk(self, device):
        return min(factor._chunk(device) for factor, _ in self._factors)


def interaction_of(deltas: Tensor, weights: Tensor) -> Tensor:
    """(|sum_i w_i Delta_i|^2 - sum_i w_i |Delta_i|^2) / 2, of deltas (k, ..., n): (...)."""
    # By pairs, as the difference of the squares would cancel:
    # sum_j w_j Delta_j . (sum_{i<j} w_i Delta_i + (w_j - 1) Delta_j / 2).
    dot = torch.linalg.vecdot
    total = torch.zeros_like(deltas[0, ..., 0])
    before = None
    for weight, delta in zip(weights.tolist(), deltas, strict=True):
        if before is not None:
            total = torch.add(total, dot(before, delta), alpha=weight)
        if weight != 1.0:
            total = torch.add(total, dot(delta, delta), alpha=0.5 * weight * (weight - 1.0))
        before = weight * delta if before is None else torch.add(before, delta, alpha=weight)
    return total


def compose(background: Density, concepts: Sequence[Density], weights=None) -> Composition:
    """C[p_b, p_1, ..., p_k], with optional weights (any real numbers, shape (k,)).

    Raises ValueError where something is not a Density, dimensions differ, there is no concept, or
    the weights have the wrong shape or are not finite.
    """
    return Composition(background, concepts, weights)


def simple_product(concepts: Sequence[Density], weights=None) -> Composition:
    """The product prod_i p_i^{w_i}, up to its normaliser: a composition over a flat background."""
    concepts = density_list("concepts", concepts)
    return Composition(Flat(concepts[0].dim), concepts, weights)


def bayes(unconditional: Density, concepts: Sequence[Density], weights=None) -> Composition:
    """The Bayes composition p_u prod_i p(x | c_i) / p_u: the operator over the unconditional."""
    if not isinstance(unconditional, Density):
        raise ValueError(f"unconditional must be a Density, got {unconditional!r}")
    return Composition(unconditional, concepts, weights)


def _fuse(terms) -> list[tuple[Density, float]]:
    """The same product, with Gaussian mixtures of equal size evaluated together."""
    groups: dict[int, list[tuple[GaussianMixture, float]]] = {}
    factors: list[tuple[Density, float]] = []
    for density, exponent in terms:
        if isinstance(density, GaussianMixture) and exponent:
            groups.setdefault(density.components, []).append((density, exponent))
        elif exponent and not isinstance(density, Flat):
            factors.append((density, exponent))
    fused = [(powers_of(*zip(*group, strict=True)), 1.0) for group in groups.values()]
    return fused + factors or [(Flat(terms[0][0].dim), 1.0)]


def _combine(terms: list[tuple[Tensor, float]]) -> Tensor:
    total = terms[0][0] * terms[0][1]
    for value, weight in terms[1:]:
        total = torch.add(total, value, alpha=weight)
    return total


def _product_of_powers(terms, dim: int) -> GaussianMixture:
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
