"""How often the library's 95% intervals cover the truth.

Prints one table: for every interval, the share of seeds at which it covered, with the Wilson
interval (of 95%) of that share. A row is a name and a function of a seed that says whether the
interval made with that seed covers; to add one, append it to `ROWS`. The
truths of a diagnosis are those of one with many more samples.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import cache, partial

import projcomp as pc
import torch
from projcomp import metrics
from samplers import seeded

TARGET = pc.GaussianMixture([0.3, 0.7], [[0.0, 1.0], [2.0, -1.0]], [0.2, 0.6])
BATCHES, BATCH = 8, 50
CHANCE, TRIALS = 0.3, 100
TRUTH_SEED, TRUTH_PAIRS = 1_000_000, 4000
TRUTH_DIAGNOSES, TRUTH_SAMPLES = 5, 20_000


@cache
def mean_distance(distance: Callable) -> float:
    """Between two exact sets of `BATCH` points: an average over many pairs.

    Its own error is a twentieth of that of `BATCHES` batches.
    """
    generator = seeded(TRUTH_SEED)
    found = []
    for _ in range(TRUTH_PAIRS):
        x, y = (TARGET.sample(BATCH, generator=generator) for _ in range(2))
        found.append(distance(x, y))
    return sum(found) / len(found)


def one_way(x, y) -> float:
    """Sliced distance along 16 fixed directions."""
    return metrics.sliced_w2(x, y, 16, seeded(0))


def comparison_covers(distance: Callable, seed: int) -> bool:
    """`compare` at exact samples: the mean distance between exact sets of a batch's size."""
    generator = seeded(seed)
    samples = TARGET.sample(BATCHES * BATCH, generator=generator)
    found = metrics.compare(samples, TARGET, distance, batches=BATCHES, generator=generator)
    lower, upper = found.interval()
    return lower <= mean_distance(distance) <= upper


def mean_covers(seed: int) -> bool:
    """`mean_interval` of a few normal values."""
    values = 5.0 + torch.randn(BATCHES, generator=seeded(seed), dtype=torch.float64)
    _, lower, upper = metrics.mean_interval(values)
    return lower <= 5.0 <= upper


def mean_and_error_covers(seed: int) -> bool:
    """`mean_and_error` of many skewed values (squares of normal ones), ± 1.96 errors."""
    values = torch.randn(1000, generator=seeded(seed), dtype=torch.float64).square()
    mean, error = metrics.mean_and_error(values)
    return abs(mean - 1.0) <= 1.96 * error


def proportion_covers(seed: int) -> bool:
    """`proportion` of tosses of a coin."""
    hits = torch.rand(TRIALS, generator=seeded(seed), dtype=torch.float64) < CHANCE
    _, lower, upper = metrics.proportion(int(hits.sum()), TRIALS)
    return lower <= CHANCE <= upper


def chain_mean_covers(rho: float, seed: int) -> bool:
    """`mean_with_error` of 8 autoregressive chains of 1,000 moves, ± 1.96 errors."""
    generator = seeded(seed)
    noise = torch.randn(1000, 8, 1, generator=generator, dtype=torch.float64)
    draws = [noise[0]]
    for step in noise[1:]:
        draws.append(rho * draws[-1] + (1.0 - rho**2) ** 0.5 * step)
    mean, error = pc.samplers.mean_with_error(torch.stack(draws))
    return abs(float(mean[0])) <= 1.96 * float(error[0])


BACKGROUND = pc.gaussian([0.0, 0.0], 3.0)
CONCEPTS = [
    pc.GaussianMixture([0.3, 0.7], [[-1.0, 0.2], [1.5, 0.0]], [1.6, 1.4]),
    pc.GaussianMixture([0.6, 0.4], [[0.5, -1.0], [0.0, 1.2]], [1.5, 1.7]),
]
LEVELS = [20.0, 2.0, 1.0, 0.2]


