"""Prompts of the world with words: what is asked, what is composed, and what is wanted.

`tools/count_words.py` counts with them. Nothing is chosen by hand but the first case of each kind,
which the chapter shows; the others are drawn, as are the prompts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from counting import source
from projcomp import words
from projcomp.networks.vocabulary import LENGTH

PROMPTS, CASES = 200, 16
"""Random prompts, and cases of each kind of composition."""
DRAWN = {2: 16, 3: 18}
"""How many of the prompts that are paired name so many attributes, beside all that name one."""
PLACES = ("across", "depth")
SCENE = ("floor", "style")
OVER = ("", "empty", "told")
"""Backgrounds: anything, the bare floor, and one that is told what all prompts share."""
KINDS_OF_PAIRS = (
    "two places", "attributes", "content and scene", "floor and style", "never seen",
    "contradiction",
)  # fmt: skip

Facts = dict[str, str]


class Case(NamedTuple):
    """A composition, and what is wanted of it.

    prompts: what is composed. without: what is taken away, with the weight -1. objects: how many
    there should be. over: the background's prompt. once: one prompt that says it all, where it is
    not too long.
    """

    prompts: tuple[str, ...]
    without: tuple[str, ...] = ()
    objects: int = 1
    over: str = ""
    once: str | None = None

    @property
    def weights(self) -> list[float]:
        return [1.0] * len(self.prompts) + [-1.0] * len(self.without)

    def __str__(self):
        text = " AND ".join(self.prompts)
        return " NOT ".join([text, *self.without])


def plain(facts: Facts) -> str:
    return words.caption(facts, plain=True)


@cache
def said() -> list[str]:
    """Random prompts: captions of fresh pictures, all different, but for what says nothing."""
    generator = source("words", "said")
    facts = words.depictions(2 * PROMPTS, generator).facts
    captions = dict.fromkeys(words.said_of(row, generator) for row in facts)
    return [caption for caption in captions if words.meaning(caption)][:PROMPTS]


def values(generator: torch.Generator, *names: str) -> Facts:
    """A value for each attribute, drawn evenly; never the combination that is held out."""
    while True:
        facts = {name: words.ATTRIBUTES[name][_below(name, generator)] for name in names}
        if not words.HELD_OUT.items() <= facts.items():
            return facts


def _below(name: str, generator: torch.Generator) -> int:
    return int(torch.randint(len(words.ATTRIBUTES[name]), (), generator=generator))


def _shuffled(name: str, generator: torch.Generator) -> list[str]:
    order = torch.randperm(len(words.ATTRIBUTES[name]), generator=generator).tolist()
    return [words.ATTRIBUTES[name][place] for place in order]


# Of each kind: facts of every prompt, drawn with a generator.


def _objects(generator, *places: Facts) -> list[Facts]:
    """An object of any shape and colour for each place."""
    return [values(generator, "shape", "colour") | place for place in places]


def _sides(generator) -> list[Facts]:
    return _objects(generator, {"across": "left"}, {"across": "right"})


def _corners(count: int) -> Callable:
    corners = [dict(zip(PLACES, place, strict=True)) for place in itertools.product(
        *(words.ATTRIBUTES[name] for name in PLACES))]  # fmt: skip

    def draw(generator):
        order = torch.randperm(len(corners), generator=generator).tolist()[:count]
        return _objects(generator, *(corners[place] for place in order))

    return draw


def _apart(*names: str) -> Callable:
    """One attribute of the same object in each prompt."""

    def draw(generator):
        facts = values(generator, *names)
        return [{name: facts[name]} for name in names]

    return draw


def _content_and_style(generator) -> list[Facts]:
    """An object that the style does not hide anything of."""
    facts = values(generator, "shape", "colour", "style")
    if facts["style"] == "blueprint":
        return _content_and_style(generator)
    return [{name: facts[name] for name in ("shape", "colour")}, {"style": facts["style"]}]


def _two_colours(generator) -> list[Facts]:
    return [{"colour": name} for name in _shuffled("colour", generator)[:2]]


def _hidden(generator) -> list[Facts]:
    return [values(generator, "colour"), {"style": "blueprint"}]


class Kind(NamedTuple):
    """first: the facts that the chapter shows. draw: those of another case. shared: what the told
    background and all prompts name besides. taken: how many of the prompts are taken away."""

    first: tuple[Facts, ...]
    draw: Callable | None
    shared: tuple[str, ...]
    objects: int = 1
    taken: int = 0


RED_BALL = {"colour": "red", "shape": "ball"}
BLUE_CUBE = {"colour": "blue", "shape": "cube"}
GREEN_CYLINDER = {"colour": "green", "shape": "cylinder"}
YELLOW_BALL = {"colour": "yellow", "shape": "ball"}
_CORNERS = (
    RED_BALL | {"across": "left", "depth": "front"},
    BLUE_CUBE | {"across": "right", "depth": "front"},
    GREEN_CYLINDER | {"across": "left", "depth": "back"},
    YELLOW_BALL | {"across": "right", "depth": "back"},
)
KINDS = {
    "two places": Kind(
        (RED_BALL | {"across": "left"}, BLUE_CUBE | {"across": "right"}), _sides, SCENE, 2
    ),
    "shape and colour": Kind(
        ({"shape": "ball"}, {"colour": "red"}), _apart("shape", "colour"), PLACES
    ),
    "content and style": Kind((RED_BALL, {"style": "night"}), _content_and_style, PLACES),
    "two colours": Kind(({"colour": "red"}, {"colour": "blue"}), _two_colours, PLACES),
    "not": Kind(
        ({"shape": "ball"}, {"colour": "red"}), _apart("shape", "colour"), PLACES, taken=1
    ),
    "held out": Kind(({"shape": "cylinder"}, {"colour": "purple"}), None, PLACES),
    "never together": Kind(({"colour": "red"}, {"style": "blueprint"}), _hidden, PLACES),
    "one corner": Kind(_CORNERS[:1], _corners(1), SCENE, 1),
    "two corners": Kind(_CORNERS[:2], _corners(2), SCENE, 2),
    "three corners": Kind(_CORNERS[:3], _corners(3), SCENE, 3),
    "four corners": Kind(_CORNERS, _corners(4), SCENE, 4),
    "three attributes": Kind(
        ({"shape": "ball"}, {"colour": "red"}, {"across": "left"}),
        _apart("shape", "colour", "across"), SCENE,
    ),
}  # fmt: skip


@cache
def cases(kind: str, over: str) -> list[Case]:
    """The cases of a kind over a background, one of `OVER`. The same facts over each."""
    form, generator = KINDS[kind], source("words", kind)
    found = []
    for place in range(CASES):
        facts = form.first if place == 0 or form.draw is None else form.draw(generator)
        shared = values(generator, *form.shared)
        if over == "told":
            facts = [one | shared for one in facts]
        found.append(_case(form, facts, over, shared))
    return found


def _case(form: Kind, facts, over: str, shared: Facts) -> Case:
    prompts = [plain(one) for one in facts]
    count = len(prompts) - form.taken
    if over == "told":
        bare = {"object": "none"} if form.shared == SCENE else {}
        over = plain(shared | bare)
    once = None
    if not form.taken:
        alike = all(agree(*pair) for pair in itertools.combinations(facts, 2))
        merged = {name: value for one in facts for name, value in one.items()}
        once = plain(merged) if alike else " ".join(prompts)
        once = once if len(once.split()) <= LENGTH else None
    return Case(tuple(prompts[:count]), tuple(prompts[count:]), form.objects, over, once)


def agree(one: Facts, other: Facts) -> bool:
    return not differing(one, other)


def differing(one: Facts, other: Facts) -> set[str]:
    return {name for name in one.keys() & other.keys() if one[name] != other[name]}


@cache
def paired() -> list[tuple[str, Facts]]:
    """The prompts of which all pairs are composed: all that name one attribute, and a draw of those
    that name two and three. Of these the attributes are those that were named least so far."""
    generator = source("words", "paired")
    found = [{name: value} for name, options in words.ATTRIBUTES.items() for value in options]
    for size, count in DRAWN.items():
        named = dict.fromkeys(words.ATTRIBUTES, 0)
        while sum(len(facts) == size for facts in found) < count:
            order = torch.rand(len(named), generator=generator).tolist()
            ranked = sorted(zip(named.values(), order, named, strict=True))
            names = [name for *_, name in ranked[:size]]
            facts = values(generator, *names)
            if facts not in found and facts_can_be_seen(facts):
                found.append(facts)
                named |= {name: named[name] + 1 for name in names}
    return [(plain(facts), facts) for facts in found]


def facts_can_be_seen(facts: Facts) -> bool:
    return not facts.keys() & set(words.HIDDEN.get(facts.get("style", ""), ()))


@cache
def pairs() -> list[tuple[int, int]]:
    return list(itertools.combinations(range(len(paired())), 2))


def kind_of(one: Facts, other: Facts) -> str:
    """One of `KINDS_OF_PAIRS`, by what the two prompts name."""
    apart = differing(one, other)
    if apart & set(SCENE):
        return "contradiction"
    if apart & set(PLACES):
        return "two places"
    if apart:
        return "contradiction"
    if not facts_can_be_seen(one | other) or words.HELD_OUT.items() <= (one | other).items():
        return "never seen"
    scenes = [facts.keys() <= set(SCENE) for facts in (one, other)]
    if any(scenes):
        return "floor and style" if all(scenes) else "content and scene"
    return "attributes"
