"""Every mode of torch for what surrounds a density: compositions, maps, conversions."""

from __future__ import annotations

import copy
import pickle
import warnings

import projcomp as pc
import pytest
import torch
from projcomp import _modes, warps
from torch.func import jacfwd, jvp, vmap

from tests.every_density import DENSITIES
from tests.helpers import close, close_in_scale, normal, seeded

F64 = torch.float64
COMPOSED = ("composition", "composition of unlike parts", "simple product", "bayes")
MAPS = {
    "rotation": warps.rotation(0.3),
    "banana": warps.banana(),
    "polar": warps.polar(),
    "shear, inverted": warps.shear(1.0).inverted(),
    "chain": warps.banana().then(warps.shear(1.0)),
    "chain, inverted": warps.banana().then(warps.shear(1.0)).inverted(),
    "identity": pc.densities.Identity(2),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_interactions_and_deltas(name):
    composition = DENSITIES[name].make()
    x, sigma = normal(seeded(1), 4, 2), torch.tensor(0.5, dtype=F64)
    for function in (
        composition.interaction,
        composition.deltas,
        lambda x, s: composition.score_and_interaction(x, s)[1],
    ):
        wanted = function(x, sigma)
        axis = 1 if wanted.ndim == 3 else 0
        close(vmap(function, (0, None), axis)(x, sigma), wanted, 1e-10, 1e-12)
        slope = jvp(lambda s, f=function: f(x, s), (sigma,), (torch.ones_like(sigma),))[1]
        step = 1e-5
        measured = (function(x, sigma + step) - function(x, sigma - step)) / (2 * step)
        close_in_scale(slope, measured, 1e-6)
        with torch.inference_mode():
            close(function(x, sigma).clone(), wanted, 1e-12, 1e-12)


@pytest.mark.parametrize("name", MAPS)
def test_maps(name):
    """Pickled, copied, mapped over, differentiated, in inference mode."""
    here, x = MAPS[name], normal(seeded(2), 4, 2)
    wanted = [here.forward(x), here.inverse(x), here.log_abs_det(x)]
    for same in (pickle.loads(pickle.dumps(here)), copy.deepcopy(here)):
        for method, value in zip(("forward", "inverse", "log_abs_det"), wanted, strict=True):
            close(getattr(same, method)(x), value, 0.0, 0.0)
            close(vmap(getattr(here, method))(x), value, 1e-13, 1e-13)
    jacobian = vmap(jacfwd(here.forward))(x)
    close(torch.linalg.slogdet(jacobian).logabsdet, wanted[2], 1e-12, 1e-12)
    close(here.inverse(wanted[0]), x, 1e-12, 1e-12)
    with torch.inference_mode():
        close(here.log_abs_det(x + 0.0), wanted[2], 1e-13, 1e-13)


def test_composed_maps_without_a_log_determinant():
    """Made of the public methods of others, which check what they are given."""
    turn, bend = warps.rotation(0.3), warps.banana()
    own = pc.Diffeomorphism(
        2, lambda x: bend.forward(turn.forward(x)), lambda y: turn.inverse(bend.inverse(y))
    )
    chain, x = turn.then(bend), normal(seeded(3), 5, 2)
    for map_, other in ((own, chain), (own.inverted(), chain.inverted())):
        close(map_.log_abs_det(x), other.log_abs_det(x), 1e-12, 1e-12)
    p = pc.gaussian([0.0, 0.0], 1.0)
    one, two = pc.pushforward(p, own), pc.pushforward(p, chain)
    close(one.log_prob(x), two.log_prob(x), 1e-12, 1e-12)
    close(one.score(x), two.score(x), 1e-10, 1e-10)
    close(vmap(one.score)(x), two.score(x), 1e-10, 1e-10)
    with pytest.raises(ValueError, match=r"other must be a Diffeomorphism of R\^2"):
        turn.then(pc.densities.Identity(3))


def test_outside_of_the_image_of_a_map():
    """The density is zero there, and where the inverse overflows; no NaN, no other points' loss."""
    wound = pc.pushforward(warps.Wrapped(pc.gaussian([0.0, 0.0], 1.0), axis=1), warps.polar())
    log_prob, score = wound.log_prob_and_score([[0.0, 0.0], [1.0, 0.5]])
    assert float(log_prob[0]) == -float("inf")
    assert torch.equal(score[0], torch.zeros(2, dtype=F64))
    close(log_prob[1], wound.log_prob([1.0, 0.5]), 1e-14, 1e-14)
    close(score[1], wound.score([1.0, 0.5]), 1e-12, 1e-12)
    bent = pc.pushforward(pc.gaussian([0.0, 0.0], 1.0), warps.banana())
    log_prob, score = bent.log_prob_and_score([[1e99, 0.0], [1.0, 0.5]])
    assert float(log_prob[0]) == -float("inf")
    assert torch.isfinite(score).all()


def test_compiled_without_a_word():
    x = normal(seeded(4), 5, 2)
    torch._dynamo.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function in (
            MAPS["banana"].forward,
            lambda x: pc.convert(x, x, 0.5, "score", "v_prediction"),
            lambda x: DENSITIES["composition"].make().interaction(x, 0.5),
        ):
            close(torch.compile(function, backend="eager")(x), function(x), 1e-14, 1e-14)


def test_what_is_kept_and_what_is_not():
    x = torch.ones(3, dtype=F64)
    assert _modes.keepable(x)
    assert not _modes.keepable(x.clone().requires_grad_(True))
    with torch.no_grad():
        assert _modes.keepable(x.clone().requires_grad_(True))
    with torch.inference_mode():
        assert not _modes.keepable(x)
    seen = []

    def look(y):
        seen.append((_modes.keepable(), _modes.mapped(y), _modes.values(y).tolist()))
        return y

    vmap(look)(x)
    jvp(look, (x,), (x,))
    torch.func.grad(lambda y: look(y).sum())(x)
    assert seen == [(False, True, [1.0] * 3), (False, False, [1.0] * 3), (False, False, [1.0] * 3)]
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, x)
        assert not _modes.keepable(dual)
        assert _modes.keepable(x)


def test_the_gradient_can_be_differentiated_in_whatever_it_depends_on():
    x, weight = normal(seeded(5), 2, 4), torch.tensor(3.0, dtype=F64, requires_grad=True)

    def function(y):
        return weight * y.pow(3).sum(0)

    found = _modes.gradient(function, x)
    close(found.detach(), 9.0 * x**2, 1e-12, 1e-12)
    close(torch.autograd.grad(found.sum(), weight)[0], (3 * x**2).sum(), 1e-12, 1e-12)
    with torch.no_grad():
        assert not _modes.gradient(function, x).requires_grad
    assert not _modes.gradient(lambda y: y.pow(3).sum(0), x).requires_grad
