"""Sixty diagnoses of trained networks, where the truth is known: how often is the verdict right?

The compositions are those of `problems.py`, each learned to the three levels of `learned.py`. What
counts as right was fixed before the first diagnosis (`RIGHT`). Prints tables of truth and verdict,
and how well single numbers of the reports forecast the truth. `--store` keeps every diagnosis in a
file of the library, from which the book reads; `--stored` prints the tables of that file again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import projcomp as pc
import torch
from learned import LEVELS, NAMES, learned, score_errors
from problems import DIMS, Problem, problems, seeded
from projcomp.diagnostics.verdict import verdict

STORED = pc.networks.COUNTS.with_name("verdicts.json")
HELD, PARTICLES = 6000, 1000
"""Held-out samples of every density, and particles of a diagnosis."""
BUDGET = {768: 250_000, 3072: 250_000}
"""Evaluations that a diagnosis of pictures may take."""
KINDS = ("exact", "score", "path", "target", "both", "unknown", "none")
RIGHT = {True: ("exact", "score"), False: ("path", "target", "both")}
"""By whether a problem is factorized. "unknown" is "cannot tell", and the rest is wrong."""
OUTCOMES = ("right", "cannot tell", "wrong")
RULES = {"verdict": "the rule for scores of any quality", "control": "the rule for exact scores"}
FORECASTS = ("exchange", "leak", "path", "strangers", "same point", "cosine of means")
REDRAWN = 2000


def diagnosis(problem: Problem, level: int) -> pc.diagnostics.Report:
    """`pc.diagnose` as anybody would call it who has that many samples beside the network."""
    background, *concepts = learned(problem, level, HELD)
    return pc.diagnose(
        background,
        concepts,
        problem.blocks,
        sigmas=problem.sigmas,
        samples=PARTICLES,
        evaluations=BUDGET.get(problem.dim),
        generator=seeded(200 + level),
        progress=False,
    )


def entry(problem: Problem, level: int) -> dict:
    """What is stored of a composition: the truth, the verdicts, and the numbers behind them.

    Numbers with a standard error are pairs. control: the verdict on the same report by the rule
    for exact scores, which trusts the deltas. forecasts: of `FORECASTS`, each larger where more is
    wrong; a path so far off that its total variation is not known has 1.
    """
    start = time.perf_counter()
    report = diagnosis(problem, level)
    seconds = time.perf_counter() - start
    path, concepts = report.path, report.concepts
    end = path.levels[-1].path
    cosine = float(path.mean_cosines[0, 1])
    forecasts = (
        max(c.exchange.defect.value for c in concepts),
        max(c.leak.off_block.value for c in concepts),
        1.0 if end is None else end.value,
        max(estimate.value for estimate in path.strangers),
        float(path.same_point[0, 1]),
        0.0 if math.isnan(cosine) else abs(cosine),
    )
    return {
        "problem": problem.name,
        "n": problem.dim,
        "kind": problem.kind,
        "level": NAMES[level],
        "score errors": short(score_errors(problem, [level])[0]),
        "defects": short(j.value for j in problem.exchange()),
        "missed": short([problem.missed()])[0],
        "verdict": report.verdict.kind,
        "title": report.verdict.title,
        "control": verdict(replace(report, learned=False)).kind,
        "exchange": [pair(c.exchange.defect) for c in concepts],
        "claimed": [pair(c.exchange.claimed) for c in concepts],
        "path": None if end is None else pair(end),
        "explained": pair(report.explained),
        "forecasts": dict(zip(FORECASTS, short(forecasts), strict=True)),
        "evaluations": report.evaluations,
        "seconds": round(seconds, 1),
    }


def short(values: Iterable[float]) -> list[float]:
    """Four digits; what is rounding alone is 0."""
    return [0.0 if abs(value) < 1e-9 else float(f"{value:.4g}") for value in values]


def pair(estimate: pc.diagnostics.Estimate) -> list[float]:
    return short([estimate.value, estimate.error])


def outcome(found: dict, rule: str = "verdict") -> str:
    if found[rule] == "unknown":
        return "cannot tell"
    return "right" if found[rule] in RIGHT[found["kind"] == "factorized"] else "wrong"


def shares(found: Sequence[dict], rule: str) -> str:
    """How many have each outcome, with the Wilson intervals of those shares."""
    cells = []
    for name in OUTCOMES:
        count = sum(outcome(one, rule) == name for one in found)
        _, low, high = pc.metrics.proportion(count, len(found))
        cells.append(f"{count:>4} [{low:4.0%}, {high:4.0%}]")
    return "  ".join(cells)


def confusion(found: Sequence[dict], rule: str) -> None:
    """Truth by verdict, and outcomes: in all, by truth, by level of training, by dimension."""
    print(f"\n{len(found)} compositions, by {RULES[rule]}")
    print(f"{'truth':<14}" + "".join(f"{kind:>9}" for kind in KINDS))
    for truth in (True, False):
        rows = [one for one in found if (one["kind"] == "factorized") == truth]
        counts = [sum(one[rule] == kind for one in rows) for kind in KINDS]
        name = "factorized" if truth else "broken"
        print(f"{name:<14}" + "".join(f"{count:>9}" for count in counts))
    print(f"{'':<14}" + "  ".join(f"{name:>17}" for name in OUTCOMES))
    for name, holds in groups():
        rows = [one for one in found if holds(one)]
        if rows:
            print(f"{name:<14}{shares(rows, rule)}")


def groups() -> list[tuple[str, Callable[[dict], bool]]]:
    found = [
        ("all", lambda one: True),
        ("factorized", lambda one: one["kind"] == "factorized"),
        ("broken", lambda one: one["kind"] != "factorized"),
    ]
    found += [(name, lambda one, name=name: one["level"] == name) for name in NAMES]
    return found + [(f"n = {dim:,}", lambda one, dim=dim: one["n"] == dim) for dim in DIMS]


def areas(values: torch.Tensor, broken: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """ROC areas, of counts (draws, m): how often each composition is in a draw."""
    return pc.metrics.roc_area(values, counts * broken, counts * ~broken)


def redraws(found: Sequence[dict]) -> torch.Tensor:
    """(REDRAWN, m): bootstrap draws of problems, whose levels of training come along."""
    names = sorted({one["problem"] for one in found})
    place = torch.tensor([names.index(one["problem"]) for one in found])
    picks = torch.randint(len(names), (REDRAWN, len(names)), generator=seeded(4))
    return torch.nn.functional.one_hot(picks, len(names)).sum(1).double()[:, place]


def forecasts(found: Sequence[dict]) -> None:
    """How well single numbers tell broken compositions from factorized ones."""
    truth = torch.tensor([one["kind"] != "factorized" for one in found])
    draws = redraws(found)
    print("\nROC areas against broken or factorized; 95% by a bootstrap over the problems")
    print(f"{'forecast':<18}{'all levels':>22}" + "".join(f"{name:>9}" for name in NAMES))
    for name in FORECASTS:
        values = torch.tensor([one["forecasts"][name] for one in found], dtype=torch.float64)
        drawn = areas(values, truth, draws)
        low, high = drawn[~drawn.isnan()].quantile(torch.tensor([0.025, 0.975]).double()).tolist()
        kept = [torch.tensor([one["level"] == level for one in found]) for level in NAMES]
        alike = torch.stack([torch.ones_like(kept[0]), *kept]).double()
        one, *each = areas(values, truth, alike).tolist()
        cells = "".join(f"{value:>9.2f}" for value in each)
        print(f"{name:<18}{f'{one:.2f} [{low:.2f}, {high:.2f}]':>22}{cells}")


def row(found: dict) -> str:
    ends = [f"{value:.3g} ± {error:.1g}" for value, error in found["exchange"]]
    path = "far" if found["path"] is None else f"{found['path'][0]:.2f}"
    return (
        f"{found['problem']:<19}{found['level']:<7}{max(found['score errors']):>7.3g}"
        f"{max(found['defects']):>8.3g}{ends[0]:>17}{ends[1]:>17}{path:>6}"
        f"{found['explained'][0]:>7.0%}{found['verdict']:>9}{found['control']:>9}"
        f"{found['evaluations']:>11,}{found['seconds']:>7.1f}  {outcome(found)}"
    )


HEADER = (
    f"{'problem':<19}{'level':<7}{'error':>7}{'J':>8}{'J_1 measured':>17}{'J_2 measured':>17}"
    f"{'path':>6}{'expl.':>7}{'verdict':>9}{'control':>9}{'evals':>11}{'s':>7}"
)


def read(file: Path) -> dict[str, dict]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def write(file: Path, found: dict[str, dict]) -> None:
    """One line a composition."""
    lines = (f"{json.dumps(key)}: {json.dumps(one)}" for key, one in found.items())
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dims", type=int, nargs="*", choices=DIMS, default=DIMS)
    parser.add_argument("--store", action="store_true", help="keep what is found, go on from it")
    parser.add_argument("--stored", action="store_true", help="print what is kept, and no more")
    parser.add_argument("--file", type=Path, default=STORED)
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    kept = read(options.file) if options.store or options.stored else {}
    print(f"diagnoses of learned compositions, projcomp {pc.__version__}; in nats where no share")
    print(HEADER)
    found = {key: one for key, one in kept.items() if one["n"] in options.dims}
    for one in found.values():
        print(row(one))
    todo = [] if options.stored else problems(options.dims)
    for problem in todo:
        for level in LEVELS:
            key = f"{problem.name}/{NAMES[level]}"
            if key not in kept:
                found[key] = kept[key] = entry(problem, level)
                print(row(found[key]), flush=True)
                if options.store:
                    write(options.file, kept)
    entries = list(found.values())
    for rule in RULES:
        confusion(entries, rule)
    forecasts(entries)
    return 0


if __name__ == "__main__":
    sys.exit(main())
