"""What is said of a picture, in several wordings, and what a prompt says.

A caption names some of what can be seen and leaves the rest open. It is built of a noun with its
adjectives and of phrases in any order::

    a small red ball on the left at the back on sand at night
    pixel art: something shiny
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import CPU32
from projcomp.words.world import ATTRIBUTES, OBJECT, UNSEEN

NAMED = 0.5
"""The chance that a caption names an attribute that can be seen."""
SILENT = 0.1
"""The share of captions that say nothing at all: the empty one, which means anything."""

_NOUNS = {
    "ball": ("ball", "sphere", "globe", "orb"),
    "cube": ("cube", "box", "block", "dice"),
    "cylinder": ("cylinder", "can", "tin", "drum"),
    None: ("thing", "object", "item"),
}
_ADJECTIVES = {
    "small": ("small", "little", "tiny"),
    "large": ("large", "big", "huge"),
    "matte": ("matte", "rubber", "dull"),
    "shiny": ("shiny", "metal", "glossy", "metallic"),
    "red": ("red", "scarlet", "crimson"),
    "yellow": ("yellow", "lemon", "golden"),
    "green": ("green", "emerald"),
    "cyan": ("cyan", "turquoise", "teal"),
    "blue": ("blue", "navy", "azure"),
    "purple": ("purple", "violet"),
}
_PHRASES = {
    "left": ("on the left", "to the left", "at the left side"),
    "right": ("on the right", "to the right", "at the right side"),
    "front": ("at the front", "in front", "in the foreground", "nearby"),
    "back": ("at the back", "behind", "in the background", "far away"),
    "grey": ("on a grey floor", "on grey", "on concrete", "on grey ground"),
    "sand": ("on a sand floor", "on sand", "on sandy ground", "on a beach"),
    "mint": ("on a mint floor", "on mint", "on grass", "on a lawn"),
    "day": ("by day", "in daylight", "in sunshine", "a photo"),
    "night": ("at night", "by night", "in the dark", "in moonlight"),
    "fog": ("in fog", "in the mist", "foggy", "hazy"),
    "pencil": ("in pencil", "pencil drawing", "a sketch", "in crayon"),
    "blueprint": ("as a blueprint", "blueprint", "a technical drawing", "a plan"),
    "pixel art": ("as pixel art", "pixel art", "pixelated", "in square pixels"),
}
_EMPTY = ("empty", "nothing", "an empty floor", "no object")
_TELLING = {
    "across": {"left": "left", "right": "right"},
    "depth": {
        "front": "front foreground nearby",
        "back": "back behind background far",
    },
    "floor": {
        "grey": "grey concrete",
        "sand": "sand sandy beach",
        "mint": "mint grass lawn",
    },
    "style": {
        "day": "day daylight sunshine photo",
        "night": "night dark moonlight",
        "fog": "fog mist foggy hazy",
        "pencil": "pencil sketch crayon",
        "blueprint": "blueprint technical plan",
        "pixel art": "pixel pixels pixelated",
    },
}
"""The word of each phrase that says what it means."""
_MEANING = {
    **{word: ("shape", kind) for kind, words in _NOUNS.items() if kind for word in words},
    **{
        word: (attribute, kind)
        for attribute in ("size", "material", "colour")
        for kind in ATTRIBUTES[attribute]
        for word in _ADJECTIVES[kind]
    },
    **{
        word: (attribute, kind)
        for attribute, kinds in _TELLING.items()
        for kind, words in kinds.items()
        for word in words.split()
    },
    **{word: ("object", "none") for word in ("empty", "nothing", "no")},
}


def words() -> tuple[str, ...]:
    """All words that captions are made of, in alphabetical order."""
    phrases = [*_PHRASES.values(), *_NOUNS.values(), *_ADJECTIVES.values(), _EMPTY]
    used = " ".join(phrase for group in phrases for phrase in group) + " a"
    return tuple(sorted(set(used.split())))


def caption(
    facts: dict[str, str], generator: torch.Generator | None = None, plain: bool = False
) -> str:
    """One wording of exactly these facts, a dict of attributes and their values.

    The bare floor has none of the object's attributes, and is said to be empty where `facts` holds
    "object": "none". plain: the plainest wording, always the same; else any. Raises ValueError for
    what is no attribute or no value of it.
    """
    facts = dict(facts)
    bare = facts.pop("object", None) == "none"
    for name, value in facts.items():
        _check.choice(f"facts[{name!r}]", value, ATTRIBUTES.get(name, ()))
    if bare and any(name in facts for name in OBJECT):
        raise ValueError(f"facts must name nothing of an object that is not there, got {facts}")

    def pick(options):  # the first, the plainest, half of the time
        if plain:
            return options[0]
        draw = float(torch.rand((), generator=generator, **CPU32))
        return options[max(0, int((2.0 * draw - 1.0) * len(options)))]

    if bare:
        head = pick(_EMPTY)
    else:
        adjectives = [pick(_ADJECTIVES[facts[name]])
                      for name in ("size", "material", "colour") if name in facts]  # fmt: skip
        head = " ".join(["a", *adjectives, pick(_NOUNS[facts.get("shape")])])
    phrases = [pick(_PHRASES[facts[name]])
               for name in ("across", "depth", "floor", "style") if name in facts]  # fmt: skip
    if not plain:
        order = torch.randperm(len(phrases), generator=generator, device="cpu").tolist()
        phrases = [phrases[index] for index in order]
    if not bare and "shape" not in facts and not adjectives and phrases:
        head = pick((head, ""))  # as "at night"
    return " ".join(filter(None, [head, *phrases]))


def said_of(row: Tensor, generator: torch.Generator | None = None) -> str:
    """A caption of one picture, of its facts (8,): it names about half of what can be seen."""
    draws = torch.rand(len(ATTRIBUTES) + 1, generator=generator, **CPU32).tolist()
    if draws[-1] < SILENT:
        return ""
    values = dict(zip(ATTRIBUTES, row.tolist(), strict=True))
    facts = {
        name: ATTRIBUTES[name][value]
        for (name, value), draw in zip(values.items(), draws, strict=False)
        if value != UNSEEN and draw < NAMED
    }
    if values["shape"] == UNSEEN:
        facts["object"] = "none"
    return caption(facts, generator)


def meaning(prompt: str) -> dict[str, list[str]]:
    """What a prompt says: for every attribute that it names the values, in the order named.

    "object" has the value "none" for the bare floor. A prompt that contradicts itself has several
    values. Words without a meaning of their own, and unknown ones, say nothing. Raises ValueError
    for what is no string.
    """
    if not isinstance(prompt, str):
        raise ValueError(f"prompt must be a string, got {prompt!r}")
    facts: dict[str, list[str]] = {}
    for word in re.findall(r"[a-z]+", prompt.lower()):
        name, value = _MEANING.get(word, (None, None))
        if name is not None and value not in facts.setdefault(name, []):
            facts[name].append(value)
    return facts


def true_of(prompt: str, facts: Tensor) -> Tensor:
    """Which of N pictures, by their facts (N, 8), are as a prompt says: (N,) bool.

    An attribute that cannot be seen in a picture is not as the prompt says. Of a prompt that
    contradicts itself no picture is.
    """
    said = meaning(prompt)
    answer = torch.ones(len(facts), dtype=torch.bool, device=facts.device)
    for column, (name, values) in enumerate(ATTRIBUTES.items()):
        for value in said.get(name, []):
            answer &= facts[:, column] == values.index(value)
    if "object" in said:
        answer &= facts[:, 0] == UNSEEN
    return answer
