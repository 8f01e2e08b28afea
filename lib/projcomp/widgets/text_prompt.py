"""The text prompt: pictures of a composition of prompts, drawn by a network in the page."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
import traitlets
from torch import Tensor

from projcomp import _check
from projcomp.composition import Composition, compose
from projcomp.networks import Words, save_network
from projcomp.noise import sigma_grid
from projcomp.widgets import assets, text_prompt_scene, text_prompt_still
from projcomp.widgets.figure import Figure
from projcomp.widgets.still import Still
from projcomp.widgets.text_prompt_scene import Flight
from projcomp.words import ATTRIBUTES, HIDDEN, OBJECT, PLACES, SOLID, judge, meaning
from projcomp.words.seen import FAINT

PICTURES = 8
METHODS = {"ode": "ODE", "sde": "SDE"}
VIEWS = ("noisy", "denoised", "interaction")
NOT = "not "
MOST_PROMPTS, MOST_GUIDANCE, FEWEST_STEPS, MOST_STEPS = 4, 8.0, 4, 60
SPAN = (0.02, 40.0)
"""The least noise level above 0, and the first."""
DRAWN_FROM = ("prompts", "background", "guidance", "method", "steps", "seed")
SOURCE = "words = pc.networks.load_words()"

STATE = (
    "kind", "network", "prompts", "background", "guidance", "method", "steps", "level", "seed",
    "view", "stored", "source", "name", "summary",
)  # fmt: skip


class TextPrompt(Figure):
    """A live figure of pictures that a network draws for a composition of prompts.

    The network runs in the reader's browser, once it is asked for; before that, and where it can't
    run, the page shows the pictures of the figure's first state, stored. From N(1/2, sigma^2) eight
    pictures go down the levels of ``sigma_grid(0.02, 40, steps)`` with the score of

        p_b prod_i (p_i / p_b)^{w_i},   w_i = guidance, or -guidance for a prompt after "not ".

    Below each picture stands its log weight: what the interaction of its path adds up to, as `smc`
    would weigh it. The interaction is a sum over pixels, and can be drawn over the picture. A
    second network says what stands on it, and whether that is as asked for (`pc.words.judge`).

    Args:
        words: a network with its vocabulary (`pc.networks.load_words`).
        prompts: one to four prompts; one that starts with "not " is taken away.
        background: the prompt of the background: "" is anything, "empty" the bare floor.
        guidance: the weight of every prompt, from 0.5 to 8.
        method: "ode" (Euler's rule) or "sde" (ancestral steps).
        steps: 4 to 60.
        level: which level is shown at first, 0 to steps; the last if None.
        seed: of the noise, >= 0.
        view: "noisy" (the samples themselves), "denoised" (the composition's means), or
            "interaction" (drawn over the samples).
        source: lines of Python that make `words`, for "Copy as Python".
        name: the figure's name in links; letters, digits, "-".
        alt: what the figure shows, in words, for a reader who does not see it.

    Raises ValueError for what is no such network, for words that it was never taught (the nearest
    ones are named), numbers out of range and unknown choices.
    """

    STATE = STATE

    kind = traitlets.Unicode("words").tag(sync=True)
    network = traitlets.Dict().tag(sync=True)
    prompts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    background = traitlets.Unicode().tag(sync=True)
    guidance = traitlets.Float().tag(sync=True)
    method = traitlets.Enum(tuple(METHODS)).tag(sync=True)
    steps = traitlets.Int().tag(sync=True)
    level = traitlets.Int().tag(sync=True)
    seed = traitlets.Int().tag(sync=True)
    view = traitlets.Enum(VIEWS).tag(sync=True)
    stored = traitlets.Dict().tag(sync=True)
    source = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        words: Words,
        prompts: Sequence[str],
        *,
        background: str = "",
        guidance: float = 1.0,
        method: str = "sde",
        steps: int = 25,
        level: int | None = None,
        seed: int = 0,
        view: str = "noisy",
        source: str = SOURCE,
        name: str = "text-prompt",
        alt: str | None = None,
    ):
        if not isinstance(words, Words):
            raise ValueError(f"words must be a network of words (see load_words), got {words!r}")
        self.words = words
        prompts = self._prompts(prompts)
        self._read("background", background)
        guidance = _check.number("guidance", guidance)
        if not 0.5 <= guidance <= MOST_GUIDANCE:
            raise ValueError(f"guidance must lie in [0.5, {MOST_GUIDANCE:g}], got {guidance:g}")
        steps = _check.count("steps", steps, FEWEST_STEPS)
        if steps > MOST_STEPS:
            raise ValueError(f"steps must be at most {MOST_STEPS}, got {steps}")
        level = steps if level is None else _check.count("level", level, 0)
        if level > steps:
            raise ValueError(f"level must be at most {steps}, the number of steps, got {level}")
        super().__init__(
            network=_told(words),
            prompts=prompts,
            background=background,
            guidance=guidance,
            method=_check.choice("method", method, tuple(METHODS)),
            steps=steps,
            level=level,
            seed=_check.count("seed", seed, 0),
            view=_check.choice("view", view, VIEWS),
            source=source,
            name=name,
            summary=_words(prompts, background) if alt is None else alt,
        )
        self.stored = {**self._drawn_from(), "pictures": _packed(self.samples())}
        self.on_msg(self._hand_over)

    @traitlets.validate("prompts", "background")
    def _keep_readable(self, proposal):
        try:
            if proposal["trait"].name == "prompts":
                return self._prompts(proposal["value"])
            return self._read("background", proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    def _prompts(self, prompts) -> list[str]:
        if isinstance(prompts, str) or not 1 <= len(list(prompts)) <= MOST_PROMPTS:
            raise ValueError(f"prompts must be 1 to {MOST_PROMPTS} prompts, got {prompts!r}")
        return [self._read(f"prompts[{i}]", one, signed=True) for i, one in enumerate(prompts)]

    def _read(self, name: str, prompt, signed: bool = False):
        try:
            found = self.words.vocabulary.split(signed_prompt(prompt)[1] if signed else prompt)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if signed and not found:
            raise ValueError(f"{name} must have words, got {prompt!r}")
        return prompt

    @property
    def levels(self) -> Tensor:
        """(steps + 1,) the noise levels, the last of them 0."""
        return sigma_grid(*SPAN, self.steps)

    def composed(self) -> Composition:
        """The composition of the state as it is, on R^3072: colours first, then rows."""
        signs, prompts = zip(*map(signed_prompt, self.prompts), strict=True)
        return compose(
            self.words.density(self.background),
            [self.words.density(prompt) for prompt in prompts],
            [sign * self.guidance for sign in signs],
        )

    def _drawn_from(self) -> dict:
        """What the pictures depend on."""
        return {name: getattr(self, name) for name in DRAWN_FROM}

    def flight(self) -> Flight:
        """The eight pictures at every level, as the page draws them (to 1e-3)."""
        made_of = self._drawn_from()
        if getattr(self, "_flown", (None,))[0] != made_of:
            found = text_prompt_scene.flight(
                self.composed(), self.levels, self.method, self.seed, PICTURES
            )
            self._flown = made_of, found
        return self._flown[1]

    def samples(self) -> Tensor:
        """(8, 3, 32, 32) the pictures at the end, in [0, 1] but for the network's errors."""
        return self.flight().states[-1].unflatten(-1, (3, self.network["side"], -1))

    @property
    def log_weights(self) -> Tensor:
        """(8,) of the pictures at the end, before normalisation: sums over the interaction."""
        return self.flight().gained[-1].sum(-1)

    @property
    def right(self) -> Tensor:
        """(8,) bool: which pictures at the end are as asked for, by `pc.words.judge`."""
        signed = [signed_prompt(prompt) for prompt in self.prompts]
        wanted, unwanted = ([p for s, p in signed if s == sign] for sign in (1, -1))
        return judge(self.samples()).all(wanted, unwanted)

    def still(self) -> Still:
        return text_prompt_still.draw(self)

    # -- in a notebook ------------------------------------------------------------------------

    def _hand_over(self, _, content, buffers) -> None:
        """Answer a page that asks for the runtime's or the model's files."""
        wanted = content.get("files")
        if wanted not in ("runtime", "model"):
            return
        try:
            files = (
                assets.runtime()
                if wanted == "runtime"
                else assets.model(stored_weights(self.words))
            )
        except ValueError as error:
            self.send({"of": wanted, "error": str(error)})
            return
        self.send({"of": wanted, "files": list(files)}, list(files.values()))


def signed_prompt(prompt: str) -> tuple[int, str]:
    """1, or -1 after "not ", and the prompt without it."""
    if isinstance(prompt, str) and prompt.lower().startswith(NOT):
        return -1, prompt[len(NOT) :]
    return 1, prompt


def stored_weights(words: Words) -> bytes:
    """The weights as `save_network` stores them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "words.safetensors")
        save_network(words.model, path)
        return path.read_bytes()


def _told(words: Words) -> dict:
    """What the page must know of a network before it has it."""
    model = words.model
    weights = sum(weight.numel() for weight in model.parameters())
    return {
        "words": list(words.vocabulary.words),
        "length": words.vocabulary.length,
        "data": model.scales.sigma_data,
        "centre": model.centre,
        "side": model.network.pixels,
        "span": list(SPAN),
        "eye": eye(words.vocabulary.words),
        "megabytes": round((2 * weights + assets.RUNTIME_BYTES) / 1e6, 1),
    }


def eye(words: Sequence[str]) -> dict:
    """What the page must know to say what a judge sees, and whether it is as these words say."""
    facts = ((word, fact) for word in words for fact in meaning(word).items())
    return {
        "attributes": {name: list(values) for name, values in ATTRIBUTES.items()},
        "hidden": {style: list(names) for style, names in HIDDEN.items()},
        "places": list(PLACES),
        "ofObject": list(OBJECT),
        "meaning": {word: [name, value] for word, (name, (value,)) in facts},
        "faint": FAINT,
        "solidFrom": SOLID,
    }


def _packed(samples: Tensor) -> str:
    """Pictures as bytes: one after another, colours first, then rows."""
    whole = (255 * samples.clamp(0, 1)).round().to(torch.uint8)
    return base64.b64encode(whole.numpy().tobytes()).decode()


def _words(prompts: Sequence[str], background: str) -> str:
    said = " and ".join(f"“{prompt}”" for prompt in prompts)
    return f"Eight small pictures that a network draws for {said} over “{background}”."
