"""The checks themselves, where no public call shows them well."""

import numpy as np
import pytest
import torch
from projcomp import _check

from tests.helpers import close


@pytest.mark.parametrize(
    "value",
    [2.1, np.float64(2.1), torch.tensor(2.1, dtype=torch.float64), np.array(2.1)],
)
def test_a_number_keeps_all_its_digits(value):
    tensor = _check.real("a", value)
    assert tensor.dtype == torch.float64
    assert float(tensor) == 2.1
    assert _check.number("a", value) == 2.1
    assert float(_check.real("a", [value, 1.0])[0]) == 2.1
    assert float(_check.real("a", [[value], [torch.tensor(1.0)]])[0, 0]) == 2.1


def test_gradients_pass_through_lists_of_tensors():
    x = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    stacked = _check.real("x", [x, 2.0])
    close(torch.autograd.grad(stacked.prod(), x)[0], torch.tensor(2.0, dtype=torch.float64))


@pytest.mark.parametrize("value", [np.int32(3), torch.tensor(3), 3])
def test_counts(value):
    assert _check.count("n", value) == 3


@pytest.mark.parametrize("value", [3.0, "3", None, True, [3], torch.tensor(3.5), np.float64(3)])
def test_what_is_no_count(value):
    with pytest.raises(ValueError, match=r"n must be an integer >= 1, got "):
        _check.count("n", value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "a must be numeric, got None"),
        ("1.5", "a must be numeric, got '1.5'"),
        ([1.0, "2"], "a must be numeric"),
        ({}, "a must be numeric, got {}"),
        ([[1.0], [1.0, 2.0]], "a: entries do not form an array"),
        ([torch.ones(2), torch.ones(3)], "a: entries do not form an array"),
        ([1j], "a must be real, got dtype complex128"),
        (torch.tensor([1j]), "a must be real, got dtype torch.complex64"),
        ([1.0, float("nan"), float("inf")], "a must be finite, got 2 NaN or infinite of 3"),
    ],
)
def test_what_is_not_real(value, message):
    with pytest.raises(ValueError, match=message):
        _check.real("a", value)


def test_weights_are_made_to_sum_to_one_exactly():
    weights = _check.probabilities("w", [0.1, 0.2, 0.7000001])
    assert float(weights.sum()) == pytest.approx(1.0, abs=1e-15)
    with pytest.raises(ValueError, match=r"w must sum to one, got a sum of 1.001"):
        _check.probabilities("w", [0.1, 0.2, 0.701])
