"""How fast the library's core is, beside other ways to compute the same numbers.

Prints three tables: composed scores of mixtures, composed samples, and scores of an empirical
distribution with their memory. Every time is taken after a warm-up, and given as the least and
the median of repeated runs.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import projcomp as pc
import torch

CONCEPTS, COMPONENTS, DIM, SIGMA = 4, 8, 2, 0.5
MEGABYTE = 2**20
IN_FLOAT32 = 1.0
"""Up to this sigma few points matter here: they are found in a float32 copy."""


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def timed(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, tuple[float, float]]:
    """Least and median seconds of `repeats` calls of each way.

    In up to three rounds over all ways, so that what else the machine does falls on each alike;
    the first call of a round does not count.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    rounds = min(3, repeats)
    for turn in range(rounds):
        for name, way in ways.items():
            way()
            for _ in range(repeats * (turn + 1) // rounds - repeats * turn // rounds):
                start = time.perf_counter()
                way()
                times[name].append(time.perf_counter() - start)
    return {name: (min(found), statistics.median(found)) for name, found in times.items()}


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Print rows under a head, the first column to the left and the others to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    print(f"\n{title}")
    for row in [head, ["-" * width for width in widths], *rows]:
        first, *others = (cell.ljust(w) for cell, w in zip(row, widths, strict=True))
        numbers = (cell.strip().rjust(w) for cell, w in zip(others, widths[1:], strict=True))
        print("  ".join([first, *numbers]).rstrip())


def parts() -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Weights, means and full covariances of a background and four concepts."""
    generator = seeded()
    shape = COMPONENTS, DIM
    found = []
    for _ in range(CONCEPTS + 1):
        weights = 0.1 + torch.rand(COMPONENTS, generator=generator, dtype=torch.float64)
        means = 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
        factor = torch.randn(*shape, DIM, generator=generator, dtype=torch.float64)
        covariances = factor @ factor.mT + 0.2 * torch.eye(DIM, dtype=torch.float64)
        found.append((weights / weights.sum(), means, covariances))
    return found


# -- a composed score, three ways ------------------------------------------------------------------


def plain(x: torch.Tensor) -> Callable[[], torch.Tensor]:
    """torch.distributions and automatic differentiation."""
    noise = SIGMA**2 * torch.eye(DIM, dtype=torch.float64)
    background, *concepts = (
        torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(weights),
            torch.distributions.MultivariateNormal(means, covariances + noise),
        )
        for weights, means, covariances in parts()
    )

    def score() -> torch.Tensor:
        y = x.clone().requires_grad_(True)
        log_prob = sum(p.log_prob(y) for p in concepts) - (CONCEPTS - 1) * background.log_prob(y)
        return torch.autograd.grad(log_prob.sum(), y)[0]

    return score


def compiled(x: torch.Tensor) -> Callable[[], object]:
    """jax.jit of the gradient of the composed log density, in float64."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    noise = SIGMA**2 * torch.eye(DIM, dtype=torch.float64)
    constants = []
    for weights, means, covariances in parts():
        precisions = torch.linalg.inv(covariances + noise)
        logs = weights.log() + 0.5 * torch.logdet(precisions)
        constants.append([jnp.asarray(part.numpy()) for part in (logs, means, precisions)])

    def log_prob(y, logs, means, precisions):
        offsets = y - means
        squares = jnp.einsum("ki,kij,kj->k", offsets, precisions, offsets)
        return jax.scipy.special.logsumexp(logs - 0.5 * squares)

    def composed(y):
        background, *concepts = (log_prob(y, *part) for part in constants)
        return sum(concepts) - (CONCEPTS - 1) * background

    score = jax.jit(jax.vmap(jax.grad(composed)))
    y = jnp.asarray(x.numpy())
    return lambda: score(y).block_until_ready()


def composition() -> pc.Composition:
    background, *concepts = (pc.GaussianMixture(*part) for part in parts())
    return pc.compose(background, concepts)


def composed_scores(points: int, repeats: int) -> None:
    x = 3 * torch.randn(points, DIM, generator=seeded(1), dtype=torch.float64)
    c = composition()
    ways = {
        "projcomp": lambda: c.score(x, SIGMA),
        "with the interaction": lambda: c.score_and_interaction(x, SIGMA)[0],
        "with log density too": lambda: c.evaluate(x, SIGMA).score,
        "torch.distributions, autograd": plain(x),
    }
    if importlib.util.find_spec("jax"):
        ways["jax.jit, float64"] = compiled(x)
    times, wanted, rows = timed(ways, repeats), ways["projcomp"](), []
    for name, (least, median) in times.items():
        gap = (torch.from_dlpack(ways[name]()) - wanted).abs().max().item()
        rows.append(
            [
                name,
                f"{1e3 * least:.1f}",
                f"{1e3 * median:.1f}",
                f"{points / least:.3g}",
                f"{least / times['projcomp'][0]:.1f}",
                f"{gap:.1e}",
            ]
        )
    table(
        f"Score of {CONCEPTS} concepts over a background, {COMPONENTS} full-covariance components "
        f"each, at {points:,} points of R^{DIM}",
        ["", "least ms", "median ms", "points/s", "times projcomp", "largest gap"],
        rows,
    )
    if "jax.jit, float64" not in ways:
        print("jax is not installed: no comparison with jax.jit")


def composed_samples(samples: int, steps: int, repeats: int) -> None:
    c, sigmas = composition(), pc.sigma_grid(0.01, 100.0, steps)

    def run(method: str) -> pc.Run:
        return pc.reverse_diffusion(c, samples, sigmas, method, generator=seeded(), progress=False)

    rows = []
    ways = {method: partial(run, method) for method in ("heun", "euler", "sde")}
    for method, (least, median) in timed(ways, repeats).items():
        rows.append([method, str(run(method).evaluations), f"{least:.2f}", f"{median:.2f}"])
    table(
        f"{samples:,} samples of the same composition in {steps} steps",
        ["", "evaluations", "least s", "median s"],
        rows,
    )


# -- an empirical distribution --------------------------------------------------------------------


def peak() -> int:
    """The most memory that this process has held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss starts at what the parent process held
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def plain_products(data: torch.Tensor, x: torch.Tensor, sigma: float) -> Callable[[], object]:
    """The score of the points `data` (N, n) at x (B, n) in four lines of torch."""
    half_norms = 0.5 * (data * data).sum(1)

    def score() -> torch.Tensor:
        share = torch.softmax((x @ data.T - half_norms) / sigma**2, 1)
        return (share @ data - x) / sigma**2

    return score


def empirical_child(
    points: int, dim: int, batch: int, repeats: int, offset: float, sigma: float
) -> None:
    """In a process of its own: prints peak memory above the baseline, times, and the gap."""

    def draw(count: int, dim: int, seed: int) -> torch.Tensor:
        x = torch.randn(count, dim, generator=seeded(seed), dtype=torch.float64)
        return x.add_(offset)

    pc.Empirical(draw(10, 300, 0)).score(draw(4, 300, 1), 1.0)
    baseline = peak()
    data, x = draw(points, dim, 0), draw(batch, dim, 1)
    p = pc.Empirical(data)
    score = p.score(x, sigma)
    held = peak() - baseline
    needed = data.nbytes + x.nbytes + score.nbytes + batch * points * 8
    if sigma <= IN_FLOAT32:
        needed += data.nbytes // 2
    plain = plain_products(data, x, sigma)
    times = timed({"projcomp": lambda: p.score(x, sigma), "plain": plain}, repeats)
    gap = float((plain() - score).abs().max() / score.abs().max())
    print(held, needed, *times["projcomp"], times["plain"][0], gap)


def empirical_scores(points: int, dim: int, batch: int, sigmas: tuple[float, ...]) -> None:
    rows = []
    for name, offset in (("about the origin", 0.0), ("far from it", 100.0)):
        for sigma in sigmas:
            child = ["--empirical-child", str(offset), str(sigma)]
            command = [sys.executable, __file__, *sys.argv[1:], *child]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            held, needed, least, median, plain, gap = map(float, done.stdout.split())
            rows.append(
                [
                    name,
                    f"{sigma:g}",
                    f"{1e3 * least:.1f}",
                    f"{1e3 * median:.1f}",
                    f"{1e3 * plain:.1f}",
                    f"{plain / least:.1f}",
                    f"{gap:.0e}",
                    f"{held / MEGABYTE:.0f}",
                    f"{needed / MEGABYTE:.0f}",
                    f"{held / needed:.2f}",
                ]
            )
    table(
        f"Score of an empirical distribution of {points:,} points in R^{dim}, {batch} at a time",
        [
            "points", "sigma", "least ms", "median ms", "plain ms", "times as fast", "gap",
            "peak MB", "needed MB", "ratio",
        ],
        rows,
    )  # fmt: skip
    print(
        "plain: plain matrix products in torch, and the largest gap to them for the largest entry"
    )
    print("needed: points, batch and answer, one (batch, points) matrix, and up to sigma = 1 the")
    print("points in float32 (not made for few points)")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="threads for torch (default: 2)")
    parser.add_argument("--repeats", type=int, default=15, help="timed runs (default: 15)")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--empirical-child", type=float, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads < 1 or options.repeats < 1:
        parser.error("--threads and --repeats must be at least 1")
    torch.set_num_threads(options.threads)
    small, repeats = options.quick, options.repeats
    empirical = (400, 300, 16) if small else (4000, 3072, 64)
    if options.empirical_child is not None:
        empirical_child(*empirical, repeats, *options.empirical_child)
        return
    print(
        f"torch {torch.__version__}, Python {platform.python_version()}, "
        f"{options.threads} threads; the least and the median of {repeats} runs"
    )
    composed_scores(1000 if small else 100_000, repeats)
    composed_samples(200 if small else 10_000, 10 if small else 50, max(1, repeats // 5))
    empirical_scores(*empirical, (1.0, 5.0) if small else (0.5, 1.0, 5.0))


if __name__ == "__main__":
    main()
