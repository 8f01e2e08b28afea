"""What is counted of prompts in words: what is asked, how it is drawn, seen and foretold."""

from __future__ import annotations

import collections
import sys
from pathlib import Path

import projcomp as pc
import pytest
import torch
from projcomp import words
from projcomp.composition import interaction_of
from projcomp.diagnostics import exchange
from projcomp.networks import Vocabulary
from projcomp.networks.words import Words, blank_words
from projcomp.words import counted
from projcomp.words.world import PIXELS

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import count_words as tool  # noqa: E402
import counting  # noqa: E402
import words_drawing as drawing  # noqa: E402
import words_forecasts as foretelling  # noqa: E402
import words_prompts as prompts  # noqa: E402
import words_tallies as tallies  # noqa: E402

VOCABULARY = Vocabulary(words.words())


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_random_prompts_say_something_each_its_own():
    said = prompts.said()
    assert len(set(said)) == len(said) == prompts.PROMPTS
    named = [len(words.meaning(prompt)) for prompt in said]
    assert min(named) >= 1 and 2.5 < sum(named) / len(named) < 4.5
    bare = sum("object" in words.meaning(prompt) for prompt in said)
    assert 0 < bare < 0.1 * len(said)


@pytest.mark.parametrize("kind", prompts.KINDS)
def test_cases_are_compositions_of_what_the_network_reads(kind):
    form = prompts.KINDS[kind]
    over = {name: prompts.cases(kind, name) for name in prompts.OVER}
    for plain, empty, told in zip(*over.values(), strict=True):
        assert plain._replace(over="empty") == empty and plain.over == ""
        assert told.weights == plain.weights == [1.0] * len(plain.prompts) + [-1.0] * form.taken
        base = words.meaning(told.over)
        assert set(base) - {"object"} == set(form.shared)
        for one, other in zip(
            (*plain.prompts, *plain.without), (*told.prompts, *told.without), strict=True
        ):
            shared = {name: values for name, values in base.items() if name != "object"}
            assert words.meaning(other) == words.meaning(one) | shared
        for text in (*told.prompts, *told.without, told.over, plain.once or ""):
            VOCABULARY.encode(text)
    many = len({str(case) for case in over[""]})
    assert many == 1 if form.draw is None else many > 4


def test_what_a_case_says_at_once():
    once = {kind: prompts.cases(kind, "")[0].once for kind in prompts.KINDS}
    assert once["shape and colour"] == "a red ball" and once["held out"] == "a purple cylinder"
    assert once["two colours"] == "a red thing a blue thing"
    assert once["not"] is None and once["four corners"] is None


def test_only_one_kind_asks_for_what_is_held_out():
    for kind in prompts.KINDS:
        for case in prompts.cases(kind, "told"):
            facts = {}
            for prompt in case.prompts:
                facts |= words.meaning(prompt)
            held = facts.get("colour") == ["purple"] and facts.get("shape") == ["cylinder"]
            assert not held or kind == "held out" or case.objects > 1


def test_prompts_that_are_paired():
    texts, facts = zip(*prompts.paired(), strict=True)
    sizes = collections.Counter(map(len, facts))
    assert sizes == {1: sum(map(len, words.ATTRIBUTES.values()))} | prompts.DRAWN
    assert len(set(texts)) == len(texts) == 60 and len(prompts.pairs()) == 60 * 59 // 2
    named = collections.Counter(name for one in facts if len(one) > 1 for name in one)
    assert set(named) == set(words.ATTRIBUTES) and max(named.values()) - min(named.values()) <= 4
    for text, one in zip(texts, facts, strict=True):
        assert words.meaning(text) == {name: [value] for name, value in one.items()}


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ({"colour": "red"}, {"shape": "ball"}, "attributes"),
        ({"colour": "red"}, {"colour": "red", "shape": "ball"}, "attributes"),
        ({"colour": "red"}, {"colour": "blue"}, "contradiction"),
        ({"colour": "red", "across": "left"}, {"colour": "blue", "across": "right"}, "two places"),
        ({"depth": "back"}, {"across": "left", "depth": "front"}, "two places"),
        ({"depth": "back", "style": "fog"}, {"depth": "front", "style": "day"}, "contradiction"),
        (
            {"across": "left", "floor": "mint"},
            {"across": "right", "floor": "sand"},
            "contradiction",
        ),
        ({"shape": "ball"}, {"style": "night"}, "content and scene"),
        ({"floor": "sand"}, {"style": "night"}, "floor and style"),
        ({"floor": "sand"}, {"style": "blueprint"}, "never seen"),
        ({"colour": "red"}, {"style": "blueprint", "across": "left"}, "never seen"),
        ({"colour": "purple"}, {"shape": "cylinder"}, "never seen"),
    ],
)
def test_kinds_of_pairs(one, other, kind):
    assert prompts.kind_of(one, other) == prompts.kind_of(other, one) == kind
    assert kind in prompts.KINDS_OF_PAIRS


