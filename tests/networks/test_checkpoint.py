"""Runs that are interrupted, of every kind of model, end with the numbers of the whole run."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from projcomp import networks
from projcomp.networks import store
from torch import nn

from tests.helpers import seeded

STEPS, BATCH = 12, 8


def linear(inputs=3, outputs=3, dtype=torch.float32):
    layer = nn.Linear(inputs, outputs, dtype=dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            values = torch.randn(parameter.shape, generator=seeded(1), dtype=dtype)
            parameter.copy_(values)
    return layer


def plain():
    return nn.Sequential(linear(), nn.Tanh(), linear())


def frozen():
    model = plain()
    model[0].requires_grad_(False)
    return model


def idle():
    """A parameter that never gets a gradient, and one that gets its first late."""
    model = plain()
    model.unused = nn.Parameter(torch.ones(2))
    model.late = nn.Parameter(torch.ones(3))
    return model


def normalised():
    return nn.Sequential(linear(), nn.BatchNorm1d(3), linear(), nn.BatchNorm1d(3, affine=False))


def masked():
    model = plain()
    model.register_buffer("mask", torch.tensor([0.0, -math.inf, math.nan]))
    model.fixed = nn.Parameter(torch.tensor([math.inf]), requires_grad=False)
    model.register_buffer("large", torch.tensor([2**40 + 1]))
    return model


def tied():
    model = plain()
    model[2].weight = model[0].weight
    return model


def double():
    return nn.Sequential(linear(dtype=torch.float64), nn.Tanh(), linear(dtype=torch.float64))


def compiled():
    return torch.compile(plain(), backend="eager")


def partly():
    model = plain()
    model[0] = torch.compile(model[0], backend="eager")
    return model


KINDS = (plain, frozen, idle, normalised, masked, tied, double, compiled, partly)


class Draws:
    """Batches; an interruption after so many."""

    def __init__(self, dtype=torch.float32, patience=10**9):
        self.dtype, self.patience = dtype, patience

    def __call__(self, generator):
        self.patience -= 1
        if self.patience < 0:
            raise KeyboardInterrupt
        return (torch.randn(BATCH, 3, generator=generator, dtype=self.dtype),)


def loss(model, x):
    value = (model(x) - x.flip(1)).square().mean(1)
    late = getattr(model, "late", None)
    if late is not None:
        loss.calls += 1
        if loss.calls > 3:
            value = value + (late * x).square().mean(1)
    return value


def fit(make, patience=10**9, done=0, **options):
    """A run; `done` is how many steps a checkpoint holds."""
    model = make()
    dtype = next(model.parameters()).dtype
    loss.calls = done
    own = {name: options.pop(name) for name in ("about", "generator") if name in options}
    given = {"steps": STEPS, "batch": BATCH, "rate": 0.05, "average": 0.9, "every": 1, **options}
    recipe = networks.Recipe(progress=False, **given)
    return networks.fit(
        model, Draws(dtype, patience), loss, recipe, **{"generator": seeded(2), **own}
    )


def same(one, two):
    one, two = store.tensors_of(one), store.tensors_of(two)
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=0, atol=0, equal_nan=True)


def interrupted(make, file, after=5, **options):
    with pytest.raises(KeyboardInterrupt):
        fit(make, after, checkpoint=file, **options)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("after", [2, 5])
def test_an_interrupted_run_ends_as_the_whole_one(tmp_path, make, after):
    whole = fit(make)
    file = tmp_path / "run"
    interrupted(make, file, after)
    resumed = fit(make, done=after, checkpoint=file, generator=seeded(77))
    assert torch.equal(resumed.losses, whole.losses)
    same(resumed.model, whole.model)
    before, after = (store.tensors_of(model)["2.weight"] for model in (make(), whole.model))
    assert not torch.equal(before, after)
    torch._dynamo.reset()


def test_what_a_run_does_to_what_it_does_not_train():
    run = fit(frozen)
    same(run.model[0], frozen()[0])
    run = fit(idle)
    assert torch.equal(run.model.unused, torch.ones(2))
    assert not torch.equal(run.model.late, torch.ones(3))
    run = fit(normalised)
    assert int(run.model[1].num_batches_tracked) == STEPS  # the latest, no average
    found, wanted = (store.tensors_of(model) for model in (fit(masked).model, masked()))
    for name in ("mask", "fixed", "large"):
        torch.testing.assert_close(found[name], wanted[name], rtol=0, atol=0, equal_nan=True)
    run = fit(tied)
    assert run.model[0].weight is run.model[2].weight
    assert {value.dtype for value in fit(double).model.state_dict().values()} == {torch.float64}


def test_compiled_and_plain_runs_share_checkpoints(tmp_path):
    whole = fit(plain)
    for first, second in ((compiled, plain), (plain, compiled), (partly, compiled)):
        file = tmp_path / f"{first.__name__}-{second.__name__}"
        interrupted(first, file)
        resumed = fit(second, done=5, checkpoint=file)
        torch.testing.assert_close(resumed.losses, whole.losses)
        for name, value in store.tensors_of(whole.model).items():
            torch.testing.assert_close(store.tensors_of(resumed.model)[name], value)
    torch._dynamo.reset()


@pytest.mark.parametrize("part", ["whole", "network"])
def test_a_compiled_denoiser_is_trained(tmp_path, part):
    def made(compile_it):
        mlp = networks.MLP(2, 2, width=8, blocks=1, generator=seeded(1))
        model = networks.Preconditioned(mlp, 2, 0.8, 2)
        if compile_it and part == "network":
            model.network = torch.compile(model.network, backend="eager")
        return torch.compile(model, backend="eager") if compile_it and part == "whole" else model

    def train(model, **options):
        data = [torch.ones(4, 2), torch.zeros(4, 2)]
        return networks.train(model, data, networks.Recipe(4, 8, progress=False, **options))

    file = tmp_path / "run"
    one = train(made(True), checkpoint=file)
    two = train(made(False))
    torch.testing.assert_close(one.losses, two.losses)
    again = train(made(False), checkpoint=file)
    assert again.samples_per_second == 0
    same(again.model, one.model)
    torch._dynamo.reset()


def test_files_of_before_have_no_steps(tmp_path):
    whole, file = fit(plain), tmp_path / "run"
    interrupted(plain, file)
    tensors, about = store.read(file)
    assert float(tensors["step.0.weight"]) == 5
    old = {name: value for name, value in tensors.items() if not name.startswith("step.")}
    store.write(file, old, about)
    resumed = fit(plain, checkpoint=file, generator=seeded(77))
    assert torch.equal(resumed.losses, whole.losses)
    same(resumed.model, whole.model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights.0.weight": None}, "has no 0.weight"),
        ({"average.extra": torch.ones(2)}, "is of another model, with extra"),
        ({"first.2.bias": None}, "is of another model, with 2.bias"),
        ({"second.2.bias": None}, "has no 2.bias"),
        ({"second.2.bias": torch.ones(4)}, r"2.bias is \(4,\) .*, wanted \(3,\)"),
        ({"weights.2.bias": torch.ones(3).double()}, "2.bias .*float64, wanted .*float32"),
        ({"losses": None}, r"damaged, or of another kind of run \(losses\)"),
        ({"generator": None}, r"damaged, or of another kind of run \(generator\)"),
        ({"generator": torch.zeros(16, dtype=torch.uint8)}, r"another kind of run \(generator\)"),
    ],
)
def test_a_file_that_does_not_match_changes_nothing(tmp_path, change, message):
    file = tmp_path / "run"
    interrupted(plain, file)
    tensors, about = store.read(file)
    tensors = {k: v for k, v in {**tensors, **change}.items() if v is not None}
    store.write(file, tensors, about)
    model, generator = plain(), seeded(3)
    with pytest.raises(ValueError, match=message):
        fit(lambda: model, checkpoint=file, generator=generator)
    same(model, plain())
    assert torch.equal(generator.get_state(), seeded(3).get_state())


def test_numpy_numbers_in_a_recipe_and_about(tmp_path):
    file = tmp_path / "run"
    numpy = {
        "steps": np.int64(3), "batch": np.int32(BATCH), "rate": np.float32(0.5),
        "average": np.float64(0.5), "every": np.int8(1), "seconds": np.float32(60),
    }  # fmt: skip
    recipe = networks.Recipe(**numpy)
    assert [type(v) for v in (recipe.every, recipe.seconds)] == [int, float]
    assert [type(v) for v in recipe.terms.values()] == [int, int, float, str, float, str]
    about = {"n": np.int64(3), "mean": np.float32(0.1), "shape": (np.int8(1), 2)}
    fit(plain, **numpy, about=about, checkpoint=file)
    same_about = {"n": 3, "mean": float(np.float32(0.1)), "shape": [1, 2]}
    again = fit(plain, steps=3, rate=0.5, average=0.5, about=same_about, checkpoint=file)
    assert again.samples_per_second == 0
    with pytest.raises(ValueError, match="another run: n is 3, wanted 4"):
        fit(plain, **numpy, about={**about, "n": 4}, checkpoint=file)


def test_measured_floats_of_a_run_agree_within_a_millionth(tmp_path):
    file = tmp_path / "run"
    interrupted(plain, file, about={"scale": {"mean": 0.3}})
    fit(plain, checkpoint=file, about={"scale": {"mean": 0.3 + 1e-8}})
    with pytest.raises(ValueError, match=r"another run: mean is 0.3.*, wanted 0.30001"):
        fit(plain, checkpoint=file, about={"scale": {"mean": 0.30001}})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"about": {"colour": {1, 2}}}, r"about\['colour'\] must be a number, a string"),
        ({"about": {"kind": torch.nn.ReLU()}}, r"about\['kind'\] must be a number, a string"),
        ({"about": [1]}, r"about must be a dict, got \[1\]"),
        ({"generator": 0}, "generator must be a torch.Generator"),
        ({"make": lambda: plain().requires_grad_(False)}, "model must have a parameter that needs"),
        ({"make": nn.Tanh}, "model must have a parameter that needs grad"),
    ],
)
def test_bad_input(tmp_path, options, message):
    given = {"make": plain, **options}
    make = given.pop("make")
    with pytest.raises(ValueError, match=message):
        recipe = networks.Recipe(2, BATCH, progress=False, checkpoint=tmp_path / "run")
        networks.fit(make(), Draws(), loss, recipe, **given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 2.0}, "steps must be an integer >= 1, got 2.0"),
        ({"batch": "8"}, "batch must be an integer >= 1, got '8'"),
        ({"rate": "fast"}, "rate must be numeric, got 'fast'"),
        ({"rate": None}, "rate"),
        ({"rate": math.nan}, "rate must be finite"),
        ({"average": [0.5, 0.5]}, "average must be one number"),
    ],
)
def test_a_bad_recipe(change, message):
    with pytest.raises(ValueError, match=message):
        networks.Recipe(**{"steps": 2, "batch": 8, **change})


class Engine:
    """What `fit` asks of an `accelerate.Accelerator`, on one process."""

    device, process_index, num_processes = torch.device("cpu"), 0, 1
    mixed_precision, scaler, gradient_accumulation_steps = "no", None, 1
    distributed_type = "NO"
    prepared = False

    def __init__(self, **changes):
        vars(self).update(changes)

    def prepare(self, model):
        self.prepared = True
        return model

    def reduce(self, value, how):
        return value

    def backward(self, value):
        value.backward()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mixed_precision": "fp16"}, "engine must compute in mixed precision .* got 'fp16'"),
        ({"mixed_precision": "fp8"}, "engine must compute in mixed precision .* got 'fp8'"),
        ({"scaler": object()}, "engine must compute in mixed precision"),
        ({"gradient_accumulation_steps": 4}, "engine must step after every batch, .* gathers 4"),
        ({"distributed_type": "DEEPSPEED"}, "engine must hold the whole network .* got DEEPSPEED"),
        ({"distributed_type": SimpleNamespace(value="FSDP")}, "engine must hold .* got FSDP"),
        ({"distributed_type": "MEGATRON_LM"}, "engine must hold .* got MEGATRON_LM"),
    ],
)
def test_engines_that_are_refused(change, message):
    engine = Engine(**change)
    with pytest.raises(ValueError, match=message):
        fit(plain, engine=engine)
    assert not engine.prepared
    with pytest.raises(ValueError, match=r"engine must be an accelerate.Accelerator, got 'cuda'"):
        fit(plain, engine="cuda")


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_engines_that_stay(precision):
    run = fit(plain, engine=Engine(mixed_precision=precision))
    same(run.model, fit(plain).model)


def test_an_accelerator_itself(monkeypatch):
    accelerate = pytest.importorskip("accelerate")
    engine = accelerate.Accelerator(cpu=True)
    try:
        torch.testing.assert_close(fit(plain, engine=engine).losses, fit(plain).losses)
        kinds = accelerate.utils.DistributedType
        for attribute, value in (
            ("_mixed_precision", "fp16"),
            ("distributed_type", kinds.DEEPSPEED),
            ("distributed_type", kinds.FSDP),
            ("distributed_type", kinds.MEGATRON_LM),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(engine.state, attribute, value)
                with pytest.raises(ValueError, match="engine must"):
                    fit(plain, engine=engine)
        with monkeypatch.context() as patch:
            patch.setattr(engine, "scaler", object())
            with pytest.raises(ValueError, match="engine must compute in mixed precision"):
                fit(plain, engine=engine)
        engine.gradient_accumulation_steps = 2
        with pytest.raises(ValueError, match="engine must step after every batch"):
            fit(plain, engine=engine)
        engine.gradient_accumulation_steps = 1
    finally:
        accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
        accelerate.state.GradientState._reset_state()
