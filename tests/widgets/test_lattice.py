"""The Lattice's Python side: its densities, what it hands to the page, what it refuses."""

from __future__ import annotations

import base64
import math

import numpy as np
import projcomp as pc
import pytest
import torch
from projcomp import scenes
from projcomp.widgets.lattice import PLACES
from projcomp.widgets.normals import normals
from traitlets import TraitError

from tests.widgets.kinds import html_of, state_of
from tests.widgets.pictures import believed, rendered

PIXELS = 12
EMPTY, BANKS = rendered(6, PIXELS)
CHOSEN = [0, 4, 7]


def lattice(**options) -> pc.Lattice:
    return pc.Lattice(EMPTY, BANKS, **{"chosen": CHOSEN, **options})


def noisy(figure: pc.Lattice, sigma: float) -> torch.Tensor:
    noise = normals(1, 4 * len(EMPTY)).reshape(4, -1)
    return figure.banks[4][:4] + sigma * noise


def test_the_banks_change_disjoint_coordinates_and_keep_almost_all_of_the_pictures():
    figure = lattice()
    touched = torch.stack([(bank != figure.empty).any(0) for bank in figure.banks])
    assert int(touched.sum(0).max()) == 1
    kept = sum(float((bank - figure.empty).square().sum()) for bank in figure.banks)
    whole = sum(float((bank - EMPTY).square().sum()) for bank in BANKS)
    assert kept > 0.98 * whole
    for bank in figure.banks:
        assert torch.equal((255 * bank).round() / 255, bank)


def test_over_the_empty_floor_it_is_the_composition_of_the_chapter():
    figure = lattice()
    concepts = [pc.Empirical(figure.banks[j]) for j in CHOSEN]
    expected = pc.compose(pc.Empirical(figure.empty[None]), concepts)
    x = noisy(figure, 0.4)
    ours = figure.composition("A")
    assert (ours.denoise(x, 0.4) - expected.denoise(x, 0.4)).abs().max() < 1e-12
    # Every chosen place has its own mean change.
    changes = sum(concept.denoise(x, 0.4) - figure.empty for concept in concepts)
    assert (ours.denoise(x, 0.4) - figure.empty - changes).abs().max() < 1e-9


def test_over_the_average_the_law_of_ghosts_holds():
    figure = lattice()
    expected = pc.compose(pc.Empirical(torch.cat(figure.banks)), [figure.concepts("B")[0]])
    x = noisy(figure, 0.4)
    figure.chosen = [0]
    gap = figure.composition("B").denoise(x, 0.4) - expected.denoise(x, 0.4)
    assert gap.abs().max() < 1e-12
    figure.chosen = CHOSEN
    law = believed(figure, "B", x, 0.4)
    assert (law.sum(-1) - 1).abs().max() < 1e-12
    changes = torch.stack([p.denoise(x, 0.4) - figure.empty for p in figure.concepts("B")])
    predicted = figure.empty + torch.einsum("bj,jbn->bn", law, changes)
    assert (figure.composition("B").denoise(x, 0.4) - predicted).abs().max() < 1e-9


@pytest.mark.parametrize("rule", [{"rate": 0.3}, {"most": 5}])
def test_clutter_is_that_of_the_chapter(rule):
    figure = lattice(clutter="capped" if "most" in rule else "independent")
    parts = scenes.clutter_parts(figure.banks, figure.empty, figure.blocks)
    chances = [scenes.log_chances_of(9, named, **rule) for named in range(9)]
    members = [scenes.Presences(*parts, figure.blocks, chance) for chance in chances]
    mean = torch.logsumexp(torch.stack(chances), 0) - math.log(9)
    over = scenes.Presences(*parts, figure.blocks, mean)
    x = noisy(figure, 0.4)
    expected = over.composed_with([members[j] for j in CHOSEN])
    assert (figure.composition("C").score(x, 0.4) - expected.score(x, 0.4)).abs().max() < 1e-9
    figure.chosen = []
    assert (figure.composition("C").score(x, 0.4) - over.score(x, 0.4)).abs().max() < 1e-9


def test_with_nothing_chosen_it_is_the_background():
    figure = lattice(chosen=[])
    assert torch.equal(figure.composition("A").points, figure.empty[None])
    assert len(figure.composition("B").points) == 9 * 6
    assert figure.composition("B").weights.sum() == pytest.approx(1)
    assert (figure.sample("A") - figure.empty).abs().max() < 0.1


def test_places_with_more_pictures_are_not_likelier():
    banks = [BANKS[0][:2], *BANKS[1:]]
    weights = pc.Lattice(EMPTY, banks).background("B").weights
    assert float(weights[:2].sum()) == pytest.approx(1 / 9)


