"""Words for people: text that the console can show."""

from __future__ import annotations

import dataclasses
import sys

from torch import Tensor

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


class Brief:
    """A dataclass whose repr is one line: of tensors it says the shape."""

    def __repr__(self):
        parts = ", ".join(
            f"{field.name}={_brief(getattr(self, field.name))}"
            for field in dataclasses.fields(self)
        )
        return f"{type(self).__name__}({parts})"


def _brief(value) -> str:
    if isinstance(value, Tensor):
        return "x".join(map(str, value.shape)) or "()"
    if isinstance(value, list | tuple) and len(value) > 3:
        return f"{len(value)} items"
    return repr(value)
