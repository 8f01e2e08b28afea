"""What the networks are made of: layers whose weights come from a generator, Fourier features."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def linear(inputs: int, outputs: int, generator, scale: float = 1.0) -> nn.Linear:
    """A linear layer that keeps the variance, from `generator` alone."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    with torch.no_grad():
        noise = torch.randn(outputs, inputs, generator=generator, device=generator.device)
        layer.weight.copy_(scale / math.sqrt(inputs) * noise)
        layer.bias.zero_()
    return layer


def fourier(noise: Tensor, frequencies: int) -> Tensor:
    """Cosines and sines of the noise level: (B, 2 frequencies) of (B,).

    The noise level comes as a quarter of log sigma; the periods go from 0.5 to 10.
    """
    ramp = torch.linspace(0.0, 1.0, frequencies, dtype=noise.dtype, device=noise.device)
    angles = 2.0 * math.pi * noise[:, None] * 0.1 * 20.0**ramp
    return torch.cat([angles.cos(), angles.sin()], 1)


def convolution(
    inputs: int, outputs: int, generator, size: int = 3, stride: int = 1, scale: float = 1.0
) -> nn.Conv2d:
    """A convolution that keeps the variance, from `generator` alone."""
    layer = nn.utils.skip_init(
        nn.Conv2d, inputs, outputs, kernel_size=size, stride=stride, padding=size // 2
    )
    with torch.no_grad():
        noise = torch.randn(layer.weight.shape, generator=generator, device=generator.device)
        layer.weight.copy_(scale / math.sqrt(inputs * size * size) * noise)
        layer.bias.zero_()
    return layer
