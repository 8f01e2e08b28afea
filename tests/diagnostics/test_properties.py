"""What a diagnosis may not depend on: units, origin, turns, and the order of the concepts."""

from __future__ import annotations

import copy
import pickle

import projcomp as pc
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import close, random_mixture, seeded

F64 = torch.float64
LEVELS = pc.sigma_grid(0.05, 60.0, 6)[:-1]


def moved(density, matrix, shift=0.0):
    """The law of matrix x + shift."""
    means = density.means @ matrix.T + shift
    return pc.GaussianMixture(
        density.weights, means, _even(matrix @ density.covariances @ matrix.T)
    )


def _even(covariances):
    return 0.5 * (covariances + covariances.mT)


def family(seed):
    g = seeded(seed)
    return [random_mixture(g, k, 3) for k in (1, 2, 3)]


def report(densities, levels=LEVELS, blocks=((0,), (1, 2)), samples=400):
    background, *concepts = densities
    return pc.diagnose(
        background, concepts, blocks, sigmas=levels, samples=samples, generator=seeded(0)
    )


def numbers(found):
    """Those that are ratios, and so have no unit."""
    path, leaks = found.path, [c.leak for c in found.concepts]
    levels = [level.path.value for level in path.levels if level.path is not None]
    shares = [share.value for leak in leaks for share in (leak.off_block, leak.others)]
    return torch.cat(
        [
            path.same_point.flatten(),
            path.across.flatten(),
            path.mean_cosines.nan_to_num(0.0).flatten(),
            torch.tensor([*levels, *shares, path.share], dtype=F64),
        ]
    )


@settings(max_examples=6)
@given(st.integers(0, 1000), st.sampled_from([1e-9, 1e-3, 1e4, 1e9]))
def test_units(seed, scale):
    here = family(seed)
    eye = torch.eye(3, dtype=F64)
    there = [moved(density, scale * eye) for density in here]
    close(numbers(report(there, scale * LEVELS)), numbers(report(here)), 1e-5, 1e-6)


@settings(max_examples=4)
@given(st.integers(0, 1000))
def test_the_order_of_concepts(seed):
    background, first, second = family(seed)
    one = report([background, first, second])
    other = report([background, second, first], blocks=((1, 2), (0,)))
    # The particles are other ones, and so are the samples of each: within their errors.
    gap = (one.path.same_point[0, 1] - other.path.same_point[0, 1]).abs()
    error = one.path.same_point_error[0, 1] + other.path.same_point_error[0, 1]
    assert gap <= 5 * error + 1e-12
    for a, b in zip(one.concepts, reversed(other.concepts), strict=True):
        for name in ("off_block", "others"):
            x, y = getattr(a.leak, name), getattr(b.leak, name)
            assert abs(x.value - y.value) <= 6 * (x.error + y.error) + 1e-12


@settings(max_examples=4)
@given(st.integers(0, 1000), st.floats(0.0, 6.0))
def test_turns_of_the_plane_are_seen_in_the_blocks_alone(seed, angle):
    """Cosines and gaps of the path hold within errors under a rotation; blocks go with it."""
    turn = torch.eye(3, dtype=F64)
    turn[:2, :2] = pc.warps.rotation(angle).matrix
    here = family(seed)
    one, other = report(here), report([moved(density, turn) for density in here])
    for name in ("same_point", "mean_cosines"):
        gap = (getattr(one.path, name) - getattr(other.path, name))[0, 1].abs()
        error = (getattr(one.path, f"{name}_error") + getattr(other.path, f"{name}_error"))[0, 1]
        assert bool(gap.isnan()) or gap <= 6 * error + 1e-9


@pytest.mark.parametrize("shift", [1e3, 1e6])
def test_a_shift_changes_no_verdict(shift):
    """With a start that knows where the data lie: the sampler's own starts about the origin."""
    here = family(3)
    eye = torch.eye(3, dtype=F64)
    wide = pc.sigma_grid(0.05, 200.0 * shift, 10)[:-1]
    there = [moved(density, eye, shift) for density in here]
    one, other = report(here), report(there, wide)
    assert one.verdict.kind == other.verdict.kind
    for a, b in zip(one.concepts, other.concepts, strict=True):
        # Other levels, so another average; but zero stays zero, and one stays one.
        assert (a.leak.off_block.value < 1e-9) == (b.leak.off_block.value < 1e-9)


@pytest.mark.parametrize("blocks", [None, ((0,), (1, 2))])
def test_reports_are_pickled_and_copied(blocks):
    background = pc.gaussian([0.0, 0.0, 0.0], 1.0)
    concepts = [pc.gaussian([1.0, 0.0, 0.0], 1.0), pc.gaussian([0.0, 1.0, 0.0], 2.0)]
    found = pc.diagnose(background, concepts, blocks, samples=400, generator=seeded(1))
    for same in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert str(same) == str(found)
        assert same._repr_html_() == found._repr_html_()


@pytest.mark.parametrize("inference", [False, True])
def test_diagnoses_in_inference_mode_and_with_gradients_recorded(inference):
    background, *concepts = family(5)
    with torch.inference_mode(inference):
        found = report([background, *concepts])
    assert not found.path.samples.requires_grad
    assert str(found) == str(report([background, *concepts]))
