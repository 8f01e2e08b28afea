"""How far the ODE's methods end from its solution, for each evaluation that they spend.

Prints one table for two grids of noise levels: the root mean square distance at the end, the
geometric mean over four skewed compositions of random mixtures, from the same starts.
"""

from __future__ import annotations

import argparse
import math
import sys

import projcomp as pc
import torch
from samplers import seeded

LOW, HIGH, PARTICLES = 0.02, 80.0, 200
METHODS = ("euler", "heun", "2m", "3m", "unipc2", "unipc3")
GRIDS = {"rho = 7": 7.0, "logarithmic": 1e6}


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


def ends(target, method: str, evaluations: int, rho: float) -> torch.Tensor:
    steps = evaluations // 2 if method == "heun" else evaluations
    sigmas = pc.sigma_grid(LOW, HIGH, steps + 1, rho=rho)[:-1]
    start = HIGH * torch.randn(PARTICLES, 2, generator=seeded(9), dtype=torch.float64)
    return pc.reverse_diffusion(target, PARTICLES, sigmas, method, start=start).samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one target, few evaluations")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = targets()[:1] if options.quick else targets()
    budgets = (8, 16) if options.quick else (8, 10, 20, 40, 80, 200)
    fine = 400 if options.quick else 4000
    truths = [ends(target, "unipc3", fine, 1e6) for target in chosen]
    print(f"end-point error of the ODE, {len(chosen)} compositions, sigma from {HIGH} to {LOW}")
    print(f"{'evaluations':<22}" + "".join(f"{count:>10}" for count in budgets))
    for title, rho in GRIDS.items():
        for method in METHODS:
            row = []
            for count in budgets:
                logs = [
                    (ends(t, method, count, rho) - truth).square().sum(1).mean().log() / 2
                    for t, truth in zip(chosen, truths, strict=True)
                ]
                row.append(math.exp(float(sum(logs)) / len(logs)))
            print(f"{title:<13}{method:<9}" + "".join(f"{value:10.2g}" for value in row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
