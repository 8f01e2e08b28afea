"""The interaction's integral along a trajectory is what the sampler gets wrong."""

from __future__ import annotations

import itertools
import math

import projcomp as pc
import pytest
import torch
from projcomp.densities._meter import counting
from projcomp.diagnostics.measure import noise_range, refined
from projcomp.diagnostics.path import Watched, commuting, follow
from projcomp.widgets.presets import PRESETS, sheared

from tests.helpers import close, normal, random_mixture, seeded


def of_preset(name):
    preset = PRESETS[name]()
    return pc.compose(preset.background, preset.concepts, preset.options.get("weights"))


def levels_of(composition, count=24):
    densities = [composition.background, *composition.concepts]
    return noise_range(densities, None, count, seeded(0))


def log_density_of_ode(composition, grid):
    """x at the end of the ODE from N(0, sigma_max^2), and its log density there.

    By the instantaneous change of variables, with the divergence by differentiation: independent
    of the interaction theorem.
    """
    x = grid[0] * normal(seeded(1), 300, 2)
    log_density = -0.5 * (x / grid[0]).square().sum(-1) - 2 * math.log(float(grid[0]))

    def slope(x, sigma):
        x = x.detach().requires_grad_(True)
        score = composition.score(x, sigma)
        divergence = sum(
            torch.autograd.grad(score[:, i].sum(), x, retain_graph=True)[0][:, i] for i in (0, 1)
        )
        return -sigma * score.detach(), -sigma * divergence

    for high, low in zip(grid[:-1].tolist(), grid[1:].tolist(), strict=True):
        first, spread = slope(x, high)
        guess = x + (low - high) * first
        second, spread_there = slope(guess, low)
        x = x + 0.5 * (low - high) * (first + second)
        log_density = log_density - 0.5 * (low - high) * (spread + spread_there)
    return x, log_density


@pytest.mark.parametrize("name", ["mild-shear", "dependent"])
def test_the_integral_is_the_log_ratio(name):
    """log p_ODE - log C by change of variables, against minus the integral of I over v."""
    composition = of_preset(name)
    grid = torch.cat([torch.logspace(2.5, -2.5, 500, dtype=torch.float64)])
    x, log_density = log_density_of_ode(composition, grid)
    wanted = log_density - composition.log_prob(x, grid[-1])
    start = grid[0] * normal(seeded(1), 300, 2)
    noise = -0.5 * (start / grid[0]).square().sum(-1)
    total, before, y = noise - composition.log_prob(start, grid[0]), None, start
    for sigma, following in itertools.pairwise(grid):
        rate = sigma**2 * composition.interaction(y, sigma)
        if before is not None:
            total = total - 0.5 * 2 * (before[0] / sigma).log() * (rate + before[1])
        before = sigma, rate
        y = pc.reverse_diffusion(composition, 300, [sigma, following], "heun", start=y).samples
    total = total - (grid[-2] / grid[-1]).log() * 2 * before[1]
    close(y, x, absolute=1e-6)
    difference = (wanted - wanted.mean()) - (total - total.mean())
    assert float(wanted.std()) > 0.2
    assert float(difference.abs().max()) < 0.01 * float(wanted.std())


def test_path_gap_against_a_histogram():
    """Total variation between 40,000 ODE samples and C over a grid of cells; 5 standard errors."""
    composition = of_preset("mild-shear")
    levels = levels_of(composition)
    path = follow(composition, 4000, levels, seeded(2))
    run = pc.reverse_diffusion(composition, 40_000, refined(levels), generator=seeded(3))
    grid, fine = pc.Grid.square(4.5, 30), pc.Grid.square(4.5, 600)
    exact = fine.masses(composition).reshape(30, 20, 30, 20).sum((1, 3))
    counts, _ = grid.histogram(run.samples)
    gap = float(0.5 * (counts / 40_000 - exact).abs().sum())
    found = path.levels[-1].path
    # 900 cells of 40,000 samples: a floor of about .02 for the histogram, added in quadrature.
    assert abs(found.value - gap) < 5 * found.error + 0.01
    assert found.value == pytest.approx(0.204, abs=5 * found.error)


@pytest.mark.parametrize("name", ["factorized", "rotation", "overlap"])
def test_no_gap_where_composing_and_noising_commute(name):
    composition = of_preset(name)
    levels = levels_of(composition)
    path = follow(composition, 400, levels, seeded(4))
    for level in path.levels:
        assert level.path.value < 1e-12
        assert level.interaction is None or level.interaction.value < 1e-12


