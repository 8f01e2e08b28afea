"""How torch is running: plainly, or inside one of its transformations.

Inside `torch.func` (vmap, jvp, grad, jacfwd, ..) a tensor wraps another one. Its values can't be
turned into Python numbers, nothing can be written into memory of before, and a result that is kept
for a later call would carry the wrapper out of its life. This is the one place that knows.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor
from torch._C import _functorch  # torch has no public name for these

CPU32 = {"dtype": torch.float32, "device": "cpu"}
"""For what is made of plain numbers, whatever torch's default dtype and device are."""


@contextmanager
def switched_on(switch: ContextVar[bool]):
    """With `switch` True in this context."""
    token = switch.set(True)
    try:
        yield
    finally:
        switch.reset(token)


def uncompiled(function: Callable) -> Callable:
    """`function`, left alone by torch.compile: a graph that calls it is broken there.

    What looks at values and keeps its results can't be traced. Dynamo, which takes seconds to
    import, is asked for only where it is in use.
    """
    disabled: list[Callable] = []

    @functools.wraps(function)
    def outside(*args, **kwargs):
        if "torch._dynamo" not in sys.modules:
            return function(*args, **kwargs)
        if not disabled:
            disabled.append(torch.compiler.disable(function))
        return disabled[0](*args, **kwargs)

    return outside


def transformed() -> bool:
    """Whether a transformation of `torch.func` is at work."""
    return _functorch.peek_interpreter_stack() is not None


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

    It works under every transformation and in inference mode. Where gradients are recorded it can
    itself be differentiated, in everything that `function` depends on.
    """
    return value_and_gradient(function, x)[1]


def value_and_gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The function's values, (B,), and its `gradient`, (n, B), from one call of it."""
    if transformed() or forward_ad._current_level >= 0:
        found = torch.func.grad(lambda y: ((v := function(y)).sum(), v), has_aux=True)(x)
        return found[1], found[0]
    recording = torch.is_grad_enabled()
    with torch.inference_mode(False), torch.enable_grad():
        y = x
        if not (recording and x.requires_grad):
            y = (x.clone() if x.is_inference() else x.detach()).requires_grad_(True)
        value = function(y)
        total = value.sum()
        further = recording and (y is x or _depends_on_more(total, y))
        slope = torch.autograd.grad(total, y, create_graph=further)[0]
    return value if further else value.detach(), slope


def _depends_on_more(value: Tensor, leaf: Tensor) -> bool:
    """Whether the recorded graph of `value` ends in other leaves than `leaf`."""
    nodes, seen = [value.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if getattr(node, "variable", leaf) is not leaf:
            return True
        nodes += [following for following, _ in node.next_functions]
    return False
