"""Reused temporaries for the hot loops.

On the CPU a fresh temporary of a few megabytes costs more in page faults than the arithmetic done
on it. `Scratch` hands out the same memory again; where derivatives are recorded, under a
transformation of torch.func, or on a GPU (whose allocator does this itself), it hands out None, and
``torch.op(..., out=None)`` allocates.
"""

from __future__ import annotations

import threading

import torch
from torch import Tensor

from projcomp._modes import keepable

_store = threading.local()


class Scratch:
    """Temporaries for one evaluation of `inputs`; `slot` names one that is overwritten."""

    def __init__(self, *inputs: Tensor):
        self.reuse = inputs[0].device.type == "cpu" and keepable(*inputs)

    def __call__(self, slot: str, *shape: int) -> Tensor | None:
        if not self.reuse:
            return None
        buffers = _store.__dict__
        size = 1
        for length in shape:
            size *= length
        if slot not in buffers or buffers[slot].numel() < size:
            buffers[slot] = torch.empty(size, dtype=torch.float64, device="cpu")
        return buffers[slot][:size].view(shape)

    def inplace(self, tensor: Tensor) -> Tensor | None:
        """`tensor` itself as the place for a result, where that is allowed."""
        return tensor if self.reuse else None
