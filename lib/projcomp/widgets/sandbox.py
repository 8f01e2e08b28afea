"""The sandbox: an Explorer for examples of one's own, with a verdict in words."""

from __future__ import annotations

import traitlets

from projcomp import _check
from projcomp.widgets.explorer import Explorer


class Sandbox(Explorer):
    """An Explorer in which concepts come and go, are painted by hand, and are judged as one goes.

    Takes what an `Explorer` of the plane takes. `directions` are those of concepts that change more
    than one direction: of the others the shadow is cast along the one that they change. The
    verdict says whether the composition exists, is factorized, is projective, and is sampled, each
    with its number and where the book explains it.

    Raises ValueError as an Explorer does.
    """

    kind = traitlets.Unicode("sandbox").tag(sync=True)
    verdict = traitlets.Dict().tag(sync=True)
    """What the figure last concluded: kind (as of `diagnose`, or "sampler"), title, findings."""

    @traitlets.validate("view")
    def _of_the_plane(self, proposal) -> str:
        return _check.choice("view", proposal["value"], ("plane",))
