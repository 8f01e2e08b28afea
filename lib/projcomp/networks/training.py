"""Training a denoiser on data of a few dimensions, so that it can be interrupted and repeated."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density
from projcomp.networks.preconditioning import Preconditioned, Preconditioning
from projcomp.networks.store import must_agree, read, writable, write
from projcomp.samplers.run import progress_bar

SCHEDULES = ("cosine", "constant")
_BETAS = (0.9, 0.99)
_KINDS = ("weights", "average", "first", "second")


@dataclass(frozen=True)
class Training:
    """The outcome of a training run.

    model: the network, with weights averaged over the run. losses: (steps,), one batch each.
    samples_per_second: of this call; 0 if there was nothing left to do.
    """

    model: Preconditioned
    losses: Tensor
    samples_per_second: float

    def __repr__(self):
        few = max(1, len(self.losses) // 20)
        first, last = float(self.losses[:few].mean()), float(self.losses[-few:].mean())
        return f"Training({len(self.losses)} steps, loss from {first:.3f} to {last:.3f})"


def denoising_loss(
    denoise: Callable[[Tensor, Tensor], Tensor],
    clean: Tensor,
    sigma: Tensor,
    noise: Tensor,
    scales: Preconditioning,
) -> Tensor:
    """The loss of every sample, weighted and averaged over coordinates (Karras et al. 2022, eq. 2).

    denoise: D(x, sigma). clean, noise: (B, n). sigma: (B,). Returns (B,). It is about one
    at the start. The exact denoiser has the least expected loss, which is not zero.
    """
    guess = denoise(clean + sigma[:, None] * noise, sigma)
    return scales.weight(sigma) * (guess - clean).square().mean(1)


def train(
    model: Preconditioned,
    data: Sequence[Density | Tensor],
    steps: int,
    *,
    batch: int = 1024,
    rate: float = 3e-3,
    schedule: str = "cosine",
    log_sigma: tuple[float, float] = (-0.5, 1.7),
    average: float = 0.999,
    generator: torch.Generator | None = None,
    checkpoint: str | Path | None = None,
    every: int = 1000,
    progress: bool | None = None,
) -> Training:
    """Train a denoiser by Adam; the model ends with the running average of its weights.

    A run is a function of the initial weights and the generator, on one thread to the last bit.

    Args:
        model: the network, changed in place.
        data: for every label of the model (background first) a Density to draw fresh samples from,
            or samples (N, n).
        steps: how many batches.
        batch: samples in a batch, shared evenly among the labels.
        rate, schedule: the learning rate, and "cosine" (falls to 0) or "constant".
        log_sigma: mean and standard deviation of log sigma, which is drawn from a normal law.
        average: decay of the running average of the weights, which warms up.
        generator: source of all randomness; seed 0 if None.
        checkpoint: a file to keep the state of the run in. If it is there, the run goes on from it,
            and ends as if it had never been interrupted.
        every: steps between two writings of the checkpoint.
        progress: show a bar; None shows it once a run has lasted two seconds.

    Raises ValueError for a bad argument, for a checkpoint that is damaged or of another run, and
    where the loss is no longer finite.
    """
    if not isinstance(model, Preconditioned):
        raise ValueError(f"model must be a Preconditioned network, got {model!r}")
    if not math.isfinite(rate) or rate <= 0:
        raise ValueError(f"rate must be > 0, got {rate}")
    if not 0 <= average < 1:
        raise ValueError(f"average must lie in [0, 1), got {average}")
    normal = _check.real("log_sigma", log_sigma)
    if normal.shape != (2,) or normal[1] < 0:
        raise ValueError(
            f"log_sigma must be a mean and a standard deviation >= 0, got {normal.tolist()}"
        )
    mean, spread = normal.tolist()
    steps, batch = _check.count("steps", steps), _check.count("batch", batch, model.labels)
    every, schedule = _check.count("every", every), _check.choice("schedule", schedule, SCHEDULES)
    sources = _sources(data, model)
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    about = {
        "steps": steps, "batch": batch, "rate": rate, "schedule": schedule, "average": average,
        "log_sigma": [mean, spread],
    }  # fmt: skip
    state = _State(model, generator, about)
    if checkpoint is not None and writable(checkpoint).is_file():
        state.load(checkpoint)

    start, done = time.perf_counter(), len(state.losses)
    for step in progress_bar(range(done, steps), "training", progress, " samples", batch):
        state.optimiser.param_groups[0]["lr"] = rate * (
            0.5 * (1 + math.cos(math.pi * step / steps)) if schedule == "cosine" else 1.0
        )
        clean, label, sigma, noise = _draw(sources, batch, mean, spread, generator)
        loss = denoising_loss(
            lambda x, s, k=label: model(x, s, k), clean, sigma, noise, model.scales
        ).mean()
        if not math.isfinite(float(loss.detach())):
            raise ValueError(f"rate: the loss is not finite at step {step}; try less than {rate}")
        state.step(loss, min(average, (1 + step) / (10 + step)))
        if checkpoint is not None and ((step + 1) % every == 0 or step + 1 == steps):
            state.save(checkpoint)
    speed = (steps - done) * batch / max(time.perf_counter() - start, 1e-9)
    model.load_state_dict(state.average)
    return Training(model, torch.tensor(state.losses, dtype=torch.float64), speed)


class _State:
    """All that a run needs in order to go on."""

    def __init__(self, model: Preconditioned, generator: torch.Generator, about: dict):
        self.model, self.generator, self.about = model, generator, about
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.optimiser = torch.optim.Adam(model.parameters(), betas=_BETAS)
        self.losses: list[float] = []

    def step(self, loss: Tensor, decay: float) -> None:
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        for name, value in self.model.state_dict().items():
            self.average[name].lerp_(value, 1.0 - decay)
        self.losses.append(float(loss.detach()))

    def save(self, path) -> None:
        parts = {"weights": self.model.state_dict(), "average": self.average}
        moments = {name: self.optimiser.state[p] for name, p in self.model.named_parameters()}
        parts["first"] = {name: moment["exp_avg"] for name, moment in moments.items()}
        parts["second"] = {name: moment["exp_avg_sq"] for name, moment in moments.items()}
        tensors = {f"{k}.{name}": parts[k][name] for k in _KINDS for name in parts[k]}
        tensors["losses"] = torch.tensor(self.losses, dtype=torch.float64)
        tensors["generator"] = self.generator.get_state()
        write(path, tensors, {"architecture": self.model.architecture(), "run": self.about})

    def load(self, path) -> None:
        tensors, about = read(path)
        must_agree(path, "architecture", about.get("architecture"), self.model.architecture())
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


def _sources(data: Sequence[Density | Tensor], model: Preconditioned) -> list[Density | Tensor]:
    """One for each label: a Density of the right dimension, or samples as float32."""
    if isinstance(data, Density | Tensor) or len(data) != model.labels:
        raise ValueError(f"data must be a sequence of {model.labels}, one for each label")
    sources: list[Density | Tensor] = []
    for index, source in enumerate(data):
        if isinstance(source, Density):
            if source.dim != model.dim:
                raise ValueError(
                    f"data[{index}] must live on R^{model.dim}, got a density on R^{source.dim}"
                )
            sources.append(source)
            continue
        samples, _ = _check.points(f"data[{index}]", source, model.dim)
        if samples.ndim != 2 or not len(samples):
            raise ValueError(
                f"data[{index}] must have shape (N, {model.dim}), got {tuple(samples.shape)}"
            )
        sources.append(samples.float())
    return sources


def _draw(sources, batch: int, mean: float, spread: float, generator):
    """Clean samples (B, n), labels (B,), noise levels (B,) and noise (B, n)."""
    shares = [batch // len(sources) + (i < batch % len(sources)) for i in range(len(sources))]
    device = generator.device
    parts = []
    for source, share in zip(sources, shares, strict=True):
        if isinstance(source, Density):
            parts.append(source.sample(share, generator=generator).float())
        else:
            rows = torch.randint(len(source), (share,), generator=generator, device=device)
            parts.append(source.to(device)[rows])
    clean = torch.cat(parts)
    label = torch.repeat_interleave(torch.tensor(shares, device=device))
    normal = torch.randn(batch, generator=generator, device=device)
    noise = torch.randn(clean.shape, generator=generator, device=device)
    return clean, label, (mean + spread * normal).exp(), noise
