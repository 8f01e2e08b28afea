"""Content and texture of patches: an orthogonal feature map, and what it does to compositions."""

from __future__ import annotations

import projcomp as pc
import pytest
import torch
from projcomp import photographs
from scipy.fft import dctn

from tests.helpers import normal, seeded

PIXELS, LOW = 12, 3
BANDS = photographs.Bands(PIXELS, LOW)


def patches(name: str) -> torch.Tensor:
    return photographs.patches(photographs.load(name), PIXELS, 44)


CAT, GRASS = (BANDS.split(patches(name)) for name in ("cat", "grass"))
CONTENTS = torch.cat([CAT[0], GRASS[0]])
TEXTURES = torch.cat([CAT[1], GRASS[1]])


def composition() -> pc.Composition:
    """Over all contents and textures: the cat's content, the grass's texture."""
    background = BANDS.product(CONTENTS, TEXTURES)
    return pc.compose(
        background, [BANDS.product(CAT[0], TEXTURES), BANDS.product(CONTENTS, GRASS[1])]
    )


def test_the_content_is_the_low_corner_of_the_cosine_transform():
    x = normal(seeded(0), 5, PIXELS**2)
    wanted = dctn(x.reshape(5, PIXELS, PIXELS).numpy(), axes=(1, 2), norm="ortho")
    content, texture = BANDS.split(x)
    gap = content - torch.from_numpy(wanted[:, :LOW, :LOW].copy()).flatten(1)
    assert float(gap.abs().max()) < 1e-12
    assert texture.shape == (5, PIXELS**2 - LOW**2)
    squares = content.square().sum(1) + texture.square().sum(1)
    assert float((squares - x.square().sum(1)).abs().max()) < 1e-11


def test_the_cosines_are_orthonormal():
    basis = photographs.cosines(PIXELS, PIXELS)
    one = torch.eye(PIXELS**2, dtype=torch.float64)
    assert float((basis.T @ basis - one).abs().max()) < 1e-13


def test_patches_are_joined_as_they_were_split():
    x = normal(seeded(1), 4, PIXELS**2)
    assert float((BANDS.join(*BANDS.split(x)) - x).abs().max()) < 1e-12
    content, texture = BANDS.split(x)
    crossed = BANDS.join(content[:, None], texture[None])
    assert crossed.shape == (4, 4, PIXELS**2)
    assert float((BANDS.split(crossed[1, 2])[0] - content[1]).abs().max()) < 1e-12
    assert float((BANDS.split(crossed[1, 2])[1] - texture[2]).abs().max()) < 1e-12


@pytest.mark.parametrize("sigma", [0.1, 1.0, 10.0])
def test_a_product_is_the_empirical_law_of_all_that_can_be_joined(sigma):
    every = pc.Empirical(BANDS.join(CAT[0][:, None], GRASS[1][None]).flatten(0, 1))
    product = BANDS.product(CAT[0], GRASS[1])
    x = every.sample(6, sigma, seeded(2))
    gap = product.log_prob(x, sigma) - every.log_prob(x, sigma)
    assert float(gap.abs().max()) < 1e-8
    scale = every.score(x, sigma).abs().max()
    assert float((product.score(x, sigma) - every.score(x, sigma)).abs().max() / scale) < 1e-10


@pytest.mark.parametrize("sigma", [0.03, 0.3, 1.0, 3.0, 30.0])
def test_the_deltas_are_orthogonal_at_every_level(sigma):
    composed = composition()
    x = composed.background.sample(8, sigma, seeded(3))
    deltas = composed.deltas(x, sigma)
    squares = deltas.square().sum((0, 2))
    assert float(squares.max()) > 0
    assert bool((deltas.prod(0).sum(1).abs() <= 1e-12 * squares).all())
    assert bool((composed.interaction(x, sigma).abs() <= 1e-12 * squares).all())
    truth = BANDS.product(CAT[0], GRASS[1])
    score = truth.score(x, sigma)
    gap = (composed.score(x, sigma) - score).square().sum(1)
    assert bool((gap <= 1e-20 * score.square().sum(1)).all())


def test_raw_patches_have_deltas_that_are_not():
    bank = BANDS.join(CONTENTS, TEXTURES)
    half = len(CAT[0])
    parts = [pc.Empirical(rows) for rows in (bank, bank[:half], bank[half:])]
    raw = pc.compose(parts[0], parts[1:])
    x = parts[0].sample(8, 3.0, seeded(3))
    deltas = raw.deltas(x, 3.0)
    assert float((deltas.prod(0).sum(1) / deltas.norm(dim=2).prod(0)).min().abs()) > 0.3


@pytest.mark.parametrize("method", ["unipc3", "sde"])
def test_the_sampler_reaches_the_product(method):
    levels = pc.sigma_grid(0.01, 40.0, 40, rho=7)[:-1]
    found = pc.reverse_diffusion(
        composition(), 200, levels, method, generator=seeded(4), progress=False
    )
    content, texture = BANDS.split(found.samples)
    for values, wanted, every in ((content, CAT[0], CONTENTS), (texture, GRASS[1], TEXTURES)):
        expected = 200 / len(wanted)
        nearest = torch.cdist(values, every).argmin(1)
        place = torch.cdist(every[nearest], wanted)
        assert float(place.min(1).values.max()) < 1e-6  # each is one of those asked for
        counts = torch.bincount(place.argmin(1), minlength=len(wanted)).double()
        assert float((counts - expected).square().sum() / expected) < 37.7  # 0.1% of chi^2_15


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: photographs.cosines(4, 5), "low must be at most pixels = 4, got 5"),
        (lambda: photographs.Bands(4, 4), "low must be less than pixels = 4, got 4"),
        (lambda: photographs.Bands(0), "pixels must be"),
        (lambda: BANDS.product(CAT[1], GRASS[1]), r"contents must have shape \(N, 9\), got \(16, "),
        (lambda: BANDS.product(CAT[0], GRASS[1][0]), r"textures must have shape \(N, 135\)"),
        (lambda: BANDS.join(CAT[1], GRASS[1]), r"content must have shape \(\.\.\., 9\)"),
        (lambda: BANDS.split(torch.zeros(7)), "144"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
