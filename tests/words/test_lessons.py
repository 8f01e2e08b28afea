"""Training on pictures that are made while training."""

import pytest
import torch
from projcomp import networks, words
from projcomp.networks.words import blank_words

VOCABULARY = networks.Vocabulary(words.words())
RECIPE = {"batch": 4, "rate": 1e-3}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_a_lesson_is_pictures_and_true_captions():
    clean, told = words.lessons(VOCABULARY).draw(40, seeded(0))
    assert clean.shape == (40, 3072) and told.shape == (40, VOCABULARY.length)
    shown = words.depictions(40, seeded(0))
    assert torch.equal(clean, shown.pictures.flatten(1))
    for row, facts in zip(told, shown.facts, strict=True):
        prompt = " ".join(VOCABULARY.words[token - 1] for token in row.tolist() if token)
        assert bool(words.true_of(prompt, facts[None])), prompt


def test_an_interrupted_run_ends_with_the_same_numbers(tmp_path):
    class Enough(Exception):
        pass

    def run(checkpoint, stop=None):
        model = blank_words(VOCABULARY, seeded(1))
        lessons, drawn = words.lessons(VOCABULARY), []

        def draw(n, generator):
            drawn.append(n)
            if stop is not None and len(drawn) > stop:
                raise Enough
            return lessons.draw(n, generator)

        recipe = networks.Recipe(4, checkpoint=checkpoint, every=1, **RECIPE)
        stream = networks.Stream(draw, lessons.name)
        found = networks.train(model, stream, recipe, generator=seeded(2))
        return found.losses, model.state_dict(), len(drawn)

    whole = run(tmp_path / "whole")
    with pytest.raises(Enough):
        run(tmp_path / "part", stop=2)
    rest = run(tmp_path / "part")
    assert (whole[2], rest[2]) == (4, 2)
    assert torch.equal(whole[0], rest[0])
    assert all(torch.equal(whole[1][name], rest[1][name]) for name in whole[1])


def test_a_checkpoint_of_other_lessons_is_refused(tmp_path):
    lessons = words.lessons(VOCABULARY)
    recipe = networks.Recipe(1, checkpoint=tmp_path / "run", **RECIPE)
    networks.train(blank_words(VOCABULARY), lessons, recipe, generator=seeded(2))
    other = networks.Stream(lessons.draw, "other words")
    with pytest.raises(ValueError, match="stream is words, wanted other words"):
        networks.train(blank_words(VOCABULARY), other, recipe, generator=seeded(2))
