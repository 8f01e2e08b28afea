"""Where a concept's delta goes."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp.diagnostics.factorisation import dependence, entanglement, leak
from projcomp.diagnostics.features import features_of
from projcomp.diagnostics.measure import noise_range
from projcomp.widgets.presets import PRESETS, sheared

from tests.helpers import normal, seeded

SAMPLES = 2000


def leaks(background, concepts, blocks, transform=None):
    features = features_of(blocks, transform, len(concepts), background.dim)
    levels = noise_range([background, *concepts], None, 24, seeded(0))
    return [
        leak(c, background, features, i, c.sample(SAMPLES, generator=seeded(i)), levels, seeded(9))
        for i, c in enumerate(concepts)
    ]


def test_nothing_leaks_under_factorized_conditionals():
    preset = PRESETS["factorized"]()
    for found in leaks(preset.background, preset.concepts, [[0], [1]]):
        assert found.off_block.value < 1e-25
        assert found.others.value < 1e-25


def test_change_is_the_divergence_in_nats():
    """De Bruijn: half the integral of E|Delta|^2 over sigma^2 is KL(p_i || p_b)."""
    background = pc.gaussian([0.0, 0.0], [1.0, 2.0])
    concept = pc.gaussian([1.5, 0.0], [0.3, 2.0])
    (found,) = leaks(background, [concept], [[1], [0]])
    exact = 0.5 * (0.3 + 1.5**2 - 1 - math.log(0.3))
    assert abs(found.change.value - exact) < 5 * found.change.error + 0.003 * exact


def test_share_off_the_block_of_a_tilted_shift():
    """A shift at an angle to its block: the square of the sine falls off it."""
    angle = 0.6
    background = pc.gaussian([0.0, 0.0], 0.4)
    concept = pc.gaussian([2 * math.cos(angle), 2 * math.sin(angle)], 0.4)
    (found,) = leaks(background, [concept], [[1], [0]])
    assert found.off_block.value == pytest.approx(math.sin(angle) ** 2, abs=1e-12)
    assert found.others.value < 1e-25


def test_a_delta_that_depends_on_the_rest_is_seen():
    background = pc.gaussian([0.0, 0.0], [[1.0, 0.6], [0.6, 1.0]])
    concept = pc.gaussian([2.0, 0.0], [[0.3, 0.1], [0.1, 1.0]])
    (found,) = leaks(background, [concept], [[1], [0]])
    assert found.others.value > 0.02
    assert found.off_block.value > 0.02


def test_a_shear_is_factorized_in_its_features_and_not_in_pixels():
    background, concepts, rows = sheared(60, 2, 0.3)
    for found in leaks(background, concepts, [[0], [1]], rows):
        assert found.off_block.value < 1e-20
        assert found.others.value < 1e-20
        assert found.change is None  # at one noise level only
    assert max(found.off_block.value for found in leaks(background, concepts, [[0], [1]])) > 0.05


@pytest.mark.parametrize(
    "warp", [pc.warps.banana(0.7), pc.warps.rotation(0.4)], ids=["banana", "turn"]
)
def test_warped_features(warp):
    base = [pc.gaussian([0.0], 1.0), pc.gaussian([0.0], 1.0)]
    new = [pc.gaussian([1.5], 0.1), pc.GaussianMixture([0.3, 0.7], [[-1.0], [2.0]], 0.2)]
    background, first, second = (
        pc.pushforward(pc.BlockProduct(parts), warp)
        for parts in (base, [new[0], base[1]], [base[0], new[1]])
    )
    for found in leaks(background, [first, second], [[0], [1]], warp.inverted()):
        assert found.off_block.value < 1e-20
        assert found.others.value < 1e-20


def test_dependence_sees_a_correlation_and_no_more():
    x = normal(seeded(1), 9000, 2)
    tied = torch.stack([x[:, 0], 0.6 * x[:, 0] + 0.8 * x[:, 1]], 1)
    free = dependence(x[:3000], x[3000:], [[0], [1]], seeded(2))
    found = dependence(tied[:3000], tied[3000:], [[0], [1]], seeded(2))
    assert found.excess > 6
    assert abs(free.value - free.floor) < 4 * (free.error + free.floor_error)


@pytest.mark.parametrize("correlation", [0.0, 0.15, 0.3])
def test_entanglement_is_the_mutual_information_where_that_is_small(correlation):
    density = pc.gaussian([0.0, 1.0], [[1.0, correlation], [correlation, 1.0]])
    features = features_of([[0], [1]], None, 2, 2)
    levels = noise_range([density], None, 40, seeded(3))
    clean = density.sample(20_000, generator=seeded(4))
    found = entanglement(density, features, clean, levels, seeded(5))
    information = -0.5 * math.log(1 - correlation**2)
    assert abs(found.value - information) < 5 * found.error + 3 * correlation**4 + 1e-20


def test_entanglement_does_not_see_a_turn_of_independent_features():
    turn = pc.warps.rotation(0.5)
    base = pc.BlockProduct([pc.gaussian([0.0], 1.0), pc.gaussian([0.0], 0.2)]).mixture()
    density = pc.pushforward(base, turn)
    levels = noise_range([density], None, 12, seeded(6))
    clean = density.sample(400, generator=seeded(7))
    inside, outside = (
        entanglement(density, features_of([[0], [1]], chart, 2, 2), clean, levels, seeded(8))
        for chart in (turn.inverted(), None)
    )
    assert inside.value < 1e-20
    assert outside.value > 0.1
