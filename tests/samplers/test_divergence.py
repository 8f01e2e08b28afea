"""Moves that lead out of reach: rejected, not an error; particles that run off: one named error."""

from __future__ import annotations

import math
import warnings

import projcomp as pc
import pytest
import torch
from projcomp.samplers import kernels
from projcomp.samplers.chains import Chains

from tests.helpers import BANANA, normal, seeded

MIXTURE = pc.GaussianMixture([0.4, 0.6], [[-1.0, 0.0], [1.0, 0.5]], [0.5, 0.8])
BENT = pc.pushforward(MIXTURE, BANANA)
BENT_GAUSSIAN = pc.pushforward(pc.GaussianMixture([1.0], [[0.0, 0.0]], 1.0), BANANA)
GRID = pc.sigma_grid(0.02, 50.0, 20)


class Given(pc.Density):
    """exp of a function of points (dim, B), at every noise level."""

    def __init__(self, function, dim=1):
        super().__init__(dim)
        self.function = function

    def _log_prob(self, x, sigma):
        return self.function(x)


QUARTIC = Given(lambda x: -(x**4).sum(0))
SQUARE = math.gamma(0.75) / math.gamma(0.25)
"""E x^2 under exp(-x^4)."""


def quadrature(density, power):
    """E of both coordinates to a power, on the plane."""
    grid = pc.Grid([-6.0, -6.0], [6.0, 32.0], 1000)
    masses = grid.masses(density)
    return torch.stack([(masses * grid.points[..., i] ** power).sum() for i in range(2)])


# -- default arguments, from cold starts -----------------------------------------------------------


@pytest.mark.parametrize("kernel", ["mala", "hmc"])
@pytest.mark.parametrize("spread", [0.1, 1e-2, 1e-9])
def test_a_quartic_from_its_mode(kernel, spread):
    """Where the score says nothing of the width. The first 100 moves are left out; 4 errors."""
    start = spread * normal(seeded(1), 200, 1)
    run = pc.mcmc(QUARTIC, start, 1000, kernel=kernel, generator=seeded(2))
    for power, wanted in ((1, 0.0), (2, SQUARE), (4, 0.25)):
        mean, error = pc.samplers.mean_with_error(run.path[101:] ** power)
        assert abs(float(mean[0]) - wanted) < 4 * float(error[0])
    assert float(run.acceptance[0]) > 0.3
    assert float(run.effective[0]) > 2000


@pytest.mark.parametrize("kernel", ["mala", "hmc"])
def test_a_banana_from_its_middle(kernel):
    """Where the score is a hundredth of what it is elsewhere."""
    start = 0.01 * normal(seeded(3), 200, 2)
    run = pc.mcmc(BENT_GAUSSIAN, start, 2000, kernel=kernel, generator=seeded(4))
    for power in (1, 2):
        wanted = quadrature(BENT_GAUSSIAN, power)
        mean, error = pc.samplers.mean_with_error(run.path[501:] ** power)
        assert bool(((mean - wanted).abs() < 4 * error).all()), (mean, wanted, error)


@pytest.mark.parametrize(
    ("density", "dim", "mean_square"),
    [(QUARTIC, 1, SQUARE), (BENT_GAUSSIAN, 2, 1.0)],
    ids=["x^4", "bent"],
)
@pytest.mark.parametrize("spread", [1e-2, 1e-9])
def test_unadjusted_langevin_from_a_mode(density, dim, mean_square, spread):
    """Biased by its step, but neither gone nor stuck: second moments within 15%."""
    start = spread * normal(seeded(5), 500, dim)
    run = pc.mcmc(density, start, 3000, kernel="ula", generator=seeded(6))
    found = run.path[1001:, :, 0].square().mean()
    assert float(found) == pytest.approx(mean_square, rel=0.15)
    assert float(run.acceptance[0]) > 0.99
    moved = (run.path[-1] != run.path[-2]).any(-1)
    assert float(moved.double().mean()) > 0.98


@pytest.mark.parametrize("kernel", ["ula", "mala", "hmc"])
def test_a_flat_mode_of_a_hundredth_power(kernel):
    """Scores of 1e-198: a step some 1e197 too long is shrunk until it fits."""
    box = Given(lambda x: -(x.abs() ** 100).sum(0))
    run = pc.mcmc(box, 0.01 * normal(seeded(7), 50, 1), 400, kernel=kernel, generator=seeded(8))
    assert 1e-3 < float(run.step_sizes[0]) < 3
    if kernel == "hmc":
        assert 0.25 < float(run.path[200:].square().mean()) < 0.4  # of the uniform law: 1 / 3


