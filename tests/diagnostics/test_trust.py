"""Verdicts on scores of any quality: the composition's fault, the scores', or not to be told."""

from __future__ import annotations

import math
from dataclasses import replace

import projcomp as pc
import pytest
from projcomp.diagnostics.exchange import Exchange
from projcomp.diagnostics.measure import Estimate
from projcomp.diagnostics.trust import verdict_of_learned
from projcomp.diagnostics.verdict import verdict
from projcomp.widgets.presets import PRESETS

from tests.diagnostics.test_exchange import bent
from tests.helpers import seeded

BLOCKS = [[0], [1]]
SIGMAS = pc.sigma_grid(0.03, 30.0, 12, rho=math.inf)[:-1]


def blind(name, error=0.0, count=6000):
    """A preset known by scores with an error, and by samples."""
    preset = PRESETS[name]()
    parts = []
    for index, density in enumerate([preset.background, *preset.concepts]):
        score = bent(density, error, 5 * index).score_function
        parts.append(pc.Scored(2, score, density.sample(count, generator=seeded(index))))
    return parts


def told(name, error=0.0, blocks=BLOCKS, samples=1000):
    background, *concepts = blind(name, error)
    return pc.diagnose(
        background, concepts, blocks, sigmas=SIGMAS, samples=samples, generator=seeded(9)
    )


@pytest.mark.parametrize(
    ("name", "error", "kind", "said"),
    [
        ("factorized", 0.0, "exact", "up to what these scores can show"),
        ("factorized", 0.03, "exact", "up to what these scores can show"),
        ("factorized", 0.4, "score", "the fault is theirs"),
        ("dependent", 0.0, "both", "more than score error explains"),
        ("dependent", 0.4, "both", "Not factorized"),
        ("overlap", 0.0, "target", "the samples follow C"),
    ],
)
def test_which_failure_it_is(name, error, kind, said):
    report = told(name, error)
    assert report.learned
    assert (report.verdict.kind, said in report.verdict.title) == (kind, True)


def test_bad_scores_are_no_wrong_composition():
    """Of 10 sets of bad scores of factorized conditionals none is called not factorized."""
    kinds = set()
    preset = PRESETS["factorized"]()
    exact = [preset.background, *preset.concepts]
    for seed in range(10):
        parts = [
            pc.Scored(
                2,
                bent(p, 0.6, 100 * seed + i).score_function,
                p.sample(3000, generator=seeded(seed)),
            )
            for i, p in enumerate(exact)
        ]
        report = pc.diagnose(
            parts[0], parts[1:], BLOCKS, sigmas=SIGMAS, samples=400, generator=seeded(seed)
        )
        kinds.add(report.verdict.kind)
    assert kinds <= {"exact", "score", "unknown"}
    assert "exact" not in kinds


def test_blocks_that_are_found_and_cost_too_much_are_none():
    """Of a shear the deltas span two directions; no orthogonal blocks, so the path is judged."""
    report = told("mild-shear", blocks=None, samples=3000)
    assert report.features.found
    assert any("seem to have are none" in reason for reason in report.verdict.reasons)
    assert report.verdict.kind == "path"
    assert "more than score error explains" in report.verdict.title
    assert abs(report.explained.value) < 4 * report.explained.error


BASE = told("factorized", samples=400)


def altered(defects, gap, explained=(0.0, 0.1), nats=0.02):
    concepts = [
        replace(
            c,
            exchange=Exchange(Estimate(*defect), Estimate(0.0, 0.0)),
            dependence=None,
            off_block=None,
        )
        for c, defect in zip(BASE.concepts, defects, strict=True)
    ]
    end = replace(BASE.path.levels[-1], path=None if gap is None else Estimate(*gap))
    return replace(
        BASE,
        concepts=concepts,
        background=replace(BASE.background, dependence=None),
        path=replace(BASE.path, levels=[*BASE.path.levels[:-1], end]),
        explained=Estimate(*explained),
        nats=nats,
    )


NONE, SOME, OPEN = (0.001, 0.002), (0.5, 0.02), (0.01, 0.03)


