"""A table of pictures: every content in every style, and the exact density of every prompt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from scipy.spatial import cKDTree
from torch import Tensor

from projcomp import _check
from projcomp._modes import values
from projcomp.densities import Bank, Density
from projcomp.emoji import _names

_TOGETHER = 1 << 24
"""Most entries of a matrix of distances; more points are taken in turns."""
_BLOCKS = 24
"""Of so many parts of a picture the means are compared before all of it is."""


class Table:
    """Pictures of contents in styles: one cell for each pair, and perhaps some that are missing.

    A prompt names contents, styles, categories or nothing, and stands for the empirical
    distribution of the cells that fit, each as likely as any other. All prompts of a table share
    one bank, so that a composition of them takes hardly longer than one.

    Args:
        pictures: (contents, styles, *shape), shape being (3, height, width) in [-1, 1], or
            anything else. Kept as float64 and not copied if it is that: leave it unchanged.
        contents: a name for each; they differ.
        styles: a name for each; they differ.
        categories: of each content, the name of its category; None: there are none.
        alpha: (contents, styles, height, width), opacities in [0, 1]; None: not known.
        background: the colour (3,), in [0, 1], that lies under the pictures, where alpha is known.
        there: (contents, styles) of booleans, False for a cell that is missing; None: all are
            there. The picture of a missing cell stays in `pictures`, to compare with.

    Raises ValueError for shapes that do not match, names that do not differ, no cell at all, or
    what is not finite.
    """

    def __init__(
        self,
        pictures,
        contents: Sequence[str],
        styles: Sequence[str],
        categories: Sequence[str] | None = None,
        *,
        alpha=None,
        background=(1.0, 1.0, 1.0),
        there=None,
    ):
        self._contents = _names.indices("contents", contents)
        self._styles = _names.indices("styles", styles)
        cells = (len(self._contents), len(self._styles))
        pictures = _check.real("pictures", pictures).detach()
        if pictures.ndim < 3 or tuple(pictures.shape[:2]) != cells or 0 in pictures.shape:
            raise ValueError(
                f"pictures must have shape {cells} and that of a picture, got "
                f"{tuple(pictures.shape)}"
            )
        if categories is not None and len(categories) != cells[0]:
            raise ValueError(f"categories must be {cells[0]}, one a content, got {len(categories)}")
        self.pictures = pictures
        self.categories = None if categories is None else tuple(map(str, categories))
        kinds = {} if categories is None else dict.fromkeys(self.categories)
        self._categories = {kind: index for index, kind in enumerate(kinds)}
        self.background = colour(background)
        self.alpha = None if alpha is None else _check.real("alpha", alpha).detach()
        if alpha is not None and (
            tuple(pictures.shape[2:-2]) != (3,)
            or self.alpha.shape != (*cells, *pictures.shape[-2:])
        ):
            raise ValueError(
                f"alpha must have shape {(*cells, *pictures.shape[-2:])}, of pictures (3, height, "
                f"width), got {tuple(self.alpha.shape)}"
            )
        every = torch.ones(cells, dtype=torch.bool, device=pictures.device)
        self.there = every if there is None else torch.as_tensor(there, device=pictures.device)
        if self.there.dtype != torch.bool or tuple(self.there.shape) != cells:
            raise ValueError(f"there must be booleans of shape {cells}, got {there!r}")
        if not bool(self.there.any()):
            raise ValueError("there must leave at least one cell, got none")

    def __repr__(self):
        contents, styles = self.there.shape
        missing = int((~self.there).sum())
        lacks = f", {missing:,} cells missing" if missing else ""
        shape = "x".join(map(str, self.shape))
        return f"Table({contents:,} contents, {styles} styles, pictures {shape}{lacks})"

    @property
    def contents(self) -> tuple[str, ...]:
        return tuple(self._contents)

    @property
    def styles(self) -> tuple[str, ...]:
        return tuple(self._styles)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a picture."""
        return tuple(self.pictures.shape[2:])

    @cached_property
    def bank(self) -> Bank:
        """All pictures: content c in style s is row c * len(styles) + s."""
        return Bank(self.pictures.flatten(0, 1))

    def rows(self, content=None, style=None, category=None) -> Tensor:
        """(m,), increasing: the rows of the bank that fit a prompt, as of `density`."""
        fits = self.there.clone()
        other = {
            **dict.fromkeys(self._categories, "category"),
            **dict.fromkeys(self._styles, "style"),
            **dict.fromkeys(self._contents, "content"),
        }
        if content is not None:
            named = _names.places("content", content, self._contents, other)
            fits &= _marked(named, fits[:, :1])
        if style is not None:
            named = _names.places("style", style, self._styles, other)
            fits &= _marked(named, fits.mT[:, :1]).mT
        if category is not None:
            if self.categories is None:
                raise ValueError(f"category must be None: the table has none, got {category!r}")
            named = set(_names.places("category", category, self._categories, other))
            inside = [self._categories[kind] in named for kind in self.categories]
            fits &= torch.tensor(inside, dtype=torch.bool, device=fits.device)[:, None]
        found = fits.flatten().nonzero().flatten()
        if not len(found):
            given = {"content": content, "style": style, "category": category}
            said = ", ".join(f"{key}={item!r}" for key, item in given.items() if item is not None)
            raise ValueError(f"{said}: the table has no such picture, or its cells are missing")
        return found

    def density(self, content=None, style=None, category=None) -> Density:
        """The exact density of a prompt: of all pictures that fit it, each as likely as another.

        content, style, category: a name, a sequence of names (any of these), or None (any at
        all). With nothing named it is the density of every picture of the table.

        Raises ValueError for a name that the table does not have (the nearest ones are named), and
        for a prompt that no picture fits.
        """
        return self.bank.density(self.rows(content, style, category))

    def cell(self, content: str, style: str) -> Tensor:
        """The picture of one content in one style, (*shape).

        Raises ValueError for a name that the table does not have, and for a missing cell.
        """
        for name, value in (("content", content), ("style", style)):
            if not isinstance(value, str):
                raise ValueError(f"{name} must be one name, got {value!r}")
        (row,) = self.rows(content, style).tolist()
        return self.pictures.flatten(0, 1)[row]

    def nearest(self, x) -> tuple[Tensor, Tensor]:
        """The contents and the styles, as places in these lists, of the pictures nearest to x.

        x: (..., *shape) or (..., n). Each answer is (...) integers. Missing cells are left out;
        of pictures that are equally near, the first.

        Raises ValueError for points of another shape, or that are not finite.
        """
        points = self.pictures.flatten(2).flatten(0, 1)
        x = _check.points("x", x, points.shape[1], self.shape)[0].to(points.device)
        heights = 0.5 * points.square().sum(1)
        heights = torch.where(self.there.flatten(), heights, torch.inf)
        parts = x.reshape(-1, x.shape[-1]).split(max(1, _TOGETHER // len(points)))
        rows = torch.cat([(heights - part @ points.mT).argmin(1) for part in parts])
        rows = rows.reshape(x.shape[:-1])
        return rows // len(self._styles), rows % len(self._styles)

    # -- other tables -------------------------------------------------------------------------

    def choose(self, contents=None, styles=None, generator=None) -> Table:
        """A smaller table.

        contents, styles: names, in the order wanted; or how many: the first ones, or with a
        `generator` so many drawn at random, without repetition. None: all.

        Raises ValueError for names that the table does not have or that are given twice, and for
        more than there are.
        """
        down = _names.chosen("contents", contents, self._contents, generator)
        across = _names.chosen("styles", styles, self._styles, generator)
        return self._at(down, across)

    def without(self, pairs: Sequence[tuple[str, str]]) -> Table:
        """This table with cells missing: pairs of a content and a style. It shares the bank.

        Raises ValueError for what is no such pair, and where no cell is left.
        """
        left = self.there.clone()
        for pair in [pairs] if isinstance(pairs, str) else pairs:
            if isinstance(pair, str) or len(pair) != 2:
                raise ValueError(f"pairs must be pairs (content, style), got {pair!r}")
            (down,) = _names.places("content", [pair[0]], self._contents, {})
            (across,) = _names.places("style", [pair[1]], self._styles, {})
            left[down, across] = False
        table = self._like(self.pictures, self.alpha, self.background, left)
        table.bank = self.bank
        return table

    def on(self, background) -> Table:
        """The same pictures on another background: a colour (3,), in [0, 1].

        Raises ValueError for what is no colour, and where the table does not know opacities.
        """
        background = colour(background)
        if self.alpha is None:
            raise ValueError("background: this table does not know where its pictures are opaque")
        change = torch.tensor(background, dtype=torch.float64, device=self.pictures.device)
        change = 2.0 * (change - change.new_tensor(self.background))
        through = (1.0 - self.alpha)[:, :, None]
        pictures = self.pictures + through * change[:, None, None]
        return self._like(pictures, self.alpha, background, self.there)

    def alike(self, levels: float = 2.0) -> list[tuple[tuple[str, str], tuple[str, str]]]:
        """Pairs of cells, each (content, style), whose pictures nobody can tell apart.

        levels: by how many of 255 grey levels they differ at most, in every channel of every
        pixel. Missing cells are left out.
        """
        reach = 2.0 * _check.number("levels", levels) / 255.0 + 1e-9
        rows = self.rows()
        points = values(self.pictures).flatten(2).flatten(0, 1).cpu()
        points = points if len(rows) == len(points) else points[rows.cpu()]
        blocks = [part.mean(1) for part in points.tensor_split(min(_BLOCKS, points.shape[1]), 1)]
        tree = cKDTree(torch.stack(blocks, 1).numpy())
        pairs = [
            pair
            for pair in sorted(tree.query_pairs(reach, p=float("inf")))
            if float((points[pair[0]] - points[pair[1]]).abs().max()) <= reach
        ]
        names = [(content, style) for content in self.contents for style in self.styles]
        kept = [names[row] for row in rows.tolist()]
        return [(kept[one], kept[other]) for one, other in pairs]

    def distinct(self, levels: float = 2.0) -> Table:
        """This table without the contents that have a picture which is `alike` another one.

        In what is left content and style can both be read off a picture.

        Raises ValueError where nothing is left.
        """
        double = {content for pair in self.alike(levels) for content, _ in pair}
        kept = [index for name, index in self._contents.items() if name not in double]
        if not kept:
            raise ValueError(f"levels must leave a content, got {levels:g}: all are alike another")
        return self._at(kept, list(range(len(self._styles))))

    def _at(self, down: list[int], across: list[int]) -> Table:
        pick = torch.tensor(down, device=self.pictures.device)[:, None], across
        kinds = None if self.categories is None else [self.categories[index] for index in down]
        return Table(
            self.pictures[pick],
            [self.contents[index] for index in down],
            [self.styles[index] for index in across],
            kinds,
            alpha=None if self.alpha is None else self.alpha[pick],
            background=self.background,
            there=self.there[pick],
        )

    def _like(self, pictures, alpha, background, there) -> Table:
        return Table(
            pictures,
            self.contents,
            self.styles,
            self.categories,
            alpha=alpha,
            background=background,
            there=there,
        )


def colour(background) -> tuple[float, float, float]:
    """A colour as three numbers in [0, 1]. Raises ValueError for anything else."""
    found = _check.real("background", background).tolist()
    if not isinstance(found, list) or len(found) != 3 or not all(0 <= c <= 1 for c in found):
        raise ValueError(f"background must be three numbers in [0, 1], got {background!r}")
    return tuple(found)


def _marked(named: list[int], like: Tensor) -> Tensor:
    """(length, 1) booleans: True at the places `named`."""
    marks = torch.zeros_like(like)
    marks[named] = True
    return marks
