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
