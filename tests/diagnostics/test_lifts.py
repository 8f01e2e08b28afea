"""Lifts: exact ones, estimates from denoisers, and what they let pass."""

import math

import projcomp as pc
import pytest
import torch
from projcomp import diagnostics

from tests.every_density import defaults
from tests.helpers import close, normal, random_mixture, seeded

F64 = torch.float64
BACKGROUND = pc.gaussian([0.0, 0.0], 4.0)
CONCEPTS = [random_mixture(seeded(1), 2, 2), random_mixture(seeded(2), 3, 2)]
LEVELS = pc.sigma_grid(0.01, 200.0, 60, rho=50.0)


def test_the_lift_is_the_difference_of_log_densities():
    x = normal(seeded(3), 4, 3, 2)
    for sigma in (0.0, 0.7):
        found = diagnostics.lift(x, BACKGROUND, CONCEPTS, sigma)
        assert found.shape == (2, 4, 3)
        for one, concept in zip(found, CONCEPTS, strict=True):
            close(one, concept.log_prob(x, sigma) - BACKGROUND.log_prob(x, sigma), 0.0, 0.0)


def test_denoisers_alone_know_the_lift():
    """Of 400 points the errors, in standard errors of 8 draws, are Student's: rms sqrt(7/5).

    What the quadrature and the two ends leave is below a hundredth, in the mean over points.
    """
    x = BACKGROUND.sample(400, generator=seeded(4))
    by_score = [pc.Scored(2, p.score) for p in CONCEPTS]
    found, error = diagnostics.estimated_lift(
        x, BACKGROUND, by_score, LEVELS, 8, generator=seeded(5)
    )
    assert found.shape == error.shape == (2, 400)
    off = found - diagnostics.lift(x, BACKGROUND, CONCEPTS)
    scores = off / error
    assert float(scores.square().mean().sqrt()) == pytest.approx(math.sqrt(7 / 5), abs=0.25)
    assert abs(float(off.mean())) < 4 * float(off.std()) / math.sqrt(800) + 0.01
    assert float(error.mean()) < 0.25


def test_more_draws_and_more_levels_make_it_better():
    x = BACKGROUND.sample(100, generator=seeded(6))
    true = diagnostics.lift(x, BACKGROUND, CONCEPTS)
    sizes = []
    for draws, steps in ((4, 30), (64, 120)):
        sigmas = pc.sigma_grid(0.01, 200.0, steps, rho=50.0)
        found, error = diagnostics.estimated_lift(
            x, BACKGROUND, CONCEPTS, sigmas, draws, generator=seeded(7)
        )
        sizes.append((float((found - true).abs().mean()), float(error.mean())))
    # Eight times the standard error's worth: sixteen times the draws, four times the levels.
    assert sizes[1][0] < 0.3 * sizes[0][0]
    assert sizes[1][1] < 0.3 * sizes[0][1]


def test_between_two_levels_it_is_the_blurred_lift_at_the_ends():
    """Two Gaussians of one variance: lift is linear in x, so blurring leaves it. At level v it is
    (m . x - |m|^2 / 2) / (S + v), for N(m, S I) over N(0, S I)."""
    m, size = torch.tensor([1.0, 0.5], dtype=F64), 2.0
    background, concept = pc.gaussian([0.0, 0.0], size), pc.gaussian(m, size)
    x = normal(seeded(8), 50, 2)
    sigmas = torch.logspace(1.0, -1.0, 81, dtype=F64)
    found, error = diagnostics.estimated_lift(
        x, background, [concept], sigmas, 200, generator=seeded(9)
    )
    top = x @ m - 0.5 * m @ m
    wanted = top / (size + 0.01) - top / (size + 100.0)
    assert float(((found[0] - wanted).abs() / (error[0] + 1e-3)).max()) < 4.5


