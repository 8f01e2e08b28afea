"""Rendered scenes: what a renderer must keep, where objects may stand, and how they are counted."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from projcomp import scenes

from tests.helpers import close, seeded


def one(shape=0, place=(0.0, 0.0), **options):
    """One scene with one object."""
    values = {
        "place": torch.tensor([[place]], dtype=torch.float32),
        "size": torch.full((1, 1), 0.4),
        "turn": torch.full((1, 1), 0.3),
        "shape": torch.full((1, 1), shape),
        "material": torch.zeros(1, 1, dtype=torch.long),
        "colour": torch.tensor([[[0.8, 0.1, 0.1]]]),
        "there": torch.ones(1, 1, dtype=torch.bool),
    }
    return scenes.Objects(**{**values, **options})


def crowd(n=6, count=4, seed=1):
    places = scenes.scattered(n, count, generator=seeded(seed))
    return scenes.random_objects(places, generator=seeded(seed))


def mapped(objects, change):
    names = [item.name for item in dataclasses.fields(objects)]
    return scenes.Objects(**{name: change(getattr(objects, name)) for name in names})


def without(objects, keep):
    return dataclasses.replace(objects, there=objects.there & keep)


def test_it_is_a_function_of_its_input():
    assert torch.equal(scenes.render(crowd()), scenes.render(crowd()))
    pictures = scenes.render(crowd(), 16)
    assert pictures.shape == (6, 3, 16, 16)
    assert float(pictures.min()) >= 0
    assert float(pictures.max()) <= 1


def test_scenes_do_not_see_each_other():
    objects = crowd(5)
    whole = scenes.render(objects)
    for index in range(5):
        single = mapped(objects, lambda values, i=index: values[i : i + 1])
        close(scenes.render(single)[0], whole[index], absolute=1e-5)


def test_objects_that_are_not_there_leave_no_trace():
    objects = crowd()
    none = without(objects, torch.zeros(4, dtype=torch.bool))
    empty = scenes.render(none)
    close(empty, empty[:1].expand_as(empty))
    fewer = without(objects, torch.tensor([True, False, True, False]))
    listed = mapped(objects, lambda values: values[:, ::2])
    close(scenes.render(fewer), scenes.render(listed), absolute=1e-5)


def test_the_order_of_the_objects_does_not_matter():
    objects = crowd()
    turned = mapped(objects, lambda values: values.flip(1))
    close(scenes.render(objects), scenes.render(turned), absolute=1e-5)


def test_round_shapes_look_the_same_from_all_sides_and_cubes_do_not():
    for shape, same in ((0, True), (1, False), (2, True)):
        first = scenes.render(one(shape))
        second = scenes.render(one(shape, turn=torch.full((1, 1), 1.1)))
        assert (float((first - second).abs().max()) < 1e-4) == same
    quarter = scenes.render(one(1, turn=torch.full((1, 1), 0.3 + math.pi / 2)))
    close(quarter, scenes.render(one(1)), absolute=1e-3)


def test_an_object_changes_pixels_around_its_place_only():
    empty = scenes.render(without(one(), torch.zeros(1, dtype=torch.bool)), 64)
    for place in ((0.0, 0.0), (-1.3, 1.3), (1.3, -1.3)):
        change = (scenes.render(one(place=place), 64) - empty).abs().amax((0, 1))
        rows, columns = (change > 0.01).nonzero().T
        assert int(columns.max() - columns.min()) < 30
        assert int(rows.max() - rows.min()) < 30
        # To the right is to the right, and further away is higher up.
        assert abs(float(columns.float().mean()) - (32 + 15 * place[0])) < 6
        assert float(rows.float().mean()) == pytest.approx(32 - 12 * place[1], abs=8)


@pytest.mark.parametrize("pixels", [32, 128])
@pytest.mark.parametrize("camera", [None, scenes.Camera(6.0, 5.0, 2.6)], ids=["usual", "other"])
def test_objects_appear_where_they_are_said_to(pixels, camera):
    spots = scenes.lattice(3, 3, 1.2)
    balls = [
        one(0, tuple(spot.tolist()), material=torch.zeros(1, 1, dtype=torch.long)) for spot in spots
    ]
    said = scenes.image_position(spots, 0.4, camera)
    for ball, (u, v) in zip(balls, said.tolist(), strict=True):
        picture = scenes.render(ball, pixels, camera)[0]
        body = (picture[0] - picture[2]) > 0.1  # the floor and its shadows are nearly grey
        rows, columns = body.nonzero().double().T
        assert (2 * float(columns.mean()) + 1) / pixels - 1 == pytest.approx(u, abs=0.06)
        assert (2 * float(rows.mean()) + 1) / pixels - 1 == pytest.approx(v, abs=0.06)


def test_positions_in_a_picture():
    close(scenes.image_position([0.0, 0.0], 0.0), torch.zeros(2), absolute=1e-6)
    assert scenes.image_position(torch.zeros(4, 9, 2)).shape == (4, 9, 2)
    (left, high), (right, low) = scenes.image_position([[-1.0, 1.0], [1.0, -1.0]]).tolist()
    assert left < 0 < right
    assert high < low
    foot, top = scenes.image_position([0.5, 0.5], 0.0), scenes.image_position([0.5, 0.5], 0.8)
    assert float(top[1]) < float(foot[1])


def test_the_front_object_hides_the_one_behind():
    places = torch.tensor([[[0.0, 0.35], [0.0, -0.35]]])
    pair = scenes.random_objects(places, generator=seeded(3))
    picture = scenes.render(pair)
    front = scenes.render(without(pair, torch.tensor([False, True])))
    centre = (front - scenes.render(without(pair, torch.tensor([False, False])))).abs().amax((0, 1))
    row, column = divmod(int(centre.argmax()), 32)
    close(picture[0, :, row, column], front[0, :, row, column], absolute=0.02)


@pytest.mark.parametrize("times", [4, 8])
def test_finer_pictures_show_the_same_scene(times):
    objects = crowd()
    coarse, fine = scenes.render(objects, 16), scenes.render(objects, 16 * times)
    pooled = torch.nn.functional.avg_pool2d(fine, times)
    assert float((pooled - coarse).abs().mean()) < 0.02


def test_lattice_and_scattered_places():
    places = scenes.lattice(3, 2, 1.0)
    assert places.shape == (6, 2)
    close(places.mean(0), torch.zeros(2), absolute=1e-6)
    scattered = scenes.scattered(40, 5, distance=0.9, generator=seeded(4))
    gaps = torch.cdist(scattered, scattered) + 10 * torch.eye(5)
    assert float(gaps.min()) >= 0.9
    assert float(scattered.abs().max()) <= 1.6


def test_clutter():
    there = scenes.cluttered(4000, 9, named=2, rate=0.3, generator=seeded(5))
    assert bool(there[:, 2].all())
    others = there.double().mean(0)[[0, 1, 3, 4, 5, 6, 7, 8]]
    assert float((others - 0.3).abs().max()) < 5 * math.sqrt(0.21 / 4000)
    capped = scenes.cluttered(4000, 9, most=5, generator=seeded(6)).sum(1)
    shares = torch.bincount(capped, minlength=10) / 4000
    assert shares[0] == 0
    assert float(shares[6:].sum()) == 0
    assert float((shares[1:6] - 0.2).abs().max()) < 5 * math.sqrt(0.16 / 4000)


def test_layouts_that_are_nearly_full():
    places = scenes.scattered(300, 9, distance=1.0, generator=seeded(7))
    gaps = torch.cdist(places, places) + 10 * torch.eye(9)
    assert float(gaps.min()) >= 1.0 - 1e-6


@pytest.mark.parametrize("rate", [None, 0.3])
def test_clutter_at_free_places(rate):
    objects, named = scenes.free_clutter(3000, 5, rate=rate, generator=seeded(8))
    assert objects.there[:, 0].all()
    assert torch.equal(objects.place[:, 0], named)
    assert float(objects.gap.min()) >= 0.8
    shares = torch.bincount(objects.count, minlength=6)[1:] / 3000
    wanted = (
        [0.2] * 5 if rate is None else [math.comb(4, k) * 0.3**k * 0.7 ** (4 - k) for k in range(5)]
    )
    for share, chance in zip(shares.tolist(), wanted, strict=True):
        assert abs(share - chance) < 5 * math.sqrt(chance * (1 - chance) / 3000)
    # The named place is uniform.
    error = 1.6 / math.sqrt(3 * 3000)
    assert float(named.mean(0).abs().max()) < 5 * error
    assert float((named.std(0) - 1.6 / math.sqrt(3)).abs().max()) < 5 * error
    again, _ = scenes.free_clutter(3000, 5, rate=rate, generator=seeded(8))
    assert torch.equal(again.colour, objects.colour)


def test_objects_that_keep_their_distance():
    places = torch.tensor(
        [[[0.0, 0.0], [1.0, 0.0], [0.0, 1.5]], [[0.0, 0.0], [0.3, 0.4], [1.5, 1.5]]]
    )
    there = torch.tensor([[True, True, True], [True, False, True]])
    objects = scenes.random_objects(places, there, distance=1.0, generator=seeded(0))
    close(objects.gap, torch.tensor([1.0, 1.5 * math.sqrt(2)]), absolute=1e-6)
    assert objects.apart(1.0) is objects
    assert one().gap.tolist() == [math.inf]
    with pytest.raises(ValueError, match=r"at least 1 apart, got two at 0\.5 in scene 1"):
        scenes.random_objects(places, distance=1.0)
    # Distances are those after the jitter.
    with pytest.raises(ValueError, match="place must keep objects at least 1 apart"):
        scenes.random_objects(places[:1].expand(50, 3, 2), place_jitter=0.1, distance=1.0)


def test_colours_that_were_asked_for():
    place = torch.zeros(200, 1, 2)
    means = {name: torch.tensor(scenes.COLOURS[name]) for name in scenes.COLOURS}
    for names in ("red", ["cyan", "purple"]):
        colour = scenes.random_objects(place, colour=names, generator=seeded(1)).colour[:, 0]
        listed = [names] if isinstance(names, str) else names
        gaps = torch.stack([(colour - means[name]).abs().amax(1) for name in listed])
        assert float(gaps.amin(0).max()) < 0.06
        assert set(gaps.argmin(0).tolist()) == set(range(len(listed)))
    exact = torch.rand(200, 1, 3, generator=seeded(2))
    assert torch.equal(scenes.random_objects(place, colour=exact).colour, exact)
    grey = scenes.random_objects(place, colour=(0.5, 0.5, 0.5)).colour
    assert torch.equal(grey, torch.full((200, 1, 3), 0.5))


def test_a_colour_changes_its_object_only():
    first, second = (
        scenes.render(one(colour=torch.tensor([[colour]])), 128)[0]
        for colour in ([0.2, 0.5, 0.5], [0.7, 0.5, 0.5])
    )
    changed = (first - second).abs() > 1e-6
    assert not bool(changed[1:].any())  # nor another channel
    rows, columns = changed[0].nonzero().double().T
    u, v = scenes.image_position([0.0, 0.0], 0.4).tolist()
    assert (2 * float(columns.mean()) + 1) / 128 - 1 == pytest.approx(u, abs=0.02)
    assert (2 * float(rows.mean()) + 1) / 128 - 1 == pytest.approx(v, abs=0.02)


@pytest.mark.parametrize("pixels", [32, 128])
def test_pictures_are_affine_in_the_colours(pixels):
    """As long as no pixel is overexposed; and all three channels weigh the same."""

    def coloured(*colour):
        picture = scenes.render(one(0, colour=torch.tensor([[colour]])), pixels)
        return picture[0].double()

    dark = coloured(0.2, 0.2, 0.2)
    red, green, blue = (
        (coloured(*colour) - dark) / 0.4
        for colour in ([0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6])
    )
    predicted = dark + 0.3 * red + 0.1 * green + 0.5 * blue
    close(coloured(0.5, 0.3, 0.7), predicted, absolute=1e-5)
    for first, second in ((red, green), (green, blue), (blue, red)):
        assert float((first * second).abs().max()) < 1e-10
        assert float(first.norm()) == pytest.approx(float(second.norm()), rel=1e-5)


def test_opacities_of_faded_pictures():
    places = scenes.lattice()
    banks = [
        scenes.render(scenes.random_objects(p.expand(12, 1, 2), generator=seeded(j)), 24).flatten(1)
        for j, p in enumerate(places)
    ]
    empty = scenes.render(without(one(), torch.zeros(1, dtype=torch.bool)), 24).flatten()
    faded = torch.stack([empty + s * (banks[3][5] - empty) for s in (1.0, 0.5, -0.5, 0.0)])
    seen = scenes.opacities(faded, banks, empty)
    strengths = torch.tensor([1.0, 0.5, -0.5, 0.0], dtype=torch.float64)
    close(seen.opacity[:, 3], strengths, absolute=1e-5)
    assert seen.match[:3, 3].tolist() == [5, 5, 5]
    assert float(seen.opacity[:, [0, 8]].abs().max()) < 0.05
    assert seen.solid()[:, 3].tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: one(place=(3.0, 0.0)), r"place must lie within \[-2, 2\]"),
        (lambda: one(size=torch.zeros(1, 1)), "size must be > 0"),
        (lambda: one(shape=3), "shape must be indices below 3"),
        (lambda: one(turn=torch.zeros(2, 1)), r"turn must have shape \(1, 1\)"),
        (lambda: one(place=(math.nan, 0.0)), "place must be finite"),
        (lambda: one(turn=torch.full((1, 1), math.inf)), "turn must be finite"),
        (lambda: one(colour=torch.full((1, 1, 3), 1.5)), r"colour must lie in \[0, 1\], got 1.5"),
        (lambda: one(there=torch.ones(1, 1)), "there must be bool, got torch.float32"),
        (lambda: one().apart(math.nan), "distance must be finite"),
        (
            lambda: scenes.random_objects(torch.full((1, 1, 2), 2.1)),
            r"within \[-2, 2\]\^2, got 2.1",
        ),
        (
            lambda: scenes.random_objects(torch.full((90, 1, 2), 1.95), place_jitter=0.1),
            r"place must lie within \[-2, 2\]",
        ),
        (
            lambda: scenes.random_objects(torch.zeros(1, 2, 2), colour="pink"),
            "colour must be one of",
        ),
        (
            lambda: scenes.random_objects(torch.zeros(1, 2, 2), colour=torch.zeros(3, 2, 3)),
            r"colour must broadcast to \(1, 2, 3\), got shape \(3, 2, 3\)",
        ),
        (
            lambda: scenes.random_objects(torch.zeros(1, 2, 2), colour=[1.2, 0.0, 0.0]),
            r"colour must lie in \[0, 1\]",
        ),
        (lambda: scenes.free_clutter(2, 30, distance=1.5), "distance must leave room for 30"),
        (lambda: scenes.free_clutter(2, 3, rate=-0.1), r"rate must lie in \[0, 1\]"),
        (lambda: scenes.free_clutter(2, 0), "places must be >= 1"),
        (lambda: scenes.random_objects(torch.zeros(3, 2)), r"place must have shape \(N, K, 2\)"),
        (lambda: scenes.image_position(torch.zeros(3)), r"place must have shape \(\.\.\., 2\)"),
        (lambda: scenes.image_position([0.0, math.nan]), "place must be finite"),
        (lambda: scenes.image_position([0.0, 0.0], math.inf), "height must be finite"),
        (lambda: scenes.render(one(), 2), "pixels must be >= 4"),
        (lambda: scenes.lattice(5, 5, 1.2), "spacing must be > 0 and keep 5 x 5 places"),
        (lambda: scenes.scattered(2, 30, distance=1.5), "distance must leave room for 30 objects"),
        (lambda: scenes.scattered(2, 3, reach=4.0), r"reach must lie in \(0, 2\]"),
        (lambda: scenes.cluttered(2, 9), "exactly one of rate and most"),
        (lambda: scenes.cluttered(2, 9, rate=1.5), r"rate must lie in \[0, 1\]"),
        (lambda: scenes.cluttered(2, 9, most=10), "most must be at most 9"),
        (lambda: scenes.cluttered(2, 9, named=9, rate=0.1), "named must be below 9"),
        (lambda: scenes.opacities(torch.zeros(2, 3), [], torch.zeros(4)), "pictures and empty"),
        (
            lambda: scenes.opacities(torch.zeros(2, 3), [torch.zeros(1, 4)], torch.zeros(3)),
            r"references\[0\] must have shape \(R, 3\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
