"""Words for people: text that the console can show."""

from __future__ import annotations

import sys

_PLAIN = {
    "±": "+-", "σ": "sigma", "ᵥ": "_v", "Δ": "Delta", "π": "pi", "√": "sqrt", "·": ".", "×": "x",
    "–": "-", "—": "-", "─": "-", "’": "'", "“": '"', "”": '"', "…": "...", "≤": "<=", "≥": ">=",
    "°": " degrees", "²": "^2", "→": "->", "✓": "ok", "∈": "in", "½": "1/2",
}  # fmt: skip


def printable(text: str) -> str:
    """`text` as it is where the standard output can show it, else in ASCII letters."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        plain = text.translate(str.maketrans(_PLAIN))
        return plain.encode("ascii", "replace").decode("ascii")
    return text
