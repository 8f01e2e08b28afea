"""One figure of each kind, and what it leaves on a static page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import projcomp as pc

from tests.widgets.pictures import rendered
from tests.widgets.tables import table
from tests.widgets.worded import words


def explorer(name: str = "explorer", **options) -> pc.Explorer:
    preset = pc.widgets.PRESETS["factorized"]()
    given = {"show": ["parts", "composition"], "box": [-4, -4, 4, 4], **options}
    return pc.Explorer(preset.background, preset.concepts, name=name, **given)


def sandbox(name: str = "sandbox", **options) -> pc.Sandbox:
    preset = pc.widgets.PRESETS["factorized"]()
    given = {"show": ["parts", "composition"], "box": [-4, -4, 4, 4], **options}
    return pc.Sandbox(preset.background, preset.concepts, name=name, **given)


def square(name: str = "square", **options) -> pc.Square:
    return pc.Square.from_preset("shear", name=name, **options)


def lattice(name: str = "lattice", **options) -> pc.Lattice:
    given = {"chosen": [0, 2, 4, 8], "source": "empty, banks = scenes.on_lattice(24)", **options}
    return pc.Lattice(*rendered(24, 32), name=name, **given)


def prompt(name: str = "prompt", **options) -> pc.Prompt:
    given = {
        "content": "dog",
        "style": "flat",
        "levels": pc.sigma_grid(0.1, 20.0, 24)[:-1],
        "source": "from tests.widgets.tables import table as made\ntable = made()",
        **options,
    }
    return pc.Prompt(table(), name=name, **given)


def text_prompt(name: str = "words", **options) -> pc.TextPrompt:
    given = {
        "prompts": ["a red ball on the left", "not a blue cube"],
        "background": "empty",
        "guidance": 2.0,
        "steps": 4,
        "source": "from tests.widgets.worded import words as made\nwords = made()",
        **options,
    }
    return pc.TextPrompt(words(), name=name, **given)


KINDS: dict[str, Callable] = {
    "explorer": explorer, "sandbox": sandbox, "square": square, "lattice": lattice,
    "prompt": prompt, "words": text_prompt,
}  # fmt: skip


def html_of(figure) -> str:
    """The form that needs no kernel."""
    found = figure._repr_mimebundle_()
    return (found[0] if isinstance(found, tuple) else found)["text/html"]


def state_of(html: str) -> dict:
    """The state that it holds."""
    script = r'<script type="application/json">(.*?)</script>'
    return json.loads(re.search(script, html, re.S)[1])
