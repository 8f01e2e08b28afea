"""Weights in files: what fits, what is refused, and names that a compiler does not change."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from projcomp import networks
from projcomp.networks import store
from torch import nn

from tests.helpers import seeded


class Kept(nn.Module):
    """A weight, and buffers of several kinds."""

    def __init__(self, weight=(0.5, -2.0), dtype=torch.float32):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=dtype))
        self.register_buffer("count", torch.tensor([100_000, 2**40 + 1]))
        self.register_buffer("seen", torch.tensor([True, False]))
        self.register_buffer("byte", torch.tensor([0, 255], dtype=torch.uint8))
        self.register_buffer("mask", torch.tensor([0.0, -math.inf, math.inf, math.nan]))


def blank(dtype=torch.float32):
    model = Kept((0.0, 0.0), dtype)
    for buffer in model.buffers():
        buffer.zero_()
    return model


def same(one, two):
    one, two = store.tensors_of(one), store.tensors_of(two)
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_integers_bools_and_infinities_are_kept(tmp_path, precision):
    file = tmp_path / "net"
    networks.save_network(Kept(), file, precision)
    same(networks.load_network(blank(), file), Kept())
    assert store.read(file)[0]["count"].dtype == torch.int64


@pytest.mark.parametrize(
    ("weight", "dtype", "precision", "message"),
    [
        ((1e5, 1.0), torch.float32, "float16", "precision: weight holds 100000, too large for"),
        ((1.0, -65520.0), torch.float32, "float16", "precision: weight holds -65520, too large"),
        ((1e39, 1.0), torch.float64, "float32", r"precision: weight holds 1e\+39, too large for"),
        ((1e-9, 2e-9), torch.float32, "float16", "weight holds values up to 2e-09, too small for"),
        ((3e-7, 1e-8), torch.float32, "float16", "weight holds values up to 3e-07, too small for"),
        ((1e-50, 0.0), torch.float64, "float32", "weight holds values up to 1e-50, too small for"),
        ((1e-310, 0.0), torch.float64, "float16", "weight holds values up to 1e-310, too small"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, weight, dtype, precision, message):
    file = tmp_path / "net"
    with pytest.raises(ValueError, match=message):
        networks.save_network(Kept(weight, dtype), file, precision)
    assert not file.exists()


@pytest.mark.parametrize(
    ("weight", "dtype", "precision"),
    [
        ((65504.0, 1e-9), torch.float32, "float16"),
        ((math.inf, -math.inf), torch.float32, "float16"),
        ((math.nan, 1.0), torch.float32, "float16"),
        ((0.0, 0.0), torch.float32, "float16"),
        ((1e5, 1e-30), torch.float32, "float32"),
        ((3e38, -1e30), torch.float64, "float32"),
    ],
)
def test_what_fits_is_kept(tmp_path, weight, dtype, precision):
    file = tmp_path / "net"
    networks.save_network(Kept(weight, dtype), file, precision)
    found = networks.load_network(blank(dtype), file).weight
    wanted = torch.tensor(weight, dtype=dtype).to(getattr(torch, precision)).to(dtype)
    torch.testing.assert_close(found, nn.Parameter(wanted), rtol=0, atol=0, equal_nan=True)


def test_a_file_that_does_not_fit_the_model(tmp_path):
    file = tmp_path / "net"
    networks.save_network(Kept((1e5, 1.0)), file, "float32")
    half = blank(torch.float16)
    with pytest.raises(ValueError, match=r"path: weight of .* holds 100000, too large for"):
        networks.load_network(half, file)
    same(half, blank(torch.float16))
    wide = networks.load_network(blank(torch.float64), file)
    assert wide.weight.dtype == torch.float64
    # Files of before held integers as floats. They are read where they are integers still.
    tensors, about = store.read(file)
    for count in (torch.tensor([7.0, 9.0]), torch.tensor([7.0, math.inf])):
        store.write(file, {**tensors, "count": count.half()}, about)
        if count.isfinite().all():
            assert networks.load_network(blank(), file).count.tolist() == [7, 9]
        else:
            with pytest.raises(ValueError, match=r"path: count of .* holds inf, which torch.int64"):
                networks.load_network(blank(), file)


class Named(nn.Module):
    """Says nothing of its shapes."""

    def __init__(self, **layers):
        super().__init__()
        for name, size in layers.items():
            setattr(self, name, nn.Linear(size, 1))

    def architecture(self):
        return {"network": "Named"}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"first": 2}, "is of another model, with second.bias"),
        ({"first": 2, "second": 2, "third": 1}, "has no third.bias"),
        ({"first": 2, "second": 3}, r"second.weight is \(1, 2\), wanted \(1, 3\)"),
    ],
)
def test_names_that_do_not_match_leave_the_model_as_it_was(tmp_path, layers, message):
    file = tmp_path / "net"
    networks.save_network(Named(first=2, second=2), file)
    model = Named(**layers)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        networks.load_network(model, file)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def plain_network():
    return networks.Preconditioned(networks.MLP(2, 2, 8, 1, generator=seeded(1)), 2, 0.8, 2)


def whole():
    return torch.compile(plain_network(), backend="eager")


def inner():
    model = plain_network()
    model.network = torch.compile(model.network, backend="eager")
    return model


def innermost():
    model = plain_network()
    model.network.blocks[0] = torch.compile(model.network.blocks[0], backend="eager")
    return model


@pytest.mark.parametrize("make", [whole, inner, innermost])
def test_compiled_networks_and_plain_ones_share_files(tmp_path, make):
    file, other = tmp_path / "net", tmp_path / "other"
    networks.save_network(make(), file, "float32")
    networks.save_network(plain_network(), other, "float32")
    assert file.read_bytes() == other.read_bytes()
    for target in (make(), plain_network()):
        with torch.no_grad():
            target.network.leave.weight.fill_(7.0)
        same(networks.load_network(target, file), plain_network())
    x, level = torch.ones(3, 2, dtype=torch.float64), 0.5
    with torch.no_grad():
        wanted = networks.Denoiser(plain_network(), 1).score(x, level)
        torch.testing.assert_close(networks.Denoiser(make(), 1).score(x, level), wanted)
    torch._dynamo.reset()


def test_a_compiled_network_without_a_description(tmp_path):
    file = tmp_path / "net"
    networks.save_network(torch.compile(nn.Linear(2, 1), backend="eager"), file)
    assert store.read(file)[1]["architecture"] == {
        "network": "Linear", "shapes": {"weight": [1, 2], "bias": [1]},
    }  # fmt: skip
    networks.load_network(nn.Linear(2, 1), file)


def test_tied_weights(tmp_path):
    def tied():
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        model[1].weight = model[0].weight
        return model

    file, saved = tmp_path / "net", tied()
    networks.save_network(saved, file, "float32")
    loaded = networks.load_network(tied(), file)
    assert loaded[0].weight is loaded[1].weight
    same(loaded, saved)


def test_measured_floats_agree_within_a_millionth(tmp_path):
    file = tmp_path / "net"

    def made(sigma_data=0.8, centre=-0.3):
        mlp = networks.MLP(2, generator=seeded(1))
        return networks.Preconditioned(mlp, 2, sigma_data, centre=centre)

    networks.save_network(made(), file)
    for near in (made(0.8 * (1 + 5e-7)), made(centre=-0.3 * (1 - 5e-7))):
        networks.load_network(near, file)
    with pytest.raises(ValueError, match=r"another architecture: sigma_data is 0.8, wanted 0.8000"):
        networks.load_network(made(0.8 * (1 + 2e-6)), file)
    with pytest.raises(ValueError, match=r"another architecture: centre is -0.3, wanted 0.3"):
        networks.load_network(made(centre=0.3), file)


@pytest.mark.parametrize(
    ("found", "wanted", "agree"),
    [
        (1, 1.0, True),
        (1.0, 1 + 1e-7, True),
        (10_000_000, 10_000_001, False),
        (True, 1, False),
        (1.0, True, False),
        ("1", 1, False),
        (math.nan, math.nan, True),
        (math.inf, math.inf, True),
        (math.inf, 1e300, False),
        (0.0, 1e-300, False),
        ([1.0, {"a": 2.0}], [1.0, {"a": 2.0 + 1e-9}], True),
        ([1.0, {"a": 2.0}], [1.0, {"a": 2.1}], False),
        ([1.0], [1.0, 2.0], False),
        ({"a": 1}, [1], False),
    ],
)
def test_what_agrees(found, wanted, agree):
    for pair in ((found, wanted), (wanted, found)):
        one, two = ({"x": {"y": value}} for value in pair)
        if agree:
            store.must_agree("file", "kind", one, two)
        else:
            with pytest.raises(ValueError, match="file is of another kind: y is "):
                store.must_agree("file", "kind", one, two)


def test_descriptions_become_plain():
    given = {
        "int": np.int64(3), "float": np.float32(0.5), "bool": np.bool_(True), "none": None,
        "array": np.arange(4).reshape(2, 2), "tensor": torch.tensor([0.5]), "tuple": (1, "a"),
        "scalar": np.array(2.5), "text": np.str_("b"), "inner": {1: np.float64(0.25)},
    }  # fmt: skip
    found = store.plain("about", given)
    assert found == {
        "int": 3, "float": 0.5, "bool": True, "none": None, "array": [[0, 1], [2, 3]],
        "tensor": [0.5], "tuple": [1, "a"], "scalar": 2.5, "text": "b", "inner": {"1": 0.25},
    }  # fmt: skip
    assert {k: type(v) for k, v in found.items() if k in ("int", "float", "bool", "text")} == {
        "int": int, "float": float, "bool": bool, "text": str,
    }  # fmt: skip
    for bad in ({1, 2}, 1j, object(), b"bytes", np.array([1j])):
        with pytest.raises(ValueError, match=r"about\['inner'\]\['bad'\].* must be a number"):
            store.plain("about", {"inner": {"bad": bad}})
    with pytest.raises(ValueError, match="about must have strings as keys"):
        store.plain("about", {(1, 2): 3})


def test_numpy_sizes_in_an_architecture(tmp_path):
    size = np.int64(16)
    network = networks.UNet(size, np.int64(0), np.bool_(False), widths=(np.int64(8), 8, 16))
    model = networks.Preconditioned(network, np.int64(768), np.float32(0.1))
    networks.save_network(model, tmp_path / "net")
    again = networks.Preconditioned(
        networks.UNet(16, widths=(8, 8, 16)), 768, float(np.float32(0.1))
    )
    networks.load_network(again, tmp_path / "net")


def test_what_is_no_tensor_is_refused(tmp_path):
    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"epoch": 3}

        def set_extra_state(self, state):
            pass

    with pytest.raises(ValueError, match="model: _extra_state must be a tensor that holds values"):
        networks.save_network(Extra(2, 1), tmp_path / "net")
    with pytest.raises(ValueError, match="model: weight must be a tensor that holds values"):
        networks.save_network(nn.Linear(2, 1, device="meta"), tmp_path / "net")
