"""How torch is running: plainly, or inside one of its transformations.

Inside `torch.func` (vmap, jvp, grad, jacfwd, ..) a tensor wraps another one. Its values can't be
turned into Python numbers, nothing can be written into memory of before, and a result that is kept
for a later call would carry the wrapper out of its life. This is the one place that knows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor
from torch._C import _functorch  # torch has no public name for these


def transformed() -> bool:
    """Whether a transformation of `torch.func`, or a trace of torch.compile, is at work."""
    return _functorch.peek_interpreter_stack() is not None or torch.compiler.is_compiling()


def keepable(*tensors: Tensor) -> bool:
    """Whether what is computed from `tensors` now may be kept for later calls.

    Not under a transformation, not in inference mode (what is made there can't be differentiated
    later), and not where a derivative in one of them, of either mode, is being recorded.
    """
    if transformed() or torch.is_inference_mode_enabled():
        return False
    return not any(differentiated(tensor) for tensor in tensors)


def differentiated(tensor: Tensor) -> bool:
    """Whether a derivative in `tensor` is being recorded, in reverse or forward mode."""
    if tensor.requires_grad and torch.is_grad_enabled():
        return True
    if forward_ad._current_level < 0:
        return False
    return forward_ad.unpack_dual(tensor).tangent is not None


def values(tensor: Tensor) -> Tensor:
    """What `tensor` holds, out of every wrapper and without derivatives: to look at."""
    while _functorch.is_functorch_wrapped_tensor(tensor):
        tensor = _functorch.get_unwrapped(tensor)
    return tensor.detach()


def mapped(*tensors: Tensor) -> bool:
    """Whether one of the tensors is mapped over (vmap), so that it has no values of its own."""
    for tensor in tensors:
        while _functorch.is_functorch_wrapped_tensor(tensor):
            if _functorch.is_batchedtensor(tensor):
                return True
            tensor = _functorch.get_unwrapped(tensor)
    return False


def plainly(function: Callable) -> Callable:
    """`function`, so that what it makes is made outside of inference mode.

    Densities are made so: the tensors that they hold can take part in derivatives later.
    """

    @functools.wraps(function)
    def outside(*args, **kwargs):
        with torch.inference_mode(False):
            return function(*args, **kwargs)

    return outside


def gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient of a function (n, B) -> (B,) whose every value depends on its own column.

    It can itself be differentiated, in everything that `function` depends on, wherever gradients
    are recorded; and it works under every transformation and in inference mode.
    """
    if transformed() or torch.is_grad_enabled():
        return torch.func.grad(lambda y: function(y).sum())(x)
    with torch.inference_mode(False), torch.enable_grad():
        y = x.clone() if x.is_inference() else x.detach()
        y.requires_grad_(True)
        return torch.autograd.grad(function(y).sum(), y)[0]
