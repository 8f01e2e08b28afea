"""Samplers under any settings of torch, with any arguments, copied, stored and in threads."""

from __future__ import annotations

import copy
import math
import pickle
import threading

import numpy as np
import projcomp as pc
import pytest
import torch
from projcomp.densities import _draw

from tests.helpers import normal, seeded

P = pc.GaussianMixture([0.3, 0.7], [[0.0, 1.0], [2.0, -1.0]], [0.2, 0.6])
WIDE = pc.gaussian([0.0, 0.0], 9.0)
C = pc.compose(pc.gaussian([0.0, 0.0], 9.0), [P])
GRID = pc.sigma_grid(0.1, 10.0, 6)
START = 3.0 * normal(seeded(0), 40, 2)


def sampled(generator=None, start=None, kernel="mala"):
    """A run of every sampler, by name."""
    return {
        "reverse diffusion": pc.reverse_diffusion(
            P, 40, GRID, "sde", generator=generator, start=start, keep_path=True
        ),
        "annealed": pc.annealed_mcmc(P, 40, GRID, kernel, generator=generator, start=start),
        "annealed, ula": pc.annealed_mcmc(P, 40, GRID, "ula", generator=generator, start=start),
        "mcmc": pc.mcmc(P, START if start is None else start, 12, generator=generator),
        "smc": pc.smc(C, 40, GRID, "density", moves=1, generator=generator, start=start),
        "tempering": pc.tempering(P, 40, WIDE, generator=generator),
    }


def numbers(run):
    """All tensors of a run, by name."""
    return {name: value for name, value in vars(run).items() if isinstance(value, torch.Tensor)}


def same(one, other):
    assert type(one) is type(other)
    assert one.evaluations == other.evaluations
    for (name, a), b in zip(numbers(one).items(), numbers(other).values(), strict=True):
        assert a.dtype == b.dtype, name
        assert torch.equal(a, b), name


def all_same(runs):
    for one, other in zip(sampled(seeded(1)).values(), runs.values(), strict=True):
        same(one, other)


@pytest.fixture
def restored():
    """The defaults of torch, whatever a test sets them to."""
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)


# -- how torch is set ------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_defaults_of_torch_change_nothing(device, dtype, restored):
    wanted = sampled(seeded(1))
    draws = wanted["mcmc"].path[1:]
    sizes = [pc.effective_samples(draws, kind) for kind in ("bulk", "tail", "mean")]
    g = seeded(1)
    torch.set_default_dtype(dtype)
    torch.set_default_device(device)
    found = sampled(g)
    for kind, size in zip(("bulk", "tail", "mean"), sizes, strict=True):
        assert pc.effective_samples(draws, kind) == size
    assert pc.r_hat(draws) == float(wanted["mcmc"].r_hat[0])
    for name, run in found.items():
        same(run, wanted[name])
    fresh = pc.reverse_diffusion(P, 5, GRID)
    assert fresh.samples.device.type == "cpu"
    assert found["smc"].resample(3).device.type == "cpu"


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_runs_in_any_mode(mode):
    with mode():
        runs = sampled(seeded(1))
    all_same(runs)
    for run in runs.values():
        for name, value in numbers(run).items():
            assert not value.is_inference(), name
            assert not value.requires_grad, name
        x = run.samples.requires_grad_(True)  # and they can take part in derivatives
        assert torch.isfinite(torch.autograd.grad(P.log_prob(x).sum(), x)[0]).all()


def test_a_start_made_in_inference_mode_serves_outside():
    with torch.inference_mode():
        start = START.clone()
    for run in sampled(seeded(2), start).values():
        assert not run.samples.is_inference()


def test_no_run_asks_for_gradients():
    """Whatever needs them: the start, the levels, the draws."""
    start = START.clone().requires_grad_(True)
    for run in sampled(seeded(2), start).values():
        for value in numbers(run).values():
            value.numpy()
    levels = GRID.clone().requires_grad_(True)
    pc.reverse_diffusion(P, 4, levels, generator=seeded(2)).sigmas.numpy()


def test_threads_do_not_meet():
    """Ten at once give what one alone gives; and warnings are as before."""
    import warnings

    before, found, errors = list(warnings.filters), {}, []

    def work(index):
        try:
            found[index] = sampled(seeded(1))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for runs in found.values():
        all_same(runs)
    assert warnings.filters == before


# -- runs as objects -------------------------------------------------------------------------------


def test_runs_can_be_stored_and_copied():
    for run in sampled(seeded(1)).values():
        for twin in (copy.deepcopy(run), copy.copy(run), pickle.loads(pickle.dumps(run))):
            same(run, twin)
            assert repr(twin) == repr(run)
        assert run != copy.copy(run)  # compared by identity
        assert len({run, run}) == 1


def test_what_runs_say_is_one_line():
    words = {name: repr(run) for name, run in sampled(seeded(1)).items()}
    assert words["mcmc"] == "ChainRun(40 samples in R^2, 61 evaluations, path kept)"
    assert words["smc"].startswith("ParticleRun(40 samples in R^2, ")
    assert all("\n" not in text and len(text) < 80 for text in words.values())


def test_a_chain_run_says_how_its_chains_are():
    run = pc.annealed_mcmc(P, 40, GRID, "mala", generator=seeded(3))
    for values in (run.acceptance, run.step_sizes, run.effective, run.r_hat, run.balance):
        assert values.shape == (len(GRID) - 1,)
        assert bool(torch.isfinite(values).all())
    chain = pc.mcmc(P, START, 50, generator=seeded(4))
    assert float(chain.effective[0]) == pc.effective_samples(chain.path[1:])
    assert float(chain.r_hat[0]) == pc.r_hat(chain.path[1:])


# -- what comes in ---------------------------------------------------------------------------------