def test_a_given_step_is_kept_unless_it_adapts():
    start = 0.01 * normal(seeded(9), 50, 1)
    scale = 1.0 / float(QUARTIC.score(start).square().mean().sqrt())
    for kernel in ("ula", "mala", "hmc"):
        run = pc.mcmc(QUARTIC, start, 5, kernel=kernel, step=0.5, generator=seeded(10))
        assert float(run.step_sizes[0]) == pytest.approx(0.5 * scale)
        assert torch.isfinite(run.path).all()
    adapted = pc.mcmc(QUARTIC, start, 50, step=0.5, burn_in=30, generator=seeded(10))
    assert float(adapted.acceptance[0]) == pytest.approx(0.8, abs=0.15)


def test_tries_are_counted():
    calls = 0

    def counted(x):
        nonlocal calls
        calls += 1
        return -(x**4).sum(0)

    density = Given(counted)
    run = pc.mcmc(density, 0.01 * normal(seeded(11), 20, 1), 10, generator=seeded(12))
    assert run.evaluations == calls  # a log density and its derivative at once
    assert run.evaluations > 1 + 5 * 10


@pytest.mark.parametrize("kernel", ["ula", "mala", "hmc"])
def test_where_the_first_move_is_accepted_nothing_else_is_drawn(kernel):
    start = MIXTURE.sample(100, generator=seeded(13))
    generator, alone = seeded(14), seeded(14)
    pc.mcmc(MIXTURE, start, 3, kernel=kernel, generator=generator)
    for _ in range(3):
        normal(alone, 100, 2)
        if kernel != "ula":
            torch.rand(100, generator=alone, dtype=torch.float64)
    assert torch.equal(generator.get_state(), alone.get_state())


# -- one move --------------------------------------------------------------------------------------


def cliff(value):
    """A target that answers with `value` on x > 1, as log density, score, or an error."""

    def target(x):
        over = x[:, 0] > 1.0
        log_prob, score = -0.5 * x.square().sum(-1), -x
        if value == "refuses" and bool(over.any()):
            raise ValueError("x must be at most 1")
        if value == "score":
            score = torch.where(over[:, None], torch.nan, score)
        elif value != "refuses":
            log_prob = torch.where(over, float(value), log_prob)
        return log_prob, score

    return target


@pytest.mark.parametrize("kernel", ["ula", "mala", "hmc"])
@pytest.mark.parametrize("value", ["nan", "inf", "score", "refuses"])
def test_what_is_not_known_is_not_entered(kernel, value):
    """And the rest of the chains move as if nothing was, with acceptances that are numbers."""
    x = normal(seeded(15), 400, 1)
    x = x[x[:, 0] <= 1.0]
    move = {"ula": kernels.ula, "mala": kernels.mala, "hmc": kernels.hmc}[kernel]
    options = (3,) if kernel == "hmc" else ()
    state = free = kernels.begin(cliff("refuses"), x)
    for seed in range(20):
        state, taken = move(state, cliff(value), 0.7, seeded(seed), *options)
        assert bool(torch.isfinite(taken).all())
        assert float(state.x.max()) <= 1.0
        assert bool(torch.isfinite(state.log_prob).all())
        assert bool(torch.isfinite(state.score).all())
    plain = cliff("-0.0")  # finite everywhere
    with_it, _ = move(free, cliff(value), 0.7, seeded(0), *options)
    without, _ = move(free, plain, 0.7, seeded(0), *options)
    same = (with_it.x == without.x).all(-1)
    assert bool((same | (with_it.x == free.x).all(-1)).all())
    assert int(same.sum()) > 100


@pytest.mark.parametrize("step", [1e3, 1e60, 1e155, 1e300])
@pytest.mark.parametrize("kernel", ["ula", "mala", "hmc"])
@pytest.mark.parametrize(
    "density",
    [MIXTURE, BENT, Given(lambda x: -(x**4).sum(0), 2)],
    ids=["mixture", "bent", "quartic"],
)
def test_steps_of_any_length_leave_finite_states(step, kernel, density):
    move = {"ula": kernels.ula, "mala": kernels.mala, "hmc": kernels.hmc}[kernel]
    options = (5,) if kernel == "hmc" else ()
    state = kernels.begin(density.log_prob_and_score, normal(seeded(16), 30, 2))
    new, taken = move(state, density.log_prob_and_score, step, seeded(17), *options)
    assert bool(torch.isfinite(taken).all())
    assert bool(((taken >= 0) & (taken <= 1)).all())
    for values in (new.x, new.log_prob, new.score):
        assert bool(torch.isfinite(values).all())
    assert torch.equal(new.x, state.x)


