"""Log density, score and interaction of a composition from one pass over its densities."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from projcomp.composition import Evaluation
from torch.func import hessian, jacfwd, jvp, vmap

from tests.helpers import (
    BANANA,
    close,
    close_in_scale,
    families,
    noise_levels,
    normal,
    random_mixture,
    seeded,
    uniform,
)

F64 = torch.float64


class Half(pc.Density):
    """exp(-x) on x > 0, whose score is not defined elsewhere."""

    def _log_prob(self, x, sigma):
        return torch.where(x[0] > 0, -x[0], -math.inf)

    def _score(self, x, sigma):
        return torch.where(x[:1] > 0, -1.0, math.nan) * torch.eye(self.dim, dtype=x.dtype)[:, :1]


def mixture(components: int, seed: int, kind: str = "full", dim: int = 2):
    return random_mixture(seeded(seed), components, dim, kind)


def cloud(count: int = 7):
    return pc.Empirical(normal(seeded(2), count, 2))


COMPOSITIONS = {
    "one size": lambda: pc.compose(mixture(3, 0), [mixture(3, 1), mixture(3, 2)]),
    "sizes": lambda: pc.compose(mixture(1, 0), [mixture(4, 1), mixture(2, 2), mixture(4, 3)]),
    "kinds": lambda: pc.compose(
        mixture(2, 0, "common"), [mixture(5, 1), mixture(2, 2, "diagonal")]
    ),
    "one component": lambda: pc.compose(mixture(1, 0), [mixture(1, 1)]),
    "diagonal": lambda: pc.compose(mixture(2, 0, "common"), [mixture(2, 1, "diagonal")], [-2.0]),
    "weights": lambda: pc.compose(mixture(2, 0), [mixture(2, 1), mixture(3, 2)], [2.5, -0.5]),
    "no background": lambda: pc.compose(mixture(2, 0), [mixture(2, 1), cloud()], [0.25, 0.75]),
    "no concept": lambda: pc.compose(mixture(2, 0), [mixture(2, 1), mixture(3, 2)], [0.0, 0.0]),
    "one idle concept": lambda: pc.compose(cloud(), [cloud(3), mixture(2, 2)], [0.0, 1.5]),
    "guided": lambda: pc.compose(mixture(2, 0), [mixture(2, 1)]),
    "flat": lambda: pc.simple_product([mixture(2, 1), mixture(3, 2)], [1.0, 0.5]),
    "flat alone": lambda: pc.simple_product([pc.Flat(2), pc.Flat(2)], [0.0, 2.0]),
    "unlike": lambda: pc.compose(cloud(), [mixture(3, 1), cloud(4), mixture(3, 2)]),
    "nested": lambda: pc.compose(
        mixture(2, 0), [pc.compose(mixture(1, 3), [mixture(2, 1)], [1.4]), mixture(2, 2)]
    ),
    "far from each other": lambda: pc.compose(
        pc.GaussianMixture([0.5, 0.5], [[0.0, 0.0], [1e9, 1.0]], [[1.0, 2.0], [0.5, 1.0]]),
        [mixture(2, 1), mixture(3, 2)],
    ),
}
every_composition = pytest.mark.parametrize("name", COMPOSITIONS)


def apart(c: pc.Composition, x, sigma):
    """Log density, score and interaction by every density's own methods."""
    w = c.weights
    background = c.background.score(x, sigma)
    deltas = torch.stack([p.score(x, sigma) - background for p in c.concepts])
    score = background + torch.tensordot(w, deltas, 1)
    log_b = c.background.log_prob(x, sigma)
    log_prob = log_b + sum(
        v * (p.log_prob(x, sigma) - log_b) for v, p in zip(w, c.concepts, strict=True)
    )
    quadratic = torch.outer(w, w) - torch.diag(w)
    interaction = 0.5 * torch.einsum("ij,i...a,j...a->...", quadratic, deltas, deltas)
    for p, v in ((c.background, 1 - float(w.sum())), *zip(c.concepts, w, strict=True)):
        if isinstance(p, pc.Composition):
            interaction = interaction + v * p.interaction(x, sigma)
    return log_prob, score, deltas, interaction


