import matplotlib.pyplot as plt
import pytest
import torch
from projcomp import plots


@pytest.fixture
def ax():
    figure, axes = plots.panels(1)
    yield axes[0]
    plt.close(figure)


def test_spectra_tell_the_directions_kept_from_the_rest(ax):
    values = [
        torch.tensor([0.9, 0.4, 1e-3, 0.0], dtype=torch.float64),
        torch.tensor([0.8, 0.1], dtype=torch.float64),
        torch.empty(0, dtype=torch.float64),
    ]
    plots.spectra(ax, values, [2, 2, 0], most=3)
    marks = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert [list(line.get_xdata()) for line in marks] == [[1, 2], [3], [1, 2], [], [], []]
    assert [line.get_markerfacecolor() for line in marks[:2]] == [plots.CONCEPTS[0], "white"]
    assert [line.get_marker() for line in marks[::2]] == list(plots.MARKERS[:3])
    assert ax.get_yscale() == "log"
    plots.spectra(ax, values[:1], [2])
    assert min(ax.lines[-1].get_ydata()) == pytest.approx(0.9e-12)
