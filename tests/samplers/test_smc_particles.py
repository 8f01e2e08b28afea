"""What weighted particles say of their worth: families, errors, resampling, levels and moves."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings
from pathlib import Path

import projcomp as pc
import pytest
import torch
from projcomp.samplers.particles import Ledger
from projcomp.samplers.resampling import ancestors, conditional_share

from tests.every_density import defaults
from tests.helpers import close, normal, seeded, uniform

WIDE = pc.gaussian([0.0, 0.0], 4.0)
PARTS = [
    pc.GaussianMixture([0.3, 0.7], [[-2.0, 0.0], [2.0, 0.5]], 0.4),
    pc.GaussianMixture([0.6, 0.4], [[0.0, -2.0], [0.5, 2.0]], 0.4),
]
C = pc.compose(WIDE, PARTS)
SCORES = pc.Scored(2, lambda x, sigma: -x / (1.0 + sigma[:, None] ** 2))
GRID = pc.sigma_grid(0.05, 40.0, 60)


def on_the_right(x):
    return (x[:, 0] > 0).double()


# -- families --------------------------------------------------------------------------------------


def test_before_any_resampling_each_particle_is_its_own_family():
    run = pc.smc(C, 50, GRID, threshold=0.0, generator=seeded(1))
    assert run.ancestors.tolist() == list(range(50))
    assert run.families.tolist() == [50] * 61
    close(run.effective_families, run.effective)


@pytest.mark.parametrize("weights", ["interaction", "density"])
def test_families_are_those_of_the_particles(weights):
    """Followed by hand through a run that is resampled at every level and never moved."""
    grid = pc.sigma_grid(0.05, 40.0, 12)
    options = {"moves": 0, "threshold": 1.0, "keep_path": True}
    run = pc.smc(C, 30, grid, weights, generator=seeded(2), **options)
    assert bool(run.resampled[:-1].sum() >= 10)
    assert not bool(run.resampled[-1])
    assert int(run.families[-1]) == len(set(run.ancestors.tolist())) < 30
    shares = torch.bincount(run.ancestors, run.log_weights.exp(), minlength=30)
    close(run.effective_families[-1], 1 / shares.square().sum())
    assert bool((run.families.diff() <= 0).all())
    assert bool((run.effective_families <= run.families + 1e-9).all())
    assert bool((run.effective_families <= run.effective + 1e-9).all())
    with_start = pc.smc(
        C, 30, grid, weights, generator=seeded(3), start=normal(seeded(4), 30, 2), **options
    )
    assert with_start.ancestors.shape == (30,)


def test_a_ledger_of_known_weights():
    """Two of four particles weigh anything, and then one child of each is left with all of it."""
    ledger = Ledger(torch.zeros(4, dtype=torch.float64))
    ledger.gain(torch.tensor([0.0, 0.0, -torch.inf, -torch.inf], dtype=torch.float64))
    assert ledger.resample("systematic", seeded(5)).tolist() == [0, 0, 1, 1]
    ledger.gain(torch.tensor([1.0, 1.0, 1.0, 1.0 + math.log(2)], dtype=torch.float64))
    run = ledger.run(normal(seeded(6), 4, 1), torch.ones(2, dtype=torch.float64), 0, None)
    assert run.ancestors.tolist() == [0, 0, 1, 1]
    assert run.families.tolist() == [4, 2]
    close(run.effective, torch.tensor([2.0, 25 / 7], dtype=torch.float64))
    close(run.effective_families, torch.tensor([2.0, 25 / 13], dtype=torch.float64))
    wanted = [math.log(0.5), math.log(0.5) + 1 + math.log(5 / 4)]
    close(run.log_z, torch.tensor(wanted, dtype=torch.float64))
    assert run.resampled.tolist() == [True, False]


def test_tempering_counts_them_too():
    run = pc.tempering(C, 200, pc.gaussian([0.0, 0.0], 16.0), generator=seeded(7))
    assert run.families[0] == 200 > run.families[-1] >= len(set(run.ancestors.tolist())) > 1
    assert run.families.shape == run.effective_families.shape == run.temperatures.shape
    assert 0 < float(run.mean_with_error(run.samples)[1].max()) < 1


ONE = "all 2 particles descend from one of the first level"


def test_one_ancestor_is_warned_of():
    far = torch.tensor([[0.0, 0.0], [60.0, 0.0]], dtype=torch.float64)
    grid = pc.sigma_grid(0.05, 0.2, 30)
    with pytest.warns(UserWarning, match=ONE) as caught:
        run = pc.smc(C, 2, grid, "density", threshold=1.0, start=far, generator=seeded(8))
    assert caught[0].filename == __file__
    assert run.families[-1] == 1
    mean, error = run.mean_with_error(run.samples)
    close(mean, run.mean(run.samples))
    assert error.tolist() == [math.inf, math.inf]
    with pytest.warns(UserWarning, match="all 2 particles") as caught:
        pc.tempering(pc.gaussian([9.0], 1e-3), 2, pc.gaussian([0.0], 1.0), generator=seeded(9))
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pc.smc(C, 2, grid, "density", threshold=0.0, start=far, generator=seeded(8))


# -- errors ----------------------------------------------------------------------------------------


def run_of(values, families, weights=None):
    n = len(values)
    weights = torch.full((n,), 1 / n) if weights is None else torch.tensor(weights)
    return pc.ParticleRun(
        torch.tensor(values, dtype=torch.float64)[:, None],
        GRID,
        0,
        log_weights=weights.double().log(),
        ancestors=torch.tensor(families),
    )


def test_the_error_of_independent_particles_is_the_usual_one():
    run = run_of([1.0, 2.0, 4.0, 9.0], [0, 1, 2, 3])
    mean, error = run.mean_with_error(run.samples[:, 0])
    wanted = pc.metrics.mean_and_error(run.samples[:, 0])
    assert (float(mean), float(error)) == pytest.approx(wanted)


def test_the_error_counts_families_and_not_particles():
    run = run_of([1.0, 1.0, 1.0, 4.0, 4.0, 4.0], [0, 0, 0, 4, 4, 4])
    mean, error = run.mean_with_error(run.samples[:, 0])
    assert (float(mean), float(error)) == pytest.approx((2.5, 1.5))  # as of 1 and 4
    weighed = run_of([0.0, 6.0], [0, 1], [0.75, 0.25])
    # (.75 * 1.5)^2 + (.25 * 4.5)^2, over 1 - .75^2 - .25^2.
    assert float(weighed.mean_with_error(weighed.samples[:, 0])[1]) == pytest.approx(
        math.sqrt(2 * 1.125**2 / 0.375)
    )


def test_errors_of_any_shape_and_size():
    run = pc.smc(C, 64, GRID, generator=seeded(10))
    values = normal(seeded(11), 64, 3, 2)
    mean, error = run.mean_with_error(values)
    assert mean.shape == error.shape == (3, 2)
    close(error[1, 0], run.mean_with_error(values[:, 1, 0])[1])
    for scale in (1e-300, 1e300):
        close(run.mean_with_error(scale * values)[1], scale * error, 1e-10, 0.0)
    assert run.mean_with_error(torch.zeros(64))[1] == 0.0


def test_errors_need_ancestors_and_values():
    run = run_of([1.0, 2.0], [0, 1])
    for values in ([1.0], [1.0, math.nan], [[1.0, 2.0]], 1.0):
        with pytest.raises(ValueError, match=r"^values must"):
            run.mean_with_error(values)
    bare = pc.ParticleRun(run.samples, GRID, 0, log_weights=run.log_weights)
    with pytest.raises(ValueError, match="knows its particles' ancestors"):
        bare.mean_with_error([1.0, 2.0])
    # A family without weight is none.
    alone = run_of([1.0, 2.0], [0, 1], [1.0, 0.0])
    assert float(alone.mean_with_error([1.0, 2.0])[1]) == math.inf


@pytest.mark.parametrize("weights", ["interaction", "density"])
def test_two_errors_cover(weights):
    """The truth within 2 errors in about 95 of 100 runs, resampled and moved as by default.

    At least 3 standard errors of a binomial below that.
    """
    truth = float(on_the_right(C.exact(0.05).sample(400_000, generator=seeded(12))).mean())
    grid = pc.sigma_grid(0.05, 40.0, 100)[:-1]
    inside = resampled = 0
    for seed in range(80):
        run = pc.smc(C, 800, grid, weights, generator=seeded(seed))
        mean, error = run.mean_with_error(on_the_right(run.samples))
        inside += abs(float(mean) - truth) < 2 * float(error)
        resampled += bool(run.resampled.any())
    assert inside / 80 > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 80)
    assert resampled > 40


# -- resampling ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 7, 40, 1000])
@pytest.mark.parametrize(("scheme", "most"), [("systematic", 1), ("stratified", 2)])
def test_samples_come_as_often_as_they_weigh(n, scheme, most):
    """n W_i times, but for less than one or two; in random order."""
    weights = torch.softmax(2 * normal(seeded(13), 40), 0)
    run = run_of([float(i) for i in range(40)], list(range(40)), weights.tolist())
    drawn = run.resample(n, seeded(14), scheme)[:, 0]
    counts = torch.bincount(drawn.long(), minlength=40)
    assert int(counts.sum()) == n
    assert float((counts - n * weights).abs().max()) < most
    if n == 1000:
        assert bool((drawn.diff() < 0).any())
        half = torch.bincount(drawn[:500].long(), minlength=40) / 500
        assert float((half - weights).abs().max()) < 5 * 0.5 / math.sqrt(500)


def test_systematic_samples_are_less_noisy_than_independent_ones():
    run = pc.smc(C, 400, GRID, generator=seeded(15))
    wanted = run.mean(run.samples[:, 0])
    off = {
        scheme: sum(
            float(run.resample(400, seeded(s), scheme)[:, 0].mean() - wanted) ** 2
            for s in range(60)
        )
        for scheme in ("systematic", "multinomial")
    }
    assert off["systematic"] < 0.5 * off["multinomial"]


def test_a_particle_without_weight_is_never_drawn():
    weights = torch.tensor([0.0, 0.3, 0.0, 0.7, 0.0], dtype=torch.float64)
    for seed in range(50):
        for count in (1, 5, 64):
            drawn = ancestors(weights.log(), "stratified", seeded(seed), count)
            assert set(drawn.tolist()) <= {1, 3}
            assert len(drawn) == count


def test_nor_is_one_past_the_last_that_weighs(monkeypatch):
    """Ten tenths sum to a little less than one, and a tooth may lie beyond."""
    weights = torch.tensor([1.0] * 10 + [0.0], dtype=torch.float64)
    shares = torch.softmax(weights.log(), 0).cumsum(0)
    assert float(shares[-1]) <= 1 - 2**-53
    monkeypatch.setattr(torch, "rand", lambda *_, **__: shares.new_full((1,), 1 - 2**-53))
    assert ancestors(weights.log(), "systematic", seeded(0), 1).tolist() == [9]


@pytest.mark.parametrize("scheme", ["comb", None])
def test_an_unknown_scheme(scheme):
    with pytest.raises(ValueError, match="scheme must be one of systematic, stratified, multinom"):
        run_of([1.0, 2.0], [0, 1]).resample(3, seeded(16), scheme)


# -- levels ----------------------------------------------------------------------------------------


def test_conditional_share():
    """n (sum W g)^2 / sum W g^2 over n, at weights that are not equal."""
    logs, gain = normal(seeded(17), 20), normal(seeded(18), 20)
    w, g = torch.softmax(logs, 0), gain.exp()
    assert conditional_share(logs, gain) == pytest.approx(
        float((w * g).sum() ** 2 / (w * g * g).sum())
    )
    assert conditional_share(logs, torch.full((20,), 3.0)) == pytest.approx(1.0)


@pytest.mark.parametrize(("weights", "share"), [("interaction", 0.995), ("density", 0.9)])
def test_adaptive_levels_leave_their_share(weights, share):
    few = [40.0, 5.0, 0.05, 0.0]
    run = pc.smc(
        C, 500, few, weights, adaptive=share, threshold=0.0, generator=seeded(19), keep_path=True
    )
    plain = pc.smc(C, 500, few, weights, threshold=0.0, generator=seeded(19))
    assert set(few) <= set(run.sigmas.tolist())
    assert bool((run.sigmas.diff() < 0).all())
    assert len(run.sigmas) > 10
    for column in (run.effective, run.log_z, run.resampled, run.families, run.path):
        assert len(column) == len(run.sigmas)
    assert run.evaluations > len(run.sigmas) - 1  # steps that were thrown away are paid for
    if weights == "density":  # the interaction's tell nothing of steps that are too long
        assert float(run.effective[-1]) > 3 * float(plain.effective[-1])
    halves = (run.sigmas[:-2] / run.sigmas[1:-1]).log2()
    assert float(halves.max()) <= 3.0 + 1e-9  # from 40 to 5 in one or in parts


def test_adaptive_shares_are_what_a_step_leaves():
    """Without resampling, effective sizes fall by no more than the share at the first steps."""
    run = pc.smc(
        C, 2000, [40.0, 0.05], "density", adaptive=0.95, threshold=1.0, moves=0,
        generator=seeded(20),
    )  # fmt: skip
    # Resampled at every level: the share is that of the effective sample size.
    assert bool((run.effective[1:] >= 0.95 * 2000).all())
    assert len(run.sigmas) > 20


def test_adaptive_levels_are_limited(monkeypatch):
    monkeypatch.setattr(sys.modules["projcomp.samplers.smc"], "_MOST_HALVINGS", 3)
    run = pc.smc(C, 100, [40.0, 0.05], "density", adaptive=0.9999, generator=seeded(21))
    assert len(run.sigmas) <= 2**3 + 1


def test_levels_that_need_no_halving_stay_as_they_are():
    run = pc.smc(C, 200, GRID, adaptive=0.0, generator=seeded(22))
    plain = pc.smc(C, 200, GRID, generator=seeded(22))
    assert torch.equal(run.samples, plain.samples)
    assert torch.equal(run.sigmas, GRID)


# -- moves -----------------------------------------------------------------------------------------


def test_moves_follow_resampling_where_a_log_density_is_known():
    options = {"threshold": 0.9, "generator": seeded(23)}
    run = pc.smc(C, 200, GRID, **options)
    # Each time: two moves, one look before them and one after.
    assert run.evaluations == 60 + 4 * int(run.resampled.sum()) > 60
    still = pc.smc(C, 200, GRID, moves=0, **options)
    assert still.evaluations == 60
    ula = pc.smc(C, 200, GRID, kernel="ula", **options)
    assert ula.evaluations == 60
    everywhere = pc.smc(C, 200, GRID, moves=1, **options)
    assert everywhere.evaluations == 60 + 4 * 59


def test_without_a_log_density_nothing_moves():
    density = pc.compose(WIDE, [SCORES, PARTS[0]])
    run = pc.smc(density, 100, GRID, threshold=1.0, generator=seeded(24))
    assert bool(run.resampled.any())
    assert run.evaluations == 60


def test_moves_after_resampling_keep_the_estimates_unbiased():
    """exp(log_z) over 200 runs of 60 particles, resampled at every level: 4 standard errors."""
    grid = torch.logspace(math.log10(20.0), math.log10(0.3), 16, dtype=torch.float64)
    x = torch.zeros(2, dtype=torch.float64)
    log_z = float(C.log_prob(x, 0.3) - C.exact(0.3).log_prob(x))
    ratios = [
        math.exp(
            float(pc.smc(C, 60, grid, "density", threshold=1.0, generator=seeded(s)).log_z[-1])
            - log_z
        )
        for s in range(200)
    ]
    mean, error = pc.metrics.mean_and_error(ratios)
    assert abs(mean - 1.0) < 4 * error < 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adaptive": 1.0}, r"adaptive must lie in \[0, 1\), got 1"),
        ({"adaptive": -0.1}, "adaptive must lie in"),
        ({"adaptive": math.nan}, "adaptive must be finite"),
        ({"adaptive": [0.5, 0.5]}, "adaptive must be one number"),
        ({"threshold": math.nan}, "threshold must be finite"),
        ({"moves": -1}, "moves must be >= 0"),
        ({"moves": 1.5}, "moves must be an integer"),
        ({"moves": True}, "moves must be an integer"),
        ({"kernel": "nuts"}, "kernel must be one of"),
        ({"kernel": "nuts", "moves": 0}, "kernel must be one of"),
        ({"start": [[0.0, math.nan]] * 5}, "start must be finite"),
        ({"start": [[0.0, 1.0]] * 4}, "start must have shape"),
    ],
)
def test_bad_options(options, message):
    def never(*_):
        raise AssertionError("work was done")

    density = pc.compose(WIDE, PARTS)
    density.score_and_interaction = density.log_prob_and_score = never
    with pytest.raises(ValueError, match=message):
        pc.smc(density, 5, GRID, **options)


@pytest.mark.parametrize("changed", [{"dtype": torch.float64}, {"device": "meta"}])
def test_defaults_of_torch_change_nothing(changed):
    product = pc.simple_product(PARTS)

    def everything():
        options = {"adaptive": 0.9, "threshold": 0.9}
        runs = [
            pc.smc(density, 60, GRID[::6], weights, generator=seeded(25), **options)
            for density in (C, product)
            for weights in ("interaction", "density")
        ]
        found = []
        for run in runs:
            found += [run.samples, run.sigmas, run.effective_families, run.ancestors.double()]
            found += [run.families.double(), *run.mean_with_error(run.samples)]
            found += [run.resample(9, seeded(26), "stratified")]
        return found

    wanted = everything()
    with defaults(**changed):
        found = everything()
    for one, other in zip(found, wanted, strict=True):
        close(one, other)


def test_weights_of_any_size():
    """Log weights about +-1e5 are as good as about 0."""
    gain = uniform(seeded(27), 30)
    for shift in (-1e5, 0.0, 1e5):
        ledger = Ledger(torch.zeros(30, dtype=torch.float64))
        size = ledger.gain(gain + shift)
        assert size == pytest.approx(float(gain.exp().sum() ** 2 / (2 * gain).exp().sum()))
        assert ledger.log_z == pytest.approx(math.log(float(gain.exp().mean())) + shift)
    for bad in (math.nan, math.inf):
        assert math.isnan(
            Ledger(torch.zeros(2, dtype=torch.float64)).gain(torch.tensor([0.0, bad]))
        )
    assert math.isnan(Ledger(torch.full((2,), -torch.inf, dtype=torch.float64)).gain())


def test_the_benchmark_of_spreads_runs():
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "spread.py"
    command = [sys.executable, str(script), "--quick", "--repeats", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for words in ("SMC, interaction weights", "annealed MALA", "tempering", "jax", "evaluations"):
        assert words in done.stdout
