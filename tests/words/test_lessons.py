"""Training on pictures that are made while training."""

import json
import sys
from pathlib import Path

import pytest
import torch
from projcomp import networks, words
from projcomp.networks.words import blank_words
from safetensors.torch import load_file

TOOLS = Path(__file__).resolve().parents[2] / "tools"
if str(TOOLS) not in sys.path:
    sys.path.append(str(TOOLS))

import train_words as tool  # noqa: E402

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


PHASES = (tool.Phase(2, 0.02, (0.0, 1.5)), tool.Phase(2, 0.02, (-0.6, 1.0)))


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(tool, "BATCH", 4)


def trained(folder, phases=PHASES, again=False):
    folder.mkdir(exist_ok=True)
    tool.train(folder, again, phases)
    card = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    return load_file(folder / "words.safetensors"), card


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_phases_one_by_one_are_the_same_as_together(small_batches, tmp_path, capsys):
    whole, card = trained(tmp_path / "whole")
    first, _ = trained(tmp_path / "part", PHASES[:1])
    rest, other = trained(tmp_path / "part")
    assert same(whole, rest) and not same(whole, first)
    assert card["words"] == list(words.words()) == other["words"]
    assert [phase["curve"] for phase in card["phases"]] == [p["curve"] for p in other["phases"]]
    assert [phase["pictures"] for phase in card["phases"]] == [8, 8]
    assert not list((tmp_path / "part").glob("*.checkpoint"))
    before = (tmp_path / "part" / "words.safetensors").stat().st_mtime_ns
    trained(tmp_path / "part")
    assert (tmp_path / "part" / "words.safetensors").stat().st_mtime_ns == before
    anew, _ = trained(tmp_path / "part", PHASES[:1], again=True)
    assert same(anew, first)
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_the_shipped_network_was_trained_in_these_phases():
    card = json.loads(networks.words.VOCABULARY.read_text(encoding="utf-8"))
    assert card["words"] == list(words.words())
    for phase, told in zip(tool.PHASES, card["phases"], strict=True):
        assert tool.Phase(told["steps"], told["rate"], tuple(told["log_sigma"])) == phase
    first = card["phases"][0]
    assert first["last"] < 0.5 * first["first"]
