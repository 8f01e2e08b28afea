"""The verdict on networks: what fails, the composition or its scores, and what can't be told."""

from __future__ import annotations

import math
from dataclasses import replace

from projcomp.diagnostics.measure import ENOUGH, SURE, Estimate
from projcomp.diagnostics.report import Report, Verdict

_GAP = 5e-2
"""Total variations of the samples to C below this count as none."""


def verdict_of_learned(report: Report, distances: list[str]) -> Verdict:
    """A kind, a title, and the reasons, each with its number, for scores of any quality.

    Whether conditionals are factorized is told by exchanges and by distances between samples
    (`distances`, those that are real), since neither asks for good scores. Of the path, what score
    error explains is no fault of the composition.
    """
    local, against, open_ = factorized(report)
    against = against + distances
    if against and report.features is not None and report.features.found:
        against, local = [], []
        open_ = ["The blocks that the deltas seem to have are none: their exchange costs too much."]
        report = replace(report, concepts=[replace(c, exchange=None) for c in report.concepts])
    path, real, reasons = path_of_learned(report)
    poor = shortfalls(report)
    # The yardstick is of first order; and where blocks are exchanged, they decide.
    exchanged = any(concept.exchange is not None for concept in report.concepts)
    if against:
        if path == "right":
            title = "Not factorized; the samples follow C, which has not what was wanted"
            return Verdict("target", title, against + poor)
        if path == "unknown":
            title = "Not factorized; of the path nothing is known"
            return Verdict("target", title, against + poor)
        more = "which score error might explain"
        if real and not poor:
            more = "more than score error explains"
        title = f"Not factorized, and a wrong path, {more}"
        return Verdict("both", title, against + reasons + poor)
    if local:
        if path in ("right", "unknown") and not poor:
            title = "Factorized, and exact at every noise level, up to what these scores can show"
            return Verdict("exact", title, local + reasons)
        title = "Factorized, but these scores are not good enough: the fault is theirs"
        return Verdict("score", title, local + reasons + poor)
    if real and not poor and not exchanged:
        return Verdict("path", "A wrong path, and more than score error explains", reasons + open_)
    if path == "wrong" or poor:
        title = "Cannot tell: the scores are not good enough"
        return Verdict("unknown", title, reasons + poor + open_)
    if open_:
        return Verdict("unknown", "Cannot tell: too few samples for these scores", open_)
    if path == "right":
        title = "The path is right, up to what these scores can show; without blocks nothing is "
        return Verdict("unknown", title + "known of the target", reasons)
    return Verdict("unknown", "Too little is known for a verdict", reasons)


def shortfalls(report: Report) -> list[str]:
    """By how much scores are known to fall short of exact ones, where that counts."""
    names = ["The background", *(f"Concept {i + 1}" for i in range(len(report.concepts)))]
    known = [report.background.short, *(concept.short for concept in report.concepts)]
    return [
        f"{name}: its scores are at least {short} nats from exact ones, since denoisers made of "
        "samples do so much better."
        for name, short in zip(names, known, strict=True)
        if short is not None and short.value > max(report.nats, SURE * short.error)
    ]


def factorized(report: Report) -> tuple[list[str], list[str], list[str]]:
    """For it (where every concept is), against it, and what is open: each with its number."""
    fine, against, open_ = [], [], []
    for index, concept in enumerate(report.concepts):
        name, exchange = f"Concept {index + 1}", concept.exchange
        if exchange is None:
            open_.append(f"{name}: its block can't be exchanged.")
            continue
        costs = f"{name}: exchanging its block for the background's costs {exchange.defect} nats"
        real = exchange.real(report.nats)
        if real:
            against.append(f"{costs}: its conditionals are not factorized.")
        elif real is False:
            fine.append(f"{costs}, where up to {report.nats:g} count as none.")
        else:
            needed = (ENOUGH * exchange.defect.error / report.nats) ** 2
            more = f" About {_factor(needed)} times the samples would tell." if needed > 1 else ""
            open_.append(f"{costs}: neither within {report.nats:g} nor clearly above.{more}")
    if report.features is None:
        open_ = []
    return (fine if len(fine) == len(report.concepts) else []), against, open_


def path_of_learned(report: Report) -> tuple[str, bool, list[str]]:
    """ "right", "wrong" or "unknown"; whether more than score error explains; and the reasons."""
    if report.path is None:
        return "unknown", False, []
    end = report.path.levels[-1].path
    told = report.explained
    if end is not None and end.value <= max(_GAP, ENOUGH * end.error):
        return "right", False, []
    if end is None:
        size = 1.0
        reason = (
            "The samples are far from C: weights that would mend them leave "
            f"{report.path.share * report.samples:.0f} effective samples of {report.samples:,}."
        )
    else:
        size = end.value
        reason = f"The samples miss C by a total variation of {end}."
    if told is None:
        return "wrong", False, [reason]
    least = 1.0 - (told.value + ENOUGH * told.error)
    real = size * math.sqrt(max(least, 0.0)) > _GAP
    share = (
        f"Of the interaction's variation {_share(told)} is score error, by the residuals of the "
        "samples."
    )
    return "wrong", real, [reason, share]


def _share(told: Estimate) -> str:
    return f"{100 * told.value:.0f} ± {max(1, math.ceil(100 * told.error))}%"


def _factor(number: float) -> str:
    return f"{number:.0f}" if number < 100 else f"{number:.1g}"
