"""The numbers that the figures' JavaScript must reproduce, computed by the library."""

from __future__ import annotations

import math

import projcomp as pc
import torch
from projcomp import metrics, words
from projcomp.samplers.resampling import effective_size
from projcomp.widgets.presets import PRESETS
from projcomp.widgets.spec import to_spec
from projcomp.widgets.square import warp_of
from projcomp.widgets.text_prompt import eye
from projcomp.words import Seen, captions

from tests.widgets.pictures import lattices
from tests.widgets.tables import combs, prompts
from tests.widgets.verdicts import verdicts

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


def log_weights(composition: pc.Composition, run) -> torch.Tensor:
    """(steps + 1, n): what d log w = I dv collects along a kept path that ends at sigma = 0."""
    v = run.sigmas[:-1, None] ** 2
    rates = v * torch.stack(
        [
            composition.interaction(x, s, natural=True)
            for s, x in zip(run.sigmas[:-1], run.path, strict=False)
        ]
    )
    steps = (run.sigmas[:-2] / run.sigmas[1:-1]).log()[:, None]
    gains = [torch.zeros_like(rates[:1]), steps * (rates[:-1] + rates[1:]), rates[-1:]]
    return torch.cat(gains).cumsum(0)


def case(name: str, composition: pc.Composition, seed: int) -> dict:
    dim = composition.dim
    points = 2 * torch.randn(40, dim, generator=seeded(seed), dtype=torch.float64)
    points[0] *= 50
    levels = pc.sigma_grid(0.01, 30.0, 25)
    start = 30 * torch.randn(12, dim, generator=seeded(seed + 1), dtype=torch.float64)
    runs = {
        method: pc.reverse_diffusion(
            composition, 12, levels, method, start=start, generator=seeded(seed), keep_path=True
        )
        for method in ("heun", "euler", "sde")
    }
    weights = {method: log_weights(composition, run) for method, run in runs.items()}
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
        "ends": {method: runs[method].samples.tolist() for method in ("heun", "euler")},
        "paths": {method: run.path.tolist() for method, run in runs.items()},
        "logWeights": {method: logs.tolist() for method, logs in weights.items()},
        "effective": {
            method: [effective_size(row) for row in logs] for method, logs in weights.items()
        },
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


SQUARES = [
    ("rotation", [0.0, 33.0, 180.0]),
    ("shear", [15.0, 60.0, 90.0]),
    ("banana", [0.0, 0.6, 1.0]),
    ("polar", [0.0]),
]


def square(warp: str, amount: float, mixtures: list[pc.GaussianMixture]) -> dict:
    """Both routes around the square, with the maps that they take."""
    transform = warp_of(warp, amount)
    specs = [to_spec("part", mixture, 2) for mixture in mixtures]
    parts = [pc.warps.Wrapped(m, axis=1) if warp == "polar" else m for m in mixtures]
    pushed = [pc.pushforward(part, transform) for part in parts]
    z = 1.2 * torch.randn(60, 2, generator=seeded(1), dtype=torch.float64)
    if warp == "polar":
        z[:, 1] = (z[:, 1] + math.pi) % (2 * math.pi) - math.pi
    x = transform.forward(z)
    routes = {
        "composition": [pc.compose(parts[0], parts[1:]), pc.compose(pushed[0], pushed[1:])],
        "product": [pc.simple_product(parts[1:]), pc.simple_product(pushed[1:])],
    }
    grid = pc.Grid.square(4.0, 48)
    gaps = {}
    for name, (inside, second) in routes.items():
        first, second = (
            grid.masses(density).log() for density in (pc.pushforward(inside, transform), second)
        )
        seen = (first > first.max() + math.log(1e-6)) | (second > second.max() + math.log(1e-6))
        gaps[name] = float((first - second)[seen].abs().max())
    return {
        "name": f"{warp} {amount:g}",
        "warp": warp,
        "amount": amount,
        "parts": specs,
        "features": z.tolist(),
        "pixels": x.tolist(),
        "inverse": transform.inverse(x).tolist(),
        "logAbsDet": transform.log_abs_det(z).tolist(),
        "logFeatures": [part.log_prob(z).tolist() for part in parts],
        "logPushed": [part.log_prob(x).tolist() for part in pushed],
        "first": {
            k: pc.pushforward(r[0], transform).log_prob(x).tolist() for k, r in routes.items()
        },
        "second": {k: r[1].log_prob(x).tolist() for k, r in routes.items()},
        "box": [-4.0, -4.0, 4.0, 4.0],
        "cells": 48,
        "gaps": gaps,
    }


def vocabulary() -> dict:
    """Prompts as tokens, and words that are not known with the nearest that are."""
    own = pc.networks.Vocabulary(captions.words(), 8)
    prompts = ["", "empty", "A red ball, on the left!", 'at "night" (on   sand)']
    unknown = ["bule", "cubes", "sphear", "leftt", "pixle", "purpel", "nighttime", "xylophone"]
    unknown += ["".join(sorted(word)) for word in own.words]
    unknown = [word for word in unknown if word not in own.words]
    return {
        "words": list(own.words),
        "length": 8,
        "prompts": prompts,
        "tokens": [own.encode(prompt)[0].tolist() for prompt in prompts],
        "unknown": unknown,
        "near": [own.nearest(word) for word in unknown],
    }


SAID = (
    (["a red ball"], []),
    (["a red thing", "a ball on the left"], []),
    (["a ball", "a cube"], ["at night"]),
    (["in fog", "a thing"], ["blue"]),
    (["empty"], []),
    (["as a blueprint", "a cylinder on sand"], ["a metal cube"]),
    (["a ball as a cube"], []),
    ([""], ["a small thing at the back"]),
    (["an object"], ["a metal thing"]),
)
"""Prompts, and prompts after "not"."""


def sights() -> dict:
    """A judge's answers, what is seen in them, and whether that is as prompts say."""
    generator = seeded(5)
    places = torch.randn(400, 4, 14, generator=generator)
    places[..., 0] = torch.rand(400, 4, generator=generator) ** 3 * 1.3
    places[:100, :, 0] *= 0.15
    whole = torch.randn(400, 9, generator=generator)
    seen = Seen.of(places, whole)
    names = {name: [*words.ATTRIBUTES[name], None] for name in seen.facts}  # -1 is unseen
    facts = {
        name: [[names[name][i] for i in row] if isinstance(row, list) else names[name][row]
               for row in values.tolist()]
        for name, values in seen.facts.items()
    }  # fmt: skip
    return {
        "about": eye(words.words()),
        "places": places.flatten(1).tolist(),
        "whole": whole.tolist(),
        "facts": facts,
        "said": SAID,
        "right": [seen.all(*said).tolist() for said in SAID],
    }


def fixture() -> dict:
    generator = seeded(0)
    mixtures = [random_mixture(k, 2, generator) for k in (3, 4, 2, 5)]
    line = [random_mixture(k, 1, generator) for k in (1, 2, 3)]
    wide = pc.gaussian([0.3, -0.2], [[5.0, 1.0], [1.0, 4.0]])
    wide_angle = pc.gaussian([0.3, 2.9], [[2.0, 0.5], [0.5, 3.0]])
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
        "squares": [
            square(warp, amount, [wide_angle, *mixtures[1:3]])
            for warp, amounts in SQUARES
            for amount in amounts
        ],
        "lattices": lattices(),
        "prompts": prompts(),
        "combs": combs(),
        "verdicts": verdicts(),
        "vocabulary": vocabulary(),
        "sights": sights(),
    }
