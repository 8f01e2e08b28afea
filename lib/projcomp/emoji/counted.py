"""What is stored of the table's prompts: what was drawn, counted by tools/count_emoji.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from projcomp import _check

COUNTS = Path(__file__).parent / "data" / "counts.json"


class Counted(NamedTuple):
    """Some prompts, and what was counted of each.

    columns: the names of what was counted. items: of each prompt what the tool knows it by: the
    number of a cell, or of a pair. found: (items, columns), float64.
    """

    columns: tuple[str, ...]
    items: tuple[int, ...]
    found: Tensor

    def column(self, name: str) -> Tensor:
        """One number for each prompt: (items,). Raises ValueError for another name."""
        return self.found[:, self.columns.index(_check.choice("name", name, self.columns))]


def counts(file=None) -> dict[str, Counted]:
    """All that was counted, by the part, the setting and the way it was drawn.

    file: written by tools/count_emoji.py; None: the one that comes with the library. Raises
    ValueError where it is not there or no such file.
    """
    path = COUNTS if file is None else Path(file)
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {
            key: Counted(
                tuple(part["columns"]),
                tuple(part["items"]),
                torch.tensor(part["found"], dtype=torch.float64, device="cpu"),
            )
            for key, part in stored.items()
        }
    except (OSError, TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"file must be one that tools/count_emoji.py has written, got {str(path)!r}: {error}"
        ) from None
