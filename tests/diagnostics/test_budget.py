"""What a diagnosis asks for, and what it does with a budget."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp.diagnostics.budget import FEWEST, cost, within_budget
from projcomp.diagnostics.extremes import far_off, start_error, start_too_low
from projcomp.widgets.presets import PRESETS

from tests.helpers import normal, seeded

SIGMAS = pc.sigma_grid(0.03, 30.0, 12, rho=math.inf)[:-1]
BLOCKS = [[0], [1]]


class Asked:
    """Scores that count the points they are asked about."""

    def __init__(self):
        self.points = 0

    def of(self, density, samples=None, **options):
        def score(x, sigma):
            self.points += len(x)
            return density.score(x, sigma)

        return pc.Scored(2, score, samples, **options)


def parts_of(asked, samples=3000, **options):
    preset = PRESETS["factorized"]()
    return [
        asked.of(p, p.sample(samples, generator=seeded(i)) if samples else None, **options)
        for i, p in enumerate([preset.background, *preset.concepts])
    ]


@pytest.mark.parametrize(("samples", "blocks"), [(3000, BLOCKS), (3000, None), (0, BLOCKS)])
def test_every_evaluation_is_counted_and_foreseen(samples, blocks):
    """Counted inside of the scores: the report's number to the last one, the plan's to a tenth."""
    asked = Asked()
    background, *concepts = parts_of(asked, samples)
    report = pc.diagnose(
        background, concepts, blocks, sigmas=SIGMAS, samples=400, generator=seeded(1)
    )
    assert report.evaluations == asked.points
    foreseen = cost([background, *concepts], 400, SIGMAS.double(), blocks is not None)
    assert foreseen == pytest.approx(asked.points, rel=0.1)


def test_a_budget_is_kept():
    asked = Asked()
    background, *concepts = parts_of(asked)
    full = cost([background, *concepts], 1000, SIGMAS.double(), True)
    budget = full // 2
    report = pc.diagnose(
        background, concepts, BLOCKS, sigmas=SIGMAS, evaluations=budget, generator=seeded(1)
    )
    assert 0.9 * budget < report.evaluations <= 1.02 * budget
    assert FEWEST < report.samples < 1000
    allowed = within_budget([background, *concepts], 1000, SIGMAS.double(), True, None)
    assert allowed == (1000, full, 8)
    allowed = within_budget([background, *concepts], 1000, SIGMAS.double(), True, full + 50_000)
    assert allowed == (1000, full, 3)


def test_a_budget_too_small_is_refused_before_anything_is_asked():
    asked = Asked()
    background, *concepts = parts_of(asked)
    with pytest.raises(ValueError, match=r"evaluations must be at least \d+, for 200 particles"):
        pc.diagnose(background, concepts, BLOCKS, sigmas=SIGMAS, evaluations=1000)
    with pytest.raises(ValueError, match="evaluations must be an integer"):
        pc.diagnose(background, concepts, BLOCKS, sigmas=SIGMAS, evaluations="many")
    assert asked.points == 0


def test_only_levels_that_all_know_are_looked_at():
    asked = Asked()
    background, *concepts = parts_of(asked, sigma_range=(0.1, 8.0))
    report = pc.diagnose(background, concepts, BLOCKS, samples=200, generator=seeded(1))
    levels = [level.sigma for level in report.path.levels[:-1]]
    assert levels[0] == pytest.approx(8.0) and levels[-1] == pytest.approx(0.1)
    assert report.range == pytest.approx((0.1, 8.0))
    before = asked.points
    with pytest.raises(ValueError, match=r"sigmas must lie within .* 0.1 to 8, got 0.03 to 30"):
        pc.diagnose(background, concepts, BLOCKS, sigmas=SIGMAS)
    assert asked.points == before


def test_a_range_alone_says_where_to_look():
    background, *concepts = parts_of(Asked(), samples=0, sigma_range=(0.1, 8.0))
    report = pc.diagnose(background, concepts, BLOCKS, samples=200, generator=seeded(1))
    assert report.range == pytest.approx((0.1, 8.0))


def test_a_range_that_ends_too_low_is_noted():
    """KL of Gaussians to the noise at the highest level, in closed form to leading order."""
    for mean, sigmas in (([1.0, 2.0], (3.0, 10.0)), ([0.0, 0.0], (2.0, 3.0))):
        points = pc.gaussian(mean, 0.5).sample(4000, generator=seeded(3))
        for sigma in sigmas:
            ratio = 0.5 / sigma**2
            square = sum(value**2 for value in mean)
            exact = 0.5 * (square / sigma**2 + 2 * (ratio - math.log1p(ratio)))
            assert start_error(points, sigma) == pytest.approx(exact, rel=0.25)
    points = pc.gaussian([1.0, 2.0], 0.5).sample(4000, generator=seeded(3))
    assert start_too_low([points], 3.0) and not start_too_low([points], 30.0)
    background, *concepts = parts_of(Asked(), sigma_range=(0.1, 3.0))
    report = pc.diagnose(background, concepts, BLOCKS, samples=200, generator=seeded(1))
    assert any("noise levels end at σ = 3" in note for note in report.notes)


def test_particles_far_from_all_data_are_noted():
    clean = [normal(seeded(4), 500, 3)]
    reach = float(clean[0].norm(dim=-1).max())
    direction = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)
    assert not far_off(2.9 * reach * direction, clean)
    assert "no score is known out there" in far_off(3.1 * reach * direction, clean)[0]
    for weights, far in (([1.0, 1.0], False), ([25.0, 25.0], True)):
        noted = any("no score is known out there" in note for note in notes_of(weights))
        assert noted is far


def notes_of(weights):
    background, *concepts = parts_of(Asked())
    options = {"sigmas": SIGMAS, "weights": weights, "samples": 200, "generator": seeded(5)}
    return pc.diagnose(background, concepts, BLOCKS, **options).notes


def test_negative_weights_of_networks_are_noted():
    for weights, noted in (([1.0, -1.0], True), ([1.0, 1.0], False), ([3.0, 3.0], False)):
        found = any("concept 2 to the power -1" in note for note in notes_of(weights))
        assert found is noted


def test_points_may_be_pictures():
    """The same numbers for points of shape (1, 1, 2) as for points of R^2."""
    preset = PRESETS["factorized"]()
    exact = [preset.background, *preset.concepts]
    flat = [pc.Scored(2, p.score, p.sample(1200, generator=seeded(i))) for i, p in enumerate(exact)]
    shaped = [
        pc.Scored(2, p.score, p.sample(1200, generator=seeded(i)), shape=(1, 1, 2))
        for i, p in enumerate(exact)
    ]
    reports = [
        pc.diagnose(parts[0], parts[1:], blocks, sigmas=SIGMAS, samples=400, generator=seeded(2))
        for parts, blocks in ((flat, BLOCKS), (shaped, [(0, 0, 1, 1), (0, 1, 1, 2)]))
    ]
    first, second = (str(report) for report in reports)
    assert first == second