def diagnosis(samples: int, seed: int) -> pc.diagnostics.Report:
    return pc.diagnose(
        BACKGROUND, CONCEPTS, [[0], [1]], sigmas=LEVELS, samples=samples, generator=seeded(seed)
    )


def numbers_of(report) -> dict[str, pc.diagnostics.Estimate]:
    """What the report claims with an error, by name."""
    path, leak = report.path, report.concepts[0].leak
    middle = path.levels[2]
    found = {
        "delta off its block": leak.off_block,
        "delta changed by the rest": leak.others,
        "change in all": leak.change,
        "spread of the interaction": middle.interaction,
        "TV, composed to noised": middle.commuting,
        "TV, samples to composed": path.levels[-1].path,
    }
    for name in ("same_point", "across", "mean_cosines"):
        value, error = (float(getattr(path, n)[0, 1]) for n in (name, f"{name}_error"))
        found[f"cosines, {name}"] = pc.diagnostics.Estimate(value, error, 20)
    return found


@cache
def averages() -> dict[str, float]:
    """Of a few diagnoses with many samples each."""
    tables = [
        numbers_of(diagnosis(TRUTH_SAMPLES, TRUTH_SEED + seed)) for seed in range(TRUTH_DIAGNOSES)
    ]
    return {name: sum(t[name].value for t in tables) / len(tables) for name in tables[0]}


def truth(name: str) -> float:
    """An average; but the cosine of the means is known."""
    if name != "cosines, mean_cosines":
        return averages()[name]
    shifts = torch.stack([concept.mean - BACKGROUND.mean for concept in CONCEPTS])
    return float(torch.cosine_similarity(shifts[0], shifts[1], 0))


@cache
def small(seed: int) -> dict[str, pc.diagnostics.Estimate]:
    return numbers_of(diagnosis(2000, seed))


def diagnosis_covers(name: str, seed: int) -> bool:
    lower, upper = small(seed)[name].interval()
    return lower <= truth(name) <= upper


DIAGNOSED = [
    "delta off its block", "delta changed by the rest", "change in all",
    "spread of the interaction", "TV, composed to noised", "TV, samples to composed",
    "cosines, same_point", "cosines, across", "cosines, mean_cosines",
]  # fmt: skip

ROWS: list[tuple[str, Callable[[int], bool]]] = [
    ("compare, w2", partial(comparison_covers, metrics.w2)),
    ("compare, sliced_w2", partial(comparison_covers, one_way)),
    ("compare, energy_distance", partial(comparison_covers, metrics.energy_distance)),
    ("mean_interval, 8 values", mean_covers),
    ("mean_and_error, 1,000 values", mean_and_error_covers),
    ("proportion, 100 trials", proportion_covers),
    ("mean_with_error, chains of rho = .9", partial(chain_mean_covers, 0.9)),
    ("mean_with_error, chains of rho = -.5", partial(chain_mean_covers, -0.5)),
    *((f"diagnose, {name}", partial(diagnosis_covers, name)) for name in DIAGNOSED),
]


def coverage(covers: Callable[[int], bool], seeds: int) -> tuple[float, float, float]:
    """The share of seeds 0, 1, .. at which it covers, with its Wilson interval."""
    return metrics.proportion(sum(bool(covers(seed)) for seed in range(seeds)), seeds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    options = parser.parse_args()
    rows = [row for row in ROWS if options.only in row[0]]
    if options.seeds < 1 or not rows:
        parser.error("--seeds must be at least 1, and --only must be in the name of a row")
    print(f"coverage of 95% intervals, projcomp {pc.__version__}, {options.seeds} seeds")
    width = max(len(name) for name, _ in rows)
    print(f"{'interval':{width}}  covers   Wilson interval")
    for name, covers in rows:
        share, lower, upper = coverage(covers, options.seeds)
        print(f"{name:{width}}  {share:6.1%}   {lower:.1%} to {upper:.1%}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