def agrees(c: pc.Composition, x, sigma, relative: float = 1e-12) -> None:
    """Within `relative` of the largest terms that are added up."""
    log_prob, score, interaction = c.evaluate(x, sigma)
    wanted_log, wanted_score, deltas, wanted = apart(c, x, sigma)
    weight = 1.0 + float(c.weights.abs().sum())
    parts = [p.log_prob(x, sigma) for p in (c.background, *c.concepts)]
    close(
        log_prob,
        wanted_log,
        0.0,
        relative * weight * (1 + max(float(p.abs().max()) for p in parts)),
    )
    sizes = [p.score(x, sigma).norm(dim=-1) for p in (c.background, *c.concepts)]
    size = 1e-12 + weight * torch.stack(sizes).amax(0)
    assert bool(((score - wanted_score).norm(dim=-1) <= relative * size).all())
    assert bool(((interaction - wanted).abs() <= relative * size**2).all())
    assert bool(((c.deltas(x, sigma) - deltas).norm(dim=-1) <= relative * size).all())
    for found, same in zip(
        (log_prob, score, score, interaction, interaction),
        (c.log_prob(x, sigma), c.score(x, sigma), *c.score_and_interaction(x, sigma),
         c.interaction(x, sigma)),
        strict=True,
    ):  # fmt: skip
        assert found.shape == same.shape
        assert found.dtype == same.dtype
        room = relative * (size[..., None] if found.ndim > size.ndim else size**2 + parts[0].abs())
        assert bool(((found - same).abs() <= weight * room).all())


@every_composition
@pytest.mark.parametrize("sigma", [0.5, 1e-6, 300.0])
def test_one_pass_is_every_method(name, sigma):
    agrees(COMPOSITIONS[name](), 2 * normal(seeded(5), 9, 2), sigma)


@every_composition
def test_at_a_level_for_each_point_and_far_out(name):
    c = COMPOSITIONS[name]()
    x = 2 * normal(seeded(5), 9, 2)
    agrees(c, x, 0.2 + uniform(seeded(6), 9))
    agrees(c, 1e7 * x, 0.4, 1e-11)


@given(families(), noise_levels(), st.lists(st.sampled_from([0.0, 1.0, -0.7, 2.0]), min_size=4))
def test_of_mixtures_of_any_size_and_kind(family, sigma, weights):
    background, concepts = family
    c = pc.compose(background, concepts, weights[: len(concepts)])
    agrees(c, background.sample(6, 0.5, seeded(1)), sigma, 1e-11)


@every_composition
@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,), (2, 0)])
def test_shapes(name, shape):
    c = COMPOSITIONS[name]()
    found = c.evaluate(normal(seeded(3), *shape, 2), 0.5)
    assert isinstance(found, Evaluation)
    assert found.log_prob.shape == found.interaction.shape == shape
    assert found.score.shape == (*shape, 2)
    deltas = c.deltas(normal(seeded(3), *shape, 2), 0.5)
    assert deltas.shape == (len(c.concepts), *shape, 2)


def test_levels_broadcast_and_the_answer_has_the_dtype_of_the_question():
    c, x = COMPOSITIONS["sizes"](), normal(seeded(3), 5, 2)
    levels = torch.tensor([[0.3], [0.9]], dtype=F64)
    table = c.evaluate(x, levels)
    for row, sigma in enumerate((0.3, 0.9)):
        for found, wanted in zip(table, c.evaluate(x, sigma), strict=True):
            close_in_scale(found[row], wanted, 1e-12)
    for dtype in (torch.float32, torch.float16):
        wanted = c.evaluate(x.to(dtype).double(), 0.5)
        for found, exact in zip(c.evaluate(x.to(dtype), 0.5), wanted, strict=True):
            close(found, exact.to(dtype), 0.0, 0.0)
        deltas = c.deltas(x.to(dtype).double(), 0.5)
        close(c.deltas(x.to(dtype), 0.5), deltas.to(dtype), 0.0, 0.0)


@every_composition
def test_in_every_mode(name):
    c, x, sigma = COMPOSITIONS[name](), normal(seeded(4), 4, 2), torch.tensor(0.5, dtype=F64)
    wanted = c.evaluate(x, sigma)
    for found in (vmap(lambda y: c.evaluate(y, 0.5))(x), vmap(c.evaluate, (0, None))(x, sigma)):
        for one, other in zip(found, wanted, strict=True):
            close_in_scale(one, other, 1e-11)
    with torch.inference_mode():
        for one, other in zip(c.evaluate(x, sigma), wanted, strict=True):
            close_in_scale(one.clone(), other, 1e-12)
    along, step = normal(seeded(6), *x.shape), 1e-5
    for i in range(3):
        slopes = [
            jvp(lambda y, i=i: c.evaluate(y, sigma)[i], (x,), (along,))[1],
            jvp(lambda s, i=i: c.evaluate(x, s)[i], (sigma,), (torch.ones_like(sigma),))[1],
        ]
        gaps = [
            c.evaluate(x + step * along, sigma)[i] - c.evaluate(x - step * along, sigma)[i],
            c.evaluate(x, sigma + step)[i] - c.evaluate(x, sigma - step)[i],
        ]
        for slope, gap in zip(slopes, gaps, strict=True):
            scale = 1e-9 + float((gap / (2 * step)).abs().max()) + float(wanted[i].abs().max())
            assert float((slope - gap / (2 * step)).abs().max()) < 1e-6 * scale
        y = x.clone().requires_grad_(True)
        value = c.evaluate(y, 0.5)[i]
        if value.requires_grad:
            backward = torch.autograd.grad(value.sum(), y)[0]
            close_in_scale((backward * along).sum(), slopes[0].sum(), 1e-7)
    one = x[0]
    if name != "flat alone":
        bent = hessian(lambda y: c.evaluate(y, 0.5).log_prob)(one)
        close_in_scale(jacfwd(lambda y: c.evaluate(y, 0.5).score)(one), bent, 1e-8)


