"""Captions: they say what is in the picture, and prompts mean what captions say."""

import pytest
import torch
from projcomp import words
from projcomp.networks import Vocabulary
from projcomp.words.captions import NAMED, SILENT

NAMES = list(words.ATTRIBUTES)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def shown():
    return words.depictions(1500, seeded(0))


@pytest.fixture(scope="module")
def said(shown):
    generator = seeded(1)
    return [words.said_of(row, generator) for row in shown.facts]


def test_every_caption_is_true_of_its_picture(shown, said):
    for row, prompt in zip(shown.facts, said, strict=True):
        assert bool(words.true_of(prompt, row[None])), (prompt, row)


def test_a_caption_of_another_picture_is_rarely_true(shown, said):
    true = [float(words.true_of(prompt, shown.facts).double().mean()) for prompt in said[:200]]
    told = [share for share, prompt in zip(true, said, strict=False) if words.meaning(prompt)]
    assert max(told) < 0.9 and sum(told) / len(told) < 0.3


def test_how_much_captions_say(shown, said):
    there = shown.facts[:, 0] != words.UNSEEN
    chances, named = [], []
    for row, prompt in zip(shown.facts[there], [s for s, t in zip(said, there, strict=True) if t],
                           strict=True):  # fmt: skip
        chances.append(float((row != words.UNSEEN).sum()) * NAMED * (1 - SILENT))
        named.append(len(words.meaning(prompt)))
    away = torch.tensor(named) - torch.tensor(chances)
    assert abs(float(away.mean())) < 4 * float(away.std()) / len(away) ** 0.5


def test_every_wording_means_what_it_was_made_of():
    """For every value of every attribute, in many wordings."""
    generator = seeded(2)
    for name, values in words.ATTRIBUTES.items():
        for value in values:
            found = {words.caption({name: value}, generator) for _ in range(60)}
            assert len(found) > 1
            for prompt in found:
                assert words.meaning(prompt) == {name: [value]}, prompt
    for _ in range(60):
        assert words.meaning(words.caption({"object": "none"}, generator)) == {"object": ["none"]}


def test_every_word_is_used_and_known(said):
    used = {word for prompt in said for word in prompt.split()}
    known = set(words.words())
    assert used <= known
    generator = seeded(3)
    for name, values in words.ATTRIBUTES.items():
        for value in values:
            for _ in range(200):
                used |= set(words.caption({name: value}, generator).split())
    for _ in range(200):
        used |= set(words.caption({"object": "none"}, generator).split())
    assert used == known
    vocabulary = Vocabulary(words.words())
    assert max(len(vocabulary.split(prompt)) for prompt in said) < vocabulary.length


def test_a_contradiction_has_several_values_and_no_picture(shown):
    assert words.meaning("a red blue ball, on the Left.") == {
        "colour": ["red", "blue"],
        "shape": ["ball"],
        "across": ["left"],
    }
    assert not words.true_of("red blue", shown.facts).any()
    assert words.true_of("", shown.facts).all()


def test_empty_is_the_bare_floor(shown):
    bare = (shown.facts[:, 0] == words.UNSEEN) & (shown.facts[:, 7] == 1)
    assert torch.equal(words.true_of("empty at night", shown.facts), bare) and bare.any()


@pytest.mark.parametrize(
    ("facts", "match"),
    [
        ({"shape": "cone"}, r"facts\['shape'\] must be one of"),
        ({"taste": "sweet"}, r"facts\['taste'\]"),
        ({"object": "none", "colour": "red"}, "not there"),
    ],
)
def test_what_cannot_be_said_is_refused(facts, match):
    with pytest.raises(ValueError, match=match):
        words.caption(facts)


@pytest.mark.parametrize("prompt", [None, 3, ["red"]])
def test_a_prompt_is_a_string(prompt):
    with pytest.raises(ValueError, match="prompt must be a string"):
        words.meaning(prompt)
