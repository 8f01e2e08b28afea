"""A network that somebody trained, and the densities that it knows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from projcomp import _check
from projcomp._modes import differentiated, transformed
from projcomp.adapters.spreading import engine_of, shared
from projcomp.adapters.times import Steps, Times
from projcomp.densities import Scored, _own
from projcomp.densities._family import Family
from projcomp.noise import PARAMETERISATIONS, converted

LEAST = 1.0 / _check.LARGEST
"""Least noise level of a score. One over its square is finite in float64."""
_COORDINATES = {"cpu": 1 << 18}, 1 << 20
_ROWS = {"cpu": 1 << 13}, 1 << 16
"""Most coordinates and rows of one call: on the CPU so many as stay in its caches."""
_WHOLE = 1e-9
"""A timestep this near to a whole one is that."""


class Model(Family):
    """A network as it was trained: what it is told, what it sees, and what it answers with.

    Densities of one model, which differ by their conditions, are evaluated in one batch. The
    network computes in its own precision, all around it is float64. Derivatives are recorded where
    one in x or sigma is asked for, and else not.

    Args:
        network: called as ``network(x, t)``, or ``network(x, t, condition)`` for a density with a
            condition: x (B, *shape), t (B,) of at least float32, the condition of B rows. It
            answers with (B, *shape).
        times: how it is told the level, and the scale of what it sees.
        shape: of a point.
        output: what it answers with, one of `noise.PARAMETERISATIONS`.
        whole: it takes whole timesteps alone (as int64). Between two of them both are asked of the
            same input, and their answers interpolated: on mixtures with sixty timesteps that has a
            tenth of the error of asking the nearest. `times` must then be `Steps`.
        dtype, device: of the network; those of its parameters if None and it is a module that has
            some, else float32 on the CPU.
        chunk: most rows of one call. A guess by the size of a point if None; so many as fit into
            the memory are best.
        grad: record derivatives in the network's parameters too.
        engine: an `accelerate.Accelerator` over whose processes the rows are shared out; see
            `spread`.

    Raises ValueError for a bad argument, and on evaluation for a network that answers in another
    shape and for levels outside of `times.sigma_range`.
    """

    def __init__(
        self,
        network: Callable[..., Tensor],
        times: Times,
        shape: Sequence[int],
        output: str,
        *,
        whole: bool = False,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        chunk: int | None = None,
        grad: bool = False,
        engine=None,
    ):
        if not callable(network):
            raise ValueError(f"network must be a function of points and times, got {network!r}")
        self.network, self.times = network, times
        self.shape = _check.sizes("shape", shape)
        self.dim = math.prod(self.shape)
        self.output = _check.choice("output", output, PARAMETERISATIONS)
        if whole and not isinstance(times, Steps):
            raise ValueError("whole must be False for a network that is told no timesteps")
        self.whole, self.grad = bool(whole), bool(grad)
        self._given = dtype, None if device is None else torch.device(device)
        if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
            raise ValueError(f"dtype must be a floating torch.dtype or None, got {dtype!r}")
        self._chunk = None if chunk is None else _check.count("chunk", chunk)
        self.engine = None if engine is None else engine_of(engine)

    @property
    def place(self) -> tuple[torch.dtype, torch.device]:
        """Precision and device of the network."""
        dtype, device = self._given
        module = self.network if isinstance(self.network, nn.Module) else None
        own = (
            next((p for p in module.parameters() if p.is_floating_point()), None)
            if module
            else None
        )
        if own is not None:
            return dtype or own.dtype, device or own.device
        return dtype or torch.float32, device or torch.device("cpu")

    @property
    def chunk(self) -> int:
        """Most rows of one call."""
        if self._chunk is not None:
            return self._chunk
        kind = self.place[1].type
        coordinates, rows = (named.get(kind, other) for named, other in (_COORDINATES, _ROWS))
        return max(1, min(rows, coordinates // self.dim))

    def scores(self, densities, x, sigma):
        return self.answers(densities, x, sigma, "score")

    def answers(
        self, densities: Sequence[Adapted], x: Tensor, sigma: Tensor, target: str
    ) -> Tensor:
        """Each density's score, denoised mean, .. (`target`) at points (n, B): (m, n, B).

        sigma: () or (B,). One batch of m B rows, cut where it is more than `chunk`.
        """
        _check.within("sigma", sigma, self.times.sigma_range)
        if x.shape[1]:
            _check.level("sigma", sigma, positive=True)
        told = [density.condition for density in densities]
        if any(_form(one) != _form(told[0]) for one in told):  # what makes no batch
            return torch.cat([self.answers([one], x, sigma, target) for one in densities])
        count, batch = len(densities), x.shape[1]
        points = x.T.repeat(count, 1)
        sigma = sigma.expand(batch).repeat(count)
        whose = torch.arange(count, device="cpu").repeat_interleave(batch)

        def ask(rows: slice) -> Tensor:
            return self._predict(points[rows], sigma[rows], told, whose[rows])

        derivative = transformed() or differentiated(points) or differentiated(sigma)
        with nullcontext() if derivative or self.grad else torch.no_grad():
            alone = derivative or self.grad
            answer = shared(None if alone else self.engine, len(points), self.dim, ask)
        answer = converted(answer.to(points), points, sigma[:, None], self.output, target)
        return answer.view(count, batch, self.dim).mT

    def _predict(self, points: Tensor, sigma: Tensor, told: list, whose: Tensor) -> Tensor:
        """The network's answers, (R, n) float64, to points (R, n) and levels (R,)."""
        dtype, device = self.place
        inputs = points * self.times.scale(sigma)[:, None]
        time = self.times.time(sigma)
        size = self.chunk
        parts = []
        for start in range(0, len(points), size):
            rows = slice(start, start + size)
            seen = inputs[rows].to(device, dtype).reshape(-1, *self.shape)
            known = () if told[0] is None else (_rows(told, whose[rows], device, dtype),)
            parts.append(self._asked(seen, time[rows], known).to(points.device, torch.float64))
        return torch.cat(parts) if parts else torch.empty_like(points)

    def _asked(self, seen: Tensor, time: Tensor, known: tuple) -> Tensor:
        if not self.whole:
            told = time.to(seen.device, torch.promote_types(seen.dtype, torch.float32))
            return self._called(seen, told, known)
        below = time.detach().floor().clamp(self.times.first, self.times.last - 1)
        share = (time - below)[:, None].to(seen.device)
        below = below.to(seen.device, torch.int64)
        near = share.detach().round().clamp(0, 1)
        if bool(((share.detach() - near).abs() < _WHOLE).all()):
            return self._called(seen, below + near[:, 0].long(), known)
        low, high = (self._called(seen, below + step, known) for step in (0, 1))
        return (1.0 - share) * low + share * high

    def _called(self, seen: Tensor, told: Tensor, known: tuple) -> Tensor:
        answer = self.network(seen, told, *known)
        if not isinstance(answer, Tensor) or answer.shape != seen.shape:
            raise ValueError(
                f"network must answer with a tensor of shape {tuple(seen.shape)}, got "
                f"{tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__}"
            )
        return answer.reshape(len(seen), self.dim)