def test_every_pair_is_of_one_kind():
    every = [index for kind in prompts.KINDS_OF_PAIRS for index in tool.of_kind(kind)]
    assert sorted(every) == list(range(len(prompts.pairs())))


class Stub:
    """A judge that is told what it sees: the opacities, and the prompts that each picture fits."""

    def __init__(self, opacity, fitting, style):
        self.opacity, self.fitting = torch.tensor(opacity), fitting
        self.facts = {"style": torch.tensor(style)}

    @property
    def solid(self):
        return self.opacity >= 0.7

    @property
    def count(self):
        return self.solid.sum(1)

    def fits(self, prompt):
        return torch.tensor([prompt in fits for fits in self.fitting])

    def all(self, wanted, without=()):
        good = [set(wanted) <= fits and not fits & set(without) for fits in self.fitting]
        return torch.tensor(good)


@pytest.fixture
def judged(monkeypatch):
    def told(*arguments):
        monkeypatch.setattr(words, "judge", lambda pictures: Stub(*arguments), raising=False)
        return torch.zeros(len(arguments[1]), 3, 32, 32)

    return told


def test_tallies_of_one_prompt(judged):
    prompt = "a scarlet ball on the left"
    each = [{prompt, "a red thing", "a ball"}, {"a red thing"}, set(), {prompt}]
    pictures = judged([[1.0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]], each, [0] * 4)
    found = dict(zip(tallies.SINGLE, tallies.single(prompt, pictures), strict=True))
    named = {"right": 0.5, "alone": 0.5, "shape": 0.25, "colour": 0.5, "across": 0.0}
    assert {name: value for name, value in found.items() if value is not None} == named
    empty = dict(zip(tallies.SINGLE, tallies.single("empty", pictures), strict=True))
    assert empty["bare"] == 0.25 and empty["shape"] is None


def test_tallies_of_a_composition(judged):
    styles = [list(words.STYLES).index(name) for name in ("blueprint", "blueprint", "day", "fog")]
    case = prompts.Case(("a ball",), ("a red thing",))
    each = [{"a ball"}, {"a ball", "a red thing"}, set(), {"a ball"}]
    pictures = judged([[1.0, 0, 0, 0], [1, 0, 0, 0], [0.4, 0, 0, 0.1], [1, 1, 0, 0.5]], each,
                      styles)  # fmt: skip
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    found = dict(zip(tallies.COMPOSED, tallies.composed(case, pictures, weights), strict=True))
    expected = {"right": 0.5, "alone": 0.4, "fits 1": 0.8, "fits 2": 0.3, "fits 3": None,
                "fits 4": None, "objects": 0.9, "ghosts": 0.3, "hidden": 0.4}  # fmt: skip
    assert found == pytest.approx(expected)
    pair = tallies.paired(("a ball", "a red thing"), pictures)
    assert pair == pytest.approx([0.25, 0.75, 0.25, 1.0, 0.25])
    assert tallies.paired(("a ball", "a ball"), pictures)[-1] == 0.0


@pytest.fixture
def network(monkeypatch):
    model = blank_words(VOCABULARY)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=seeded(1))
    made = Words(model.eval().requires_grad_(False), VOCABULARY)
    monkeypatch.setattr(drawing, "network", lambda: made)
    return made


