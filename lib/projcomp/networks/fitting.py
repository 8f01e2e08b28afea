"""Fitting a network by Adam, so that it can be interrupted, repeated and spread over devices."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from projcomp.networks.checkpoint import State
from projcomp.networks.layers import source_of_weights
from projcomp.networks.recipe import Recipe, recipe_of
from projcomp.networks.store import restore, writable
from projcomp.samplers.run import progress_bar


@dataclass(frozen=True)
class Training:
    """The outcome of a training run.

    model: the network, with weights averaged over the run. losses: (steps,), one batch each.
    samples_per_second: of this call; 0 if there was nothing left to do.
    """

    model: nn.Module
    losses: Tensor
    samples_per_second: float

    def __repr__(self):
        few = max(1, len(self.losses) // 20)
        first, last = float(self.losses[:few].mean()), float(self.losses[-few:].mean())
        return f"Training({len(self.losses)} steps, loss from {first:.3f} to {last:.3f})"


def fit(
    model: nn.Module,
    draw: Callable[[torch.Generator], tuple[Tensor, ...]],
    loss: Callable[..., Tensor],
    recipe: Recipe,
    *,
    about: dict | None = None,
    generator: torch.Generator | None = None,
) -> Training:
    """Fit a network; it ends with the running average of its weights.

    A run is a function of the initial weights and the generator, on one thread to the last bit.

    Args:
        model: the network, changed in place; it may be a compiled one. What needs no grad stays.
        draw: a batch, drawn from a generator: tensors of `recipe.batch` rows.
        loss: called with the network and the tensors of a batch; the loss of every row.
        about: what else a checkpoint must agree with (JSON, and NumPy's numbers): floats within a
            relative 1e-6, all else exactly.
        generator: source of all randomness; seed 0 if None.

    Raises ValueError for a bad argument, for a checkpoint that is damaged or of another run, and
    where the loss is no longer finite.
    """
    recipe, generator = recipe_of(recipe), source_of_weights(generator)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError("model must have a parameter that needs grad")
    if not isinstance(about, dict | None):
        raise ValueError(f"about must be a dict, got {about!r}")
    place = _Alone(model) if recipe.engine is None else _Spread(recipe.engine, recipe.batch)
    main = place.rank == 0
    state = State(model, generator, {**recipe.terms, **(about or {})})
    checkpoint = recipe.checkpoint
    if checkpoint is not None and writable(checkpoint).is_file():
        state.load(checkpoint)
    callable_model = place.prepare(model, state)

    start = saved = time.perf_counter()
    done, steps = len(state.losses), recipe.steps
    shown = recipe.progress if main else False
    for step in progress_bar(range(done, steps), "training", shown, " samples", recipe.batch):
        state.optimiser.param_groups[0]["lr"] = recipe.rate_at(step)
        batch = place.mine(draw(generator))
        with torch.autocast(
            place.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"
        ):
            value = loss(callable_model, *batch).mean()
        said = place.mean(value.detach())
        if not math.isfinite(said):
            raise ValueError(
                f"rate: the loss is not finite at step {step}; try less than {recipe.rate}"
            )
        state.optimiser.zero_grad()
        place.backward(value)
        state.optimiser.step()
        state.took(said, min(recipe.average, (1 + step) / (10 + step)))
        late = time.perf_counter() - saved > recipe.seconds
        if checkpoint is not None and main and ((step + 1) % recipe.every == 0 or late):
            state.save(checkpoint)
            saved = time.perf_counter()
    speed = (steps - done) * recipe.batch / max(time.perf_counter() - start, 1e-9)
    if checkpoint is not None and main and done < steps:
        state.save(checkpoint)
    restore(model, state.average)
    losses = torch.tensor(state.losses, dtype=torch.float64, device="cpu")
    return Training(model, losses, speed)


class _Alone:
    """One process, on the model's device."""

    rank = 0

    def __init__(self, model: nn.Module):
        self.device = next(model.parameters()).device

    def prepare(self, model, state):
        return model

    def mine(self, batch):
        return tuple(part.to(self.device) for part in batch)

    def mean(self, value: Tensor) -> float:
        return float(value)

    def backward(self, value: Tensor) -> None:
        value.backward()


class _Spread:
    """The processes and devices of an `accelerate.Accelerator`."""

    def __init__(self, engine, batch: int):
        self.engine, self.device = engine, engine.device
        self.rank, self.count = engine.process_index, engine.num_processes
        if batch % self.count:
            raise ValueError(f"batch must be a multiple of the {self.count} processes, got {batch}")

    def prepare(self, model, state):
        prepared = self.engine.prepare(model)
        state.follow()
        return prepared

    def mine(self, batch):
        return tuple(part[self.rank :: self.count].to(self.device) for part in batch)

    def mean(self, value: Tensor) -> float:
        return float(self.engine.reduce(value, "mean"))

    def backward(self, value: Tensor) -> None:
        self.engine.backward(value)
