"""How far the samplers' methods end from the truth, for each evaluation that they spend.

Prints two tables, over four skewed compositions of random mixtures. For the ODE: the root mean
square distance at the end to its solution from the same start. For the SDE: the sliced W2 distance
of its samples to those of a fine run, with the distance of two fine runs beside it. Where diffusers
or k-diffusion are installed their samplers stand in the same tables.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import statistics
import sys
import warnings
from collections.abc import Callable

import projcomp as pc
import torch
from projcomp import metrics
from samplers import seeded

LOW, HIGH, PARTICLES = 0.02, 80.0, 200
ODE = ("euler", "heun", "2m", "3m", "unipc2", "unipc3")
SDE = ("sde", "sde2m", "sde3m")
GRIDS = {"rho = 7": 7.0, "logarithmic": math.inf}

Sampler = Callable[[pc.Density, torch.Tensor, torch.Tensor, int], torch.Tensor]


def mixture(generator, components: int) -> pc.GaussianMixture:
    weights = 0.1 + torch.rand(components, generator=generator, dtype=torch.float64)
    means = 2.0 * torch.randn(components, 2, generator=generator, dtype=torch.float64)
    variances = 0.2 + torch.rand(components, 2, generator=generator, dtype=torch.float64)
    return pc.GaussianMixture(weights / weights.sum(), means, variances)


def targets() -> list[pc.Composition]:
    """Two concepts over a wide Gaussian, weights skewed."""
    found = []
    for seed in range(4):
        generator = seeded(seed)
        concepts = [mixture(generator, 3), mixture(generator, 2)]
        found.append(pc.compose(pc.gaussian([0.5, 0.0], 9.0), concepts))
    return found


def noise(count: int, seed: int = 9) -> torch.Tensor:
    return HIGH * torch.randn(count, 2, generator=seeded(seed), dtype=torch.float64)


def levels(steps: int, rho: float) -> torch.Tensor:
    """`steps` steps, the last of which ends at LOW."""
    return pc.sigma_grid(LOW, HIGH, steps + 1, rho)[:-1]


# -- samplers: (density, start, levels, seed) to samples -------------------------------------------


def ours(method: str) -> Sampler:
    def sample(density, start, sigmas, seed):
        run = pc.reverse_diffusion(
            density, len(start), sigmas, method, start=start, generator=seeded(seed), progress=False
        )
        return run.samples

    return sample


def diffusers(order: int) -> Sampler:
    """UniPC of diffusers, handed denoised means, on the same levels."""
    from diffusers import UniPCMultistepScheduler

    def sample(density, start, sigmas, _):
        steps = len(sigmas) - 1
        scheduler = UniPCMultistepScheduler(
            solver_order=order, prediction_type="sample", lower_order_final=False
        )
        scheduler.set_timesteps(steps)
        scheduler.sigmas = sigmas.clone()
        scheduler.timesteps = torch.arange(steps)
        alphas = (1.0 + sigmas**2).rsqrt()  # theirs is the variance-preserving x
        x = alphas[0] * start
        for i in range(steps):
            denoised = density.denoise(x / alphas[i], float(sigmas[i]))
            x = scheduler.step(denoised, scheduler.timesteps[i], x).prev_sample
        return x / alphas[-1]

    return sample


def k_diffusion(name: str) -> Sampler:
    """A sampler of k-diffusion on the same levels, with plain Gaussian noise where it draws any."""
    from k_diffusion import sampling

    def sample(density, start, sigmas, seed):
        generator, options = seeded(seed), {}
        if name.endswith("_sde"):
            options["noise_sampler"] = lambda *_: torch.randn(
                start.shape, generator=generator, dtype=torch.float64
            )

        def model(x, sigma):
            return density.denoise(x, float(sigma[0]))

        return getattr(sampling, f"sample_{name}")(model, start, sigmas, disable=True, **options)

    return sample


def peers(kind: str) -> dict[str, Sampler]:
    """The samplers of what is installed, for the ODE or the SDE."""
    found = {}
    if kind == "ode" and importlib.util.find_spec("diffusers"):
        found |= {f"diffusers, UniPC-{order}": diffusers(order) for order in (2, 3)}
    if importlib.util.find_spec("k_diffusion"):
        names = {"ode": ["dpmpp_2m"], "sde": ["dpmpp_2m_sde", "dpmpp_3m_sde"]}[kind]
        found |= {f"k-diffusion, {name}": k_diffusion(name) for name in names}
    return found


# -- errors ----------------------------------------------------------------------------------------


def ode_error(sampler, rho, evaluations, chosen, truths, heun=False) -> float:
    """Geometric mean over the targets of the distance to the solution at the end."""
    steps = evaluations // 2 if heun else evaluations
    return statistics.geometric_mean(
        float((sampler(p, noise(PARTICLES), levels(steps, rho), 0) - truth).norm()) / PARTICLES**0.5
        for p, truth in zip(chosen, truths, strict=True)
    )


def sde_error(sampler, rho, evaluations, chosen, truths) -> float:
    """Geometric mean over the targets of the sliced W2 distance to a fine run's samples."""
    return statistics.geometric_mean(
        metrics.sliced_w2(
            sampler(p, noise(len(truth), 10), levels(evaluations, rho), 11),
            truth,
            generator=seeded(12),
        )
        for p, truth in zip(chosen, truths, strict=True)
    )


def fine(chosen, method: str, steps: int, count: int, seed: int) -> list[torch.Tensor]:
    return [ours(method)(p, noise(count, seed), levels(steps, math.inf), seed) for p in chosen]


def rows(ways: dict[str, Sampler], budgets, error) -> dict[str, list[float]]:
    """The errors of every way on both grids, printed as they come."""
    found = {}
    for title, rho in GRIDS.items():
        for name, way in ways.items():
            row = [error(name, way, rho, count) for count in budgets]
            found[f"{name}, {title}"] = row
            print(f"{title:<13}{name:<26}" + "".join(f"{value:10.2g}" for value in row), flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one target, few evaluations")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # few levels on the uneven grid
    chosen = targets()[:1] if options.quick else targets()
    budgets = (8, 40) if options.quick else (8, 10, 20, 40, 80, 200)
    head = f"{'evaluations':<39}" + "".join(f"{count:>10}" for count in budgets)

    print(f"end-point error of the ODE, {len(chosen)} compositions, sigma from {HIGH} to {LOW}")
    print(head)
    truths = fine(chosen, "unipc3", 400 if options.quick else 4000, PARTICLES, 9)
    rows(
        {name: ours(name) for name in ODE} | peers("ode"),
        budgets,
        lambda name, way, rho, count: ode_error(way, rho, count, chosen, truths, name == "heun"),
    )
    count = 500 if options.quick else 20_000
    first, second = (fine(chosen, "sde3m", 100 if options.quick else 600, count, s) for s in (1, 2))
    floor = statistics.geometric_mean(
        metrics.sliced_w2(a, b, generator=seeded(12)) for a, b in zip(first, second, strict=True)
    )
    print(f"\nlaw of {count:,} samples of the SDE, sliced W2 to a fine run", end=" ")
    print(f"(two fine runs: {floor:.2g})")
    print(head)
    rows(
        {name: ours(name) for name in SDE} | peers("sde"),
        budgets,
        lambda name, way, rho, count: sde_error(way, rho, count, chosen, first),
    )
    for name in ("diffusers", "k_diffusion"):
        if not importlib.util.find_spec(name):
            print(f"{name} is not installed: no comparison")
    return 0


if __name__ == "__main__":
    sys.exit(main())
