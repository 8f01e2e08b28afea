"""The networks of pictures that come with the library, as they are shipped."""

from __future__ import annotations

import projcomp as pc
import pytest
import torch
from projcomp import networks, scenes
from projcomp.networks.pictures import WEIGHTS, blank_picture_model

NAMES = tuple(networks.PICTURE_MODELS)
STORED = {
    "one": [0.43893, 0.21874, 0.58684, 0.61378, 0.31188, 0.57189],
    "one-clean": [0.69847, 0.34341, 0.19534, 0.94749, 0.6661, 0.57644],
    "one-window": [0.5588, 0.21198, 0.46027, 0.6921, 0.40391, 0.57521],
    "one-window-clean": [0.49291, 0.19037, 0.52603, 0.64679, 0.35143, 0.57592],
    "clutter": [0.59777, 0.48354, 0.63608, 0.73923, 0.70192, 0.57825],
    "colour": [0.63978, 0.631, 0.63075, 0.62769, 0.61886, 0.59718],
    "one-2": [0.47577, 0.2528, 0.56503, 0.69921, 0.40573, 0.57395],
    "one-window-clean-2": [0.54609, 0.37918, 0.5173, 0.74346, 0.4775, 0.57719],
}
TOLERANCE = 1e-3
"""In float64, and on two threads, the samples move by less than 1e-5."""


def composed(name):
    model = networks.load_picture_model(name)
    if name == "colour":
        parts = [networks.Denoiser(model, label) for label in ("average", 1, 6)]
        return pc.compose(parts[0], parts[1:])
    background = "average" if name == "clutter" else None
    return networks.composed_places(model, [[0.0, -0.1], [-0.6, 0.5]], background)


@pytest.mark.parametrize("name", NAMES)
def test_they_load_and_give_the_stored_sample(name):
    start = 0.5 + 28.0 * torch.cos(1.7 * torch.arange(3072, dtype=torch.float64))
    levels = pc.sigma_grid(0.02, 20.0, 10, rho=7)[:-1]
    run = pc.reverse_diffusion(composed(name), 1, levels, "euler", start=start[None])
    picture = run.samples[0].reshape(3, 32, 32)
    found = torch.cat([picture[:, 14, 16], picture[:2, 23, 6], picture.mean()[None]])
    wanted = torch.tensor(STORED[name], dtype=torch.float64)
    assert float((found - wanted).abs().max()) < TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_they_know_their_data(name):
    """The denoiser's error at a moderate noise, over that of the best answer without a look."""
    model = networks.load_picture_model(name)
    generator = torch.Generator().manual_seed(11)
    if name == "colour":
        pictures = scenes.one_coloured(16, generator=generator)
        told = 1 + pictures.colour
    else:
        make = scenes.one_to_many if name == "clutter" else scenes.one_object
        pictures = make(16, generator=generator)
        told = torch.cat([torch.ones(16, 1), pictures.place], 1)
    clean = pictures.values / 255.0
    noise = torch.randn(clean.shape, generator=generator)
    with torch.no_grad():
        guess = model(clean + 0.3 * noise, torch.tensor([0.3]), told)
    near = torch.ones(16, 3072, dtype=torch.bool)
    if name == "one-window":  # elsewhere it can't see the noise that it passes on
        ramp = (torch.arange(32) + 0.5) / 16 - 1
        square = (ramp - pictures.place[:, :1, None]) ** 2
        square = square + (ramp[:, None] - pictures.place[:, 1:, None]) ** 2
        near = (square < 0.3**2).flatten(1).repeat(1, 3)
    floor = scenes.empty_picture().flatten()
    error = (guess - clean)[near].square().mean() / (floor - clean)[near].square().mean()
    assert float(error) < 0.25


def test_they_are_small_and_described():
    files = [f"{name}.safetensors" for name in NAMES]
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 41.3e6
    card = (WEIGHTS / "README.md").read_text(encoding="utf-8")
    for name, file in zip(NAMES, files, strict=True):
        assert f"`{file}`" in card
        parameters = sum(p.numel() for p in blank_picture_model(name).parameters())
        assert f"{parameters:,}" in card


def test_a_damaged_or_a_strangers_file(tmp_path):
    content = (WEIGHTS / "one.safetensors").read_bytes()
    file = tmp_path / "one.safetensors"
    file.write_bytes(content[:-100])
    with pytest.raises(ValueError, match="damaged, or not a file of weights"):
        networks.load_network(blank_picture_model("one"), file)
    with pytest.raises(ValueError, match="another architecture: labels is 1, wanted 10"):
        networks.load_network(blank_picture_model("colour"), WEIGHTS / "one.safetensors")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: networks.composed_places(model, [0.1, 0.2]), r"places must have shape \(K"),
        (lambda model: networks.composed_places(model, [[0.1, 1.2]]), r"a place \(u, v\) in \[-1"),
        (lambda model: networks.composed_places(model, [[0.1, 0.2]], "floor"), "got 'floor'"),
        (lambda model: networks.load_picture_model("cats"), "name must be one of one, one-clean"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(networks.load_picture_model("one"))
