"""The Explorer's presets: one for every experiment of the book that lives in the plane."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from projcomp import warps
from projcomp.densities import Density, GaussianMixture, gaussian, pushforward
from projcomp.widgets.spec import blocks, line


@dataclass(frozen=True)
class Preset:
    """A state of the Explorer under a name.

    notice: what to look for. options: further arguments of `Explorer`.
    """

    title: str
    notice: str
    background: Density | None
    concepts: list[Density]
    options: dict = field(default_factory=dict)


def factorized() -> Preset:
    base_x, base_y = line((0.5, -0.8, 0.6), (0.5, 1, 0.6)), line((0.4, -1, 0.5), (0.6, 0.7, 0.7))
    new_x = line((0.55, -2, 0.25), (0.45, 1.5, 0.5))
    new_y = line((0.3, -2.5, 0.3), (0.4, 0, 0.3), (0.3, 2.5, 0.3))
    return Preset(
        "factorized conditionals",
        "Each concept changes one coordinate, independently of the other. Scrub σ: the dashed "
        "truth stays on the composition at every noise level.",
        blocks(base_x, base_y),
        [blocks(new_x, base_y), blocks(base_x, new_y)],
        {"show": ["composition", "truth", "shadows"], "box": [-4, -4, 4, 4]},
    )


def two_concepts() -> Preset:
    return Preset(
        "two concepts",
        "Change the operator: the product and Bayes land halfway, the composition moves both "
        "coordinates.",
        gaussian([0, 0], 0.25),
        [gaussian([3, 0], 0.25), gaussian([0, 3], 0.25)],
        {"show": ["parts", "composition", "shadows"], "box": [-2, -2, 5, 5]},
    )


def blend() -> Preset:
    return Preset(
        "wrong background: a blend",
        "The background is the average of the concepts. Both objects are there by half.",
        gaussian([0, 0], 0.04),
        [gaussian([1, 0], 0.04), gaussian([0, 1], 0.04)],
        {"operator": "bayes", "show": ["parts", "composition", "shadows"], "box": [-1, -1, 2, 2]},
    )


def clutter() -> Preset:
    coin, on = line((0.5, 0, 0.2), (0.5, 1, 0.2)), line((1, 1, 0.2))
    concepts = [blocks(on, coin), blocks(coin, on)]
    either = GaussianMixture(
        torch.cat([0.5 * c.weights for c in concepts]),
        torch.cat([c.means for c in concepts]),
        torch.cat([c.covariances for c in concepts]),
    )
    return Preset(
        "clutter: Bayes nearly works",
        "Training pictures hold other objects too. Now the unconditional is almost a background.",
        blocks(coin, coin),
        concepts,
        {
            "operator": "bayes",
            "unconditional": either,
            "show": ["parts", "composition", "shadows"],
            "box": [-1, -1, 2, 2],
        },
    )


def sheared(degrees: float, m: float, s: float, shares=((0.5, 0.5), (0.5, 0.5))):
    """Background and concepts u = ±m, v = ±m, in pixel axes at an angle; and the feature rows."""
    axes = warps.shear(math.radians(degrees))
    flat = line((1, 0, s))
    pair = [line((a, m, s), (b, -m, s)) for a, b in shares]
    features = [blocks(flat, flat), blocks(pair[0], flat), blocks(flat, pair[1])]
    background, *concepts = [pushforward(f, axes) for f in features]
    return background, concepts, torch.linalg.inv(axes.matrix).tolist()


def shear(degrees: float, m: float, s: float, title: str, notice: str) -> Callable[[], Preset]:
    def make() -> Preset:
        background, concepts, rows = sheared(degrees, m, s)
        show = ["composition", "samples", "truth", "shadows"]
        reach = 2.2 * m + 3 * s
        box = [-reach, -reach, reach, reach]
        options = {"show": show, "box": box, "directions": rows, "sigma": 0.6}
        return Preset(title, notice, background, concepts, options)

    return make


def reweighted() -> Preset:
    background, concepts, rows = sheared(60, 1, 0.4)
    return Preset(
        "mending the mild shear",
        "Seven samples in ten end in two of four blobs. The interaction along its way says what "
        "each weighs (its dot's area), and the blobs are equal again. The samples are worth fewer.",
        background,
        concepts,
        {
            "show": ["composition", "samples", "truth", "shadows"],
            "box": [-3.4, -3.4, 3.4, 3.4],
            "directions": rows,
            "reweight": True,
        },
    )


def skewed_shear() -> Preset:
    background, concepts, rows = sheared(60, 2, 0.3, ((0.7, 0.3), (0.3, 0.7)))
    options = {"show": ["composition", "samples", "shadows"], "directions": rows}
    return Preset(
        "shear with unequal shares",
        "At σ = 0 both shadows are right. The samples' shares are not.",
        background,
        concepts,
        {**options, "box": [-5.5, -5.5, 5.5, 5.5]},
    )


def rotation() -> Preset:
    background, concepts, _ = sheared(90, 2, 0.3)
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=torch.float64, device="cpu")
    return Preset(
        "rotation: exact",
        "The same, in axes that are turned but still at right angles: truth and composition agree "
        "at every σ.",
        pushforward(background, turn),
        [pushforward(c, turn) for c in concepts],
        {
            "show": ["composition", "samples", "truth", "shadows"],
            "directions": turn.T.tolist(),
            "box": [-4.5, -4.5, 4.5, 4.5],
            "sigma": 0.6,
        },
    )


def jump() -> Preset:
    tau, w, s = 0.3, 0.8, 0.03
    near, far = line((1 - w, 0, s), (w, 1, s)), line((1 - w, 0, s), (w, 1 + tau, s))
    rest = line((1, 0, 0.3))
    return Preset(
        "a jump on the way",
        "The two concepts agree at 0 and nearly agree at 1. Scrub σ from high to low: the mass "
        "sits near 1, then jumps to 0. Samples can't follow.",
        blocks(line((1, 0, 3)), rest),
        [blocks(near, rest), blocks(far, rest)],
        {"show": ["composition", "samples", "truth"], "box": [-0.7, -1.1, 1.5, 1.1], "sigma": 0.3},
    )


def overlap() -> Preset:
    angle = math.radians(40)
    tilted = [2.5 * math.cos(angle), 2.5 * math.sin(angle)]
    return Preset(
        "overlapping concepts: overshoot",
        "Both concepts move the first coordinate. Their changes add up, and the composition goes "
        "too far: look at the first shadow.",
        gaussian([0, 0], 0.2),
        [gaussian([2.5, 0], 0.2), gaussian(tilted, 0.2)],
        {"show": ["parts", "composition", "shadows"], "box": [-2, -2.5, 6, 5.5]},
    )


def dependent() -> Preset:
    tied = [[1.0, 0.6], [0.6, 1.0]]
    return Preset(
        "a dependent background",
        "The coordinates hang together under the background. The composition turns their "
        "correlation around, and misses both shadows.",
        gaussian([0, 0], tied),
        [gaussian([2, 0], [0.2, 1.0]), gaussian([0, 2], [1.0, 0.2])],
        {"show": ["parts", "composition", "truth", "shadows"], "box": [-4, -4, 5, 5]},
    )


def guidance() -> Preset:
    pair, base = line((0.5, -0.5, 0.4), (0.5, 2, 0.4)), line((1, 0, 1))
    return Preset(
        "guidance: weights of 3",
        "Weights above one exaggerate. Samples (dots) and composition (shading) disagree.",
        blocks(base, base),
        [blocks(pair, base), blocks(base, pair)],
        {"weights": [3, 3], "show": ["composition", "samples", "shadows"], "box": [-3, -3, 4, 4]},
    )


def too_narrow(s: float, title: str, notice: str) -> Callable[[], Preset]:
    def make() -> Preset:
        options = {"show": ["parts", "composition", "samples"], "sigma": 1.0, "box": [-6, -6, 9, 9]}
        concepts = [gaussian([2, 0], 1), gaussian([0, 2], 1)]
        return Preset(title, notice, gaussian([0, 0], s**2), concepts, options)

    return make


def speck() -> Preset:
    eta = 1e-12
    spoiled = GaussianMixture([1 - eta, eta], [[4, 0], [0, 8]], 1.0)
    return Preset(
        "a speck of 1e-12",
        "Concept 1 holds one part in 10¹² of something else: invisible, and the composition lies "
        "with it.",
        gaussian([0, 0], 1),
        [spoiled, gaussian([0, 4], 1)],
        {"show": ["parts", "composition"], "box": [-4, -4, 14, 14]},
    )


def few_steps() -> Preset:
    preset = factorized()
    options = {"show": ["composition", "samples", "shadows"], "steps": 5, "method": "euler"}
    return Preset(
        "too few steps",
        "The distributions are all right. Five Euler steps are not: raise the number of steps.",
        preset.background,
        preset.concepts,
        {**options, "box": [-4, -4, 4, 4]},
    )


def wrong_start() -> Preset:
    return Preset(
        "start at the wrong noise",
        "Sampling starts at σ = 1, where the truth is far from a round cloud about 0: the samples "
        "keep the error.",
        gaussian([0, 0], 0.25),
        [gaussian([3, 0], 0.25), gaussian([0, 3], 0.25)],
        {"show": ["composition", "samples"], "sigma_max": 1.0, "box": [-2, -2, 5, 5]},
    )


PRESETS: dict[str, Callable[[], Preset]] = {
    "factorized": factorized,
    "two-concepts": two_concepts,
    "blend": blend,
    "clutter": clutter,
    "overlap": overlap,
    "dependent": dependent,
    "rotation": rotation,
    "shear": shear(
        60, 2, 0.3, "shear: right target, wrong path",
        "At σ = 0 the composition is right. On the way it is not (dashed: the truth), and the "
        "samples end in the wrong shares.",
    ),
    "mild-shear": shear(
        60, 1, 0.4, "a milder shear", "The same with blobs that overlap: less is lost on the way."
    ),
    "reweighted": reweighted,
    "steep-shear": shear(
        30, 2, 0.3, "a steep shear", "Axes at 30°: nearly every sample ends in two of four blobs."
    ),
    "skewed-shear": skewed_shear,
    "jump": jump,
    "guidance": guidance,
    "tidy-lie": too_narrow(
        0.6, "not normalisable: a tidy lie",
        "No distribution has this score at σ = 0. The samples look as if there were one.",
    ),
    "narrow": too_narrow(
        0.8, "it exists, and is missed", "The composition exists; the samples stop halfway to it."
    ),
    "speck": speck,
    "few-steps": few_steps,
    "wrong-start": wrong_start,
}  # fmt: skip
