"""Sliders that drive a figure: live in a notebook, a still picture on a printed or built page."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

STATIC = "PROJCOMP_STATIC"
"""Set in the environment while the book is built: labs then draw their opening state only."""


def lab(draw: Callable[..., Figure], sliders: Mapping[str, tuple[float, float, float, float]]):
    """A figure with one slider for each argument of `draw`.

    Args:
        draw: makes and returns a Matplotlib figure from the sliders' values, given by name.
        sliders: name -> (minimum, maximum, step, opening value).

    Returns None: the figure (and, in a live notebook, its sliders) is displayed.
    Raises ValueError where minimum <= opening value <= maximum and step > 0 do not hold.
    """
    for name, (low, high, step, value) in sliders.items():
        if not (low <= value <= high and step > 0):
            raise ValueError(
                f"sliders[{name!r}] must be (minimum, maximum, step > 0, value between them), got "
                f"{(low, high, step, value)}"
            )
    if os.environ.get(STATIC):
        draw(**{name: value for name, (_, _, _, value) in sliders.items()})
        return
    import ipywidgets
    import matplotlib.pyplot as plt
    from IPython.display import display

    controls = {
        name: ipywidgets.FloatSlider(
            value, min=low, max=high, step=step, description=name, continuous_update=False
        )
        for name, (low, high, step, value) in sliders.items()
    }

    def redraw(**values: float) -> None:
        draw(**values)
        plt.show()

    output = ipywidgets.interactive_output(redraw, controls)
    display(ipywidgets.VBox([*controls.values(), output]))
