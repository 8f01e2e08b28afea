"""Feature spaces and their blocks: given as indices, masks, boxes or bases, or found."""

from __future__ import annotations

import re

import numpy as np
import projcomp as pc
import pytest
import torch
from projcomp.diagnostics.features import features_of, found_features

from tests.helpers import close, normal, seeded


def orthonormal(seed: int, dim: int, *sizes: int) -> list[torch.Tensor]:
    """Random bases (dim, size) of mutually orthogonal subspaces."""
    together = torch.linalg.qr(normal(seeded(seed), dim, sum(sizes))).Q
    return list(together.split(list(sizes), 1))


def test_found_features_map_each_basis_to_its_coordinates():
    true = orthonormal(13, 5, 2, 2)
    true[1] = true[1] * torch.tensor([1.0, -1.0], dtype=torch.float64)
    features = found_features(true, 5)
    for basis, block in zip(true, features.own, strict=True):
        inside = features.transform.forward(basis.T)
        close(inside[:, block], torch.eye(2, dtype=torch.float64), absolute=1e-12)
    assert features.background == [0]
    assert features.transform.orthogonal


def test_given_blocks_may_leave_the_background_out():
    for blocks in ([[0, 1], [2]], [[], [0, 1], [2]]):
        features = features_of(blocks, None, 2, 3)
        assert (features.background, features.own) == ([], [[0, 1], [2]])
    features = features_of([[1], [0], [2]], None, 2, 3)
    assert (features.background, features.own, features.rest(1)) == ([1], [[0], [2]], [0, 1])


EYE = torch.eye(3, dtype=torch.float64)


@pytest.mark.parametrize(
    ("blocks", "transform", "message"),
    [
        ([[0, 1], [1, 2]], None, "blocks must not overlap, but coordinate 1"),
        ([[0], [1]], None, r"blocks must cover all 3 coordinates, but miss \[2\]"),
        ([[0, 1, 2]], None, "2 index lists, one for each concept, or 3"),
        ([[0], [1], [2], []], None, "2 index lists, one for each concept, or 3"),
        ("01", None, "blocks must be a sequence"),
        (5, None, "blocks must be a sequence"),
        ([EYE[:, :1], EYE[:, :2]], None, "mutually orthogonal"),
        ([EYE[:, :1]], None, "2 bases"),
        ([EYE[:2, :1], EYE[:, 1:]], None, r"blocks\[0\] must have shape \(3, r\)"),
        ([EYE[:, :1], EYE[:, 1:]], EYE, "index lists where a transform is given"),
        ([[0, 1], [2]], torch.zeros(3, 3), "matrix must be invertible"),
        ([[0, 1], [2]], lambda x: x, "an inverse and a log-determinant"),
        ([[0, 1], [2]], pc.warps.banana(), r"transform must act on R\^3, got R\^2"),
    ],
)
def test_bad_blocks_and_transforms(blocks, transform, message):
    with pytest.raises(ValueError, match=message):
        features_of(blocks, transform, 2, 3)


def test_found_bases_may_overlap_as_far_as_is_said():
    first = torch.tensor([[1.0], [0.0], [0.0]], dtype=torch.float64)
    second = torch.tensor([[0.01], [-(0.9999**0.5)], [0.0]], dtype=torch.float64)
    assert found_features([first, second], 3) is None
    assert found_features([first, second], 3, overlap=0.0099) is None
    features = found_features([first, second], 3, overlap=0.0101)
    x = torch.tensor([2.0, 3.0, 5.0], dtype=torch.float64)
    close(features.project(x, 0), torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64))
    close(features.project(x, 1), torch.tensor([0.0, 3.0, 0.0], dtype=torch.float64))


def test_projections_are_those_on_the_bases():
    """Of indices, of an orthogonal map with an offset, and of bases."""
    x = normal(seeded(1), 4, 2, 5)
    wanted = torch.zeros_like(x)
    wanted[..., [4, 1]] = x[..., [4, 1]]
    close(features_of([[0, 2, 3], [4, 1]], None, 1, 5).project(x, 0), wanted)
    bases = orthonormal(2, 5, 2, 2)
    for features in (features_of(bases, None, 2, 5), found_features(bases, 5)):
        for i, basis in enumerate(bases):
            close(features.project(x, i), x @ basis @ basis.T, absolute=1e-14)
    turn = torch.linalg.qr(normal(seeded(3), 5, 5)).Q
    chart = pc.LinearMap(turn, [1.0, -2.0, 3.0, 5.0, 7.0])
    features = features_of([[0, 3], [1, 2, 4]], chart, 2, 5)
    rows = turn[[0, 3]]
    close(features.project(x, 0), x @ rows.T @ rows, absolute=1e-13)
    close(features.project(x, 0) + features.project(x, 1), x, absolute=1e-13)


