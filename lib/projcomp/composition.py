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
from typing import NamedTuple

import torch
from torch import Tensor

from projcomp import _check, tails
from projcomp._modes import uncompiled
from projcomp.densities import Density, Flat, GaussianMixture
from projcomp.densities._products import product_of_powers
from projcomp.densities._together import Together
from projcomp.densities.blocks import density_list, one_space


class Evaluation(NamedTuple):
    """A composition at points (..., n): log_prob (...), score (..., n) and interaction (...)."""

    log_prob: Tensor
    score: Tensor
    interaction: Tensor


class Composition(Density):
    """The composition operator as a Density; `log_prob` is up to its log normaliser, log Z.

    It has no exact sampler of its own: use a sampler, or `exact` where a closed form exists.
    Made by `compose`, `simple_product` and `bayes`.
    """

    def __init__(self, background: Density, concepts: Sequence[Density], weights=None):
        if not isinstance(background, Density):
            raise ValueError(f"background must be a Density, got {background!r}")
        concepts = density_list("concepts", concepts)
        one_space("concepts", concepts, background.dim, "the background")
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
        self._together = Together(*zip(*self._terms, strict=True))
        exponents = [exponent for _, exponent in self._terms]
        used = [place for place, exponent in enumerate(exponents) if exponent]
        self._used = None if len(used) == len(exponents) else used
        self._parts = sum(d._parts for d, _ in self._terms if not isinstance(d, Flat))
        # Of the scores of all densities: the composed one, and the deltas.
        combinations = torch.eye(len(exponents), dtype=torch.float64, device="cpu")
        combinations[:, 0] = -1.0
        combinations[0] = torch.tensor(exponents, dtype=torch.float64, device="cpu")
        self._combinations = combinations
        self._pairs = _pairs(weights.cpu())
        self.sigma_range = common_range([background, *self.concepts])
        self._shape = _common_shape([background, *self.concepts])

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    def __repr__(self):
        return (
            f"Composition({self.background!r}, {list(self.concepts)!r}, "
            f"weights={self.weights.tolist()})"
        )

    @property
    def exponent(self) -> float:
        """c, the sum of all exponents: 1 over a background, k for the simple product of k.

        q^sigma starts near N(0, sigma^2/c), so samplers give its particles noise of that variance.
        """
        base = self.background.exponent
        gains = [concept.exponent - base for concept in self.concepts]
        terms = [base, *(w * g for w, g in zip(self.weights.tolist(), gains, strict=True))]
        total = math.fsum(terms)
        return total if abs(total) > 1e-12 * math.fsum(map(abs, terms)) else 0.0

    @uncompiled
    def deltas(self, x, sigma=0.0) -> Tensor:
        """Score deltas Delta_i = s_i - s_b, stacked: (k, ..., n). x: (..., n)."""
        return self._answers(x, sigma, self._deltas)[0]

    @uncompiled
    def scores(self, x, sigma=0.0) -> Tensor:
        """The scores of all parts, each evaluated once: (1 + k, ..., n), the background's first."""
        return self._answers(x, sigma, self._scores)[0]

    def combined(self, scores: Tensor) -> Tensor:
        """The composed score, (..., n), of the scores of all parts (1 + k, ..., n)."""
        exponents = self._combinations[0].to(scores)
        used = slice(None) if self._used is None else self._used
        return torch.tensordot(exponents[used], scores[used], dims=1)

    def interaction(self, x, sigma=0.0, natural: bool = False) -> Tensor:
        """I = (|sum_i w_i Delta_i|^2 - sum_i w_i |Delta_i|^2) / 2 at noise level sigma: (...).

        With unit weights this is the sum over pairs of Delta_i . Delta_j. It is what keeps the
        composed path from solving the heat equation: with u = sigma^2 and q the unnormalised
        composition, d log q/du - (Laplacian log q + |grad log q|^2)/2 = -I. A density that is
        itself composed adds its own, times its exponent.

        natural: the same for particles whose noise has the variance u / c, as those of the
        samplers, c > 0 being the `exponent`: d log q/du - (Laplacian log q + |grad log q|^2)/2c.
        Where c is not 1 that takes the Laplacian of log q, in closed form for Gaussian mixtures;
        of other parts it takes one derivative of the score for each coordinate.
        """
        return self.score_and_interaction(x, sigma, natural)[1]

    @uncompiled
    def score_and_interaction(self, x, sigma=0.0, natural=False) -> tuple[Tensor, Tensor]:
        """Both from one pass over the densities: (..., n) and (...)."""
        own = natural and self.exponent > 0 and self.exponent != 1.0
        return self._answers(x, sigma, self._natural if own else self._score_and_interaction)

    @uncompiled
    def evaluate(self, x, sigma=0.0) -> Evaluation:
        """Log density, score and interaction from one pass over the densities.

        x: (..., n); shapes as of the methods of these names. Raises ValueError as they do, so also
        where a density with a part in the product has no log density.
        """
        return Evaluation(*self._answers(x, sigma, self._evaluate))

    def normalisable(self, sigma=0.0) -> bool | None:
        """Whether the composition at noise level `sigma` has a finite integral.

        Decided for Gaussian mixtures (and a flat background) by the tails: far out along a
        direction u, minus twice the log of a mixture is its smallest u^T P u, P a component's
        precision. The composition is normalisable if every choice of one component from each
        density leaves a positive definite total. That is exact as long as each density with a
        negative exponent, such as the background of two concepts, has one covariance for all of
        its components. None where this does not decide.
        """
        return self._normalisable([_check.one_level("sigma", sigma)])[0]

    def _normalisable(self, sigmas):
        return tails.normalisable(self._terms, sigmas)

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
        if math.prod(density.components for density, _ in terms) > tails.MOST_COMPONENTS:
            raise ValueError(f"exact would need more than {tails.MOST_COMPONENTS} components")
        return product_of_powers(terms, self.dim)

    # -- the surface of a Density -------------------------------------------------------------

    def _log_prob(self, x, sigma):
        return self._together.evaluate(x, sigma, score=False)[0]

    def _score(self, x, sigma):
        return self._together.evaluate(x, sigma, log_prob=False)[0]

    def _log_prob_and_score(self, x, sigma):
        return tuple(self._together.evaluate(x, sigma))

    def _scores(self, x, sigma):
        return (self._together.each(x, sigma, log_prob=False)[1],)

    def _deltas(self, x, sigma):
        (scores,) = self._scores(x, sigma)
        return (scores[1:] - scores[0],)

    def _score_and_interaction(self, x, sigma):
        return self._evaluate(x, sigma, log_prob=False)[1:]

    def _laplacian(self, x, sigma):
        return self._together.laplacian(x, sigma)

    def _interaction(self, x, sigma):
        return self._score_and_interaction(x, sigma)[1]

    def _natural(self, x, sigma):
        score, interaction = self._score_and_interaction(x, sigma)
        heat = self._laplacian(x, sigma) + (score * score).sum(0)
        return score, interaction + 0.5 * (1.0 / self.exponent - 1.0) * heat

    def _evaluate(self, x, sigma, log_prob=True):
        value, scores = self._together.each(x, sigma, log_prob)
        combined = self._combinations.to(x.device) @ scores.flatten(1)
        score, deltas = combined[0], combined[1:]
        if self._used is not None:  # 0 times what is not finite would be NaN
            exponents = self._combinations[0, self._used].to(x.device)
            score = exponents @ scores[self._used].flatten(1)
        products = (self._pairs.to(x.device) @ deltas) * deltas
        interaction = products.view(len(deltas) * self.dim, x.shape[1]).sum(0)
        for density, exponent in self._terms:
            own = density._interaction(x, sigma) if exponent else None
            if own is not None:
                interaction = interaction + exponent * own
        return value, score.view_as(x), interaction

    def _chunk(self, device):
        return self._together.chunk(device)


