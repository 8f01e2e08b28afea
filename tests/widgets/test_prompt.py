"""The Prompt's Python side: its densities and samples, what it hands over, what it refuses."""

from __future__ import annotations

import base64

import numpy as np
import projcomp as pc
import pytest
import torch
from projcomp.emoji import Table
from projcomp.widgets import prompt_scene
from projcomp.widgets.prompt import WAYS
from projcomp.widgets.prompt_scene import Beliefs
from traitlets import TraitError

from tests.widgets.kinds import html_of, prompt, state_of
from tests.widgets.tables import STYLES, THINGS, table

PICTURES = table().pictures
LEVELS = pc.sigma_grid(0.1, 20.0, 24)[:-1]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(figure: pc.Prompt) -> torch.Tensor:
    return figure.table.bank.points


def points(figure: pc.Prompt, sigma: float) -> torch.Tensor:
    near = rows(figure)[[3, 18, 30]]
    return near + sigma * torch.randn(near.shape, generator=seeded(0), dtype=torch.float64)


def test_the_page_gets_every_picture_as_bytes():
    figure = prompt()
    found = state_of(html_of(figure))
    kept = np.frombuffer(base64.b64decode(found["bank"]["pictures"]), "u1") / 127.5 - 1
    assert np.array_equal(kept.reshape(12, 3, 3, 8, 8), figure.table.pictures.numpy())
    assert 0 < (figure.table.pictures - PICTURES).abs().max() <= 0.5 / 127.5 + 1e-12
    assert found["bank"]["contents"] == list(THINGS)
    assert found["bank"]["styles"] == list(STYLES)
    assert "dog, flat" in figure.summary


def test_the_first_names_are_asked_for_unless_others_are():
    figure = pc.Prompt(table())
    assert (figure.content, figure.style) == ("ball", "painted")
    assert (prompt(content="Dog").content, prompt(style="black-lines").style) == (
        "dog", "black lines",
    )  # fmt: skip


def test_the_composition_has_the_weights_of_its_way():
    figure = prompt(guidance=2.5)
    x = points(figure, 0.4)
    parts = [rows(figure), rows(figure)[18:21], rows(figure)[1::3]]
    own = [pc.Empirical(part) for part in parts]
    for way in WAYS:
        weight = 2.5 if way == "guided" else 1.0
        expected = pc.compose(own[0], own[1:], [weight, weight])
        gap = figure.composed(way).score(x, 0.4) - expected.score(x, 0.4)
        assert gap.abs().max() < 1e-9
    weights = {way: figure.composed(way).weights.tolist() for way in WAYS}
    assert weights.pop("guided") == [2.5, 2.5]
    assert all(pair == [1.0, 1.0] for pair in weights.values())


def test_the_ode_is_the_librarys():
    figure = prompt()
    start = LEVELS[0] * prompt_scene.noise(0, 1, 24, 192)[0]
    how = {"start": start, "keep_path": True, "progress": False}
    path = pc.reverse_diffusion(figure.composed("ode"), 1, LEVELS, "euler", **how).path
    assert torch.equal(figure.sample("ode").path, path[:, 0].flatten(1))


def test_particles_are_those_of_smc(monkeypatch):
    """With the noise of a generator, and no resampling, which would draw from it too."""
    figure = prompt()
    density = figure.composed("weighted")
    how = {"threshold": 0.0, "moves": 0, "keep_path": True, "progress": False}
    expected = pc.smc(density, 6, LEVELS, generator=seeded(3), **how)
    generator = seeded(3)
    draws = [torch.randn(6, 192, generator=generator, dtype=torch.float64) for _ in LEVELS]
    monkeypatch.setattr(prompt_scene, "noise", lambda *_: torch.stack(draws))
    found = prompt_scene.flight(density, figure.levels, 0, 6, False)
    assert torch.equal(found.states, expected.path.flatten(2))
    logs = torch.log_softmax(found.log_weights[-1], 0)
    assert (logs - expected.log_weights).abs().max() < 1e-12
    assert (found.effective - expected.effective).abs().max() < 1e-9


