"""What a density of one's own may answer, and what is refused, wherever it is a part of."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp import warps
from projcomp.densities import _own
from torch.func import jvp, vmap

from tests.helpers import close, normal, seeded

F64 = torch.float64
X = normal(seeded(0), 5, 2)


def own(log_prob, score=None, name: str = "Mine", parent: type = pc.Density) -> pc.Density:
    """A density on the plane by functions of points (2, B)."""
    methods = {"_log_prob": lambda self, x, sigma: log_prob(x)}
    if score is not None:
        methods["_score"] = lambda self, x, sigma: score(x)
    return type(name, (parent,), methods)(2)


def bell(x):
    return -0.5 * x.square().sum(0)


def inside(x):
    """Where there is mass: on the right."""
    return x[0] > 0


def asked(density: pc.Density):
    """Every public method, of the density and of what it may be a part of."""
    others = [
        density,
        pc.compose(pc.gaussian([0.0, 0.0], 4.0), [density]),
        pc.compose(density, [pc.gaussian([0.0, 0.0], 1.0)] * 2),
        pc.BlockProduct([density, pc.gaussian([0.0], 1.0)]),
        pc.pushforward(density, warps.rotation(0.0)),
    ]
    for whole in others:
        x = normal(seeded(0), 5, whole.dim)
        yield lambda p=whole, y=x: p.log_prob(y, 0.3)
        yield lambda p=whole, y=x: p.score(y, 0.3)
        yield lambda p=whole, y=x: p.denoise(y, 0.3)
        yield lambda p=whole, y=x: p.log_prob_and_score(y, 0.3)
        if isinstance(whole, pc.Composition):
            yield lambda p=whole, y=x: p.evaluate(y, 0.3)


ALWAYS = {
    "one axis too many": (lambda x: bell(x)[None], r"of shape \(5,\), got \(1, 5\)"),
    "a column": (lambda x: bell(x)[:, None], r"of shape \(5,\), got \(5, 1\)"),
    "summed": (lambda x: bell(x).sum(), r"of shape \(5,\), got \(\)"),
    "a number": (lambda x: 0.0, r"a tensor, got 0.0"),
    "an array": (lambda x: bell(x).detach().numpy(), r"a tensor, got array"),
    "nothing": (lambda x: None, r"a tensor, got None"),
    "float32": (lambda x: bell(x).float(), r"of torch.float64 .* got torch.float32 on 'cpu'"),
    "complex": (lambda x: bell(x).to(torch.complex128), r"got torch.complex128"),
    "integers": (lambda x: bell(x).long(), r"got torch.int64"),
}
UNKNOWN = {
    "NaN": lambda x: math.nan * x[0],
    "NaN without a slope": lambda x: torch.full_like(x[0], math.nan),
    "NaN at one point": lambda x: torch.where(x[0] == x[0].max(), math.nan, bell(x)),
    "a logarithm": lambda x: x[0].log() - x[0],
}


@pytest.mark.parametrize("name", ALWAYS)
@pytest.mark.parametrize("grad", [True, False])
def test_a_log_density_of_another_form(name, grad):
    log_prob, message = ALWAYS[name]
    for call in asked(own(log_prob)):
        with torch.set_grad_enabled(grad), pytest.raises(ValueError, match=message) as caught:
            call()
        assert str(caught.value).startswith("Mine._log_prob must answer with")


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_log_density_that_is_not_known(name):
    for call in asked(own(UNKNOWN[name])):
        with pytest.raises(
            ValueError, match=r"Mine\._log_prob must be a number, or -inf .* of 5 points"
        ):
            call()


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda x: -x.T, r"_score must answer with a tensor of shape \(2, 5\), got \(5, 2\)"),
        (lambda x: -x[0], r"_score must answer with a tensor of shape \(2, 5\), got \(5,\)"),
        (lambda x: -x.float(), r"_score must .* torch.float64 .*got torch.float32"),
        (lambda x: (-x).tolist(), r"_score must answer with a tensor, got \[\["),
        (lambda x: math.nan * x, r"_score must be finite wherever the log density is"),
        (lambda x: -x / 0.0, r"_score must be finite wherever the log density is"),
    ],
)
def test_a_score_that_is_none(score, message):
    calls = list(asked(own(bell, score)))
    known = (0, 4, 9, 14, 18, 19, 20, 21)  # log_prob; a map needs log densities alone
    for index, call in enumerate(calls):
        if index in known:
            call()
            continue
        with pytest.raises(ValueError, match=r"Mine\." + message):
            call()


def test_no_mass_is_no_mistake():
    """-inf, and a score that is undefined there alone."""
    x = torch.tensor([[-1.0, 0.5], [2.0, 0.5]], dtype=F64)
    cut = own(lambda x: torch.where(inside(x), bell(x), -math.inf))
    close(cut.log_prob(x), torch.tensor([-math.inf, -2.125], dtype=F64))
    close(cut.score(x)[1], -x[1])
    for wrong in (math.nan, math.inf, -math.inf, 7.0):
        undefined = own(
            lambda x: torch.where(inside(x), bell(x), -math.inf),
            lambda x, wrong=wrong: torch.where(inside(x), -x, wrong),
        )
        for found in (undefined.score(x), undefined.log_prob_and_score(x)[1]):
            close(found[1], -x[1])
            close(
                found[0], torch.full((2,), wrong, dtype=F64), 0.0, 0.0
            ) if wrong == wrong else None
        assert bool(torch.isfinite(undefined.denoise(x, 0.5)[1]).all())
    spike = own(lambda x: -0.5 * x[0].square().log())
    assert float(spike.log_prob([0.0, 1.0])) == math.inf
    assert not bool(torch.isfinite(spike.score([0.0, 1.0])[0]))
    nowhere = own(lambda x: torch.full_like(x[0], -math.inf), lambda x: math.nan * x)
    assert bool((nowhere.log_prob(x) == -math.inf).all())
    assert bool(nowhere.score(x).isnan().all())


def test_a_score_by_differentiation_is_held_to_it_too():
    """0 times an infinite slope, where the log density itself is finite."""
    p = own(lambda x: torch.where(inside(x), x[0].log(), 0.0) + bell(x))
    assert float(p.log_prob([0.0, 1.0])) == -0.5
    with pytest.raises(
        ValueError, match=r"Mine\._score must be finite wherever the log density is"
    ):
        p.score([[0.0, 1.0], [1.0, 1.0]])


def test_a_score_alone_must_be_finite():
    class Alone(pc.Density):
        def _log_prob(self, x, sigma):
            raise ValueError("it has none")

        def _score(self, x, sigma):
            return torch.where(x[0] > 0, -x, math.nan)

    close(Alone(2).score([[1.0, 2.0]]), torch.tensor([[-1.0, -2.0]], dtype=F64))
    with pytest.raises(ValueError, match=r"Alone\._score must be finite"):
        Alone(2).score([[-1.0, 2.0]])


def test_what_else_a_subclass_gives_is_held_to_it():
    class Pair(pc.Density):
        answer = None

        def _log_prob(self, x, sigma):
            return bell(x)

        def _log_prob_and_score(self, x, sigma):
            return self.answer(x)

        def _denoise(self, x, sigma):
            return x[0]

        def _sample(self, n, generator, device):
            return torch.zeros(self.dim, n)

    pair = Pair(2)
    for answer, message in (
        (lambda x: bell(x), "must answer with a pair of tensors"),
        (lambda x: (bell(x), -x, 0), "must answer with a pair of tensors"),
        (lambda x: (bell(x), bell(x)), r"Pair._score must .* shape \(2, 5\), got \(5,\)"),
        (lambda x: (math.nan * bell(x), -x), "Pair._log_prob must be a number"),
        (lambda x: (bell(x), math.nan * x), "Pair._score must be finite"),
    ):
        pair.answer = answer
        with pytest.raises(ValueError, match=message):
            pair.log_prob_and_score(X)
    with pytest.raises(ValueError, match=r"Pair._denoise must .* shape \(2, 5\), got \(5,\)"):
        pair.denoise(X, 0.5)
    with pytest.raises(ValueError, match=r"Pair._sample must .* shape \(3, 2\), got \(2, 3\)"):
        pair.sample(3)
    with pytest.raises(ValueError, match=r"Pair._sample must .* shape \(2, 2\)|got torch.float32"):
        pair.sample(2)


def test_subclasses_of_a_subclass_and_of_the_library_are_held_too():
    first = type(own(lambda x: math.nan * x[0], name="First"))
    second = type("Second", (first,), {"_score": lambda self, x, sigma: -x})
    with pytest.raises(ValueError, match=r"Second._log_prob must be a number"):
        second(2).log_prob(X)
    flat = own(lambda x: math.nan * x[0], name="Mine", parent=pc.Flat)
    with pytest.raises(ValueError, match=r"Mine\._log_prob must be a number"):
        flat.log_prob(X)
    assert not hasattr(pc.Flat._log_prob, "held")
    assert not hasattr(pc.Composition._score, "held")
    assert second._log_prob is first._log_prob  # checked once


def test_a_pair_asks_once_and_is_held_as_the_score_is():
    """Where the score is left to automatic differentiation; one's own is asked as it is."""
    calls = []

    def root(x):
        calls.append(1)
        return -x[0].abs().sqrt()

    p, x = own(root), X + 3.0
    log_prob, score = p.log_prob_and_score(x)
    assert len(calls) == 1
    close(log_prob, -x[:, 0].sqrt(), 1e-14, 1e-14)
    close(score[:, 0], -0.5 / x[:, 0].sqrt(), 1e-14, 1e-14)
    assert not log_prob.requires_grad
    assert not score.requires_grad
    with pytest.raises(ValueError, match=r"Mine\._score must be finite wherever"):
        p.log_prob_and_score([0.0, 1.0])
    given = own(bell, lambda x: 7.0 * x)
    close(given.log_prob_and_score(X)[1], 7.0 * X, 0.0, 0.0)
    weight = torch.tensor(2.0, dtype=F64, requires_grad=True)
    y = X.clone().requires_grad_(True)
    log_prob, score = own(lambda x: weight * bell(x)).log_prob_and_score(y)
    found = torch.autograd.grad(log_prob.sum() + score.sum(), (weight, y))
    close(found[0], bell(X.T).sum() - X.sum(), 1e-12, 1e-12)
    close(found[1], -2.0 * X - 2.0, 1e-12, 1e-12)


