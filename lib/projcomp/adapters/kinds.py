"""Networks of the usual kinds as densities: what they answer with, and how they are told sigma."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from projcomp.adapters.model import Adapted, Model
from projcomp.adapters.times import Flow, Levels, Steps


def from_noise(
    network: Callable[..., Tensor],
    alphas_cumprod,
    shape: Sequence[int],
    *,
    condition=None,
    samples=None,
    whole: bool = False,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    chunk: int | None = None,
    grad: bool = False,
    engine=None,
) -> Adapted:
    """A density from a network that predicts the noise of a variance preserving process.

    The network is called as ``network(x, t)`` with x = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar)
    eps, (B, *shape), alpha_bar that of timestep t, (B,). It answers with E[eps | x] (DDPM; Ho et
    al. 2020, eq. 11). So the score at sigma = sqrt(1 / alpha_bar - 1) is -eps / sigma.

    Args:
        alphas_cumprod: (T,), alpha_bar of timesteps 0 to T - 1: falling, in (0, 1]. They decide the
            `sigma_range`; a level between two of them is met by a fraction of a timestep.
        shape: of a point, such as (3, 64, 64).
        condition: what the network is told as its third argument, the row of one point; see
            `Adapted`. Other ones by the density's `given`.
        samples: (N, *shape) or (N, n) independent samples of the data, or None.
        whole: the network takes whole timesteps alone.
        dtype, device, chunk, grad, engine: as for `Model`.

    Raises ValueError for a bad argument, and on evaluation for levels outside of `sigma_range` and
    for answers of another shape.
    """
    model = Model(
        network, Steps(alphas_cumprod), shape, "noise", whole=whole, dtype=dtype, device=device,
        chunk=chunk, grad=grad, engine=engine,
    )  # fmt: skip
    return Adapted(model, condition, samples)


def from_v(
    network: Callable[..., Tensor],
    alphas_cumprod,
    shape: Sequence[int],
    *,
    condition=None,
    samples=None,
    whole: bool = False,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    chunk: int | None = None,
    grad: bool = False,
    engine=None,
) -> Adapted:
    """A density from a network that predicts v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0.

    (Salimans and Ho 2022, section 4.) All else as for `from_noise`.
    """
    model = Model(
        network, Steps(alphas_cumprod), shape, "v_prediction", whole=whole, dtype=dtype,
        device=device, chunk=chunk, grad=grad, engine=engine,
    )  # fmt: skip
    return Adapted(model, condition, samples)


def from_denoiser(
    network: Callable[..., Tensor],
    shape: Sequence[int],
    sigma_range: tuple[float, float] = (0.002, 80.0),
    *,
    condition=None,
    samples=None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    chunk: int | None = None,
    grad: bool = False,
    engine=None,
) -> Adapted:
    """A density from a denoiser D(x, sigma) = E[x_0 | x_0 + sigma eps = x] (Karras et al. 2022).

    The network is called as ``network(x, sigma)`` with x (B, *shape) and sigma (B,), not scaled.

    sigma_range: the levels that it was trained at; those of Karras et al. (Table 1) unless given.
    All else as for `from_noise`.
    """
    model = Model(
        network, Levels(sigma_range), shape, "denoised", dtype=dtype, device=device, chunk=chunk,
        grad=grad, engine=engine,
    )  # fmt: skip
    return Adapted(model, condition, samples)


def from_flow(
    network: Callable[..., Tensor],
    shape: Sequence[int],
    *,
    scale: float = 1.0,
    sigma_range: tuple[float, float] = (0.0, math.inf),
    condition=None,
    samples=None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    chunk: int | None = None,
    grad: bool = False,
    engine=None,
) -> Adapted:
    """A density from the velocity E[eps - x_0 | x_t] of x_t = (1 - t) x_0 + t eps.

    That is flow matching along straight lines, with noise at t = 1 (Lipman et al. 2023; Liu et al.
    2023). The network is called as ``network(x_t, t)``, with t = sigma / (1 + sigma).

    scale: the network is told scale t, such as 1000 t.
    sigma_range: the levels that it was trained at; all unless given.
    All else as for `from_noise`.
    """
    model = Model(
        network, Flow(scale, sigma_range), shape, "velocity", dtype=dtype, device=device,
        chunk=chunk, grad=grad, engine=engine,
    )  # fmt: skip
    return Adapted(model, condition, samples)
