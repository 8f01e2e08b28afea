"""What the Explorer's still picture shows, computed from its state as `scene.mjs` does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from projcomp.composition import Composition
from projcomp.densities import Density, Flat, GaussianMixture
from projcomp.grid import Grid
from projcomp.noise import sigma_grid
from projcomp.samplers import reverse_diffusion
from projcomp.samplers.run import silenced, spread
from projcomp.widgets.normals import normals
from projcomp.widgets.spec import from_spec

FINE, COARSE, FIELD = 160, 96, 56
BINS = 40


class Particles(NamedTuple):
    """The samples at the present level.

    points: (n, dim). shares: (n,) of the whole weight; None if all weigh the same. ways: (levels,
    n, dim), where they were at the levels before.
    """

    points: Tensor
    shares: Tensor | None
    ways: Tensor

    def histogram(self, values: Tensor, span: tuple[float, float], bins: int) -> np.ndarray:
        """Shares of the samples in equal bins of their values; what lies outside is lost."""
        return np.histogram(values.numpy(), bins, span, weights=self.weights())[0]

    def weights(self) -> np.ndarray:
        """(n,) shares of the whole weight."""
        count = len(self.points)
        return np.full(count, 1 / count) if self.shares is None else self.shares.numpy()


class Shadow(NamedTuple):
    """Masses along a direction: of the composition, and of the concept that wants it so."""

    own: Tensor
    wanted: Tensor
    bars: np.ndarray | None  # of the samples, on the same scale


class Scene:
    """The numbers behind a picture of a composition, in a state of the Explorer."""

    def __init__(self, composition: Composition, state: dict):
        self.composition, self.state, self.sigma = composition, state, state["sigma"]

    @cached_property
    def box(self) -> list[float]:
        """The box, widened so that the noise fits in."""
        left, bottom, right, top = self.state["box"]
        if self.state["view"] == "line":
            return [left, bottom, right, top]
        x, y, half = (left + right) / 2, (bottom + top) / 2, min(right - left, top - bottom) / 2
        zoom = max(1.0, 2.2 * self.sigma / half)
        return [
            x + zoom * (left - x), y + zoom * (bottom - y),
            x + zoom * (right - x), y + zoom * (top - y),
        ]  # fmt: skip

    @property
    def exists(self) -> bool:
        """Whether there is a composition to draw at this level."""
        return self.composition.normalisable(self.sigma) is not False

    @property
    def has_truth(self) -> bool:
        return self.composition.normalisable(0.0) is not False

    @property
    def base(self) -> Density | None:
        """What is divided by; the simple product shows the background that it leaves out."""
        own, left_out = self.composition.background, self.state["background"]
        if not isinstance(own, Flat):
            return own
        return from_spec(left_out, own.dim) if left_out else None

    def grid(self, cells: int) -> Grid:
        left, bottom, right, top = self.box
        return Grid([left, bottom], [right, top], cells)

    @cached_property
    def exact(self) -> GaussianMixture | None:
        """The composition without noise as a mixture, where it has a closed form."""
        try:
            return self.composition.exact()
        except ValueError:
            return None

    def truth(self) -> Tensor:
        """Masses of the noised composition, in closed form or by quadrature over the box."""
        grid = self.grid(COARSE)
        if self.exact is not None:
            return grid.masses(self.exact, self.sigma)
        masses = grid.masses(self.composition)
        if self.sigma == 0:
            return masses
        for axis, x in enumerate(grid.axes):
            width = (x[1] - x[0]).square() / 12 + self.sigma**2  # a cell is wide, too
            kernel = (-0.5 * (x[:, None] - x).square() / width).exp()
            masses = torch.tensordot(kernel, masses, dims=([1], [axis])).movedim(0, axis)
        return masses / masses.sum()

    @property
    def truth_words(self) -> str:
        """What the legend calls the noised composition."""
        if not self.has_truth:
            return "no composition to noise"
        return "noised composition" + ("" if self.exact is not None else " (by quadrature)")

    def interaction(self) -> Tensor:
        """The interaction field at cell centres of a coarse grid."""
        return self.composition.interaction(self.grid(FIELD).points, self.sigma)

    def shadow(
        self, index: int, direction: Sequence[float], samples: Particles | None = None
    ) -> Shadow | None:
        """The composition's marginal along a unit vector beside that of the concept.

        samples: whose histogram is wanted; the scene's own if None.
        """
        if index >= len(self.composition.concepts):
            return None
        # A grid that lies along the vector: cells shared out among slanting bins would blur.
        along = torch.tensor(direction, dtype=torch.float64, device="cpu")
        across = torch.stack([-along[1], along[0]])
        (low, foot), (high, head) = zip(
            *(_span(self.box, axis.tolist()) for axis in (along, across)), strict=True
        )
        slanting = Grid([low, foot], [high, head], FINE)
        points = slanting.points @ torch.stack([along, across])
        logs = self.composition.log_prob(points, self.sigma)
        own = torch.softmax(logs.reshape(-1), 0).reshape(FINE, FINE).sum(1)
        target = _projected(self.composition.concepts[index], along)
        wanted = Grid([low], [high], FINE).masses(target, self.sigma)
        bars, samples = None, samples or self.particles
        if samples:
            values = samples.points @ along
            bars = samples.histogram(values, (low, high), BINS) * BINS / FINE
        return Shadow(own, wanted, bars)

    @cached_property
    def particles(self) -> Particles | None:
        """The samples if they are shown, from the page's own noise; None where they run off."""
        state, density = self.state, self.composition
        if "samples" not in state["show"]:
            return None
        levels = sigma_grid(state["sigma_min"], state["sigma_max"], state["steps"])
        here = int((levels > self.sigma).sum())  # the first level that is not above
        levels = levels[: max(here, 1) + 1]
        n, dim = state["particles"], density.dim
        noise = spread(density) * state["sigma_max"] * normals(state["seed"], n * dim)
        generator = torch.Generator("cpu").manual_seed(state["seed"])
        try:
            with silenced():
                path = reverse_diffusion(
                    density, n, levels, state["method"], start=noise.reshape(n, dim),
                    generator=generator, keep_path=True, progress=False,
                ).path  # fmt: skip
        except ValueError:
            return None
        shares = None
        if state["reweight"]:
            logs = _log_weights(density, levels, path)
            shares = torch.softmax(_between(levels, logs, self.sigma), 0)
        passed = int((levels >= self.sigma).sum())
        return Particles(_between(levels, path, self.sigma), shares, path[: max(passed, 1)])


