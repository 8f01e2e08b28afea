"""The options of a fit, with their checks, in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from projcomp import _check

SCHEDULES = ("cosine", "constant")
PRECISIONS = ("float32", "bfloat16")
_ENGINE = ("num_processes", "prepare", "reduce", "backward")
_TERMS = ("steps", "batch", "rate", "schedule", "average", "precision")


@dataclass(frozen=True)
class Recipe:
    """How a network is fitted: what `fit` and `train` need to know besides network and data.

    These decide what comes out, and a checkpoint must agree with them (`terms`):

        steps, batch: how many batches, of how many rows each.
        rate, schedule: the learning rate, and "cosine" (falls to 0) or "constant".
        average: decay of the running average of the weights, which warms up.
        precision: of the network's products, "float32" or "bfloat16"; weights keep their dtype.

    And these do not:

        checkpoint: a file to keep the state of the run in. If it is there, the run goes on from it,
            and ends as if it had never been interrupted.
        every, seconds: the checkpoint is written after so many steps, and where that takes longer
            than so many seconds, then.
        engine: an `accelerate.Accelerator` that spreads every batch over its processes and devices;
            this process alone, on the model's device, if None. Every process draws the same batch
            and takes its rows of it, so that the run is the same but for rounding. Its mixed
            precision is "no" or "bf16": what scales gradients, gathers them over several batches or
            shares out the weights (DeepSpeed, FSDP, Megatron) is refused.
        progress: show a bar; None shows it once a run has lasted two seconds.

    NumPy's numbers become Python's. Raises ValueError for a bad value.
    """

    steps: int
    batch: int
    rate: float = 3e-3
    schedule: str = "cosine"
    average: float = 0.999
    precision: str = "float32"
    checkpoint: str | Path | None = field(default=None, kw_only=True)
    every: int = field(default=1000, kw_only=True)
    seconds: float = field(default=60.0, kw_only=True)
    engine: Any = field(default=None, kw_only=True)
    progress: bool | None = field(default=None, kw_only=True)

    def __post_init__(self):
        for kind, names in (
            (_check.number, ("rate", "average", "seconds")),
            (_check.count, ("steps", "batch", "every")),
        ):
            for name in names:
                object.__setattr__(self, name, kind(name, getattr(self, name)))
        if self.rate <= 0:
            raise ValueError(f"rate must be > 0, got {self.rate}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must lie in [0, 1), got {self.average}")
        _check.choice("schedule", self.schedule, SCHEDULES)
        _check.choice("precision", self.precision, PRECISIONS)
        if self.seconds < 0:
            raise ValueError(f"seconds must be >= 0, got {self.seconds}")
        if self.engine is not None:
            _must_be_plain(self.engine)

    @property
    def terms(self) -> dict:
        """What decides the outcome, as plain values."""
        return {name: getattr(self, name) for name in _TERMS}

    def rate_at(self, step: int) -> float:
        if self.schedule == "constant":
            return self.rate
        return self.rate * 0.5 * (1 + math.cos(math.pi * step / self.steps))


def recipe_of(value) -> Recipe:
    """`value` if it is a Recipe."""
    if not isinstance(value, Recipe):
        raise ValueError(f"recipe must be a Recipe(steps, batch), got {value!r}")
    return value


def _must_be_plain(engine) -> None:
    """Raises ValueError unless an engine's gradients are those of the batch, unscaled and whole."""
    precision = getattr(engine, "mixed_precision", "no")
    if precision not in ("no", "bf16") or getattr(engine, "scaler", None) is not None:
        raise ValueError(
            f"engine must compute in mixed precision 'no' or 'bf16', got {precision!r}: scaled "
            "gradients would never be unscaled"
        )
    batches = getattr(engine, "gradient_accumulation_steps", 1)
    if batches != 1:
        raise ValueError(f"engine must step after every batch, got one that gathers {batches}")
    _check.engine(engine, _ENGINE)
