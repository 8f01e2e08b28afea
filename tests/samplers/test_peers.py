"""The same steps as k-diffusion and diffusers take, where those are installed."""

from __future__ import annotations

import sys
from pathlib import Path

import projcomp as pc
import pytest

from tests.helpers import close, random_mixture, seeded

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import steps

COMPOSITION = pc.compose(
    pc.gaussian([0.5, 0.0], 20.0),
    [random_mixture(seeded(1), 3, 2), random_mixture(seeded(2), 2, 2)],
)
GRIDS = pytest.mark.parametrize("rho", [7.0, float("inf")])


def ends(sampler, count, rho):
    start = steps.noise(50)
    return sampler(COMPOSITION, start, steps.levels(count, rho), 3)


@GRIDS
@pytest.mark.parametrize(
    ("name", "method"), [("euler", "euler"), ("heun", "heun"), ("dpmpp_2m", "2m")]
)
def test_the_ode_of_k_diffusion(name, method, rho):
    pytest.importorskip("k_diffusion.sampling")
    close(ends(steps.ours(method), 40, rho), ends(steps.k_diffusion(name), 40, rho), 1e-9, 1e-9)


@GRIDS
def test_the_sde_of_k_diffusion(rho):
    """From the same draws; theirs are scaled by the same standard deviation."""
    pytest.importorskip("k_diffusion.sampling")
    theirs = ends(steps.k_diffusion("dpmpp_2m_sde"), 40, rho)
    close(ends(steps.ours("sde2m"), 40, rho), theirs, 1e-9, 1e-9)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # theirs, of NumPy
@pytest.mark.parametrize("order", [2, 3])
def test_unipc_of_diffusers(order):
    """Another form of the same order: the two come together at least as fast as they converge."""
    pytest.importorskip("diffusers")
    gaps = [
        float((ends(steps.ours(f"unipc{order}"), n, 1e9) - ends(steps.diffusers(order), n, 1e9))
              .norm(dim=1).median())
        for n in (40, 80, 160)
    ]  # fmt: skip
    assert gaps[1] < 0.3 * gaps[0] and gaps[2] < 0.3 * gaps[1]
    assert gaps[2] < 1e-4
