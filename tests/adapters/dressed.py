"""Exact densities dressed up as networks: each knows its answers, and counts what it is asked."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import projcomp as pc
import torch
from projcomp.densities import Density

ALPHAS = torch.cos(torch.linspace(0.01, 1.53, 60, dtype=torch.float64)) ** 2
"""alpha_bar of sixty timesteps: sigma from 0.01 to 24."""


def sigma_of(time: torch.Tensor) -> torch.Tensor:
    """The noise level of a fractional timestep, linear in log sigma."""
    logs = (0.5 * ((1 - ALPHAS) / ALPHAS).log()).to(time.device)
    low = time.floor().long().clamp(0, len(logs) - 2)
    return torch.lerp(logs[low], logs[low + 1], time - low).exp()


@dataclass
class Network:
    """Answers as a network of `output` would that has learned `densities`; which one is told by a
    label, the first without one. calls: rows of each call, times: what it was told."""

    output: str
    densities: list[Density]
    shape: tuple[int, ...]
    scale: float = 1.0
    calls: list[int] = field(default_factory=list)
    times: list[torch.Tensor] = field(default_factory=list)

    def __call__(self, x, time, label=None):
        assert x.shape[1:] == self.shape and time.shape == (len(x),)
        self.calls.append(len(x))
        self.times.append(time)
        seen, sigma = self._back(x.double().flatten(1), time.double())
        label = torch.zeros(len(x), dtype=torch.long) if label is None else label
        answers = torch.stack([self._answer(density, seen, sigma) for density in self.densities])
        found = answers[label, torch.arange(len(x))]
        return found.reshape(x.shape).to(x.dtype)

    def _back(self, x, time):
        if self.output in ("noise", "v_prediction"):
            sigma = sigma_of(time)
            return x * (1 + sigma**2)[:, None].sqrt(), sigma
        if self.output == "denoised":
            return x, time
        time = time / self.scale
        return x / (1 - time)[:, None], time / (1 - time)

    def _answer(self, density, x, sigma):
        return pc.convert(density.score(x, sigma), x, sigma, "score", self.output)


def adapted(output, densities, shape=None, *, scale=1.0, dtype=torch.float64, **options):
    """The adapter of such a network, and the network."""
    shape = (densities[0].dim,) if shape is None else shape
    network = Network(output, densities, shape, scale)
    how = {"dtype": dtype, **options}
    if output == "noise":
        return pc.adapters.from_noise(network, ALPHAS, shape, **how), network
    if output == "v_prediction":
        return pc.adapters.from_v(network, ALPHAS, shape, **how), network
    if output == "denoised":
        return pc.adapters.from_denoiser(network, shape, (0.005, 50.0), **how), network
    return pc.adapters.from_flow(network, shape, scale=scale, **how), network


OUTPUTS = ("noise", "v_prediction", "denoised", "velocity")
LOW, HIGH = math.tan(0.01), math.tan(1.53)
