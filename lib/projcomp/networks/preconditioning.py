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
from projcomp.networks.store import shapes_of, unwrapped


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
        level = _wide(sigma)
        return _as((self.sigma_data / self._total(level)).square(), sigma)

    def c_out(self, sigma: Tensor) -> Tensor:
        """What the network's output is multiplied with."""
        level, data = _wide(sigma), self.sigma_data
        total = self._total(level)
        # Of the two, the larger over their hypotenuse is near one.
        return _as(torch.where(level < data, level * (data / total), level / total * data), sigma)

    def c_in(self, sigma: Tensor) -> Tensor:
        """What the input is multiplied with."""
        return _as(1.0 / self._total(_wide(sigma)), sigma)

    def c_noise(self, sigma: Tensor) -> Tensor:
        """How the network is told the noise level."""
        return _as(0.25 * _wide(sigma).log(), sigma)

    def weight(self, sigma: Tensor) -> Tensor:
        """The weight of |D - x_0|^2 in the loss: 1 / c_out^2, so that F meets a plain square."""
        return _as((1.0 / _wide(sigma)).square() + 1.0 / self.sigma_data**2, sigma)

    def _total(self, level: Tensor) -> Tensor:
        """Root mean square of a coordinate of the noised data."""
        return torch.hypot(level, level.new_full((), self.sigma_data))


def _wide(sigma: Tensor) -> Tensor:
    """`sigma` in float32 at least: what the formulas pass through leaves the range of float16."""
    return sigma.to(torch.promote_types(sigma.dtype, torch.float32))


def _as(answer: Tensor, sigma: Tensor) -> Tensor:
    return answer.to(sigma.dtype) if sigma.is_floating_point() else answer


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
        network = unwrapped(self.network)
        return {
            "network": type(network).__name__,
            "options": getattr(network, "options", {}),
            "dim": self.dim,
            "labels": self.labels,
            "sigma_data": self.scales.sigma_data,
            "centre": self.centre,
            "target": self.target,
            "shapes": shapes_of(self),
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
        return torch.tensor([label], device="cpu")

    def coefficients(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """a and b of D - centre = a y + b F, in the shape of sigma > 0."""
        if self.target == "clean":
            return torch.zeros_like(sigma), torch.full_like(sigma, self.scales.sigma_data)
        return self.scales.c_skip(sigma), self.scales.c_out(sigma)

    def score_coefficients(self, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """a and b of the score (D - x) / sigma^2 = a y + b F, put so that nothing cancels."""
        level, data = _wide(sigma), self.scales.sigma_data
        total = level if self.target == "clean" else self.scales._total(level)
        return _as(-(1.0 / total).square(), sigma), _as(data / total / level, sigma)

    def raw(self, x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
        """F at x (B, n), sigma (B,) or (1,): (B, n), in the network's precision."""
        dtype = next((p.dtype for p in self.network.parameters()), torch.float32)
        inputs = (self.scales.c_in(_wide(sigma))[:, None] * (x - self.centre)).to(dtype)
        answer = self.network(inputs, self.scales.c_noise(sigma).to(dtype), condition)
        if not isinstance(answer, Tensor) or answer.shape != x.shape:
            raise ValueError(
                f"network must answer with a tensor of shape {tuple(x.shape)}, got "
                f"{tuple(answer.shape) if isinstance(answer, Tensor) else answer!r}"
            )
        return answer

    def forward(self, x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
        """D: x (B, n), sigma > 0 (B,) or (1,); returns (B, n) in the dtype of x."""
        y, level = _wide(x) - self.centre, _wide(sigma)
        skip, out = self.coefficients(level)
        answer = self.raw(x, sigma, condition).to(y.dtype)
        return (self.centre + skip[:, None] * y + out[:, None] * answer).to(x.dtype)

    def weight(self, sigma: Tensor) -> Tensor:
        """The weight of |D - x_0|^2 in the loss, in the shape of sigma.

        Where the network says the clean sample, details that little noise leaves in view are not
        asked of it more and more: the weight stops at half of sigma_data.
        """
        if self.target == "clean":
            sigma = sigma.clamp(min=0.5 * self.scales.sigma_data)
        return self.scales.weight(sigma)
