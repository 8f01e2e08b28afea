"""The counter, on rendered scenes, faded ones, and generated ones that were labelled by eye."""

from __future__ import annotations

import math

import pytest
import torch
from projcomp import scenes
from projcomp.scenes.counter import PIXELS, spots

from tests.helpers import close, seeded

LATTICE = scenes.lattice()


def crowd(n=200, seed=1):
    """Scenes with 0 to 9 objects on the lattice, and which places hold one."""
    there = torch.rand(n, 9, generator=seeded(seed)) < torch.rand(n, 1, generator=seeded(seed + 1))
    objects = scenes.random_objects(
        LATTICE.expand(n, 9, 2), there, generator=seeded(seed), place_jitter=0.05
    )
    return scenes.render(objects), there


def test_rendered_scenes():
    pictures, there = crowd()
    seen = scenes.count(pictures)
    right = (seen.at(LATTICE) >= scenes.SOLID) == there
    assert float(right.double().mean()) > 0.995
    assert float((seen.counts() == there.sum(1)).double().mean()) > 0.95
    assert float(seen.elsewhere(LATTICE).double().mean()) < 0.02


def test_one_criterion_for_both_ways_of_counting():
    """Objects of strength 0.5, 1 and 1.75 are told apart by the same bounds, seen either way."""
    where = LATTICE[[1, 3, 5, 7]].repeat(25, 1)[:, None]
    whole = scenes.render(scenes.random_objects(where, generator=seeded(5)))
    floor, rows = scenes.empty_picture(), torch.arange(100)
    place = torch.tensor([1, 3, 5, 7]).repeat(25)
    banks = [whole[place == j].flatten(1) for j in (1, 3, 5, 7)]
    for strength, answer in ((0.5, 0.0), (1.0, 1.0), (1.75, 0.0)):
        pictures = floor + strength * (whole - floor)
        seen = scenes.count(pictures).at(LATTICE)[rows, place]
        by_counter = scenes.solid(seen, whole=scenes.WHOLE).double().mean()
        fits = scenes.opacities(pictures.flatten(1), banks, floor.flatten())
        by_bank = scenes.solid(fits.opacity[rows, rows % 4]).double().mean()
        assert abs(float(by_counter) - answer) < 0.02
        assert float(by_bank) == answer


def test_a_solid_object_is_seen_as_whole():
    pictures, there = crowd()
    seen = scenes.count(pictures).at(LATTICE)[there]
    assert abs(float(seen.mean()) - scenes.WHOLE) < 0.01


def test_places():
    where = scenes.scattered(200, 1, reach=1.5, generator=seeded(3))
    seen = scenes.count(scenes.render(scenes.random_objects(where, generator=seeded(4))))
    assert seen.counts().tolist() == [1] * 200
    gaps = (seen.place - scenes.image_position(where[:, 0])).norm(dim=1)
    assert float(gaps.max()) < 0.12  # two pixels
    assert float(gaps.mean()) < 0.05


@pytest.mark.parametrize("opacity", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_faded_objects(opacity):
    where = LATTICE[[1, 3, 5, 7]].repeat(25, 1)[:, None]
    whole = scenes.render(scenes.random_objects(where, generator=seeded(5)))
    floor = scenes.empty_picture()
    seen = scenes.count(floor + opacity * (whole - floor))
    found = seen.at(LATTICE)[torch.arange(100), torch.tensor([1, 3, 5, 7]).repeat(25)]
    # A spot's peak lies between the cells of the map, so that a solid object is seen as 0.9.
    assert abs(float(found.mean()) - 0.9 * opacity) < 0.08
    assert float((found - 0.9 * opacity).abs().mean()) < 0.12


def test_a_persons_labels():
    """Of generated pictures: s solid, g a ghost, . nothing; p, in between, is left out."""
    data = scenes.labelled()
    seen = scenes.count(data.pictures)
    opacity, counts = seen.at(LATTICE), seen.counts()
    found = {"s": [], "p": [], "g": [], ".": [], "?": []}
    for letters, values in zip(data.places, opacity.tolist(), strict=True):
        for letter, value in zip(letters or "", values, strict=bool(letters)):
            found[letter].append(value)
    right = [
        int(counted) == objects
        for counted, objects in zip(counts, data.objects, strict=True)
        if objects is not None
    ]
    shares = {
        k: sum(v >= scenes.SOLID for v in values) / len(values) for k, values in found.items()
    }
    assert len(found["s"]) > 200 and len(found["g"]) > 40 and len(found["."]) > 100
    assert shares["s"] > 0.97
    assert shares["g"] == shares["."] == 0
    assert sum(right) / len(right) > 0.92


def test_the_map_that_it_should_draw():
    place = torch.tensor([[[0.0625, -0.0625], [0.8, 0.8]]])  # the first on the centre of a cell
    drawn = spots(place, torch.tensor([[0.5, 0.0]]))
    assert drawn.shape == (1, 16, 16)
    assert divmod(int(drawn.argmax()), 16) == (7, 8)
    assert float(drawn.max()) == pytest.approx(0.5)


def test_patches_are_disjoint_and_about_their_places():
    masks = scenes.patches(LATTICE)
    assert masks.shape == (9, 3 * PIXELS**2)
    assert int(masks.sum(0).max()) == 1
    for mask, place in zip(masks, scenes.image_position(LATTICE), strict=True):
        rows, columns = mask.reshape(3, PIXELS, PIXELS)[0].nonzero().T
        centre = torch.stack([columns.float().mean(), rows.float().mean()]) * 2 / PIXELS - 1
        assert float((centre - place).abs().max()) < 0.12


def test_colour_at():
    picture = torch.zeros(3, 32, 32)
    picture[:, 4:8, 20:24] = torch.tensor([0.1, 0.5, 0.9])[:, None, None]
    found = scenes.colour_at(picture, (0.375, -0.625), reach=0.1)
    close(found, torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64), absolute=1e-6)


def test_nothing_there():
    seen = scenes.count(scenes.empty_picture()[None])
    assert seen.counts().tolist() == [0]
    assert seen.at(LATTICE).tolist() == [[0.0] * 9]
    assert math.isclose(float(seen.elsewhere(LATTICE)[0]), 0)


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 3, 16, 16), (2, 100), (3072,)])
def test_bad_input(shape):
    with pytest.raises(ValueError, match=r"pictures must have shape \(N, 3, 32, 32\)"):
        scenes.count(torch.zeros(shape))