def interaction_of(deltas: Tensor, weights: Tensor) -> Tensor:
    """(|sum_i w_i Delta_i|^2 - sum_i w_i |Delta_i|^2) / 2, of deltas (k, ..., n): (...)."""
    others = torch.tensordot(_pairs(weights.to(deltas)), deltas, dims=1)
    return (others * deltas).sum((0, -1))


def _pairs(weights: Tensor) -> Tensor:
    """A, (k, k), lower triangular, for which the interaction is sum_ij A_ij Delta_i . Delta_j."""
    # By pairs, as the difference of the squares would cancel:
    # sum_j w_j Delta_j . (sum_{i<j} w_i Delta_i + (w_j - 1) Delta_j / 2).
    return torch.outer(weights, weights).tril(-1) + torch.diag(0.5 * weights * (weights - 1.0))


def common_range(densities: Sequence[Density]) -> tuple[float, float]:
    """The noise levels at which all are known. Raises ValueError where there are none."""
    lows, highs = zip(*(density.sigma_range for density in densities), strict=True)
    low, high = max(lows), min(highs)
    if not low < high:
        ranges = ", ".join(f"{a:.3g} to {b:.3g}" for a, b in zip(lows, highs, strict=True))
        raise ValueError(
            f"concepts must share noise levels with the background, got ranges of sigma {ranges}"
        )
    return low, high


def _common_shape(densities: Sequence[Density]) -> tuple[int, ...]:
    """That of pictures where one has it, else (dim,). Raises ValueError where two differ."""
    shapes = {density.shape for density in densities if len(density.shape) > 1}
    if len(shapes) > 1:
        raise ValueError(f"concepts must have one shape, as the background, got {sorted(shapes)}")
    return shapes.pop() if shapes else densities[0].shape


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
