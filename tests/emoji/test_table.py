"""A table of pictures: its prompts are the distributions that they say, its smaller tables too."""

from __future__ import annotations

import ast
from pathlib import Path

import projcomp as pc
import pytest
import torch
from projcomp.emoji import Table, sheet

from tests.helpers import close, normal, seeded, uniform

CONTENTS = ("cat", "dog", "dog face", "red apple", "zebra")
STYLES = ("flat", "black lines", "painted")
KINDS = ("animals", "animals", "faces", "food", "animals")


def table(**options) -> Table:
    generator = seeded(1)
    pictures = 2 * uniform(generator, 5, 3, 3, 4, 4) - 1
    options = {"alpha": uniform(generator, 5, 3, 4, 4), **options}
    return Table(pictures, CONTENTS, STYLES, KINDS, **options)


SMALL = table()
POINTS = SMALL.pictures.flatten(2)


def rows_of(whole, fits):
    return [
        (c, s)
        for c, content in enumerate(whole.contents)
        for s, style in enumerate(whole.styles)
        if fits(content, style, KINDS[CONTENTS.index(content)])
    ]


@pytest.mark.parametrize(
    ("prompt", "fits"),
    [
        ({}, lambda c, s, k: True),
        ({"style": "painted"}, lambda c, s, k: s == "painted"),
        ({"content": "dog"}, lambda c, s, k: c == "dog"),
        ({"content": "Dog-Face", "style": "flat"}, lambda c, s, k: (c, s) == ("dog face", "flat")),
        ({"category": "animals"}, lambda c, s, k: k == "animals"),
        ({"category": "food", "style": "flat"}, lambda c, s, k: k == "food" and s == "flat"),
        ({"content": ["zebra", "cat"], "style": STYLES[1:]}, lambda c, s, k: c in "cat zebra"
         and s != "flat"),
        ({"content": ("zebra", "red apple"), "category": "animals"}, lambda c, s, k: c == "zebra"),
        ({"content": ["cat", "cat"]}, lambda c, s, k: c == "cat"),
    ],
)  # fmt: skip
def test_a_prompt_is_the_empirical_distribution_of_what_fits(prompt, fits):
    wanted = rows_of(SMALL, fits)
    assert 0 < len(wanted) < 15 or not prompt
    points = torch.stack([POINTS[cell] for cell in wanted])
    density, truth = SMALL.density(**prompt), pc.Empirical(points)
    x = normal(seeded(2), 6, 48)
    sigma = torch.tensor([0.1, 0.4, 1.0, 3.0, 10.0, 80.0], dtype=torch.float64)
    close(density.log_prob(x, sigma), truth.log_prob(x, sigma), 1e-12)
    close(density.score(x, sigma), truth.score(x, sigma), 1e-12)
    close(density.denoise(x, sigma), truth.denoise(x, sigma), 1e-12)
    assert SMALL.rows(**prompt).tolist() == [3 * c + s for c, s in wanted]