def test_particles_are_resampled_where_few_are_effective():
    figure = prompt(content="ball", style="black lines", seed=11)
    flight = figure.flight("weighted")
    order = torch.arange(8)
    again = [not torch.equal(parents, order) for parents in flight.parents]
    assert any(again)
    for i in range(23):
        few = float(flight.effective[i]) < 4
        assert few or not again[i]
        if few:  # all weigh the same again
            assert float(flight.effective[i + 1]) > float(flight.effective[i])


def test_the_shown_particle_is_the_heaviest_with_its_ancestors():
    flight = prompt(content="ball", style="black lines", seed=11).flight("weighted")
    line = flight.line()
    assert int(line[-1]) == int(flight.log_weights[-1].argmax())
    assert all(int(flight.parents[i][line[i + 1]]) == int(line[i]) for i in range(23))
    assert torch.equal(flight.path()[5], flight.states[5, line[5]])


def test_all_ways_have_one_noise():
    figure = prompt(seed=2, guidance=1.0)
    paths = {way: figure.flight(way).states[:, 0] for way in WAYS}
    assert torch.equal(paths["sde"], paths["guided"])
    resampled = figure.flight("weighted").parents != torch.arange(8)
    before = int(resampled.any(1).nonzero()[0]) if bool(resampled.any()) else 23
    assert (paths["sde"] - paths["weighted"])[: before + 1].abs().max() < 1e-9
    assert torch.equal(paths["ode"][0], paths["sde"][0])
    assert not torch.equal(paths["ode"][0], prompt(seed=3).flight("ode").states[0, 0])


def test_streams_of_noise_are_apart():
    draws = prompt_scene.noise(4, 3, 5, 100).flatten(1).T
    correlations = torch.corrcoef(torch.cat([draws.T, prompt_scene.noise(5, 3, 5, 100).flatten(1)]))
    off = correlations - torch.eye(len(correlations), dtype=torch.float64)
    assert off.abs().max() < 5 / draws.shape[0] ** 0.5