@pytest.mark.parametrize("generator", [0, np.random.default_rng(0), "seed"])
def test_a_generator_that_is_none(generator):
    run = pc.smc(C, 10, GRID, generator=seeded(5))
    for call in (
        lambda: pc.reverse_diffusion(P, 5, GRID, generator=generator),
        lambda: pc.annealed_mcmc(P, 5, GRID, generator=generator),
        lambda: pc.mcmc(P, START, 2, generator=generator),
        lambda: pc.smc(C, 10, GRID, generator=generator),
        lambda: pc.tempering(P, 10, WIDE, generator=generator),
        lambda: run.resample(5, generator),
    ):
        with pytest.raises(ValueError, match=r"generator must be a torch\.Generator"):
            call()


STARTING = {
    "reverse diffusion": lambda start: pc.reverse_diffusion(P, 40, GRID, start=start),
    "annealed": lambda start: pc.annealed_mcmc(P, 40, GRID, start=start, generator=seeded(6)),
    "mcmc": lambda start: pc.mcmc(P, start, 2, generator=seeded(6)),
    "smc": lambda start: pc.smc(C, 40, GRID, start=start, generator=seeded(6)),
}


@pytest.mark.parametrize("sampler", STARTING)
@pytest.mark.parametrize(
    ("start", "message"),
    [
        (torch.full((40, 2), math.nan), "start must be finite"),
        (torch.full((40, 2), 1e101, dtype=torch.float64), r"start must be finite and at most 1e\+"),
        (torch.zeros(0, 2), r"start must have shape \("),
        (torch.zeros(2), r"start must have shape \("),
        (torch.zeros(4, 10, 2), r"start must have shape \("),
        (torch.zeros(40, 3), r"start must have shape \(..., 2\)"),
        (torch.zeros(40, 2, dtype=torch.complex64), "start must be real"),
        (np.full((40, 2), "a"), "start must be numeric"),
        (torch.zeros(40, 2, device="meta"), "start must hold values"),
    ],
)
def test_bad_starts(sampler, start, message):
    with pytest.raises(ValueError, match=message):
        STARTING[sampler](start)


@pytest.mark.parametrize("sampler", STARTING)
def test_starts_of_any_kind(sampler):
    whole = START.round()
    wanted = STARTING[sampler](whole).samples
    for start in (whole.numpy(), whole.tolist(), whole.float(), whole.long(), whole.half()):
        samples = STARTING[sampler](start).samples if sampler != "reverse diffusion" else None
        if samples is not None:
            assert torch.equal(samples, wanted)
    assert torch.equal(whole, START.round())


@pytest.mark.parametrize("n", [0, -1, 2.5, True, None])
def test_bad_counts(n):
    run = pc.smc(C, 10, GRID, generator=seeded(7))
    for call in (
        lambda: pc.reverse_diffusion(P, n, GRID),
        lambda: pc.annealed_mcmc(P, n, GRID),
        lambda: pc.smc(C, n, GRID),
        lambda: pc.tempering(P, n, WIDE),
        lambda: run.resample(n),
    ):
        with pytest.raises(ValueError, match="n must be"):
            call()


def test_weighted_means_take_values_of_any_kind():
    run = pc.smc(C, 10, GRID, generator=seeded(8))
    values = run.samples.round()
    wanted = run.mean(values)
    for same_values in (values.float(), values.long(), values.numpy(), values.tolist()):
        assert torch.equal(run.mean(same_values), wanted)
    flags = run.samples[:, 0] > 0
    assert torch.equal(run.mean(flags.numpy()), run.mean(flags.double()))
    assert run.mean(values[:, :, None].expand(10, 2, 3)).shape == (2, 3)
    for wrong, message in (
        (torch.zeros(9), r"values must have shape \(10, ...\), got \(9,\)"),
        (torch.tensor(1.0), r"values must have shape \(10, ...\), got \(\)"),
        (torch.zeros(10, dtype=torch.complex64), "values must be real"),
        (torch.full((10,), math.nan), "values must be finite"),
        ("values", "values must be numeric"),
    ):
        with pytest.raises(ValueError, match=message):
            run.mean(wrong)


# -- more particles than torch draws from ----------------------------------------------------------


def test_drawing_from_many_particles_follows_the_weights(monkeypatch):
    """By the other way of drawing: counts within 5 standard errors, nothing of no weight."""
    monkeypatch.setattr(_draw, "_MOST", 4)
    weights = torch.tensor([0.0, 0.1, 0.0, 0.25, 0.6, 0.05, 0.0], dtype=torch.float64)
    counts = torch.bincount(_draw.categories(weights, 20_000, seeded(9)), minlength=7)
    error = (weights * (1 - weights) / 20_000).sqrt()
    assert bool(((counts / 20_000 - weights).abs() <= 5 * error).all())


def test_more_particles_than_torch_takes():
    n = (1 << 24) + 1
    log_weights = torch.full((n,), -math.log(n), dtype=torch.float64)
    with pytest.raises(RuntimeError, match="2\\^24"):
        torch.multinomial(log_weights.exp(), 3, replacement=True)
    run = pc.ParticleRun(
        torch.arange(n, dtype=torch.float64)[:, None], GRID, 0, log_weights=log_weights
    )
    found = run.resample(4000, seeded(10))[:, 0] / n
    assert abs(float(found.mean()) - 0.5) < 5 * math.sqrt(1 / 12 / 4000)


def test_up_to_that_the_stream_is_what_it_was():
    run = pc.smc(C, 50, GRID, generator=seeded(11))
    wanted = torch.multinomial(run.log_weights.exp(), 20, replacement=True, generator=seeded(12))
    assert torch.equal(run.resample(20, seeded(12), "multinomial"), run.samples[wanted])
