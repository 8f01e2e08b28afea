"""The README's example runs and gives what it says."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def test_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    names: dict = {}
    exec(compile(example, README.name, "exec"), names)
    samples = names["run"].samples
    assert samples.shape == (1000, 2)
    assert (samples.abs() > 1.0).double().mean() > 0.95  # the corners are at (±3, ±3)