# -- modes ---------------------------------------------------------------------------------------


def test_gradients_are_handed_out_where_they_are_recorded_alone():
    weight = torch.tensor(2.0, dtype=F64, requires_grad=True)
    p = own(lambda x: weight * bell(x), lambda x: -weight * x)
    assert p.log_prob(X).requires_grad
    slope = torch.autograd.grad(p.log_prob(X).sum(), weight)[0]
    close(slope, bell(X.T).sum())
    with torch.no_grad():
        assert not p.log_prob(X).requires_grad
        assert not pc.compose(pc.gaussian([0.0, 0.0], 1.0), [p]).score(X).requires_grad

    def with_weight(x):
        with torch.enable_grad():
            return weight * bell(x)

    with torch.no_grad():  # forward derivatives are no gradients
        for p, scale in ((own(with_weight), 2.0), (own(bell), 1.0)):
            slope = jvp(p.log_prob, (X,), (torch.ones_like(X),))[1]
            close(slope.detach(), -scale * X.sum(-1))

    def recorded(x):  # under no_grad, what is recorded here is nobody's
        with torch.enable_grad():
            return 3.0 * x.requires_grad_(True).square().sum(0)

    with torch.no_grad():
        assert not own(recorded).log_prob(X).requires_grad


def test_the_points_are_left_alone():
    """A score by one's own autograd, in place on the points."""

    def score(x):
        return torch.autograd.grad(bell(x.requires_grad_(True)).sum(), x)[0]

    p, x = own(bell, score), X.clone()
    for found in (p.score(x), p.denoise(x, 0.5), *p.log_prob_and_score(x)):
        assert not found.requires_grad
    assert not x.requires_grad
    close(p.score(x), -x)


