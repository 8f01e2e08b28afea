"""The prompt: a content in a style, composed of exact densities over a table of pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import torch
import traitlets
from torch import Tensor

from projcomp import _check
from projcomp.composition import Composition, compose
from projcomp.densities import Bank, Density
from projcomp.noise import sigma_grid
from projcomp.samplers import reverse_diffusion
from projcomp.widgets import checks, prompt_scene, prompt_still
from projcomp.widgets.figure import Figure
from projcomp.widgets.prompt_scene import Beliefs, Flight, Sample
from projcomp.widgets.still import Still

WAYS = {"ode": "ODE", "sde": "SDE", "guided": "guided SDE", "weighted": "weighted"}
"""The four ways from the noise to a picture."""
VIEWS = ("noisy", "denoised")
MOST_PICTURES, MOST_SIDE, MOST_PARTICLES, MOST_GUIDANCE = 2000, 64, 16, 8.0

STATE = (
    "kind", "bank", "content", "style", "guidance", "particles", "levels", "level", "seed",
    "view", "source", "name", "summary",
)  # fmt: skip


class Prompt(Figure):
    """A live figure of a content in a style, sampled in four ways from one noise.

    A table holds a picture of every content in every style. Its pictures, those of one content and
    those of one style are three finite sets, so their noised distributions have exact scores, and
    so has the composition C[all, content, style], which without noise is the one picture wanted.
    From the same noise N(0, levels[0]^2) go down the levels

    ``"ode"``       the probability-flow ODE (Euler's rule);
    ``"sde"``       the reverse SDE (ancestral steps);
    ``"guided"``    the same SDE, with the same noise, both concepts at the weight `guidance`;
    ``"weighted"``  `particles` of it with weights by the interaction, resampled where fewer than
                    half of them are effective, and not moved: `smc` with ``moves=0``. Shown is the
                    particle that weighs most at the end, with its ancestors. The first one has the
                    noise of the SDE.

    So that the page stays small, the pictures are rounded to 8 bits: `pictures` holds them so.

    Args:
        table: (pictures, contents, styles), or anything with these attributes: pictures (styles,
            contents, s, s, 3) in [-1, 1], and the names of contents and styles.
        content, style: what is asked for at first, by name; the first ones if None.
        guidance: the weight of the guided way at first, from 1 to 8.
        particles: of the weighted way, 2 to 16.
        levels: (T,) decreasing noise levels > 0; 60 from 40 to .05 if None.
        level: which of them is shown at first; the last if None.
        seed: of the noise, >= 0.
        view: "noisy" (the samples themselves) or "denoised" (the composition's means).
        source: lines of Python that make `table`, for "Copy as Python", which the figure offers if
            there are any.
        name: the figure's name in links; letters, digits, "-".
        alt: what the figure shows, in words, for a reader who does not see it.

    Raises ValueError for shapes that do not match, values outside of [-1, 1], more than 2,000
    pictures, names that are not in the table, numbers out of range and unknown views.
    """

    STATE = STATE

    kind = traitlets.Unicode("prompt").tag(sync=True)
    bank = traitlets.Dict().tag(sync=True)
    content = traitlets.Unicode().tag(sync=True)
    style = traitlets.Unicode().tag(sync=True)
    guidance = traitlets.Float().tag(sync=True)
    particles = traitlets.Int().tag(sync=True)
    levels = traitlets.List(traitlets.Float()).tag(sync=True)
    level = traitlets.Int().tag(sync=True)
    seed = traitlets.Int().tag(sync=True)
    view = traitlets.Enum(VIEWS).tag(sync=True)
    source = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        table,
        *,
        content: str | None = None,
        style: str | None = None,
        guidance: float = 3.0,
        particles: int = 8,
        levels=None,
        level: int | None = None,
        seed: int = 0,
        view: str = "noisy",
        source: str = "",
        name: str = "prompt",
        alt: str | None = None,
    ):
        pictures, contents, styles = _table(table)
        levels = checks.levels(sigma_grid(0.05, 40.0, 60)[:-1] if levels is None else levels)
        level = checks.place_in("level", level, levels)
        content = contents[0] if content is None else checks.named("content", content, contents)
        style = styles[0] if style is None else checks.named("style", style, styles)
        _check.choice("view", view, VIEWS)
        self.pictures, self.contents, self.styles = pictures, contents, styles
        self._bank = Bank(pictures.flatten(0, 1))
        super().__init__(
            bank=_packed(pictures, contents, styles),
            content=content,
            style=style,
            guidance=_within("guidance", _check.number("guidance", guidance), 1, MOST_GUIDANCE),
            particles=_within("particles", _check.count("particles", particles), 2, MOST_PARTICLES),
            levels=levels,
            level=level,
            seed=_check.count("seed", seed, 0),
            view=view,
            source=source,
            name=name,
            summary=_words(content, style) if alt is None else alt,
        )

    @traitlets.validate("content", "style")
    def _keep_names(self, proposal):
        name = proposal["trait"].name
        options = self.contents if name == "content" else self.styles
        try:
            return checks.named(name, proposal["value"], options)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    @property
    def wanted(self) -> tuple[int, int]:
        """The places of the style and of the content that are asked for."""
        return self.styles.index(self.style), self.contents.index(self.content)

    def density(self, content: str | None = None, style: str | None = None) -> Density:
        """The exact density of the pictures of a content, of a style, or of all, on R^n.

        n = 3 s^2: colours first, then rows from the top.
        """
        rows = torch.arange(len(self._bank), device="cpu").reshape(len(self.styles), -1)
        if style is not None:
            rows = rows[[self.styles.index(checks.named("style", style, self.styles))]]
        if content is not None:
            rows = rows[:, [self.contents.index(checks.named("content", content, self.contents))]]
        return self._bank.density(rows.flatten())

    def composed(self, way: str) -> Composition:
        """C[all, content, style] of what is asked for, with the weights of a way."""
        weight = self.guidance if _check.choice("way", way, tuple(WAYS)) == "guided" else 1.0
        concepts = [self.density(content=self.content), self.density(style=self.style)]
        return compose(self.density(), concepts, [weight, weight])

    def flight(self, way: str) -> Flight:
        """The particles of a way at every level, by the library's steps."""
        density = self.composed(way)
        if way != "ode":
            count = self.particles if way == "weighted" else 1
            return prompt_scene.flight(density, self.levels, self.seed, count, way == "weighted")
        noise = prompt_scene.noise(self.seed, 1, len(self.levels), density.dim)
        how = {"start": self.levels[0] * noise[0], "keep_path": True, "progress": False}
        path = reverse_diffusion(density, 1, self.levels, "euler", **how).path
        alone = path.new_zeros(len(path), 1)
        return Flight(path, alone, alone[:, 0] + 1.0, alone.long())

    def sample(self, way: str) -> Sample:
        """The sample of a way: its states, beliefs and outcome; of the weighted one the shown
        particle's."""
        return Beliefs(self.pictures, *self.wanted).sample(self.flight(way), self.levels)

    def still(self) -> Still:
        return prompt_still.draw(self, WAYS)


def _table(table) -> tuple[Tensor, list[str], list[str]]:
    """Pictures (styles, contents, n) of 8 bits in [-1, 1], and the names of both."""
    parts = tuple(getattr(table, name, None) for name in ("pictures", "contents", "styles"))
    if isinstance(table, tuple | list) and len(table) == 3:
        parts = tuple(table)
    if any(part is None for part in parts):
        raise ValueError(
            f"table must be (pictures, contents, styles) or have these attributes, got {table!r}"
        )
    pictures = _check.real("pictures", parts[0]).detach().cpu()
    contents, styles = _names("contents", parts[1]), _names("styles", parts[2])
    side = pictures.shape[2] if pictures.ndim == 5 else 0
    if pictures.shape != (len(styles), len(contents), side, side, 3) or not 0 < side <= MOST_SIDE:
        raise ValueError(
            f"pictures must have shape ({len(styles)}, {len(contents)}, s, s, 3), one for each "
            f"style and content, s from 1 to {MOST_SIDE}, got {tuple(pictures.shape)}"
        )
    if len(styles) * len(contents) > MOST_PICTURES:
        raise ValueError(
            f"pictures must be at most {MOST_PICTURES}, got {len(styles) * len(contents)}: choose "
            "fewer contents"
        )
    low, high = (float(x) for x in pictures.aminmax())
    if not -1 - 1e-6 <= low <= high <= 1 + 1e-6:
        raise ValueError(f"pictures must lie in [-1, 1], got {low:g} to {high:g}")
    bytes_ = (127.5 * (pictures.clamp(-1, 1) + 1)).round()
    return (bytes_ / 127.5 - 1).movedim(-1, 2).flatten(2), contents, styles


def _names(name: str, value) -> list[str]:
    found = [str(one) for one in value] if isinstance(value, Sequence) or len(value) else []
    if len(found) < 2 or len(set(found)) < len(found):
        raise ValueError(f"{name} must be two or more different names, got {found}")
    return found


def _packed(pictures: Tensor, contents: list[str], styles: list[str]) -> dict:
    """What the page needs: bytes, styles first, then contents, colours, rows."""
    whole = (127.5 * (pictures + 1)).round().numpy().astype("u1")
    text = base64.b64encode(whole.tobytes()).decode()
    return {"pictures": text, "contents": contents, "styles": styles}


def _within(name: str, value, low, high):
    if not low <= value <= high:
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {value:g}")
    return value


def _words(content: str, style: str) -> str:
    return (
        f"Five small pictures side by side: {content}, {style}, as the table has it, and what four "
        "samplers make of the same noise, each with the pictures of the table that it believes in."
    )
