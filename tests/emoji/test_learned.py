"""The networks of the table: what they were taught, what they can be asked, and their files."""

from __future__ import annotations

import sys
from pathlib import Path

import projcomp as pc
import pytest
import torch
from projcomp import networks
from projcomp.emoji import learned

from tests.helpers import normal, seeded

TOOLS = Path(__file__).resolve().parents[2] / "tools"
if str(TOOLS) not in sys.path:
    sys.path.append(str(TOOLS))

import train_emoji as tool  # noqa: E402

TABLE = learned.part()
SEEN = TABLE.without(learned.held_out(TABLE))


def test_the_contents_are_every_twenty_first():
    every = pc.emoji.load(16).contents
    assert TABLE.contents == every[: 48 * 21 : 21] and len(every) // 48 == 21
    assert TABLE.pictures.shape == (48, 8, 3, 16, 16)
    assert not TABLE.alike()  # content and style can be read off every picture


def test_every_content_lacks_a_style_and_every_style_six_contents():
    assert bool((SEEN.there.sum(1) == 7).all()) and bool((SEEN.there.sum(0) == 42).all())
    lacks = [(TABLE.contents[c], TABLE.styles[s]) for c, s in (~SEEN.there).nonzero().tolist()]
    assert lacks == learned.held_out(TABLE)
    with pytest.raises(ValueError, match="missing"):
        SEEN.cell(*lacks[9])


def test_nothing_is_taught_of_a_held_out_picture_and_never_both():
    data = tool.data_of(SEEN)
    place, style = TABLE.nearest(data.samples.double())
    assert torch.equal(TABLE.pictures[place, style].flatten(1).float(), data.samples)
    assert bool(SEEN.there[place, style].all()) and len(data.samples) == 48 * 7
    counts = torch.zeros(3, dtype=torch.int64)
    for row, told in zip(data.index.tolist(), data.conditions.tolist(), strict=True):
        kind = 0 if told == 0 else 1 if told <= 48 else 2
        wanted = (0, 1 + int(place[row]), 49 + int(style[row]))
        assert told == wanted[kind]
        counts[kind] += 1
    assert counts.tolist() == [336, 672, 672]


def test_a_run_leaves_a_file_and_no_checkpoint(tmp_path):
    card = tool.train("emoji", tool.data_of(SEEN), 2, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["emoji.safetensors"]
    assert card["images"] == 128
    networks.load_network(learned.blank("emoji"), tmp_path / "emoji.safetensors")


@pytest.mark.parametrize("name", learned.SEEDS)
def test_they_are_asked_by_name(name):
    found = pc.emoji.load_learned(name)
    assert found.table.contents == TABLE.contents and torch.equal(found.seen.there, SEEN.there)
    assert [found.density(content).label for content in found.table.contents] == [*range(1, 49)]
    labels = [found.density(style=style).label for style in found.table.styles]
    assert labels == [*range(49, 57)]
    assert found.density().label == 0
    assert not any(p.requires_grad for p in found.model.parameters())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"content": "bell", "style": "flat"}, "style must be None beside a content"),
        ({"content": "bel"}, "content must be one of the table's 48, got 'bel'; did you mean 'bel"),
        ({"style": "bell"}, "it is a content"),
        ({"content": ["bell", "bus"]}, "content must be one name or None"),
        ({"style": 3}, "style must be one name or None"),
    ],
)
def test_mistakes(asked, message):
    with pytest.raises(ValueError, match=message):
        pc.emoji.load_learned().density(**asked)


def test_another_name():
    with pytest.raises(ValueError, match="name must be one of emoji, emoji-2; got 'cats'"):
        pc.emoji.load_learned("cats")


@pytest.mark.parametrize("name", learned.SEEDS)
def test_they_are_small_and_described(name):
    assert (learned.WEIGHTS / f"{name}.safetensors").stat().st_size < 4_000_000
    card = (learned.WEIGHTS / "README.md").read_text(encoding="utf-8")
    assert f"`{name}.safetensors`" in card
    assert f"{sum(p.numel() for p in learned.blank(name).parameters()):,}" in card


@pytest.mark.parametrize("name", learned.SEEDS)
@pytest.mark.parametrize("kind", ["content", "style"])
def test_they_know_what_they_were_told(name, kind):
    """Their means are nearer to the exact ones of a label than the exact ones of everything are."""
    found, gaps = pc.emoji.load_learned(name), []
    for index, label in enumerate(getattr(found.table, f"{kind}s")[:8]):
        told = {kind: label}
        clean = found.seen.density(**told).sample(8, generator=seeded(index))
        x = clean + 8.0 * normal(seeded(9 + index), *clean.shape)
        exact = found.seen.density(**told).denoise(x, 8.0)
        others = found.density(**told).denoise(x, 8.0), found.seen.density().denoise(x, 8.0)
        gaps.append([float((other - exact).square().sum(-1).mean()) for other in others])
    own, ignorant = torch.tensor(gaps).mean(0).tolist()
    assert own < ignorant
