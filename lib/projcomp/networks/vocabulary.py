"""From a prompt to tokens: one for each word, none for a word that nobody taught."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp import _check

LENGTH = 20
PAD = 0


class Vocabulary:
    """The words that a network knows; their tokens are 1, 2, ... in this order, and 0 is no word.

    words: distinct, in lower case. length: tokens of a prompt, filled up with 0.
    Raises ValueError for words that repeat or are not plain.
    """

    def __init__(self, words: Sequence[str], length: int = LENGTH):
        self.words, self.length = tuple(words), _check.count("length", length)
        bad = [word for word in self.words if not re.fullmatch(r"[a-z]+", word)]
        if bad or len(set(self.words)) != len(self.words) or not self.words:
            raise ValueError(f"words must be distinct words in lower case, got {bad or words}")
        self._tokens = {word: index for index, word in enumerate(self.words, 1)}

    def __len__(self):
        return len(self.words) + 1

    def __repr__(self):
        return f"Vocabulary({len(self.words)} words)"

    def split(self, prompt: str) -> list[str]:
        """The words of a prompt. Case and punctuation do not matter.

        Raises ValueError for what is no string, for a word that is not known, with the nearest
        ones, and for more words than `length`.
        """
        if not isinstance(prompt, str):
            raise ValueError(f"prompt must be a string, got {prompt!r}")
        found = re.findall(r"[^\s,.:;!?\"()]+", prompt.lower())
        for word in found:
            if word not in self._tokens:
                near = self.nearest(word)
                hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
                raise ValueError(f"prompt: the network was never taught the word {word!r}{hint}")
        if len(found) > self.length:
            raise ValueError(
                f"prompt must have at most {self.length} words, got {len(found)}: {prompt!r}"
            )
        return found

    def encode(self, prompt: str) -> Tensor:
        """The tokens of a prompt: (1, length) int64. Raises ValueError as `split`."""
        tokens = [self._tokens[word] for word in self.split(prompt)]
        filled = tokens + [PAD] * (self.length - len(tokens))
        return torch.tensor([filled], dtype=torch.int64, device="cpu")

    def nearest(self, word: str, count: int = 3) -> list[str]:
        """Up to `count` known words that look like `word`, the most alike first."""
        return difflib.get_close_matches(word, self.words, count, cutoff=0.6)
