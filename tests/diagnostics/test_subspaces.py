"""Blocks found from the spans of the deltas."""

from __future__ import annotations

import itertools
import math

import projcomp as pc
import pytest
import torch
from projcomp.diagnostics import subspaces

from tests.helpers import close, normal, random_mixture, seeded, uniform


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
    assert found.features() is None


def test_from_scores_and_samples_alone():
    background, concepts, true = factorized([1, 2, 2], seed=8)
    blind = [
        pc.Scored(5, p.score, p.sample(400, generator=seeded(9))) for p in (background, *concepts)
    ]
    found = pc.find_blocks(blind[0], blind[1:], samples=200, generator=seeded(10))
    for basis, wanted in zip(found, true, strict=True):
        assert basis.shape == wanted.shape
        assert sine_of_largest_angle(basis, wanted) < 1e-8


def rough(density, size, seed):
    """Known by a score alone, with an error of a fixed smooth field: `size` times the score's root
    mean square, in every coordinate."""
    g, dim = seeded(seed), density.dim
    waves, shift, drift = normal(g, dim, dim) / dim**0.5, 6.3 * uniform(g, dim), normal(g, dim)
    variance = float(density.sample(500, generator=seeded(0)).var(0).mean())

    def score(x, sigma):
        exact, spread = density.score(x, sigma), (sigma**2 + variance).sqrt()[:, None]
        field = 2**0.5 * torch.cos(x / spread @ waves.T + shift + drift * spread.log())
        return exact + size * exact.square().mean(1, keepdim=True).sqrt() * field

    return pc.Scored(dim, score, density.sample(600, generator=seeded(seed + 1)))


def found_in_rough(sizes, seed, size):
    background, concepts, true = factorized(sizes, seed)
    parts = [rough(p, size, 100 * seed + i) for i, p in enumerate((background, *concepts))]
    return pc.find_blocks(parts[0], parts[1:], generator=seeded(seed)), true


@pytest.mark.parametrize("sizes", [[0, 2, 2], [1, 3, 3], [5, 4, 3, 4]], ids=str)
def test_small_errors_of_scores_leave_the_ranks(sizes):
    found, true = found_in_rough(sizes, seed=102, size=0.01)
    assert found.ranks == [basis.shape[1] for basis in true]
    assert all(found.clear)
    for basis, wanted, gap in zip(found, true, found.gaps, strict=True):
        assert sine_of_largest_angle(basis, wanted) < 1 / gap
    assert found.features() is not None


@pytest.mark.parametrize("size", [0.05, 0.2])
def test_larger_errors_make_a_rank_unclear_and_not_wrong(size):
    unclear = 0
    for sizes in ([0, 2, 2], [1, 3, 3], [5, 4, 3, 4]):
        found, true = found_in_rough(sizes, seed=101, size=size)
        for basis, wanted, clear in zip(found, true, found.clear, strict=True):
            assert basis.shape[1] == (wanted if clear else basis).shape[1]
            assert clear or basis.shape == (sum(sizes), sum(sizes))
            unclear += not clear
        if not all(found.clear):
            assert found.features(overlap=0.99) is None
    assert unclear >= (1 if size == 0.05 else 7)


def test_without_factorisation_learned_scores_have_no_clear_rank():
    g = seeded(14)
    background, *concepts = (rough(random_mixture(g, 3, 6), 0.03, i) for i in range(3))
    assert pc.find_blocks(background, concepts, generator=seeded(15)).clear == [False, False]


def test_a_tolerance_goes_before_the_gap():
    found, _ = found_in_rough([0, 2, 2], seed=102, size=0.01)
    assert found.ranks == [2, 2]
    background, concepts, _ = factorized([0, 2, 2], seed=102)
    parts = [rough(p, 0.01, 10200 + i) for i, p in enumerate((background, *concepts))]
    strict = pc.find_blocks(parts[0], parts[1:], tolerance=1e-6, generator=seeded(102))
    assert (strict.ranks, strict.clear, strict.features()) == ([4, 4], [True, True], None)
    # A score alone within another density counts as one.
    inside = [pc.BlockProduct([part]) for part in parts]
    assert pc.find_blocks(inside[0], inside[1:], generator=seeded(102)).ranks == [2, 2]


def test_what_was_found_can_be_read():
    background, concepts, true = factorized([1, 2, 3], seed=16)
    found = pc.find_blocks(background, concepts, generator=seeded(17))
    assert (len(found), found.ranks, found.clear) == (2, [2, 3], [True, True])
    for values, rank, gap in zip(found.values, found.ranks, found.gaps, strict=True):
        assert len(values) == 6
        assert float(values.square().sum()) == pytest.approx(1.0, rel=1e-12)
        assert bool((values.diff() <= 0).all())
        assert gap > 1e6
        assert values[rank] < 1e-6 < values[rank - 1]
    x = normal(seeded(18), 6)
    close(found.features().project(x, 1), true[1] @ (true[1].T @ x), absolute=1e-8)
    (all_of_it,) = pc.find_blocks(P, [pc.gaussian([1.0], 1.0)], generator=seeded(19)).gaps
    assert all_of_it == math.inf