def test_a_stable_unadjusted_step_is_never_refused():
    """Near its limit of 2 standard deviations ULA spreads over ten variances, as it should."""
    density, step = pc.gaussian([0.0], 1.0), 1.9
    state, g = kernels.begin(density.log_prob_and_score, normal(seeded(18), 20_000, 1)), seeded(19)
    for _ in range(80):
        state, taken = kernels.ula(state, density.log_prob_and_score, step, g)
        assert bool((taken == 1).all())
    wanted = 1 / (1 - step**2 / 4)
    assert abs(float(state.x.var()) - wanted) < 5 * wanted * math.sqrt(2 / 20_000)


def test_the_first_moves_acceptance_from_scores_is_that_of_mala_on_a_gaussian():
    density = pc.gaussian([1.0, -2.0], [0.5, 2.0])
    state = kernels.begin(density.log_prob_and_score, normal(seeded(20), 500, 2))
    noise = normal(seeded(21), 500, 2)
    there = kernels.begin(
        density.log_prob_and_score, state.x + 0.5 * 0.8**2 * state.score + 0.8 * noise
    )
    _, taken = kernels.mala(state, density.log_prob_and_score, 0.8, seeded(21))
    found = kernels.langevin_log_ratio(state, there, 0.8).clamp(max=0).exp()
    torch.testing.assert_close(found, taken, rtol=1e-10, atol=1e-12)


# -- starts that have no density -------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["ula", "mala", "hmc"])
def test_a_start_without_a_score(kernel):
    with pytest.raises(ValueError, match=r"density must have a finite score.*sigma = 0.*1 of 2"):
        pc.mcmc(Given(lambda x: (x[0] - 1).sqrt()), [[2.0], [0.5]], 5, kernel=kernel)
    if kernel == "ula":
        return
    for wrong in (math.nan, math.inf):
        steep = Given(lambda x, wrong=wrong: wrong + 0 * x[0])
        with pytest.raises(ValueError, match="density must have a finite score, and a log"):
            pc.mcmc(steep, [[2.0]], 5, kernel=kernel)


@pytest.mark.parametrize("kernel", ["mala", "hmc"])
def test_a_density_on_a_half_line(kernel):
    """x e^-x, whose logarithm is NaN below 0: mean 2."""
    half = Given(lambda x: x[0].log() - x[0])
    start = 2.0 + 0.1 * normal(seeded(32), 100, 1)
    run = pc.mcmc(half, start, 2000, kernel=kernel, burn_in=20, generator=seeded(33))
    assert float(run.path.min()) > 0
    mean, error = pc.samplers.mean_with_error(run.path[101:])
    assert abs(float(mean[0]) - 2.0) < 4 * float(error[0])


# -- particles that run off ------------------------------------------------------------------------

GROWING = pc.Scored(2, lambda x, sigma: 1e30 * x)
UNKNOWN = pc.Scored(2, lambda x, sigma: x * math.nan)
OFF = r"density must keep its particles within 1e\+100, but at sigma = [0-9.e+-]+ \d+ of 40 ran off"


@pytest.mark.parametrize("method", ["euler", "heun", "sde"])
@pytest.mark.parametrize("density", [GROWING, UNKNOWN], ids=["grows", "nan"])
def test_reverse_diffusion_names_where_its_particles_ran_off(method, density):
    for grid in (GRID, [1e50, 1e40], [1e50, 1e49, 0.0]):
        with pytest.raises(ValueError, match=OFF):
            pc.reverse_diffusion(density, 40, grid, method, generator=seeded(22))


def test_the_level_is_the_first_at_which_they_are_off():
    """x goes to 1 + 1e60 (high^2 - high low) times itself: beyond 1e100 with the second step."""
    density = pc.Scored(1, lambda x, sigma: 1e60 * x)
    with pytest.raises(ValueError, match="at sigma = 4 3 of 3 ran off"):
        pc.reverse_diffusion(density, 3, [9.0, 6.0, 4.0, 1.0], "euler", start=torch.ones(3, 1))


@pytest.mark.parametrize("predictor", ["auto", "heun"])
def test_annealed_chains_name_it_too(predictor):
    with pytest.raises(ValueError, match=OFF):
        pc.annealed_mcmc(GROWING, 40, GRID, "ula", predictor=predictor, generator=seeded(23))


