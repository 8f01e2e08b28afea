"""What the forecasts of chapter 13 say of a prompt, beside what comes of it.

The kinds of prompts, and of each prompt the numbers that can be had before anything is composed
(cosines of mean changes, in pixels and in features) or from a few pilots on the way down.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import cache, partial

import emoji_prompts as prompts
import projcomp as pc
import torch
from counting import source
from emoji_prompts import Prompt
from projcomp.composition import interaction_of
from projcomp.diagnostics.path import Watched
from torch import Tensor

PILOTS, JUDGED = 16, 32
RIDGE = 0.1
"""Standard deviation that whitening takes every direction to have at least."""
OUTCOMES = ("ode", "sde", "ode gap", "sde gap", "gap of exact draws")
FORECASTS = (
    "cosine of means", "whitened cosine", "cosine of features", "same-point cosine",
    "across cosine", "early spread", "spread", "path gap", "spread of paths",
)  # fmt: skip


GUESS = ("guess from the target's mean", "guess from the nearest right picture")


def pairs(count: int) -> Callable[[int], tuple[int, int]]:
    """The ordered pairs of different numbers below `count`, counted from 0."""

    def at(index: int) -> tuple[int, int]:
        first, rest = divmod(index, count - 1)
        return first, rest + (rest >= first)

    return at


def kinds() -> dict[str, tuple[int, Callable[[int], Prompt]]]:
    """Of each kind how many prompts there are, and the prompt of a number."""
    table = prompts.standard()
    contents, styles = len(table.contents), len(table.styles)
    groups = len(set(table.categories))
    two = pairs(contents)

    def on_colour(index: int) -> Prompt:
        style, cell = divmod(index, groups * len(prompts.COLOURS))
        return prompts.group(prompts.coloured(style), cell)

    return {
        "content x style": (contents * styles, partial(prompts.cell, table)),
        "category x style": (groups * styles, partial(prompts.group, table)),
        "category x colour": (styles * groups * len(prompts.COLOURS), on_colour),
        "two over their average": (
            contents * (contents - 1),
            lambda index: prompts.over_average(table, *two(index)),
        ),
        "two at two places": (
            contents * (contents - 1),
            lambda index: prompts.side_by_side(table, *two(index)),
        ),
        "content, not style": (contents * styles, partial(prompts.negative, table)),
    }


@cache
def filters() -> list[Tensor]:
    """Three random layers of convolutions, 3x3, for `features`."""
    generator = source("features")
    sizes = (3, 32, 64, 128)
    return [
        torch.randn(b, a, 3, 3, generator=generator, dtype=torch.float64) * math.sqrt(2 / (9 * a))
        for a, b in itertools.pairwise(sizes)
    ]


def features(pictures: Tensor) -> Tensor:
    """128 features of pictures (m, 3, height, width): random convolutions, never trained.

    Each layer halves the picture and cuts off below zero; means over what is left of it: (m, 128).
    """
    for layer in filters():
        pictures = torch.nn.functional.conv2d(pictures, layer, stride=2, padding=1).relu()
    return pictures.mean((2, 3))


def cosine(a: Tensor, b: Tensor) -> float:
    """In size; nothing moved counts as a right angle."""
    return float((a @ b).abs() / (a.norm() * b.norm()).clamp(min=1e-12))


def parts_and_means(density: pc.Composition) -> tuple[tuple[pc.Density, ...], list[Tensor]]:
    parts = (density.background, *density.concepts)
    return parts, [part.weights @ part.points for part in parts]


def guessed(prompt: Prompt) -> list[float]:
    """`GUESS`: how far the background's mean plus the concepts' mean changes is from the target.

    Root mean squares over the coordinates. It is where all particles head for at high noise.
    """
    means = torch.stack(parts_and_means(prompt.density)[1])
    guess = means[0] + prompt.density.weights @ (means[1:] - means[0])
    goals = prompt.target @ prompt.points, *prompt.points[prompt.wanted]
    away = (torch.stack(goals) - guess).square().mean(1).sqrt()
    return [float(away[0]), float(away[1:].min())]


def of_means(density: pc.Composition) -> list[float]:
    """Cosines of the two mean changes: of pixels, whitened by the background, of features."""
    parts, means = parts_and_means(density)
    shapes = [part.points.unflatten(1, part.shape) for part in parts]
    seen = [part.weights @ features(x) for part, x in zip(parts, shapes, strict=True)]
    moves = [mean - means[0] for mean in means[1:]]
    base, weights = parts[0].points - means[0], parts[0].weights[:, None]
    spread = base.T @ (weights * base)
    spread += RIDGE**2 * torch.eye(len(spread), dtype=torch.float64, device="cpu")
    solved = torch.linalg.solve_triangular(
        torch.linalg.cholesky(spread), torch.stack(moves, 1), upper=False
    )
    return [cosine(*moves), cosine(*solved.T), cosine(*(one - seen[0] for one in seen[1:]))]


class Pilots:
    """What the first particles of a run meet on the way down: deltas at every level."""

    def __init__(self, density: pc.Composition, count: int = PILOTS):
        self.weights, self.count = density.weights, count
        self.sigmas: list[float] = []
        self.deltas: list[Tensor] = []

    def take(self, sigma: float, x: Tensor, scores: Tensor) -> None:
        self.sigmas.append(sigma)
        few = scores[:, : self.count]
        self.deltas.append(sigma * (few[1:] - few[0]))

    def forecasts(self, scale: float) -> list[float]:
        """Those of `FORECASTS` that come from the pilots. scale: of the data, for "early"."""
        deltas, sigmas = torch.stack(self.deltas, 1), torch.tensor(self.sigmas).double()
        logs = sigmas.log()
        dots, squares = deltas.prod(0).sum(-1), deltas.square().sum(-1)
        same = (dots.square().sum() / squares.prod(0).sum().clamp(min=1e-300)).sqrt()
        one, other = deltas.flatten(1, 2)
        lengths = one.square().sum() * other.square().sum()
        across = ((one @ other.T).square().sum() / lengths.clamp(min=1e-300)).sqrt()
        rate = interaction_of(deltas.flatten(1, 2), self.weights).view_as(dots)
        spread, early = rate.std(1), sigmas > scale / 2
        total = -2.0 * torch.trapezoid(rate, logs, dim=0)
        weights = torch.softmax(total, 0)
        return [
            float(same),
            float(across),
            -float(torch.trapezoid(spread[early], logs[early])),
            -float(torch.trapezoid(spread, logs)),
            float(0.5 * (weights - 1 / self.count).abs().sum()),
            float(total.std()),
        ]


def foretold(prompt: Prompt, generator: torch.Generator) -> list[float]:
    """`OUTCOMES` and `FORECASTS` of a prompt.

    The pilots are other particles than those that are judged. Outcomes: the share of the ODE's and
    of the SDE's particles that are right; their total variation to the target; and that of as
    many exact draws. Where nothing is right it is 1, and 0 for exact draws.
    """
    pilots = Pilots(prompt.density)
    watched = Watched(prompt.density, pilots.take)
    ode = prompts.draw(watched, "ode", PILOTS + JUDGED, generator)[0].samples[PILOTS:]
    sde = prompts.draw(prompt.density, "sde", JUDGED, generator)[0].samples
    even = torch.full((JUDGED,), 1.0 / JUDGED, dtype=torch.float64, device="cpu")
    rows = [prompt.read(x.unflatten(1, prompt.density.shape) if x.ndim == 2 else x)
            for x in (ode, sde)]  # fmt: skip
    outcomes = [prompt.share(found, even) for found in rows]
    if prompt.wanted.any():
        outcomes += [prompt.gap(found, even) for found in rows]
        outcomes.append(prompt.floor(JUDGED, generator))
    else:
        outcomes += [1.0, 1.0, 0.0]
    parts, _ = parts_and_means(prompt.density)
    scale = float(torch.cat([part.points for part in parts]).std(0).norm())
    return [*outcomes, *of_means(prompt.density), *pilots.forecasts(scale)]
