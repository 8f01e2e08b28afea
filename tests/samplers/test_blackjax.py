"""The same kernels in blackjax, on the same skewed target: equal moments (an optional extra)."""

from __future__ import annotations

import projcomp as pc
import pytest
import torch

from tests.helpers import seeded

jax = pytest.importorskip("jax")
blackjax = pytest.importorskip("blackjax")
jax.config.update("jax_enable_x64", True)

WEIGHTS, MEANS, VARIANCE = [0.2, 0.5, 0.3], [[3.0, 1.0], [0.0, 0.0], [1.0, -2.0]], 0.6
TARGET = pc.GaussianMixture(WEIGHTS, MEANS, VARIANCE)
CHAINS, MOVES = 3000, 150
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def log_prob(x):
    squares = ((x - jax.numpy.asarray(MEANS)) ** 2).sum(-1)
    logs = jax.numpy.log(jax.numpy.asarray(WEIGHTS)) - 0.5 * squares / VARIANCE
    return jax.scipy.special.logsumexp(logs)


def same_moments(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    for power in (1, 2, 3):
        a, b = ours**power, theirs**power
        error = ((a.var(0) + b.var(0)) / CHAINS).sqrt()
        assert bool(((a.mean(0) - b.mean(0)).abs() < 5 * error).all()), power


@pytest.mark.parametrize("kernel", ["mala", "hmc"])
def test_moments_agree(kernel):
    start = TARGET.sample(CHAINS, generator=seeded(1))
    step = 0.8 if kernel == "mala" else 0.5
    scale = float(TARGET.score(start).square().mean().sqrt())
    ours = pc.mcmc(
        TARGET, start, MOVES, kernel=kernel, step=step * scale, leapfrog=4, generator=seeded(2)
    )
    assert float(ours.step_sizes[0]) == pytest.approx(step)
    if kernel == "mala":
        theirs = blackjax.mala(log_prob, 0.5 * step**2)
    else:
        theirs = blackjax.hmc(log_prob, step, jax.numpy.ones(2), 4)

    def chain(key, x):
        def move(state, key):
            state, info = theirs.step(key, state)
            return state, info.acceptance_rate

        state, taken = jax.lax.scan(move, theirs.init(x), jax.random.split(key, MOVES))
        return state.position, taken.mean()

    keys = jax.random.split(jax.random.PRNGKey(3), CHAINS)
    ends, taken = jax.jit(jax.vmap(chain))(keys, jax.numpy.asarray(start.numpy()))
    same_moments(ours.samples, torch.from_dlpack(ends))
    assert float(taken.mean()) == pytest.approx(float(ours.acceptance[0]), abs=0.01)


def test_systematic_resampling_agrees():
    """One comb of the same teeth: counts differ from n w by less than one in both."""
    from blackjax.smc.resampling import systematic
    from projcomp.samplers.resampling import ancestors

    log_weights = 2 * torch.randn(50, generator=seeded(4), dtype=torch.float64)
    weights = torch.softmax(log_weights, 0)
    theirs = systematic(jax.random.PRNGKey(5), jax.numpy.asarray(weights.numpy()), 50)
    for chosen in (ancestors(log_weights, "systematic", seeded(6)), torch.from_dlpack(theirs)):
        counts = torch.bincount(chosen.long(), minlength=50)
        assert float((counts - 50 * weights).abs().max()) < 1


def test_tempered_moments_agree():
    """Tempering from a wide Gaussian, and blackjax's adaptive tempered SMC, find the same mean."""
    base = pc.gaussian([0.5, 0.0], 9.0)

    def log_prior(x):
        return -0.5 * ((x - jax.numpy.array([0.5, 0.0])) ** 2).sum(-1) / 9.0

    algorithm = blackjax.adaptive_tempered_smc(
        log_prior,
        lambda x: log_prob(x) - log_prior(x),
        blackjax.hmc.build_kernel(),
        blackjax.hmc.init,
        blackjax.smc.extend_params(
            {
                "step_size": 0.5,
                "inverse_mass_matrix": jax.numpy.ones(2),
                "num_integration_steps": 5,
            }
        ),
        blackjax.smc.resampling.systematic,
        0.5,
        num_mcmc_steps=6,
    )
    n, ours, theirs = 2000, [], []
    for seed in range(6):
        run = pc.tempering(TARGET, n, base, moves=6, generator=seeded(seed))
        ours.append(run.mean(run.samples))
        key, start = jax.random.split(jax.random.PRNGKey(seed))
        mean = jax.numpy.array([0.5, 0.0])
        state = algorithm.init(mean + 3.0 * jax.random.normal(start, (n, 2)))
        step = jax.jit(algorithm.step)
        while float(state.tempering_param) < 1.0:
            key, now = jax.random.split(key)
            state, _ = step(now, state)
        theirs.append(torch.from_dlpack((state.weights[:, None] * state.particles).sum(0)))
    ours, theirs = torch.stack(ours), torch.stack(theirs)
    for found in (ours, theirs):
        error = found.std(0) / 6**0.5
        assert bool(((found.mean(0) - TARGET.mean).abs() < 5 * error + 0.02).all()), found
