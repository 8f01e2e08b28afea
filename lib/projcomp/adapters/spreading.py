"""Evaluations shared out over processes: every one of them asks for all rows and gets all answers.

The processes run the same program with the same generators. Each evaluates its part of the rows
and all parts are gathered, so every process goes on with the same numbers: samplers, resampling and
diagnoses need not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import differentiated, transformed
from projcomp.densities import Density, Scored
from projcomp.densities._family import Family
from projcomp.densities._together import Together


def engine_of(engine):
    """`engine` if it is an `accelerate.Accelerator` that can share out evaluations."""
    return _check.engine(engine, ("num_processes", "gather"))


def spread(density: Density, engine) -> Scored:
    """The same density, its evaluations shared out over the processes of an engine.

    Every process has to make the same calls with the same points, as a sampler does whose generator
    has the same seed everywhere. Then all get what one process alone gets, but for the rounding of
    batches of another size. Where derivatives are asked for nothing is shared out: each process
    computes them. Densities that are spread over one engine are evaluated in one go, with those of
    one network in one batch.

    Args:
        density: any; of a composition whose interaction is wanted (`smc`), spread the parts.
        engine: an `accelerate.Accelerator`. Its processes hold the whole network each, on the
            device where the density is to be evaluated.

    The answer has scores, the samples of a density that is known by its score, and no log density.
    Raises ValueError for what is no density or no engine, and where evaluation does in one process.
    """
    if not isinstance(density, Density):
        raise ValueError(f"density must be a Density, got {density!r}")
    return _Spread(density, engine_of(engine))


def shared(engine, count: int, width: int, evaluate: Callable[[slice], Tensor]) -> Tensor:
    """evaluate(rows), (rows, width) float64, of all `count` rows, each process its part.

    Raises ValueError in all processes where evaluation does in one.
    """
    if engine is None or engine.num_processes == 1 or not count:
        return evaluate(slice(0, count))
    size = -(-count // engine.num_processes)
    start = min(engine.process_index * size, count - 1)
    rows = slice(start, min(start + size, count))
    # Of equal size in all processes; the last column says what is there.
    part = torch.zeros(size, width + 1, dtype=torch.float64, device=engine.device)
    error = None
    try:
        answer = evaluate(rows)
        part[: len(answer), :width] = answer.detach().to(part)
    except ValueError as caught:
        error, part[:, width] = caught, 1.0
    every = engine.gather(part)
    if bool(every[:, width].any()):
        raise error or ValueError("the density could not be evaluated in another process")
    return every[:count, :width]


class _Engine(Family):
    """What is spread over one engine."""

    def __init__(self, engine):
        self.engine = engine
        self.last: tuple = ((), None)

    def __eq__(self, other):
        return isinstance(other, _Engine) and other.engine is self.engine

    def __hash__(self):
        return hash(id(self.engine))

    def scores(self, densities, x, sigma):
        densities = tuple(densities)
        if self.last[0] != densities:
            inner = [density.inner for density in densities]
            self.last = densities, Together(inner, [1.0] * len(inner))
        together = self.last[1]
        return self.columns(
            lambda y, s: together.each(y, s, log_prob=False)[1], (len(densities), len(x)), x, sigma
        )

    def columns(self, method, shape: Sequence[int], x: Tensor, sigma: Tensor) -> Tensor:
        """method(x, sigma), (*shape, B), each process for its part of the columns of x (n, B)."""
        if transformed() or differentiated(x) or differentiated(sigma):
            return method(x, sigma)

        width = torch.Size(shape).numel()

        def rows(part: slice) -> Tensor:
            found = method(x[:, part].contiguous(), sigma[part] if sigma.ndim else sigma)
            return found.movedim(-1, 0).reshape(-1, width)

        found = shared(self.engine, x.shape[1], width, rows).to(x)
        return found.reshape(-1, *shape).movedim(0, -1)


class _Spread(Scored):
    """A density whose evaluations are shared out."""

    def __init__(self, density: Density, engine):
        self.inner, self._family = density, _Engine(engine)
        super().__init__(
            density.dim,
            lambda x, sigma: self._family.scores([self], x.T, sigma)[0].T,
            density.samples if isinstance(density, Scored) else None,
            shape=density.shape,
            sigma_range=density.sigma_range,
        )

    def __repr__(self):
        return f"spread({self.inner!r})"

    @property
    def exponent(self):
        return self.inner.exponent

    def normalisable(self, sigma=0.0):
        return self.inner.normalisable(sigma)

    def _normalisable(self, sigmas):
        return self.inner._normalisable(sigmas)

    def _score_and_interaction(self, x, sigma):
        def both(y, s):
            score, interaction = self.inner._score_and_interaction(y, s)
            return torch.cat([score, interaction[None]])

        found = self._family.columns(both, (self.dim + 1,), x, sigma)
        return found[:-1], found[-1]

    def _interaction(self, x, sigma):
        return self._score_and_interaction(x, sigma)[1]

    def _laplacian(self, x, sigma):
        return self._family.columns(self.inner._laplacian, (), x, sigma)

    def _chunk(self, device):
        return self._family.engine.num_processes * self.inner._chunk(device)
