"""What the judge is taught, and that its training can be interrupted."""

import sys
from pathlib import Path

import pytest
import torch
from projcomp import words
from projcomp.words.labelling import given
from projcomp.words.seen import FACTS, FAINT
from projcomp.words.world import visible

from tests.helpers import seeded

TOOLS = Path(__file__).resolve().parents[2] / "tools"
if str(TOOLS) not in sys.path:
    sys.path.append(str(TOOLS))

import train_judge as tool  # noqa: E402


@pytest.fixture(scope="module")
def bank():
    return tool.Bank(seeded(1), singles=48, together=48)


@pytest.mark.parametrize("kind", ["solid", "pale"])
def test_the_shipped_judge_sees_what_it_is_taught(bank, kind):
    """They agree on what stands where: a lesson with other facts would teach nonsense."""
    pictures, facts, opacity = getattr(bank, kind)(128, seeded(2))
    assert pictures.shape == (128, 3, 32, 32) and facts.shape == (128, 4, 8)
    seen = words.judge(pictures)
    assert float((seen.opacity - opacity).abs().mean()) < 0.1
    tables = words.confusion(given(visible(facts, opacity >= FAINT), opacity), seen)
    found = {name: float(table.trace() / table.sum()) for name, table in tables.items()}
    assert int(tables["shape"].sum()) > 50
    assert min(found[name] for name in ("shape", "colour", "size")) > 0.8, found
    assert min(found[name] for name in ("floor", "style")) > 0.9, found


def test_what_cannot_be_seen_is_not_asked_for(bank):
    """Neither of objects that are too pale, nor what a style hides; of all else there is a loss."""
    _, facts, opacity = bank.draw(64, seeded(3))
    unseen = facts == words.UNSEEN
    for name in FACTS[:4]:
        assert bool(unseen[..., tool.NAMES.index(name)][opacity < FAINT].all())
    style = facts[:, 0, tool.NAMES.index("style")]
    assert not bool((style == words.UNSEEN).any())
    for index, drawn in enumerate(words.STYLES):
        for name in set(FACTS) - {"style"}:
            column = unseen[style == index][..., tool.NAMES.index(name)]
            there = (opacity >= FAINT)[style == index]
            column = column[there] if name in FACTS[:4] else column
            assert bool((column == (name in words.HIDDEN.get(drawn, ()))).all()), (drawn, name)


def test_the_loss_counts_only_what_is_asked_for(bank):
    pictures, facts, opacity = bank.draw(16, seeded(4))
    model = words.Judge(seeded(5))
    with torch.no_grad():
        whole = tool.loss(model, pictures, facts, opacity)
        nothing = tool.loss(model, pictures, torch.full_like(facts, words.UNSEEN), opacity)
        places = model(pictures)[0]
    assert whole.shape == (16,) and bool((whole > nothing).all())
    squares = 5.0 * (places[..., 0] - opacity).square().sum(1)
    assert torch.allclose(nothing, squares)


def test_an_interrupted_run_ends_with_the_same_numbers(monkeypatch, tmp_path):
    class Enough(Exception):
        pass

    small = {"batch": 8, "every": 1, "average": 0.5}
    monkeypatch.setattr(tool, "RECIPE", {**tool.RECIPE, **small})
    draw, drawn = tool.Bank.draw, []

    def counted(bank, n, generator):
        drawn.append(n)
        if len(drawn) == stop:
            raise Enough
        return draw(bank, n, generator)

    monkeypatch.setattr(tool.Bank, "draw", counted)
    stop = 0
    whole, card = tool.trained(20, tmp_path / "whole", 8, 8)
    assert len(drawn) == 20 and card["curve"][-1] < card["curve"][0]
    drawn.clear()
    stop = 4
    with pytest.raises(Enough):
        tool.trained(20, tmp_path / "part", 8, 8)
    drawn.clear()
    stop = 0
    rest, other = tool.trained(20, tmp_path / "part", 8, 8)
    assert len(drawn) == 17 and other == card
    same = zip(whole.parameters(), rest.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in same)
    with pytest.raises(ValueError, match="singles is 8, wanted 9"):
        tool.trained(20, tmp_path / "part", 9, 8)
