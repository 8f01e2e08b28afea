"""Noise levels, and the parameterisations of a diffusion model.

Everywhere in this library noise is variance exploding, x_sigma = x_0 + sigma * eps, and
`sigma` is the only time. Variance-preserving (DDPM) and flow-matching models are the same
thing rescaled: they look at ``scale * x_sigma``.

Everything is computed in float64; where the answer has the dtype of an argument and does not fit
into it, ValueError names both.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import values

PARAMETERISATIONS = ("score", "noise", "denoised", "velocity", "v_prediction")


def sigma_grid(sigma_min: float, sigma_max: float, steps: int, rho: float = math.inf) -> Tensor:
    """Decreasing noise levels for `steps` sampler steps, ending in exactly 0.

    The levels are equally spaced in sigma**(1/rho) from `sigma_max` to `sigma_min`; a last step
    goes to 0 (Karras et al. 2022, eq. 5, where rho is 7). Without rho they are equally spaced in
    log sigma, a geometric sequence: the best for samplers that look back on earlier levels.

    Returns: (steps + 1,) float64.
    Raises ValueError unless 0 < sigma_min < sigma_max, steps >= 2 and rho > 0, and where two
    levels would be the same number.
    """
    steps = _check.count("steps", steps, 2)
    low = _check.one_level("sigma_min", sigma_min, positive=True)
    high = _check.one_level("sigma_max", sigma_max, positive=True)
    if not low < high:
        raise ValueError(f"sigma_min must be < sigma_max, got {low:g} and {high:g}")
    if not (isinstance(rho, float) and rho == math.inf):
        rho = _check.number("rho", rho)
    if not rho > 0:
        raise ValueError(f"rho must be > 0, got {rho:g}")
    if 2 * low > high:
        log_ratio = math.log1p((low - high) / high)
    else:
        log_ratio = math.log(low) - math.log(high)
    # By then the sequence is geometric to all digits.
    power = min(rho, 1e100)
    ramp = torch.linspace(0.0, 1.0, steps, dtype=torch.float64, device="cpu")
    # The root, as the ratio of the farthest ends is too small for float64.
    root = torch.exp(0.5 * power * torch.log1p(ramp * math.expm1(log_ratio / power)))
    levels = high * root * root
    levels[0], levels[-1] = high, low
    if not bool((levels.diff() < 0).all()):
        raise ValueError(
            f"sigma_min, sigma_max, steps and rho must give levels that differ in float64, got "
            f"{low!r}, {high!r}, {steps} and {rho!r}"
        )
    return torch.cat([levels, levels.new_zeros(1)])


def alpha_bar_from_sigma(sigma) -> Tensor:
    """Signal share of the variance-preserving process: alpha_bar = 1 / (1 + sigma**2).

    Near 1 it holds no digits of a sigma below 1e-8.
    """
    return 1.0 / (1.0 + _check.level("sigma", sigma) ** 2)


def sigma_from_alpha_bar(alpha_bar) -> Tensor:
    """Inverse of `alpha_bar_from_sigma`. Raises ValueError outside (0, 1]."""
    alpha_bar = _check.real("alpha_bar", alpha_bar)
    held = values(alpha_bar)
    if not bool(((held > 0) & (held <= 1)).all()):
        raise ValueError(f"alpha_bar must lie in (0, 1], got {held.tolist()!r}")
    # Apart, as one over the smallest alpha_bar is too large for float64.
    return torch.sqrt(1.0 - alpha_bar) / torch.sqrt(alpha_bar)


def time_from_sigma(sigma) -> Tensor:
    """Flow-matching time t of x_t = (1 - t) x_0 + t eps: t = sigma / (1 + sigma).

    From sigma = 1e16 on it rounds to 1.
    """
    sigma = _check.level("sigma", sigma)
    return sigma / (1.0 + sigma)


def sigma_from_time(time) -> Tensor:
    """Inverse of `time_from_sigma`. Raises ValueError outside [0, 1)."""
    time = _check.real("time", time)
    held = values(time)
    if not bool(((held >= 0) & (held < 1)).all()):
        raise ValueError(f"time must lie in [0, 1), got {held.tolist()!r}")
    return time / (1.0 - time)


def _with_column(x, sigma) -> tuple[Tensor, Tensor, torch.dtype]:
    """x as a float64 tensor (..., n), sigma as a (..., 1), and the dtype of the answer."""
    x = _check.floating("x", x)
    if x.ndim == 0:
        raise ValueError("x must have shape (..., n), got ()")
    exact = _check.points("x", x, x.shape[-1])[0]
    sigma = _check.level("sigma", sigma, like=x)
    _check.batch_shape(x, sigma)
    return exact, sigma[..., None], x.dtype


def to_variance_preserving(x, sigma) -> Tensor:
    """x_VP = sqrt(alpha_bar) x_sigma = x_sigma / sqrt(1 + sigma**2).

    x: (..., n). Returns (..., n) in the dtype of x.
    Raises ValueError for x not finite or above 1e100, and sigma < 0 or of another batch shape.
    """
    x, sigma, dtype = _with_column(x, sigma)
    return _check.fitting("x", x / torch.sqrt(1.0 + sigma**2), dtype, finite=True)


def from_variance_preserving(x, sigma) -> Tensor:
    """x_sigma = x_VP sqrt(1 + sigma**2). Shapes and errors as `to_variance_preserving`.

    Raises ValueError too where the answer does not fit in the dtype of x.
    """
    x, sigma, dtype = _with_column(x, sigma)
    return _check.fitting("x", x * torch.sqrt(1.0 + sigma**2), dtype, finite=True)


def to_flow(x, sigma) -> Tensor:
    """x_t = (1 - t) x_sigma with t = sigma / (1 + sigma). As `to_variance_preserving`."""
    x, sigma, dtype = _with_column(x, sigma)
    return _check.fitting("x", x / (1.0 + sigma), dtype, finite=True)


def from_flow(x, sigma) -> Tensor:
    """x_sigma = x_t (1 + sigma). As `from_variance_preserving`."""
    x, sigma, dtype = _with_column(x, sigma)
    return _check.fitting("x", x * (1.0 + sigma), dtype, finite=True)


def convert(value, x, sigma, source: str, target: str) -> Tensor:
    """Turn one parameterisation of a model's output into another.

    At x = x_0 + sigma * eps (variance exploding) a model may give

    * ``"score"``         s = grad log p^sigma(x),
    * ``"noise"``         E[eps | x] = -sigma s (elsewhere "epsilon"),
    * ``"denoised"``      E[x_0 | x] = x + sigma**2 s (Tweedie; elsewhere "sample", "x_0"),
    * ``"velocity"``      E[eps - x_0 | x], the flow-matching velocity dx_t/dt of
      x_t = (1 - t) x_0 + t eps with t = sigma / (1 + sigma) ("flow_prediction" in diffusers),
    * ``"v_prediction"``  E[sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0 | x] of a variance
      preserving model, alpha_bar = 1 / (1 + sigma**2) (Salimans and Ho 2022, section 4;
      "v_prediction" in diffusers).

    The last two are different things, though both are called v. `x` is x_sigma for all of them: a
    model that sees `to_variance_preserving` or `to_flow` of it gives the same output. A score is
    that of x_sigma.

    All are affine in each other at fixed (x, sigma), with an offset that depends on x alone; so a
    linear combination whose coefficients sum to one can be taken in any of them.

    value, x: (..., n), broadcast together; sigma broadcasts against (...).
    Returns (..., n) in the dtype of `value`, computed in float64.
    Raises ValueError for an unknown name, shapes that do not match, a value that is not finite, x
    not finite or above 1e100, sigma < 0, sigma = 0 where the conversion divides by sigma, or an
    answer that does not fit in the dtype of `value`.
    """
    _check.choice("source", source, PARAMETERISATIONS)
    _check.choice("target", target, PARAMETERISATIONS)
    value, x = _check.floating("value", value), _check.floating("x", x)
    try:
        if value.shape[-1] != x.shape[-1]:
            raise RuntimeError
        torch.broadcast_shapes(value.shape, x.shape)
    except (RuntimeError, IndexError):
        raise ValueError(
            f"value and x must have shapes (..., n) that broadcast, got {tuple(value.shape)} "
            f"and {tuple(x.shape)}"
        ) from None
    exact, x = torch.broadcast_tensors(
        _check.real("value", value), _check.points("x", x, x.shape[-1])[0]
    )
    divides = source != target and (target == "score" or source == "denoised")
    sigma = _check.level("sigma", sigma, like=x, positive=divides)
    shape = _check.batch_shape(x, sigma)
    if source == target:
        return value.expand(*shape, -1)
    return _check.fitting(
        "value", converted(exact, x, sigma[..., None], source, target), value.dtype, finite=True
    )


def converted(value: Tensor, x: Tensor, sigma: Tensor, source: str, target: str) -> Tensor:
    """`convert` without its checks: of float64 tensors (..., n) and (..., 1), already broadcast."""
    # By way of the noise and the denoised mean every conversion is well conditioned.
    if target == "score":
        return -_noise(value, x, sigma, source) / sigma
    if target == "noise":
        return _noise(value, x, sigma, source)
    if target == "denoised":
        return _denoised(value, x, sigma, source)
    noise, denoised = _noise(value, x, sigma, source), _denoised(value, x, sigma, source)
    if target == "velocity":
        return noise - denoised
    return (noise - sigma * denoised) / torch.sqrt(1.0 + sigma**2)


def _noise(value: Tensor, x: Tensor, sigma: Tensor, source: str) -> Tensor:
    if source == "score":
        return -sigma * value
    if source == "denoised":
        return (x - value) / sigma
    if source == "velocity":
        return (x + value) / (1.0 + sigma)
    if source == "v_prediction":
        root = torch.sqrt(1.0 + sigma**2)
        return (sigma * (x / root) + value) / root
    return value


def _denoised(value: Tensor, x: Tensor, sigma: Tensor, source: str) -> Tensor:
    if source == "denoised":
        return value
    if source == "velocity":
        return (x - sigma * value) / (1.0 + sigma)
    if source == "v_prediction":
        root = torch.sqrt(1.0 + sigma**2)
        return (x / root - sigma * value) / root
    return x - sigma * _noise(value, x, sigma, source)
