"""The book's warps of the plane: maps from feature space, (u, v), to pixels.

`polar` winds the second feature around the origin, so there a feature is an angle: see `Wrapped`.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density, Diffeomorphism, LinearMap
from projcomp.densities.mixtures import coordinate_block


def rotation(angle: float) -> LinearMap:
    """(u, v) turned by `angle` (radians): orthogonal, so noise commutes with it."""
    angle = _check.number("angle", angle)
    cosine, sine = math.cos(angle), math.sin(angle)
    return LinearMap([[cosine, -sine], [sine, cosine]])


def shear(angle: float) -> LinearMap:
    """u (1, 0) + v (cos angle, sin angle): feature axes of unit length at `angle` (radians).

    Raises ValueError where the axes coincide.
    """
    angle = _check.number("angle", angle)
    return LinearMap([[1.0, math.cos(angle)], [0.0, math.sin(angle)]])


def banana(bend: float = 1.0) -> Diffeomorphism:
    """(u, v + bend u^2): bent, with Jacobian determinant one."""
    bend = _check.number("bend", bend)
    return Diffeomorphism(2, partial(_bent, bend), partial(_bent, -bend), partial(_slope, 0.0))


def polar() -> Diffeomorphism:
    """e^u (cos v, sin v): log radius and angle, from the cylinder to the plane without its origin.

    The inverse answers with v in (-pi, pi]. On features in the plane the map winds around the
    origin, so hand it densities that are periodic in v (`Wrapped`).
    """
    return Diffeomorphism(2, _wound, _unwound, partial(_slope, 2.0))


def _bent(bend: float, z: Tensor) -> Tensor:
    u, v = z.unbind(-1)
    return torch.stack([u, v + bend * u * u], -1)


def _slope(factor: float, z: Tensor) -> Tensor:
    return factor * z[..., 0]


def _wound(z: Tensor) -> Tensor:
    u, v = z.unbind(-1)
    return u.exp()[..., None] * torch.stack([v.cos(), v.sin()], -1)


def _unwound(x: Tensor) -> Tensor:
    first, second = x.unbind(-1)
    return torch.stack([torch.hypot(first, second).log(), torch.atan2(second, first)], -1)


class Wrapped(Density):
    """A density with one coordinate taken modulo 2 pi: sum_m p(x + 2 pi m e_axis), an angle.

    It is a density over one turn of that coordinate. Noising commutes with wrapping (both are
    convolutions), so it is exact at every sigma, as long as p^sigma holds no mass beyond `turns`
    turns to either side.

    Args:
        density: p, on R^n.
        axis: which coordinate is the angle.
        turns: copies summed to each side.
    """

    def __init__(self, density: Density, axis: int = 0, turns: int = 3):
        if not isinstance(density, Density):
            raise ValueError(f"density must be a Density, got {density!r}")
        super().__init__(density.dim)
        (self.axis,) = coordinate_block("axis", [axis], density.dim)
        self.density, self.turns = density, _check.count("turns", turns)

    def _log_prob(self, x, sigma):
        step = torch.zeros(self.dim, 1, dtype=x.dtype, device=x.device)
        step[self.axis] = 2.0 * math.pi
        base = x - step * torch.round(x[self.axis] / (2.0 * math.pi))
        copies = range(-self.turns, self.turns + 1)
        return torch.logsumexp(
            torch.stack([self.density._log_prob(base + m * step, sigma) for m in copies]), 0
        )

    def _sample(self, n, generator, device):
        x = self.density._sample(n, generator, device)
        x[:, self.axis] = torch.remainder(x[:, self.axis] + math.pi, 2.0 * math.pi) - math.pi
        return x

    def _chunk(self, device):
        return self.density._chunk(device)