@pytest.mark.parametrize(
    ("defects", "gap", "explained", "kind", "said"),
    [
        ([NONE, NONE], (0.01, 0.002), (0.0, 0.1), "exact", "up to what"),
        ([NONE, NONE], (0.3, 0.002), (0.0, 0.1), "score", "fault is theirs"),
        ([NONE, SOME], (0.01, 0.002), (0.0, 0.1), "target", "follow C"),
        ([NONE, SOME], (0.3, 0.002), (0.0, 0.1), "both", "more than score error explains"),
        ([NONE, SOME], (0.3, 0.002), (0.9, 0.1), "both", "might explain"),
        ([NONE, SOME], None, (0.0, 0.1), "both", "more than score error explains"),
        ([NONE, OPEN], (0.01, 0.002), (0.0, 0.1), "unknown", "too few samples"),
        ([NONE, OPEN], (0.3, 0.002), (0.0, 0.1), "unknown", "not good enough"),
        ([NONE, OPEN], (0.3, 0.002), (0.8, 0.2), "unknown", "not good enough"),
    ],
)
def test_the_words_of_every_case(defects, gap, explained, kind, said):
    found = verdict(altered(defects, gap, explained))
    assert (found.kind, said in found.title) == (kind, True)
    assert found.reasons


def test_a_defect_counts_by_its_tolerance_and_its_error():
    """0.03 ± 0.005 nats: above the tolerance .02, not above .04; at an error of .01 open."""
    kinds = {
        (nats, error): verdict(altered([NONE, (0.03, error)], (0.01, 0.002), nats=nats)).kind
        for nats in (0.02, 0.05)
        for error in (0.005, 0.012)
    }
    assert kinds == {
        (0.02, 0.005): "target", (0.02, 0.012): "unknown",
        (0.05, 0.005): "exact", (0.05, 0.012): "unknown",
    }  # fmt: skip


def test_it_says_how_many_more_samples_would_tell():
    open_ = verdict(altered([NONE, (0.0, 0.05)], (0.01, 0.002))).reasons
    assert any("About 25 times the samples" in reason for reason in open_)


def test_samples_that_networks_draw_themselves_are_said_to_be_that():
    preset = PRESETS["factorized"]()
    parts = [pc.Scored(2, p.score) for p in (preset.background, *preset.concepts)]
    report = pc.diagnose(
        parts[0], parts[1:], BLOCKS, sigmas=SIGMAS, samples=400, generator=seeded(1)
    )
    assert any("tell of what it draws" in note for note in report.notes)
    assert not any("tell of what it draws" in note for note in BASE.notes)


def test_the_report_shows_what_the_verdict_rests_on():
    text = str(BASE)
    for row in (
        "cost of exchanging its block",
        "as the scores claim it",
        "share of strangers",
        "score error",
    ):
        assert row in text
    assert f"{BASE.evaluations:,} evaluations" in text


def test_distances_between_samples_count_whatever_the_exchange_says():
    report = altered([NONE, NONE], (0.01, 0.002))
    assert verdict_of_learned(report, []).kind == "exact"
    found = verdict_of_learned(report, ["Concept 1 differs from p_b off its block."])
    assert found.kind == "target"
    assert "differs from p_b" in found.reasons[0]


def test_without_an_exchange_the_yardstick_decides_unless_scores_are_poor():
    report = altered([OPEN, OPEN], (0.3, 0.002))
    alone = [replace(c, exchange=None, short=Estimate(0.0, 0.0)) for c in report.concepts]
    assert verdict(replace(report, concepts=alone)).kind == "path"
    poor = [replace(alone[0], short=Estimate(1.0, 0.1)), alone[1]]
    found = verdict(replace(report, concepts=poor))
    assert (found.kind, "not good enough" in found.title) == ("unknown", True)
    assert any("Concept 1: its scores are at least 1 ± 0.1 nats" in r for r in found.reasons)


@pytest.mark.parametrize(
    ("short", "kind"), [((0.015, 0.001), "exact"), ((0.3, 0.1), "exact"), ((0.3, 0.01), "score")]
)
def test_scores_that_fall_short_by_more_than_counts_are_at_fault(short, kind):
    report = altered([NONE, NONE], (0.01, 0.002))
    background = replace(report.background, short=Estimate(*short))
    assert verdict(replace(report, background=background)).kind == kind