def test_parts_without_a_log_density():
    """As log_prob does it raises, but not for the sake of a concept that has no part."""
    scored = pc.Scored(2, lambda x, sigma: -x)
    x = normal(seeded(1), 3, 2)
    c = pc.compose(mixture(2, 0), [mixture(2, 1), scored])
    for method in (c.evaluate, c.log_prob):
        with pytest.raises(ValueError, match="known by its score alone"):
            method(x, 0.5)
    assert c.score_and_interaction(x, 0.5)[1].shape == (3,)
    idle = pc.compose(mixture(2, 0), [mixture(2, 1), scored], [1.0, 0.0])
    close(idle.evaluate(x, 0.5).log_prob, idle.log_prob(x, 0.5), 1e-13, 1e-13)


def test_parts_that_are_maps_or_of_ones_own():
    bent = [pc.pushforward(mixture(2, seed), BANANA) for seed in range(3)]
    agrees(pc.compose(bent[0], bent[1:]), normal(seeded(3), 5, 2), 0.0, 1e-11)
    c = pc.compose(mixture(2, 0), [mixture(3, 1), Half(2)])
    agrees(c, normal(seeded(3), 5, 2).abs(), 0.3)


def test_what_is_not_defined_stays_with_its_own_terms():
    """A concept without mass at x: -inf as in log_prob; with weight 0 it leaves the score alone."""
    x = torch.tensor([[-1.0, 0.5], [1.0, 0.5]], dtype=F64)
    with_it = pc.compose(mixture(2, 0), [Half(2), mixture(3, 1)]).evaluate(x)
    assert with_it.log_prob[0] == -math.inf
    assert bool(with_it.score[0].isnan().any())
    assert bool(torch.isfinite(with_it.score[1]).all())
    idle = pc.compose(mixture(2, 0), [Half(2), mixture(3, 1)], [0.0, 1.0])
    found = idle.evaluate(x)
    close(found.score, idle.score(x), 1e-13, 1e-13)
    close(found.log_prob, idle.log_prob(x), 1e-13, 1e-13)
    close(idle.deltas(x)[1], mixture(3, 1).score(x) - mixture(2, 0).score(x), 1e-12, 1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0, 3.0],), r"x must have shape \(..., 2\), got \(3,\)"),
        (([math.nan, 0.0],), r"x must be finite"),
        (([0.0, 0.0], -0.1), r"sigma must be >= 0, got -0.1"),
        (([0.0, 0.0], math.nan), r"sigma must be finite, got 1 NaN"),
        (([0.0, 0.0], math.inf), r"sigma must be finite"),
        (([0.0, 0.0], 1e101), r"sigma must be at most 1e\+100, got 1e\+101"),
        (([[0.0, 0.0]] * 3, [1.0, 2.0]), r"sigma of shape \(2,\) does not broadcast"),
    ],
)
def test_bad_calls(arguments, message):
    c = COMPOSITIONS["one size"]()
    for method in (c.evaluate, c.deltas, c.interaction, c.score_and_interaction):
        with pytest.raises(ValueError, match=message):
            method(*arguments)


def test_pieces_of_a_large_batch():
    c = COMPOSITIONS["weights"]()
    size = c._chunk(torch.device("cpu"))
    x = normal(seeded(2), size + 3, 2)
    some = torch.tensor([0, size - 1, size, size + 2])
    for found, wanted in zip(c.evaluate(x, 0.4), c.evaluate(x[some], 0.4), strict=True):
        close_in_scale(found[some], wanted, 1e-11)
    close_in_scale(c.deltas(x, 0.4)[:, some], c.deltas(x[some], 0.4), 1e-11)


def test_a_later_call_leaves_earlier_answers_alone():
    for name in ("one size", "kinds", "diagonal", "sizes"):
        c, x = COMPOSITIONS[name](), normal(seeded(2), 40, 2)
        answers = (*c.evaluate(x, 0.5), *c.score_and_interaction(x, 0.5), c.deltas(x, 0.5))
        copies = [answer.clone() for answer in answers]
        c.evaluate(3 * x, 0.1)
        c.evaluate(x.repeat(3, 1), torch.full((120,), 0.3, dtype=F64))
        for answer, copy in zip(answers, copies, strict=True):
            close(answer, copy, 0.0, 0.0)