def test_prompts_share_one_bank_and_take_pictures():
    prompts = [SMALL.density(), SMALL.density(content="dog"), SMALL.density(style="flat")]
    assert all(prompt.bank is SMALL.bank for prompt in prompts)
    composed = pc.compose(prompts[0], prompts[1:])
    apart = [pc.Empirical(POINTS.flatten(0, 1)[SMALL.rows(**named)]) for named in
             ({}, {"content": "dog"}, {"style": "flat"})]  # fmt: skip
    x, sigma = normal(seeded(2), 9, 48), torch.logspace(-1, 2, 9, dtype=torch.float64)
    close(composed.score(x, sigma), pc.compose(apart[0], apart[1:]).score(x, sigma), 1e-12)
    run = pc.reverse_diffusion(
        composed, 2, pc.sigma_grid(0.02, 80.0, 8), "euler", generator=seeded(3), progress=False
    )
    assert run.samples.shape == (2, 3, 4, 4)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (
            {"content": "dgo"},
            r"content must be one of the table's 5, got 'dgo'; did you mean 'dog'",
        ),
        ({"content": "appel"}, "got 'appel'; did you mean 'red apple'"),
        ({"content": "qqq"}, "got 'qqq'; nothing is like it"),
        ({"content": "flat"}, "it is a style: style='flat'"),
        ({"style": "Dog"}, "it is a content: content='dog'"),
        ({"style": "faces"}, "it is a category: category='faces'"),
        ({"style": "paintd"}, "did you mean 'painted'"),
        ({"category": "animal"}, "category must be one of the table's 3, got 'animal'; did you"),
        ({"content": []}, r"content must name at least one, got \[\]; None stands for any"),
        ({"content": 3}, "content must be a name or a sequence of names, got 3"),
        ({"content": ["dog", 3]}, "content must be a name or a sequence of names"),
        (
            {"content": "dog", "category": "food"},
            "content='dog', category='food': the table has no",
        ),
    ],
)
def test_names_that_are_not_there(prompt, said):
    for ask in (SMALL.density, SMALL.rows):
        with pytest.raises(ValueError, match=said):
            ask(**prompt)


def test_cells():
    for c, content in enumerate(CONTENTS):
        for s, style in enumerate(STYLES):
            assert torch.equal(SMALL.cell(content, style), SMALL.pictures[c, s])
    with pytest.raises(ValueError, match=r"style must be one name, got \['flat'\]"):
        SMALL.cell("dog", ["flat"])
    with pytest.raises(ValueError, match="did you mean 'dog'"):
        SMALL.cell("dgo", "flat")


def test_the_nearest_picture():
    noise = 0.05 * normal(seeded(4), 5, 3, 3, 4, 4)
    content, style = SMALL.nearest(SMALL.pictures + noise)
    assert torch.equal(content, torch.arange(5)[:, None].expand(5, 3))
    assert torch.equal(style, torch.arange(3).expand(5, 3))
    x = normal(seeded(5), 7, 2, 48)
    content, style = SMALL.nearest(x)
    distance = torch.cdist(x.flatten(0, 1), POINTS.flatten(0, 1))
    assert torch.equal((3 * content + style).flatten(), distance.argmin(1))
    held = SMALL.without([("dog", "flat")])
    assert held.nearest(SMALL.cell("dog", "flat")) != (1, 0)
    distance[:, 3] = torch.inf
    content, style = held.nearest(x)
    assert torch.equal((3 * content + style).flatten(), distance.argmin(1))
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., 48\)"):
        SMALL.nearest(normal(seeded(6), 4))
    assert SMALL.nearest(x[:0])[0].shape == (0, 2)


def test_the_nearest_of_many_is_found_in_turns(monkeypatch):
    x = normal(seeded(7), 50, 48)
    whole = SMALL.nearest(x)
    monkeypatch.setattr("projcomp.emoji.table._TOGETHER", 50)
    assert all(torch.equal(one, other) for one, other in zip(whole, SMALL.nearest(x), strict=True))


def test_missing_cells():
    held = SMALL.without([("dog", "flat"), ("dog", "painted"), ("dog", "flat")])
    assert "2 cells missing" in repr(held) and "missing" not in repr(SMALL)
    assert held.bank is SMALL.bank
    assert len(held.density().rows) == 13 and len(SMALL.rows()) == 15
    assert held.rows("dog").tolist() == [4]
    assert held.rows(style="flat").tolist() == [0, 6, 9, 12]
    for ask in (held.density, held.cell):
        with pytest.raises(ValueError, match="content='dog', style='flat': the table has no such"):
            ask("dog", "flat")
    assert torch.equal(held.pictures, SMALL.pictures)
    assert held.choose(["dog", "cat"]).rows("dog").tolist() == [1]
    again = held.without([("cat", "flat")])
    assert len(again.rows()) == 12 and len(held.rows()) == 13


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["dog"], r"pairs must be pairs \(content, style\), got 'dog'"),
        (("dog", "flat"), r"pairs must be pairs \(content, style\), got 'dog'"),
        ([("dog", "flat", "painted")], "pairs must be pairs"),
        ([("dgo", "flat")], "did you mean 'dog'"),
        ([("dog", "flatt")], "did you mean 'flat'"),
        ([(c, s) for c in CONTENTS for s in STYLES], "at least one cell, got none"),
    ],
)
def test_pairs_that_are_none(pairs, said):
    with pytest.raises(ValueError, match=said):
        SMALL.without(pairs)


