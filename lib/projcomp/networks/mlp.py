"""A small residual network for data of a few dimensions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from projcomp import _check
from projcomp._modes import plainly
from projcomp.networks.layers import fourier, linear, normal, source_of_weights


class MLP(nn.Module):
    """Residual blocks over a hidden state; noise level and label speak to every block.

    It answers with zeros until it is trained: the denoiser made of it is then the best linear one.

    Args:
        dim: n, of inputs and outputs.
        labels: how many distributions it tells apart.
        width, blocks: of the hidden state, and how many residual blocks.
        frequencies: of the Fourier features of the noise level.
        generator: source of the initial weights; seed 0 if None. The global seed is not touched.

    Raises ValueError for a bad argument.
    """

    @plainly
    def __init__(
        self,
        dim: int,
        labels: int = 1,
        width: int = 64,
        blocks: int = 4,
        frequencies: int = 8,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        generator = source_of_weights(generator)
        dim, width = _check.count("dim", dim), _check.count("width", width)
        blocks, labels = _check.count("blocks", blocks), _check.count("labels", labels)
        frequencies = _check.count("frequencies", frequencies)
        self.frequencies = frequencies
        self.enter = linear(dim, width, generator)
        self.noise = linear(2 * frequencies, width, generator)
        self.label = nn.Parameter(normal(generator, labels, width))
        self.blocks = nn.ModuleList(_Block(width, generator) for _ in range(blocks))
        self.leave = linear(width, dim, generator, scale=0.0)

    def forward(self, x: Tensor, noise: Tensor, label: Tensor) -> Tensor:
        """x: (B, n); noise, and label (int64): both (B,) or (1,). Returns (B, n)."""
        told = nn.functional.silu(self.noise(fourier(noise, self.frequencies)) + self.label[label])
        hidden = self.enter(x)
        for block in self.blocks:
            hidden = block(hidden, told)
        return self.leave(nn.functional.silu(hidden))


class _Block(nn.Module):
    """hidden + W2 silu(W1 silu(hidden) + E told), with W2 = 0 at the start."""

    def __init__(self, width: int, generator: torch.Generator):
        super().__init__()
        self.first = linear(width, width, generator)
        self.told = linear(width, width, generator)
        self.second = linear(width, width, generator, scale=0.0)

    def forward(self, hidden: Tensor, told: Tensor) -> Tensor:
        inner = self.first(nn.functional.silu(hidden)) + self.told(told)
        return hidden + self.second(nn.functional.silu(inner))
