"""What the sandbox's verdict rests on, and fits of mixtures, by the library and by NumPy."""

from __future__ import annotations

import math

import numpy as np
import projcomp as pc
import torch
from projcomp import metrics
from projcomp.densities import LinearMap, pushforward
from projcomp.diagnostics.factorisation import leak
from projcomp.diagnostics.features import Features
from projcomp.diagnostics.path import _gap_on_grid
from projcomp.widgets.presets import PRESETS
from projcomp.widgets.spec import to_spec
from torch import Tensor

EXAMINED = ("factorized", "shear", "rotation", "dependent", "guidance", "overlap")
POINTS = 120
LINE = 1200


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def direction(concept, background, points: Tensor) -> tuple[list[float], int]:
    """The strongest direction of the score deltas at points, and how many there are."""
    deltas = concept.score(points, 0.0) - background.score(points, 0.0)
    _, values, rows = torch.linalg.svd(deltas, full_matrices=False)
    unit = rows[0] * torch.sign(rows[0][rows[0].abs().argmax()])
    return unit.tolist(), int((values > 1e-6 * values[0]).sum())


def leaks(concept, background, rows: Tensor, index: int, points: Tensor) -> list[float]:
    # Scaled, so that the map is not orthogonal, and the library looks at sigma = 0 alone.
    features = Features(LinearMap(2 * rows), [], [[0], [1]])
    levels = torch.tensor([1.0, 0.5], dtype=torch.float64)
    found = leak(concept, background, features, index, points, levels, seeded(0))
    return [found.off_block.value, found.others.value]


def dependence(density: pc.GaussianMixture, rows: Tensor) -> float:
    law = pushforward(density, LinearMap(rows))
    spread = 5 * torch.diagonal(law.covariances, dim1=1, dim2=2).sqrt()
    grid = pc.Grid((law.means - spread).amin(0), (law.means + spread).amax(0), 120)
    masses = grid.masses(law)
    product = torch.outer(masses.sum(1), masses.sum(0))
    return float(0.5 * (masses - product).abs().sum())


def along(density: pc.GaussianMixture, unit: Tensor) -> pc.GaussianMixture:
    variances = torch.einsum("a,kab,b->k", unit, density.covariances, unit)
    return pc.GaussianMixture(density.weights, (density.means @ unit)[:, None], variances)


def line_gap(own: pc.GaussianMixture, found: pc.GaussianMixture) -> float:
    """Total variation over a line that holds both to five deviations."""
    kept = found.weights > 1e-9
    means = torch.cat([own.means, found.means[kept]]).flatten()
    reach = 5 * torch.cat([own.covariances, found.covariances[kept]]).flatten().sqrt()
    grid = pc.Grid([float((means - reach).min())], [float((means + reach).max())], LINE)
    return float(0.5 * (grid.masses(own) - grid.masses(found)).abs().sum())


def slanting_gap(composition, concept, unit: Tensor, reach: float) -> float:
    """The same for a composition without a closed form, on a grid that lies along the vector."""
    turn = LinearMap(torch.stack([unit, torch.stack([-unit[1], unit[0]])]))
    turned = pc.compose(
        pushforward(composition.background, turn),
        [pushforward(c, turn) for c in composition.concepts],
        composition.weights,
    )
    across = reach * float(unit.abs().sum())
    own = along(concept, unit)
    spread = 5 * own.covariances.flatten().sqrt()
    low = min(-across, float((own.means[:, 0] - spread).min()))
    high = max(across, float((own.means[:, 0] + spread).max()))
    masses = pc.Grid([low, -across], [high, across], 160).masses(turned).sum(1)
    wanted = pc.Grid([low], [high], 160).masses(own)
    return float(0.5 * (masses - wanted).abs().sum())


