"""What `GaussianMixture` takes, and what it refuses."""

import numpy as np
import projcomp as pc
import pytest
import torch

from tests.helpers import close, normal, seeded

MEANS = [[0.0, 0.0], [2.0, 1.0]]


def test_array_likes_of_any_kind():
    weights, means, covariances = [0.25, 0.75], [[0, 1], [2, 3]], [[1, 2], [3, 4]]
    wanted = pc.GaussianMixture(weights, means, covariances).log_prob([0.5, 0.5])
    numpy_means = np.array(means)
    read_only = np.broadcast_to(numpy_means.astype(float), (2, 2))
    variants = [
        numpy_means,
        numpy_means.astype(np.float32),
        numpy_means.astype(">f8"),
        numpy_means[::-1].astype(float)[::-1],
        read_only,
        torch.tensor(means),
        torch.tensor(means, dtype=torch.float32),
        [np.array(row) for row in means],
        [torch.tensor(row) for row in means],
        tuple(map(tuple, means)),
    ]
    for variant in variants:
        p = pc.GaussianMixture(np.array(weights), variant, covariances)
        close(p.log_prob([0.5, 0.5]), wanted, 0.0, 0.0)


def test_the_four_forms_of_covariance_agree():
    weights, means = [0.5, 0.5], [[0.0, 1.0], [2.0, 3.0]]
    eye = torch.eye(2, dtype=torch.float64)
    forms = [0.3, [0.3, 0.3], [[0.3, 0.3], [0.3, 0.3]], torch.stack([0.3 * eye, 0.3 * eye])]
    first, *others = (pc.GaussianMixture(weights, means, form) for form in forms)
    x = normal(seeded(0), 6, 2)
    for other in others:
        close(other.log_prob(x, 0.2), first.log_prob(x, 0.2))
        close(other.covariances, first.covariances)


def test_a_mixture_keeps_its_own_copy():
    means = torch.zeros(1, 2, dtype=torch.float64)
    variances = torch.ones(1, 2, dtype=torch.float64)
    p = pc.GaussianMixture([1.0], means, variances)
    means += 5.0
    variances += 5.0
    assert float(p.means.abs().max()) == 0.0
    close(p.covariances[0], torch.eye(2, dtype=torch.float64))


def test_parameters_that_record_gradients_are_taken_as_constants():
    means = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    p = pc.GaussianMixture([0.5, 0.5], means, torch.ones(2, requires_grad=True))
    assert not p.score([1.0, 2.0], 0.5).requires_grad


BAD = [
    (([0.5, 0.4], MEANS, 1.0), r"weights must sum to one, got a sum of 0.9"),
    (([1.5, -0.5], MEANS, 1.0), r"weights must be >= 0, got -0.5"),
    (([], MEANS, 1.0), r"weights must have shape \(K,\) with K >= 1, got \(0,\)"),
    (([[1.0]], MEANS[:1], 1.0), r"weights must have shape \(K,\).*got \(1, 1\)"),
    (([0.5, float("nan")], MEANS, 1.0), r"weights must be finite, got 1 NaN or infinite of 2"),
    ((["a", "b"], MEANS, 1.0), r"weights must be numeric"),
    (([1.0j, 0.0], MEANS, 1.0), r"weights must be real, got dtype complex128"),
    (([0.5, 0.5], [0.0, 1.0], 1.0), r"means must have shape \(K, n\), got \(2,\)"),
    (([0.5, 0.5], [[], []], 1.0), r"means must have shape \(K, n\), got \(2, 0\)"),
    (([0.5, 0.5], [[0.0], [1.0, 2.0]], 1.0), r"means: entries do not form an array"),
    (([1.0], MEANS, 1.0), r"means must have one row for each of the 1 weights, got \(2, 2\)"),
    (([1.0], [[float("inf"), 0.0]], 1.0), r"means must be finite, got 1 NaN or infinite of 2"),
    (([1.0], [[1e200, 0.0]], 1.0), r"means must be at most 1e\+100 in magnitude"),
    (([1.0], [[0.0, 0.0]], 0.0), r"covariances must be positive.*got 0"),
    (([1.0], [[0.0, 0.0]], -1.0), r"covariances must be positive.*got -1"),
    (([1.0], [[0.0, 0.0]], [[1.0, -2.0]]), r"covariances must be positive.*got -2"),
    (([1.0], [[0.0, 0.0]], None), r"covariances must be numeric, got None"),
    (([1.0], [[0.0, 0.0]], [[[1.0, 0.5], [0.4, 1.0]]]), r"covariances must be symmetric.*\[0\]"),
    (([1.0], [[0.0, 0.0]], [[[1.0, 2.0], [2.0, 1.0]]]), r"positive definite.*eigenvalue -1"),
    (([1.0], [[0.0, 0.0]], [[[1.0, 1.0], [1.0, 1.0]]]), r"positive definite to working precision"),
    (
        ([1.0], [[0.0, 0.0]], [[1.0], [1.0]]),
        r"covariances must have shape \(1, 2, 2\).*got \(2, 1\)",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        pc.GaussianMixture(*arguments)


def test_bad_calls():
    p = pc.gaussian([0.0, 0.0], 1.0)
    with pytest.raises(
        ValueError, match=r"coordinates must be distinct indices below 2, got \[2\]"
    ):
        p.marginal([2])
    with pytest.raises(ValueError, match=r"coordinates must be a sequence of indices, got 0"):
        p.marginal(0)
    with pytest.raises(ValueError, match=r"coordinates must be distinct"):
        p.marginal([])
    with pytest.raises(ValueError, match=r"sigma must be one number, got shape \(2,\)"):
        p.noised([0.1, 0.2])
    with pytest.raises(ValueError, match=r"mean must have shape \(n,\), got \(\)"):
        pc.gaussian(0.0, 1.0)
