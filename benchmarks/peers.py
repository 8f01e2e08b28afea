"""The library beside its peers, on the same exact scores and one thread: one table.

Each row has our number, the best that was found among the peers that are installed, and its name.
Peers are optional (`pip install -e .[bench]`); a row without one says so.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable

import core
import projcomp as pc
import spread as spreads
import steps
import torch
from core import seeded, table

Row = list[str]


def installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) for name in names)


def best(found: dict[str, float], missing: str) -> tuple[str, str]:
    """The least number and its name, or the word for what is missing."""
    if not found:
        return "", f"{missing} not installed"
    name = min(found, key=found.get)
    return f"{found[name]:.2g}", name


def least(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    return {name: found[0] for name, found in core.timed(ways, repeats).items()}


# -- errors for each evaluation --------------------------------------------------------------------


def errors(quick: bool) -> list[Row]:
    """Of the default for the ODE, and of the best of ours for the SDE."""
    chosen, count = steps.targets()[: 1 if quick else 4], 500 if quick else 20_000
    points = steps.fine(chosen, "unipc3", 200 if quick else 4000, steps.PARTICLES, 9)
    clouds, others = (steps.fine(chosen, "sde3m", 60 if quick else 600, count, i) for i in (1, 2))
    floor = statistics.geometric_mean(
        pc.metrics.sliced_w2(a, b, generator=seeded(12))
        for a, b in zip(clouds, others, strict=True)
    )
    law = f"SDE, sliced W2 to its law (floor {floor:.2g})"
    rows = []
    for kind, method, error, truths, title, budgets in (
        (
            "ode",
            "unipc3",
            steps.ode_error,
            points,
            "ODE, error at the end",
            (8, 10, 20, 40, 80, 200),
        ),
        ("sde", "sde2m", steps.sde_error, clouds, law, (10, 20, 40)),
    ):
        for budget in (20,) if quick else budgets:
            ours = error(steps.ours(method), float("inf"), budget, chosen, truths)
            theirs = {
                f"{name}, {grid}": error(way, rho, budget, chosen, truths)
                for name, way in steps.peers(kind).items()
                for grid, rho in steps.GRIDS.items()
            }
            name = f"{title}, {budget} evaluations ({method})"
            rows.append([name, f"{ours:.2g}", *best(theirs, "diffusers, k-diffusion")])
    return rows


# -- seconds for each evaluation -------------------------------------------------------------------


def empirical(quick: bool, repeats: int) -> list[Row]:
    points, dim, batch = (400, 300, 16) if quick else (4000, 3072, 64)
    data = torch.randn(points, dim, generator=seeded(0), dtype=torch.float64)
    x = torch.randn(batch, dim, generator=seeded(1), dtype=torch.float64)
    p, rows = pc.Empirical(data), []
    for sigma in (0.5, 1.0, 5.0):
        ways = {"": lambda s=sigma: p.score(x, s), "torch": core.plain_products(data, x, sigma)}
        found = least(ways, repeats)
        rows.append(
            [f"empirical score, {points:,} x {dim:,}, batch {batch}, sigma {sigma:g}, ms",
             f"{1e3 * found['']:.1f}", f"{1e3 * found['torch']:.1f}", "matrix products in torch"]
        )  # fmt: skip
    return rows


def by_hand(x: torch.Tensor) -> Callable[[], object]:
    """The composed score of `core` in closed form, all mixtures in one array, jitted."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    noise = core.SIGMA**2 * torch.eye(core.DIM, dtype=torch.float64)
    logs, means, precisions = [], [], []
    for weights, centres, covariances in core.parts():
        precision = torch.linalg.inv(covariances + noise)
        logs.append(weights.log() + 0.5 * torch.logdet(precision))
        means.append(centres)
        precisions.append(precision)
    logs, means, precisions = (
        jnp.asarray(torch.stack(part).numpy()) for part in (logs, means, precisions)
    )
    exponents = jnp.asarray([1.0 - core.CONCEPTS] + [1.0] * core.CONCEPTS)

    @jax.jit
    def score(y):
        offset = y[:, None, None] - means
        pulled = jnp.einsum("mkij,bmkj->bmki", precisions, offset)
        shares = jax.nn.softmax(logs - 0.5 * (offset * pulled).sum(-1), 2)
        return -jnp.einsum("m,bmk,bmki->bi", exponents, shares, pulled)

    y = jnp.asarray(x.numpy())
    return lambda: score(y).block_until_ready()