@pytest.mark.parametrize("sigma", [0.3, 3.0])
def test_beliefs_are_posteriors(sigma: float):
    figure = prompt()
    x = points(figure, sigma)[1]
    logs = -torch.cdist(x[None], rows(figure))[0].square() / (2 * sigma**2)
    found = Beliefs(figure.table, figure.wanted).at(x, sigma)
    subsets = {
        "all": range(36), "content": range(18, 21), "style": range(1, 36, 3),
    }  # fmt: skip
    for name, places in subsets.items():
        shares = torch.softmax(logs[list(places)], 0)
        style = sum(p for place, p in zip(places, shares, strict=True) if place % 3 == 1)
        content = sum(p for place, p in zip(places, shares, strict=True) if place // 3 == 6)
        entropy = -(shares * shares.log()).sum() / np.log(len(shares))
        expected = [float(style), float(content), float(entropy)]
        belief = found[name]
        assert [belief.style, belief.content, belief.entropy] == pytest.approx(expected, abs=1e-9)
        best = int(shares.argmax())
        assert belief.top[0] == (list(places)[best], pytest.approx(float(shares[best]), abs=1e-9))


def test_a_sample_ends_on_the_wanted_picture_or_halfway_between_two():
    """One has the content, the other the style: there the posterior mean of all is torn."""
    fine = pc.sigma_grid(0.02, 20.0, 90)[:-1]
    rights = 0
    for seed, content in enumerate(THINGS):
        figure = prompt(content=content, style="flat", seed=seed, levels=fine)
        sample = figure.sample("ode")
        one, other = rows(figure)[sample.outcome.pictures]
        apart = float((one - other).norm())
        off = float((sample.path[-1] - (one + other) / 2).norm())
        noise = 0.02 * one.numel() ** 0.5
        rights += sample.outcome.right
        assert sample.outcome.right == (apart == 0)
        assert sample.outcome.pictures[0] // 3 == figure.wanted // 3
        assert sample.outcome.pictures[1] % 3 == figure.wanted % 3
        assert off < 4 * noise + 0.06 * apart
    assert 0 < rights < len(THINGS)


def test_a_decision_is_the_last_change_of_mind():
    figure = prompt(content="ball", style="black lines", seed=11)
    sample = figure.sample("sde")
    place = figure.levels.index(sample.outcome.decided)
    tops = [[b[name].top[0] for name in ("content", "style")] for b in sample.beliefs]
    for pair in tops[place:]:
        assert [found for found, _ in pair] == sample.outcome.pictures
        assert min(share for _, share in pair) >= 0.5
    before = tops[place - 1]
    assert [f for f, _ in before] != sample.outcome.pictures or min(s for _, s in before) < 0.5


def test_samples_follow_the_traits():
    figure = prompt()
    figure.content, figure.style = "key", "black lines"
    assert figure.wanted == 32
    assert figure.sample("weighted").outcome.pictures[0] // 3 == 10
    with pytest.raises(TraitError, match="one of the table's 12, got 'dgo'; did you mean 'dog'"):
        figure.content = "dgo"
    with pytest.raises(TraitError, match="one of the table's 3, got 'flta'; did you mean 'flat'"):
        figure.style = "flta"
    with pytest.raises(TraitError):
        figure.view = "dream"


def made(pictures) -> pc.Prompt:
    """Of pictures (contents, styles, ...), with any names."""
    names = [[str(i) for i in range(count)] for count in pictures.shape[:2]]
    return pc.Prompt(Table(pictures, *names))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pc.Prompt(PICTURES), r"table must be a Table \(see pc.emoji\), got tensor"),
        (lambda: pc.Prompt(None), "table must be a Table .* got None"),
        (lambda: made(PICTURES[:, :, :2]), r"table must have pictures \(3, s, s\).*\(2, 8, 8\)"),
        (lambda: made(PICTURES[..., :7]), r"got \(3, 8, 7\)"),
        (lambda: made(PICTURES + 1), r"table must have pictures in \[-1, 1\]"),
        (lambda: made(PICTURES[:1]), "2 or more contents and styles.* got 1 x 3: choose others"),
        (lambda: made(torch.zeros(700, 3, 3, 1, 1)), "at most 2,000 pictures, got 700 x 3"),
        (
            lambda: pc.Prompt(table().without([("dog", "flat")])),
            "table must have every content in every style, 1 are missing",
        ),
        (lambda: prompt(content="dgo"), "got 'dgo'; did you mean 'dog'"),
        (lambda: prompt(content="flat"), "it is a style: style='flat'"),
        (lambda: prompt(content=["dog", "cup"]), "content must be one name, got"),
        (lambda: prompt(style="black line"), "did you mean 'black lines'"),
        (lambda: prompt(guidance=0.5), r"guidance must lie in \[1, 8\], got 0.5"),
        (lambda: prompt(guidance="much"), "guidance must be numeric"),
        (lambda: prompt(particles=1), r"particles must lie in \[2, 16\], got 1"),
        (lambda: prompt(particles=2.5), "particles must be an integer"),
        (lambda: prompt(levels=[1.0, 0.0]), "levels must be > 0, got 0"),
        (lambda: prompt(levels=[1.0, 2.0]), "levels must be 2 to 100 strictly decreasing"),
        (lambda: prompt(level=24), "level must be below 24, got 24"),
        (lambda: prompt(seed=-1), "seed must be >= 0"),
        (lambda: prompt(view="dream"), "view must be one of noisy, denoised"),
        (lambda: prompt().sample("magic"), "way must be one of ode, sde, guided, weighted"),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(ValueError, match=words):
        make()
