"""What was seen in pictures, and whether that is as prompts say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp._text import Brief
from projcomp.words.captions import meaning
from projcomp.words.styles import HIDDEN, STYLES
from projcomp.words.world import ATTRIBUTES, OBJECT, PLACES, UNSEEN

FACTS = ("shape", "colour", "material", "size", "floor", "style")
"""What a judge sees: the first four of every object, the others of the whole picture."""
FAINT, SOLID = 0.2, 0.8
"""Opacities from which something is there at all, and from which it counts as an object.

What is half an object and half bare floor is seen as .56 or so, in blueprints as .68.
"""


@dataclass(frozen=True, repr=False)
class Seen(Brief):
    """What was seen in N pictures.

    opacity: (N, 4) how solid what stands at each of PLACES is: 0 nothing, 1 an object. facts: for
    each of FACTS indices into its ATTRIBUTES, (N, 4) of the objects, (N,) of floor and style;
    `UNSEEN` where the picture's style hides it, and where an opacity is below FAINT. sure: for each
    the chance, in (0, 1), that was given to what was named.

    An object is solid from an opacity of SOLID. What is paler takes no part in what is asked below.
    """

    opacity: Tensor
    facts: dict[str, Tensor]
    sure: dict[str, Tensor]

    @classmethod
    def of(cls, places: Tensor, whole: Tensor) -> Seen:
        """From what a `Judge` answers: places (N, 4, 14) and whole (N, 9)."""
        sizes = [len(ATTRIBUTES[name]) for name in FACTS]
        scores = [*places[..., 1:].split(sizes[:4], -1), *whole.split(sizes[4:], -1)]
        best = {name: s.softmax(-1).max(-1) for name, s in zip(FACTS, scores, strict=True)}
        facts, opacity = {name: found.indices for name, found in best.items()}, places[..., 0]
        for name in FACTS[:4]:
            facts[name] = facts[name].masked_fill(opacity < FAINT, UNSEEN)
        for index, style in enumerate(STYLES):
            for name in HIDDEN.get(style, ()):
                facts[name][facts["style"] == index] = UNSEEN
        return cls(opacity, facts, {name: found.values for name, found in best.items()})

    def __len__(self):
        return len(self.opacity)

    def __getitem__(self, rows) -> Seen:
        """What was seen in some of the pictures: rows as of a tensor, (M,) indices or (N,) bool."""
        parts = ({name: v[rows] for name, v in part.items()} for part in (self.facts, self.sure))
        return Seen(self.opacity[rows], *parts)

    @property
    def solid(self) -> Tensor:
        """(N, 4) whether a solid object stands at each place."""
        return self.opacity >= SOLID

    @property
    def count(self) -> Tensor:
        """(N,) how many solid objects there are."""
        return self.solid.sum(1)

    def fits(self, prompt: str) -> Tensor:
        """Which pictures are as a prompt says: (N,) bool.

        One solid object has everything that the prompt names of an object, its place included, and
        floor and style are as named. There may be more objects. Of "empty" there is nothing at all,
        not even something faint; "" fits any picture. What the picture's own style hides is not
        held against it: a blueprint of a ball fits "a red ball". What contradicts itself fits
        nothing. Raises ValueError for what is no string.
        """
        return self._fits(meaning(prompt), True)

    def all(
        self, prompts: Sequence[str], without: Sequence[str] = (), *, alone: bool = False
    ) -> Tensor:
        """Which pictures are as all prompts say, show nothing else, and nothing of `without`: (N,).

        A picture fits every prompt; every solid object is as one of the prompts says that speak of
        an object, if any does; and it fits none of `without`, where what its style hides counts as
        not there. So for "a red thing" and "a ball" one red ball is right, and so is a red cube
        beside a blue ball. With `alone` there must be exactly one solid object, and all prompts
        are one, which nothing fits if it contradicts itself.

        Raises ValueError for what is no sequence of strings.
        """
        wanted, unwanted = _meanings("prompts", prompts), _meanings("without", without)
        right = self.opacity.new_ones(len(self), dtype=torch.bool)
        if alone:
            wanted, right = [_joined(wanted)], self.count == 1
        for said in wanted:
            right &= self._fits(said, True)
        for said in unwanted:
            right &= ~self._fits(said, False)
        of_objects = [self._objects(said, True) for said in wanted if _speaks_of_an_object(said)]
        if of_objects:
            right &= (torch.stack(of_objects).any(0) | ~self.solid).all(1)
        return right

    def _fits(self, said: dict[str, list[str]], hidden: bool) -> Tensor:
        """(N,) bool; hidden: the answer about what cannot be seen."""
        right = self._are(said, FACTS[4:], hidden)
        if "object" in said:
            right = right & (self.opacity < FAINT).all(1)
        if _speaks_of_an_object(said):
            right = right & self._objects(said, hidden).any(1)
        return right

    def _objects(self, said: dict[str, list[str]], hidden: bool) -> Tensor:
        """(N, 4) which solid objects have all that is said of an object."""
        right = self.solid & self._are(said, FACTS[:4], hidden)
        for name in ("across", "depth"):
            for value in said.get(name, ()):
                here = [value in place for place in PLACES]
                right = right & torch.tensor(here, device=right.device)
        return right

    def _are(self, said: dict[str, list[str]], names: Sequence[str], hidden: bool) -> Tensor:
        """Whether these attributes are as said: (N, 4) of objects, (N,) of the picture."""
        right = torch.ones_like(self.facts[names[0]], dtype=torch.bool)
        for name in names:
            values, seen = said.get(name, []), self.facts[name]
            if len(values) > 1:
                right = torch.zeros_like(right)
            elif values:
                same = seen == ATTRIBUTES[name].index(values[0])
                right = right & (same | (seen == UNSEEN) if hidden else same)
        return right


def _speaks_of_an_object(said: dict[str, list[str]]) -> bool:
    return any(name in said for name in OBJECT)


def _joined(meanings: list[dict[str, list[str]]]) -> dict[str, list[str]]:
    """All that is said, of one thing."""
    joined: dict[str, list[str]] = {}
    for said in meanings:
        for name, values in said.items():
            joined[name] = list(dict.fromkeys([*joined.get(name, ()), *values]))
    return joined


def _meanings(name: str, prompts) -> list[dict[str, list[str]]]:
    if isinstance(prompts, str):
        raise ValueError(f"{name} must be a sequence of strings, got {prompts!r}")
    return [meaning(prompt) for prompt in prompts]