def test_smaller_tables():
    chosen = SMALL.choose(["zebra", "dog"], styles=2)
    assert (chosen.contents, chosen.styles) == (("zebra", "dog"), STYLES[:2])
    assert chosen.categories == ("animals", "animals")
    assert torch.equal(chosen.pictures, SMALL.pictures[[4, 1], :2])
    assert torch.equal(chosen.alpha, SMALL.alpha[[4, 1], :2])
    assert SMALL.choose(3).contents == CONTENTS[:3]
    assert SMALL.choose(styles="painted").styles == ("painted",)
    assert SMALL.choose().contents == CONTENTS
    one, same = (SMALL.choose(3, generator=seeded(8)).contents for _ in range(2))
    assert one == same and len(set(one)) == 3
    several = {SMALL.choose(3, generator=seeded(seed)).contents for seed in range(20)}
    assert len(several) > 10 and set().union(*several) == set(CONTENTS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"contents": 6}, "contents must be at most 5, got 6"),
        ({"contents": 0}, "contents must be >= 1, got 0"),
        ({"styles": ["flat", "flat"]}, "styles must differ"),
        ({"styles": "falt"}, "did you mean 'flat'"),
        ({"styles": 1.5}, "styles must be an integer"),
        ({"contents": 2, "generator": 3}, "generator must be a torch.Generator"),
    ],
)
def test_tables_that_cannot_be_chosen(options, said):
    with pytest.raises(ValueError, match=said):
        SMALL.choose(**options)


def test_another_background():
    colours = 2 * uniform(seeded(9), 5, 3, 3, 4, 4) - 1
    through = 1 - SMALL.alpha[:, :, None]

    def over(colour):
        under = 2 * torch.tensor(colour, dtype=torch.float64)[:, None, None] - 1
        return SMALL.alpha[:, :, None] * colours + through * under

    green, grey = (0.1, 0.9, 0.2), (0.5, 0.5, 0.5)
    first = Table(over(green), CONTENTS, STYLES, KINDS, alpha=SMALL.alpha, background=green)
    close(first.on(grey).pictures, over(grey), 1e-14)
    assert first.on(grey).background == grey
    close(first.on(grey).on(green).pictures, first.pictures, 1e-14)
    for bad in ((1, 1), (1, 1, 1.1), 0.5, (0, 0, float("nan"))):
        with pytest.raises(ValueError, match="background must be"):
            first.on(bad)
    with pytest.raises(ValueError, match="does not know where its pictures are opaque"):
        table(alpha=None).on(grey)