def composed(quick: bool, repeats: int) -> list[Row]:
    """Hot, one call after the other; cold, with 32 MB of other work between the calls."""
    rows, other = [], torch.ones(1 << 22, dtype=torch.float64)
    c = core.composition()
    for points in (100,) if quick else (1000, 100_000):
        x = 3 * torch.randn(points, core.DIM, generator=seeded(1), dtype=torch.float64)
        ways = {"": lambda x=x: c.score(x, core.SIGMA)}
        if installed("jax"):
            ways["jax, by hand, jitted"] = by_hand(x)
        for state in ("hot", "cold"):
            times: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(20 * repeats):
                for name, way in ways.items():
                    if state == "hot":
                        way()
                    else:
                        other.add_(1.0)
                    start = time.perf_counter()
                    way()
                    times[name].append(time.perf_counter() - start)
            found = {name: 1e3 * statistics.median(spent) for name, spent in times.items()}
            ours = found.pop("")
            rows.append(
                [f"composed score, {points:,} points, {state}, median ms", f"{ours:.2g}",
                 *best(found, "jax")]
            )  # fmt: skip
    return rows


# -- particles -------------------------------------------------------------------------------------


def particles(quick: bool, repeats: int) -> list[Row]:
    seeds, budget, n = (3, 30, 512) if quick else (48, 200, 512)
    product = spreads.pair()
    middle = float(product.exact().mean[0])

    def spread(sample: Callable[[int], tuple[torch.Tensor, torch.Tensor]]) -> float:
        shares = []
        for seed in range(seeds):
            x, weights = sample(seed)
            right = torch.from_dlpack(x)[:, 0] > middle
            shares.append(float(torch.from_dlpack(weights) @ right.double()))
        return statistics.stdev(shares)

    def smc(seed: int, count: int = budget):
        run = pc.smc(
            product, n, pc.sigma_grid(0.02, 80.0, count), "density", generator=seeded(seed),
            progress=False,
        )  # fmt: skip
        return run.samples, run.log_weights.exp()

    def mala(seed: int):
        run = pc.annealed_mcmc(
            product, n, pc.sigma_grid(0.02, 80.0, budget // 5), "mala", moves=3, burn_in=1,
            generator=seeded(seed), progress=False,
        )  # fmt: skip
        return run.samples, torch.full((n,), 1 / n, dtype=torch.float64)

    chains, theirs, times = spread(mala), {}, {"": lambda: smc(0, 1000)}
    if installed("jax"):
        correct = spreads.jax_correctors(pc.sigma_grid(0.02, 80.0, budget), n)
        theirs["Feynman-Kac correctors on jax"] = spread(correct)
        loop = spreads.jax_correctors(pc.sigma_grid(0.02, 80.0, 1000), n)
        times["Feynman-Kac correctors on jax"] = lambda: loop(0)
    found = least(times, repeats)
    ours = found.pop("")
    return [
        [f"SMC on a product, {n} particles, {budget} evaluations: spread of a share",
         f"{spread(smc):.2g}", *best(theirs, "jax")],
        ["the same by our annealed MALA", f"{chains:.2g}", "", ""],
        [f"SMC loop, 1,000 levels, {n} particles, s", f"{ours:.2g}", *best(found, "jax")],
    ]  # fmt: skip


def shares_of_a_run(quick: bool, repeats: int) -> list[Row]:
    """What weights and warnings add to a run of reverse diffusion: against the run alone."""
    from projcomp.samplers.run import warn_if_not_normalisable

    c, n, levels = core.composition(), 1000 if quick else 10_000, pc.sigma_grid(0.02, 80.0, 200)
    short = pc.sigma_grid(0.01, 100.0, 50)
    ways = {
        "sde": lambda: pc.reverse_diffusion(c, n, levels, "sde", progress=False),
        "smc": lambda: pc.smc(c, n, levels, moves=0, progress=False),
        "short": lambda: pc.reverse_diffusion(c, 1000, short, progress=False),
        "warn": lambda: warn_if_not_normalisable(c, short),
    }
    found = least(ways, repeats)
    return [
        [f"SMC with interaction weights, {n:,} particles, 200 levels, in SDE runs",
         f"{found['smc'] / found['sde']:.2f}", "", ""],
        ["asking whether 50 levels are normalisable, in percent of a run of 1,000 points",
         f"{100 * found['warn'] / found['short']:.1f}", "", ""],
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    torch.set_num_threads(1)
    os.environ.setdefault(  # before jax is loaded
        "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    )
    warnings.simplefilter("ignore")
    quick, repeats = options.quick, options.repeats
    rows = [
        *errors(quick), *empirical(quick, repeats), *composed(quick, repeats),
        *particles(quick, repeats), *shares_of_a_run(quick, repeats),
    ]  # fmt: skip
    versions = [f"torch {torch.__version__}"]
    for name in ("jax", "diffusers", "k_diffusion"):
        if installed(name):
            versions.append(f"{name} {importlib.metadata.version(name.replace('_', '-'))}")
    print(f"{datetime.date.today().isoformat()}, one thread, {', '.join(versions)}")
    table("projcomp beside its peers (less is better)", ["", "ours", "best peer", "which"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
