"""Checks of what a caller passes in: each raises `ValueError` naming the argument."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

LARGEST = 1e100
"""Largest magnitude of a coordinate. Squared distances stay below the largest float64."""


def real(name: str, value, *, like: Tensor | None = None) -> Tensor:
    """`value` as a finite float64 tensor, on the device of `like` if given.

    Accepts tensors, NumPy arrays, numbers and (nested) sequences.
    Raises ValueError if it is not numeric, complex, or holds NaN or infinity.
    """
    if isinstance(value, Sequence) and any(isinstance(item, Tensor) for item in value):
        try:
            value = torch.stack([real(name, item) for item in value])
        except RuntimeError as error:
            raise ValueError(f"{name}: entries do not form an array ({error})") from None
    tensor = value if isinstance(value, Tensor) else from_numpy(name, value)
    if tensor.is_complex():
        raise ValueError(f"{name} must be real, got dtype {tensor.dtype}")
    tensor = tensor.to(device=tensor.device if like is None else like.device, dtype=torch.float64)
    if not math.isfinite(largest(tensor)):
        bad = int((~torch.isfinite(tensor)).sum())
        raise ValueError(f"{name} must be finite, got {bad} NaN or infinite of {tensor.numel()}")
    return tensor


def largest(tensor: Tensor) -> float:
    """Largest magnitude in `tensor`, without a temporary of its size; NaN if it holds one."""
    if not tensor.numel():
        return 0.0
    low, high = torch.stack(torch.aminmax(tensor.detach())).tolist()
    return max(-low, high)


def from_numpy(name: str, value, dtype=np.float64) -> Tensor:
    """An array, a number or a nested sequence of either as a tensor of `dtype`."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: entries do not form an array ({error})") from None
    if array.dtype.kind == "c":
        raise ValueError(f"{name} must be real, got dtype {array.dtype}")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be numeric, got {value!r}")
    return torch.from_numpy(np.require(array, dtype, ["C", "W"]))


def floating(name: str, value) -> Tensor:
    """`value` as a tensor: a floating dtype is kept, anything else becomes float64."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return value
    numpy_dtype = str(getattr(value, "dtype", ""))
    if numpy_dtype in ("float16", "float32"):
        return from_numpy(name, value, numpy_dtype)
    return real(name, value)


def number(name: str, value) -> float:
    """`value` as one finite number."""
    tensor = real(name, value)
    if tensor.numel() != 1:
        raise ValueError(f"{name} must be one number, got shape {tuple(tensor.shape)}")
    return float(tensor.detach())


def level(name: str, sigma, *, like: Tensor | None = None, positive: bool = False) -> Tensor:
    """`sigma` as a float64 tensor of noise levels: finite, and >= 0 (or > 0)."""
    tensor = real(name, sigma, like=like)
    low, high = (float(m) for m in tensor.detach().aminmax()) if tensor.numel() else (1.0, 1.0)
    if low < 0 or (positive and low == 0):
        wanted = "> 0" if positive else ">= 0"
        raise ValueError(f"{name} must be {wanted}, got {low:g}")
    if high > LARGEST:
        raise ValueError(f"{name} must be at most {LARGEST:g}, got {high:g}")
    return tensor


def one_level(name: str, sigma, *, positive: bool = False) -> float:
    """`sigma` as one noise level."""
    return number(name, level(name, sigma, positive=positive))


def count(name: str, value, minimum: int = 1) -> int:
    """`value` as an int of at least `minimum`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        integer = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer >= {minimum}, got {value!r}") from None
    if integer < minimum:
        raise ValueError(f"{name} must be >= {minimum}, got {integer}")
    return integer


def choice(name: str, value, options: Sequence[str]) -> str:
    """`value` if it is one of `options`."""
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(options)}; got {value!r}")
    return value


def probabilities(name: str, value) -> Tensor:
    """`value` as a (K,) tensor of weights: non-negative, summing to one within 1e-6."""
    weights = real(name, value).detach()
    if weights.ndim != 1 or len(weights) == 0:
        raise ValueError(f"{name} must have shape (K,) with K >= 1, got {tuple(weights.shape)}")
    if float(weights.min()) < 0:
        raise ValueError(f"{name} must be >= 0, got {float(weights.min()):g}")
    total = float(weights.sum())
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise ValueError(f"{name} must sum to one, got a sum of {total:.9g}")
    return weights / total


def points(name: str, value, dim: int) -> tuple[Tensor, torch.dtype]:
    """`value` as a float64 tensor of shape (..., dim), and the dtype of the answer to it.

    A floating dtype is honoured in the answer; integers, lists and NumPy integers get float64.
    """
    value = floating(name, value)
    x = value.to(torch.float64)
    if x.ndim == 0 or x.shape[-1] != dim:
        raise ValueError(f"{name} must have shape (..., {dim}), got {tuple(x.shape)}")
    if not largest(x) <= LARGEST:
        raise ValueError(f"{name} must be finite and at most {LARGEST:g} in magnitude")
    return x, value.dtype


def batch_shape(x: Tensor, sigma: Tensor) -> torch.Size:
    """What the batch shape of x, (..., n), and the shape of sigma broadcast to."""
    try:
        return torch.broadcast_shapes(x.shape[:-1], sigma.shape)
    except RuntimeError:
        raise ValueError(
            f"sigma of shape {tuple(sigma.shape)} does not broadcast against the batch shape "
            f"{tuple(x.shape[:-1])} of x"
        ) from None