def _log_weights(density: Composition, levels: Tensor, path: Tensor) -> Tensor:
    """(levels, n): d log w = I dv by the trapezoidal rule in log sigma, as `pc.smc` weighs."""
    above = levels[levels > 0]
    pairs = zip(above, path, strict=False)
    rates = torch.stack([s**2 * density.interaction(x, s, natural=True) for s, x in pairs])
    steps = (above[:-1] / above[1:]).log()[:, None]
    gains = [torch.zeros_like(rates[:1]), steps * (rates[:-1] + rates[1:])]
    if len(above) < len(levels):  # on the step to 0 the interaction stays as it was
        gains.append(rates[-1:])
    return torch.cat(gains).cumsum(0)


def _between(levels: Tensor, kept: Tensor, sigma: float) -> Tensor:
    """What is kept at every level, at a level between the last two: linear in sigma."""
    high, low = levels[-2:].tolist()
    share = min(max((high - sigma) / (high - low), 0.0), 1.0)
    return kept[-2] + share * (kept[-1] - kept[-2])


def _projected(mixture: GaussianMixture, along: Tensor) -> GaussianMixture:
    """The mixture's marginal along a unit vector."""
    variances = torch.einsum("i,kij,j->k", along, mixture.covariances, along)
    return GaussianMixture(mixture.weights, (mixture.means @ along)[:, None], variances)


def _span(box: Sequence[float], vector: Sequence[float]) -> tuple[float, float]:
    """The least and the largest inner product with a vector over a box."""
    left, bottom, right, top = box
    values = [vector[0] * x + vector[1] * y for x in (left, right) for y in (bottom, top)]
    return min(values), max(values)
