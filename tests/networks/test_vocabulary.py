"""From prompts to tokens."""

import pytest
import torch
from projcomp.networks import Vocabulary


@pytest.fixture
def vocabulary():
    return Vocabulary(("a", "ball", "blue", "left", "on", "red", "the"), length=6)


def test_tokens_are_the_words_in_order(vocabulary):
    tokens = vocabulary.encode("A red ball, on the left.")
    assert tokens.tolist() == [[1, 6, 2, 5, 7, 4]] and tokens.dtype == torch.int64
    assert vocabulary.encode("red").tolist() == [[6, 0, 0, 0, 0, 0]]
    assert vocabulary.encode("").tolist() == [[0] * 6]
    assert len(vocabulary) == 8 and repr(vocabulary) == "Vocabulary(7 words)"


@pytest.mark.parametrize(
    ("prompt", "match"),
    [
        ("a red bal", r"never taught the word 'bal'; did you mean 'ball'\?"),
        ("leftt", r"did you mean 'left'\?"),
        ("zebra", r"never taught the word 'zebra'$"),
        ("a a a a a a a", "at most 6 words, got 7"),
        (None, "prompt must be a string, got None"),
        (["red"], "prompt must be a string"),
    ],
)
def test_a_prompt_that_cannot_be_read(vocabulary, prompt, match):
    with pytest.raises(ValueError, match=match):
        vocabulary.encode(prompt)


@pytest.mark.parametrize("words", [(), ("red", "red"), ("Red",), ("two words",), ("",)])
def test_bad_words(words):
    with pytest.raises(ValueError, match="words must be distinct words in lower case"):
        Vocabulary(words)


def test_a_bad_length():
    with pytest.raises(ValueError, match="length"):
        Vocabulary(("red",), length=0)