def test_a_case_is_drawn_as_its_composition(network):
    case = prompts.Case(("a ball",), ("a red thing",), over="empty")
    density = drawing.density_of(case, 2.0)
    assert density.weights.tolist() == [2.0, -2.0] and density.background.label == "empty"
    for method, n in (("ode", 2), ("sde", 2), ("smc", 3)):
        way = drawing.Way(method, n=n, steps=3)
        pictures, weights = drawing.draw(density, way, seeded(0))
        assert pictures.shape == (n, 3, 32, 32) and pictures.dtype == torch.float32
        assert len(weights) == n and float(weights.sum()) == pytest.approx(1.0)
        again, _ = drawing.draw(density, way, seeded(0))
        assert torch.equal(pictures, again)


def test_guidance_is_over_anything(network):
    x = torch.rand(2, 3072, generator=seeded(2)).double()
    plain, guided = drawing.prompt_of("a ball"), drawing.prompt_of("a ball", 2.0)
    base = network.density("").score(x, 1.0)
    expected = base + 2.0 * (plain.score(x, 1.0) - base)
    torch.testing.assert_close(guided.score(x, 1.0), expected, atol=1e-5, rtol=1e-4)


def test_examples_are_pictures_of_the_world_that_a_prompt_is_true_of():
    """As the world has it: purple cylinders are none, and matter is seen in three styles."""

    def shares(prompt, name):
        shown = foretelling.depicted(prompt, 150)
        assert len(shown) == 150 and words.true_of(prompt, shown.facts).all()
        column = shown.facts[:, list(words.ATTRIBUTES).index(name)]
        return torch.bincount(column + 1, minlength=len(words.ATTRIBUTES[name]) + 1)[1:] / 150

    purple = 2 / 3 / 6
    for prompt, name, expected in (
        ("a matte thing", "style", [1 / 3] * 3 + [0] * 3),
        ("a cylinder as pixel art", "colour", [1 / 5] * 5 + [0]),
        ("a purple thing", "shape", [1 / 2, 1 / 2, 0]),
        ("in fog", "colour", [(1 - purple) / 5] * 5 + [purple]),
        ("at night", "shape", [1 / 3] * 3),
    ):
        found, expected = shares(prompt, name), torch.tensor(expected)
        errors = (expected * (1 - expected) / 150).sqrt()
        assert ((found - expected).abs() <= 4 * errors).all(), (prompt, name)
    bare = foretelling.depicted("empty", 100)
    assert (bare.facts[:, 0] == words.UNSEEN).all()
    anything = foretelling.depicted("", 300).facts[:, 0] == words.UNSEEN
    assert 0.03 < float(anything.double().mean()) < 0.15
    points = foretelling.examples("empty", 20)
    assert points.shape == (20, 3072) and points.dtype == torch.float64
    assert torch.equal(points, foretelling.examples("empty", 20))


@pytest.fixture(scope="module")
def gaussians():
    """Two concepts that overlap and one at a right angle, their scores spoilt, and samples."""
    places = [[0.0] * 5, [1.0, 0, 0, 0, 0], [1.0, 1, 0, 0, 0], [0.0, 0, 2, 0, 0]]
    exact = [pc.gaussian(p, v) for p, v in zip(places, (1.0, 1.0, 0.5, 1.0), strict=True)]
    spoilt = [pc.Scored(5, lambda x, s, p=p: 1.2 * p.score(x, s) + 0.1) for p in exact]
    samples = [p.sample(60, generator=seeded(i)) for i, p in enumerate(exact)]
    return exact, spoilt, samples


LEVELS = pc.sigma_grid(0.1, 5.0, 6)[:-1]


def test_gram_matrices_tell_what_the_diagnosis_measures(gaussians):
    """At the same points and noise: the cosine, the spread, and the yardstick of `pc.diagnose`."""
    _, parts, samples = gaussians
    met = foretelling.meet(parts, samples, LEVELS, seeded(5))
    trio, generator = (0, 2, 3), seeded(5)
    noises = [[torch.randn(x.shape, generator=generator, dtype=x.dtype) for _ in LEVELS]
              for x in samples]  # fmt: skip
    composed = pc.compose(parts[0], [parts[2], parts[3]])
    weights = foretelling.half_log_variance(LEVELS)
    moments, spreads, dots, squares = 0.0, [], 0.0, 0.0
    for level, (sigma, weight) in enumerate(zip(LEVELS.tolist(), weights.tolist(), strict=True)):
        own = [(noises[d][level], samples[d] + sigma * noises[d][level]) for d in trio]
        scores = [composed.scores(x, sigma) for _, x in own]
        moments = moments + weight * exchange._moments(composed, own, scores, sigma)
        deltas = torch.cat([sigma * (here[1:] - here[0]) for here in scores], 1)
        spreads.append(interaction_of(deltas, composed.weights).std())
        dots += deltas.prod(0).sum(-1).square().sum()
        squares += deltas.square().sum(-1).prod(0).sum()
    explained = exchange._shares(moments)[0].value
    spread = float(2 * weights @ torch.stack(spreads))
    early = float(2 * weights[:2] @ torch.stack(spreads[:2]))
    found = foretelling.of_grams(met, *trio, scale=2.5 * float(LEVELS[1] + LEVELS[2]) / 2.5)
    left = spread * max(0.0, 1 - explained) ** 0.5
    expected = [float((dots / squares).sqrt()), early, spread, explained, left]
    assert found == pytest.approx(expected, rel=1e-9) and explained != 0