def test_samples_follow_the_state():
    figure = lattice(seed=4)
    assert torch.equal(figure.sample("B"), lattice(seed=4).sample("B"))
    assert not torch.equal(figure.start, lattice(seed=5).start)
    assert figure.opacities("A")[CHOSEN].tolist() == pytest.approx([1] * 3, abs=0.15)
    figure.chosen = [8, 2, 2]
    assert figure.chosen == [2, 8]
    assert figure.opacities("A")[[2, 8]].tolist() == pytest.approx([1] * 2, abs=0.15)
    with pytest.raises(TraitError, match="chosen must be places below 9, got 9"):
        figure.chosen = [9]
    with pytest.raises(TraitError):
        figure.clutter = "heaps"


def test_the_page_gets_the_pictures_and_little_else():
    figure = pc.Lattice(*rendered(24, 32))
    html = html_of(figure)
    assert len(html) < 250_000
    found = state_of(html)
    assert found["chosen"] == [0, 4]
    assert found["levels"] == pc.sigma_grid(0.02, 20.0, 24, rho=7)[:-1].tolist()
    place = found["bank"]["places"][3]
    where = np.frombuffer(base64.b64decode(place["coordinates"]), "<u2").astype(int)
    pictures = np.frombuffer(base64.b64decode(place["pictures"]), "u1").reshape(24, -1) / 255
    assert np.array_equal(figure.banks[3].numpy()[:, where], pictures)
    assert 'class="pc-still"' in html
    assert "front left, centre" in lattice(chosen=[0, 4]).summary


def test_the_noise_is_normal():
    draws = normals(7, 100_000)
    for power, value, deviation in ((1, 0, 1), (2, 1, 2**0.5), (3, 0, 15**0.5), (4, 3, 96**0.5)):
        error = abs(float((draws**power).mean()) - value)
        assert error < 5 * deviation / len(draws) ** 0.5
    assert torch.equal(normals(7, 5), draws[:5])


def test_there_are_as_many_names_as_places():
    assert len(PLACES) == len(scenes.lattice()) == 9


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pc.Lattice(EMPTY[:-1], BANKS), r"empty must have shape \(n,\).* got \(431,\)"),
        (lambda: pc.Lattice(EMPTY[None], BANKS), r"empty must have shape .* got \(1, 432\)"),
        (lambda: pc.Lattice(EMPTY + 1, BANKS), r"empty must lie in \[0, 1\]"),
        (lambda: pc.Lattice(EMPTY, BANKS[:4]), "banks must hold pictures for each of 9 places"),
        (lambda: pc.Lattice(EMPTY, None), "banks must hold pictures .* got None"),
        (
            lambda: pc.Lattice(EMPTY, [BANKS[0][:, :9], *BANKS[1:]]),
            r"banks\[0\] must have shape \(N, 432\), N >= 1, got \(6, 9\)",
        ),
        (lambda: pc.Lattice(EMPTY, [*BANKS[:8], BANKS[8][:0]]), r"banks\[8\] must have shape"),
        (lambda: pc.Lattice(EMPTY, [*BANKS[:8], -BANKS[8]]), r"banks\[8\] must lie in \[0, 1\]"),
        (lambda: pc.Lattice(EMPTY, [*BANKS[:8], EMPTY[None]]), r"banks\[8\] must change pixels"),
        (lambda: lattice(chosen=[9]), "chosen must be places below 9, got 9"),
        (lambda: lattice(chosen=[-1]), "chosen must be >= 0, got -1"),
        (lambda: lattice(chosen=["front"]), "chosen must be an integer >= 0, got 'front'"),
        (lambda: lattice(chosen=4), "chosen must be a sequence of places, got 4"),
        (lambda: lattice(clutter="heaps"), "clutter must be one of independent, capped"),
        (lambda: lattice(rate=1.5), r"rate must lie in \(0, 1\], got 1.5"),
        (lambda: lattice(rate=0.0), r"rate must lie in \(0, 1\], got 0"),
        (lambda: lattice(most=10), "most must be at most 9"),
        (lambda: lattice(levels=[1.0, 0.0]), "levels must be > 0, got 0"),
        (lambda: lattice(levels=[1.0, 2.0]), "levels must be 2 to 100 strictly decreasing"),
        (lambda: lattice(levels=[1.0]), "levels must be 2 to 100 strictly decreasing"),
        (lambda: lattice(level=24), "level must be below 24, got 24"),
        (lambda: lattice(level=-1), "level must be >= 0"),
        (lambda: lattice(seed=-1), "seed must be >= 0"),
        (lambda: lattice(view="dream"), "view must be one of picture, belief"),
        (lambda: lattice().composition("D"), "setting must be one of A, B, C; got 'D'"),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(ValueError, match=words):
        make()
