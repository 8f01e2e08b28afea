"""The one surface: what every exact, composed or learned model looks like."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import gradient, plainly, uncompiled


class Density(ABC):
    """A distribution on R^n together with all of its noised versions.

    For a distribution p and a noise level sigma, ``p^sigma`` is the law of ``x + sigma * eps``.
    The public methods take `x` of shape (..., n), anything array-like, and `sigma` that broadcasts
    against (...). Exact densities compute in float64; the answer has the dtype of `x` where that
    is a floating type (float64 otherwise) and lives on the device of `x`.

    Every method can be differentiated in x and sigma, in both modes, and goes through `torch.func`
    (vmap, jvp, jacfwd, hessian, ..); torch.compile leaves it alone. A density itself is a constant:
    no derivative is taken in the weights, means or points it was made of.

    A subclass gives `_log_prob` or `_score` (or both) on points laid out as (n, B), contiguous
    along the points, in float64, with `sigma` a tensor of shape () or (B,). A score that is left to
    automatic differentiation needs a `_log_prob` of differentiable torch operations.
    """

    most_samples: float = math.inf
    """How many independent samples `sample` can give in one call, at most."""

    def __init__(self, dim: int):
        self.dim = _check.count("dim", dim)

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if "__init__" in cls.__dict__:
            cls.__init__ = plainly(cls.__init__)

    # -- what a caller uses ------------------------------------------------------------------

    @uncompiled
    def log_prob(self, x, sigma=0.0) -> Tensor:
        """log p^sigma(x). x: (..., n); returns the shape that (...) and sigma broadcast to.

        Raises ValueError if x is not (..., n) and finite, sigma is negative or not finite, or the
        answer does not fit the dtype of x.
        """
        points, sigma, shape, dtype = self._flatten(x, sigma)
        parts = [self._log_prob(p, s) for p, s in self._pieces(points, sigma)]
        return _check.fitting("x", _join(parts), dtype).reshape(shape)

    @uncompiled
    def score(self, x, sigma=0.0) -> Tensor:
        """The score, grad_x log p^sigma(x). x: (..., n); returns (..., n). Raises as `log_prob`."""
        points, sigma, shape, dtype = self._flatten(x, sigma)
        parts = [self._score(p, s) for p, s in self._pieces(points, sigma)]
        return _check.fitting("x", _join(parts), dtype).T.reshape(*shape, self.dim)

    @uncompiled
    def log_prob_and_score(self, x, sigma=0.0) -> tuple[Tensor, Tensor]:
        """Both at once, for about the price of the score. Shapes as the two methods."""
        points, sigma, shape, dtype = self._flatten(x, sigma)
        pairs = [self._log_prob_and_score(p, s) for p, s in self._pieces(points, sigma)]
        log_prob, score = (
            _check.fitting("x", _join(parts), dtype) for parts in zip(*pairs, strict=True)
        )
        return log_prob.reshape(shape), score.T.reshape(*shape, self.dim)

    @uncompiled
    def denoise(self, x, sigma) -> Tensor:
        """The posterior mean E[x_0 | x_sigma = x] = x + sigma**2 score (Tweedie's formula).

        x: (..., n); returns (..., n). Raises as `log_prob`.
        """
        points, sigma, shape, dtype = self._flatten(x, sigma)
        parts = [self._denoise(p, s) for p, s in self._pieces(points, sigma)]
        return _check.fitting("x", _join(parts), dtype).T.reshape(*shape, self.dim)

    def sample(self, n: int, sigma=0.0, generator: torch.Generator | None = None) -> Tensor:
        """Exact, independent samples of p^sigma where the density can: (n, dim) float64.

        They lie on the device of `generator` (the CPU without one).
        Raises ValueError if n < 1, if `generator` is none, or if there is no exact sampler.
        """
        n = _check.count("n", n)
        _check.source("generator", generator)
        sigma = _check.level("sigma", sigma)
        if sigma.ndim:
            raise ValueError(f"sigma must be one number to sample, got shape {tuple(sigma.shape)}")
        device = torch.device("cpu") if generator is None else generator.device
        clean = self._sample(n, generator, device)
        if float(sigma) == 0.0:
            return clean
        noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype, device=device)
        return clean + sigma.to(device) * noise

    def normalisable(self, sigma=0.0) -> bool | None:
        """Whether log_prob at `sigma` has a finite integral; None where that is not known."""
        return True

    # -- what a density implements -----------------------------------------------------------

    @abstractmethod
    def _log_prob(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x: (n, B); returns (B,)."""

    def _score(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x: (n, B); returns (n, B). By automatic differentiation unless overridden."""
        return gradient(lambda y: self._log_prob(y, sigma), x)

    def _log_prob_and_score(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        return self._log_prob(x, sigma), self._score(x, sigma)

    def _denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return x + sigma**2 * self._score(x, sigma)

    def _sample(self, n: int, generator, device) -> Tensor:
        raise ValueError(
            f"{type(self).__name__} has no exact sampler; use pc.reverse_diffusion or another "
            "sampler"
        )

    def _chunk(self, device: torch.device) -> int:
        """How many points to treat at a time, so that temporaries stay small (CPU: in cache)."""
        return 1 << 16

    # -- layout ------------------------------------------------------------------------------

    def _flatten(self, x, sigma):
        """To points (n, B), levels () or (B,), and how to get back: batch shape and dtype."""
        points, dtype = _check.points("x", x, self.dim)
        sigma = _check.level("sigma", sigma, like=points)
        shape = _check.batch_shape(points, sigma)
        sigma = sigma.reshape(()) if sigma.numel() == 1 else sigma.expand(shape).reshape(-1)
        points = points.expand(*shape, self.dim).reshape(-1, self.dim)
        return points.T, sigma, shape, dtype

    def _pieces(self, points: Tensor, sigma: Tensor):
        size = max(1, self._chunk(points.device))
        for start in range(0, max(1, points.shape[1]), size):
            piece = points[:, start : start + size].contiguous()
            yield piece, (sigma[start : start + size] if sigma.ndim else sigma)


def _join(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


class Flat(Density):
    """The constant 1 on R^n: an improper background, with zero score at every noise level.

    Composing over it is the simple product. It solves the heat equation like any other density.
    """

    def _log_prob(self, x, sigma):
        return torch.zeros_like(x[0])

    def _score(self, x, sigma):
        return torch.zeros_like(x)

    def normalisable(self, sigma=0.0) -> bool:
        return False
