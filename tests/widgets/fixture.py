"""The numbers that the figures' JavaScript must reproduce, computed by the library."""

from __future__ import annotations

import projcomp as pc
import torch
from projcomp import metrics
from projcomp.widgets.presets import PRESETS
from projcomp.widgets.spec import to_spec

SIGMAS = [0.0, 0.05, 0.7, 12.0]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_mixture(components: int, dim: int, generator: torch.Generator) -> pc.GaussianMixture:
    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    root = normal(components, dim, dim)
    covariances = 0.3 * root @ root.mT + 0.2 * torch.eye(dim, dtype=torch.float64)
    weights = torch.rand(components, generator=generator, dtype=torch.float64) + 0.1
    return pc.GaussianMixture(weights / weights.sum(), 1.5 * normal(components, dim), covariances)


def case(name: str, composition: pc.Composition, seed: int) -> dict:
    dim = composition.dim
    points = 2 * torch.randn(40, dim, generator=seeded(seed), dtype=torch.float64)
    points[0] *= 50
    levels = pc.sigma_grid(0.01, 30.0, 25)
    start = 30 * torch.randn(12, dim, generator=seeded(seed + 1), dtype=torch.float64)
    ends = {
        method: pc.reverse_diffusion(composition, 12, levels, method, start=start).samples.tolist()
        for method in ("heun", "euler")
    }
    try:
        exact = to_spec("exact", composition.exact(), dim)
    except ValueError:
        exact = None
    return {
        "name": name,
        "background": to_spec("background", composition.background, dim),
        "concepts": [to_spec("concept", concept, dim) for concept in composition.concepts],
        "weights": composition.weights.tolist(),
        "sigmas": SIGMAS,
        "points": points.tolist(),
        "logProb": [composition.log_prob(points, s).tolist() for s in SIGMAS],
        "score": [composition.score(points, s).tolist() for s in SIGMAS],
        "interaction": [composition.interaction(points, s).tolist() for s in SIGMAS],
        "normalisable": [composition.normalisable(s) for s in SIGMAS],
        "exact": exact,
        "grid": {"low": 0.01, "high": 30.0, "steps": 25, "levels": levels.tolist()},
        "start": start.tolist(),
        "ends": ends,
    }


def distance(name: str, p: pc.Composition, q: pc.Composition, sigma: float) -> dict:
    def parts(c: pc.Composition) -> dict:
        return {
            "background": to_spec("background", c.background, 2),
            "concepts": [to_spec("concept", concept, 2) for concept in c.concepts],
            "weights": c.weights.tolist(),
        }

    grid = pc.Grid.square(6.0, 80)
    value = metrics.total_variation(p, q, grid, sigma)
    common = {"box": [-6.0, -6.0, 6.0, 6.0], "cells": 80, "sigma": sigma}
    return {"name": name, "p": parts(p), "q": parts(q), "value": value, **common}


def fixture() -> dict:
    generator = seeded(0)
    mixtures = [random_mixture(k, 2, generator) for k in (3, 4, 2, 5)]
    line = [random_mixture(k, 1, generator) for k in (1, 2, 3)]
    wide = pc.gaussian([0.3, -0.2], [[5.0, 1.0], [1.0, 4.0]])
    compositions = {
        "mixtures": pc.compose(mixtures[0], mixtures[1:3]),
        "weighted": pc.compose(mixtures[0], mixtures[1:], [1.5, -0.5, 0.7]),
        "over one Gaussian": pc.compose(wide, mixtures[1:3]),
        "product": pc.simple_product(mixtures[:2]),
        "on the line": pc.compose(line[0], line[1:], [2.0, 0.5]),
        "guidance": pc.compose(wide, mixtures[1:2], [3.0]),
    }
    for name in ("shear", "jump", "tidy-lie", "guidance"):
        preset = PRESETS[name]()
        weights = preset.options.get("weights")
        compositions[f"preset {name}"] = pc.compose(preset.background, preset.concepts, weights)
    with_warnings = {}
    for index, (name, composition) in enumerate(compositions.items()):
        with_warnings[name] = case(name, composition, 10 * index)
    return {
        "cases": list(with_warnings.values()),
        "distances": [
            distance("two", compositions["mixtures"], compositions["over one Gaussian"], 0.4),
        ],
    }
