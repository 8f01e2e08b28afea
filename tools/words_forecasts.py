"""What can be known of all pairs of prompts before one is composed: forecasts, and the yardstick.

Every prompt has samples: pictures of the world that it is true of. At each one's samples, under
noise, the scores of all prompts are taken once. All that is asked of a pair there, such as angles,
the spread of the interaction, and how much of that is score error, are sums of inner products of
these scores: of their Gram matrices.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import projcomp as pc
import torch
import words_prompts as prompts
from counting import source
from emoji_forecasts import RIDGE, cosine, features
from projcomp import words
from projcomp.diagnostics.factorisation import half_log_variance
from torch import Tensor
from words_drawing import FROM, network

LEVELS, POINTS = 6, 4
"""Noise levels, and noised samples of every prompt at each."""
LOWEST = 0.05
EXAMPLES, WHITENED = 60, 1000
"""Pictures of every prompt, and of a background for its covariance."""
BACKGROUNDS = ("", "empty")
FORECASTS = (
    "cosine of means", "whitened cosine", "cosine of features", "dose", "overlap",
    "same-point cosine", "early spread", "spread", "explained", "unexplained spread",
)  # fmt: skip


class Met(NamedTuple):
    """What m densities say at noised samples of each of them.

    levels: (l,). grams: (m, l, p, m + 1, m + 1): at p points of each density (the first axis) and
    each level inner products of the m scores, times sigma, and of the unit noise, which is last.
    """

    levels: Tensor
    grams: Tensor


class Changes(NamedTuple):
    """How m densities differ from a background, at its samples.

    means: (m, n) mean changes of the denoised, at the highest level. maps: (m, n) mean squares of
    sigma Delta over points and levels.
    """

    means: Tensor
    maps: Tensor


def meet(densities: list[pc.Density], samples: list[Tensor], levels: Tensor, generator) -> Met:
    """samples: (p, n) for each density and used at each level, with noise of its own."""
    every = pc.compose(densities[0], densities[1:])
    grams = []
    for clean in samples:
        here = []
        for sigma in levels.tolist():
            noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype)
            rows = torch.cat([sigma * every.scores(clean + sigma * noise, sigma), noise[None]])
            here.append(torch.einsum("apn,bpn->pab", rows, rows))
        grams.append(torch.stack(here))
    return Met(levels, torch.stack(grams))


def changes(densities: list[pc.Density], background: int, clean: Tensor, levels, generator):
    """`Changes` of all densities over one of them, at its samples (p, n)."""
    every = pc.compose(densities[0], densities[1:])
    maps = 0.0
    for place, (sigma, weight) in enumerate(
        zip(levels.tolist(), half_log_variance(levels).tolist(), strict=True)
    ):
        noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype)
        scores = every.scores(clean + sigma * noise, sigma)
        deltas = sigma * (scores - scores[background])
        if place == 0:
            means = sigma * deltas.mean(1)
        maps = maps + weight * deltas.square().mean(1)
    return Changes(means, maps)


def of_grams(met: Met, background: int, one: int, other: int, scale: float) -> list[float]:
    """Of a pair: the root mean square cosine of its deltas at one point, the spread of the
    interaction above noise of half the `scale` and at all levels, and the yardstick's share of
    that; then what of the spread score error does not explain.

    Points are samples of the three densities. The cosine is weighted by the lengths, and the
    yardstick is that of `pc.diagnose`.
    """
    trio = [background, one, other]
    rows = [*trio, -1]
    grams = met.grams[trio][..., rows, :][..., rows]  # (3, l, p, 4, 4)
    lift = grams.new_tensor([[1, 0, 0, 0], [-1, 1, 0, 0], [-1, 0, 1, 0], [0, 0, 0, 1]])
    grams = lift @ grams @ lift.T  # of the background's score, both deltas, and the noise
    rate = grams[..., 1, 2]
    squares = grams[..., 1, 1] * grams[..., 2, 2]
    weights = half_log_variance(met.levels)
    same = (rate.square().sum() / squares.sum().clamp(min=1e-300)).sqrt()
    spread = rate.transpose(0, 1).flatten(1).std(1)
    early = met.levels > scale / 2
    away = rate - rate.mean(-1, keepdim=True)
    # Each density's own score and the noise, times the interaction's gradient in that score.
    seen = [grams[..., 3, :] + grams[..., 0, :] for _ in trio]
    seen[1], seen[2] = seen[1] + grams[..., 1, :], seen[2] + grams[..., 2, :]
    errors = torch.stack([-(seen[0][0] @ _BOTH), seen[1][1, ..., 2], seen[2][2, ..., 1]])
    over = (weights[:, None] * away.square()).sum((1, 2)).clamp(min=1e-300)
    explained = float(((weights[:, None] * errors * away).sum((1, 2)) / over).sum())
    total = float(2 * weights @ spread)
    left = total * max(0.0, 1.0 - explained) ** 0.5
    return [float(same), float(2 * (weights * spread)[early].sum()), total, explained, left]


_BOTH = torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=torch.float64)


def doses(one: Tensor, other: Tensor) -> float:
    """By how much the doses of two mean changes miss one: the larger."""
    both = one @ other
    return float((both / one.square().sum()).abs().maximum((both / other.square().sum()).abs()))


def whitened(rows: Tensor, clean: Tensor) -> Tensor:
    """Changes (m, n), whitened by the covariance of samples (N, n), with the ridge."""
    spread = torch.cov(clean.T) + RIDGE**2 * torch.eye(clean.shape[1], dtype=clean.dtype)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(spread), rows.T, upper=False).T


class Known(NamedTuple):
    """All that the forecasts of all pairs are made of, over each of `BACKGROUNDS`.

    The densities are the backgrounds and the prompts, in this order. moves, white, seen: (m, ..)
    mean changes of pixels, whitened, and of features. maps: where they act.
    """

    met: Met
    moves: list[Tensor]
    white: list[Tensor]
    seen: list[Tensor]
    maps: list[Tensor]


def depicted(prompt: str, count: int) -> words.Depictions:
    """Pictures of the world that a prompt is true of.

    The bare floor is always said to be empty, so it is no picture of what is not, but for "".
    """
    generator, told = source("words", "examples", prompt), words.meaning(prompt)
    if prompt == "":
        return words.depictions(count, generator)
    sizes, names = [len(values) for values in words.ATTRIBUTES.values()], list(words.ATTRIBUTES)
    held = torch.tensor([words.ATTRIBUTES[k].index(v) for k, v in words.HELD_OUT.items()])
    shape_and_colour = [names.index(name) for name in words.HELD_OUT]
    found: list[words.Depictions] = []
    while sum(map(len, found)) < count:
        draws = [torch.randint(size, (count,), generator=generator) for size in sizes]
        facts = torch.stack(draws, 1)
        for name in told.keys() & set(names):
            facts[:, names.index(name)] = words.ATTRIBUTES[name].index(told[name][0])
        never = (facts[:, shape_and_colour] == held).all(1)
        if "colour" not in told:  # as the world does, which draws another one
            other = torch.randint(sizes[names.index("colour")] - 1, (count,), generator=generator)
            other = other + (other >= held[1])
            column = names.index("colour")
            facts[:, column] = torch.where(never, other, facts[:, column])
            never = torch.zeros_like(never)
        there = torch.full((count,), "object" not in told)
        shown = words.pictured(facts[~never], there[~never], generator)
        fits = words.true_of(prompt, shown.facts)
        found.append(words.Depictions(shown.pictures[fits], shown.facts[fits]))
    pictures, facts = (
        torch.cat([getattr(part, name) for part in found]) for name in ("pictures", "facts")
    )
    return words.Depictions(pictures[:count], facts[:count])


def examples(prompt: str, count: int = EXAMPLES) -> Tensor:
    """Pictures of a prompt as points: (count, 3072), float64."""
    return depicted(prompt, count).pictures.flatten(1).double()


@cache
def scale_of(prompt: str) -> float:
    return float(examples(prompt).std(0).norm())


@cache
def known() -> Known:
    generator = source("words", "known")
    texts = [*BACKGROUNDS, *(text for text, _ in prompts.paired())]
    densities = [network().density(text) for text in texts]
    clean = [examples(text) for text in texts]
    few = [rows[:POINTS] for rows in clean]
    levels = pc.sigma_grid(LOWEST, FROM, LEVELS)[:-1]
    met = meet(densities, few, levels, generator)
    shape = densities[0].shape
    seen = torch.stack([features(rows.unflatten(1, shape)).mean(0) for rows in clean])
    found = [changes(densities, b, few[b], levels, generator) for b in range(len(BACKGROUNDS))]
    return Known(
        met,
        [each.means for each in found],
        [
            whitened(each.means, examples(text, WHITENED))
            for text, each in zip(BACKGROUNDS, found, strict=True)
        ],
        [seen - seen[b] for b in range(len(found))],
        [each.maps for each in found],
    )


def foretold(over: str, pair: tuple[int, int]) -> list[float]:
    """`FORECASTS` of a pair of the prompts over a background."""
    told, b = known(), BACKGROUNDS.index(over)
    one, other = (place + len(BACKGROUNDS) for place in pair)
    cosines = [cosine(rows[one], rows[other]) for rows in (told.moves[b], told.white[b])]
    return [
        *cosines,
        cosine(told.seen[b][one], told.seen[b][other]),
        doses(told.moves[b][one], told.moves[b][other]),
        cosine(told.maps[b][one], told.maps[b][other]),
        *of_grams(told.met, b, one, other, scale_of(over)),
    ]
