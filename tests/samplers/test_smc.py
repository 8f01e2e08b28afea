"""Sequential Monte Carlo: unbiased over repeated runs, and right where reverse diffusion is not."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp.samplers.resampling import SCHEMES, ancestors, effective_size
from projcomp.widgets.presets import sheared

from tests.helpers import close, normal, seeded, uniform


def shear(degrees=60, m=1.0, s=0.5, shares=((0.6, 0.4), (0.3, 0.7))):
    """A composition whose noised path is wrong, and its features."""
    background, concepts, rows = sheared(degrees, m, s, shares)
    return pc.compose(background, concepts), torch.tensor(rows, dtype=torch.float64)


def log_normaliser(composition, sigma=0.0):
    x = torch.zeros(composition.dim, dtype=torch.float64)
    return float(composition.log_prob(x, sigma) - composition.exact(sigma).log_prob(x))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_ancestors_come_as_often_as_they_weigh(scheme):
    """n w_i on average (5 standard errors), and never further off than the scheme allows."""
    log_weights = 2 * normal(seeded(1), 40)
    wanted = 40 * torch.softmax(log_weights, 0)
    g, runs = seeded(2), 2000
    counts = torch.stack(
        [torch.bincount(ancestors(log_weights, scheme, g), minlength=40) for _ in range(runs)]
    ).double()
    most = 1 if scheme == "systematic" else 2
    assert float((counts - wanted).abs().max()) < most
    error = (wanted.clamp(max=1.0) / runs).sqrt()
    assert bool(((counts.mean(0) - wanted).abs() <= 5 * error).all())


def test_effective_size():
    assert effective_size(torch.zeros(7)) == pytest.approx(7)
    assert effective_size(torch.tensor([0.0, -800.0, -800.0])) == pytest.approx(1)
    assert effective_size(torch.tensor([500.0, 500.0, -500.0])) == pytest.approx(2)


@pytest.mark.parametrize(
    ("options", "runs", "n"),
    [({}, 75, 240), ({"threshold": 1.0}, 300, 60), ({"moves": 2}, 75, 240)],
    ids=str,
)
def test_density_weights_are_unbiased_over_repeated_runs(options, runs, n):
    """exp(log_z) has mean Z, and exp(log_z) times a weighted mean has mean Z E f, at 20 steps.

    4 standard errors. Of few particles, where all are resampled at every level: a bias of order
    1 / n would show there.
    """
    composition, rows = shear()
    log_z = log_normaliser(composition, 0.05)
    sigmas = torch.logspace(math.log10(20.0), math.log10(0.05), 21, dtype=torch.float64)
    first, second = [], []
    g = seeded(3)
    for _ in range(runs):
        run = pc.smc(composition, n, sigmas, "density", generator=g, **options)
        value = math.exp(float(run.log_z[-1]) - log_z)
        first.append(value)
        second.append(value * float(run.mean((run.samples @ rows.T)[:, 0])))
    first, second = (torch.tensor(v, dtype=torch.float64) for v in (first, second))
    noised = composition.exact(0.05).sample(400_000, generator=seeded(4))
    wanted = float((noised @ rows.T)[:, 0].mean())
    for found, mean in ((first, 1.0), (second, wanted)):
        error = float(found.std()) / math.sqrt(runs)
        assert abs(float(found.mean()) - mean) < 4 * error


def test_interaction_weights_become_exact_with_the_steps():
    """The estimate of log Z has an error of first order or better; scores alone are used."""
    composition, rows = shear()
    wanted = log_normaliser(composition) - log_normaliser(composition, 50.0)
    errors = []
    for steps in (15, 60, 240):
        start = composition.exact(50.0).sample(20_000, generator=seeded(5))
        grid = pc.sigma_grid(0.01, 50.0, steps)
        run = pc.smc(composition, 20_000, grid, generator=seeded(6), start=start)
        errors.append(abs(float(run.log_z[-1]) - wanted))
        quadrant = ((run.samples @ rows.T) > 0).all(-1).double()
        if steps == 240:
            share = float(run.mean(quadrant))
            assert share == pytest.approx(0.6 * 0.3, abs=0.03)
    assert errors[2] < 0.02
    assert errors[2] < errors[0]


def test_weights_mend_what_reverse_diffusion_gets_wrong():
    """A mild shear: shares of the aligned blobs, in standard errors of the effective sample."""
    composition, rows = shear(60, 1.0, 0.4, ((0.5, 0.5), (0.5, 0.5)))
    grid = pc.sigma_grid(0.01, 100.0, 150)

    def aligned(x):
        return ((x @ rows.T).prod(-1) > 0).double()

    truth = float(aligned(composition.exact().sample(400_000, generator=seeded(7))).mean())
    plain = pc.reverse_diffusion(composition, 4000, grid, "sde", generator=seeded(8))
    mended = pc.smc(composition, 4000, grid, threshold=0.0, generator=seeded(8))
    error = 0.5 / math.sqrt(float(mended.effective[-1]))
    assert float(aligned(plain.samples).mean()) - truth > 0.15
    assert abs(float(mended.mean(aligned(mended.samples))) - truth) < 5 * error


@pytest.mark.parametrize("weights", ["interaction", "density"])
def test_what_a_run_says_of_itself(weights):
    composition, _ = shear()
    grid = pc.sigma_grid(0.05, 50.0, 25)
    run = pc.smc(composition, 300, grid, weights, generator=seeded(9), keep_path=True)
    assert run.log_weights.exp().sum() == pytest.approx(1.0)
    assert run.effective.shape == run.log_z.shape == run.resampled.shape == grid.shape
    assert bool(((run.effective >= 1) & (run.effective <= 300 + 1e-9)).all())
    assert run.path.shape == (len(grid), 300, 2)
    still = pc.smc(composition, 300, grid, weights, moves=0, generator=seeded(9))
    assert still.evaluations == len(grid) - 1
    assert run.evaluations == len(grid) - 1 + 4 * int(run.resampled.sum())
    assert run.resample(50, seeded(10)).shape == (50, 2)
    right = run.samples[:, 0] > 0
    close(run.mean(right), run.mean(right.double()))
    close(run.mean(right.long()), run.log_weights.exp()[right].sum())
    never = pc.smc(composition, 300, grid, weights, threshold=0.0, generator=seeded(9))
    assert not bool(never.resampled.any())
    again = pc.smc(composition, 300, grid, weights, generator=seeded(9))
    close(again.samples, run.samples)


def test_where_composing_commutes_no_weight_moves():
    composition = pc.compose(
        pc.gaussian([0.0, 0.0], 1.0), [pc.gaussian([2.0, 0.0], 1.0), pc.gaussian([1.0, 1.0], 1.0)]
    )
    run = pc.smc(composition, 200, pc.sigma_grid(0.01, 50.0, 30), generator=seeded(11))
    close(run.effective, torch.full_like(run.effective, 200.0))
    # Two concepts at an angle: the interaction is a constant, and log Z its integral.
    wanted = log_normaliser(composition) - log_normaliser(composition, 50.0)
    assert float(run.log_z[-1]) == pytest.approx(wanted, abs=0.02)


def test_stratified_resampling_works_as_well():
    composition, _ = shear()
    grid = pc.sigma_grid(0.02, 50.0, 60)
    runs = [
        pc.smc(composition, 4000, grid, "density", resampling=r, generator=seeded(12))
        for r in SCHEMES
    ]
    assert float(runs[0].log_z[-1]) == pytest.approx(float(runs[1].log_z[-1]), abs=0.1)


SKEWED = pc.GaussianMixture([0.2, 0.8], [[3.0, 0.0], [-1.0, 1.0]], [0.3, 0.6])
FLATTER = pc.Flat(2)


@pytest.mark.parametrize("kernel", ["mala", "hmc"])
def test_tempering_finds_shares_and_normaliser(kernel):
    target = pc.compose(pc.gaussian([0.0, 0.0], 4.0), [SKEWED, SKEWED])
    grid = pc.Grid.square(7.0, 400)
    wanted = float(grid.log_integral(target.log_prob(grid.points)))
    masses = grid.masses(target)
    right = float(masses[grid.points[..., 0] > 1].sum())
    shares, normalisers = [], []
    for seed in range(6):
        run = pc.tempering(
            target, 1500, pc.gaussian([0.0, 0.0], 6.0), kernel=kernel, generator=seeded(seed)
        )
        shares.append(float(run.mean((run.samples[:, 0] > 1).double())))
        normalisers.append(float(run.log_z[-1]))
        assert run.temperatures[0] == 0
        assert run.temperatures[-1] == 1
    for found, truth in ((shares, right), (normalisers, wanted)):
        mean, error = pc.metrics.mean_and_error(found)
        assert abs(mean - truth) < 5 * error + 0.005


def test_tempering_of_the_base_itself_takes_one_stage():
    base = pc.gaussian([0.0], 1.0)
    run = pc.tempering(base, 100, base, generator=seeded(13))
    assert run.temperatures.tolist() == [0.0, 1.0]
    assert float(run.log_z[-1]) == pytest.approx(0.0, abs=1e-12)


P = pc.gaussian([0.0], 1.0)
C = pc.compose(P, [P])
GRID = pc.sigma_grid(0.1, 10.0, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pc.smc(P, 10, GRID), "density must be a Composition for weights='interaction'"),
        (lambda: pc.smc(C, 1, GRID), "n must be >= 2"),
        (lambda: pc.smc(C, 10, GRID, "scores"), "weights must be one of interaction, density"),
        (lambda: pc.smc(C, 10, GRID, resampling="multinomial"), "resampling must be one of"),
        (lambda: pc.smc(C, 10, GRID, threshold=1.5), "threshold must lie in"),
        (lambda: pc.smc(C, 10, GRID.flip(0)), "strictly decreasing"),
        (lambda: pc.smc("C", 10, GRID), "density must be a Density"),
        (lambda: pc.tempering(C, 10, "N"), "base must be a Density"),
        (lambda: pc.tempering(C, 10, pc.gaussian([0.0, 0.0], 1.0)), r"base must live on R\^1"),
        (lambda: pc.tempering(C, 10, P, kernel="ula"), "kernel must be one of mala, hmc"),
        (lambda: pc.tempering(C, 10, P, threshold=1.0), "threshold must lie in"),
        (lambda: pc.tempering(C, 10, FLATTER), r"base must live on R\^1"),
        (lambda: pc.tempering(C, 10, pc.Flat(1)), "no exact sampler"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_uniform_numbers_make_no_edge():
    """Weights that sum to one but for rounding never send an index past the end."""
    for seed in range(200):
        weights = uniform(seeded(seed), 3)
        assert int(ancestors(weights.log(), "stratified", seeded(seed)).max()) <= 2
