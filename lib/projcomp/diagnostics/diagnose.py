"""The diagnosis of a composition: what holds, what fails, by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from projcomp import _check, metrics
from projcomp._modes import plainly
from projcomp.composition import Composition, compose
from projcomp.densities import Density, Scored
from projcomp.diagnostics.angles import mean_changes, mean_cosines
from projcomp.diagnostics.factorisation import dependence, entanglement, leak
from projcomp.diagnostics.measure import BATCHES, draw, noise_range
from projcomp.diagnostics.path import Path, commuting, follow
from projcomp.diagnostics.report import Background, Concept, Report
from projcomp.diagnostics.subspaces import Features, features_of, find_blocks, found_features
from projcomp.diagnostics.verdict import verdict

FEWEST = 20 * BATCHES
"""Fewer particles than this support no number with an error bar."""
FEWEST_FOR_DISTANCES = 40 * BATCHES


@plainly
@torch.no_grad()
def diagnose(
    background: Density,
    concepts: Sequence[Density],
    blocks=None,
    transform=None,
    sigmas=None,
    *,
    weights=None,
    samples: int = 2000,
    tolerance: float = 1e-6,
    generator: torch.Generator | None = None,
) -> Report:
    """Examine the composition of `concepts` over `background`; print the report, or read it.

    It looks at scores and samples alone, so it takes trained networks (`Scored`) as it takes exact
    densities; total variations that need a log density or a closed form are added where there is
    one. What it measures, and where that comes from, is said in the classes of the report.

    Args:
        blocks: the blocks M_1, .., M_k of Definition 5.2 (or M_b, M_1, .., M_k) as index lists that
            partition the feature coordinates, or k orthonormal bases (n, r_i) as `find_blocks`
            gives them; found by `find_blocks` if None.
        transform: the feature map A of Theorem 6.1, from pixels to features: a Diffeomorphism or
            an invertible matrix; pixels are the features if None. Needs `blocks`.
        sigmas: noise levels > 0 to look at, between which the sampler goes in finer steps; 24 over
            the range of the data if None.
        weights: weights of the concepts, (k,); ones if None.
        samples: particles of the sampler, and samples of every density.
        tolerance: as for `find_blocks`.
        generator: source of all randomness.

    Raises ValueError for a bad argument: blocks that overlap or do not cover the coordinates, a
    transform without an inverse, noise levels that are not positive.
    """
    composition = compose(background, concepts, weights)
    count, dim = len(composition.concepts), composition.dim
    samples = _check.count("samples", samples)
    _check.source("generator", generator)
    if transform is not None and blocks is None:
        raise ValueError("blocks must be given where a transform is")
    features = None if blocks is None else features_of(blocks, transform, count, dim)
    densities = [background, *composition.concepts]
    levels = noise_range(densities, sigmas, 24, generator)
    notes: list[str] = []
    enough = samples >= FEWEST
    if not enough:
        notes.append(f"{samples} samples support no error bars: at least {FEWEST} are needed.")
    if any(isinstance(density, Scored) for density in densities):
        notes.append(
            "Known by score alone: an error of the scores shows as a wrong path, and as deltas "
            "that leave their blocks. Compare with samples, or with a better model."
        )
    if features is None:
        features = _look_for(composition, levels, tolerance, generator, notes)

    path = _path(composition, samples, levels, generator, notes) if enough else None
    clean = [_reference(p, samples, levels, generator, notes) for p in densities]
    if path is not None:
        gaps = commuting(composition, levels, samples, torch.cat([*clean, path.samples]), generator)
        known = [replace(a, commuting=b) for a, b in zip(path.levels, [*gaps, None], strict=True)]
        path = replace(path, levels=known)
        if min(map(len, clean)) >= FEWEST:
            path = _with_mean_cosines(path, densities, clean, float(levels[0]), generator)

    found = []
    for index, concept in enumerate(composition.concepts):
        if features is None:
            found.append(Concept())
            continue
        own = clean[index + 1]
        spill = None
        if len(own) >= FEWEST:
            spill = leak(concept, background, features, index, own[:samples], levels, generator)
        distances = _distances(composition, features, index, own, clean[0], path, generator, notes)
        found.append(Concept(spill, *distances))
    report = Report(
        dim=dim,
        samples=samples,
        weights=composition.weights.tolist(),
        normalisable=composition.normalisable(0.0),
        lost=[sigma for sigma in levels.tolist() if composition.normalisable(sigma) is False],
        features=features,
        concepts=found,
        background=_background(background, features, clean[0], levels, generator),
        path=path,
        notes=notes,
    )
    return replace(report, verdict=verdict(report))


def _look_for(composition, levels, tolerance, generator, notes) -> Features | None:
    """The feature space found from the deltas; None, with a note, where their spans overlap."""
    bases = find_blocks(
        composition.background,
        composition.concepts,
        sigmas=levels[::2] if len(levels) > 3 else levels,
        tolerance=tolerance,
        generator=generator,
    )
    sizes = [basis.shape[1] for basis in bases]
    features = found_features(bases, composition.dim)
    if features is None:
        notes.append(
            f"No blocks were given, and the deltas span subspaces of {sizes} dimensions that are "
            "not orthogonal to each other: no blocks, so nothing is said of factorisation."
        )
    return features


def _path(composition: Composition, samples, levels, generator, notes) -> Path | None:
    try:
        return follow(composition, samples, levels, generator)
    except ValueError as error:
        notes.append(f"The path could not be followed: {error}.")
        return None


def _with_mean_cosines(path: Path, densities, clean, sigma: float, generator) -> Path:
    """Of means that are measured on the densities' own samples, wherever the levels lie."""
    background, *concepts = densities
    changes = mean_changes(background, concepts, clean, sigma, generator)
    size = max(float(points.abs().max()) for points in clean)
    cosines, errors = mean_cosines(changes, 1e-12 * (sigma + size))
    return replace(path, mean_cosines=cosines, mean_cosines_error=errors)