def test_commuting_in_closed_form_and_on_a_grid_agree():
    background, concepts, _ = sheared(60, 1, 0.4)
    composition = pc.compose(background, concepts)
    levels = torch.tensor([2.0, 0.6, 0.3], dtype=torch.float64)
    exact = commuting(composition, levels, 20_000, None, seeded(5))
    # The same background as two equal halves has no closed form, so the grid is used.
    halves = pc.GaussianMixture(
        [0.5, 0.5], background.means.repeat(2, 1), background.covariances[0].repeat(2, 1, 1)
    )
    reach = torch.cat([p.sample(4000, generator=seeded(6)) for p in (background, *concepts)])
    reach = torch.cat([reach, composition.exact().sample(4000, generator=seeded(7))])
    numeric = commuting(pc.compose(halves, concepts), levels, 1, reach, None)
    for a, b in zip(exact, numeric, strict=True):
        assert abs(a.value - b.value) < 5 * a.error + 3 * b.error + 1e-3


def test_known_gap_of_the_shear():
    """Half of the mass changes sides at sigma = .3 (theory of the shear: weights exp(+-c))."""
    background, concepts, _ = sheared(60, 2, 0.3)
    (gap,) = commuting(
        pc.compose(background, concepts), torch.tensor([0.3]), 20_000, None, seeded(8)
    )
    assert abs(gap.value - 0.4999) < 5 * gap.error


def test_collapsed_weights_give_no_number():
    path = follow(of_preset("jump"), 400, levels_of(of_preset("jump")), seeded(9))
    assert path.levels[-1].path is None
    assert path.share < 30 / 400


def test_angles_of_two_shifts():
    """Deltas of equal-covariance Gaussians are constant: every cosine is that of the means."""
    background = pc.gaussian([0.0, 0.0, 0.0], 0.5)
    means = [[1.0, 0.0, 0.0], [1.0, 2.0, 2.0]]
    composition = pc.compose(background, [pc.gaussian(m, 0.5) for m in means])
    path = follow(composition, 200, levels_of(composition), seeded(10))
    wanted = torch.tensor([[1.0, 1 / 3], [1 / 3, 1.0]], dtype=torch.float64)
    for table in (path.same_point, path.across, path.mean_cosines):
        close(table, wanted, absolute=1e-9)


def test_mean_cosines_are_read_off_high_noise():
    g = seeded(11)
    background, *concepts = (random_mixture(g, 3, 4) for _ in range(4))
    composition = pc.compose(background, concepts)
    path = follow(composition, 400, levels_of(composition), seeded(12))
    shifts = torch.stack([c.mean - background.mean for c in concepts])
    unit = shifts / shifts.norm(dim=1, keepdim=True)
    close(path.mean_cosines, unit @ unit.T, absolute=0.02)


def test_a_mean_that_does_not_move_has_no_cosine():
    background = pc.gaussian([0.0, 0.0], 1.0)
    pair = pc.GaussianMixture([0.5, 0.5], [[2.0, 0.0], [-2.0, 0.0]], 1.0)
    composition = pc.compose(background, [pair, pc.gaussian([0.0, 1.0], 1.0)])
    path = follow(composition, 200, levels_of(composition), seeded(13))
    assert path.mean_cosines[0].isnan().all()
    assert path.mean_cosines[1, 1] == pytest.approx(1.0)


@pytest.mark.parametrize("weights", [None, [0.5, 2.0], [0.25, 0.75]])
def test_a_watched_composition_is_sampled_as_ever_and_its_parts_asked_once(weights):
    plain = of_preset("shear")
    composition = pc.compose(plain.background, plain.concepts, weights)
    grid = refined(levels_of(composition, 5))
    seen, asked = [], []
    watched = Watched(composition, lambda sigma, x, scores: seen.append((sigma, x, scores)))
    with counting(asked.append):
        run = pc.reverse_diffusion(watched, 50, grid, generator=seeded(14))
    alone = pc.reverse_diffusion(composition, 50, grid, generator=seeded(14))
    close(run.samples, alone.samples)
    assert [sigma for sigma, _, _ in seen] == grid[:-1].tolist()
    assert asked == [3 * 50] * (len(grid) - 1)
    for sigma, x, scores in seen:
        parts = (composition.background, *composition.concepts)
        for found, part in zip(scores, parts, strict=True):
            close(found, part.score(x, sigma))


def test_refined_levels_keep_those_given():
    given = torch.tensor([10.0, 3.0, 0.01], dtype=torch.float64)
    grid = refined(given)
    assert set(given.tolist()) <= set(grid.tolist())
    assert grid[-1] == 0
    assert float((grid[:-2] / grid[1:-1]).max()) < 1.4 + 1e-9
    assert float((grid[:-2] / grid[1:-1]).min()) > 1
