"""Training a denoiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density
from projcomp.networks.fitting import Training, fit
from projcomp.networks.layers import normal
from projcomp.networks.preconditioning import Preconditioned
from projcomp.networks.recipe import SCHEDULES, Recipe, recipe_of
from projcomp.networks.store import unwrapped

__all__ = ["SCHEDULES", "Labelled", "Stream", "Training", "denoising_loss", "train"]


@dataclass(frozen=True)
class Labelled:
    """Training data whose every row has something that the network is told of it.

    samples: (N, n); uint8 stands for 0 to 1 in 255 steps. index: (R,) which sample a row is.
    conditions: (R, ...) what the network is told of it, in the form of its `condition`. Batches
    draw rows, with replacement.

    Raises ValueError for shapes that do not match.
    """

    samples: Tensor
    index: Tensor
    conditions: Tensor

    def __post_init__(self):
        if self.samples.ndim != 2 or not len(self.samples):
            raise ValueError(f"samples must have shape (N, n), got {tuple(self.samples.shape)}")
        if self.index.ndim != 1 or len(self.index) != len(self.conditions) or not len(self.index):
            raise ValueError(
                f"index and conditions must have R >= 1 rows each, got {tuple(self.index.shape)} "
                f"and {tuple(self.conditions.shape)}"
            )
        if not 0 <= int(self.index.min()) <= int(self.index.max()) < len(self.samples):
            raise ValueError(f"index must lie in [0, {len(self.samples)})")

    def __repr__(self):
        n, dim = self.samples.shape
        return f"Labelled({len(self.index)} rows of {n} samples in R^{dim})"

    def draw(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """n rows: clean samples (n, dim), float32, and their conditions.

        They lie where the data lie. Raises ValueError if n < 1.
        """
        n, generator = _check.count("n", n), _check.source("generator", generator)
        device = torch.device("cpu") if generator is None else generator.device
        rows = torch.randint(len(self.index), (n,), generator=generator, device=device)
        chosen = self.index[rows.to(self.index.device)]
        clean = self.samples[chosen.to(self.samples.device)]
        clean = clean.float() / 255.0 if clean.dtype == torch.uint8 else clean.float()
        return clean, self.conditions[rows.to(self.conditions.device)]


@dataclass(frozen=True)
class Stream:
    """Training data that are made while training: no batch comes twice.

    draw: called with (n, generator); n clean samples (n, dim), float32, and what the network is
    told of each, in the form of its `condition`. name: says what they are; a checkpoint must agree.
    """

    draw: Callable[[int, torch.Generator], tuple[Tensor, Tensor]]
    name: str


def denoising_loss(
    denoise: Callable[[Tensor, Tensor], Tensor],
    clean: Tensor,
    sigma: Tensor,
    noise: Tensor,
    scales,
) -> Tensor:
    """The loss of every sample, weighted and averaged over coordinates (Karras et al. 2022, eq. 2).

    denoise: D(x, sigma). clean, noise: (B, n). sigma: (B,). scales: what has the `weight` of a
    noise level, a `Preconditioning` or a `Preconditioned`. Returns (B,). It is about one
    at the start. The exact denoiser has the least expected loss, which is not zero.
    """
    guess = denoise(clean + sigma[:, None] * noise, sigma)
    return scales.weight(sigma) * (guess - clean).square().mean(1)


def train(
    model: Preconditioned,
    data: Sequence[Density | Tensor] | Labelled | Stream,
    recipe: Recipe,
    *,
    log_sigma: tuple[float, float] = (-0.5, 1.7),
    generator: torch.Generator | None = None,
) -> Training:
    """Train a denoiser by Adam; the model ends with the running average of its weights.

    A run is a function of the initial weights and the generator, on one thread to the last bit.

    Args:
        model: the network, changed in place.
        data: for every label of the model (background first) a Density to draw fresh samples from,
            or samples (N, n), and then every batch is shared evenly among the labels; or
            `Labelled` samples; or a `Stream` of them.
        recipe: how it is fitted.
        log_sigma: mean and standard deviation of log sigma, which is drawn from a normal law.
        generator: source of all randomness; seed 0 if None.

    Raises ValueError for a bad argument, for a checkpoint that is damaged or of another run, and
    where the loss is no longer finite.
    """
    _check.source("generator", generator)
    recipe_of(recipe)
    if not isinstance(unwrapped(model), Preconditioned):
        raise ValueError(f"model must be a Preconditioned network, got {model!r}")
    law = _check.real("log_sigma", log_sigma)
    if law.shape != (2,) or law[1] < 0:
        raise ValueError(
            f"log_sigma must be a mean and a standard deviation >= 0, got {law.tolist()}"
        )
    mean, spread = law.tolist()
    about = {"log_sigma": [mean, spread]}
    if isinstance(data, Stream):
        about["stream"] = data.name
        clean_of = data.draw
    elif isinstance(data, Labelled):
        about["rows"] = len(data.index)
        _check.points("data", data.samples[:1].float(), model.dim)
        clean_of = data.draw
    else:
        _check.count("batch", recipe.batch, model.labels)
        clean_of = _evenly(_sources(data, model))

    def draw(generator):
        clean, condition = clean_of(recipe.batch, generator)
        log_sigma = mean + spread * normal(generator, recipe.batch)
        return clean, condition, log_sigma.exp(), normal(generator, *clean.shape)

    def loss(denoiser, clean, condition, sigma, noise):
        return denoising_loss(lambda x, s: denoiser(x, s, condition), clean, sigma, noise, model)

    return fit(model, draw, loss, recipe, about=about, generator=generator)


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


def _evenly(sources: list[Density | Tensor]):
    """A function that draws clean samples (B, n) and labels (B,), as many of each source."""

    def draw(batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        device = generator.device
        shares = [batch // len(sources) + (i < batch % len(sources)) for i in range(len(sources))]
        parts = []
        for source, share in zip(sources, shares, strict=True):
            if isinstance(source, Density):
                parts.append(source.sample(share, generator=generator).float())
            else:
                rows = torch.randint(len(source), (share,), generator=generator, device=device)
                parts.append(source.to(device)[rows])
        label = torch.repeat_interleave(torch.tensor(shares, device=device))
        return torch.cat(parts), label

    return draw
