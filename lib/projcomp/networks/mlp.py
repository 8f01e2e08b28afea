"""A small residual network for data of a few dimensions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from projcomp import _check


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
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        dim, width = _check.count("dim", dim), _check.count("width", width)
        blocks, labels = _check.count("blocks", blocks), _check.count("labels", labels)
        frequencies = _check.count("frequencies", frequencies)
        self.frequencies = frequencies
        self.enter = _linear(dim, width, generator)
        self.noise = _linear(2 * frequencies, width, generator)
        self.label = nn.Parameter(torch.randn(labels, width, generator=generator))
        self.blocks = nn.ModuleList(_Block(width, generator) for _ in range(blocks))
        self.leave = _linear(width, dim, generator, scale=0.0)

    def forward(self, x: Tensor, noise: Tensor, label: Tensor) -> Tensor:
        """x: (B, n); noise, and label (int64): both (B,) or (1,). Returns (B, n)."""
        told = nn.functional.silu(self.noise(self._features(noise)) + self.label[label])
        hidden = self.enter(x)
        for block in self.blocks:
            hidden = block(hidden, told)
        return self.leave(nn.functional.silu(hidden))

    def _features(self, noise: Tensor) -> Tensor:
        """Cosines and sines of the noise level: (B or 1, 2 frequencies).

        The noise level comes as a quarter of log sigma; the periods go from 0.5 to 10.
        """
        ramp = torch.linspace(0.0, 1.0, self.frequencies, dtype=noise.dtype, device=noise.device)
        angles = 2.0 * math.pi * noise[:, None] * 0.1 * 20.0**ramp
        return torch.cat([angles.cos(), angles.sin()], 1)


class _Block(nn.Module):
    """hidden + W2 silu(W1 silu(hidden) + E told), with W2 = 0 at the start."""

    def __init__(self, width: int, generator: torch.Generator):
        super().__init__()
        self.first = _linear(width, width, generator)
        self.told = _linear(width, width, generator)
        self.second = _linear(width, width, generator, scale=0.0)

    def forward(self, hidden: Tensor, told: Tensor) -> Tensor:
        inner = self.first(nn.functional.silu(hidden)) + self.told(told)
        return hidden + self.second(nn.functional.silu(inner))


def _linear(inputs: int, outputs: int, generator, scale: float = 1.0) -> nn.Linear:
    """A linear layer that keeps the variance, from `generator` alone."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    with torch.no_grad():
        noise = torch.randn(outputs, inputs, generator=generator, device=generator.device)
        layer.weight.copy_(scale / math.sqrt(inputs) * noise)
        layer.bias.zero_()
    return layer