def test_pictures_that_cannot_be_told_apart():
    pictures = SMALL.pictures.clone()
    assert SMALL.alike() == []
    pictures[1, 0], pictures[4, 2] = pictures[0, 1], pictures[3, 0]
    pictures[4, 2, 0, 1, 1] += 2 * 2.5 / 255
    twins = Table(pictures, CONTENTS, STYLES, KINDS)
    first, second = ("cat", "black lines"), ("dog", "flat")
    assert twins.alike() == [(first, second)]
    assert twins.alike(3) == [(first, second), (("red apple", "flat"), ("zebra", "painted"))]
    assert twins.distinct().contents == CONTENTS[2:]
    assert twins.distinct(3).contents == ("dog face",)
    assert twins.without([second]).alike() == []
    assert torch.equal(twins.distinct().pictures, pictures[2:])
    with pytest.raises(ValueError, match="levels must leave a content, got 600"):
        twins.distinct(600)


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((POINTS[:4], CONTENTS, STYLES), {}, r"pictures must have shape \(5, 3\) and that of"),
        ((POINTS, CONTENTS[:4], STYLES), {}, r"pictures must have shape \(4, 3\)"),
        ((POINTS / 0, CONTENTS, STYLES), {}, "pictures must be finite"),
        ((POINTS, ["dog"] * 5, STYLES), {}, "contents must be one or more names that differ"),
        ((POINTS, CONTENTS, []), {}, "styles must be one or more names that differ, got 0"),
        ((POINTS, CONTENTS, STYLES, KINDS[:3]), {}, "categories must be 5, one a content, got 3"),
        ((POINTS, CONTENTS, STYLES), {"alpha": SMALL.alpha}, "alpha must have shape"),
        ((SMALL.pictures, CONTENTS, STYLES), {"alpha": SMALL.alpha[:2]}, "alpha must have shape"),
        ((POINTS, CONTENTS, STYLES), {"there": torch.ones(5, 3)}, "there must be booleans"),
        ((POINTS, CONTENTS, STYLES), {"there": torch.ones(5, 2).bool()}, "there must be booleans"),
        ((POINTS, CONTENTS, STYLES), {"there": torch.zeros(5, 3).bool()}, "at least one cell"),
    ],
)
def test_tables_that_are_none(arguments, options, said):
    with pytest.raises(ValueError, match=said):
        Table(*arguments, **options)


def test_a_table_of_anything_else():
    """Points on a line, without categories."""
    codes = Table([[[1.0], [2.0]], [[3.0], [4.0]]], ["a", "b"], ["c", "d"])
    x = torch.zeros(1, dtype=torch.float64)
    close(codes.density(content="b").denoise(x, 1e4), x + 3.5, 1e-6)
    content, style = codes.nearest(torch.tensor([[2.4], [2.6], [-9.0]], dtype=torch.float64))
    assert content.tolist() == [0, 1, 0] and style.tolist() == [1, 0, 0]
    with pytest.raises(ValueError, match="category must be None: the table has none, got 'e'"):
        codes.density(category="e")


def test_a_sheet():
    whole = sheet(SMALL.pictures)
    assert whole.shape == (20, 12, 3) and whole.dtype == torch.float64
    close(whole[8:12, 4:8], (SMALL.pictures[2, 1].permute(1, 2, 0) + 1) / 2)
    close(sheet(SMALL.pictures.flatten(0, 1), 3), whole)
    padded = sheet(SMALL.pictures[:4, 0], 3)
    assert padded.shape == (8, 12, 3)
    assert bool((padded[4:, 4:] == 1).all()) and bool((padded[4:, :4] < 1).any())
    assert sheet(9 * SMALL.pictures[0]).aminmax() == (0.0, 1.0)
    with pytest.raises(ValueError, match="pictures must have shape"):
        sheet(POINTS)
    with pytest.raises(ValueError, match="columns must be None"):
        sheet(SMALL.pictures, 3)


def test_emoji_know_densities_and_only_figures_know_emoji():
    library = Path(pc.__file__).parent

    def imported(path):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        names = [f"{node.module}.{name.name}" for node in froms for name in node.names]
        return {name.split(".")[1] for name in names if name.startswith("projcomp.")}

    own = set().union(*(imported(path) for path in (library / "emoji").glob("*.py")))
    assert own == {"emoji", "densities", "networks", "_check", "_counted", "_modes"}
    others = [path for path in library.rglob("*.py") if path.parts[-2] not in ("emoji", "widgets")]
    assert [path.name for path in others if "emoji" in imported(path)] == []
