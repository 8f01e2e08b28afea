"""The prompt: a content in a style, composed of exact densities over a table of pictures."""

from __future__ import annotations

import base64

import traitlets

from projcomp import _check
from projcomp.composition import Composition, compose
from projcomp.emoji import Table
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

    So that the page stays small, the pictures are rounded to 8 bits; the figure's own `table` holds
    them so.

    Args:
        table: a Table (`pc.emoji.load`, or made of pictures and names) of pictures (3, s, s) in
            [-1, 1], at most 2,000 of them, none missing.
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

    Raises ValueError for what is no such table, names that are not in it (the nearest ones are
    named), numbers out of range and unknown views.
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
        self.table = _table(table)
        levels = checks.levels(sigma_grid(0.05, 40.0, 60)[:-1] if levels is None else levels)
        level = checks.place_in("level", level, levels)
        content = self.table.contents[0] if content is None else self._named("content", content)
        style = self.table.styles[0] if style is None else self._named("style", style)
        _check.choice("view", view, VIEWS)
        super().__init__(
            bank=_packed(self.table),
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
        try:
            return self._named(proposal["trait"].name, proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    def _named(self, part: str, name: str) -> str:
        """A name as the table has it."""
        if not isinstance(name, str):
            raise ValueError(f"{part} must be one name, got {name!r}")
        content, style = divmod(int(self.table.rows(**{part: name})[0]), len(self.table.styles))
        return self.table.contents[content] if part == "content" else self.table.styles[style]

    @property
    def wanted(self) -> int:
        """The row of what is asked for in the table's bank."""
        return int(self.table.rows(self.content, self.style)[0])

    def composed(self, way: str) -> Composition:
        """C[all, content, style] of what is asked for, with the weights of a way, on R^n.

        n = 3 s^2: colours first, then rows from the top.
        """
        weight = self.guidance if _check.choice("way", way, tuple(WAYS)) == "guided" else 1.0
        prompts = self.table.density(content=self.content), self.table.density(style=self.style)
        return compose(self.table.density(), prompts, [weight, weight])

    def flight(self, way: str) -> Flight:
        """The particles of a way at every level, by the library's steps."""
        density = self.composed(way)
        if way != "ode":
            count = self.particles if way == "weighted" else 1
            return prompt_scene.flight(density, self.levels, self.seed, count, way == "weighted")
        noise = prompt_scene.noise(self.seed, 1, len(self.levels), density.dim)
        how = {"start": self.levels[0] * noise[0], "keep_path": True, "progress": False}
        path = reverse_diffusion(density, 1, self.levels, "euler", **how).path.flatten(2)
        alone = path.new_zeros(len(path), 1)
        return Flight(path, alone, alone[:, 0] + 1.0, alone.long())

    def sample(self, way: str) -> Sample:
        """The sample of a way: its states, beliefs and outcome; of the weighted one the shown
        particle's."""
        return Beliefs(self.table, self.wanted).sample(self.flight(way), self.levels)

    def still(self) -> Still:
        return prompt_still.draw(self, WAYS)


def _table(table) -> Table:
    """A table with its pictures rounded to 8 bits."""
    if not isinstance(table, Table):
        raise ValueError(f"table must be a Table (see pc.emoji), got {table!r}")
    contents, styles, *shape = table.pictures.shape
    side = shape[-1]
    if shape != [3, side, side] or side > MOST_SIDE:
        raise ValueError(
            f"table must have pictures (3, s, s), s from 1 to {MOST_SIDE}, got {tuple(shape)}"
        )
    if min(contents, styles) < 2 or contents * styles > MOST_PICTURES:
        raise ValueError(
            f"table must have 2 or more contents and styles, and at most {MOST_PICTURES:,} "
            f"pictures, got {contents} x {styles}: choose others"
        )
    missing = int((~table.there).sum())
    if missing:
        raise ValueError(f"table must have every content in every style, {missing} are missing")
    low, high = (float(x) for x in table.pictures.aminmax())
    if not -1 - 1e-6 <= low <= high <= 1 + 1e-6:
        raise ValueError(f"table must have pictures in [-1, 1], got {low:g} to {high:g}")
    bytes_ = (127.5 * (table.pictures.cpu().clamp(-1, 1) + 1)).round()
    return Table(bytes_ / 127.5 - 1, table.contents, table.styles)


def _packed(table: Table) -> dict:
    """What the page needs: bytes, contents first, then styles, colours, rows; and the names."""
    whole = (127.5 * (table.pictures + 1)).round().numpy().astype("u1")
    text = base64.b64encode(whole.tobytes()).decode()
    return {
        "pictures": text, "contents": list(table.contents), "styles": list(table.styles)
    }  # fmt: skip


def _within(name: str, value, low, high):
    if not low <= value <= high:
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {value:g}")
    return value


def _words(content: str, style: str) -> str:
    return (
        f"Five small pictures side by side: {content}, {style}, as the table has it, and what four "
        "samplers make of the same noise, each with the pictures of the table that it believes in."
    )
