"""Reused temporaries for the hot loops.

On the CPU a fresh temporary of a few megabytes costs more in page faults than the arithmetic done
on it. `Scratch` hands out the same memory again; where gradients are recorded, or on a GPU (whose
allocator does this itself), it hands out None, and ``torch.op(..., out=None)`` allocates.
"""

from __future__ import annotations

import threading

import torch
from torch import Tensor

_store = threading.local()


class Scratch:
    """Temporaries for one evaluation of `inputs`; `slot` names one that is overwritten."""

    def __init__(self, *inputs: Tensor):
        recorded = torch.is_grad_enabled() and any(part.requires_grad for part in inputs)
        # A tensor made in inference mode could not be overwritten outside of it.
        fresh = recorded or torch.is_inference_mode_enabled()
        self.reuse = inputs[0].device.type == "cpu" and not fresh

    def __call__(self, slot: str, *shape: int) -> Tensor | None:
        if not self.reuse:
            return None
        buffers = _store.__dict__
        size = 1
        for length in shape:
            size *= length
        if slot not in buffers or buffers[slot].numel() < size:
            buffers[slot] = torch.empty(size, dtype=torch.float64)
        return buffers[slot][:size].view(shape)

    def inplace(self, tensor: Tensor) -> Tensor | None:
        """`tensor` itself as the place for a result, where that is allowed."""
        return tensor if self.reuse else None
