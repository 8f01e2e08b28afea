"""What is stored of the table's prompts: what was drawn, counted by tools/count_emoji.py."""

from __future__ import annotations

from pathlib import Path

from projcomp._counted import Counted, counted

COUNTS = Path(__file__).parent / "data" / "counts.json"


def counts(file=None) -> dict[str, Counted]:
    """All that was counted, by the part, the setting and the way it was drawn.

    file: written by tools/count_emoji.py; None: the one that comes with the library. Raises
    ValueError where it is not there or no such file.
    """
    return counted(COUNTS if file is None else Path(file), "count_emoji.py")
