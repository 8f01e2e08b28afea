"""ROC areas."""

import pytest
import torch
from projcomp import metrics


def test_an_area_is_a_share_of_pairs():
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(6, (40,), generator=generator).double()
    bad = torch.rand(40, generator=generator) < 0.4
    larger = values[bad][:, None] > values[~bad]
    equal = values[bad][:, None] == values[~bad]
    expected = float((larger + 0.5 * equal).mean(dtype=torch.float64))
    assert 0.3 < expected < 0.7 and equal.any()
    found = metrics.roc_area(values, bad.double(), (~bad).double())
    assert float(found) == pytest.approx(expected, rel=1e-12)


def test_weights_are_copies():
    values = torch.tensor([3.0, 1.0, 2.0, 2.0])
    bad, good = torch.tensor([2.0, 0.0, 1.0, 3.0]), torch.tensor([0.0, 4.0, 2.0, 1.0])
    copies = torch.cat([values.repeat_interleave(w.long()) for w in (bad, good)])
    ones = torch.cat([torch.ones(6), torch.zeros(7)])
    expected = metrics.roc_area(copies, ones, 1 - ones)
    assert float(metrics.roc_area(values, bad, good)) == pytest.approx(float(expected))
    both = metrics.roc_area(values, torch.stack([bad, good]), torch.stack([good, bad]))
    assert both.tolist() == pytest.approx([float(expected), 1 - float(expected)])


def test_ends():
    values = torch.tensor([1.0, 2.0])
    worst, best = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])
    assert float(metrics.roc_area(values, worst, best)) == 1.0
    assert float(metrics.roc_area(values, best, worst)) == 0.0
    assert metrics.roc_area(values, worst, torch.zeros(2)).isnan()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((torch.ones(2, 2), torch.ones(2), torch.ones(2)), r"values must have shape \(m,\)"),
        ((torch.ones(2), torch.ones(3), torch.ones(2)), r"bad must have shape \(\.\.\., 2\)"),
        ((torch.ones(2), torch.ones(2), -torch.ones(2)), "good must be >= 0, got -1"),
        ((torch.tensor([1.0, torch.nan]), torch.ones(2), torch.ones(2)), "values"),
    ],
)
def test_bad_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        metrics.roc_area(*arguments)
