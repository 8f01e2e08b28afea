"""From numbers to words: what holds, what fails, and why."""

from __future__ import annotations

import math

from projcomp.diagnostics.measure import Estimate
from projcomp.diagnostics.report import Concept, Report, Verdict, worst
from projcomp.diagnostics.trust import verdict_of_learned
from projcomp.metrics import Comparison

_SHARE = 1e-2
"""A delta that keeps to its block up to this share of its square counts as local."""
_GAP = 2e-2
"""Total variations below this count as none."""
_NATS = 1e-2
"""Dependence below this counts as none."""
_SIGNIFICANT = 4.0
"""Standard errors above its noise floor, batch by batch and on average, at which a distance counts
as real. Of 600 distances between equal distributions none did."""


def verdict(report: Report) -> Verdict:
    """A kind, a title, and the reasons, each with its number."""
    if report.normalisable is False:
        reason = (
            "C has no finite integral at σ = 0, so no distribution has the composed score there. "
            "Samples look like something all the same."
        )
        return Verdict("none", "Nothing to sample: the composition is not normalisable", [reason])
    if report.learned:
        return verdict_of_learned(report, _between_samples(report))
    target, path = _target(report), _path(report)
    reasons = (target or []) + (path or [])
    if target is None and path is None:
        return Verdict("unknown", "Too little is known for a verdict", reasons)
    if not target and not path:
        return _good(report, target, path)
    if not target:
        known = "Right target, wrong path" if target is not None else "The path is wrong"
        return Verdict("path", known, reasons)
    if not path:
        how = "" if path is None else ", which the samples follow"
        return Verdict("target", f"Not the wanted target{how}", reasons)
    return Verdict("both", "Not the wanted target, and a wrong path to it", reasons)


def _good(report: Report, target, path) -> Verdict:
    local = "Every concept changes its own block only, independently of the rest."
    commutes = "The interaction is constant at every noise level, so composing and noising commute."
    if path is None:
        return Verdict("unknown", "The target is right; of the path nothing is known", [local])
    if target is None:
        title = "The path is right; without blocks nothing is known of the target"
        return Verdict("unknown", title, [commutes])
    return Verdict("exact", "Factorized, and exact at every noise level", [local, commutes])


def _target(report: Report) -> list[str] | None:
    """What stands against the target; None where nothing is known of it."""
    if report.features is None:
        return None
    reasons = [
        reason
        for index, concept in enumerate(report.concepts)
        for reason in _against(f"Concept {index + 1}", concept)
    ]
    if any(weight != 1.0 for weight in report.weights):
        reasons.append("With weights other than one C has not the shadows of the concepts.")
    tied = report.background
    if tied.entanglement is not None and tied.entanglement.value > max(
        _NATS, _SIGNIFICANT * tied.entanglement.error
    ):
        reasons.append(f"The blocks depend on each other under p_b: {tied.entanglement} nats.")
    elif _real(tied.dependence):
        reasons.append(f"The blocks depend on each other under p_b: {tied.dependence}.")
    known = any(c.leak is not None or c.dependence is not None for c in report.concepts)
    return reasons if known or reasons else None


def _against(name: str, concept: Concept) -> list[str]:
    reasons = []
    leak = concept.leak
    if leak is not None and leak.off_block.value > _SHARE:
        reasons.append(
            f"{name}: {_percent(leak.off_block)} of its score delta falls off its block."
        )
    if leak is not None and leak.others.value > _SHARE:
        reasons.append(
            f"{name}: its score delta changes by {_percent(leak.others)} when the rest of the "
            "point is swapped."
        )
    reasons += _apart(name, concept)
    if _real(concept.target):
        reasons.append(f"{name}: C has not its shadow: {concept.target}.")
    return reasons


def _apart(name: str, concept: Concept) -> list[str]:
    """What distances between samples say against factorized conditionals."""
    reasons = []
    if _real(concept.dependence):
        reasons.append(f"{name}: its block depends on the rest: {concept.dependence}.")
    if _real(concept.off_block):
        reasons.append(f"{name} differs from p_b off its block: {concept.off_block}.")
    return reasons


def _between_samples(report: Report) -> list[str]:
    reasons = [
        reason
        for index, concept in enumerate(report.concepts)
        for reason in _apart(f"Concept {index + 1}", concept)
    ]
    if _real(report.background.dependence):
        apart = report.background.dependence
        reasons.append(f"The blocks depend on each other under p_b: {apart}.")
    return reasons


def _path(report: Report) -> list[str] | None:
    """What stands against the path; None where nothing is known of it."""
    if report.path is None:
        return None
    levels, reasons = report.path.levels, []
    end = levels[-1].path
    if end is None:
        reasons.append(
            f"The samples are far from C: weights that would mend them leave "
            f"{report.path.share * report.samples:.0f} ± "
            f"{report.path.share_error * report.samples:.1g} effective samples of "
            f"{report.samples:,}."
        )
    elif end.value > max(_GAP, 5 * end.error):
        reasons.append(
            f"The samples miss C by a total variation of {end}: the interaction varies, and its "
            "integral along the trajectories is the log ratio of the two."
        )
    apart = worst(levels, "commuting")
    if apart is not None and apart.commuting.value > max(_GAP, 5 * apart.commuting.error):
        reasons.append(
            f"Composing and noising do not commute: C[p^σ] is a total variation of "
            f"{apart.commuting} from N_σ[C] at σ = {apart.sigma:.3g}."
        )
    if report.lost:
        reasons.append(
            f"On the way C[p^σ] has no finite integral at {len(report.lost)} noise levels, from "
            f"σ = {min(report.lost):.3g} to {max(report.lost):.3g}."
        )
    off = [i + 1 for i, c in enumerate(report.concepts) if _real(c.shadow)]
    if reasons and off:
        named = "concept" if len(off) == 1 else "concepts"
        reasons.append(f"The samples lack the shadow of {named} {', '.join(map(str, off))}.")
    return reasons


def _percent(share: Estimate) -> str:
    error = f" ± {100 * share.error:.1g}" if share.error > 1e-6 * share.value else ""
    return f"{100 * share.value:.0f}{error}%"


def _real(comparison: Comparison | None) -> bool:
    if comparison is None:
        return False
    error = math.hypot(comparison.error, comparison.floor_error)
    apart = comparison.value - comparison.floor > _SIGNIFICANT * error
    return apart and comparison.excess > _SIGNIFICANT
