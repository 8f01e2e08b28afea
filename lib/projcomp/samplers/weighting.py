"""Weighted steps: particles that follow a density down its levels, and what their weights gain.

q^sigma of a density with exponent c starts near N(0, sigma^2 / c). So its particles carry noise of
that variance: v = sigma^2 / c is their time, and for c = 1 it is the usual one. With less or more
noise than the density's own the steps would have to make up for the difference by their weights.
`sigma` remains the level at which the density is asked.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import partial

import torch
from torch import Tensor

from projcomp.densities import Density
from projcomp.densities._draw import normal_like
from projcomp.samplers.run import look, spread

Seen = tuple[Tensor, Tensor]
"""What a step needs to know at a point: the score (n, dim), and a value (n,) for the weight."""


class Weighting(ABC):
    """Ancestral steps with the score of a density, and their weights.

    evaluations: calls of the density so far. known_as: what the value is, for an error about it.
    """

    known_as = ""

    def __init__(self, density: Density):
        self.density, self.scale, self.evaluations = density, spread(density), 0

    def step(self, x: Tensor, seen: Seen, high: float, low: float, generator):
        """The particles (n, dim) at `low`, what is seen there, and the gain of log weights (n,)."""
        return self.carry(x, seen, high, low, normal_like(x, generator) if low > 0.0 else None)

    def carry(self, x: Tensor, seen: Seen, high: float, low: float, noise: Tensor | None):
        """The same with standard normal noise (n, dim) that is given; None for a step to 0."""
        score, value = seen
        denoised = x + (self.scale * high) ** 2 * score
        if low == 0.0:  # nothing is drawn: the last bit of the path counts by its first point
            return denoised, seen, self.last(value, high)
        ratio = (low / high) ** 2
        moved = denoised + ratio * (x - denoised) + self.scale * low * (1.0 - ratio) ** 0.5 * noise
        seen = self.see(moved, low)
        return moved, seen, self.gain(value, seen[1], high, low, x, moved, noise)

    @abstractmethod
    def see(self, x: Tensor, sigma: float) -> Seen:
        """What a step needs to know at particles (n, dim)."""

    @abstractmethod
    def first(self, x: Tensor, sigma: float, value: Tensor) -> Tensor:
        """log weights of particles that start as N(0, sigma^2 / c)."""

    @abstractmethod
    def gain(self, value, value_there, high, low, x, moved, noise) -> Tensor:
        """The gain of log weights of a step from x to moved, with the noise that was drawn."""

    @abstractmethod
    def last(self, value: Tensor, high: float) -> Tensor:
        """The gain of the step from `high` to 0."""


class ByInteraction(Weighting):
    """Weights by the rate at which q^sigma and the particles' law part, from scores alone.

    As u = sigma^2 falls, noise of variance u / c takes d log q/du = (Laplacian q / q) / 2c for
    granted, and q has (Laplacian q / q) / 2 - I. The difference is the rate of log w:

        I + (1/c - 1)/2 (div s + |s|^2),  s = grad log q.
    """

    known_as = "interaction"

    def see(self, x, sigma):
        self.evaluations += 1
        return look(partial(self.density.score_and_interaction, natural=True), x, sigma)

    def first(self, x, sigma, value):
        return torch.zeros_like(value)

    def gain(self, value, value_there, high, low, x, moved, noise):
        """By the trapezoidal rule over log u, of u times the rate."""
        return math.log(high / low) * torch.add(high**2 * value, value_there, alpha=low**2)

    def last(self, value, high):
        return high**2 * value


class ByDensity(Weighting):
    """Weights by the ratio of what is wanted and what was drawn, from log densities."""

    known_as = "log density"

    def see(self, x, sigma):
        self.evaluations += 1
        return look(self.density.log_prob_and_score, x, sigma)[::-1]

    def first(self, x, sigma, value):
        wide = self.scale * sigma
        noise = -0.5 * (x / wide).square().sum(-1) - x.shape[1] * math.log(wide)
        return value - noise + 0.5 * x.shape[1] * math.log(2.0 * math.pi)

    def gain(self, value, value_there, high, low, x, moved, noise):
        jump = (x - moved) / (self.scale * (high**2 - low**2) ** 0.5)
        squares = torch.linalg.vecdot(noise, noise) - torch.linalg.vecdot(jump, jump)
        return value_there - value + 0.5 * squares - x.shape[1] * math.log(high / low)

    def last(self, value, high):
        return torch.zeros_like(value)
