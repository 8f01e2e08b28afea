"""Draws prompts and compositions with the network of words."""

from __future__ import annotations

import warnings
from functools import cache
from typing import NamedTuple

import projcomp as pc
import torch
from projcomp.networks.words import Words
from torch import Tensor
from words_prompts import Case

FROM, TO, STEPS = 40.0, 0.02, 12
RHO = 7.0


class Way(NamedTuple):
    """How a prompt or a composition is drawn.

    method: "ode", "sde" or "smc". weight: of what is asked for, over the background. n: samples, or
    particles. steps: of the sampler.
    """

    method: str
    weight: float = 1.0
    n: int = 4
    steps: int = STEPS


@cache
def network() -> Words:
    return pc.networks.load_words()


def grid(steps: int = STEPS) -> Tensor:
    return pc.sigma_grid(TO, FROM, steps, rho=RHO)


def density_of(case: Case, weight: float = 1.0) -> pc.Composition:
    draw = network().density
    concepts = [draw(prompt) for prompt in (*case.prompts, *case.without)]
    weights = [weight * one for one in case.weights]
    return pc.compose(draw(case.over), concepts, weights)


def prompt_of(prompt: str, weight: float = 1.0) -> pc.Density:
    """One prompt, guided over "" where the weight is not one."""
    one = network().density(prompt)
    return one if weight == 1.0 else pc.compose(network().density(), [one], [weight])


def draw(density: pc.Density, way: Way, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures (n, 3, 32, 32), float32 as the judge takes them, and their weights (n,)."""
    options = {"generator": generator, "progress": False}
    levels = grid(way.steps)
    if way.method == "smc":
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "all .* particles descend from one")
            run = pc.smc(density, way.n, levels, **options)
        weights = run.log_weights.exp()
    else:
        method = {"ode": "euler", "sde": "sde"}[way.method]
        run = pc.reverse_diffusion(density, way.n, levels, method, **options)
        weights = torch.full((way.n,), 1.0 / way.n, dtype=torch.float64, device="cpu")
    return run.samples.float(), weights