def examined(name: str) -> dict:
    """One preset's numbers, at points that the page is handed too."""
    preset = PRESETS[name]()
    background, concepts = preset.background, preset.concepts
    weights = preset.options.get("weights")
    composition = pc.compose(background, concepts, weights)
    clean = [p.sample(POINTS, 0.0, seeded(i)) for i, p in enumerate([background, *concepts])]
    found = [
        direction(p, background, torch.cat([clean[0], own]))
        for p, own in zip(concepts, clean[1:], strict=True)
    ]
    rows = torch.tensor([unit for unit, _ in found], dtype=torch.float64)
    try:
        exact = composition.exact()
    except ValueError:
        exact = None
    reach = 6.0
    shadows = [
        line_gap(along(p, u), along(exact, u)) if exact else slanting_gap(composition, p, u, reach)
        for p, u in zip(concepts, rows, strict=True)
    ]
    low = torch.tensor([-reach, -reach], dtype=torch.float64)
    levels = [0.1, 0.6, 3.0]
    wide = [pc.Grid(low - 4 * s, -low + 4 * s, 80) for s in levels]
    closed = exact and [
        float(0.5 * (grid.masses(composition, s) - grid.masses(exact, s)).abs().sum())
        for grid, s in zip(wide, levels, strict=True)
    ]
    return {
        "name": name,
        "background": to_spec("background", background, 2),
        "concepts": [to_spec("concept", p, 2) for p in concepts],
        "weights": composition.weights.tolist(),
        "clean": [points.tolist() for points in clean],
        "directions": [unit for unit, _ in found],
        "ranks": [rank for _, rank in found],
        "leaks": [
            leaks(p, background, rows, i, own)
            for i, (p, own) in enumerate(zip(concepts, clean[1:], strict=True))
        ],
        "tied": dependence(background, rows),
        "exact": exact is not None,
        "shadows": shadows,
        "reach": reach,
        "levels": levels,
        "gaps": [_gap_on_grid(composition, s, low, -low, 80) for s in levels],
        "closed": closed,
    }


def distances() -> dict:
    x, y = (torch.randn(n, 2, generator=seeded(n), dtype=torch.float64) + n / 90 for n in (60, 90))
    shares = torch.rand(60, generator=seeded(1), dtype=torch.float64)
    shares = shares / shares.sum()
    between, own, other = ((a[:, None] - b).norm(dim=-1) for a, b in ((x, y), (x, x), (y, y)))
    within = float(shares @ own @ shares) + float(other.mean())
    weighed = math.sqrt(2 * float(shares @ between.mean(1)) - within)
    return {
        "x": x.tolist(), "y": y.tolist(), "shares": shares.tolist(),
        "energy": metrics.energy_distance(x, y), "weighed": weighed,
    }  # fmt: skip


def edges() -> list[dict]:
    """The highest noise level at which there is no composition: sqrt((k - 1) - k s^2)."""
    found = []
    for k, s in ((2, 0.6), (2, 0.8), (4, 0.7)):
        concepts = [pc.gaussian([float(i), 0.0], 1.0) for i in range(k)]
        gap = (k - 1) - k * s**2
        found.append(
            {
                "background": to_spec("background", pc.gaussian([0, 0], s**2), 2),
                "concepts": [to_spec("concept", c, 2) for c in concepts],
                "edge": math.sqrt(gap) if gap > 0 else None,
            }
        )
    return found


def em(points: np.ndarray, weights, means, covariances, floor: float, steps: int) -> list[list]:
    """Expectation and maximisation, with eigenvalues of covariances raised to the floor."""
    for _ in range(steps):
        logs = np.stack(
            [
                math.log(w) - 0.5 * np.linalg.slogdet(2 * np.pi * c)[1]
                - 0.5 * np.einsum("na,ab,nb->n", points - m, np.linalg.inv(c), points - m)
                for w, m, c in zip(weights, means, covariances, strict=True)
            ]
        )  # fmt: skip
        held = np.exp(logs - np.logaddexp.reduce(logs, 0))
        weights = held.sum(1) / len(points)
        means = held @ points / held.sum(1)[:, None]
        covariances = []
        for h, m in zip(held, means, strict=True):
            values, axes = np.linalg.eigh((h[:, None] * (points - m)).T @ (points - m) / h.sum())
            covariances.append(axes @ np.diag(np.maximum(values, floor)) @ axes.T)
    return [np.asarray(value).tolist() for value in (weights, means, covariances)]


def fits() -> list[dict]:
    found = []
    for components, floor, steps in ((1, 0.04, 1), (3, 0.09, 30), (8, 0.01, 60)):
        turn = torch.linspace(0, 4.5, 160, dtype=torch.float64)
        points = torch.stack([2 * turn.cos(), turn.sin() + 0.3 * turn], 1).numpy()
        runs = np.array_split(points, components)
        start = (
            np.array([len(run) / len(points) for run in runs]),
            np.array([run.mean(0) for run in runs]),
            np.array([0.3 * np.eye(2) for _ in runs]),
        )
        found.append(
            {
                "points": points.tolist(), "floor": floor, "steps": steps,
                "start": [value.tolist() for value in start],
                "end": em(points, *start, floor, steps),
            }
        )  # fmt: skip
    return found


def verdicts() -> dict:
    return {
        "examined": [examined(name) for name in EXAMINED],
        "distances": distances(), "edges": edges(), "fits": fits(),
    }  # fmt: skip
