"""Every density in every way of calling it: `tests/every_density.py` has the list."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import projcomp as pc
import pytest
import torch
from torch.func import jvp, vmap

from tests.every_density import (
    DENSITIES,
    Case,
    agree,
    defaults,
    every_density,
    level,
    methods,
    values_of,
)
from tests.helpers import close, close_in_scale, seeded

F64 = torch.float64


# -- what comes in -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int64])
@every_density
def test_dtypes(case, dtype):
    """The answer is that to the same numbers in float64, in the dtype of x."""
    density = case.make()
    x = (2.0 * case.points() + 0.3).to(dtype)
    if case.centre and dtype != torch.int64:
        pytest.skip("its points are farther out than the dtype has digits")
    for method in methods(case, density):
        wanted = method(x.to(F64), level(case)).detach()
        found = method(x, level(case)).detach()
        if dtype == torch.int64:
            close(found, wanted, 0.0, 0.0)
        else:
            assert found.dtype == dtype
            close(found, wanted.to(dtype), 0.0, 0.0)


@every_density
def test_arrays_lists_and_strides(case):
    density = case.make()
    x = case.points(6)
    wanted = values_of(case, density, x, level(case))
    array = x.numpy()
    locked = array.copy()
    locked.flags.writeable = False
    for same in (
        array, x.tolist(), tuple(map(tuple, x.tolist())), list(x), locked, np.asfortranarray(array),
        array[::-1][::-1], x.T.contiguous().T, torch.stack([x, x], 1)[:, 0], array.astype(">f8"),
    ):  # fmt: skip
        for one, other in zip(values_of(case, density, same, level(case)), wanted, strict=True):
            close(one, other, 0.0, 0.0)


@every_density
def test_batches_of_any_shape(case):
    density = case.make()
    x = case.points(6)
    wanted = values_of(case, density, x, level(case))
    for shape in ((2, 3), (3, 1, 2), (6,)):
        found = values_of(case, density, x.reshape(*shape, -1), level(case))
        agree(
            case,
            [one.reshape(other.shape) for one, other in zip(found, wanted, strict=True)],
            wanted,
        )
    single = values_of(case, density, x[2], level(case))
    agree(case, single, [value[2] for value in wanted])


@every_density
def test_empty_batches(case):
    density = case.make()
    for shape in ((0,), (3, 0), (0, 2)):
        x = torch.zeros(*shape, density.dim, dtype=F64)
        for method in methods(case, density):
            assert method(x, level(case)).numel() == 0
    if not case.clean:
        assert (
            density.score(torch.zeros(0, density.dim, dtype=F64), torch.zeros(0) + 1.0).numel() == 0
        )


@every_density
def test_levels_broadcast(case):
    if case.clean:
        pytest.skip("it has one level alone")
    density = case.make()
    x = case.points(4)
    sigmas = case.sigma * torch.tensor([1.0, 1.5, 4.0], dtype=F64)
    for method in methods(case, density):
        table = method(x, sigmas[:, None]).detach()
        assert table.shape[:2] == (3, 4)
        rows = torch.stack([method(x, float(sigma)).detach() for sigma in sigmas])
        close_in_scale(table, rows, case.digits)
        close_in_scale(method(x[:3], sigmas).detach(), rows[range(3), range(3)], case.digits)
        assert method(x, sigmas[:1].numpy()).shape == rows[0].shape


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.eye(2).to_sparse(), "x must be a dense tensor, got a sparse one"),
        (torch.eye(2, device="meta"), "x must hold values"),
        ([[torch.tensor(1.0, requires_grad=True), 2.0]], "x: a tensor that needs grad"),
        ([[1.0, float("nan")]], "x must be finite"),
        (torch.tensor([1j, 0.0]), "x must be real"),
        ("points", "x must be numeric"),
        ([[1e101, 0.0]], "x must be finite and at most 1e"),
    ],
)
def test_what_is_no_point(x, message):
    density = DENSITIES["mixture"].make()
    for method in (density.log_prob, density.score, density.log_prob_and_score, density.denoise):
        with pytest.raises(ValueError, match=message):
            method(x, 0.5)


@every_density
def test_a_generator_is_one(case):
    density = case.make()
    for n, generator, message in (
        (3, 0, "generator must be a torch.Generator"),
        (0, None, "n must"),
    ):
        with pytest.raises(ValueError, match=message):
            density.sample(n, 0.0, generator)


# -- where and how it runs -----------------------------------------------------------------------


@every_density
def test_plain_calls_record_nothing(case):
    density = case.make()
    if any(True for _ in getattr(getattr(density, "model", None), "parameters", list)()):
        pytest.skip("its parameters need grad, so its answers do")
    for method in methods(case, density):
        assert not method(case.points(), level(case)).requires_grad


@every_density
def test_inference_mode(case):
    """Evaluated, made and warmed up in inference mode, and differentiated outside of it."""
    x = case.points()
    wanted = values_of(case, case.make(), x, level(case))
    outside = case.make()
    with torch.inference_mode():
        agree(case, values_of(case, outside, x, level(case)), wanted, 0.01)
        agree(case, values_of(case, outside, x + 0.0, level(case)), wanted, 0.01)
        inside = case.make()
        inside.score(x, level(case))
        made_inside = x + 0.0
    for density in (outside, inside):
        y = x.clone().requires_grad_(True)
        score = density.score(y, level(case))
        if score.requires_grad:
            (slope,) = torch.autograd.grad(score.sum(), y, allow_unused=True)
            assert slope is None or torch.isfinite(slope).all()
        agree(case, values_of(case, density, made_inside, level(case)), wanted, 0.01)


@every_density
def test_pickled_and_copied(case):
    """Also after it was used under every transformation, and after a call that failed."""
    density, x = case.make(), case.points()
    wanted = values_of(case, density, x, level(case))
    jvp(lambda y: density.score(y, level(case)), (x,), (x,))
    vmap(lambda y: density.score(y, level(case)))(x)

    def fails(sigma):
        density.score(x, sigma)
        raise KeyError

    with pytest.raises((KeyError, ValueError)):
        jvp(fails, (torch.tensor(case.sigma, dtype=F64),), (torch.ones((), dtype=F64),))
    with torch.inference_mode():
        density.score(x, level(case))
    for same in (pickle.loads(pickle.dumps(density)), copy.deepcopy(density), copy.copy(density)):
        for one, other in zip(values_of(case, same, x, level(case)), wanted, strict=True):
            close(one, other, 1e-12, 1e-12)
        assert repr(same) == repr(density) or "object at" in repr(density)


@every_density
def test_in_threads(case):
    density, x = case.make(), case.points(50)
    levels = [level(case)] * 8 if case.clean else [case.sigma * (1 + j % 3) for j in range(8)]
    wanted = [values_of(case, density, x, sigma) for sigma in levels]
    with ThreadPoolExecutor(4) as pool:
        for found, known in zip(
            pool.map(lambda s: values_of(case, density, x, s), levels), wanted, strict=True
        ):
            for one, other in zip(found, known, strict=True):
                close(one, other, 0.0, 0.0)


@pytest.mark.parametrize(
    "changed", [{"dtype": torch.float64}, {"dtype": torch.float16}, {"device": "meta"}]
)
@every_density
def test_other_defaults(case, changed):
    """A density made, used and sampled under other defaults is the same, then and later."""
    x = case.points()
    plain = case.make()
    wanted = values_of(case, plain, x, level(case))
    drawn = sampled(plain, level(case))
    with defaults(**changed):
        density = case.make() if "device" not in changed else remade(case)
        found = values_of(case, density, x, level(case))
        again = sampled(density, level(case))
        listed = density.score(x.tolist(), level(case)).detach()
    for one, other in zip(found, wanted, strict=True):
        close(one, other, 1e-13, 1e-13)
    close(listed, wanted[0], 1e-13, 1e-13)
    assert (drawn is None) == (again is None)
    if drawn is not None:
        close(again, drawn, 0.0, 0.0)
    for one, other in zip(values_of(case, density, x, level(case)), wanted, strict=True):
        close(one, other, 1e-13, 1e-13)


def remade(case: Case) -> pc.Density:
    """The density, made under the default device where its test data is made on the CPU."""
    with torch.device("cpu"):
        return copy.deepcopy(case.make())


def sampled(density: pc.Density, sigma: float):
    try:
        return density.sample(4, sigma, seeded(5))
    except ValueError:
        return None


@every_density
def test_compiled(case):
    """torch.compile may break the graph, but gives the same numbers."""
    density, x = case.make(), case.points()
    torch._dynamo.reset()
    for method in (density.score, *([density.log_prob] if case.log_prob else [])):
        compiled = torch.compile(method, backend="eager")
        for _ in range(2):
            close_in_scale(
                compiled(x, level(case)).detach(), method(x, level(case)).detach(), case.digits
            )