def _reference(density: Density, samples: int, levels, generator, notes) -> Tensor:
    """Samples of a density: three times as many as asked for where it has them."""
    if 0 < density.most_samples < 3 * samples:
        return density.sample(int(density.most_samples), 0.0, generator)
    try:
        return draw(density, 3 * samples, levels, generator)
    except ValueError as error:
        notes.append(f"No samples could be drawn: {error}.")
        return torch.empty(0, density.dim, dtype=torch.float64, device="cpu")


def _background(
    density: Density, features: Features | None, clean: Tensor, levels: Tensor, generator
) -> Background:
    if features is None or len(features.parts) < 2:
        return Background()
    third = len(clean) // 3
    nats = apart = None
    if features.transform.orthogonal and third >= FEWEST:
        nats = entanglement(density, features, clean[:third], levels, generator)
    if third >= FEWEST_FOR_DISTANCES:
        points = features.transform.forward(clean)
        apart = dependence(points[:third], points[third:], features.parts, generator)
    return Background(nats, apart)


def _distances(composition, features: Features, index, own, base, path, generator, notes):
    """Of one concept, against noise floors: dependence, distance off its block, and shadows.

    The shadows are those of the sampler's particles, and of C itself where that has a closed form.
    """
    count = min(len(own), len(base)) // 3
    if count < FEWEST_FOR_DISTANCES:
        notes.append(
            f"Concept {index + 1}: {min(len(own), len(base))} samples support no distances: at "
            f"least {3 * FEWEST_FOR_DISTANCES} are needed."
        )
        return None, None, None, None
    chart = features.transform
    block, rest = features.own[index], features.rest(index)
    z, reference, other = (chart.forward(p) for p in (own[:count], own[count:], base))
    tied = away = None
    if rest:
        tied = dependence(z, reference, [block, rest], generator)
        away = _compare(z[:, rest], other[:, rest], generator)
    shadow = target = None
    if path is not None:
        shadow = _shadow(chart.forward(path.samples)[:, block], reference[:, block], generator)
    try:
        exact = composition.exact(0.0).sample(count, 0.0, generator)
    except ValueError:
        pass
    else:
        target = _shadow(chart.forward(exact)[:, block], reference[:, block], generator)
    return tied, away, shadow, target


def _shadow(points: Tensor, reference: Tensor, generator) -> metrics.Comparison:
    return _compare(points[: len(reference) // 2], reference, generator)


def _compare(points: Tensor, reference: Tensor, generator) -> metrics.Comparison:
    return metrics.compare(points, reference, batches=BATCHES, generator=generator)
