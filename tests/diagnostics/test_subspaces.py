"""Blocks found from the spans of the deltas."""

from __future__ import annotations

import itertools

import projcomp as pc
import pytest
import torch
from projcomp.diagnostics.features import found_features

from tests.helpers import close, normal, random_mixture, seeded


def factorized(sizes, seed, components=2):
    """FC by construction, in a randomly rotated space: densities, and the true bases.

    sizes: of M_b (may be 0), M_1, .., M_k.
    """
    g = seeded(seed)
    dim = sum(sizes)
    rotation = torch.linalg.qr(normal(g, dim, dim)).Q
    ends = torch.tensor([0, *sizes]).cumsum(0).tolist()
    blocks = [list(range(a, b)) for a, b in itertools.pairwise(ends)]
    used = [b for b in blocks if b]
    base = [random_mixture(g, components, len(b)) for b in used]
    turn = pc.LinearMap(rotation)
    background = pc.pushforward(pc.BlockProduct(base, used), turn)
    concepts = []
    for block in blocks[1:]:
        parts = list(base)
        parts[used.index(block)] = random_mixture(g, components, len(block))
        concepts.append(pc.pushforward(pc.BlockProduct(parts, used), turn))
    return background, concepts, [rotation[:, block] for block in blocks[1:]]


def sine_of_largest_angle(found, true):
    return float((found - true @ (true.T @ found)).norm())


@pytest.mark.parametrize(
    "sizes",
    [[0, 1, 1], [2, 1, 3], [0, 2, 2, 2], [5, 4, 3, 4], [20, 10, 14], [34, 9, 13, 8]],
    ids=str,
)
def test_blocks_are_recovered_from_random_rotations(sizes):
    background, concepts, true = factorized(sizes, seed=sum(sizes))
    found = pc.find_blocks(background, concepts, samples=64, generator=seeded(1))
    assert [basis.shape for basis in found] == [basis.shape for basis in true]
    for basis, wanted in zip(found, true, strict=True):
        close(basis.T @ basis, torch.eye(basis.shape[1], dtype=torch.float64), absolute=1e-12)
        assert sine_of_largest_angle(basis, wanted) < 1e-8


def test_a_shift_spans_one_direction():
    """The smallest subspace in which the concept acts, not the block that one had in mind."""
    background = pc.gaussian([0.0] * 5, 1.0)
    concept = pc.gaussian([3.0, 4.0, 0.0, 0.0, 0.0], 1.0)
    (basis,) = pc.find_blocks(background, [concept], generator=seeded(2))
    assert basis.shape == (5, 1)
    close(basis[:, 0].abs(), torch.tensor([0.6, 0.8, 0, 0, 0], dtype=torch.float64))


def test_no_change_no_block():
    mixture = random_mixture(seeded(3), 3, 4)
    (basis,) = pc.find_blocks(mixture, [mixture], generator=seeded(4))
    assert basis.shape == (4, 0)


def test_without_factorisation_the_spans_fill_everything():
    g = seeded(5)
    background, *concepts = (random_mixture(g, 3, 3) for _ in range(3))
    found = pc.find_blocks(background, concepts, generator=seeded(6))
    assert [basis.shape[1] for basis in found] == [3, 3]
    assert found_features(found, 3) is None


def test_from_scores_and_samples_alone():
    background, concepts, true = factorized([1, 2, 2], seed=8)
    blind = [
        pc.Scored(5, p.score, p.sample(400, generator=seeded(9))) for p in (background, *concepts)
    ]
    found = pc.find_blocks(blind[0], blind[1:], samples=200, generator=seeded(10))
    for basis, wanted in zip(found, true, strict=True):
        assert basis.shape == wanted.shape
        assert sine_of_largest_angle(basis, wanted) < 1e-8


def test_noisy_scores_need_a_tolerance():
    background, concepts, true = factorized([0, 2, 2], seed=11)
    rough = [
        pc.Scored(4, lambda x, s, p=p: p.score(x, s) * (1 + 1e-4 * torch.cos(9 * x)), p.sample(300))
        for p in (background, *concepts)
    ]
    strict = pc.find_blocks(rough[0], rough[1:], generator=seeded(12))
    assert [basis.shape[1] for basis in strict] == [4, 4]
    loose = pc.find_blocks(rough[0], rough[1:], tolerance=0.02, generator=seeded(12))
    for basis, wanted in zip(loose, true, strict=True):
        assert basis.shape == wanted.shape
        assert sine_of_largest_angle(basis, wanted) < 0.02


P = pc.gaussian([0.0], 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigmas": [0.0, 1.0]}, "sigmas must be > 0"),
        ({"sigmas": [1.0]}, "at least two different"),
        ({"sigmas": [1.0, 1.0]}, "at least two different"),
        ({"samples": 1}, "samples must be >= 2"),
        ({"tolerance": 0.0}, "tolerance must lie between"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        pc.find_blocks(P, [P], **options)


def test_levels_are_needed_where_nothing_can_be_sampled():
    blind = pc.Scored(1, P.score)
    with pytest.raises(ValueError, match="sigmas must be given"):
        pc.find_blocks(blind, [blind])
    (basis,) = pc.find_blocks(
        blind, [pc.Scored(1, pc.gaussian([2.0], 1.0).score)], sigmas=[0.05, 50.0], samples=16
    )
    assert basis.shape == (1, 1)
