"""The commuting square of reparametrisation equivariance, as a live figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import traitlets
from torch import Tensor

from projcomp import _check, warps
from projcomp.composition import Composition, compose, simple_product
from projcomp.densities import Density, Diffeomorphism, pushforward
from projcomp.grid import Grid
from projcomp.widgets import checks, square_still
from projcomp.widgets.figure import Figure
from projcomp.widgets.spec import Spec, blocks, fitted_box, from_spec, line, span, to_spec
from projcomp.widgets.still import Still

WARPS: dict[str, tuple[float, float, float]] = {
    "rotation": (0.0, 180.0, 30.0),
    "shear": (15.0, 90.0, 60.0),
    "banana": (0.0, 1.0, 0.6),
    "polar": (0.0, 0.0, 0.0),
}
"""Least, largest and opening amount of each warp: degrees, or the bend; `polar` has none."""

LAYERS = ("parts", "composition", "grid")
OPERATORS = ("composition", "product")
ROUTES = ("first", "second")
MOST_CONCEPTS = 2
WIDEST_ANGLE = 3.0
CELLS = 96  # along each side of the grid that the routes are compared on
SEEN = 1e-6  # of a route's peak: where they are compared
DEPTH = 3.2  # of the pixels' box: nats below the peak
ROOM = 1.25  # the pixels' box, at most, in widths of the composition

STATE = (
    "kind", "background", "concepts", "operator", "warp", "amount", "route", "show", "boxes",
    "name", "summary",
)  # fmt: skip


class Square(Figure):
    """A live figure of C[W # p] = W # C[p], for a warp W from features (u, v) to pixels.

    On the left, feature space, with handles; on the right, pixels, by either way around the
    square: composed and then mapped, or mapped (each part with its own Jacobian factor) and then
    composed. For the composition they agree; for the simple product only where the Jacobian
    determinant is constant, as its exponents do not sum to one (Bradley et al. 2025, Lemma 6.2).

    Args:
        background: a Gaussian mixture on R^2, the features.
        concepts: one or two such mixtures.
        warp: "rotation", "shear", "banana" or "polar", as in `projcomp.warps`. For "polar" the
            second feature is an angle, and densities are wrapped in it as by `warps.Wrapped`.
        amount: the rotation's angle (0 to 180 degrees), the angle between the shear's axes (15 to
            90 degrees), the banana's bend (0 to 1); None for polar, and for a fair start.
        box: (left, bottom, right, top) of feature space; fitted to the parts if None. An angle is
            always shown from -pi to pi.
        pixel_box: the same in pixels, for this warp.
        show: which of `LAYERS` are drawn at first.
        operator: "composition" or "product", at first.
        route: "first" (compose, then map) or "second" (map, then compose), at first.
        name: the figure's name in links; letters, digits, "-".
        alt: what the figure shows, in words, for a reader who does not see it.

    Raises ValueError for densities that are not mixtures on R^2, more than two concepts, unknown
    warps, layers, operators or routes, and amounts out of range.
    """

    STATE = STATE

    kind = traitlets.Unicode("square").tag(sync=True)
    background = traitlets.Dict().tag(sync=True)
    concepts = traitlets.List().tag(sync=True)
    operator = traitlets.Enum(OPERATORS).tag(sync=True)
    warp = traitlets.Enum(tuple(WARPS)).tag(sync=True)
    amount = traitlets.Float().tag(sync=True)
    route = traitlets.Enum(ROUTES).tag(sync=True)
    show = traitlets.List(traitlets.Enum(LAYERS)).tag(sync=True)
    boxes = traitlets.Dict().tag(sync=True)  # of each warp: of the features, and of the pixels

    def __init__(
        self,
        background: Density,
        concepts: Sequence[Density],
        *,
        warp: str = "shear",
        amount: float | None = None,
        box: Sequence[float] | None = None,
        pixel_box: Sequence[float] | None = None,
        show: Sequence[str] = LAYERS,
        operator: str = "composition",
        route: str = "first",
        name: str = "square",
        alt: str | None = None,
    ):
        concepts = checks.concepts(concepts, MOST_CONCEPTS)
        _check.choice("warp", warp, tuple(WARPS))
        named = {"background": background}
        named |= {f"concepts[{i}]": concept for i, concept in enumerate(concepts)}
        specs = [_spec(key, density, warp) for key, density in named.items()]
        show = checks.choices("show", show, LAYERS)
        _check.choice("operator", operator, OPERATORS)
        _check.choice("route", route, ROUTES)
        amount = checked_amount(warp, amount)
        given = None if box is None else checks.box("box", box)
        boxes = {key: _boxes(key, specs, given, warp) for key in WARPS}
        if pixel_box is not None:
            boxes[warp][1] = checks.box("pixel_box", pixel_box)
        super().__init__(
            background=specs[0],
            concepts=specs[1:],
            operator=operator,
            warp=warp,
            amount=amount,
            route=route,
            show=show,
            boxes=boxes,
            name=name,
            summary=_words(warp, amount) if alt is None else alt,
        )

    @classmethod
    def from_preset(
        cls, warp: str = "shear", *, amount: float | None = None, name: str = "square", **options
    ) -> Square:
        """The Square with two factorized concepts, one that sets u and one that sets v.

        options: further arguments of `Square`.
        """
        _check.choice("warp", warp, tuple(WARPS))
        background, concepts = PRESETS[warp]
        return cls(*_parts(background, concepts), warp=warp, amount=amount, name=name, **options)

    @traitlets.observe("warp")
    def _start_in_range(self, change):
        low, high, start = WARPS[change["new"]]
        if not low <= self.amount <= high:
            self.amount = start

    @property
    def map(self) -> Diffeomorphism:
        """W, the warp as it is now."""
        return warp_of(self.warp, self.amount)

    @property
    def composition(self) -> Composition:
        """C[p] in feature space, as the figure shows it now, as a Density of the library."""
        return _composed(self.operator, self._features())

    @property
    def routes(self) -> tuple[Density, Density]:
        """W # C[p] and C[W # p], each up to its normaliser."""
        return self._routes(self.operator)

    def _routes(self, operator: str) -> tuple[Density, Density]:
        features = self._features()
        pushed = [pushforward(part, self.map) for part in features]
        return pushforward(_composed(operator, features), self.map), _composed(operator, pushed)

    def differences(self) -> dict[str, float]:
        """How far the routes differ for each of the operators, as the figure says: the largest
        difference of their log densities, both normalised over the pixels' box, where either is
        above a millionth of its peak. NaN where the operator makes no distribution.
        """
        left, bottom, right, top = self.boxes[self.warp][1]
        grid = Grid([left, bottom], [right, top], CELLS)
        return {operator: self._difference(operator, grid) for operator in OPERATORS}

    def _difference(self, operator: str, grid: Grid) -> float:
        if not _exists(self.warp, operator, [self.background, *self.concepts]):
            return math.nan
        logs = [grid.masses(route).log() for route in self._routes(operator)]
        seen = torch.stack([one > one.max() + math.log(SEEN) for one in logs]).any(0)
        return float((logs[0] - logs[1])[seen].abs().max())

    def still(self) -> Still:
        features, pushed = self._features(), [pushforward(p, self.map) for p in self._features()]
        shown = self.routes[ROUTES.index(self.route)]
        box, pixel_box = self.boxes[self.warp]
        names = ("u", "v = π", "v = −π") if self.warp == "polar" else ("u", "v")
        inside = square_still.Plane(
            "features (u, v)", self.composition, features, box, lambda z: z, names
        )
        outside = square_still.Plane(
            "pixels (x, y) = W(u, v)", shown, pushed, pixel_box, self.map.forward, ("x", "y")
        )
        return square_still.draw((inside, outside), self.state())

    def _features(self) -> list[Density]:
        return [_feature(spec, self.warp) for spec in (self.background, *self.concepts)]


def warp_of(warp: str, amount: float) -> Diffeomorphism:
    """The library's warp of that name; amount in degrees, or the bend."""
    amount = checked_amount(warp, amount)
    if warp == "polar":
        return warps.polar()
    if warp == "banana":
        return warps.banana(amount)
    return getattr(warps, warp)(math.radians(amount))


def checked_amount(warp: str, amount: float | None) -> float:
    """The amount as a number in the warp's range; where it starts if None."""
    low, high, start = WARPS[warp]
    if amount is None:
        return start
    number = _check.number("amount", amount)
    if warp == "polar" and number:
        raise ValueError(f"amount must be None for polar, which has none, got {number:g}")
    if not low <= number <= high:
        raise ValueError(f"amount must be from {low:g} to {high:g} for {warp}, got {number:g}")
    return number


def _boxes(warp: str, specs: Sequence[Spec], given: list[float] | None, opening: str) -> list:
    """[box of the features, box of the pixels] for a warp.

    A box that was given for the opening warp serves all others with the same kind of features.
    """
    if warp == "polar":
        low, high = (given[0], given[2]) if given and opening == warp else span(specs, 0)
        box = [low, -math.pi, high, math.pi]
    else:
        box = given if given and opening != "polar" else fitted_box(specs)
    return [box, _pixel_box(warp, specs, Grid(box[:2], box[2:], 60))]


def _pixel_box(warp: str, specs: Sequence[Spec], grid: Grid) -> list[float]:
    """A square of pixels for every amount: where the parts and their composition are dense, but no
    more than `ROOM` times as wide as where the composition is."""
    features = [_feature(spec, warp) for spec in specs]
    if _exists(warp, "composition", specs):
        features.append(_composed("composition", features))
    logs = [density.log_prob(grid.points) for density in features]
    low, high, _ = WARPS[warp]
    steps = 6 if high > low else 0
    seen: list[list[Tensor]] = [[] for _ in features]
    for step in range(steps + 1):
        way = warp_of(warp, low + (high - low) * step / max(steps, 1))
        pixels, stretch = way.forward(grid.points), way.log_abs_det(grid.points)
        for places, values in zip(seen, logs, strict=True):
            dense = values - stretch
            places.append(pixels[dense > dense.max() - DEPTH])
    whole = _square_around(torch.cat([torch.cat(places) for places in seen]))
    return _window(whole, _square_around(torch.cat(seen[-1])))


def _square_around(points: Tensor) -> list[float]:
    low, high = points.amin(0), points.amax(0)
    half = 0.53 * float((high - low).max())
    x, y = (0.5 * (low + high)).tolist()
    return [x - half, y - half, x + half, y + half]


def _window(whole: list[float], core: list[float]) -> list[float]:
    """`whole`, or the square about `core` that is `ROOM` times as wide, moved into `whole`."""
    side = min(whole[2] - whole[0], ROOM * (core[2] - core[0]))
    x, y = (
        min(max(0.5 * (core[i] + core[i + 2] - side), whole[i]), max(whole[i], whole[i + 2] - side))
        for i in (0, 1)
    )
    return [x, y, x + side, y + side]


def _feature(spec: Spec, warp: str) -> Density:
    mixture = from_spec(spec, 2)
    return warps.Wrapped(mixture, axis=1) if warp == "polar" else mixture


def _composed(operator: str, parts: Sequence[Density]) -> Composition:
    background, *concepts = parts
    return simple_product(concepts) if operator == "product" else compose(background, concepts)


def _exists(warp: str, operator: str, specs: Sequence[Spec]) -> bool:
    """Where a feature is an angle, the other one decides: what is wrapped is bounded."""
    parts = [from_spec(spec, 2) for spec in specs]
    if warp == "polar":
        parts = [part.marginal([0]) for part in parts]
    return _composed(operator, parts).normalisable() is not False


def _spec(name: str, density: Density, warp: str) -> Spec:
    spec = to_spec(name, density, 2)
    if spec is None:
        raise ValueError(f"{name} must be a Gaussian mixture to be drawn, got {density!r}")
    widest = max(c[1][1] for c in spec["covariances"]) ** 0.5
    if warp == "polar" and widest > WIDEST_ANGLE:
        raise ValueError(
            f"{name} must have a standard deviation of at most {WIDEST_ANGLE:g} in v, an angle, "
            f"got {widest:g}"
        )
    return spec


def _words(warp: str, amount: float) -> str:
    low, high, _ = WARPS[warp]
    what = warp if high == low else f"{warp} of {amount:g}{' degrees' if high > 1 else ''}"
    return (
        "Two planes side by side. Left: feature space, with the background, the concepts and "
        f"their composition. Right: the same in pixels, after a {what}. Composing and then "
        "mapping gives the same picture as mapping and then composing."
    )


# (weight, mean, standard deviation) triples in u and in v: of the background, and of what the
# first concept makes of u and the second of v.
_CENTRAL = ((1, 0.0, 0.6),), ((1, 0.0, 0.6),)
_SIDES = (0.6, -1.5, 0.35), (0.4, 1.5, 0.35)
PRESETS = {
    "rotation": (_CENTRAL, (_SIDES, _SIDES)),
    "shear": (_CENTRAL, (_SIDES, _SIDES)),
    "banana": (_CENTRAL, (_SIDES, ((0.6, -1.2, 0.35), (0.4, 1.8, 0.35)))),
    "polar": (
        (((1, 0.3, 0.4),), ((1, 0.0, 1.4),)),
        (((0.3, -0.1, 0.12), (0.7, 0.7, 0.12)), ((0.6, -2.2, 0.35), (0.4, 0.8, 0.35))),
    ),
}


def _parts(background, concepts) -> tuple[Density, list[Density]]:
    u, v = (line(*triples) for triples in background)
    new_u, new_v = (line(*triples) for triples in concepts)
    return blocks(u, v), [blocks(new_u, v), blocks(u, new_v)]
