"""A density known by its score alone, such as a trained network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import _own
from projcomp.densities.base import Density


@_own.hold
class Scored(Density):
    """A distribution of which only the score is known, and perhaps a set of samples.

    `log_prob` raises ValueError. Everything that needs scores alone (samplers, compositions, the
    interaction, `diagnose`) takes it like any other density.

    Args:
        dim: n.
        score: a function of points (B, n) and noise levels (B,), both float64, that gives the
            scores (B, n). A denoiser D becomes one by ``(D(x, s) - x) / s[:, None] ** 2``.
        samples: (N, n) or (N, *shape), independent samples at sigma = 0, or None. `sample` deals
            from them without putting any back, so at most N in one call.
        shape: of a point, where points are pictures; (dim,) if None.
        sigma_range: the least and the largest noise level at which the score is known; it is asked
            at no other.

    Raises ValueError for a score that is not a function or answers in another shape, for samples of
    another shape, a shape that does not hold `dim` coordinates, and a range that is none.
    """

    def __init__(
        self,
        dim: int,
        score: Callable[[Tensor, Tensor], Tensor],
        samples: Tensor | None = None,
        *,
        shape: Sequence[int] | None = None,
        sigma_range: tuple[float, float] = (0.0, math.inf),
    ):
        super().__init__(dim)
        if not callable(score):
            raise ValueError(f"score must be a function of points and levels, got {score!r}")
        self._shape = _shape_of(shape, self.dim)
        self.sigma_range = _check.reach("sigma_range", sigma_range)
        if samples is not None:
            samples = self.flat("samples", samples).detach()
            if samples.ndim != 2:
                raise ValueError(f"samples must have shape (N, {dim}), got {tuple(samples.shape)}")
        self.score_function, self.samples = score, samples

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    def __repr__(self):
        known = "no samples" if self.samples is None else f"{len(self.samples)} samples"
        return f"Scored(dim={self.dim}, {known})"

    @property
    def most_samples(self) -> int:
        return 0 if self.samples is None else len(self.samples)

    def normalisable(self, sigma=0.0):
        return None

    def _log_prob(self, x, sigma):
        raise ValueError("this density is known by its score alone: it has no log_prob")

    def _log_prob_and_score(self, x, sigma):
        return self._log_prob(x, sigma), self._score(x, sigma)

    def _score(self, x, sigma):
        _check.within("sigma", sigma, self.sigma_range)
        score = self.score_function(x.T, sigma.expand(x.shape[1]))
        if not isinstance(score, Tensor) or score.shape != x.T.shape:
            raise ValueError(
                f"score must answer with a tensor of shape {tuple(x.T.shape)}, got "
                f"{tuple(score.shape) if isinstance(score, Tensor) else score!r}"
            )
        return score.to(x).T

    def _sample(self, n, generator, device):
        if n > self.most_samples:
            raise ValueError(f"n must be at most the {self.most_samples} samples known, got {n}")
        order = torch.randperm(self.most_samples, generator=generator, device=device)[:n]
        return self.samples.to(device)[order]


def _shape_of(shape, dim: int) -> tuple[int, ...]:
    if shape is None:
        return (dim,)
    found = _check.sizes("shape", shape)
    if math.prod(found) != dim:
        raise ValueError(f"shape must hold {dim} coordinates, got {found}")
    return found
