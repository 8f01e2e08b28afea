"""The lattice: objects at chosen places of a picture, composed over three backgrounds at once."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence

import numpy as np
import torch
import traitlets
from torch import Tensor

from projcomp import _check, scenes
from projcomp.composition import compose
from projcomp.densities import Density, Empirical
from projcomp.noise import sigma_grid
from projcomp.samplers import reverse_diffusion
from projcomp.widgets import checks, lattice_still
from projcomp.widgets.figure import Figure
from projcomp.widgets.normals import normals
from projcomp.widgets.still import Still

PLACES = (
    "front left", "front", "front right", "left", "centre", "right", "back left", "back",
    "back right",
)  # fmt: skip
"""What the places are called, in the order of `scenes.lattice()`."""
SETTINGS = {
    "A": "empty floor",
    "B": "average of one-object pictures",
    "C": "average of cluttered pictures",
}
"""The three backgrounds."""
CLUTTER = ("independent", "capped")
VIEWS = ("picture", "belief")
MOST_SIDE = 128
SEEN = 0.02  # the counter looks at coordinates that change by more

STATE = (
    "kind", "bank", "chosen", "clutter", "rate", "most", "levels", "level", "seed", "view",
    "source", "name", "summary",
)  # fmt: skip


class Lattice(Figure):
    """A live figure of composed pictures: the reader puts objects on nine places of a floor.

    Concept i is *an object at place i*. The chosen concepts are composed in three settings and
    sampled from the same noise by the probability-flow ODE, with exact scores:

    ``"A"``  over the empty floor, a point mass;
    ``"B"``  over the average of the nine concepts: one object, somewhere;
    ``"C"``  the same with clutter in the pictures of concepts and average: objects at other places
             too, at each with probability `rate`, or at most `most` objects in all.

    So that the scores have closed forms and the page stays small, the pictures are rounded to 8
    bits, and their changes cut to the place's own block of coordinates (`scenes.divided`), where
    the counter would look (`scenes.opacities`). `empty` and `banks` hold them as they then are.

    Args:
        empty: (n,) the bare floor, a flattened picture of 3 x s x s values in [0, 1].
        banks: for each of the nine places of `scenes.lattice()`, (N, n) pictures with one object
            there and nothing else.
        chosen: the places with an object at first, as indices.
        clutter: "independent" or "capped", at first. rate: probability of an object at each other
            place. most: the cap.
        levels: (T,) decreasing noise levels > 0 of the sampler's path; 24 from 20 to .02 if None.
        level: which of them is shown at first; the last if None.
        seed: of the noise, >= 0.
        source: lines of Python that make `empty` and `banks`, for "Copy as Python", which the
            figure offers if there are any: pictures are too many to be written down.
        view: "picture" (the noisy picture) or "belief" (what the model thinks the clean one is).
        name: the figure's name in links; letters, digits, "-".
        alt: what the figure shows, in words, for a reader who does not see it.

    Raises ValueError for shapes that do not match, values outside of [0, 1], a bank that changes
    nothing at its place, and unknown places, clutter, levels or views.
    """

    STATE = STATE

    kind = traitlets.Unicode("lattice").tag(sync=True)
    bank = traitlets.Dict().tag(sync=True)
    chosen = traitlets.List(traitlets.Int()).tag(sync=True)
    clutter = traitlets.Enum(CLUTTER).tag(sync=True)
    rate = traitlets.Float().tag(sync=True)
    most = traitlets.Int().tag(sync=True)
    levels = traitlets.List(traitlets.Float()).tag(sync=True)
    level = traitlets.Int().tag(sync=True)
    seed = traitlets.Int().tag(sync=True)
    view = traitlets.Enum(VIEWS).tag(sync=True)
    source = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        empty,
        banks: Sequence,
        *,
        chosen: Sequence[int] = (0, 4),
        clutter: str = "independent",
        rate: float = 0.3,
        most: int = 5,
        levels=None,
        level: int | None = None,
        seed: int = 0,
        view: str = "picture",
        source: str = "",
        name: str = "lattice",
        alt: str | None = None,
    ):
        empty, banks = _pictures(empty, banks)
        self.empty, self.blocks = empty, scenes.divided(banks, empty)
        touched = [_touched(i, bank, empty, self.blocks[i]) for i, bank in enumerate(banks)]
        self.banks = [_cut(bank, empty, where) for bank, where in zip(banks, touched, strict=True)]
        self._parts = scenes.clutter_parts(self.banks, empty, self.blocks)
        sigmas = checks.levels(sigma_grid(0.02, 20.0, 24, rho=7)[:-1] if levels is None else levels)
        level = checks.place_in("level", level, sigmas)
        scenes.log_chances_of(len(PLACES), most=most)
        rate = _check.number("rate", rate)
        if not 0 < rate <= 1:
            raise ValueError(f"rate must lie in (0, 1], got {rate:g}")
        _check.choice("clutter", clutter, CLUTTER)
        _check.choice("view", view, VIEWS)
        chosen = _places(chosen)
        super().__init__(
            bank=_packed(self.banks, empty, touched),
            chosen=chosen,
            clutter=clutter,
            rate=rate,
            most=most,
            levels=sigmas,
            level=level,
            seed=_check.count("seed", seed, 0),
            view=view,
            source=source,
            name=name,
            summary=_words(chosen) if alt is None else alt,
        )

    @traitlets.validate("chosen")
    def _keep_places(self, proposal):
        try:
            return _places(proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    def concepts(self, setting: str) -> list[Density]:
        """The nine concepts of a setting, on R^n."""
        if _check.choice("setting", setting, tuple(SETTINGS)) != "C":
            return [Empirical(bank) for bank in self.banks]
        return [self._cluttered(chances) for chances in self._chances()]

    def background(self, setting: str) -> Density:
        """The background of a setting: the empty floor, or the average of the nine concepts."""
        if _check.choice("setting", setting, tuple(SETTINGS)) == "A":
            return Empirical(self.empty[None])
        if setting == "C":
            chances = torch.stack(self._chances())
            return self._cluttered(torch.logsumexp(chances, 0) - math.log(len(PLACES)))
        sizes = torch.tensor([len(bank) for bank in self.banks], device="cpu")
        weights = 1.0 / (len(PLACES) * sizes.repeat_interleave(sizes).double())
        return Empirical(torch.cat(self.banks), weights)

    def composition(self, setting: str) -> Density:
        """What the figure shows now in a setting: the chosen concepts over its background.

        With nothing chosen, the background itself.
        """
        background, concepts = self.background(setting), self.concepts(setting)
        asked = [concepts[i] for i in self.chosen]
        if not asked:
            return background
        return background.composed_with(asked) if setting == "C" else compose(background, asked)

    @property
    def start(self) -> Tensor:
        """(n,) the noise that all three pictures start from, at levels[0]."""
        return 0.5 + self.levels[0] * normals(self.seed, len(self.empty))

    def path(self, setting: str) -> Tensor:
        """(T, n) the picture of a setting at every level of the path, by the library's sampler."""
        density, start = self.composition(setting), self.start[None]
        how = {"start": start, "keep_path": True, "progress": False}
        return reverse_diffusion(density, 1, self.levels, "euler", **how).path[:, 0]

    def sample(self, setting: str) -> Tensor:
        """(n,) the picture of a setting at the end of the path."""
        return self.path(setting)[-1]

    def opacities(self, setting: str) -> Tensor:
        """(9,) how solid the counter finds the object at each place of that picture."""
        picture = self.sample(setting)[None]
        return scenes.opacities(picture, self.banks, self.empty).opacity[0]

    def still(self) -> Still:
        return lattice_still.draw(self, SETTINGS)

    def _chances(self) -> list[Tensor]:
        rule = {"rate": self.rate} if self.clutter == "independent" else {"most": self.most}
        return [scenes.log_chances_of(len(PLACES), place, **rule) for place in range(len(PLACES))]

    def _cluttered(self, chances: Tensor) -> scenes.Presences:
        return scenes.Presences(*self._parts, self.blocks, chances)


