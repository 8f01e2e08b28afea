"""The one surface: what every exact, composed or learned model looks like."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import gradient, plainly, uncompiled, value_and_gradient
from projcomp.densities import _meter, _own


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
    automatic differentiation needs a `_log_prob` of differentiable torch operations. They answer
    with tensors (B,) and (n, B) in float64, on the device of x. A log density is a number, or -inf
    where there is no mass, and never NaN; a score is finite wherever the log density is, and may be
    undefined (NaN) elsewhere. Anything else raises ValueError, naming the method. In a sampler a
    NaN is left to the sampler: it looks at what it gets, and does not go where nothing is known.
    """

    most_samples: float = math.inf
    """How many independent samples `sample` can give in one call, at most."""

    sigma_range: tuple[float, float] = (0.0, math.inf)
    """The least and the largest noise level at which the score is known."""

    _parts = 1
    """How many densities an evaluation asks."""

    _family = None
    """The `Family` that evaluates this density and others in one pass, where there is one."""

    def __init__(self, dim: int):
        self.dim = _check.count("dim", dim)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a point: (dim,), or that of a picture whose coordinates are a point's."""
        return (self.dim,)

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if "__init__" in cls.__dict__:
            cls.__init__ = plainly(cls.__init__)
        if _own.foreign(cls):
            _own.hold(cls)

    # -- what a caller uses ------------------------------------------------------------------

    @uncompiled
    def log_prob(self, x, sigma=0.0) -> Tensor:
        """log p^sigma(x). x: (..., n); returns the shape that (...) and sigma broadcast to.

        Raises ValueError if x is not (..., n) and finite, sigma is negative or not finite, or the
        answer does not fit the dtype of x.
        """
        return self._answers(x, sigma, lambda p, s: (self._log_prob(p, s),))[0]

    @uncompiled
    def score(self, x, sigma=0.0) -> Tensor:
        """The score, grad_x log p^sigma(x). x: (..., n); returns (..., n). Raises as `log_prob`."""
        return self._answers(x, sigma, lambda p, s: (self._score(p, s),))[0]

    @uncompiled
    def log_prob_and_score(self, x, sigma=0.0) -> tuple[Tensor, Tensor]:
        """Both at once, for about the price of the score. Shapes as the two methods."""
        return self._answers(x, sigma, self._log_prob_and_score)

    @uncompiled
    def denoise(self, x, sigma) -> Tensor:
        """The posterior mean E[x_0 | x_sigma = x] = x + sigma**2 score (Tweedie's formula).

        x: (..., n); returns (..., n). Raises as `log_prob`.
        """
        return self._answers(x, sigma, lambda p, s: (self._denoise(p, s),))[0]

    def sample(self, n: int, sigma=0.0, generator: torch.Generator | None = None) -> Tensor:
        """Exact, independent samples of p^sigma where the density can: (n, dim) float64, or
        (n, *shape) where points are pictures.

        They lie on the device of `generator` (the CPU without one).
        Raises ValueError if n < 1, if `generator` is none, or if there is no exact sampler.
        """
        n = _check.count("n", n)
        _check.source("generator", generator)
        sigma = _check.level("sigma", sigma)
        if sigma.ndim:
            raise ValueError(f"sigma must be one number to sample, got shape {tuple(sigma.shape)}")
        device = torch.device("cpu") if generator is None else generator.device
        clean = self._sample(n, generator, device).reshape(n, *self.shape)
        if float(sigma) == 0.0:
            return clean
        noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype, device=device)
        return clean + sigma.to(device) * noise

    def normalisable(self, sigma=0.0) -> bool | None:
        """Whether log_prob at `sigma` has a finite integral; None where that is not known."""
        return True

    def _normalisable(self, sigmas: Sequence[float]) -> list[bool | None]:
        """`normalisable` at each of many levels."""
        return [self.normalisable(sigma) for sigma in sigmas]

    @property
    def exponent(self) -> float:
        """c, where p^sigma(x) nears exp(-c |x|**2 / (2 sigma**2)) as sigma grows.

        1 for a distribution and its noised versions; for a product of powers the sum of exponents.
        """
        return 1.0

    # -- what a density implements -----------------------------------------------------------

    @abstractmethod
    def _log_prob(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x: (n, B); returns (B,)."""

    def _score(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x: (n, B); returns (n, B). By automatic differentiation unless overridden."""
        return gradient(lambda y: self._log_prob(y, sigma), x)

    def _log_prob_and_score(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        if inspect.unwrap(type(self)._score) is Density._score:  # of a class held or not
            return value_and_gradient(lambda y: self._log_prob(y, sigma), x)
        return self._log_prob(x, sigma), self._score(x, sigma)

    def _denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return x + sigma**2 * self._score(x, sigma)

    def _laplacian(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The Laplacian of log p^sigma, (B,): the divergence of the score, by forward
        differentiation, one pass for each coordinate, unless overridden."""
        total = torch.zeros_like(x[0])
        for axis in range(len(x)):
            along = torch.zeros_like(x)
            along[axis] = 1.0
            slope = torch.func.jvp(lambda y: self._score(y, sigma), (x,), (along,))[1]
            total = total + slope[axis]
        return total

    def _interaction(self, x: Tensor, sigma: Tensor) -> Tensor | None:
        """(Laplacian p / p) / 2 - d log p/d(sigma^2), (B,); None where it is 0, as it is for a
        distribution and its noised versions: they solve the heat equation.
        """
        return None

    def _score_and_interaction(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Both, (n, B) and (B,); here the interaction is 0 where there is none."""
        own = self._interaction(x, sigma)
        return self._score(x, sigma), torch.zeros_like(x[0]) if own is None else own

    def _sample(self, n: int, generator, device) -> Tensor:
        raise ValueError(
            f"{type(self).__name__} has no exact sampler; use pc.reverse_diffusion or another "
            "sampler"
        )

    def _chunk(self, device: torch.device) -> int:
        """How many points to treat at a time, so that temporaries stay small (CPU: in cache)."""
        return 1 << 16

    # -- layout ------------------------------------------------------------------------------

    def _answers(self, x, sigma, method) -> tuple[Tensor, ...]:
        """What `method` of points (n, B) and levels gives, in the batch shape and dtype of x.

        It gives a tuple of tensors (B,) or (.., n, B), which come back as (...) and (.., ..., n);
        pictures (..., *shape) as (.., ..., *shape).
        """
        form = (self.dim,)
        if len(self.shape) > 1:
            x = _check.floating("x", x)
            form = self.shape if _check.pictures(x, self.shape) else form
        points, sigma, shape, dtype = self._flatten(x, sigma)
        with _meter.evaluated(points.shape[1] * self._parts):
            pieces = [method(p, s) for p, s in self._pieces(points, sigma)]
        answers = [_check.fitting("x", _join(parts), dtype) for parts in zip(*pieces, strict=True)]
        return tuple(
            answer.reshape(shape) if answer.ndim == 1
            else answer.mT.reshape(*answer.shape[:-2], *shape, *form)
            for answer in answers
        )  # fmt: skip

    def _flatten(self, x, sigma):
        """To points (n, B), levels () or (B,), and how to get back: batch shape and dtype."""
        points, dtype = _check.points("x", x, self.dim, self.shape)
        if isinstance(sigma, float) and 0.0 <= sigma <= _check.LARGEST:  # a short way, much used
            sigma = torch.full((), sigma, dtype=torch.float64, device=points.device)
            return points.reshape(-1, self.dim).T, sigma, points.shape[:-1], dtype
        sigma = _check.level("sigma", sigma, like=points)
        shape = _check.batch_shape(points, sigma)
        sigma = sigma.reshape(()) if sigma.numel() == 1 else sigma.expand(shape).reshape(-1)
        points = points.expand(*shape, self.dim).reshape(-1, self.dim)
        return points.T, sigma, shape, dtype

    def flat(self, name: str, x) -> Tensor:
        """Points (..., n) or pictures (..., *shape) as float64 points (..., n).

        Raises ValueError for another shape, naming the argument `name`.
        """
        return _check.points(name, x, self.dim, self.shape)[0]

    def _pieces(self, points: Tensor, sigma: Tensor):
        size = max(1, self._chunk(points.device))
        if points.shape[1] <= size:
            yield points.contiguous(), sigma
            return
        for start in range(0, max(1, points.shape[1]), size):
            piece = points[:, start : start + size].contiguous()
            yield piece, (sigma[start : start + size] if sigma.ndim else sigma)


def _join(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


class Flat(Density):
    """The constant 1 on R^n: an improper background, with zero score at every noise level.

    Composing over it is the simple product. It solves the heat equation like any other density.
    """

    def _log_prob(self, x, sigma):
        return torch.zeros_like(x[0])

    def _score(self, x, sigma):
        return torch.zeros_like(x)

    @property
    def exponent(self) -> float:
        return 0.0

    def normalisable(self, sigma=0.0) -> bool:
        return False
