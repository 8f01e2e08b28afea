"""Checks of what a caller passes in: each raises `ValueError` naming the argument."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from projcomp._modes import uncompiled, values

_SPARE = 1e-6
LARGEST = 1e100
"""Largest magnitude of a coordinate. Squared distances stay below the largest float64."""


def real(name: str, value, *, like: Tensor | None = None) -> Tensor:
    """`value` as a finite float64 tensor, on the device of `like` if given.

    Accepts tensors, NumPy arrays, numbers and (nested) sequences; what is no tensor goes to the
    CPU. Gradients pass through tensors and lists of tensors.
    Raises ValueError if it is not numeric, complex, sparse, or holds NaN or infinity.
    """
    if isinstance(value, Sequence) and any(isinstance(item, Tensor) for item in value):
        try:  # gradients pass
            value = torch.stack([real(name, item) for item in value])
        except RuntimeError as error:
            raise ValueError(f"{name}: entries do not form an array ({error})") from None
    tensor = dense(name, value if isinstance(value, Tensor) else from_numpy(name, value))
    tensor = tensor.to(device=tensor.device if like is None else like.device, dtype=torch.float64)
    tensor = ordinary(tensor)
    if not math.isfinite(largest(tensor)):
        bad = int((~torch.isfinite(values(tensor))).sum())
        raise ValueError(f"{name} must be finite, got {bad} NaN or infinite of {tensor.numel()}")
    return tensor


def ordinary(tensor: Tensor) -> Tensor:
    """`tensor`, or a copy of one from inference mode that can take part in derivatives."""
    made_there = tensor.is_inference() and not torch.is_inference_mode_enabled()
    return tensor.clone() if made_there else tensor


def dense(name: str, tensor: Tensor) -> Tensor:
    """`tensor` if it is an ordinary one: real, strided, and with values."""
    if tensor.is_complex():
        raise ValueError(f"{name} must be real, got dtype {tensor.dtype}")
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_quantized:
        kind = "nested" if tensor.is_nested else "quantized" if tensor.is_quantized else "sparse"
        raise ValueError(f"{name} must be a dense tensor, got a {kind} one of {tensor.layout}")
    if tensor.is_meta:
        raise ValueError(f"{name} must hold values, got a tensor on the device 'meta'")
    return tensor


@uncompiled
def largest(tensor: Tensor) -> float:
    """Largest magnitude in `tensor`, without a temporary of its size; NaN if it holds one."""
    if not tensor.numel():
        return 0.0
    low, high = torch.stack(torch.aminmax(values(tensor))).tolist()
    return max(-low, high)


def from_numpy(name: str, value, dtype=np.float64) -> Tensor:
    """An array, a number or a nested sequence of either as a CPU tensor of `dtype`."""
    try:
        array = np.asarray(_without_tensors(name, value))
    except (TypeError, ValueError, RuntimeError) as error:
        if str(error).startswith(f"{name}: "):
            raise
        raise ValueError(f"{name}: entries do not form an array ({error})") from None
    if array.dtype.kind == "c":
        raise ValueError(f"{name} must be real, got dtype {array.dtype}")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be numeric, got {value!r}")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} must have no masked entries, got {int(value.mask.sum())}")
    return torch.from_numpy(np.require(array, dtype, ["C", "W"]))


def _without_tensors(name: str, value):
    """A nested sequence with its tensors as NumPy arrays; anything else as it is."""
    if isinstance(value, Tensor):
        if value.requires_grad:
            raise ValueError(
                f"{name}: a tensor that needs grad stands in a list of lists, where its "
                "derivative would be lost; make one tensor of them (torch.stack)"
            )
        return values(dense(name, value)).to("cpu", torch.float64).numpy()
    if isinstance(value, list | tuple):
        return [_without_tensors(name, item) for item in value]
    return value


def floating(name: str, value) -> Tensor:
    """`value` as a tensor: a floating dtype is kept, anything else becomes float64."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return dense(name, value)
    numpy_dtype = str(getattr(value, "dtype", ""))
    if numpy_dtype in ("float16", "float32"):
        return from_numpy(name, value, numpy_dtype)
    return real(name, value)


def number(name: str, value) -> float:
    """`value` as one finite number."""
    tensor = real(name, value)
    if tensor.numel() != 1:
        raise ValueError(f"{name} must be one number, got shape {tuple(tensor.shape)}")
    return float(values(tensor))