def test_no_projection_along_blocks_that_lean():
    features = features_of([[0], [1]], pc.warps.shear(1.0), 2, 2)
    with pytest.raises(ValueError, match="transform must be orthogonal to project"):
        features.project(torch.zeros(2, dtype=torch.float64), 0)


def test_many_coordinates_need_no_square_matrix():
    """Of n = 200,000 a matrix (n, n) would take 320 GB."""
    dim = 200_000
    first, second = orthonormal(4, dim, 2, 3)
    features = found_features([first, second], dim)
    x = normal(seeded(5), 2, dim)
    close(features.project(x, 1), x @ second @ second.T, absolute=1e-12)
    assert (len(features.background), features.own[0]) == (dim - 5, [dim - 5, dim - 4])


SHAPE = (2, 3, 4)
PICTURE = np.arange(24).reshape(SHAPE)


def test_masks_and_boxes_are_blocks():
    corner = np.zeros((3, 4), bool)
    corner[0, :2] = True
    found = pc.blocks_of(SHAPE, [corner, (1, 2, 3, 4), one_row()])
    assert found[1] == [0, 1, 12, 13]
    assert found[2] == PICTURE[:, 1:3, 2:4].reshape(-1).tolist()
    assert found[3] == [20, 21]
    assert sorted(i for block in found for i in block) == list(range(24))
    assert pc.blocks_of((2, 3), [(0, 0, 2, 1)]) == [[1, 2, 4, 5], [0, 3]]
    assert pc.blocks_of([3], [torch.tensor([True, False, True])]) == [[1], [0, 2]]
    whole = np.ones((3, 4), bool)
    assert pc.blocks_of(SHAPE, [whole]) == [[], list(range(24))]


def one_row() -> torch.Tensor:
    mask = torch.zeros(SHAPE, dtype=torch.bool)
    mask[1, 2, :2] = True
    return mask


def test_features_take_masks_and_boxes():
    boxes = [(0, 0, 3, 1), (0, 3, 3, 4)]
    features = features_of(boxes, None, 2, 24, SHAPE)
    assert [features.background, *features.own] == pc.blocks_of(SHAPE, boxes)
    masks = [np.isin(PICTURE, PICTURE[:, :, 0]), np.isin(PICTURE, PICTURE[:, :, 3])]
    same = features_of(masks, None, 2, 24, SHAPE)
    assert (same.background, same.own) == (features.background, features.own)
    # Four indices in a list are indices, of pictures too.
    listed = features_of([[0, 1, 2, 3], list(range(4, 24))], None, 2, 24, SHAPE)
    assert listed.own[0] == [0, 1, 2, 3]
    # And of points that are no pictures tuples are indices.
    assert features_of([(0, 1, 2, 3), (4, 5)], None, 2, 6).own == [[0, 1, 2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("shape", "parts", "message"),
    [
        (SHAPE, [(0, 0, 2, 2), (1, 1, 3, 3)], "parts must not overlap, but parts[0] and parts[1]"),
        (SHAPE, [(0, 0, 4, 2)], "parts[0] must be a box (top, left, bottom, right) with 0 <= top"),
        (SHAPE, [(0, 0, 3, 5)], "0 <= left < right <= 4, got (0, 0, 3, 5)"),
        (SHAPE, [(-1, 0, 2, 2)], "0 <= top < bottom <= 3"),
        (SHAPE, [(1, 0, 1, 2)], "0 <= top < bottom <= 3"),
        (SHAPE, [np.ones((4, 3), bool)], "mask of shape (2, 3, 4) or (3, 4), got (4, 3)"),
        (SHAPE, [np.zeros((3, 4), bool)], "parts[0] must hold at least one coordinate"),
        (SHAPE, [np.ones((3, 4))], "parts[0] must be a boolean mask or a box"),
        (SHAPE, ["whole"], "parts[0] must be a boolean mask or a box"),
        (SHAPE, [(0.0, 0, 2, 2)], "parts[0] must be a boolean mask or a box"),
        (SHAPE, "whole", "parts must be a sequence of masks or boxes"),
        ((24,), [(0, 0, 2, 2)], "parts[0] must be a boolean mask of shape (24,)"),
        (5, [], "shape must be a sequence of sizes"),
        ((0, 2), [], "shape must be >= 1"),
    ],
)
def test_bad_masks_and_boxes(shape, parts, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        pc.blocks_of(shape, parts)


def test_features_say_how_many_masks_they_want():
    with pytest.raises(ValueError, match="blocks must be 2 masks or boxes, one for each concept"):
        features_of([(0, 0, 3, 1)], None, 2, 24, SHAPE)
    with pytest.raises(ValueError, match=r"blocks must not overlap, but blocks\[0\] and"):
        features_of([(0, 0, 3, 1), (0, 0, 1, 1)], None, 2, 24, SHAPE)
