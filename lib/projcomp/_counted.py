"""What a tool of the project has counted, as it is stored: a file of parts, each a table."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from projcomp import _check, metrics


class Counted(NamedTuple):
    """Some prompts, and what was counted of each.

    columns: the names of what was counted. items: of each prompt what the tool knows it by: its
    text, or the number of a cell, or of a pair. found: (items, columns), float64; NaN where there
    was nothing to count. n: how many independent samples each row is of, where they are as many.
    """

    columns: tuple[str, ...]
    items: tuple[int | str, ...]
    found: Tensor
    n: int | None = None

    def column(self, name: str) -> Tensor:
        """One number for each prompt: (items,). Raises ValueError for another name."""
        return self.found[:, self.columns.index(_check.choice("name", name, self.columns))]

    def share(self, name: str) -> tuple[float, float, float]:
        """The mean of a column of shares over the prompts, and a 95% interval: mean, lower, upper.

        Of two intervals the wider: Student's of the prompts, which differ, and Wilson's of all
        samples (`n` of each prompt, one if that is not known), since few prompts may agree by
        chance. Rows with nothing to count are left out; NaN where there are no others.
        """
        values = self.column(name)
        values = values[~values.isnan()]
        if not len(values):
            return math.nan, math.nan, math.nan
        mean, trials = float(values.mean()), len(values) * (self.n or 1)
        _, low, high = metrics.proportion(round(mean * trials), trials)
        if len(values) > 1:
            _, least, most = metrics.mean_interval(values)
            low, high = min(low, least), max(high, most)
        return mean, max(0.0, min(low, mean)), min(1.0, max(high, mean))


def counted(path: Path, tool: str) -> dict[str, Counted]:
    """All that `tool` has counted, by the part. Raises ValueError where that is no such file."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {
            key: Counted(
                tuple(part["columns"]), tuple(part["items"]), _table(part["found"]), part.get("n")
            )
            for key, part in stored.items()
        }
    except (OSError, TypeError, KeyError, AttributeError, ValueError) as error:
        raise ValueError(
            f"file must be one that tools/{tool} has written, got {str(path)!r}: {error}"
        ) from None


def _table(rows: list[list]) -> Tensor:
    rows = [[math.nan if value is None else value for value in row] for row in rows]
    return torch.tensor(rows, dtype=torch.float64, device="cpu")
