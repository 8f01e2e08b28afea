"""How fast the samplers are, beside the same algorithms on jax and blackjax.

Prints one table: annealed MALA and sequential Monte Carlo on a composition of three concepts in
the plane. jax is jitted and warmed up, in float64; where blackjax is missing its rows are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable

import projcomp as pc
import torch

CONCEPTS, COMPONENTS, MOVES = 3, 4, 4


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def parts() -> list[pc.GaussianMixture]:
    """A wide Gaussian background, and concepts of four components each."""
    generator = seeded()
    found = [pc.gaussian([0.0, 0.0], 9.0)]
    for _ in range(CONCEPTS):
        means = 2 * torch.randn(COMPONENTS, 2, generator=generator, dtype=torch.float64)
        variances = 0.3 + torch.rand(COMPONENTS, 2, generator=generator, dtype=torch.float64)
        found.append(pc.GaussianMixture([1 / COMPONENTS] * COMPONENTS, means, variances))
    return found


def grid(levels: int) -> torch.Tensor:
    return pc.sigma_grid(0.02, 50.0, levels)


# -- the same on jax -------------------------------------------------------------------------------


def jax_target():
    """log q(x, v) of the composition for one point, by jax."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    constants = [
        [
            jnp.asarray(a.numpy())
            for a in (p.weights.log(), p.means, torch.diagonal(p.covariances, dim1=1, dim2=2))
        ]
        for p in parts()
    ]

    def mixture(x, v, logs, means, variances):
        spread = variances + v
        terms = logs - 0.5 * ((x - means) ** 2 / spread + jnp.log(2 * jnp.pi * spread)).sum(-1)
        return jax.scipy.special.logsumexp(terms)

    def log_prob(x, v):
        background, *concepts = (mixture(x, v, *part) for part in constants)
        return sum(concepts) - (CONCEPTS - 1) * background

    return jax, jnp, log_prob


def blackjax_mala(particles: int, levels: int, steps: torch.Tensor) -> Callable[[], object]:
    """blackjax's MALA kernel for every particle, `MOVES` moves a level, steps as frozen by ours."""
    jax, jnp, log_prob = jax_target()
    import blackjax

    kernel = blackjax.mcmc.mala.build_kernel()
    variances = jnp.asarray((grid(levels)[:-1] ** 2).numpy())
    sizes = jnp.asarray((0.5 * steps**2).numpy())  # its step size is half of our square

    def chain(key, x):
        def level(x, given):
            v, size, key = given

            def density(y):
                return log_prob(y, v)

            def move(state, key):
                state, info = kernel(key, state, density, size)
                return state, info.acceptance_rate

            start = blackjax.mcmc.mala.init(x, density)
            state, accepted = jax.lax.scan(move, start, jax.random.split(key, MOVES))
            return state.position, accepted.mean()

        return jax.lax.scan(level, x, (variances, sizes, jax.random.split(key, levels)))

    run = jax.jit(jax.vmap(chain))
    keys = jax.random.split(jax.random.PRNGKey(0), particles)
    start = 50.0 * jax.random.normal(jax.random.PRNGKey(1), (particles, 2))
    return lambda: jax.block_until_ready(run(keys, start))


def jax_smc(particles: int, levels: int) -> Callable[[], object]:
    """The same weighted ancestral steps on jax, with blackjax's resampling and effective size."""
    jax, jnp, log_prob = jax_target()
    from blackjax.smc.ess import log_ess
    from blackjax.smc.resampling import systematic

    look = jax.vmap(jax.value_and_grad(log_prob), (0, None))
    sigmas = jnp.asarray(grid(levels)[:-1].numpy())

    def step(carry, given):
        x, log_weights, value, score, high = carry
        low, key = given
        draw, pick = jax.random.split(key)
        ratio = (low / high) ** 2
        denoised = x + high**2 * score
        noise = jax.random.normal(draw, x.shape)
        moved = denoised + ratio * (x - denoised) + low * jnp.sqrt(1 - ratio) * noise
        there, score = look(moved, low**2)
        back = ((x - moved) ** 2).sum(-1) / (high**2 - low**2)
        gain = there - value + 0.5 * ((noise**2).sum(-1) - back) - 2 * jnp.log(high / low)
        log_weights = log_weights + gain

        def again(_):
            index = systematic(pick, jax.nn.softmax(log_weights), particles)
            return moved[index], jnp.zeros(particles), there[index], score[index]

        few = log_ess(log_weights) < jnp.log(0.5 * particles)
        kept = jax.lax.cond(few, again, lambda _: (moved, log_weights, there, score), None)
        return (*kept, low), few

    def run(key):
        start, rest = jax.random.split(key)
        x = sigmas[0] * jax.random.normal(start, (particles, 2))
        value, score = look(x, sigmas[0] ** 2)
        carry = x, jnp.zeros(particles), value, score, sigmas[0]
        return jax.lax.scan(step, carry, (sigmas[1:], jax.random.split(rest, levels - 1)))

    jitted = jax.jit(run)
    return lambda: jax.block_until_ready(jitted(jax.random.PRNGKey(2)))


# -- the table -------------------------------------------------------------------------------------


def least(way: Callable[[], object], repeats: int) -> float:
    way()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        way()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few particles and levels")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    particles, chain_levels, levels = (200, 8, 20) if options.quick else (10_000, 50, 200)
    background, *concepts = parts()
    composition = pc.compose(background, concepts)

    def mala(burn_in: int = 0) -> pc.ChainRun:
        return pc.annealed_mcmc(
            composition, particles, grid(chain_levels), "mala", moves=MOVES, burn_in=burn_in,
            generator=seeded(), progress=False,
        )  # fmt: skip

    def smc(weights: str) -> pc.ParticleRun:
        return pc.smc(
            composition, particles, grid(levels), weights, generator=seeded(), progress=False
        )

    rows = {
        f"MALA, {chain_levels} levels of {MOVES} moves": {"projcomp": mala},
        f"SMC, {levels} levels, density weights": {"projcomp": lambda: smc("density")},
        f"SMC, {levels} levels, interaction weights": {"projcomp": lambda: smc("interaction")},
    }
    names = list(rows)
    if importlib.util.find_spec("blackjax"):
        rows[names[0]]["blackjax"] = blackjax_mala(particles, chain_levels, mala(2).step_sizes)
        rows[names[1]]["jax with blackjax's resampling"] = jax_smc(particles, levels)
    threads = torch.get_num_threads()
    print(f"{particles:,} particles, {CONCEPTS} concepts in the plane, {threads} threads;", end=" ")
    print(f"least of {options.repeats} runs, in seconds")
    for name, ways in rows.items():
        for way, call in ways.items():
            print(f"  {name:<42} {way:<32} {least(call, options.repeats):.3f}", flush=True)
    if not importlib.util.find_spec("blackjax"):
        print("blackjax is not installed: no comparison")
    return 0


if __name__ == "__main__":
    sys.exit(main())
