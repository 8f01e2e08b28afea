"""A trained network as a Density."""

from __future__ import annotations

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Scored
from projcomp.networks.preconditioning import Preconditioned


class Denoiser(Scored):
    """One of the distributions that a network has learned. It has scores and no log density.

    The network computes in its own precision (float32), everything around it in float64. There is
    no score at sigma = 0: the network has seen no data without noise.

    Args:
        model: the network, a `Preconditioned`.
        label: which concept, 1 to labels - 1; None or 0 for the background.
        samples: (N, n) independent samples at sigma = 0, or None; as for `Scored`.

    Raises ValueError for a label that the network does not know.
    """

    def __init__(self, model: Preconditioned, label: int | None = None, samples=None):
        if not isinstance(model, Preconditioned):
            raise ValueError(f"model must be a Preconditioned network, got {model!r}")
        label = 0 if label is None else _check.count("label", label, 0)
        if label >= model.labels:
            raise ValueError(
                f"label must be None or 0 to {model.labels - 1}, which this network knows; got "
                f"{label}"
            )
        super().__init__(model.dim, self._score_rows, samples)
        self.model, self.label = model, label

    def __repr__(self):
        name = "background" if self.label == 0 else f"concept {self.label}"
        return f"Denoiser({name}, dim={self.dim})"

    def _score_rows(self, x: Tensor, sigma: Tensor) -> Tensor:
        """(D - x) / sigma^2, put together so that nothing cancels: x (B, n), sigma (B,) or (1,)."""
        if x.numel() and not bool((sigma > 0).all()):
            raise ValueError("sigma must be > 0: a network has no score at sigma = 0")
        total = sigma**2 + self.model.scales.sigma_data**2
        out = self.model.scales.sigma_data / (sigma * total.sqrt())
        return out[:, None] * self._raw(x, sigma) - x / total[:, None]

    def _score(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self._score_rows(x.T, sigma.reshape(-1)).T

    def _denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        seen = sigma.reshape(-1).clamp(min=1e-300)  # at 0 the network has no say: c_out = 0
        skip, out = self.model.scales.c_skip(sigma), self.model.scales.c_out(sigma)
        return skip * x + out * self._raw(x.T, seen).T

    def _raw(self, x: Tensor, sigma: Tensor) -> Tensor:
        label = torch.full(sigma.shape, self.label, dtype=torch.int64, device=x.device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and x.requires_grad):
            return self.model.raw(x, sigma, label).to(x.dtype)

    def _chunk(self, device):
        return 1 << 13 if device.type == "cpu" else 1 << 18
