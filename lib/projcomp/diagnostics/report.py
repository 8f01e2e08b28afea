"""What `diagnose` answers with: numbers to read, a table to print, HTML in a notebook."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from projcomp._text import printable
from projcomp.diagnostics.exchange import Exchange
from projcomp.diagnostics.factorisation import Leak
from projcomp.diagnostics.features import Features
from projcomp.diagnostics.measure import Estimate
from projcomp.diagnostics.path import Level, Path
from projcomp.metrics import Comparison
from projcomp.tables import aligned, html_of

_ROWS = 8
_NOTHING = "–"


@dataclass(frozen=True)
class Concept:
    """What was found of one concept; None where it can't be told.

    leak: where its score delta goes. dependence: distance of its samples to samples whose block
    and rest are shuffled. off_block: distance to p_b off its block. shadow: projective error of the
    sampler's particles, the distance between their block and the concept's. target: the same for
    C itself. All distances are sliced W2 in feature space, beside their noise floor. exchange: what
    exchanging its block with samples of p_b costs, which is nothing under factorized conditionals,
    for scores of any quality; for an orthogonal feature map. short: by how many nats its scores are
    known to fall short of exact ones, since rivals made of samples denoise better; of networks.
    """

    leak: Leak | None = None
    dependence: Comparison | None = None
    off_block: Comparison | None = None
    shadow: Comparison | None = None
    target: Comparison | None = None
    exchange: Exchange | None = None
    short: Estimate | None = None


@dataclass(frozen=True)
class Background:
    """Dependence among the blocks under p_b; None where it can't be told.

    entanglement: from scores, in nats (the mutual information where that is small); for an
    orthogonal feature map. dependence: distance of samples to samples with the blocks shuffled.
    short: as of a concept.
    """

    entanglement: Estimate | None = None
    dependence: Comparison | None = None
    short: Estimate | None = None


@dataclass(frozen=True)
class Verdict:
    """In words.

    kind: "exact"; what fails, "path", "target" or "both"; "score", where that is no fault of the
    composition but of its scores; "none", where there is nothing to sample; or "unknown".
    """

    kind: str
    title: str
    reasons: list[str]


@dataclass(frozen=True)
class Report:
    """The diagnosis of a composition. `print` it, or show it in a notebook.

    normalisable: whether C has a finite integral; None where that is not known.
    lost: the noise levels at which C[p^sigma] is known to have none.
    features: feature map and blocks (None if none were given or found).
    concepts: one entry a concept. background: whether its blocks are independent.
    path: the noise levels, and how the deltas stand to each other along the way.
    learned: whether a density is known by its score alone, so that the verdict is one for scores of
    any quality. explained: which share of the interaction's variation is score error, by the
    residuals of samples; None for one concept. range: the least and the largest noise level looked
    at. evaluations: scores asked for, as points times densities. nats: the tolerance of the
    verdict.
    """

    dim: int
    samples: int
    weights: list[float]
    normalisable: bool | None
    lost: list[float]
    features: Features | None
    concepts: list[Concept]
    background: Background
    path: Path | None
    notes: list[str] = field(default_factory=list)
    verdict: Verdict = Verdict("unknown", "No verdict", [])
    learned: bool = False
    explained: Estimate | None = None
    range: tuple[float, float] | None = None
    evaluations: int = 0
    nats: float = 0.05

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """The numbers as tables: a title, a header, and rows of words."""
        return [*self._factorisation(), *self._levels(), *self._angles()]

    def __str__(self):
        lines = [self._what(), "", f"Verdict: {self.verdict.title}."]
        lines += [f"  - {reason}" for reason in self.verdict.reasons]
        for title, header, rows in self.tables():
            shown = [[printable(text) for text in row] for row in [header, *rows]]
            lines += ["", title, *_ruled(shown)]
        if self.notes:
            lines += ["", *(f"Note: {note}" for note in self.notes)]
        return printable("\n".join(lines))

    def __repr__(self):
        return printable(f"Report({self._what()}: {self.verdict.title})")

    def _repr_html_(self):
        reasons = "".join(f"<li>{_marked(reason)}</li>" for reason in self.verdict.reasons)
        parts = [
            f"<p>{_marked(self._what())}</p>",
            f"<p><strong>{_marked(self.verdict.title)}.</strong></p><ul>{reasons}</ul>",
            *(html_of(*table, _marked) for table in self.tables()),
            *(f"<p>Note: {_marked(note)}</p>" for note in self.notes),
        ]
        return f'<div class="pc-report">{"".join(parts)}</div>'

    def _what(self) -> str:
        k = len(self.concepts)
        weights = "" if set(self.weights) == {1.0} else f", weights {self.weights}"
        looked = ""
        if self.range is not None:
            looked = " at σ from {:.3g} to {:.3g}".format(*self.range)
        return (
            f"Composition of {k} concept{'s' * (k > 1)} over a background in R^{self.dim}"
            f"{weights}; {self.samples:,} samples, {self.evaluations:,} evaluations{looked}; ± is "
            "one standard error"
        )

    def _factorisation(self):
        normalisable = {True: "yes", False: "no", None: "not known"}[self.normalisable]
        rows = [["normalisable at σ = 0", *[normalisable] * len(self.concepts)]]
        if self.features is not None:
            sizes = [str(len(block)) for block in self.features.own]
            how = "dimensions of the block" + (" (found)" if self.features.found else "")
            rows.append([how, *sizes])
        for label, pick in (
            ("delta off its block, share", lambda c: c.leak and c.leak.off_block),
            ("delta changed by the rest, share", lambda c: c.leak and c.leak.others),
            ("change in all, nats", lambda c: c.leak and c.leak.change),
            ("cost of exchanging its block, nats", lambda c: c.exchange and c.exchange.defect),
            ("the same as the scores claim it", lambda c: c.exchange and c.exchange.claimed),
            ("its scores fall short, nats", lambda c: c.short),
            ("dependence of block and rest", lambda c: c.dependence),
            ("distance to p_b off its block", lambda c: c.off_block),
            ("projective error of the samples", lambda c: c.shadow),
            ("projective error of C itself", lambda c: c.target),
        ):
            found = [pick(concept) for concept in self.concepts]
            if any(item is not None for item in found):
                rows.append([label, *map(_words, found)])
        if self.path is not None and self.path.strangers is not None:
            rows.append(["share of strangers in its block", *map(str, self.path.strangers)])
        header = ["", *(f"concept {i + 1}" for i in range(len(self.concepts)))]
        yield "Factorisation, and the shadows (sliced W2, noise floor in brackets)", header, rows
        found = {
            "dependence of the blocks by scores, nats": self.background.entanglement,
            "dependence of the blocks by samples": self.background.dependence,
            "its scores fall short, nats": self.background.short,
        }
        rows = [[label, _words(item)] for label, item in found.items() if item is not None]
        if rows:
            yield "Background", ["", "p_b"], rows

    def _levels(self):
        if self.path is None:
            return
        chosen = _spaced(self.path.levels[:-1], _ROWS) + self.path.levels[-1:]
        header = ["σ", "spread of σ² I", "TV of C[p^σ] to N_σ[C]", "TV of samples to C[p^σ]"]
        rows = [
            [f"{a.sigma:.3g}", *map(_words, (a.interaction, a.commuting, a.path))] for a in chosen
        ]
        if self.explained is not None and self.learned:
            rows.append(["score error, of I's variation", str(self.explained), _NOTHING, _NOTHING])
        yield "The path (TV: total variation)", header, rows

    def _angles(self):
        if self.path is None or len(self.concepts) < 2:
            return
        path = self.path
        pairs = [(i, j) for j in range(len(self.concepts)) for i in range(j)]
        header = ["concepts", "same point", "across points and levels", "of the means"]
        rows = [
            [f"{i + 1}, {j + 1}", *(
                str(Estimate(float(value[i, j]), float(error[i, j]))) for value, error in (
                    (path.same_point, path.same_point_error),
                    (path.across, path.across_error),
                    (path.mean_cosines, path.mean_cosines_error),
                )
            )]
            for i, j in pairs
        ]  # fmt: skip
        yield "Cosines between the score deltas", header, rows


def worst(levels: list[Level], name: str) -> Level | None:
    """The level at which a quantity is largest, of those at which it is known."""
    known = [level for level in levels if getattr(level, name) is not None]
    return max(known, key=lambda level: getattr(level, name).value, default=None)


def _marked(text: str) -> str:
    """HTML of a text, with p^σ, R^2, N_σ and p_b as they are set."""
    text = re.sub(r"(?<=\w)\^(\w)", r"<sup>\1</sup>", html.escape(text))
    return re.sub(r"\b([NpP])_(\w)\b", r"\1<sub>\2</sub>", text)


def _words(item) -> str:
    if item is None:
        return _NOTHING
    if isinstance(item, Comparison):
        return f"{item.value:.3g} ± {item.error:.1g} ({item.floor:.3g} ± {item.floor_error:.1g})"
    return str(item)


def _spaced(levels: list[Level], count: int) -> list[Level]:
    if len(levels) <= count:
        return levels
    return [levels[round(i * (len(levels) - 1) / (count - 1))] for i in range(count)]


def _ruled(rows: list[list[str]]) -> list[str]:
    head, *rest = lines = aligned(rows)
    return [head, "─" * max(map(len, lines)), *rest]