def source(name: str, generator) -> torch.Generator | None:
    """`generator` if it is a torch.Generator, or None."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ValueError(
            f"{name} must be a torch.Generator (torch.Generator().manual_seed(0)) or None, got "
            f"{generator!r}"
        )
    return generator


@uncompiled
def level(name: str, sigma, *, like: Tensor | None = None, positive: bool = False) -> Tensor:
    """`sigma` as a float64 tensor of noise levels: finite, and >= 0 (or > 0)."""
    tensor = real(name, sigma, like=like)
    low, high = (float(m) for m in values(tensor).aminmax()) if tensor.numel() else (1.0, 1.0)
    if low < 0 or (positive and low == 0):
        wanted = "> 0" if positive else ">= 0"
        raise ValueError(f"{name} must be {wanted}, got {low:g}")
    if high > LARGEST:
        raise ValueError(f"{name} must be at most {LARGEST:g}, got {high:g}")
    return tensor


def reach(name: str, value) -> tuple[float, float]:
    """`value` as a `sigma_range`: a least and a larger noise level."""
    try:
        low, high = map(float, value)
    except (TypeError, ValueError):
        low = high = math.nan
    if not 0 <= low < high:
        raise ValueError(
            f"{name} must be a least and a larger noise level, both >= 0, got {value!r}"
        )
    return low, high


def within(name: str, levels: Tensor, reach: tuple[float, float]) -> None:
    """Raise ValueError where levels lie outside of a `sigma_range`, by more than 1e-6 of it."""
    low, high = reach
    if (low == 0.0 and high == math.inf) or not levels.numel():
        return
    least, most = torch.stack(torch.aminmax(values(levels))).tolist()
    if least < low * (1.0 - _SPARE) or most > high * (1.0 + _SPARE):
        raise ValueError(
            f"{name} must lie within the sigma_range of the density, {low:.6g} to {high:.6g}, got "
            f"{least:.6g}" + (f" to {most:.6g}" if most > least else "")
        )


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


def sizes(name: str, value) -> tuple[int, ...]:
    """`value` as the sizes of one or more axes."""
    try:
        found = tuple(count(name, size) for size in value)
    except TypeError:
        raise ValueError(f"{name} must be a sequence of sizes, got {value!r}") from None
    if not found:
        raise ValueError(f"{name} must have at least one axis, got {value!r}")
    return found


def engine(value, needs: Sequence[str]):
    """`value` if it is an `accelerate.Accelerator` whose processes hold the whole network each."""
    kind = getattr(value, "distributed_type", "NO")
    kind = str(getattr(kind, "value", kind))
    if kind in ("DEEPSPEED", "FSDP", "MEGATRON_LM"):
        raise ValueError(f"engine must hold the whole network in every process, got {kind}")
    if any(not hasattr(value, name) for name in ("device", "process_index", *needs)):
        raise ValueError(f"engine must be an accelerate.Accelerator, got {value!r}")
    return value


def choice(name: str, value, options: Sequence[str]) -> str:
    """`value` if it is one of `options`."""
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(options)}; got {value!r}")
    return value


def rounding(value) -> float:
    """The relative rounding of the dtype that `value` comes in: of its tensors, arrays, numbers."""
    if isinstance(value, list | tuple):
        return max(map(rounding, value), default=0.0)
    name = str(getattr(value, "dtype", "float64")).removeprefix("torch.")
    dtype = getattr(torch, name, torch.float64)
    return torch.finfo(dtype if dtype.is_floating_point else torch.float64).eps


def probabilities(name: str, value) -> Tensor:
    """`value` as a (K,) tensor of weights: non-negative, summing to one.

    The sum may be off by 1e-6, and by four roundings of the dtype that they come in.
    """
    close = max(1e-6, 4 * rounding(value))
    weights = real(name, value).detach()
    if weights.ndim != 1 or len(weights) == 0:
        raise ValueError(f"{name} must have shape (K,) with K >= 1, got {tuple(weights.shape)}")
    if float(weights.min()) < 0:
        raise ValueError(f"{name} must be >= 0, got {float(weights.min()):g}")
    total = float(weights.sum())
    if not math.isclose(total, 1.0, rel_tol=0.0, abs_tol=close):
        raise ValueError(f"{name} must sum to one, got a sum of {total:.9g}")
    return weights / total


def points(name: str, value, dim: int, shape: tuple = ()) -> tuple[Tensor, torch.dtype]:
    """`value` as a float64 tensor of shape (..., dim), and the dtype of the answer to it.

    A floating dtype is honoured in the answer; integers, lists and NumPy integers get float64.
    shape: of a point, where points may also come as pictures (..., *shape).
    """
    value = floating(name, value)
    x = ordinary(value.to(torch.float64))
    if pictures(x, shape):
        x = x.flatten(-len(shape))
    if x.ndim == 0 or x.shape[-1] != dim:
        other = f" or (..., {', '.join(map(str, shape))})" if len(shape) > 1 else ""
        raise ValueError(f"{name} must have shape (..., {dim}){other}, got {tuple(x.shape)}")
    if not largest(x) <= LARGEST:
        raise ValueError(f"{name} must be finite and at most {LARGEST:g} in magnitude")
    return x, value.dtype


def pictures(x: Tensor, shape: tuple) -> bool:
    """Whether points come in a `shape` of more than one axis: x is (..., *shape)."""
    return len(shape) > 1 and tuple(x.shape[-len(shape) :]) == tuple(shape)


def coloured(name: str, value, side: int) -> Tensor:
    """Pictures (N, 3, side, side) with N >= 1, float32, of such or of flattened ones."""
    found = real(name, value).to(torch.float32)
    flat = found.ndim in (2, 4) and found.shape[1:].numel() == 3 * side**2
    if not flat or not len(found):
        raise ValueError(
            f"{name} must have shape (N, 3, {side}, {side}) or (N, {3 * side**2}), N >= 1, got "
            f"{tuple(found.shape)}"
        )
    return found.reshape(-1, 3, side, side)


def fitting(name: str, answer: Tensor, dtype: torch.dtype, *, finite: bool = False) -> Tensor:
    """`answer` in the dtype of the argument `name`, which it must fit.

    What is finite stays finite; with `finite` anything else is refused too.
    """
    if dtype == answer.dtype and not finite:
        return answer
    rounded, most = answer.to(dtype), largest(answer)
    if (finite or math.isfinite(most)) and not math.isfinite(largest(rounded)):
        raise ValueError(
            f"{name} must have a dtype that holds the answer: up to {most:g} in magnitude does "
            f"not fit in {dtype}"
        )
    return rounded


def batch_shape(x: Tensor, sigma: Tensor) -> torch.Size:
    """What the batch shape of x, (..., n), and the shape of sigma broadcast to."""
    try:
        return torch.broadcast_shapes(x.shape[:-1], sigma.shape)
    except RuntimeError:
        raise ValueError(
            f"sigma of shape {tuple(sigma.shape)} does not broadcast against the batch shape "
            f"{tuple(x.shape[:-1])} of x"
        ) from None
