"""What the networks are made of: layers whose weights come from a generator, Fourier features.

Layers are made on the device of their generator, in float32, whatever torch's defaults are.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from projcomp import _check


def source_of_weights(generator) -> torch.Generator:
    """`generator`, or one of seed 0 on the CPU. Raises ValueError for what is neither."""
    generator = _check.source("generator", generator)
    return torch.Generator("cpu").manual_seed(0) if generator is None else generator


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Standard normal numbers from `generator`, on its device, in float32."""
    return torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float32)


def linear(inputs: int, outputs: int, generator, scale: float = 1.0) -> nn.Linear:
    """A linear layer that keeps the variance, from `generator` alone."""
    place = {"device": generator.device, "dtype": torch.float32}
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs, **place)
    with torch.no_grad():
        layer.weight.copy_(scale / math.sqrt(inputs) * normal(generator, outputs, inputs))
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
    place = {"device": generator.device, "dtype": torch.float32}
    layer = nn.utils.skip_init(
        nn.Conv2d, inputs, outputs, kernel_size=size, stride=stride, padding=size // 2, **place
    )
    with torch.no_grad():
        noise = normal(generator, *layer.weight.shape)
        layer.weight.copy_(scale / math.sqrt(inputs * size * size) * noise)
        layer.bias.zero_()
    return layer
