"""What a diagnosis costs: how many scores it asks for, and a bar that says what is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor

from projcomp import _check
from projcomp.densities import Density, Scored
from projcomp.densities._meter import counting
from projcomp.diagnostics.exchange import ROUNDS
from projcomp.diagnostics.measure import BATCHES, refined
from projcomp.samplers.run import counting_bar

FEWEST = 20 * BATCHES
"""Fewer particles than this support no number with an error bar."""
_POINTS, _OF_NETWORKS, _ALONE = 0.25, 0.5, 1.0
"""Points of each density at every second level, as a share of the particles: of exact densities, of
networks, and of networks whose blocks can't be exchanged."""
_FOUND = 256
"""Points of the background and of a concept at every level of `find_blocks`."""


class Meter:
    """count: scores asked for so far, as points times densities."""

    def __init__(self, bar):
        self.count, self._bar = 0, bar

    def add(self, points: int) -> None:
        self.count += points
        self._bar.update(points)


@contextmanager
def metered(expected: int, progress: bool | None) -> Iterator[Meter]:
    """Count what is asked for in here, beside what is expected, with a bar."""
    with counting_bar(expected, "diagnosis", progress, " evaluations") as bar:
        meter = Meter(bar)
        with counting(meter.add):
            yield meter


def learned(densities: Sequence[Density]) -> bool:
    """Whether one is known by its score alone."""
    return any(isinstance(density, Scored) for density in densities)


def points_of(densities: Sequence[Density], samples: int, exchanged: bool) -> int:
    """How many points of each density a diagnosis with so many particles looks at, a level.

    exchanged: whether there are blocks to exchange.
    """
    of_networks = _OF_NETWORKS if exchanged else _ALONE
    return max(FEWEST, round((of_networks if learned(densities) else _POINTS) * samples))


def looked_at(levels: Tensor) -> Tensor:
    """The levels at which points of each density are looked at."""
    return levels[::2] if len(levels) > 5 else levels


def wanted_samples(density: Density, samples: int) -> int:
    """How many samples of a density: as many as help where they are at hand, and fewer where its
    score has to draw them."""
    if not density.most_samples:
        return round(1.2 * samples)
    return (6 if isinstance(density, Scored) else 3) * samples


def within_budget(
    densities: Sequence[Density], samples: int, levels: Tensor, blocks: bool, evaluations
) -> tuple[int, int, int]:
    """What a budget allows: particles, at most `samples`; what they cost; and rounds of exchange.

    Rounds beyond the first, of what remains open, are not in the cost.
    Raises ValueError where the budget is too small for error bars.
    """
    expected = cost(densities, samples, levels, blocks)
    if evaluations is None:
        return samples, expected, ROUNDS
    evaluations = _check.count("evaluations", evaluations)
    if evaluations >= expected:
        k, points = len(densities) - 1, points_of(densities, samples, blocks)
        a_round = len(looked_at(levels)) * points * (3 * k + 1)
        return samples, expected, min(ROUNDS, 1 + (evaluations - expected) // a_round)
    least = cost(densities, FEWEST, levels, blocks)
    if evaluations < least:
        raise ValueError(
            f"evaluations must be at least {least}, for {FEWEST} particles at {len(levels)} noise "
            f"levels; got {evaluations}"
        )
    low, high = FEWEST, samples
    while high - low > 1:
        middle = (low + high) // 2
        fits = cost(densities, middle, levels, blocks) <= evaluations
        low, high = (middle, high) if fits else (low, middle)
    return low, cost(densities, low, levels, blocks), 1


def cost(densities: Sequence[Density], samples: int, levels: Tensor, blocks: bool) -> int:
    """Scores that a diagnosis asks for, nearly: points times densities."""
    k, steps = len(densities) - 1, len(refined(levels)) - 1
    looked, points = len(looked_at(levels)), points_of(densities, samples, blocks)
    path = (k + 1) * samples * steps
    own = looked * points * ((k + 1) ** 2 + (4 * k + 2 if blocks else 0))
    drawn = sum(wanted_samples(p, samples) * steps for p in densities if not p.most_samples)
    means = (k + 1) * min(3 * samples, *(wanted_samples(p, samples) for p in densities))
    found = 0 if blocks else 4 * k * _FOUND * looked
    return path + own + drawn + means + found