def test_weights_that_are_not_finite():
    with pytest.raises(ValueError, match=r"density must .* at sigma = "):
        pc.smc(Given(lambda x: 1e60 * x[0] ** 4), 40, GRID, "density", generator=seeded(24))
    with pytest.raises(ValueError, match=r"density must .* log density is NaN or infinite there"):
        pc.smc(Given(lambda x: torch.nan + 0 * x[0]), 40, GRID, "density", generator=seeded(24))
    with pytest.raises(ValueError, match="density must have a log density below infinity"):
        pc.tempering(Given(lambda x: x[0].log()), 40, pc.gaussian([0.0], 1.0), generator=seeded(25))


# -- too few levels --------------------------------------------------------------------------------

SKEWED = pc.GaussianMixture(
    [0.15, 0.6, 0.25], [[3.0, 1.0], [0.0, 0.0], [1.0, -2.0]], [[0.3, 0.8], [1.0, 0.5], [0.4, 0.2]]
)
OUT = "the particles are not in equilibrium at sigma = 0.02: .* spread too widely; take more levels"


@pytest.mark.parametrize("levels", [5, 8, 12, 20])
def test_unadjusted_langevin_by_default_at_few_levels(levels):
    """Standard deviations within a tenth; and with no predictor a warning of one that is not."""
    wanted = SKEWED.sample(200_000, generator=seeded(26)).std(0)
    grid = pc.sigma_grid(0.02, 100.0, levels)
    run = pc.annealed_mcmc(SKEWED, 2000, grid, "ula", generator=seeded(27))
    assert bool(((run.samples.std(0) / wanted - 1).abs() < 0.1).all())
    assert abs(float(run.balance[-1]) - 1) < 0.3
    explicit = pc.annealed_mcmc(SKEWED, 2000, grid, "ula", predictor="sde", generator=seeded(27))
    assert torch.equal(run.samples, explicit.samples)
    with pytest.warns(UserWarning, match=OUT) as caught:
        lagging = pc.annealed_mcmc(SKEWED, 2000, grid, "ula", predictor=None, generator=seeded(27))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert float(lagging.samples.std(0).max()) > 5 * float(wanted.max())
    assert float(lagging.balance[-1]) > 50


@pytest.mark.parametrize("kernel", ["mala", "hmc"])
def test_the_other_kernels_have_no_predictor_by_default(kernel):
    runs = [
        pc.annealed_mcmc(SKEWED, 200, GRID, kernel, generator=seeded(28), **options)
        for options in ({}, {"predictor": None}, {"predictor": "sde"})
    ]
    assert torch.equal(runs[0].samples, runs[1].samples)
    assert not torch.equal(runs[0].samples, runs[2].samples)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel": "ula"},
        {"kernel": "ula", "step": 0.8, "burn_in": 0},
        {"kernel": "mala", "moves": 3, "burn_in": 1, "predictor": None},
        {"kernel": "hmc", "moves": 2, "burn_in": 1, "leapfrog": 3, "predictor": "sde"},
    ],
    ids=str,
)
def test_healthy_runs_do_not_warn(options):
    """Of 10 seeds and 30 and 200 particles each, also where all are in one mode of two."""
    apart = pc.GaussianMixture([0.5, 0.5], [[-40.0, 0.0], [40.0, 0.0]], [0.5, 2.0])
    grid = pc.sigma_grid(0.02, 60.0, 40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for density in (SKEWED, apart):
            for n in (30, 200):
                for seed in range(10):
                    pc.annealed_mcmc(density, n, grid, generator=seeded(seed), **options)


def test_what_is_not_normalisable_is_not_warned_of_twice():
    narrow = pc.compose(pc.gaussian([0.0], 1.0), [pc.gaussian([0.0], 9.0)] * 2)
    with pytest.warns(UserWarning, match="not normalisable") as caught:
        pc.annealed_mcmc(narrow, 200, [1.0, 0.5, 0.2], "mala", generator=seeded(29))
    assert len(caught) == 1


def test_chains_take_any_target():
    """Their own first step is sought at every target where nothing adapts it."""
    chains = Chains("mala", 200, 0)
    x = 1e-3 * normal(seeded(30), 100, 1)
    for _ in range(2):
        leg = chains.run(QUARTIC.log_prob_and_score, x, seeded(31))
        assert leg.acceptance > 0.2
        assert repr(leg) == "Leg(200 moves of 100 chains in R^1)"
        assert repr(leg.state) == "State(100 points in R^1)"
