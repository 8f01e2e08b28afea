"""Fitting a network by Adam, so that it can be interrupted, repeated and spread over devices."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from projcomp import _check
from projcomp.networks.store import architecture_of, must_agree, read, writable, write
from projcomp.samplers.run import progress_bar

SCHEDULES = ("cosine", "constant")
PRECISIONS = ("float32", "bfloat16")
_BETAS = (0.9, 0.99)
_KINDS = ("weights", "average", "first", "second")


@dataclass(frozen=True)
class Recipe:
    """How a network is fitted.

    steps: how many batches, of `batch` rows each. rate, schedule: the learning rate, and "cosine"
    (falls to 0) or "constant". average: decay of the running average of the weights, which warms
    up. precision: of the network's products, "float32" or "bfloat16"; weights are float32.

    Raises ValueError for a bad value.
    """

    steps: int
    batch: int
    rate: float = 3e-3
    schedule: str = "cosine"
    average: float = 0.999
    precision: str = "float32"

    def __post_init__(self):
        if not math.isfinite(self.rate) or self.rate <= 0:
            raise ValueError(f"rate must be > 0, got {self.rate}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must lie in [0, 1), got {self.average}")
        _check.count("steps", self.steps)
        _check.count("batch", self.batch)
        _check.choice("schedule", self.schedule, SCHEDULES)
        _check.choice("precision", self.precision, PRECISIONS)

    def rate_at(self, step: int) -> float:
        if self.schedule == "constant":
            return self.rate
        return self.rate * 0.5 * (1 + math.cos(math.pi * step / self.steps))


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
    checkpoint: str | Path | None = None,
    every: int = 1000,
    seconds: float = 60.0,
    engine=None,
    progress: bool | None = None,
) -> Training:
    """Fit a network; it ends with the running average of its weights.

    A run is a function of the initial weights and the generator, on one thread to the last bit.

    Args:
        model: the network, changed in place.
        draw: a batch, drawn from a generator: tensors of `recipe.batch` rows.
        loss: called with the network and the tensors of a batch; the loss of every row.
        about: what else a checkpoint must agree with (JSON).
        generator: source of all randomness; seed 0 if None.
        checkpoint: a file to keep the state of the run in. If it is there, the run goes on from it,
            and ends as if it had never been interrupted.
        every, seconds: the checkpoint is written after so many steps, and where that takes longer
            than so many seconds, then.
        engine: an `accelerate.Accelerator` that spreads every batch over its processes and devices;
            this process alone, on the model's device, if None. Every process draws the same batch
            and takes its rows of it, so that the run is the same but for rounding.
        progress: show a bar; None shows it once a run has lasted two seconds.

    Raises ValueError for a bad argument, for a checkpoint that is damaged or of another run, and
    where the loss is no longer finite.
    """
    every = _check.count("every", every)
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    place = _Alone(model) if engine is None else _Spread(engine, recipe.batch)
    main = place.rank == 0
    state = _State(model, generator, {**vars(recipe), **(about or {})})
    if checkpoint is not None and writable(checkpoint).is_file():
        state.load(checkpoint)
    callable_model = place.prepare(model, state)

    start = saved = time.perf_counter()
    done, steps = len(state.losses), recipe.steps
    shown = progress if main else False
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
        late = time.perf_counter() - saved > seconds
        if checkpoint is not None and main and ((step + 1) % every == 0 or late):
            state.save(checkpoint)
            saved = time.perf_counter()
    speed = (steps - done) * recipe.batch / max(time.perf_counter() - start, 1e-9)
    if checkpoint is not None and main and done < steps:
        state.save(checkpoint)
    model.load_state_dict(state.average)
    return Training(model, torch.tensor(state.losses, dtype=torch.float64), speed)


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


class _State:
    """All that a run needs in order to go on."""

    def __init__(self, model: nn.Module, generator: torch.Generator, about: dict):
        self.model, self.generator, self.about = model, generator, about
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.optimiser = torch.optim.Adam(model.parameters(), betas=_BETAS)
        self.losses: list[float] = []

    def took(self, loss: float, decay: float) -> None:
        """A step was taken: the average follows."""
        for name, value in self.model.state_dict().items():
            self.average[name].lerp_(value, 1.0 - decay)
        self.losses.append(loss)

    def follow(self) -> None:
        """The model has moved to another device."""
        for name, value in self.model.state_dict().items():
            self.average[name] = self.average[name].to(value.device)
        for parameter, moments in self.optimiser.state.items():
            for kind in ("exp_avg", "exp_avg_sq"):
                moments[kind] = moments[kind].to(parameter.device)

    def save(self, path) -> None:
        parts = {"weights": self.model.state_dict(), "average": self.average}
        moments = {name: self.optimiser.state[p] for name, p in self.model.named_parameters()}
        parts["first"] = {name: moment["exp_avg"] for name, moment in moments.items()}
        parts["second"] = {name: moment["exp_avg_sq"] for name, moment in moments.items()}
        tensors = {f"{k}.{name}": parts[k][name] for k in _KINDS for name in parts[k]}
        tensors["losses"] = torch.tensor(self.losses, dtype=torch.float64)
        tensors["generator"] = self.generator.get_state()
        write(path, tensors, {"architecture": architecture_of(self.model), "run": self.about})

    def load(self, path) -> None:
        tensors, about = read(path)
        must_agree(path, "architecture", about.get("architecture"), architecture_of(self.model))
        must_agree(path, "run", about.get("run"), self.about)
        parts = {
            kind: {k.removeprefix(f"{kind}."): v for k, v in tensors.items() if k.startswith(kind)}
            for kind in _KINDS
        }
        self.losses = tensors["losses"].tolist()
        self.model.load_state_dict(parts["weights"])
        for name, value in parts["average"].items():
            self.average[name].copy_(value)
        for name, parameter in self.model.named_parameters():
            self.optimiser.state[parameter] = {
                "step": torch.tensor(float(len(self.losses))),
                "exp_avg": parts["first"][name].to(parameter),
                "exp_avg_sq": parts["second"][name].to(parameter),
            }
        self.generator.set_state(tensors["generator"])
