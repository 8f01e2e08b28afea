"""What a Prompt shows, computed with the library as `scene.mjs` computes it in the page."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from projcomp.composition import Composition
from projcomp.emoji import Table
from projcomp.samplers.resampling import combed, effective_size
from projcomp.samplers.weighting import ByInteraction
from projcomp.widgets.normals import STREAMS, noise, stream

HALF = 0.5  # of the particles: fewer effective ones are resampled
TOP = 3  # pictures that are shown of a belief
DECIDED = 0.5  # of the belief


class Flight(NamedTuple):
    """Particles on their way down T noise levels.

    states: (T, P, n). log_weights: (T, P), before any resampling, from equal ones. effective: (T,)
    effective sample sizes. parents: (T, P), of each particle that goes on from a level its own
    place there.
    """

    states: Tensor
    log_weights: Tensor
    effective: Tensor
    parents: Tensor

    def line(self) -> Tensor:
        """(T,) the places of the particle that weighs most at the end, and of its ancestors."""
        place = int(self.log_weights[-1].argmax())
        found = [place]
        for parents in self.parents[:-1].flip(0):
            place = int(parents[place])
            found.append(place)
        return torch.tensor(found[::-1], dtype=torch.long, device="cpu")

    def path(self) -> Tensor:
        """(T, n) the states along that line."""
        return self.states[torch.arange(len(self.states), device="cpu"), self.line()]


class Belief(NamedTuple):
    """What a sample holds of the pictures of one density.

    style, content: the shares of the pictures of the wanted style and of the wanted content.
    entropy: in units of that of equal shares. top: (row in the table, share) of the likeliest.
    """

    style: float
    content: float
    entropy: float
    top: list[tuple[int, float]]


class Outcome(NamedTuple):
    """Where a sample ends.

    pictures: rows in the table of the likeliest picture of the content's density and of that of
    the style's. right: whether both are the wanted one. Where they are not, the sample is held
    between them. decided: the noise level from which on each has most of the belief.
    """

    pictures: list[int]
    right: bool
    decided: float


class Sample(NamedTuple):
    """A sample on its way down T levels.

    path: (T, n), its states. effective: (T,) effective sample sizes of the particles among which
    it is. beliefs: at each level, by the densities "all", "content" and "style". outcome: its end.
    """

    path: Tensor
    effective: Tensor
    beliefs: list[dict[str, Belief]]
    outcome: Outcome


def flight(
    density: Composition, levels: list[float], seed: int, particles: int, resample: bool
) -> Flight:
    """The steps of `smc` without moves, with the page's own noise."""
    draws = noise(seed, particles, len(levels), density.dim)
    combs = iter(stream(seed, STREAMS - 1, 2 * len(levels)).reshape(-1, 2))
    weighting = ByInteraction(density)
    x = levels[0] * draws[0]
    seen = weighting.see(x, levels[0])
    logs = torch.zeros(particles, dtype=torch.float64, device="cpu")
    rows: list[tuple[Tensor, Tensor, float, Tensor]] = []
    for i, high in enumerate(levels):
        size = effective_size(logs)
        parents, kept = torch.arange(particles, device="cpu"), logs
        if resample and size < HALF * particles:
            offset = (-0.5 * next(combs).square().sum()).exp()
            parents, kept = combed(logs, offset, particles), torch.zeros_like(logs)
        rows.append((x, logs, size, parents))
        if i + 1 < len(levels):
            seen = seen[0][parents], seen[1][parents]
            x, seen, gain = weighting.carry(x[parents], seen, high, levels[i + 1], draws[i + 1])
            logs = kept + gain
    states, weights, sizes, parents = zip(*rows, strict=True)
    sizes = torch.tensor(sizes, dtype=torch.float64, device="cpu")
    return Flight(torch.stack(states), torch.stack(weights), sizes, torch.stack(parents))


class Beliefs:
    """Posteriors of a table's pictures at noisy ones. wanted: the row of what is asked for."""

    def __init__(self, table: Table, wanted: int):
        self.points, self.wanted, self.styles = table.bank.points, wanted, len(table.styles)
        content, style = table.contents[wanted // self.styles], table.styles[wanted % self.styles]
        self.rows = {
            "all": table.rows(),
            "content": table.rows(content=content),
            "style": table.rows(style=style),
        }

    def at(self, x: Tensor, sigma: float) -> dict[str, Belief]:
        """Of x (n,) the beliefs of the densities of all, of the content's and the style's."""
        fits = (self.points @ x - 0.5 * self.points.square().sum(1)) / sigma**2
        return {name: self._of(fits[rows], rows) for name, rows in self.rows.items()}

    def sample(self, run: Flight, levels: list[float]) -> Sample:
        """The shown sample of a flight down these levels."""
        path = run.path()
        found = [self.at(x, sigma) for x, sigma in zip(path, levels, strict=True)]
        return Sample(path, run.effective, found, self._outcome(found, levels))

    def _outcome(self, found: list[dict[str, Belief]], levels: list[float]) -> Outcome:
        tops = [[belief[name].top[0] for name in ("content", "style")] for belief in found]
        pictures, decided = [place for place, _ in tops[-1]], levels[-1]
        for pair, sigma in zip(reversed(tops), reversed(levels), strict=True):
            if any(
                place != end or share < DECIDED
                for (place, share), end in zip(pair, pictures, strict=True)
            ):
                break
            decided = sigma
        return Outcome(pictures, pictures == [self.wanted] * 2, decided)

    def _of(self, fits: Tensor, rows: Tensor) -> Belief:
        logs = torch.log_softmax(fits, 0)
        shares = logs.exp()
        content, style = divmod(self.wanted, self.styles)
        top = shares.topk(min(TOP, len(rows)))
        return Belief(
            float(shares[rows % self.styles == style].sum()),
            float(shares[rows // self.styles == content].sum()),
            (0.0 - float((shares * logs).sum())) / math.log(len(rows)),
            list(zip(rows[top.indices].tolist(), top.values.tolist(), strict=True)),
        )
