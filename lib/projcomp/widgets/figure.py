"""What every live figure is: a widget in JupyterLab, and a form that needs no kernel."""

from __future__ import annotations

import json

import anywidget
import traitlets

from projcomp._text import printable
from projcomp.widgets import bundle
from projcomp.widgets.still import Still

PHONE = 576
"""Up to this width of the page, in CSS pixels, panels are stacked."""


class Figure(anywidget.AnyWidget):
    """A figure whose kind, state and still picture a subclass gives.

    kind: which of the module's figures it is. STATE: the traits that the page's figure is made of.
    """

    _esm = bundle.module()
    _css = bundle.style()

    STATE: tuple[str, ...] = ()

    kind = traitlets.Unicode().tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    summary = traitlets.Unicode().tag(sync=True)
    readout = traitlets.Dict().tag(sync=True)

    def state(self) -> dict:
        """Everything that the figure is made of, as plain values."""
        return {key: getattr(self, key) for key in self.STATE}

    def __repr__(self):
        return printable(f"{type(self).__name__}: {self.summary}")

    def still(self) -> Still:
        """The still picture of the state as it is."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle_ = super()._repr_mimebundle_(include=include, exclude=exclude)
        data, *rest = bundle_ if isinstance(bundle_, tuple) else (bundle_,)
        state = json.dumps(self.state()).replace("<", "\\u003c")
        html = (
            '<div class="pc-figure">'
            f'<script type="application/json">{state}</script>'
            f"{_picture(self.still(), self.summary)}"
            "</div>"
        )
        data = {**(data or {}), "text/html": html}
        return (data, *rest) if rest else data


def _picture(still: Still, words: str) -> str:
    png, width = still.wide
    found = (
        f'<img class="pc-still" alt="{_escaped(words)}" width="{width}" '
        f'src="data:image/png;base64,{png}">'
    )
    if still.narrow is None:
        return found
    png, width = still.narrow
    source = (
        f'<source media="(max-width: {PHONE}px)" width="{width}" '
        f'srcset="data:image/png;base64,{png}">'
    )
    return f"<picture>{source}{found}</picture>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
