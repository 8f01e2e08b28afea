"""The Explorer: a figure of the plane, alive in JupyterLab and on the book's static pages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets

from projcomp import _check
from projcomp.composition import Composition, bayes, compose, simple_product
from projcomp.densities import Density
from projcomp.widgets import checks, explorer_still, fates_still
from projcomp.widgets.figure import Figure
from projcomp.widgets.presets import PRESETS
from projcomp.widgets.spec import fitted_box, from_spec, to_spec
from projcomp.widgets.still import Still

CONTROLS = (
    "sigma", "play", "presets", "operator", "weights", "layers", "sampler", "reweight", "edit",
    "readout", "curve", "share",
)  # fmt: skip
ON_REQUEST = ("drag", "fate")
LAYERS = ("parts", "composition", "interaction", "score", "samples", "truth", "shadows")
OPERATORS = ("composition", "product", "bayes")
VIEWS = {"plane": 2, "line": 1, "fates": 2}  # and the dimension that each shows
READOUTS = ("normalisable", "first", "second", "gap", "along")
METHODS = ("heun", "euler", "sde")
MOST_CONCEPTS = 4

FIXED = (
    "kind", "controls", "readouts", "preset", "presets", "view", "name", "summary", "sigma_min",
)  # fmt: skip
STATE = (
    "kind", "background", "concepts", "unconditional", "weights", "operator", "sigma", "sigma_min",
    "sigma_max", "steps", "method", "particles", "seed", "reweight", "show", "controls", "readouts",
    "box", "directions", "preset", "presets", "view", "name", "summary",
)  # fmt: skip


class Explorer(Figure):
    """A live figure of a composition in the plane.

    In JupyterLab every control is a trait that can be set and observed from Python; on a static
    page the same module runs alone.

    Args:
        background: a Gaussian mixture on R^2 (R^1 for the line), or None for a flat background.
        concepts: one to four such mixtures.
        weights: one real number for each concept; ones if None.
        unconditional: the mixture that the Bayes operator divides by; the average of the concepts
            if None.
        operator: "composition", "product" or "bayes".
        view: "plane"; "line" for densities on R^1, with the balance of their precisions; or "fates"
            for four pictures of the plane, of what the ODE, the SDE, the SDE's samples weighed by
            the interaction, and draws from the exact composition make of the same noise, each with
            how far its samples are off the noised composition.
        controls: which of `CONTROLS` are offered; all but "presets" if None. Two more on request:
            "drag", the handles without the numbers of "edit"; and "fate", which says in a word over
            the picture what has become of the composition, with the background's handles in reach.
        readouts: which of `READOUTS` the control "readout" lists: whether the composition is
            normalisable, how far the first and the second shadow are off, the gap between composed
            noise and noised composition, the interaction along a chosen particle's way. All but
            the last if None.
        show: which of `LAYERS` are drawn at first.
        sigma: the opening noise level. sigma_max: the level that sampling starts from.
        box: (left, bottom, right, top) of the plane; fitted to the densities if None.
        directions: one vector for each shadow; the coordinate axes if None.
        method, steps, particles, seed: of the sampler.
        reweight: weigh the samples by the interaction along their ways, d log w = I dv, which mends
            what the composed path gets wrong; drawn as the areas of the dots.
        name: the figure's name in links; letters, digits, "-".
        alt: what the figure shows, in words, for a reader who does not see it.

    Raises ValueError for densities that cannot be drawn, and for unknown controls, readouts,
    layers, operators or methods.
    """

    STATE = STATE

    kind = traitlets.Unicode("explorer").tag(sync=True)
    background = traitlets.Dict(allow_none=True).tag(sync=True)
    concepts = traitlets.List().tag(sync=True)
    unconditional = traitlets.Dict(allow_none=True).tag(sync=True)
    weights = traitlets.List(traitlets.Float()).tag(sync=True)
    operator = traitlets.Enum(OPERATORS).tag(sync=True)
    sigma = traitlets.Float().tag(sync=True)
    sigma_min = traitlets.Float(0.002).tag(sync=True)
    sigma_max = traitlets.Float(100.0).tag(sync=True)
    steps = traitlets.Int().tag(sync=True)
    method = traitlets.Enum(METHODS).tag(sync=True)
    particles = traitlets.Int().tag(sync=True)
    seed = traitlets.Int().tag(sync=True)
    reweight = traitlets.Bool().tag(sync=True)
    show = traitlets.List(traitlets.Enum(LAYERS)).tag(sync=True)
    controls = traitlets.List(traitlets.Enum((*CONTROLS, *ON_REQUEST))).tag(sync=True)
    readouts = traitlets.List(traitlets.Enum(READOUTS)).tag(sync=True)
    box = traitlets.List(traitlets.Float()).tag(sync=True)
    directions = traitlets.List().tag(sync=True)
    preset = traitlets.Unicode("").tag(sync=True)
    presets = traitlets.Dict().tag(sync=True)
    view = traitlets.Unicode("plane").tag(sync=True)
    # The front end hands over a memoryview, which the trait would refuse.
    _samples = traitlets.Bytes(b"").tag(sync=True, from_json=lambda value, _: bytes(value or b""))
    _log_weights = traitlets.Bytes(b"").tag(
        sync=True, from_json=lambda value, _: bytes(value or b"")
    )

    def __init__(
        self,
        background: Density | None,
        concepts: Sequence[Density],
        *,
        weights=None,
        unconditional: Density | None = None,
        operator: str = "composition",
        view: str = "plane",
        controls: Sequence[str] | None = None,
        readouts: Sequence[str] | None = None,
        show: Sequence[str] = ("parts", "composition"),
        sigma: float = 0.0,
        sigma_max: float = 100.0,
        box: Sequence[float] | None = None,
        directions=None,
        method: str = "heun",
        steps: int = 60,
        particles: int = 500,
        seed: int = 0,
        reweight: bool = False,
        name: str = "explorer",
        alt: str = "A composition of distributions in the plane.",
    ):
        concepts = checks.concepts(concepts, MOST_CONCEPTS)
        dim = VIEWS[_check.choice("view", view, tuple(VIEWS))]
        specs = [to_spec(f"concepts[{i}]", concept, dim) for i, concept in enumerate(concepts)]
        base = to_spec("background", background, dim)
        over = to_spec("unconditional", unconditional, dim)
        offered = [c for c in CONTROLS if c != "presets"] if controls is None else controls
        controls = checks.choices("controls", offered, (*CONTROLS, *ON_REQUEST))
        listed = [r for r in READOUTS if r != "along"] if readouts is None else readouts
        readouts = checks.choices("readouts", listed, READOUTS)
        show = checks.choices("show", show, LAYERS)
        if view == "fates" and "samples" not in show:
            show.append("samples")
        _check.choice("operator", operator, OPERATORS)
        _check.choice("method", method, METHODS)
        if not isinstance(reweight, bool):
            raise ValueError(f"reweight must be True or False, got {reweight!r}")
        shares = [1.0] * len(specs) if weights is None else _check.real("weights", weights).tolist()
        if len(shares) != len(specs):
            raise ValueError(f"weights must have {len(specs)} entries, got {len(shares)}")
        box = fitted_box([*specs, base, over]) if box is None else checks.box("box", box)
        directions = [[1.0, 0.0], [0.0, 1.0]] if directions is None else directions
        directions = [_unit(d) for d in _check.real("directions", directions).tolist()]
        super().__init__(
            background=base,
            concepts=specs,
            unconditional=over,
            weights=shares,
            operator=operator,
            controls=controls,
            readouts=readouts,
            show=show,
            view=view,
            sigma=float(_check.level("sigma", sigma)),
            sigma_max=float(_check.level("sigma_max", sigma_max, positive=True)),
            box=box,
            directions=directions,
            method=method,
            steps=_check.count("steps", steps, 2),
            particles=_check.count("particles", particles),
            seed=_check.count("seed", seed, 0),
            reweight=reweight,
            name=name,
            summary=alt,
            presets=_preset_states() if "presets" in controls else {},
        )

    @classmethod
    def from_preset(
        cls,
        preset: str,
        *,
        controls: Sequence[str] | None = None,
        readouts: Sequence[str] | None = None,
        sigma: float | None = None,
        view: str = "plane",
        name: str = "explorer",
        alt: str | None = None,
    ) -> Explorer:
        """The Explorer in the state of a preset; sigma and alt are the preset's own if None."""
        _check.choice("preset", preset, tuple(PRESETS))
        chosen = PRESETS[preset]()
        options = dict(chosen.options)
        if sigma is not None:
            options["sigma"] = sigma
        words = f"{chosen.title}. {chosen.notice}" if alt is None else alt
        options |= {"controls": controls, "readouts": readouts, "view": view}
        figure = cls(chosen.background, chosen.concepts, name=name, alt=words, **options)
        if figure.presets:
            figure.preset = preset  # so that its notice is read
        return figure

    @property
    def composition(self) -> Composition:
        """The composition that the figure shows now, as a Density of the library."""
        dim = VIEWS[self.view]
        concepts = [from_spec(spec, dim) for spec in self.concepts]
        if self.operator == "product":
            return simple_product(concepts, self.weights)
        if self.operator == "bayes":
            over = self.unconditional or _average(self.concepts)
            return bayes(from_spec(over, dim), concepts, self.weights)
        return compose(from_spec(self.background, dim), concepts, self.weights)

    @property
    def samples(self) -> np.ndarray:
        """(particles, dim) float64: the samples that the figure last computed; empty before."""
        dim = VIEWS[self.view]
        return np.frombuffer(self._samples, dtype=np.float64).reshape(-1, dim)

    @property
    def log_weights(self) -> np.ndarray:
        """(particles,) float64: the samples' log weights, normalised: exp of them sums to one.

        All the same unless `reweight` is on.
        """
        if self._log_weights:
            return np.frombuffer(self._log_weights, dtype=np.float64)
        count = len(self.samples)
        return np.full(count, -np.log(max(count, 1)))

    def still(self) -> Still:
        draw = fates_still.draw if self.view == "fates" else explorer_still.draw
        return draw(self.composition, self.state())


def _preset_states() -> dict[str, dict]:
    states = {}
    for name, make in PRESETS.items():
        preset = make()
        state = Explorer.from_preset(name, controls=[]).state()
        kept = {key: state[key] for key in STATE if key not in FIXED}
        states[name] = {"title": preset.title, "notice": preset.notice, **kept}
    return states


def _average(specs) -> dict:
    return {
        "weights": [w / len(specs) for spec in specs for w in spec["weights"]],
        "means": [m for spec in specs for m in spec["means"]],
        "covariances": [c for spec in specs for c in spec["covariances"]],
    }


def _unit(vector: Sequence[float]) -> list[float]:
    length = sum(x * x for x in vector) ** 0.5
    if len(vector) != 2 or length == 0:
        raise ValueError(f"directions must be nonzero vectors of the plane, got {vector}")
    if abs(length - 1.0) < 1e-12:
        return list(vector)  # so that a state's directions are its own
    return [x / length for x in vector]