@_own.hold
class Adapted(Scored):
    """One of the distributions that a model knows, by its score alone. Made by `from_noise`,
    `from_v`, `from_denoiser`, `from_flow` and `given`.

    Args:
        model: the network and how it was trained.
        condition: what the network is told besides, the row of one point: a tensor, an integer (a
            label), or a dict or tuple of such; None for a network that is told nothing.
        samples: (N, n) or (N, *shape) independent samples at sigma = 0, or None; as for `Scored`.

    Raises ValueError for a bad argument.
    """

    def __init__(self, model: Model, condition=None, samples=None):
        if not isinstance(model, Model):
            raise ValueError(f"model must be a Model, got {model!r}")
        self.model = self._family = model
        self.condition = _condition(condition)
        super().__init__(
            model.dim,
            lambda x, sigma: model.answers([self], x.T, sigma, "score")[0].T,
            samples,
            shape=model.shape,
            sigma_range=model.times.sigma_range,
        )

    def __repr__(self):
        low, high = self.sigma_range
        return f"Adapted(shape={self.shape}, sigma from {low:.3g} to {high:.3g})"

    def given(self, condition, samples=None) -> Adapted:
        """The density of the same network under another condition.

        A composition of such densities is evaluated in one batch, where their conditions are of one
        form: tensors of the same shapes. Raises ValueError for a condition that is none.
        """
        return Adapted(self.model, condition, samples)

    def _denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self.model.answers([self], x, sigma, "denoised")[0]

    def _chunk(self, device):
        count = 1 if self.model.engine is None else self.model.engine.num_processes
        return count * self.model.chunk


def _condition(value):
    """A condition with its labels as tensors."""
    if value is None or isinstance(value, Tensor):
        return value
    if isinstance(value, dict) and value:
        return {name: _part(part) for name, part in value.items()}
    if isinstance(value, tuple) and value:
        return tuple(_part(part) for part in value)
    return torch.tensor(_check.count("condition", value, 0), dtype=torch.int64, device="cpu")


def _part(value):
    if value is None:
        raise ValueError("condition must hold tensors or integers, got None")
    return _condition(value)


def _form(condition):
    """The shapes of a condition's tensors, in its own form."""
    if isinstance(condition, dict):
        return {name: _form(part) for name, part in condition.items()}
    if isinstance(condition, tuple):
        return tuple(_form(part) for part in condition)
    return None if condition is None else tuple(condition.shape)


def _rows(told: list, whose: Tensor, device, dtype):
    """Of conditions (one each) a row for every point, `whose` says of which: tensors (R, ..)."""
    first = told[0]
    if isinstance(first, dict):
        return {k: _rows([one[k] for one in told], whose, device, dtype) for k in first}
    if isinstance(first, tuple):
        return tuple(_rows(list(parts), whose, device, dtype) for parts in zip(*told, strict=True))
    table = torch.stack(
        [one.to(device, dtype if one.is_floating_point() else None) for one in told]
    )
    return table[whose.to(device)]
