"""Generated pictures with labels by eye, and how far two who looked agree."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from projcomp import _check
from projcomp._modes import CPU32
from projcomp._text import Brief
from projcomp.words.captions import meaning
from projcomp.words.judging import WEIGHTS
from projcomp.words.seen import FACTS, Seen
from projcomp.words.world import ATTRIBUTES, OBJECT, PIXELS, UNSEEN

LABELS = Path(__file__).parent / "labels"
PALE = 0.45
"""The opacity that a label gives to something pale."""


@dataclass(frozen=True, repr=False)
class Labelled(Brief):
    """Generated pictures, and what was seen in them by eye.

    pictures: (N, 3, 32, 32). rows: (N,) list: what was asked for, as in ROWS of
    tools/draw_words_for_labels.py. by: what each who looked saw, by name.
    """

    pictures: Tensor
    rows: list[str]
    by: dict[str, Seen]


def labelled() -> Labelled:
    """The pictures drawn by tools/draw_words_for_labels.py, and their labels.

    labels.json holds the rows, and for each who looked, for every picture, a list of strings in the
    words of the world: first floor and style, then all that stands there, with its place. What is
    paler than an object begins with "pale", what could be either with "unsure"; what can't be told
    is left out: ["at night on sand", "small red ball front left", "pale cube back right"].
    """
    pictures = load_file(LABELS / "generated.safetensors")["pictures"]
    found = json.loads((LABELS / "labels.json").read_text(encoding="utf-8"))
    by = {name: described(rows) for name, rows in found["by"].items()}
    return Labelled(pictures.reshape(-1, 3, PIXELS, PIXELS).float() / 255.0, found["rows"], by)


def described(labels: list[list[str]]) -> Seen:
    """What labels say of N pictures, in the form of `labelled`.

    Opacities are 1, PALE, 0, or NaN where the label is unsure.
    Raises ValueError for an unknown word, and for a thing without one place of its own.
    """
    names = list(ATTRIBUTES)
    facts = torch.full((len(labels), 4, len(names)), UNSEEN, dtype=torch.int64, device="cpu")
    opacity = torch.zeros(len(labels), 4, **CPU32)
    for row, (whole, *things) in enumerate(labels):
        for name, value in _said(whole).items():
            facts[row, :, names.index(name)] = value
        for thing in things:
            kind = thing.split()[0]
            said = _said(thing.removeprefix(kind) if kind in ("pale", "unsure") else thing)
            try:
                place = 2 * said["depth"] + said["across"]
            except KeyError:
                raise ValueError(f"labels must say where a thing stands, got {thing!r}") from None
            if opacity[row, place] != 0:
                raise ValueError(f"labels must have one thing at a place, got {labels[row]}")
            opacity[row, place] = {"pale": PALE, "unsure": torch.nan}.get(kind, 1.0)
            for name in OBJECT:
                facts[row, place, names.index(name)] = said.get(name, UNSEEN)
    return given(facts, opacity)


def given(facts: Tensor, opacity: Tensor) -> Seen:
    """What is known of N pictures: facts (N, 4, 8) and opacity (N, 4) at each of PLACES."""
    names = list(ATTRIBUTES)
    of_objects = {name: facts[..., names.index(name)] for name in FACTS[:4]}
    of_pictures = {name: facts[:, 0, names.index(name)] for name in FACTS[4:]}
    known = of_objects | of_pictures
    sure = {name: torch.ones_like(values, dtype=torch.float32) for name, values in known.items()}
    return Seen(opacity, known, sure)


def confusion(one: Seen, other: Seen) -> dict[str, Tensor]:
    """How often what `one` saw (rows) was something else (columns) to `other`.

    "place": (2, 2), no solid object or one, of all places of which both are sure. For each of FACTS
    a matrix of its values, of pictures, or of objects that are solid to both; `UNSEEN` is left out.
    """
    sure = ~(one.opacity.isnan() | other.opacity.isnan())
    both = one.solid & other.solid
    found = {"place": _table(one.solid[sure].long(), other.solid[sure].long(), 2)}
    for name in FACTS:
        mine, theirs = one.facts[name], other.facts[name]
        told = (mine != UNSEEN) & (theirs != UNSEEN)
        told = told & both if told.ndim == 2 else told
        found[name] = _table(mine[told], theirs[told], len(ATTRIBUTES[name]))
    return found


def judged(scenes: str = "one") -> dict[str, Tensor]:
    """How often the shipped judge saw what is there (rows) as something else (columns).

    scenes: "one", of 4,000 fresh renders of one object, or "up to four", of 1,000. As `confusion`,
    of all styles together; made by tools/train_judge.py. Raises ValueError for other scenes.
    """
    stored = json.loads(WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
    scenes = _check.choice("scenes", scenes, ("one", "up to four"))
    found: dict[str, Tensor] = {}
    for tables in stored[scenes].values():
        for name, table in tables.items():
            found[name] = found.get(name, 0) + torch.tensor(table, device="cpu")
    return found


def _table(rows: Tensor, columns: Tensor, count: int) -> Tensor:
    return torch.bincount(rows * count + columns, minlength=count**2).reshape(count, count)


def _said(label: str) -> dict[str, int]:
    """The index of each value that a label names. Raises ValueError for an unknown word."""
    found = {}
    for word in label.split():
        said = meaning(word)
        for name, values in said.items():
            if name not in ATTRIBUTES or name in found:
                raise ValueError(f"labels must name things once, got {word!r} in {label!r}")
            found[name] = ATTRIBUTES[name].index(values[0])
        if not said and word not in _SILENT:
            raise ValueError(f"labels must be words of the world, got {word!r} in {label!r}")
    return found


_SILENT = ("a", "as", "at", "by", "in", "on", "the", "art", "floor", "thing")
