"""Noise levels, and the parameterisations of a diffusion model.

Everywhere in this library noise is variance exploding, x_sigma = x_0 + sigma * eps, and
`sigma` is the only time. Variance-preserving (DDPM) and flow-matching models are the same
thing rescaled: they look at ``scale * x_sigma``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from projcomp import _check

PARAMETERISATIONS = ("score", "noise", "denoised", "velocity")


def sigma_grid(sigma_min: float, sigma_max: float, steps: int, rho: float = 7.0) -> Tensor:
    """Decreasing noise levels for `steps` sampler steps, ending in exactly 0.

    The levels are equally spaced in sigma**(1/rho) from `sigma_max` to `sigma_min`; a last step
    goes to 0 (Karras et al. 2022, eq. 5).

    Returns: (steps + 1,) float64.
    Raises ValueError unless 0 < sigma_min < sigma_max, steps >= 2 and rho > 0.
    """
    steps = _check.count("steps", steps, 2)
    low = _check.one_level("sigma_min", sigma_min, positive=True)
    high = _check.one_level("sigma_max", sigma_max, positive=True)
    if not low < high:
        raise ValueError(f"sigma_min must be < sigma_max, got {low:g} and {high:g}")
    rho = _check.number("rho", rho)
    if not rho > 0:
        raise ValueError(f"rho must be > 0, got {rho:g}")
    ramp = torch.linspace(0.0, 1.0, steps, dtype=torch.float64)
    levels = (high ** (1 / rho) + ramp * (low ** (1 / rho) - high ** (1 / rho))) ** rho
    levels[0], levels[-1] = high, low
    return torch.cat([levels, levels.new_zeros(1)])


def alpha_bar_from_sigma(sigma) -> Tensor:
    """Signal share of the variance-preserving process: alpha_bar = 1 / (1 + sigma**2)."""
    return 1.0 / (1.0 + _check.level("sigma", sigma) ** 2)


def sigma_from_alpha_bar(alpha_bar) -> Tensor:
    """Inverse of `alpha_bar_from_sigma`. Raises ValueError outside (0, 1]."""
    alpha_bar = _check.real("alpha_bar", alpha_bar)
    if alpha_bar.numel() and not (float(alpha_bar.min()) > 0 and float(alpha_bar.max()) <= 1):
        raise ValueError(f"alpha_bar must lie in (0, 1], got {alpha_bar.tolist()!r}")
    return torch.sqrt((1.0 - alpha_bar) / alpha_bar)


def time_from_sigma(sigma) -> Tensor:
    """Flow-matching time t of x_t = (1 - t) x_0 + t eps: t = sigma / (1 + sigma)."""
    sigma = _check.level("sigma", sigma)
    return sigma / (1.0 + sigma)


def sigma_from_time(time) -> Tensor:
    """Inverse of `time_from_sigma`. Raises ValueError outside [0, 1)."""
    time = _check.real("time", time)
    if time.numel() and not (float(time.min()) >= 0 and float(time.max()) < 1):
        raise ValueError(f"time must lie in [0, 1), got {time.tolist()!r}")
    return time / (1.0 - time)


def _with_column(x, sigma) -> tuple[Tensor, Tensor]:
    """x as a floating tensor (..., n), and sigma as a (..., 1) of its dtype."""
    x = _check.floating("x", x)
    if x.ndim == 0:
        raise ValueError("x must have shape (..., n), got ()")
    sigma = _check.level("sigma", sigma, like=x)
    _check.batch_shape(x, sigma)
    return x, sigma.to(x.dtype)[..., None]


def to_variance_preserving(x, sigma) -> Tensor:
    """x_VP = sqrt(alpha_bar) x_sigma = x_sigma / sqrt(1 + sigma**2); x is (..., n)."""
    x, sigma = _with_column(x, sigma)
    return x / torch.sqrt(1.0 + sigma**2)


def from_variance_preserving(x, sigma) -> Tensor:
    """x_sigma = x_VP sqrt(1 + sigma**2); x is (..., n)."""
    x, sigma = _with_column(x, sigma)
    return x * torch.sqrt(1.0 + sigma**2)


def to_flow(x, sigma) -> Tensor:
    """x_t = (1 - t) x_sigma with t = sigma / (1 + sigma); x is (..., n)."""
    x, sigma = _with_column(x, sigma)
    return x / (1.0 + sigma)


def from_flow(x, sigma) -> Tensor:
    """x_sigma = x_t (1 + sigma); x is (..., n)."""
    x, sigma = _with_column(x, sigma)
    return x * (1.0 + sigma)


def convert(value, x, sigma, source: str, target: str) -> Tensor:
    """Turn one parameterisation of a model's output into another.

    At x = x_0 + sigma * eps (variance exploding) a model may give

    * ``"score"``     s = grad log p^sigma(x),
    * ``"noise"``     E[eps | x] = -sigma s,
    * ``"denoised"``  E[x_0 | x] = x + sigma**2 s (Tweedie),
    * ``"velocity"``  E[eps - x_0 | x], the flow-matching velocity dx_t/dt of
      x_t = (1 - t) x_0 + t eps with t = sigma / (1 + sigma).

    All four are affine in each other at fixed (x, sigma), with an offset that depends on x alone;
    so a linear combination whose coefficients sum to one can be taken in any of them.

    value, x: (..., n), broadcast together; sigma broadcasts against (...).
    Returns (..., n) in the dtype of `value`.
    Raises ValueError for an unknown name, shapes that do not match, sigma < 0, or sigma = 0
    where the conversion divides by sigma.
    """
    _check.choice("source", source, PARAMETERISATIONS)
    _check.choice("target", target, PARAMETERISATIONS)
    value, x = _check.floating("value", value), _check.floating("x", x)
    try:
        if value.shape[-1] != x.shape[-1]:
            raise RuntimeError
        value, x = torch.broadcast_tensors(value, x)
    except (RuntimeError, IndexError):
        raise ValueError(
            f"value and x must have shapes (..., n) that broadcast, got {tuple(value.shape)} "
            f"and {tuple(x.shape)}"
        ) from None
    divides = source != target and (target == "score" or source == "denoised")
    sigma = _check.level("sigma", sigma, like=x, positive=divides)
    shape = _check.batch_shape(x, sigma)
    if source == target:
        return value.expand(*shape, -1)
    return _convert(value, x, sigma[..., None], source, target).to(value.dtype)


def _convert(value: Tensor, x: Tensor, sigma: Tensor, source: str, target: str) -> Tensor:
    sigma = sigma.to(torch.promote_types(value.dtype, x.dtype))
    # By way of the noise every conversion is well conditioned.
    if source == "score":
        noise = -sigma * value
    elif source == "denoised":
        noise = (x - value) / sigma
    elif source == "velocity":
        noise = (x + value) / (1.0 + sigma)
    else:
        noise = value
    if target == "score":
        return -noise / sigma
    if target == "denoised":
        return x - sigma * noise
    if target == "velocity":
        return (1.0 + sigma) * noise - x
    return noise