def _pictures(empty, banks) -> tuple[Tensor, list[Tensor]]:
    """The floor (n,) and nine banks (N, n), rounded to 8 bits."""
    empty = _check.real("empty", empty).detach()
    side = math.isqrt(empty.numel() // 3)
    if empty.ndim != 1 or empty.numel() != 3 * side**2 or not 0 < side <= MOST_SIDE:
        raise ValueError(
            f"empty must have shape (n,), n = 3 s^2 with s from 1 to {MOST_SIDE}, got "
            f"{tuple(empty.shape)}"
        )
    if isinstance(banks, Tensor | np.ndarray):
        banks = list(banks)
    if not isinstance(banks, Sequence) or len(banks) != len(PLACES):
        got = len(banks) if isinstance(banks, Sequence) else repr(banks)
        raise ValueError(f"banks must hold pictures for each of {len(PLACES)} places, got {got}")
    found = []
    for i, bank in enumerate(banks):
        bank = _check.real(f"banks[{i}]", bank).detach()
        if bank.ndim != 2 or not len(bank) or bank.shape[1:] != empty.shape:
            raise ValueError(
                f"banks[{i}] must have shape (N, {len(empty)}), N >= 1, got {tuple(bank.shape)}"
            )
        found.append(_rounded(f"banks[{i}]", bank))
    return _rounded("empty", empty), found


def _rounded(name: str, pictures: Tensor) -> Tensor:
    low, high = (float(x) for x in pictures.aminmax())
    if not -1e-6 <= low <= high <= 1 + 1e-6:
        raise ValueError(f"{name} must lie in [0, 1], got {low:g} to {high:g}")
    return (255 * pictures.clamp(0, 1)).round() / 255


def _touched(index: int, bank: Tensor, empty: Tensor, block: list[int]) -> Tensor:
    """Coordinates of a block that the bank's pictures change enough to be counted."""
    block = torch.tensor(block, dtype=torch.long, device="cpu")
    touched = block[(bank - empty).abs().amax(0)[block] > SEEN]
    if not len(touched):
        raise ValueError(f"banks[{index}] must change pixels that the other banks change less")
    return touched


def _cut(bank: Tensor, empty: Tensor, where: Tensor) -> Tensor:
    cut = empty.repeat(len(bank), 1)
    cut[:, where] = bank[:, where]
    return cut


def _packed(banks: list[Tensor], empty: Tensor, touched: list[Tensor]) -> dict:
    """What the page needs of the pictures: bytes of the floor, and of each place's coordinates."""

    def text(values: Tensor, kind: str) -> str:
        return base64.b64encode(values.numpy().astype(kind).tobytes()).decode()

    places = [
        {
            "coordinates": text(where, "<u2"),
            "pictures": text((255 * bank[:, where]).round(), "u1"),
        }
        for bank, where in zip(banks, touched, strict=True)
    ]
    return {"empty": text((255 * empty).round(), "u1"), "places": places}


def _places(chosen) -> list[int]:
    if isinstance(chosen, str) or not isinstance(chosen, Sequence):
        raise ValueError(f"chosen must be a sequence of places, got {chosen!r}")
    found = sorted({_check.count("chosen", place, 0) for place in chosen})
    if found and found[-1] >= len(PLACES):
        raise ValueError(f"chosen must be places below {len(PLACES)}, got {found[-1]}")
    return found


def _words(chosen: list[int]) -> str:
    asked = ", ".join(PLACES[place] for place in chosen) or "none"
    return (
        "Three small rendered pictures of a grey floor, side by side, of the same objects composed "
        f"over three backgrounds: {', '.join(SETTINGS.values())}. Places asked for: {asked}."
    )
