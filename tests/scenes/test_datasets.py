"""Data sets of pictures: they are what they say."""

from __future__ import annotations

import pytest
import torch
from projcomp import scenes

from tests.helpers import close, seeded


@pytest.mark.parametrize("make", [scenes.one_object, scenes.one_to_many, scenes.one_coloured])
def test_pictures_are_of_their_objects(make):
    data = make(12, generator=seeded(1))
    assert len(data) == 12
    assert data.values.dtype == torch.uint8
    rendered = scenes.render(data.objects).flatten(1)
    assert float((data.values.float() / 255.0 - rendered).abs().max()) < 0.502 / 255
    close(data.place, scenes.image_position(data.objects.place[:, 0]))
    again = make(12, generator=seeded(1))
    assert torch.equal(data.values, again.values)
    assert not torch.equal(data.values, make(12, generator=seeded(2)).values)


def test_how_many():
    assert scenes.one_object(30, generator=seeded(3)).objects.count.tolist() == [1] * 30
    counts = scenes.one_to_many(600, 3, pixels=8, generator=seeded(4)).objects.count
    shares = torch.bincount(counts, minlength=5).double() / 600
    assert shares[0] == shares[4] == 0
    assert float((shares[1:4] - 1 / 3).abs().max()) < 5 * (2 / 9 / 600) ** 0.5


def test_colours_are_those_named():
    data = scenes.one_coloured(60, pixels=8, generator=seeded(5))
    palette = torch.tensor(list(scenes.COLOURS.values()))
    nearest = torch.cdist(data.objects.colour[:, 0], palette).argmin(1)
    assert torch.equal(nearest, data.colour)


def test_the_empty_picture():
    floor = scenes.empty_picture(16)
    assert floor.shape == (3, 16, 16)
    with pytest.raises(ValueError, match="n must be >= 1"):
        scenes.one_object(0)


def test_one_object_at_each_place_of_the_lattice():
    empty, banks = scenes.on_lattice(6)
    assert torch.equal(empty, scenes.empty_picture().flatten().double())
    assert [bank.shape for bank in banks] == [(6, 3072)] * 9
    again = scenes.on_lattice(6)[1]
    assert all(torch.equal(one, other) for one, other in zip(banks, again, strict=True))
    for place, bank in enumerate(banks):
        seen = scenes.opacities(bank, banks, empty).solid()
        assert seen[:, place].all() and int(seen.sum()) == 6
    with pytest.raises(ValueError, match="n must be >= 1"):
        scenes.on_lattice(0)
