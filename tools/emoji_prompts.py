"""Prompts of the table of pictures: what is composed, what is wanted, what was drawn.

`tools/count_emoji.py` counts with them. Every prompt has an exact target on a finite bank.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial

import projcomp as pc
import torch
from projcomp import emoji
from torch import Tensor

CONTENTS, PIXELS = 150, 16
SIGMA_MIN, SIGMA_MAX, STEPS = 0.05, 80.0, 80
COLOURS = {
    "white": (1.0, 1.0, 1.0),
    "red": (0.85, 0.2, 0.2),
    "green": (0.2, 0.6, 0.3),
    "blue": (0.2, 0.4, 0.85),
}
OVER = ("average", "everything", "canvas")
"""Backgrounds of two contents at one place."""
SURE = 0.9
"""Share of a style in the concept that a negative prompt takes away; the rest is of any style."""


@cache
def whole(pixels: int) -> emoji.Table:
    """The table without the contents that have a picture alike another one, at 16 pixels.

    Of 8 pixels: means over squares of four pixels of 16.
    """
    names = emoji.load(16).distinct().contents
    if pixels >= 16:
        return emoji.load(pixels).choose(names)
    table = emoji.load(16).choose(names)
    small = torch.nn.functional.avg_pool2d(table.pictures.flatten(0, 1), 16 // pixels)
    cells = table.pictures.shape[:2]
    return emoji.Table(small.unflatten(0, cells), table.contents, table.styles, table.categories)


@cache
def standard(pixels: int = PIXELS, contents: int = CONTENTS, styles: int = 8) -> emoji.Table:
    """Contents evenly spaced in the list, and the first styles. contents: 0 for all of them."""
    table = whole(pixels)
    count = len(table.contents)
    kept = [table.contents[i * count // contents] for i in range(contents)] if contents else None
    return table.choose(kept, styles)


def nearest(table: emoji.Table, x: Tensor) -> Tensor:
    """The rows of the pictures nearest to x (n, *shape): (n,)."""
    content, style = table.nearest(x)
    return content * len(table.styles) + style


@dataclass(frozen=True)
class Prompt:
    """A composition, and the exact law that it has at sigma = 0 on finitely many outcomes.

    read: of particles (n, *shape) the outcomes, (n,) integers: which picture is nearest. target:
    (N,) their probabilities. wanted: (N,) booleans, the outcomes that count as right. points:
    (N, n) their pictures.
    """

    density: pc.Composition
    read: Callable[[Tensor], Tensor]
    target: Tensor
    wanted: Tensor
    points: Tensor

    def weighted(self, weight: float) -> Prompt:
        """The same with all weights times `weight`."""
        parts = self.density
        density = pc.compose(parts.background, parts.concepts, weight * parts.weights)
        return replace(self, density=density)

    def share(self, rows: Tensor, weights: Tensor) -> float:
        return float(weights @ self.wanted[rows].double())

    def gap(self, rows: Tensor, weights: Tensor) -> float:
        """Total variation between what was drawn and the target."""
        found = torch.bincount(rows, weights, minlength=len(self.target))
        return float(0.5 * (found - self.target).abs().sum())

    def floor(self, n: int, generator: torch.Generator, repeats: int = 100) -> float:
        """What `gap` is on average for n exact draws."""
        few = self.wanted.nonzero()[:, 0]
        if self.target[few].sum() < 1 - 1e-9:
            few = torch.arange(len(self.target))
        chances = self.target[few]
        rows = torch.multinomial(chances, n * repeats, True, generator=generator)
        cells = rows + len(few) * torch.arange(repeats).repeat_interleave(n)
        counts = torch.bincount(cells, minlength=len(few) * repeats).double()
        shares = counts.unflatten(0, (repeats, -1)) / n
        return float(0.5 * (shares - chances).abs().sum(1).mean())


def _uniform(table: emoji.Table, rows: Tensor) -> tuple[Tensor, Tensor]:
    wanted = torch.zeros(len(table.bank), dtype=torch.bool, device="cpu")
    wanted[rows] = True
    return wanted.double() / wanted.sum(), wanted


def asked(table: emoji.Table, *prompts: dict, weight: float = 1.0) -> Prompt:
    """The Bayes composition of prompts of one table, such as {"style": "flat"}.

    Labels can be read off a picture, so the target is uniform over the pictures that fit all.
    """
    concepts = [table.density(**prompt) for prompt in prompts]
    both = {key: name for prompt in prompts for key, name in prompt.items()}
    target, wanted = _uniform(table, table.rows(**both))
    density = pc.bayes(table.bank.density(), concepts, [weight] * len(concepts))
    return Prompt(density, partial(nearest, table), target, wanted, table.bank.points)


def cell(table: emoji.Table, row: int, weight: float = 1.0) -> Prompt:
    """Content x style: one picture."""
    content, style = divmod(row, len(table.styles))
    names = {"content": table.contents[content]}, {"style": table.styles[style]}
    return asked(table, *names, weight=weight)


def group(table: emoji.Table, index: int, weight: float = 1.0) -> Prompt:
    """Category x style: all pictures of a category in a style, as if they came in a list."""
    kinds = sorted(set(table.categories))
    kind, style = divmod(index, len(table.styles))
    names = {"category": kinds[kind]}, {"style": table.styles[style]}
    return asked(table, *names, weight=weight)


@cache
def coloured(style: int) -> emoji.Table:
    """One style on four backgrounds, which stand for the styles."""
    one = standard().choose(styles=[standard().styles[style]])
    pictures = torch.cat([one.on(colour).pictures for colour in COLOURS.values()], 1)
    return emoji.Table(pictures, one.contents, list(COLOURS), one.categories)


def negative(table: emoji.Table, row: int) -> Prompt:
    """A content, less a style with the weight -1.

    What is taken away is of the style with probability `SURE`, and any picture else: had it no
    other pictures the ratio would be 1/0 there. The target is p_u times the ratios, on the bank.
    """
    content, style = divmod(row, len(table.styles))
    count = len(table.bank)
    named = table.rows(content=table.contents[content])
    unwanted = _uniform(table, table.rows(style=table.styles[style]))[1]
    soft = SURE * unwanted.double() / unwanted.sum() + (1 - SURE) / count
    parts = [table.bank.density(named), table.bank.density(None, soft)]
    target = _uniform(table, named)[0] / soft
    wanted = (target > 0) & ~unwanted
    density = pc.bayes(table.bank.density(), parts, [1.0, -1.0])
    target = target / target.sum()
    return Prompt(density, partial(nearest, table), target, wanted, table.bank.points)


def blank(table: emoji.Table, columns: int = 1) -> Tensor:
    _, height, width = table.shape
    return torch.ones(1, 3, height, columns * width, dtype=torch.float64, device="cpu")


def pair(table: emoji.Table, first: int, second: int) -> tuple[Tensor, Tensor]:
    """All pictures of each of two contents."""
    return table.pictures[first], table.pictures[second]


def over_average(table: emoji.Table, first: int, second: int) -> Prompt:
    """Two contents over their average. No picture is both: nothing is wanted."""
    only = table.choose([table.contents[first], table.contents[second]])
    names = [{"content": name} for name in only.contents]
    density = pc.bayes(only.bank.density(), [only.density(**name) for name in names])
    nothing = torch.zeros(len(only.bank), dtype=torch.float64, device="cpu")
    return Prompt(density, partial(nearest, only), nothing, nothing.bool(), only.bank.points)


def joint(
    whole: emoji.Table, table: emoji.Table, first: int, second: int, over: str
) -> tuple[pc.Composition, Tensor, int]:
    """Two contents of `whole` at one place, all double exposures (S * S, n), and the limit's place.

    over: one of `OVER`. A double exposure is the middle between a picture of the first and one of
    the second; over the empty canvas it has both changes in full. C[p^sigma] goes to one of them
    as sigma falls: over their average to that of the two closest pictures; over everything (of
    `table`, and the two) to the same, unless a third picture is nearer to it; over the empty
    canvas to that of the two changes with the largest inner product.
    """
    one, other = pair(whole, first, second)
    named = whole.contents[first], whole.contents[second]
    rest = {
        "average": one[:0],
        "canvas": blank(table),
        "everything": table.choose([c for c in table.contents if c not in named]).bank.points,
    }[over]
    bank, n = pc.Bank(torch.cat([one, other, rest.view(-1, *one.shape[1:])])), len(one)
    concepts = [bank.density(rows) for rows in torch.arange(2 * n).split(n)]
    one, other, rest = one.flatten(1), other.flatten(1), rest.flatten(1)
    sums = (one[:, None] + other).flatten(0, 1)
    if over == "canvas":
        best = int(((one - rest) @ (other - rest).T).argmax())
        return pc.compose(bank.density([2 * n]), concepts), sums - rest, best
    return pc.compose(bank.density(), concepts), sums / 2, int(torch.cdist(one, other).argmin())


def side_by_side(table: emoji.Table, first: int, second: int) -> Prompt:
    """Two contents at two places over the empty canvas: a product, so 8 x 8 pictures fit.

    Right is a picture whose left half is nearest to one of the first, of all pictures of the
    table and the empty canvas, and whose right half is nearest to one of the second.
    """
    one, other = pair(table, first, second)
    empty, n = blank(table), len(one)
    left = torch.cat([one, empty.expand_as(one)], -1)
    right = torch.cat([empty.expand_as(other), other], -1)
    bank = pc.Bank(torch.cat([blank(table, 2), left, right]))
    rows = torch.arange(1, 1 + 2 * n).split(n)
    density = pc.compose(bank.density([0]), [bank.density(part) for part in rows])

    def read(x):
        places = []
        for half, content in zip(x.chunk(2, -1), (first, second), strict=True):
            row = nearest(table, half)
            bare = (half - empty).square().flatten(1).sum(1)
            gap = (half - table.pictures.flatten(0, 1)[row]).square().flatten(1).sum(1)
            right = (row // n == content) & (gap < bare)
            places.append(torch.where(right, row % n, -1))
        found = places[0] * n + places[1]
        return torch.where((places[0] < 0) | (places[1] < 0), n * n, found)

    target = torch.full((n * n + 1,), 1.0 / n**2, dtype=torch.float64, device="cpu")
    target[-1] = 0.0
    points = torch.cat([(left[:, None] + right - blank(table, 2)).flatten(0, 1), blank(table, 2)])
    return Prompt(density, read, target, target > 0, points.flatten(1))


def grid(steps: int = STEPS) -> Tensor:
    return pc.sigma_grid(SIGMA_MIN, SIGMA_MAX, steps)


SCHEMES = {"ode": "euler", "sde": "sde", "ode, looking back": "unipc3"}
"""Euler's ODE decides as one of 640 steps does; schemes that look back run ahead of themselves."""


def draw(density: pc.Density, method: str, n: int, generator, sigmas=None, **options):
    """A run of n particles (n, *shape), and their weights: by one of `SCHEMES`, "smc" or "mala"."""
    sigmas = grid() if sigmas is None else sigmas
    options |= {"generator": generator, "progress": False}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="all .* descend")
        if method == "smc":
            run = pc.smc(density, n, sigmas, **{"moves": 0, **options})
        elif method == "mala":
            run = pc.annealed_mcmc(density, n, sigmas, "mala", predictor="sde", **options)
        else:
            run = pc.reverse_diffusion(density, n, sigmas, SCHEMES[method], **options)
    weights = getattr(run, "log_weights", None)
    even = torch.full((n,), 1.0 / n, dtype=torch.float64, device="cpu")
    return run, even if weights is None else weights.exp()
