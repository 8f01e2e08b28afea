"""Pushforwards: the law of f(x) for x ~ p, under linear maps and diffeomorphisms."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import mapped, plainly, values
from projcomp.densities.base import Density
from projcomp.densities.mixtures import GaussianMixture


class Diffeomorphism:
    """A smooth bijection f of R^n with a smooth inverse.

    Args:
        dim: n.
        forward: f, from (..., n) to (..., n), in differentiable torch operations.
        inverse: f^-1, likewise.
        log_abs_det: log |det Df(x)|, from (..., n) to (...); by automatic differentiation of
            `forward` if None.
    """

    orthogonal = False

    def __init__(
        self,
        dim: int,
        forward: Callable[[Tensor], Tensor],
        inverse: Callable[[Tensor], Tensor],
        log_abs_det: Callable[[Tensor], Tensor] | None = None,
    ):
        self.dim = _check.count("dim", dim)
        for name, function in (("forward", forward), ("inverse", inverse)):
            if not callable(function):
                raise ValueError(f"{name} must be a function, got {function!r}")
        if log_abs_det is not None and not callable(log_abs_det):
            raise ValueError(f"log_abs_det must be a function or None, got {log_abs_det!r}")
        self._forward, self._inverse, self._log_abs_det = forward, inverse, log_abs_det

    def forward(self, x) -> Tensor:
        """f(x); x: (..., n)."""
        return self._apply(self._forward, x)

    def inverse(self, y) -> Tensor:
        """f^-1(y); y: (..., n)."""
        return self._apply(self._inverse, y)

    def log_abs_det(self, x) -> Tensor:
        """log |det Df(x)|; x: (..., n), returns (...)."""
        x, dtype = _check.points("x", x, self.dim)
        return _check.fitting("x", self._log_volume(x), dtype)

    def _log_volume(self, x: Tensor) -> Tensor:
        if self._log_abs_det is not None:
            return self._log_abs_det(x)
        flat = x.reshape(-1, self.dim)
        if not len(flat):
            return x.new_zeros(x.shape[:-1])
        jacobian = torch.func.vmap(torch.func.jacrev(self._forward))(flat)
        return torch.linalg.slogdet(jacobian).logabsdet.reshape(x.shape[:-1])

    def inverted(self) -> Diffeomorphism:
        """f^-1 as a map of its own."""
        return _Inverted(self)

    def then(self, other: Diffeomorphism) -> Diffeomorphism:
        """x -> other(f(x)). Raises ValueError unless `other` acts on the same space."""
        return _Chained(self, other)

    def _apply(self, function, x):
        x, dtype = _check.points("x", x, self.dim)
        return _check.fitting("x", function(x), dtype)


class _Inverted(Diffeomorphism):
    def __init__(self, source: Diffeomorphism):
        self.dim, self.source, self.orthogonal = source.dim, source, source.orthogonal

    def _forward(self, x):
        return self.source._inverse(x)

    def _inverse(self, y):
        return self.source._forward(y)

    def _log_abs_det(self, x):
        return -self.source._log_volume(self.source._inverse(x))

    def inverted(self):
        return self.source


class _Chained(Diffeomorphism):
    def __init__(self, first: Diffeomorphism, second: Diffeomorphism):
        if not isinstance(second, Diffeomorphism) or second.dim != first.dim:
            raise ValueError(f"other must be a Diffeomorphism of R^{first.dim}, got {second!r}")
        self.dim, self.first, self.second = first.dim, first, second
        self.orthogonal = first.orthogonal and second.orthogonal

    def _forward(self, x):
        return self.second._forward(self.first._forward(x))

    def _inverse(self, y):
        return self.first._inverse(self.second._inverse(y))

    def _log_abs_det(self, x):
        return self.first._log_volume(x) + self.second._log_volume(self.first._forward(x))


class LinearMap(Diffeomorphism):
    """f(x) = matrix x + offset. Raises ValueError unless `matrix` is (n, n) and invertible."""

    @plainly
    def __init__(self, matrix, offset=None):
        matrix = _check.real("matrix", matrix).detach()
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
            raise ValueError(f"matrix must have shape (n, n), got {tuple(matrix.shape)}")
        dim = len(matrix)
        singular = torch.linalg.svdvals(matrix)
        if float(singular[-1]) <= dim * torch.finfo(torch.float64).eps * float(singular[0]):
            raise ValueError(
                f"matrix must be invertible to working precision, got singular values from "
                f"{float(singular[0]):g} to {float(singular[-1]):g}"
            )
        offset = matrix.new_zeros(dim) if offset is None else _check.real("offset", offset)
        offset = offset.detach().to(matrix.device)
        if offset.shape != (dim,):
            raise ValueError(f"offset must have shape ({dim},), got {tuple(offset.shape)}")
        self.dim, self.matrix, self.offset = dim, matrix.clone(), offset.clone()
        self.orthogonal = bool((singular - 1).abs().max() < 1e-12)
        self._back = matrix.T.clone() if self.orthogonal else torch.linalg.inv(matrix)
        self._volume = float(singular.log().sum())

    def _forward(self, x):
        return x @ self.matrix.T.to(x.device) + self.offset.to(x.device)

    def _inverse(self, y):
        return (y - self.offset.to(y.device)) @ self._back.T.to(y.device)

    def _log_abs_det(self, x):
        return torch.full_like(x[..., 0], self._volume)

    def inverted(self) -> LinearMap:
        """y -> matrix^-1 (y - offset)."""
        return LinearMap(self._back, -(self._back @ self.offset))


class Identity(Diffeomorphism):
    """f(x) = x, in any number of dimensions at no cost."""

    orthogonal = True

    def __init__(self, dim: int):
        self.dim = _check.count("dim", dim)

    def _forward(self, x):
        return x

    def _inverse(self, y):
        return y

    def _log_abs_det(self, x):
        return torch.zeros_like(x[..., 0])

    def inverted(self) -> Identity:
        return self


class Turn(Diffeomorphism):
    """An orthogonal map that takes given directions to the last coordinates: of order n r, not n^2.

    f(x) = (the rest of x, basis^T x), where the rest has n - r coordinates. It is the block
    reflector of Schreiber and Parlett (1988, "Block reflectors: theory and computation"), which
    swaps the span of the directions with that of the last coordinates, and a turn among the latter.

    Args:
        basis: orthonormal directions as columns, (n, r).

    Raises ValueError where they are not orthonormal (to 1e-8), or more than n.
    """

    orthogonal = True

    @plainly
    def __init__(self, basis):
        basis = _check.real("basis", basis).detach()
        if basis.ndim != 2 or not 1 <= basis.shape[1] <= basis.shape[0]:
            raise ValueError(f"basis must have shape (n, r), 1 <= r <= n, got {tuple(basis.shape)}")
        self.dim, self.rank = basis.shape
        one = torch.eye(self.rank, dtype=basis.dtype, device=basis.device)
        gap = float((basis.T @ basis - one).abs().max())
        if gap > 1e-8:
            raise ValueError(f"basis must be orthonormal, but inner products are off by {gap:.2g}")
        exact, triangle = torch.linalg.qr(basis)
        basis = exact * triangle.diagonal().sign()
        # H = 1 - W K W^T with H basis = E S: E the last r unit vectors, S the polar factor of
        # -E^T basis, W = basis - E S and K = 2 (W^T W)^-1, whose inverse has no eigenvalue below 1.
        left, cosines, right = torch.linalg.svd(basis[-self.rank :])
        self._last = -left @ right
        self._normals = basis.clone()
        self._normals[-self.rank :] -= self._last
        self._middle = right.T @ torch.diag(1 / (1 + cosines)) @ right

    def _reflect(self, x):
        normals, middle = self._normals.to(x.device), self._middle.to(x.device)
        return x - (x @ normals) @ middle @ normals.T

    def _turn_last(self, x, by):
        rest, last = x.split([self.dim - self.rank, self.rank], -1)
        return torch.cat([rest, last @ by.to(x.device)], -1)

    def _forward(self, x):
        return self._turn_last(self._reflect(x), self._last)

    def _inverse(self, y):
        return self._reflect(self._turn_last(y, self._last.T))

    def _log_abs_det(self, x):
        return torch.zeros_like(x[..., 0])


class Pushforward(Density):
    """f # p, the law of f(x) for x ~ p.

    log (f # p)(y) = log p(f^-1(y)) - log |det Df(f^-1(y))|. That is exact at sigma = 0. Noise does
    not commute with f unless f is orthogonal, so at sigma > 0 any other f raises ValueError.
    Where f^-1 is not finite, as outside of the image of f, log_prob is -inf and the score zero.
    """

    def __init__(self, density: Density, transform: Diffeomorphism):
        if not isinstance(density, Density):
            raise ValueError(f"density must be a Density, got {density!r}")
        if not isinstance(transform, Diffeomorphism):
            raise ValueError(f"transform must be a Diffeomorphism, got {transform!r}")
        if transform.dim != density.dim:
            raise ValueError(
                f"transform must act on R^{density.dim} as the density does, got R^{transform.dim}"
            )
        super().__init__(density.dim)
        self.density, self.transform = density, transform

    def _log_prob(self, x, sigma):
        if not self.transform.orthogonal and bool((values(sigma) != 0).any()):
            raise ValueError(
                "sigma must be 0: noise does not commute with a map that is not orthogonal, so "
                "this pushforward has no exact density at sigma > 0"
            )
        points = x.T
        source = self.transform._inverse(points)
        if self.transform.orthogonal:
            return self.density._log_prob(source.T, sigma)
        if not mapped(source) and _check.largest(source) <= _check.LARGEST:
            return self._changed(source, sigma)
        reached = (source.abs() <= _check.LARGEST).all(-1)
        # Not through the inverse at all: its derivatives there would be NaN.
        inside = self.transform._forward(torch.zeros_like(points))
        source = self.transform._inverse(torch.where(reached[:, None], points, inside))
        return torch.where(reached, self._changed(source, sigma), -math.inf)

    def _changed(self, source: Tensor, sigma: Tensor) -> Tensor:
        log_prob = self.density._log_prob(source.T, sigma)
        return log_prob - self.transform._log_volume(source)

    def _interaction(self, x, sigma):
        if not self.transform.orthogonal:  # known at sigma = 0 alone, where nothing moves
            return None
        return self.density._interaction(self.transform._inverse(x.T).T, sigma)

    def _sample(self, n, generator, device):
        return self.transform._forward(self.density._sample(n, generator, device))

    @property
    def exponent(self) -> float:
        return self.density.exponent

    def normalisable(self, sigma=0.0):
        return self.density.normalisable(sigma)

    def _chunk(self, device):
        return self.density._chunk(device)


def pushforward(density: Density, transform) -> Density:
    """The law of f(x) for x ~ density.

    transform: a Diffeomorphism, or an invertible (n, n) matrix. A Gaussian mixture under a linear
    map comes back as a Gaussian mixture, exact at every sigma; anything else as a `Pushforward`.
    """
    if not isinstance(transform, Diffeomorphism):
        transform = LinearMap(transform)
    if isinstance(density, GaussianMixture) and isinstance(transform, LinearMap):
        if transform.dim != density.dim:
            raise ValueError(
                f"transform must act on R^{density.dim} as the density does, got R^{transform.dim}"
            )
        matrix = transform.matrix.to(density.means.device)
        covariances = matrix @ density.covariances @ matrix.T
        covariances = 0.5 * (covariances + covariances.mT)
        return GaussianMixture(density.weights, transform.forward(density.means), covariances)
    return Pushforward(density, transform)
