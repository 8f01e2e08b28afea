"""How a network becomes a denoiser that is well scaled at every noise level.

Karras et al. 2022, Table 1 (column "Ours"): D(x, sigma) = c_skip x + c_out F(c_in x, c_noise). If
the data have the root mean square `sigma_data` in every coordinate, the network F sees inputs of
unit variance, is asked for outputs of unit variance, and its errors are amplified as little as
possible.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from projcomp import _check


@dataclass(frozen=True)
class Preconditioning:
    """The four scales and the weight of the loss, as functions of sigma > 0.

    sigma_data: root mean square of a coordinate of the data.
    Raises ValueError unless it is > 0.
    """

    sigma_data: float

    def __post_init__(self):
        value = _check.one_level("sigma_data", self.sigma_data, positive=True)
        object.__setattr__(self, "sigma_data", value)

    def c_skip(self, sigma: Tensor) -> Tensor:
        """How much of the input passes by the network: all at no noise, none at much."""
        return self.sigma_data**2 / (sigma**2 + self.sigma_data**2)

    def c_out(self, sigma: Tensor) -> Tensor:
        """What the network's output is multiplied with."""
        return sigma * self.sigma_data / (sigma**2 + self.sigma_data**2).sqrt()

    def c_in(self, sigma: Tensor) -> Tensor:
        """What the input is multiplied with."""
        return 1.0 / (sigma**2 + self.sigma_data**2).sqrt()

    def c_noise(self, sigma: Tensor) -> Tensor:
        """How the network is told the noise level."""
        return 0.25 * sigma.log()

    def weight(self, sigma: Tensor) -> Tensor:
        """The weight of |D - x_0|^2 in the loss: 1 / c_out^2, so that F meets a plain square."""
        return (sigma**2 + self.sigma_data**2) / (sigma * self.sigma_data) ** 2


class Preconditioned(nn.Module):
    """A denoiser D(x, sigma, label) made of a network F.

    Args:
        network: F, called as ``network(inputs, noise, label)`` with inputs (B, n), and noise and
            label (int64) both (B,) or, where they are the same for all, (1,); answers with (B, n).
        dim: n.
        sigma_data: root mean square of a coordinate of the data.
        labels: how many distributions it knows. Label 0 is the background.

    Raises ValueError for a bad argument.
    """

    def __init__(self, network: nn.Module, dim: int, sigma_data: float, labels: int = 1):
        super().__init__()
        if not isinstance(network, nn.Module):
            raise ValueError(f"network must be a torch module, got {network!r}")
        self.network = network
        self.dim, self.labels = _check.count("dim", dim), _check.count("labels", labels)
        self.scales = Preconditioning(sigma_data)

    def architecture(self) -> dict:
        """What a file must agree with to hold the weights of this network."""
        shapes = {name: list(value.shape) for name, value in self.state_dict().items()}
        return {
            "network": type(self.network).__name__,
            "dim": self.dim,
            "labels": self.labels,
            "sigma_data": self.scales.sigma_data,
            "shapes": shapes,
        }

    def raw(self, x: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
        """F at x (B, n), sigma and label both (B,) or (1,): (B, n), in the network's precision."""
        dtype = next((p.dtype for p in self.network.parameters()), torch.float32)
        inputs = (self.scales.c_in(sigma)[:, None] * x).to(dtype)
        answer = self.network(inputs, self.scales.c_noise(sigma).to(dtype), label)
        if not isinstance(answer, Tensor) or answer.shape != x.shape:
            raise ValueError(
                f"network must answer with a tensor of shape {tuple(x.shape)}, got "
                f"{tuple(answer.shape) if isinstance(answer, Tensor) else answer!r}"
            )
        return answer

    def forward(self, x: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
        """D: x (B, n), sigma > 0 and label both (B,) or (1,); returns (B, n) in the dtype of x."""
        answer = self.raw(x, sigma, label).to(x.dtype)
        skip, out = self.scales.c_skip(sigma)[:, None], self.scales.c_out(sigma)[:, None]
        return skip * x + out * answer
