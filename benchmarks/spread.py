"""How sharp sequential Monte Carlo is, beside chains, tempering and Feynman-Kac correctors on jax.

Prints one table: the weighted share of a half-plane on the simple product of two mixtures, its
spread and bias over seeds, at about equal evaluations. Where jax is missing its row is left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Callable

import projcomp as pc
import torch
from samplers import COMPONENTS, least, seeded


def pair() -> pc.Composition:
    """The simple product of two mixtures of four components."""
    generator = seeded(1)
    found = []
    for _ in range(2):
        means = 2 * torch.randn(COMPONENTS, 2, generator=generator, dtype=torch.float64)
        variances = 0.1 + 0.3 * torch.rand(COMPONENTS, 2, generator=generator, dtype=torch.float64)
        found.append(pc.GaussianMixture([1 / COMPONENTS] * COMPONENTS, means, variances))
    return pc.simple_product(found)


def jax_correctors(levels: torch.Tensor, particles: int) -> Callable[[int], tuple]:
    """Points and weights by seed: the product of experts of Skreta et al. (2025).

    Particles of dx = sum s_i du + dW, du = -d sigma^2, whose weights need no Laplacian.
    """
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    parts = [
        [
            jnp.asarray(a.numpy())
            for a in (p.weights.log(), p.means, torch.diagonal(p.covariances, dim1=1, dim2=2))
        ]
        for p in pair().concepts
    ]

    def mixture(x, u, logs, means, variances):
        spread = variances + u
        terms = logs - 0.5 * ((x - means) ** 2 / spread + jnp.log(2 * jnp.pi * spread)).sum(-1)
        return jax.scipy.special.logsumexp(terms)

    def scores(x, u):
        return jnp.stack([jax.grad(mixture)(x, u, *part) for part in parts])

    look = jax.vmap(scores, (0, None), 1)
    sigmas = jnp.asarray(levels[:-1].numpy())

    def rate(found):
        return 0.5 * ((found.sum(0) ** 2).sum(-1) - (found**2).sum((0, 2)))

    def step(carry, given):
        x, log_weights, found, high = carry
        low, key = given
        draw, pick = jax.random.split(key)
        ratio = (low / high) ** 2
        pulled = x + high**2 * found.sum(0)
        noise = jax.random.normal(draw, x.shape)
        x = pulled + ratio * (x - pulled) + low * jnp.sqrt(1 - ratio) * noise
        there = look(x, low**2)
        gain = high**2 * rate(found) + low**2 * rate(there)
        log_weights = log_weights + jnp.log(high / low) * gain
        share = jax.nn.softmax(log_weights)
        comb = (jnp.arange(particles) + jax.random.uniform(pick)) / particles
        index = jnp.searchsorted(jnp.cumsum(share), comb).clip(0, particles - 1)
        few = 1 / (share**2).sum() < 0.5 * particles
        index = jnp.where(few, index, jnp.arange(particles))
        log_weights = jnp.where(few, 0.0, log_weights)
        return (x[index], log_weights, there[:, index], low), None

    @jax.jit
    def run(key):
        start, rest = jax.random.split(key)
        x = sigmas[0] * jax.random.normal(start, (particles, 2))
        carry = x, jnp.zeros(particles), look(x, sigmas[0] ** 2), sigmas[0]
        keys = jax.random.split(rest, len(sigmas) - 1)
        (x, log_weights, found, low), _ = jax.lax.scan(step, carry, (sigmas[1:], keys))
        return x + low**2 * found.sum(0), jax.nn.softmax(log_weights)

    return lambda seed: jax.block_until_ready(run(jax.random.PRNGKey(seed)))


def shares(repeats: int, seeds: int, quick: bool) -> None:
    """Print how much the share of a half-plane varies among seeds, and its bias."""
    product, n, budget = pair(), 512, 20 if quick else 200
    target = product.exact()
    middle = float(target.mean[0])
    truth = float((target.sample(400_000, generator=seeded(9))[:, 0] > middle).double().mean())

    def levels(count: int) -> torch.Tensor:
        return pc.sigma_grid(0.02, 80.0, count)

    def weighed(weights: str, cost: int, **options) -> Callable[[int], pc.ParticleRun]:
        return lambda seed: pc.smc(
            product, n, levels(budget // cost), weights, generator=seeded(seed), progress=False,
            **options,
        )  # fmt: skip

    wide = pc.gaussian([0.0, 0.0], 16.0)
    ways = {
        "SMC, interaction weights": weighed("interaction", 1),
        "SMC, density weights": weighed("density", 1),
        "SMC, interaction weights, threshold .8": weighed("interaction", 1, threshold=0.8),
        "SMC, density weights, threshold .8": weighed("density", 1, threshold=0.8),
        "annealed MALA": lambda seed: pc.annealed_mcmc(
            product, n, levels(budget // 5), "mala", moves=3, burn_in=1, generator=seeded(seed),
            progress=False,
        ),
        "tempering": lambda seed: pc.tempering(product, n, wide, moves=7, generator=seeded(seed)),
    }  # fmt: skip
    found: dict[str, tuple[list[float], str, float]] = {}
    for name, way in ways.items():
        values, spent = [], []
        for seed in range(seeds):
            run = way(seed)
            right = (run.samples[:, 0] > middle).double()
            values.append(
                float(run.mean(right) if isinstance(run, pc.ParticleRun) else right.mean())
            )
            spent.append(run.evaluations)
        seconds = least(lambda way=way: way(0), repeats)
        found[name] = values, f"{sum(spent) / seeds:.0f}", seconds
    if importlib.util.find_spec("jax"):
        correct = jax_correctors(levels(budget), n)
        values = []
        for seed in range(seeds):
            x, weights = correct(seed)
            values.append(float(weights @ (x[:, 0] > middle)))
        found["Feynman-Kac correctors on jax"] = (
            values, str(budget), least(lambda: correct(0), repeats)
        )  # fmt: skip
    alone = math.sqrt(truth * (1 - truth) / n)
    print(
        f"\nshare of a half-plane, {n} particles, {seeds} seeds; independent samples: {alone:.4f}"
    )
    print(f"  {'':<40} {'spread':>15} {'bias':>16} {'evaluations':>12} {'seconds':>8}")
    for name, (values, spent, seconds) in found.items():
        mean, error = pc.metrics.mean_and_error(values)
        spread = error * math.sqrt(seeds)
        print(
            f"  {name:<40} {spread:.4f} ± {spread / math.sqrt(2 * seeds - 2):.4f} "
            f"{mean - truth:+.4f} ± {error:.4f} {spent:>12} {seconds:>8.3f}"
        )
    if not importlib.util.find_spec("jax"):
        print("jax is not installed: no Feynman-Kac correctors to compare with")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=64)
    parser.add_argument("--quick", action="store_true", help="few seeds and levels")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    if options.seeds < 2:
        parser.error("--seeds must be at least 2")
    shares(options.repeats, 4 if options.quick else options.seeds, options.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