def test_an_estimate_is_a_function_of_its_generator():
    x = normal(seeded(0), 3, 2)
    one, two, three = (
        diagnostics.estimated_lift(x, BACKGROUND, CONCEPTS, LEVELS, 2, generator=seeded(s))[0]
        for s in (1, 1, 2)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, three)
    with defaults(device="meta"):
        four = diagnostics.estimated_lift(x, BACKGROUND, CONCEPTS, LEVELS, 2, generator=seeded(1))
    assert torch.equal(four[0], one)
    above = diagnostics.estimated_lift(x, BACKGROUND, CONCEPTS, LEVELS[:-1], 2, generator=seeded(1))
    assert torch.equal(above[0], one)


def test_what_is_let_pass():
    lifts = torch.tensor([[1.0, 1.0, -1.0, 0.0], [2.0, -3.0, -1.0, 5.0]], dtype=F64)
    for rule, signs, wanted in (
        ("and", None, [True, False, False, False]),
        ("or", None, [True, True, False, True]),
        ("and", [1, -1], [False, True, False, False]),
        ("or", [-1, -1], [False, True, True, False]),
    ):
        found = diagnostics.accept(lifts, rule, signs)
        assert found.kept.tolist() == wanted
        assert found.share == sum(wanted) / 4
        assert (found.share, found.low, found.high) == pc.metrics.proportion(sum(wanted), 4)
    infinite = [[math.inf, -math.inf, 1.0]]
    assert diagnostics.accept(infinite).kept.tolist() == [True, False, True]
    assert repr(diagnostics.accept(lifts, "or")).startswith("Accepted(3 of 4: 0.750 [0.3")


def test_those_that_pass_are_likelier_under_each_concept_and_no_composition():
    """Of the background's own samples: cut off at the border, so not the composition's law."""
    pair = [pc.gaussian([1.0, 0.0], [1.0, 4.0]), pc.gaussian([0.0, 1.0], [4.0, 1.0])]
    x = BACKGROUND.sample(20_000, generator=seeded(10))
    found = diagnostics.accept(diagnostics.lift(x, BACKGROUND, pair))
    kept = x[found.kept]
    for concept in pair:
        assert bool((concept.log_prob(kept) > BACKGROUND.log_prob(kept)).all())
    exact = pc.compose(BACKGROUND, pair).exact()
    # p_1 > p_b within a strip of x_1, and so for x_2: a square, with nothing outside.
    edge = float(kept[:, 0].max())
    beyond = float((exact.sample(20_000, generator=seeded(11))[:, 0] > edge).double().mean())
    assert beyond > 0.02


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.lift([[0.0, 0.0]], "b", CONCEPTS), r"background must be a Density"),
        (lambda: diagnostics.lift([[0.0, 0.0]], BACKGROUND, []), r"concepts must hold at least"),
        (
            lambda: diagnostics.lift([[0.0, 0.0]], BACKGROUND, [pc.gaussian([0.0], 1.0)]),
            r"concepts\[0\] must live on R\^2 as the background does, got R\^1",
        ),
        (
            lambda: diagnostics.estimated_lift([0.0, 0.0], BACKGROUND, CONCEPTS, LEVELS),
            r"x must have shape \(N, 2\), got \(2,\)",
        ),
        (
            lambda: diagnostics.estimated_lift([[0.0, 0.0]], BACKGROUND, CONCEPTS, [1.0, 0.0]),
            r"sigmas must have at least two levels above 0, got 1",
        ),
        (
            lambda: diagnostics.estimated_lift([[0.0, 0.0]], BACKGROUND, CONCEPTS, LEVELS, 1),
            r"draws must be >= 2, got 1",
        ),
        (lambda: diagnostics.accept([1.0]), r"lifts must have shape \(k, n\), got \(1,\)"),
        (lambda: diagnostics.accept([[math.nan]]), r"lifts must be numbers, got 1 NaN"),
        (lambda: diagnostics.accept([[1.0]], "nor"), r"rule must be one of and, or; got 'nor'"),
        (lambda: diagnostics.accept([[1.0]], "and", [2.0]), r"signs must be 1 of 1 and -1, got"),
        (lambda: diagnostics.accept([[1.0]], "and", [1, 1]), r"signs must be 1 of 1 and -1, got"),
        (lambda: diagnostics.accept([["x"]]), r"lifts must be numeric"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
