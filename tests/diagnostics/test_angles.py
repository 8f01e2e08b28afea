"""Cosines of the deltas, each with its error, or not known."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp import networks
from projcomp.diagnostics.angles import Angles, mean_cosines
from projcomp.diagnostics.measure import Estimate, jackknife

from tests.helpers import close, normal, random_mixture, seeded

WIDE = pc.gaussian([0.0, 0.0], 1.0)


def pair(shift=(0.0, 0.0)):
    """Two concepts that move no mean; one is skewed."""
    shift = torch.tensor(shift, dtype=torch.float64)
    first = [[-0.5, 0.0], [4.5, 0.0]]
    second = [[0.0, -3.0], [0.0, 3.0]]
    return [
        pc.GaussianMixture([0.9, 0.1], shift + torch.tensor(first, dtype=torch.float64), 1.0),
        pc.GaussianMixture([0.5, 0.5], shift + torch.tensor(second, dtype=torch.float64), 0.5),
    ]


@pytest.mark.parametrize("sigmas", [None, [3.0, 1.0, 0.5, 0.1], [0.4, 0.1]])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (50.0, 20.0), (1e6, 0.0)])
def test_no_cosine_where_no_mean_moves(sigmas, shift):
    """Wherever the levels end, and wherever the data lie."""
    background = pc.gaussian(shift, 1.0)
    for seed in range(3):
        report = pc.diagnose(
            background, pair(shift), sigmas=sigmas, samples=400, generator=seeded(seed)
        )
        assert report.path.mean_cosines[0, 1].isnan()
        assert report.path.mean_cosines_error[0, 1].isnan()
        assert "not known" in str(report).split("of the means")[1]


@pytest.mark.parametrize("sigmas", [None, [4.0, 1.0, 0.2]])
def test_cosines_of_means_and_their_errors(sigmas):
    """Within five errors of the truth, at levels that end anywhere; and the errors are small."""
    g = seeded(11)
    background, *concepts = (random_mixture(g, 3, 4) for _ in range(3))
    shifts = torch.stack([c.mean - background.mean for c in concepts])
    wanted = float(torch.cosine_similarity(shifts[0], shifts[1], 0))
    report = pc.diagnose(background, concepts, sigmas=sigmas, samples=2000, generator=seeded(1))
    found, error = report.path.mean_cosines[0, 1], report.path.mean_cosines_error[0, 1]
    assert 0 < error < 0.05
    assert abs(found - wanted) < 5 * error


def test_every_cosine_has_an_error_that_shrinks():
    concepts = [random_mixture(seeded(k), 3, 2) for k in (1, 2)]
    paths = [pc.diagnose(WIDE, concepts, samples=n, generator=seeded(n)).path for n in (400, 6400)]
    few, many = paths
    for name in ("same_point", "mean_cosines"):
        value, error = (getattr(few, n)[0, 1] for n in (name, f"{name}_error"))
        assert 0 < error < 0.2
        assert getattr(many, f"{name}_error")[0, 1] < error
        assert abs(value - getattr(many, name)[0, 1]) < 5 * error
    assert 0 < many.across_error[0, 1] < 0.2
    assert 0 < many.share_error < few.share_error


def test_a_delta_that_vanishes_has_no_cosine():
    report = pc.diagnose(WIDE, [WIDE, pc.gaussian([1.0, 0.0], 1.0)], samples=400)
    for table in (report.path.same_point, report.path.across, report.path.mean_cosines):
        assert table[0].isnan().all()
        assert table[1, 1] == pytest.approx(1.0)


def test_a_leak_of_nothing_is_not_known():
    report = pc.diagnose(
        WIDE, [WIDE, pc.gaussian([0.0, 1.0], 1.0)], [[0], [1]], samples=400, generator=seeded(2)
    )
    assert math.isnan(report.concepts[0].leak.off_block.value)
    assert report.concepts[1].leak.off_block.value == pytest.approx(0.0, abs=1e-20)
    assert "not known" in str(report)
    assert report.verdict.kind == "exact"


def test_a_network_that_moves_no_mean_is_not_told_of_one():
    """What "shear" learned moves no mean, and 800 samples show none of the network's own error."""
    background, concepts = networks.load("shear")
    levels = pc.sigma_grid(0.02, 40.0, 8)[:-1]
    report = pc.diagnose(background, concepts, sigmas=levels, samples=800, generator=seeded(3))
    assert report.path.mean_cosines[0, 1].isnan()
    assert report.path.mean_cosines_error[0, 1].isnan()


def test_jackknife_is_the_error_of_a_mean():
    values = normal(seeded(4), 12)
    value, error = jackknife(lambda kept: values[kept].mean(), 12)
    close(value, values.mean())
    close(error, values.std() / 12**0.5)
    assert jackknife(lambda kept: values[kept].mean(), 1)[1].isnan()


@pytest.mark.parametrize(("dim", "group"), [(3, 1), (70, 3)])
def test_across_is_that_of_the_definition(dim, group):
    """All pairs of particles and levels, by loops; errors by leaving out groups, by loops."""
    levels = [normal(seeded(j), 2, 24, dim) for j in range(4)]
    angles = Angles()
    for deltas in levels:
        angles.add(deltas)
    value, error = angles.across()

    def direct(particles):
        rows = torch.cat([deltas[:, particles] for deltas in levels], 1)
        dots = (rows[0] @ rows[1].T).square().mean()
        return (dots / (rows[0].square().sum(1).mean() * rows[1].square().sum(1).mean())).sqrt()

    close(value[0, 1], direct(list(range(24))))
    count = 24 // group
    without = torch.stack(
        [direct([p for p in range(24) if p // group != left]) for left in range(count)]
    )
    close(error[0, 1], ((count - 1) * (without - without.mean()).square().mean()).sqrt())


def test_means_within_five_errors_are_not_known():
    noise = normal(seeded(5), 1, 1000, 1)
    noise = noise - noise.mean()
    for size, known in ((3.0, False), (8.0, True)):
        moved = noise + size * float(noise.std()) / 1000**0.5
        both = torch.cat([moved, noise + 1.0])
        cosines, errors = mean_cosines(both)
        assert bool(cosines[0, 1].isnan()) is not known
        assert bool(errors[0, 1].isnan()) is not known
        assert cosines[1, 1] == 1.0


def test_an_estimate_says_what_it_is():
    assert str(Estimate(math.nan, math.nan)) == "not known"
    assert str(Estimate(0.5, 0.01)) == "0.5 ± 0.01"
    assert str(Estimate(0.5, 1e-12)) == "0.5"
    assert str(Estimate(1e-12, 1e-12)) == "0"
    low, high = Estimate(2.0, 0.1).interval()
    assert (low, high) == pytest.approx(
        (2 - 0.22622, 2 + 0.22622), abs=1e-4
    )  # t_9 at 97.5%: 2.2622
    with pytest.raises(ValueError, match="level must lie"):
        Estimate(1.0, 1.0).interval(1.0)
