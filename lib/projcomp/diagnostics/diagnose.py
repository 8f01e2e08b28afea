"""The diagnosis of a composition: what holds, what fails, by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from projcomp import _check, metrics
from projcomp._modes import plainly
from projcomp.composition import compose
from projcomp.densities import Density
from projcomp.densities._meter import counting
from projcomp.diagnostics.angles import mean_changes, mean_cosines
from projcomp.diagnostics.budget import (
    FEWEST,
    learned,
    looked_at,
    metered,
    points_of,
    wanted_samples,
    within_budget,
)
from projcomp.diagnostics.exchange import measure
from projcomp.diagnostics.extremes import far_off, negative, start_too_low
from projcomp.diagnostics.factorisation import dependence, entanglement, leak
from projcomp.diagnostics.features import Features, features_of
from projcomp.diagnostics.measure import BATCHES, draw, noise_range
from projcomp.diagnostics.path import Path, commuting, follow
from projcomp.diagnostics.report import Background, Concept, Report
from projcomp.diagnostics.subspaces import find_blocks
from projcomp.diagnostics.verdict import verdict

FEWEST_FOR_DISTANCES = 40 * BATCHES
LEVELS = 24


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
    samples: int = 800,
    evaluations: int | None = None,
    tolerance: float | None = None,
    nats: float = 0.05,
    generator: torch.Generator | None = None,
    progress: bool | None = None,
) -> Report:
    """Examine the composition of `concepts` over `background`; print the report, or read it.

    It looks at scores and samples alone, so it takes trained networks (`Scored`) as it takes exact
    densities; total variations that need a log density or a closed form are added where there is
    one. What it measures, and where that comes from, is said in the classes of the report. Of
    networks the verdict rests on what holds for scores of any quality: samples, and exchanges of
    blocks between them. So give networks samples that they have not been trained on; those they
    draw themselves tell of what they draw, and not of the data.

    Args:
        blocks: the blocks M_1, .., M_k of Definition 5.2 (or M_b, M_1, .., M_k) as index lists that
            partition the feature coordinates, as masks or boxes of pictures (`blocks_of`), or k
            orthonormal bases (n, r_i) as `find_blocks` gives them; found by it if None.
        transform: the feature map A of Theorem 6.1, from pixels to features: a Diffeomorphism or
            an invertible matrix; pixels are the features if None. Needs `blocks`.
        sigmas: noise levels > 0 to look at, between which the sampler goes in finer steps; 24 over
            the range of the data if None, as far as all densities are known there (`sigma_range`).
        weights: weights of the concepts, (k,); ones if None.
        samples: particles of the sampler; three times as many samples of every density that has
            them, six times of networks, or 1.2 times where a density draws them by its own score.
        evaluations: at most how many scores to ask for, counted as points times densities: fewer
            particles are taken where `samples` would cost more. No limit if None.
        tolerance: as for `find_blocks`.
        nats: for networks, the exchange defect below which conditionals count as factorized. Where
            that remains open, exchanges go on with other samples, up to eight times as many.
        generator: source of all randomness.
        progress: show a bar; None shows it once two seconds have passed.

    Raises ValueError for a bad argument: blocks that overlap or do not cover the coordinates, a
    transform without an inverse, noise levels that are not positive or not known, and a budget too
    small for error bars (the message says what is needed).
    """
    composition = compose(background, concepts, weights)
    count, dim = len(composition.concepts), composition.dim
    samples = _check.count("samples", samples)
    _check.source("generator", generator)
    nats = _check.one_level("nats", nats, positive=True)
    if transform is not None and blocks is None:
        raise ValueError("blocks must be given where a transform is")
    features = None
    if blocks is not None:
        features = features_of(blocks, transform, count, dim, composition.shape)
    densities = [background, *composition.concepts]
    levels = noise_range(densities, sigmas, LEVELS, generator)
    swaps = features is not None and features.transform.orthogonal
    samples, expected, rounds = within_budget(densities, samples, levels, swaps, evaluations)
    with metered(expected, progress) as meter:
        report = _examine(
            composition, features, levels, samples, tolerance, generator, nats, rounds
        )
    report = replace(report, evaluations=meter.count)
    return replace(report, verdict=verdict(report))


def _examine(composition, features, levels, samples, tolerance, generator, nats, rounds) -> Report:
    densities = [composition.background, *composition.concepts]
    notes: list[str] = []
    enough = samples >= FEWEST
    if not enough:
        notes.append(f"{samples} samples support no error bars: at least {FEWEST} are needed.")
    of_networks, count = learned(densities), len(composition.concepts)
    if of_networks and not all(p.most_samples for p in densities):
        notes.append(
            "Samples that a density draws by its own score tell of what it draws: hand over data "
            "(samples=) to know whether the scores are right."
        )
    if features is None:
        features = _look_for(composition, levels, tolerance, generator, notes)
    usable = features if features is not None and features.transform.orthogonal else None
    path = _path(composition, samples, levels, generator, usable, notes) if enough else None
    clean = [_reference(p, samples, levels, generator, notes) for p in densities]
    least = min(map(len, clean))
    if path is not None:
        reach = torch.cat([*clean, path.samples])
        with counting(None):  # closed forms
            gaps = commuting(composition, levels, samples, reach, generator)
        known = [replace(a, commuting=b) for a, b in zip(path.levels, [*gaps, None], strict=True)]
        path = replace(path, levels=known)
        if least >= FEWEST:
            few = [points[: 3 * samples] for points in clean]
            path = _with_mean_cosines(path, densities, few, float(levels[0]), generator)
            notes += far_off(path.samples, clean)
    notes += start_too_low(clean, float(levels[0])) if of_networks and least else []
    notes += negative(composition) if of_networks else []
    looked, points = looked_at(levels), points_of(densities, samples, usable is not None)
    measured = None
    if path is not None and least >= FEWEST:
        measured = measure(
            composition, usable, clean, looked, points, generator, nats,
            rounds if of_networks else 1, of_networks,
        )  # fmt: skip
    found = []
    for index in range(count):
        fell = measured.short[index + 1] if of_networks and measured is not None else None
        if features is None:
            found.append(Concept(short=fell))
            continue
        own = clean[index + 1]
        swap = None if measured is None else measured.exchanges[index]
        spill = None if measured is None else measured.leaks[index]
        if spill is None and len(own) >= FEWEST:
            concept, base = composition.concepts[index], composition.background
            spill = leak(concept, base, features, index, own[:points], looked, generator)
        distances = _distances(composition, features, index, own, clean[0], path, generator, notes)
        found.append(Concept(spill, *distances, exchange=swap, short=fell))
    base = _background(composition.background, features, clean[0], looked, points, generator)
    if of_networks and measured is not None:
        base = replace(base, short=measured.short[0])
    return Report(
        dim=composition.dim,
        samples=samples,
        weights=composition.weights.tolist(),
        normalisable=composition.normalisable(0.0),
        lost=[sigma for sigma in levels.tolist() if composition.normalisable(sigma) is False],
        features=features,
        concepts=found,
        background=base,
        path=path,
        notes=notes,
        learned=of_networks,
        explained=None if measured is None or count < 2 else measured.explained,
        range=(float(levels[-1]), float(levels[0])),
        nats=nats,
    )


def _look_for(composition, levels, tolerance, generator, notes) -> Features | None:
    """The feature space found from the deltas; None, with a note, where their spans overlap."""
    found = find_blocks(
        composition.background,
        composition.concepts,
        sigmas=levels[::2] if len(levels) > 3 else levels,
        tolerance=tolerance,
        generator=generator,
    )
    features = found.features()
    if features is None:
        why = (
            f"span subspaces of {found.ranks} dimensions that are not orthogonal to each other"
            if all(found.clear)
            else "fill all directions, with no gap between what changes and what is error"
        )
        notes.append(
            f"No blocks were given, and the deltas {why}: no blocks, so nothing is said of "
            "factorisation."
        )
    return features


def _path(composition, samples, levels, generator, features, notes) -> Path | None:
    try:
        return follow(composition, samples, levels, generator, features)
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
    """Samples (N, n) of a density, as many as are wanted and there are."""
    count = wanted_samples(density, samples)
    if 0 < density.most_samples < count:
        count = int(density.most_samples)
    try:
        return draw(density, count, levels, generator)
    except ValueError as error:
        notes.append(f"No samples could be drawn: {error}.")
        return torch.empty(0, density.dim, dtype=torch.float64, device="cpu")


def _background(
    density: Density,
    features: Features | None,
    clean: Tensor,
    levels: Tensor,
    points: int,
    generator,
) -> Background:
    if features is None or len(features.parts) < 2:
        return Background()
    third = len(clean) // 3
    nats = apart = None
    if features.transform.orthogonal and len(clean) >= FEWEST:
        nats = entanglement(density, features, clean[:points], levels, generator)
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
