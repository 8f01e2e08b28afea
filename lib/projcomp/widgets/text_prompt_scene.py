"""What a TextPrompt shows, computed with the library as `worker.mjs` computes it in the page."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from projcomp.composition import Composition, interaction_of
from projcomp.widgets import normals

GREY = 0.5
"""The mean of the noise that paths start from."""


class Flight(NamedTuple):
    """N pictures of P pixels on their way down T levels.

    states, means: (T, N, 3 P), the pictures, and what the composition takes them for; at no noise
    they are the same. gained: (T, N, P), what every pixel has added to a picture's log weight.
    """

    states: Tensor
    means: Tensor
    gained: Tensor


def flight(density: Composition, levels: Tensor, method: str, seed: int, count: int) -> Flight:
    """Euler's steps ("ode") or ancestral ones ("sde"), with the page's own noise."""
    draws = normals.noise(seed, count, len(levels), density.dim)
    sigmas = levels.tolist()
    x = GREY + sigmas[0] * draws[0]
    gained = x.new_zeros(count, density.dim // 3)
    mean, rate = look(density, x, sigmas[0])
    rows = [(x, mean, gained)]
    for high, low, noise in zip(sigmas, sigmas[1:], draws[1:], strict=False):
        share = low / high
        if method == "sde":
            share *= share
            noise = low * math.sqrt(1.0 - share) * noise
            x = mean + share * (x - mean) + noise
        else:
            x = mean + share * (x - mean)
        if low:  # at no noise the picture is the mean
            mean, there = look(density, x, low)
            gained = gained + math.log(high / low) * (rate + there)
            rate = there
        else:
            gained = gained + rate
        rows.append((x, mean, gained))
    return Flight(*map(torch.stack, zip(*rows, strict=True)))


def look(density: Composition, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Of x (N, 3 P) the denoised means (N, 3 P), and sigma^2 times the interaction (N, P)."""
    scores = density.scores(x, sigma)
    deltas = (scores[1:] - scores[0]).unflatten(-1, (3, -1)).mT
    rate = sigma**2 * interaction_of(deltas, density.weights)
    return x + sigma**2 * density.combined(scores), rate