def test_blocks_that_lean_have_no_features():
    """At a cosine of 0.1, unless that is said to count as none."""
    background = pc.gaussian([0.0, 0.0], 1.0)
    concepts = [pc.gaussian([1.0, 0.0], 1.0), pc.gaussian([0.1, 0.99**0.5], 1.0)]
    found = pc.find_blocks(background, concepts, generator=seeded(20))
    assert found.ranks == [1, 1]
    assert found.features() is None
    assert found.features(overlap=0.099) is None
    assert found.features(overlap=0.101) is not None


# -- many coordinates: a sketch ------------------------------------------------------------------


@pytest.fixture
def sketched(monkeypatch):
    """Sketches of few directions where otherwise all are looked at."""

    def use(first, most=1 << 25):
        monkeypatch.setattr(subspaces, "_FEW", 8)
        monkeypatch.setattr(subspaces, "_SKETCH", first)
        monkeypatch.setattr(subspaces, "_MOST", most)

    return use


@pytest.mark.parametrize("first", [20, 4])
def test_a_sketch_finds_the_same_blocks(sketched, first):
    """Of 44 coordinates; a sketch that is too small grows."""
    sketched(first)
    background, concepts, true = factorized([20, 10, 14], seed=44)
    found = pc.find_blocks(background, concepts, generator=seeded(1))
    assert found.ranks == [10, 14]
    for basis, wanted, values in zip(found, true, found.values, strict=True):
        assert len(values) < 44
        close(basis.T @ basis, torch.eye(basis.shape[1], dtype=torch.float64), absolute=1e-12)
        assert sine_of_largest_angle(basis, wanted) < 1e-8
        assert float(values.square().sum()) == pytest.approx(1.0, rel=1e-12)


def test_a_sketch_that_may_not_grow_is_not_clear(sketched):
    sketched(4, most=12 * 44)
    background, concepts, _ = factorized([20, 10, 14], seed=44)
    found = pc.find_blocks(background, concepts, generator=seeded(1))
    assert (found.ranks, found.clear) == ([10, 12], [True, False])
    assert found.features() is None


def test_a_sketch_of_learned_scores():
    """1500 coordinates, errors of 2% in each: as large as the change, all in all."""
    g, dim = seeded(21), 1500
    basis = torch.linalg.qr(normal(g, dim, 3)).Q
    shift = normal(g, 2, dim)
    means = 3 * torch.eye(4, 3, dtype=torch.float64) @ basis.T
    exact = [pc.gaussian([0.0] * dim, 1.0), pc.GaussianMixture([0.25] * 4, means, 1.0)]

    def learned(density, shift):
        def score(x, sigma):
            spread = (sigma**2 + 1).sqrt()[:, None]
            return density.score(x, sigma) + 0.02 / spread * torch.cos(3 * x / spread + shift)

        return pc.Scored(dim, score, density.sample(256, generator=seeded(22)))

    parts = [learned(p, s) for p, s in zip(exact, shift, strict=True)]
    found = pc.find_blocks(parts[0], parts[1:], generator=seeded(23))
    assert (found.ranks, found.clear) == ([3], [True])
    assert len(found.values[0]) == 64
    assert sine_of_largest_angle(found[0], basis) < 0.2
    assert float(found.values[0].square().sum()) < 0.9


def test_values_are_measured_on_other_points_than_found_the_directions():
    """Errors that have nothing to do with each other from point to point: 64 directions hold
    64/1500 of them, and more at the points that they were fitted to."""
    dim = 1500
    waves = 1e3 * normal(seeded(24), dim)
    clean = normal(seeded(25), 512, dim)
    exact = pc.gaussian([0.0] * dim, 1.0)

    def score(x, sigma):
        return exact.score(x, sigma) + torch.cos(waves * x.roll(1, 1))

    odd = pc.Scored(dim, score, clean[::2])
    even = pc.Scored(dim, exact.score, clean[1::2])
    found = pc.find_blocks(even, [odd], sigmas=[1e-4, 2e-4], generator=seeded(26))
    assert found.clear == [False]
    share = float(found.values[0].square().sum())
    assert share == pytest.approx(len(found.values[0]) / dim, rel=0.05)


def test_levels_lie_where_the_scores_are_known():
    def only(density):
        def score(x, sigma):
            assert 0.1 <= float(sigma.min()) <= float(sigma.max()) <= 5.0
            return density.score(x, sigma)

        return pc.Scored(1, score, density.sample(300), sigma_range=(0.1, 5.0))

    assert pc.find_blocks(only(P), [only(pc.gaussian([2.0], 1.0))]).ranks == [1]
    far = pc.Scored(1, P.score, P.sample(300), sigma_range=(500.0, 1000.0))
    with pytest.raises(ValueError, match="sigmas must be given: the scores are known from 500"):
        pc.find_blocks(far, [far])


P = pc.gaussian([0.0], 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigmas": [0.0, 1.0]}, "sigmas must be > 0"),
        ({"sigmas": [1.0]}, "at least two different"),
        ({"sigmas": [1.0, 1.0]}, "at least two different"),
        ({"samples": 1}, "samples must be >= 2"),
        ({"tolerance": 0.0}, "tolerance must lie between"),
        ({"tolerance": 1.0}, "tolerance must lie between"),
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
