"""The report: its verdicts on known cases, its words, and what it refuses to say."""

from __future__ import annotations

from html.parser import HTMLParser

import projcomp as pc
import pytest
import torch
from projcomp.diagnostics.diagnose import FEWEST, _compare
from projcomp.diagnostics.verdict import _real
from projcomp.widgets.presets import PRESETS, sheared

from tests.helpers import seeded

BLOCKS = [[0], [1]]


def diagnosis(name, blocks=BLOCKS, **options):
    preset = PRESETS[name]()
    background = preset.options.get("unconditional", preset.background)
    if preset.options.get("operator") == "bayes" and "unconditional" not in preset.options:
        means, covariances = (
            torch.cat([getattr(c, what) for c in preset.concepts])
            for what in ("means", "covariances")
        )
        background = pc.GaussianMixture([0.5, 0.5], means, covariances)
    options = {"samples": 1200, "generator": seeded(0), **options}
    weights = preset.options.get("weights")
    return pc.diagnose(background, preset.concepts, blocks, weights=weights, **options)


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("factorized", "exact", "commute"),
        ("two-concepts", "exact", "commute"),
        ("overlap", "target", "falls off its block"),
        ("dependent", "both", "depend on each other under p_b"),
        ("blend", "both", "falls off its block"),
        ("guidance", "both", "weights other than one"),
        ("tidy-lie", "none", "no finite integral"),
        ("jump", "both", "effective samples"),
    ],
)
def test_verdicts(name, kind, said):
    report = diagnosis(name)
    assert report.verdict.kind == kind
    assert said in " ".join(report.verdict.reasons)
    assert report.verdict.title in str(report)


def test_right_target_wrong_path_in_features():
    background, concepts, rows = sheared(60, 2, 0.3, ((0.7, 0.3), (0.3, 0.7)))
    report = pc.diagnose(
        background, concepts, BLOCKS, transform=rows, samples=4000, generator=seeded(1)
    )
    assert report.verdict.kind == "path"
    assert "Right target" in report.verdict.title
    for concept in report.concepts:
        assert _real(concept.shadow)
        assert not _real(concept.target)


def test_a_rotation_needs_no_blocks():
    report = diagnosis("rotation", blocks=None)
    assert report.verdict.kind == "exact"
    assert report.features.found
    assert "(found)" in str(report)


def test_without_blocks_a_shear_is_told_by_its_path_alone():
    report = diagnosis("shear", blocks=None)
    assert report.verdict.kind == "path"
    assert report.features is None
    assert any("not orthogonal" in note for note in report.notes)


def test_scores_and_samples_suffice():
    """The same verdict from densities that know nothing but a score and some samples."""
    background, concepts, _ = sheared(60, 1, 0.4)
    blind = [
        pc.Scored(2, p.score, p.sample(3600, generator=seeded(i)))
        for i, p in enumerate((background, *concepts))
    ]
    report = pc.diagnose(blind[0], blind[1:], BLOCKS, samples=1200, generator=seeded(2))
    known = pc.diagnose(background, concepts, BLOCKS, samples=1200, generator=seeded(2))
    assert report.verdict.kind == known.verdict.kind == "both"
    assert report.normalisable is None
    assert all(level.commuting is None for level in report.path.levels)
    end, exact = report.path.levels[-1].path, known.path.levels[-1].path
    assert abs(end.value - exact.value) < 4 * (end.error + exact.error)


def test_a_density_without_samples_is_sampled_by_its_score():
    preset = PRESETS["two-concepts"]()
    blind = [pc.Scored(2, p.score) for p in (preset.background, *preset.concepts)]
    sigmas = torch.logspace(2, -2, 8)
    report = pc.diagnose(
        blind[0], blind[1:], BLOCKS, sigmas=sigmas, samples=400, generator=seeded(3)
    )
    assert report.verdict.kind == "exact"
    assert [level.sigma for level in report.path.levels] == [*sigmas.double().tolist(), 0.0]


def test_densities_known_at_sigma_0_only():
    warp = pc.warps.banana(0.7)
    base, new = pc.gaussian([0.0], 1.0), pc.gaussian([1.5], 0.1)
    background, first, second = (
        pc.pushforward(pc.BlockProduct(parts), warp)
        for parts in ([base, base], [new, base], [base, new])
    )
    report = pc.diagnose(
        background, [first, second], BLOCKS, transform=warp.inverted(), generator=seeded(4)
    )
    assert report.path is None
    assert report.verdict.title.startswith("The target is right")
    assert any("path could not be followed" in note for note in report.notes)


def test_too_few_samples_are_said_so():
    report = diagnosis("factorized", samples=FEWEST - 1)
    assert report.path is None
    assert all(c.shadow is None and c.dependence is None for c in report.concepts)
    assert any("support no error bars" in note for note in report.notes)
    few = diagnosis("factorized", samples=FEWEST)
    assert few.path is not None
    assert all(c.shadow is None for c in few.concepts)
    assert any("support no distances" in note for note in few.notes)
    known = pc.gaussian([0.0, 0.0], 1.0)
    blind = pc.Scored(2, known.score, known.sample(60, generator=seeded(5)))
    report = pc.diagnose(blind, [blind], [[0, 1]], samples=400, generator=seeded(6))
    assert any("60 samples support no distances" in note for note in report.notes)


def test_it_is_a_function_of_its_generator():
    first, second = (str(diagnosis("overlap", samples=400)) for _ in range(2))
    assert first == second


def test_distances_raise_no_false_alarm():
    """600 distances between equal distributions raised none; here 20 other seeds."""
    mixture = PRESETS["factorized"]().concepts[0]
    for seed in range(1000, 1020):
        g = seeded(seed)
        points, reference = mixture.sample(600, generator=g), mixture.sample(1200, generator=g)
        assert not _real(_compare(points, reference, g))


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_html_is_well_formed_and_says_what_the_text_says():
    report = diagnosis("overlap", samples=1200)
    page = _Tags()
    page.feed(report._repr_html_())
    assert not page.open
    assert {"table", "caption", "th", "li", "sup", "sub"} <= page.seen
    words = "".join(page.text)
    bare = str.maketrans("", "", "^_")  # set as superscripts and subscripts
    for reason in report.verdict.reasons:
        assert reason.translate(bare) in words
    for title, header, rows in report.tables():
        assert title.translate(bare) in words
        assert all(len(row) == len(header) for row in rows)


P = pc.gaussian([0.0, 0.0], 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": [[0], [0, 1]]}, "blocks must not overlap"),
        ({"blocks": [[0], [0]]}, "blocks must not overlap"),
        ({"blocks": [[], [0], [1], []]}, "2 index lists"),
        ({"blocks": [[0], []]}, r"blocks\[1\]"),
        ({"transform": [[1.0, 0.0], [0.0, 1.0]]}, "blocks must be given where a transform is"),
        ({"blocks": BLOCKS, "transform": [[1.0, 1.0], [1.0, 1.0]]}, "matrix must be invertible"),
        ({"blocks": BLOCKS, "transform": torch.sin}, "an inverse and a log-determinant"),
        ({"sigmas": [1.0, 0.0]}, "sigmas must be > 0"),
        ({"sigmas": [1.0, -1.0]}, "sigmas must be > 0"),
        ({"sigmas": []}, "at least two different"),
        ({"samples": 0}, "samples must be >= 1"),
        ({"weights": [1.0]}, "weights must have shape"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        pc.diagnose(P, [P, P], **options)
