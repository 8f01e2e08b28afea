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


TARGETS = ("scaled", "clean")


class Preconditioned(nn.Module):
    """A denoiser D(x, sigma, condition) made of a network F.

    With y = x - centre, D = centre + c_skip y + c_out F(c_in y, c_noise) for the target "scaled";
    for "clean", F says the clean sample itself: D = centre + sigma_data F(c_in y, c_noise).

    Args:
        network: F, called as ``network(inputs, noise, condition)`` with inputs (B, n), noise (B,),
            and what it is told, of B rows; noise and condition may have one row where they are
            the same for all. Answers with (B, n). If it has a method `condition(label)`, that says
            what it is told of a label; else that is the label itself, 0 to labels - 1.
        dim: n.
        sigma_data: root mean square of a coordinate of the data, about `centre`.
        labels: how many distributions it knows. Label 0 is the background.
        centre: what is taken from every coordinate.
        target: one of `TARGETS`.

    Raises ValueError for a bad argument.
    """

    def __init__(
        self,
        network: nn.Module,
        dim: int,
        sigma_data: float,
        labels: int = 1,
        *,
        centre: float = 0.0,
        target: str = "scaled",
    ):
        super().__init__()
        if not isinstance(network, nn.Module):
            raise ValueError(f"network must be a torch module, got {network!r}")
        self.network = network
        self.dim, self.labels = _check.count("dim", dim), _check.count("labels", labels)
        self.scales = Preconditioning(sigma_data)
        self.centre = _check.number("centre", centre)
        self.target = _check.choice("target", target, TARGETS)

    def architecture(self) -> dict:
        """What a file must agree with to hold the weights of this network."""
        shapes = {name: list(value.shape) for name, value in self.state_dict().items()}
        return {
            "network": type(self.network).__name__,
            "options": getattr(self.network, "options", {}),
            "dim": self.dim,
            "labels": self.labels,
            "sigma_data": self.scales.sigma_data,
            "centre": self.centre,
            "target": self.target,
            "shapes": shapes,
        }

    def condition(self, label) -> Tensor:
        """What the network is told of `label`: one row. None is the background.

        Raises ValueError for a label that the network does not know.
        """
        if hasattr(self.network, "condition"):
            return self.network.condition(label)
        label = 0 if label is None else _check.count("label", label, 0)
        if label >= self.labels:
            raise ValueError(
                f"label must be None or 0 to {self.labels - 1}, which this network knows; got "
                f"{label}"
            )
        return torch.tensor([label])

    def coefficients(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """a and b of D - centre = a y + b F, in the shape of sigma > 0."""
        if self.target == "clean":
            return torch.zeros_like(sigma), torch.full_like(sigma, self.scales.sigma_data)
        return self.scales.c_skip(sigma), self.scales.c_out(sigma)

    def score_coefficients(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """a and b of the score (D - x) / sigma^2 = a y + b F, put so that nothing cancels."""
        if self.target == "clean":
            return -(sigma**-2), self.scales.sigma_data * sigma**-2
        total = sigma**2 + self.scales.sigma_data**2
        return -1.0 / total, self.scales.sigma_data / (sigma * total.sqrt())

    def raw(self, x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
        """F at x (B, n), sigma (B,) or (1,): (B, n), in the network's precision."""
        dtype = next((p.dtype for p in self.network.parameters()), torch.float32)
        inputs = (self.scales.c_in(sigma)[:, None] * (x - self.centre)).to(dtype)
        answer = self.network(inputs, self.scales.c_noise(sigma).to(dtype), condition)
        if not isinstance(answer, Tensor) or answer.shape != x.shape:
            raise ValueError(
                f"network must answer with a tensor of shape {tuple(x.shape)}, got "
                f"{tuple(answer.shape) if isinstance(answer, Tensor) else answer!r}"
            )
        return answer

    def forward(self, x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
        """D: x (B, n), sigma > 0 (B,) or (1,); returns (B, n) in the dtype of x."""
        answer = self.raw(x, sigma, condition).to(x.dtype)
        skip, out = self.coefficients(sigma)
        return self.centre + skip[:, None] * (x - self.centre) + out[:, None] * answer

    def weight(self, sigma: Tensor) -> Tensor:
        """The weight of |D - x_0|^2 in the loss, in the shape of sigma.

        Where the network says the clean sample, details that little noise leaves in view are not
        asked of it more and more: the weight stops at half of sigma_data.
        """
        if self.target == "clean":
            sigma = sigma.clamp(min=0.5 * self.scales.sigma_data)
        return self.scales.weight(sigma)