def test_right_angles_and_doses(gaussians):
    exact, _, samples = gaussians
    met = foretelling.meet(exact, samples, LEVELS, seeded(5))
    assert foretelling.of_grams(met, 0, 1, 3, 2.0)[0] < 1e-12
    assert foretelling.of_grams(met, 0, 1, 2, 2.0)[0] > 0.1
    found = foretelling.changes(exact, 0, samples[0], pc.sigma_grid(0.1, 1e4, 4)[:-1], seeded(6))
    truth = torch.stack([p.mean - exact[0].mean for p in exact])
    torch.testing.assert_close(found.means, truth, atol=1e-3, rtol=1e-3)
    assert foretelling.doses(found.means[1], found.means[2]) == pytest.approx(1.0, abs=1e-3)
    assert foretelling.doses(found.means[2], found.means[3]) < 1e-3
    assert float(found.maps[3, 2]) > 0.1 > 1e-12 > float(found.maps[3, 0])
    white = foretelling.whitened(truth, 2.0 * torch.randn(50_000, 5, generator=seeded(7)).double())
    torch.testing.assert_close(
        white, truth / (4.0 + foretelling.RIDGE**2) ** 0.5, atol=0.02, rtol=0
    )


def test_a_pair_is_drawn_and_its_pilots_are_others(network, judged, monkeypatch):
    judged([[1.0, 0, 0, 0]] * tool.JUDGED, [{"a ball"}] * tool.JUDGED, [0] * tool.JUDGED)
    seen = []
    stub = words.judge
    monkeypatch.setattr(words, "judge", lambda pictures: seen.append(pictures) or stub(pictures))
    monkeypatch.setattr(drawing, "STEPS", 3)
    monkeypatch.setattr(foretelling, "scale_of", lambda over: 5.0)
    job = tool.pairs("contradiction", "")
    row = counting.trial("key", job, job.items[0])
    assert len(row) == len(job.columns) and len(seen[0]) == tool.JUDGED


class Plain:
    """Instead of the network: every prompt has a standard normal law."""

    @staticmethod
    def density(prompt, samples):
        shape = (3, PIXELS, PIXELS)
        return pc.Scored(3072, lambda x, s: -x / (1 + s[:, None] ** 2), samples, shape=shape)


@pytest.mark.parametrize(("kind", "halves"), [("two places", True), ("shape and colour", False)])
def test_a_diagnosis_is_written_down(monkeypatch, kind, halves):
    """With the halves of the picture as blocks where the prompts name them, and only there."""
    monkeypatch.setattr(drawing, "network", lambda: Plain)
    monkeypatch.setattr(
        foretelling, "examples",
        lambda prompt, count: torch.randn(count, 3072, generator=seeded(len(prompt))).double(),
    )  # fmt: skip
    job = tool.diagnoses("")
    found = dict(zip(job.columns, counting.trial("key", job, kind), strict=True))
    assert counted.VERDICTS[int(found["verdict"])] == ("exact" if halves else "unknown")
    assert abs(found["path gap"]) < 0.05
    assert (found["exchange"] is not None) == (found["error of exchange"] is not None) == halves


def test_all_jobs_know_what_they_count():
    every = tool.jobs()
    assert {key.split("/")[0] for key in every} == {"prompts", "compositions", "pairs", "diagnoses"}
    for key, make in every.items():
        if not key.startswith("diagnoses"):
            job = make()
            assert job.items and len(set(job.items)) == len(job.items), key
