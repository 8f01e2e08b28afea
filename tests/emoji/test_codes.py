"""Shares of the variance, and tables at right angles that have them."""

from __future__ import annotations

import re

import projcomp as pc
import pytest
import torch
from projcomp.emoji import Shares, Table, orthogonal, shares

from tests.helpers import close, normal, seeded

F64 = torch.float64


def named(pictures):
    count = [range(n) for n in pictures.shape[:2]]
    return Table(pictures, [f"c{i}" for i in count[0]], [f"s{i}" for i in count[1]])


def test_shares_are_those_of_the_parts():
    """Of sums of centred parts, in coordinates of their own, they are known."""
    content, style = normal(seeded(0), 6, 3), normal(seeded(1), 4, 2)
    content, style = content - content.mean(0), style - style.mean(0)
    whole = torch.cat([content[:, None].expand(6, 4, 3), style[None].expand(6, 4, 2)], 2)
    own = [float(part.square().sum(1).mean()) for part in (content, style)]
    found = shares(named(whole + 5.0))
    close(torch.tensor(found), torch.tensor([own[0], own[1], 0.0]) / sum(own), 1e-12)


def test_they_sum_to_one_and_no_scale_or_offset_changes_them():
    pictures = normal(seeded(2), 5, 3, 7)
    found = shares(named(pictures))
    assert sum(found) == pytest.approx(1.0)
    assert min(found) > 0.0
    close(torch.tensor(shares(named(3.0 * pictures - 2.0))), torch.tensor(found), 1e-12)


def test_angles_depend_on_what_two_cells_share():
    given = Shares(0.5, 0.2, 0.3)
    table = orthogonal(4, 3, given, radius=2.0)
    points = table.pictures.flatten(0, 1)
    products = (points @ points.T / 4.0).reshape(4, 3, 4, 3)
    for c in range(4):
        for s in range(3):
            for d in range(4):
                for t in range(3):
                    wanted = 0.5 * (c == d) + 0.2 * (s == t) + 0.3 * (c == d and s == t)
                    assert float(products[c, s, d, t]) == pytest.approx(wanted, abs=1e-12)


def test_its_shares_are_the_given_ones_in_a_large_table():
    found = shares(orthogonal(60, 50, Shares(0.5, 0.2, 0.3)))
    close(torch.tensor(found), torch.tensor([0.5, 0.2, 0.3]), 0.03)


def test_only_cells_of_their_own_make_an_interaction():
    """Without, content and style lie in coordinates of their own: factorized conditionals."""
    x = normal(seeded(3), 20, 4 + 3 + 12)
    for given, exact in ((Shares(0.6, 0.4, 0.0), True), (Shares(0.4, 0.4, 0.2), False)):
        table = orthogonal(4, 3, given)
        prompts = [table.density(content="content 1"), table.density(style="style 2")]
        found = pc.bayes(table.density(), prompts).interaction(x, 0.5).abs().max()
        assert (float(found) < 1e-12) == exact


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((0, 3, (0.5, 0.2, 0.3)), "contents"),
        ((4, 1.5, (0.5, 0.2, 0.3)), "styles"),
        ((4, 3, (0.5, 0.5)), "shares must be three numbers"),
        ((4, 3, (0.5, 0.2, 0.2)), "shares"),
        ((4, 3, (0.5, 0.7, -0.2)), "shares"),
        ((4, 3, (0.5, 0.2, 0.3), 0.0), "radius must be positive"),
    ],
)
def test_what_is_no_such_table(given, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        orthogonal(*given)


def test_tables_that_have_no_shares():
    table = named(normal(seeded(4), 3, 2, 5))
    with pytest.raises(ValueError, match="table must be complete"):
        shares(table.without([("c1", "s0")]))
    with pytest.raises(ValueError, match="pictures that differ"):
        shares(named(torch.ones(3, 2, 5, dtype=F64)))
