"""Uniform distributions on boxes and on circles, exact with noise.

Both can be written down as `Density` of one's own: a log density of differentiable operations is
all that it takes. What makes these longer is that they keep their digits far out in the tails, for
noise levels of any size, and in all derivatives.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import values
from projcomp.densities.base import Density

_LOG_2PI = math.log(2.0 * math.pi)
_SMALLEST_SIGMA = 1e-100
_KNOTS, _GAUSS = (part.tolist() for part in np.polynomial.legendre.leggauss(12))
_FAR_OUT, _LARGE = 20.0, 100.0
"""From here on asymptotic series of ten terms have all digits."""
_MILLS = [math.prod(range(1, 2 * k, 2)) * (-1.0) ** k for k in range(10)]
"""sqrt(2 pi) z exp(z^2 / 2) (1 - Phi(z)) in powers of 1 / z^2."""
_BESSEL = [math.prod(range(1, 2 * k, 2)) ** 2 / (math.factorial(k) * 8.0**k) for k in range(10)]
"""sqrt(2 pi z) exp(-z) I_0(z) in powers of 1 / z."""
_BESSEL_NEAR = [1.0 / (4.0**k * math.factorial(k) ** 2) for k in range(10)]
"""I_0(z) in powers of z^2."""


class Box(Density):
    """The uniform distribution on the box low <= x <= high.

    p^sigma(x) = prod_j (Phi((x_j - low_j) / sigma) - Phi((x_j - high_j) / sigma))
    / (high_j - low_j). At sigma = 0 log_prob is -inf outside, and the score zero everywhere.

    Args:
        low, high: (n,), low < high in every coordinate.

    Raises ValueError for other shapes, bounds that are not finite or not in order, and a sigma
    that is above 0 and below 1e-100.
    """

    def __init__(self, low, high):
        low, high = (_bounded(name, value) for name, value in (("low", low), ("high", high)))
        if low.ndim != 1 or not len(low):
            raise ValueError(f"low must have shape (n,), got {tuple(low.shape)}")
        if high.shape != low.shape:
            raise ValueError(
                f"high must have the shape of low, {tuple(low.shape)}, got {tuple(high.shape)}"
            )
        high = high.to(low.device)
        if not bool((high > low).all()):
            worst = int((high - low).argmin())
            raise ValueError(
                f"high must be above low, but high[{worst}] = {float(high[worst]):g} and "
                f"low[{worst}] = {float(low[worst]):g}"
            )
        super().__init__(len(low))
        self.low, self.high = low.clone(), high.clone()

    def __repr__(self):
        return f"Box(low={self.low.tolist()}, high={self.high.tolist()})"

    def _log_prob(self, x, sigma):
        low, high = self.low[:, None].to(x.device), self.high[:, None].to(x.device)
        clean = sigma == 0
        _large_enough(sigma, or_zero=True)
        inside = ((x >= low) & (x <= high)).all(0)
        volume = (high - low).log().sum()
        at_zero = torch.where(inside, -volume, -math.inf) + 0.0 * x.sum(0)  # with a slope, 0
        if bool(values(clean).all()):
            return at_zero
        blurred = _log_blurred(x, low, high, torch.where(clean, 1.0, sigma)).sum(0)
        return torch.where(clean, at_zero, blurred)

    def _sample(self, n, generator, device):
        unit = torch.rand((n, self.dim), generator=generator, dtype=torch.float64, device=device)
        low, high = self.low.to(device), self.high.to(device)
        return torch.minimum(low + (high - low) * unit, high)


class Ring(Density):
    """The uniform distribution on a circle in the plane.

    p^sigma(x) = exp(-(r - R)^2 / 2 sigma^2) e^{-z} I_0(z) / (2 pi sigma^2), with r = |x - centre|,
    R the radius and z = r R / sigma^2: the noised points of the circle, averaged over their angle.

    Args:
        centre: (2,). radius: > 0.

    Raises ValueError for other shapes and a radius that is not positive; and on evaluation at
    sigma = 0, where a circle has no density.
    """

    def __init__(self, centre, radius: float):
        centre = _bounded("centre", centre)
        if centre.shape != (2,):
            raise ValueError(f"centre must have shape (2,), got {tuple(centre.shape)}")
        radius = float(_bounded("radius", _check.number("radius", radius)))
        if not radius > 0:
            raise ValueError(f"radius must be > 0, got {radius:g}")
        super().__init__(2)
        self.centre, self.radius = centre.clone(), radius

    def __repr__(self):
        return f"Ring(centre={self.centre.tolist()}, radius={self.radius:g})"

    def _log_prob(self, x, sigma):
        _large_enough(sigma, or_zero=False)
        sigma = _check.ordinary(sigma)
        offset = x - self.centre[:, None].to(x.device)
        squares = (offset / sigma).square().sum(0)  # (r / sigma)^2
        size = self.radius / sigma
        near = squares * size**2 < 1.0
        # Near the centre in powers of r^2, as r itself is not smooth there.
        product = torch.where(near, squares, 0.0) * torch.where(near, size, 0.0) ** 2
        there = _polynomial(_BESSEL_NEAR, product).log() - 0.5 * (squares + size**2)
        ones = torch.where(near, torch.ones_like(offset), offset)
        distance = torch.hypot(ones[0], ones[1])  # r
        gap = (distance - self.radius) / sigma
        here = _log_bessel(distance / sigma, size.expand(distance.shape)) - 0.5 * gap**2
        return torch.where(near, there, here) - _LOG_2PI - 2.0 * sigma.log()

    def _sample(self, n, generator, device):
        turn = torch.rand(n, generator=generator, dtype=torch.float64, device=device)
        angle = 2.0 * math.pi * turn
        around = torch.stack([angle.cos(), angle.sin()], 1)
        return self.centre.to(device) + self.radius * around


def _bounded(name: str, value) -> Tensor:
    tensor = _check.real(name, value).detach()
    if _check.largest(tensor) > _check.LARGEST:
        raise ValueError(f"{name} must be at most {_check.LARGEST:g} in magnitude")
    return tensor


def _large_enough(sigma: Tensor, or_zero: bool) -> None:
    given = values(sigma)
    small = given < _SMALLEST_SIGMA
    if or_zero:
        small = small & (given != 0)
    if bool(small.any()):
        wanted = "0 or at least" if or_zero else "> 0 (no density at 0), and at least"
        raise ValueError(
            f"sigma must be {wanted} {_SMALLEST_SIGMA:g}, got {float(given[small].min()):g}"
        )


def _polynomial(coefficients: list[float], x: Tensor) -> Tensor:
    total = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total


def _log_blurred(x: Tensor, low: Tensor, high: Tensor, sigma: Tensor) -> Tensor:
    """log of the uniform density on [low, high] with noise sigma, for each coordinate: (n, B).

    Three ways, each where it keeps its digits; elsewhere it sees a harmless point instead.
    """
    middle = (x - (low + 0.5 * (high - low))) / sigma
    half = (0.5 * (high - low) / sigma).expand(x.shape)
    beyond = torch.maximum(low - x, x - high) / sigma
    narrow = (half < 1.0) & (2.0 * middle.abs() * half < 1.0)
    inside = ~narrow & (beyond <= 0.0)
    far = ~narrow & (beyond > _FAR_OUT)
    out = ~narrow & ~inside & ~far

    # The mean over the box of exp(-(middle - half y)^2 / 2), y in [-1, 1].
    m, w = (torch.where(narrow, part, 0.0) for part in (middle, half))
    mean = sum(
        0.5 * g * (m * w * y - 0.5 * (w * y) ** 2).exp()
        for g, y in zip(_GAUSS, _KNOTS, strict=True)
    )
    answer = torch.where(narrow, mean.log() - 0.5 * m**2 - 0.5 * _LOG_2PI - sigma.log(), 0.0)

    width = (high - low).log()
    ends = [torch.where(inside, e / sigma, 1.0).clamp(max=1e50) for e in (x - low, high - x)]
    missing = 0.5 * sum(torch.special.erfc(end * math.sqrt(0.5)) for end in ends)
    answer = answer + torch.where(inside, torch.log1p(-missing) - width, 0.0)

    # Outside: with a to the near edge and a + 2 half to the far one, of the tail at a.
    for where, log_tail, start in ((out, _log_tail, 1.0), (far, _log_far_tail, 2 * _FAR_OUT)):
        a = torch.where(where, beyond, start)
        w = torch.where(where, half, 1.0)
        gap = -2.0 * w * (a + w) + log_tail(a + 2.0 * w) - log_tail(a)
        value = log_tail(a) - 0.5 * a**2 + torch.log(-torch.expm1(gap)) - width
        answer = answer + torch.where(where, value, 0.0)
    return answer


def _log_tail(z: Tensor) -> Tensor:
    """log of exp(z^2 / 2) (1 - Phi(z))."""
    return torch.log(0.5 * torch.special.erfcx(z * math.sqrt(0.5)))


def _log_far_tail(z: Tensor) -> Tensor:
    """The same from `_FAR_OUT` on, where derivatives of erfcx lose their digits."""
    return _polynomial(_MILLS, z**-2).log() - z.log() - 0.5 * _LOG_2PI


def _log_bessel(a: Tensor, b: Tensor) -> Tensor:
    """log of exp(-z) I_0(z) at z = a b, which may overflow."""
    z = a * b
    large = z > _LARGE
    one, other = (torch.where(large, part, 1e3) for part in (a, b))
    far = _polynomial(_BESSEL, 1.0 / one / other).log()
    far = far - 0.5 * (_LOG_2PI + one.log() + other.log())
    near = torch.special.i0e(torch.where(large, 1.0, z)).log()
    return torch.where(large, far, near)
