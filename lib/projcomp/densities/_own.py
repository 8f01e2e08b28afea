"""What a density of one's own answers, held to what everything else builds on."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextvars import ContextVar

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import switched_on, values

_AXES = {"_log_prob": 1, "_score": 2, "_denoise": 2}
_LIBRARY = __name__.partition(".")[0]
_LOOKED_AT: ContextVar[bool] = ContextVar("looked_at", default=False)


def looked_at():
    """For a sampler, which looks at every answer itself and does not go where nothing is known."""
    return switched_on(_LOOKED_AT)


def foreign(cls: type) -> bool:
    """Whether a class is not one of the library's own."""
    return cls.__module__.partition(".")[0] != _LIBRARY


def hold(cls: type) -> type:
    """Check everything that the methods of a density's class answer with."""
    # What is left to automatic differentiation is theirs too: the score, alone or in a pair.
    for name in {"_log_prob", "_score", *(_AXES.keys() & cls.__dict__)}:
        setattr(cls, name, _held(name, getattr(cls, name)))
    cls._log_prob_and_score = _held_pair(cls._log_prob_and_score)
    if "_sample" in cls.__dict__:
        cls._sample = _held_sample(cls._sample)
    return cls


def _held(name: str, method: Callable) -> Callable:
    """`method`, of points x (n, B) and levels, whose answer is checked."""
    if hasattr(method, "held"):
        return method

    @functools.wraps(method)
    def checked(self, x, sigma):
        # A view, so that x itself is left alone by x.requires_grad_().
        return fitting(self, name, method(self, x.view_as(x), sigma), x, sigma)

    checked.held = True
    return checked


def _held_pair(method: Callable) -> Callable:
    if hasattr(method, "held"):
        return method

    @functools.wraps(method)
    def checked(self, x, sigma):
        pair = method(self, x.view_as(x), sigma)
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(
                f"{type(self).__name__}._log_prob_and_score must answer with a pair of tensors, "
                f"got {pair!r}"
            )
        return tuple(
            fitting(self, name, answer, x, sigma)
            for name, answer in zip(("_log_prob", "_score"), pair, strict=True)
        )

    checked.held = True
    return checked


def _held_sample(method: Callable) -> Callable:
    @functools.wraps(method)
    def checked(self, n, generator, device):
        drawn = method(self, n, generator, device)
        return _shaped(self, "_sample", drawn, (n, self.dim), torch.device(device))

    return checked


def fitting(density, name: str, answer, x: Tensor, sigma: Tensor) -> Tensor:
    """What a density's method answers with at x (n, B), if that is what it has to be."""
    answer = _shaped(density, name, answer, tuple(x.shape[-_AXES[name] :]), x.device)
    if not _LOOKED_AT.get() and not _known(density, name, answer, x, sigma):
        wanted = (
            "a number, or -inf where there is no mass" if name == "_log_prob"
            else "finite wherever the log density is"
        )  # fmt: skip
        raise ValueError(
            f"{type(density).__name__}.{name} must be {wanted}, but at some of {x.shape[1]} "
            "points it is not, or NaN: a mistake there, or they are outside of what it knows"
        )
    return answer


def _shaped(density, name: str, answer, shape: tuple, device: torch.device) -> Tensor:
    """`answer` if it is a tensor (..shape) in float64 on the device."""
    asked = f"{type(density).__name__}.{name} must answer with a tensor"
    if not isinstance(answer, Tensor):
        raise ValueError(f"{asked}, got {answer!r}")
    if answer.shape != shape:
        raise ValueError(f"{asked} of shape {shape}, got {tuple(answer.shape)}")
    if answer.dtype != torch.float64 or answer.device.type != device.type:
        raise ValueError(
            f"{asked} of torch.float64 on the device {device.type!r}, got {answer.dtype} on "
            f"{answer.device.type!r}; (..).to(x) mends it"
        )
    recorded = answer.requires_grad and not torch.is_grad_enabled()
    return answer.detach() if recorded else answer


def _known(density, name: str, answer: Tensor, x: Tensor, sigma: Tensor) -> bool:
    """Whether no log density is NaN, and every score finite where its log density is."""
    if math.isfinite(_check.largest(answer)):
        return True
    if name == "_log_prob":
        return not bool(values(answer).isnan().any())
    try:
        undefined = density._log_prob(x, sigma).isinf()
    except ValueError:  # known by its score alone
        return False
    return bool(values(undefined | answer.isfinite().all(0)).all())
