"""The network that is told words."""

import projcomp as pc
import pytest
import torch
from projcomp.networks import Vocabulary
from projcomp.networks.shipped import WEIGHTS
from projcomp.networks.worded import WordedUNet
from projcomp.networks.words import PIXELS, Prompted, Words, blank_words

VOCABULARY = Vocabulary(("ball", "blue", "cube", "red"), length=5)


def woken(seed=0):
    """A network whose silent layers say something, with unlike weights everywhere."""
    model = blank_words(VOCABULARY, torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def words():
    return Words(woken(), VOCABULARY)


@pytest.fixture(scope="module")
def x():
    return torch.rand(3, 3 * PIXELS**2, generator=torch.Generator().manual_seed(2)).double()


def test_it_answers_with_zeros_until_it_is_trained(x):
    model = blank_words(VOCABULARY)
    tokens = VOCABULARY.encode("red ball")
    assert not model.raw(x, torch.ones(1), tokens).any()


def test_weights_come_from_the_generator_alone():
    one, other, third = (
        blank_words(VOCABULARY, torch.Generator().manual_seed(seed)).state_dict()
        for seed in (5, 5, 6)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], third[name]) for name in one)


def test_prompts_differ_and_so_does_their_order(words, x):
    prompts = ["", "red", "red ball", "ball red", "blue ball"]
    answers = [words.density(prompt).denoise(x, 1.0) for prompt in prompts]
    for i, one in enumerate(answers):
        for other in answers[:i]:
            assert float((one - other).abs().max()) > 1e-4


def test_rows_do_not_see_each_other_whatever_their_prompts(words, x):
    """A batch with a prompt each, of unlike lengths, against one prompt at a time."""
    prompts = ["red ball", "", "blue blue cube red ball"]
    tokens = torch.cat([VOCABULARY.encode(prompt) for prompt in prompts])
    together = words.model.raw(x, torch.full((3,), 0.7), tokens)
    for row, prompt in enumerate(prompts):
        alone = words.model.raw(x[row : row + 1], torch.full((1,), 0.7), VOCABULARY.encode(prompt))
        torch.testing.assert_close(together[row : row + 1], alone, atol=2e-5, rtol=1e-4)


def test_what_fills_up_a_prompt_says_nothing(x):
    """The same words in a longer row of tokens: only the table of places is longer."""
    longer = Vocabulary(VOCABULARY.words, length=9)
    model, wide = woken(), blank_words(longer)
    state = model.state_dict()
    places = wide.state_dict()["network.reader.place"].clone()
    places[:5] = state["network.reader.place"]
    wide.load_state_dict({**state, "network.reader.place": places})
    pair = [
        m.raw(x, torch.ones(1), v.encode("red ball"))
        for m, v in ((model, VOCABULARY), (wide, longer))
    ]
    torch.testing.assert_close(*pair, atol=1e-5, rtol=1e-4)


def test_a_prompt_is_a_density(words, x):
    density = words.density("red ball")
    assert isinstance(density, Prompted) and density.dim == 3072 and density.shape == (3, 32, 32)
    assert "red ball" in repr(density)
    sigma = torch.tensor(0.8, dtype=torch.float64)
    torch.testing.assert_close(
        density.score(x, sigma), (density.denoise(x, sigma) - x) / sigma**2, atol=1e-6, rtol=1e-6
    )
    with pytest.raises(ValueError, match="never taught the word 'green'"):
        words.density("a green ball".removeprefix("a "))


@pytest.mark.parametrize("points", [1, 3, 40])
def test_prompts_of_one_network_are_asked_together(words, points):
    """The same scores as of each by itself: a few points in one call, many one by one."""
    prompts = ("", "red ball", "blue blue cube")
    parts = [words.density(prompt) for prompt in prompts]
    composed = pc.compose(parts[0], parts[1:])
    y = 0.5 + torch.randn(
        points, 3072, generator=torch.Generator().manual_seed(8), dtype=torch.float64
    )
    calls = []
    handle = words.model.network.register_forward_hook(lambda *args: calls.append(len(args[1][0])))
    sigma = torch.linspace(0.3, 2.0, points, dtype=torch.float64)
    together = composed.scores(y, sigma)
    handle.remove()
    assert calls == ([3 * points] if points < 10 else [points] * 3)
    alone = torch.stack([part.score(y, sigma) for part in parts])
    assert alone.std(0).max() > 1e-3
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    other = Words(woken(7), VOCABULARY).density("red ball")
    mixed = pc.compose(parts[0], [other]).scores(y, sigma)
    torch.testing.assert_close(mixed[1], other.score(y, sigma))


def test_the_shipped_network_is_small_and_described():
    assert (WEIGHTS / "words.safetensors").stat().st_size < 12e6
    shipped = pc.networks.load_words()
    parameters = sum(parameter.numel() for parameter in shipped.model.parameters())
    card = (WEIGHTS / "README.md").read_text(encoding="utf-8").split("# Weights of words", 1)[1]
    assert f"{parameters:,}" in card and f"{len(shipped.vocabulary.words)} words" in card


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"pixels": 12}, "multiple of 8"),
        ({"widths": (48, 96)}, "three numbers"),
        ({"widths": (4, 96, 96)}, "widths"),
        ({"generator": 3}, "generator"),
    ],
)
def test_bad_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        WordedUNet(VOCABULARY, **arguments)
