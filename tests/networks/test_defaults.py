"""Networks do not depend on torch's defaults, and take their weights from a generator alone."""

from __future__ import annotations

import pytest
import torch
from projcomp import networks, scenes
from projcomp.networks.pictures import blank_picture_model
from projcomp.networks.shipped import blank
from projcomp.scenes.counter import Counter, shipped_counter

from tests.helpers import close, normal, seeded

DEFAULTS = [(torch.float64, "cpu"), (torch.float16, "cpu"), (torch.float32, "meta"),
            (torch.float64, "meta")]  # fmt: skip


@pytest.fixture(params=DEFAULTS, ids=str)
def defaults(request):
    """A function that sets other defaults of torch; they are set back at the end."""
    dtype, device = torch.get_default_dtype(), torch.get_default_device()

    def change():
        torch.set_default_dtype(request.param[0])
        torch.set_default_device(request.param[1])

    yield change
    torch.set_default_dtype(dtype)
    torch.set_default_device(None if device == torch.device("cpu") else device)


def identical(found, wanted):
    close(found, wanted, 0.0, 0.0)


def test_shipped_networks_answer_the_same(defaults):
    x = normal(seeded(1), 3, 2)
    picture = normal(seeded(2), 1, 3072)

    def answers():
        background, concepts = networks.load("shear")
        found = [d.score(x, 0.5) for d in (background, *concepts)]
        for name, label in (("one-window", (0.1, 0.2)), ("one-clean", None), ("colour", 3)):
            model = networks.load_picture_model(name)
            assert {p.dtype for p in model.state_dict().values()} == {torch.float32}
            found += [networks.Denoiser(model, label).denoise(picture, 0.5)]
        composed = networks.composed_places(model_of_places, [[0.1, 0.2]], networks.AVERAGE)
        return [*found, composed.concepts[0].score(picture, 0.3)]

    model_of_places = networks.load_picture_model("one")
    wanted = answers()
    defaults()
    for found, value in zip(answers(), wanted, strict=True):
        identical(found, value)


def test_the_counter_counts_the_same(defaults):
    pictures = scenes.render(scenes.random_objects(scenes.lattice()[:4, None], generator=seeded(3)))
    place = torch.tensor([[[0.1, 0.2], [0.5, -0.5]]])
    opacity = torch.tensor([[0.5, 1.0]])

    def answers():
        shipped_counter.cache_clear()
        seen = scenes.count(pictures)
        return [
            seen.picture, seen.place, seen.opacity, seen.counts(),
            scenes.counter.spots(place, opacity),
            scenes.colour_at(pictures[0], (0.1, 0.2)),
            scenes.labelled().pictures,
        ]  # fmt: skip

    wanted = answers()
    defaults()
    for found, value in zip(answers(), wanted, strict=True):
        identical(found, value)
    shipped_counter.cache_clear()


def test_runs_and_files_are_the_same(defaults, tmp_path):
    data = [normal(seeded(4), 9, 2), normal(seeded(5), 9, 2)]
    samples, index = normal(seeded(6), 5, 768).float(), torch.arange(5)
    told = torch.zeros(5, 3)

    def answers(name):
        mlp = networks.MLP(2, 2, width=8, blocks=1)
        model = networks.Preconditioned(mlp, 2, 0.8, 2)
        run = networks.train(model, data, networks.Recipe(3, 4, progress=False))
        unet = networks.UNet(16, widths=(8, 8, 16), window=True)
        pictures = networks.train(
            networks.Preconditioned(unet, 768, 0.5), networks.Labelled(samples, index, told),
            networks.Recipe(2, 2, progress=False, checkpoint=tmp_path / f"{name}-run"),
        )  # fmt: skip
        networks.save_network(model, tmp_path / name)
        networks.load_network(model, tmp_path / name)
        scales = networks.Preconditioning(0.5)
        ends = [scales.c_out(samples[0].abs()), scales.c_skip(samples[0].abs())]
        tensors = [*run.model.state_dict().values(), *pictures.model.state_dict().values()]
        return [run.losses, pictures.losses, *tensors, *ends]

    wanted = answers("one")
    defaults()
    for found, value in zip(answers("two"), wanted, strict=True):
        identical(found, value)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


MAKERS = {
    "MLP": lambda g: networks.MLP(2, 3, generator=g),
    "UNet": lambda g: networks.UNet(16, 4, widths=(8, 8, 16), generator=g),
    "Counter": lambda g: Counter(g),
    "plane": lambda g: blank("shear", g),
    "picture": lambda g: blank_picture_model("one", g),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_layers_are_float32_of_the_generator(make, defaults):
    wanted = make(seeded(7)).state_dict()
    plain = make(None).state_dict()
    defaults()
    for generator, tensors in ((seeded(7), wanted), (None, plain), (seeded(0), plain)):
        found = make(generator).state_dict()
        assert {v.dtype for v in found.values()} == {torch.float32}
        assert all(torch.equal(found[name], value) for name, value in tensors.items())


@pytest.mark.parametrize("bad", [0, "seed", torch, True])
def test_what_is_no_generator_is_refused(bad):
    data = networks.Labelled(torch.zeros(4, 2), torch.arange(4), torch.zeros(4, dtype=torch.int64))
    calls = [
        *(lambda make=make: make(bad) for make in MAKERS.values()),
        lambda: data.draw(3, bad),
        lambda: networks.train(blank("shear"), data, networks.Recipe(2, 2), generator=bad),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"generator must be a torch.Generator .* or None"):
            call()


def test_drawing_without_a_generator():
    data = networks.Labelled(torch.eye(4), torch.arange(4), torch.arange(4))
    clean, told = data.draw(50)
    assert torch.equal(clean, torch.eye(4)[told])
    with pytest.raises(ValueError, match="n must be >= 1, got 0"):
        data.draw(0)


def test_reprs_take_one_line():
    data = networks.Labelled(torch.zeros(4, 8), torch.arange(3), torch.zeros(3, 3))
    assert repr(data) == "Labelled(3 rows of 4 samples in R^8)"
    seen = scenes.count(scenes.empty_picture()[None])
    assert repr(seen) == "Sightings(0 things in 1 pictures)"
    assert repr(scenes.labelled()) == "Labelled(64 pictures)"