def test_under_transformations():
    bad, good = own(UNKNOWN["a logarithm"]), own(bell)
    for p in (bad, own(bell, lambda x: x[0].log() * x)):
        with pytest.raises(ValueError, match="must be"):
            vmap(p.score)(X)
        with pytest.raises(ValueError, match="must be"):
            jvp(p.score, (X,), (X,))
        with pytest.raises(ValueError, match="must be"):
            torch.func.grad(lambda y, p=p: p.score(y).sum())(X)
    close(vmap(good.score)(X), -X)
    undefined = own(
        lambda x: torch.where(inside(x), bell(x), -math.inf),
        lambda x: torch.where(inside(x), -x, math.nan),
    )
    assert bool((vmap(undefined.score)(X).isnan().any(-1) == (X[:, 0] <= 0)).all())


@pytest.mark.parametrize("whole", [lambda p: p, lambda p: pc.pushforward(p, warps.rotation(0.0))])
def test_samplers_look_for_themselves(whole):
    """There NaN is left to who asked: chains do not enter where nothing is known."""
    p = whole(own(UNKNOWN["a logarithm"]))
    with _own.looked_at():
        assert bool(p.log_prob([-1.0, 0.0]).isnan())
    for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with mode(), pytest.raises(ValueError, match=r"Mine\._log_prob must be a number"):
            p.log_prob([-1.0, 0.0])
    with pytest.raises(ValueError, match="density must have a finite score, and a log density"):
        pc.mcmc(p, [[-1.0, 0.0]], 3)
    assert not _own._LOOKED_AT.get()


def test_an_error_inside_does_not_silence_the_next_call():
    p = own(lambda x: math.nan * x[0] if float(x[0, 0].detach()) < 5 else 0 / 0)
    with pytest.raises(ZeroDivisionError), _own.looked_at():
        p.log_prob([9.0, 0.0])
    with pytest.raises(ValueError, match="must be a number"):
        p.log_prob([1.0, 0.0])
