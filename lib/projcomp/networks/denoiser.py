"""A trained network as a Density."""

from __future__ import annotations

from torch import Tensor

from projcomp import _check
from projcomp._modes import values
from projcomp.densities import Scored
from projcomp.networks.preconditioning import Preconditioned
from projcomp.networks.store import unwrapped

LEAST = 1.0 / _check.LARGEST
"""Least noise level of a score. One over its square is finite in float64."""


class Denoiser(Scored):
    """One of the distributions that a network has learned. It has scores and no log density.

    The network computes in its own precision (float32), everything around it in float64. There is
    no score at sigma = 0: the network has seen no data without noise.

    Scores and denoised points can be differentiated, in x, sigma and the parameters of the network
    that need grad, as torch has it: under `torch.no_grad` nothing is recorded.

    Args:
        model: the network, a `Preconditioned`.
        label: which concept: None or 0 for the background, 1 to labels - 1; for a network of
            another kind what its `condition` takes, such as a place in the picture.
        samples: (N, n) independent samples at sigma = 0, or None; as for `Scored`.

    Raises ValueError for a label that the network does not know.
    """

    def __init__(self, model: Preconditioned, label=None, samples=None):
        if not isinstance(unwrapped(model), Preconditioned):
            raise ValueError(f"model must be a Preconditioned network, got {model!r}")
        self.condition = model.condition(label)
        super().__init__(model.dim, self._score_rows, samples)
        self.model, self.label = model, 0 if label is None else label

    def __repr__(self):
        if isinstance(self.label, int):
            name = "background" if self.label == 0 else f"concept {self.label}"
        else:
            name = f"label={self.label!r}"
        return f"Denoiser({name}, dim={self.dim})"

    def _score_rows(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self._told(x, sigma, self.condition)

    def _told(self, x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
        """(D - x) / sigma^2, put together so that nothing cancels: x (B, n), sigma (B,) or (1,).

        condition: what the network is told instead of this density's own, of B rows or one.
        """
        if x.numel() and float(values(sigma).min()) < LEAST:
            raise ValueError(
                f"sigma must be > 0: a network has no score at sigma = 0, nor below {LEAST:g}; got "
                f"{float(values(sigma).min()):g}"
            )
        own, out = self.model.score_coefficients(sigma)
        raw = self._raw(x, sigma, condition)
        return out[:, None] * raw + own[:, None] * (x - self.model.centre)

    def _score(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self._score_rows(x.T, sigma.reshape(-1)).T

    def _denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        seen = sigma.reshape(-1).clamp(min=1e-300)  # at 0 a scaled network has no say: c_out = 0
        skip, out = self.model.coefficients(sigma)
        centre = self.model.centre
        return centre + skip * (x - centre) + out * self._raw(x.T, seen, self.condition).T

    def _raw(self, x: Tensor, sigma: Tensor, condition: Tensor) -> Tensor:
        return self.model.raw(x, sigma, condition.to(x.device)).to(x.dtype)

    def _chunk(self, device):
        coordinates = 1 << 18 if device.type == "cpu" else 1 << 23
        return max(1, min(1 << 13 if device.type == "cpu" else 1 << 18, coordinates // self.dim))
