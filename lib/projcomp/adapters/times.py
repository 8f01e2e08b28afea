"""How a network is told the noise level, and at what scale it sees the point."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import values


class Times(ABC):
    """For points of the variance exploding process, x_sigma = x_0 + sigma eps.

    sigma_range: the levels at which the network is known.
    """

    sigma_range: tuple[float, float]

    @abstractmethod
    def time(self, sigma: Tensor) -> Tensor:
        """What the network is told, of levels (B,): (B,)."""

    @abstractmethod
    def scale(self, sigma: Tensor) -> Tensor:
        """What x_sigma is multiplied with before the network sees it: (B,)."""


class Levels(Times):
    """The network is told sigma and sees x_sigma (Karras et al. 2022)."""

    def __init__(self, sigma_range):
        self.sigma_range = _check.reach("sigma_range", sigma_range)

    def time(self, sigma):
        return sigma

    def scale(self, sigma):
        return torch.ones_like(sigma)


class Flow(Times):
    """The network is told t, times `scale`, and sees x_t = (1 - t) x_0 + t eps, t = sigma / (1 +
    sigma) (Lipman et al. 2023; Liu et al. 2023)."""

    def __init__(self, scale, sigma_range):
        self.sigma_range = _check.reach("sigma_range", sigma_range)
        self.factor = _check.number("scale", scale)
        if not self.factor > 0:
            raise ValueError(f"scale must be > 0, got {self.factor:g}")

    def time(self, sigma):
        return self.factor * (sigma / (1.0 + sigma))

    def scale(self, sigma):
        return 1.0 / (1.0 + sigma)


class Steps(Times):
    """The network is told a timestep k and sees x_sigma sqrt(alpha_bar_k) (Ho et al. 2020).

    Step k has sigma_k^2 = 1 / alpha_bar_k - 1. A level between two steps is met by a fraction of a
    step, linear in log sigma. A first step without noise, alpha_bar = 1, is left out.

    alphas_cumprod: (T,), T >= 2, alpha_bar of timesteps 0 to T - 1: falling, in (0, 1].
    """

    def __init__(self, alphas_cumprod):
        alphas = _check.real("alphas_cumprod", alphas_cumprod).detach().cpu()
        if alphas.ndim != 1 or len(alphas) < 2:
            raise ValueError(
                f"alphas_cumprod must have shape (T,) with T >= 2, got {tuple(alphas.shape)}"
            )
        if not (float(alphas.min()) > 0 and float(alphas.max()) <= 1):
            raise ValueError(
                f"alphas_cumprod must lie in (0, 1], got {float(alphas.min()):g} to "
                f"{float(alphas.max()):g}"
            )
        if not bool((alphas.diff() < 0).all()):
            raise ValueError("alphas_cumprod must fall from each timestep to the next")
        sigmas = torch.sqrt(1.0 - alphas) / torch.sqrt(alphas)
        self.first = int(float(sigmas[0]) == 0.0)
        if len(sigmas) - self.first < 2:
            raise ValueError("alphas_cumprod must have at least two timesteps with noise")
        self.logs = sigmas[self.first :].log()
        self.sigma_range = float(sigmas[self.first]), float(sigmas[-1])

    @property
    def last(self) -> int:
        """The last timestep."""
        return self.first + len(self.logs) - 1

    def time(self, sigma):
        logs, log = self.logs.to(sigma.device), sigma.log()
        place = torch.searchsorted(logs, values(log).contiguous(), right=True)
        place = (place - 1).clamp(0, len(logs) - 2)
        low = logs[place]
        return self.first + place + (log - low) / (logs[place + 1] - low)

    def scale(self, sigma):
        return torch.rsqrt(1.0 + sigma**2)
