"""The world with words: what is drawn, and what can be seen of it."""

import itertools

import pytest
import torch
from projcomp import words
from projcomp.scenes import image_position
from projcomp.words import styles, world
from projcomp.words.world import visible


def seeded(seed):
    return torch.Generator().manual_seed(seed)


NAMES = list(words.ATTRIBUTES)


def facts_of(n=24, seed=0, **fixed):
    facts = torch.stack(
        [torch.randint(len(v), (n,), generator=seeded(seed)) for v in words.ATTRIBUTES.values()], 1
    )
    for name, value in fixed.items():
        facts[:, NAMES.index(name)] = words.ATTRIBUTES[name].index(value)
    return facts


def drawn(seed=0, there=True, **fixed):
    facts = facts_of(**fixed)
    return words.pictured(facts, torch.full((len(facts),), there), seeded(seed)).pictures


def test_pictures_are_pictures_and_repeat():
    shown = words.depictions(64, seeded(1))
    assert shown.pictures.shape == (64, 3, 32, 32) and shown.facts.shape == (64, 8)
    assert shown.pictures.dtype == torch.float32
    assert float(shown.pictures.min()) >= 0 and float(shown.pictures.max()) <= 1
    again = words.depictions(64, seeded(1))
    assert torch.equal(again.pictures, shown.pictures) and torch.equal(again.facts, shown.facts)
    assert repr(shown) and len(shown) == 64


def test_values_of_an_attribute_are_alike_and_attributes_independent():
    """Chi-square statistics of all attributes and of all pairs but the one with a hole."""
    n = 20_000
    shown = _facts_alone(n, seeded(2))
    for i, name in enumerate(NAMES):
        for j, other in enumerate(NAMES[: i + 1]):
            if {name, other} == set(words.HELD_OUT) or name == other == "colour":
                continue
            sizes = len(words.ATTRIBUTES[name]), len(words.ATTRIBUTES[other])
            if name == other:
                table = torch.bincount(shown[:, i], minlength=sizes[0]).double()
                wanted, free = n / sizes[0], sizes[0] - 1
            else:
                index = shown[:, i] * sizes[1] + shown[:, j]
                table = torch.bincount(index, minlength=sizes[0] * sizes[1])
                table = table.reshape(sizes).double()
                wanted = table.sum(1, keepdim=True) * table.sum(0) / n
                free = (sizes[0] - 1) * (sizes[1] - 1)
            chi = float(((table - wanted) ** 2 / wanted).sum())
            assert chi < free + 4.5 * (2 * free) ** 0.5 + 6, (name, other, chi)


def _facts_alone(n, generator, rows=2000):
    """The facts of many pictures, hidden ones included, without drawing them."""
    kept = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "pictured", lambda facts, there, generator: kept.append(facts))
        for _ in range(n // rows):
            words.depictions(rows, generator)
    return torch.cat(kept)


def test_the_held_out_combination_is_in_no_picture():
    facts = _facts_alone(20_000, seeded(3))
    held = torch.stack(
        [
            facts[:, NAMES.index(k)] == words.ATTRIBUTES[k].index(v)
            for k, v in words.HELD_OUT.items()
        ]
    )
    assert held.any(1).all() and not held.all(0).any()


def test_the_share_of_bare_floors():
    shown = words.depictions(2000, seeded(4))
    bare = (shown.facts[:, :6] == words.UNSEEN).all(1).double().mean()
    assert abs(float(bare) - world.BARE) < 4 * (world.BARE / 2000) ** 0.5


def test_what_a_style_hides_is_not_a_fact():
    for style, hidden in words.HIDDEN.items():
        seen = visible(facts_of(style=style), torch.ones(24, dtype=torch.bool))
        for column, name in enumerate(NAMES):
            assert ((seen[:, column] == words.UNSEEN) == (name in hidden)).all()
    bare = visible(facts_of(style="day"), torch.zeros(24, dtype=torch.bool))
    assert (bare[:, :6] == words.UNSEEN).all() and (bare[:, 6:] != words.UNSEEN).all()


@pytest.mark.parametrize("style", words.HIDDEN)
def test_what_is_hidden_makes_no_difference(style):
    """Pictures that differ in what a blueprint hides alone are nearly the same."""
    if "floor" in words.HIDDEN[style]:
        one, other = drawn(style=style, floor="grey"), drawn(style=style, floor="mint")
        away = float((one - other).abs().mean())
        plain = drawn(style="day", floor="grey") - drawn(style="day", floor="mint")
        assert away < 0.2 * float(plain.abs().mean())
    if "colour" in words.HIDDEN[style]:
        picture = drawn(style=style)
        paper, white = torch.tensor([0.10, 0.24, 0.60]), torch.tensor(0.95)
        line = (picture - paper[:, None, None]) / (white - paper)[:, None, None]
        assert float((line.amax(1) - line.amin(1)).max()) < 1e-5  # one number a pixel


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("across", "depth")])
def test_every_attribute_can_be_seen(name):
    """Another value changes the picture, in every style that does not hide it."""
    for style in words.STYLES:
        if name in words.HIDDEN.get(style, ()) or name == "style":
            continue
        values = words.ATTRIBUTES[name]
        for one, other in itertools.pairwise(values):
            pair = [drawn(style=style, **{name: value}) for value in (one, other)]
            assert float((pair[0] - pair[1]).abs().flatten(1).amax(1).min()) > 0.05, (style, one)


def test_objects_stand_where_they_are_said_to():
    for across in ("left", "right"):
        for depth in ("front", "back"):
            facts = facts_of(across=across, depth=depth)
            objects = world.objects_of(
                facts[:, None], torch.ones(24, 1, dtype=torch.bool), seeded(5)
            )
            u, v = image_position(objects.place[:, 0]).T
            assert bool((u < -0.1).all() if across == "left" else (u > 0.1).all())
            assert bool((v > 0).all() if depth == "front" else (v < 0).all())


def test_styles_keep_to_their_range_and_leave_their_input_alone():
    pictures = torch.rand(5, 3, 32, 32, generator=seeded(6))
    before = pictures.clone()
    for name, draw in words.STYLES.items():
        answer = draw(pictures)
        assert answer.shape == pictures.shape, name
        assert float(answer.min()) >= 0 and float(answer.max()) <= 1, name
    assert torch.equal(pictures, before)


def test_floors_tint_what_is_grey_alone():
    grey = torch.full((3, 3, 4, 4), 0.5)
    tinted = styles.on_floor(grey, torch.arange(3))
    for row, tint in zip(tinted, words.FLOORS.values(), strict=True):
        torch.testing.assert_close(row[:, 0, 0], 0.5 * torch.tensor(tint))
    red = torch.tensor([0.8, 0.1, 0.1])[None, :, None, None].expand(3, 3, 4, 4)
    assert torch.equal(styles.on_floor(red, torch.arange(3)), red)


@pytest.mark.parametrize("n", [0, -1, 1.5, "3"])
def test_a_bad_number_is_refused(n):
    with pytest.raises(ValueError, match="n must be"):
        words.depictions(n)
