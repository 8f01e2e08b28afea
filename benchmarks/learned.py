"""How right a diagnosis of trained networks is, where the truth is known.

The compositions are those of `problems.py`: every one is trained to three levels, and each level is
measured against its exact twin. Networks are kept in _build/learned/ and trained only once.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import projcomp as pc
import torch
from problems import DIMS, Problem, problems, seeded
from projcomp.networks.layers import fourier, linear
from torch import Tensor, nn

FOLDER = Path(__file__).resolve().parents[1] / "_build" / "learned"
SIZES = {2: (64, 512), 8: (96, 512), 64: (128, 512), 768: (192, 256), 3072: (192, 192)}
"""By dimension: width of the network, and batch."""
STEPS = {
    2: (3, 100, 1500),
    8: (100, 400, 1500),
    64: (150, 400, 1500),
    768: (150, 400, 1000),
    3072: (200, 400, 1200),
}
"""By dimension: after how many steps a level of training ends. Each goes on from the last."""
LEVELS = range(3)
NAMES = ("little", "some", "most")
RATE, RATE_OF_PICTURES = 3e-3, 2e-3
LABELS = ("b", "1", "2")


class Gated(nn.Module):
    """An MLP, plus a multiple of its own input that depends on the noise level alone.

    A hidden state that is narrower than the data can't pass them on.
    """

    def __init__(self, dim: int, width: int, generator: torch.Generator):
        super().__init__()
        self.options = {"width": width}
        self.main = pc.networks.MLP(dim, len(LABELS), width, 3, generator=generator)
        self.gate = nn.Sequential(
            linear(16, 32, generator), nn.SiLU(), linear(32, 1, generator, scale=0.0)
        )

    def forward(self, x: Tensor, noise: Tensor, label: Tensor) -> Tensor:
        """x: (B, n); noise and label: (B,) or (1,). Returns (B, n)."""
        return self.main(x, noise, label) + self.gate(fourier(noise, 8)) * x


def blank(problem: Problem) -> pc.networks.Preconditioned:
    """The network of a problem before training."""
    generator, width = seeded(1), SIZES[problem.dim][0]
    few = torch.cat([p.sample(256, generator=generator) for p in problem.densities])
    network = Gated(problem.dim, width, generator)
    return pc.networks.Preconditioned(
        network, problem.dim, float(few.square().mean().sqrt()), len(LABELS)
    )


def law_of_noise(problem: Problem) -> tuple[float, float]:
    """Mean and standard deviation of log sigma in training: its levels to 1.6 deviations."""
    high, low = problem.sigmas[0].log().item(), problem.sigmas[-1].log().item()
    return (high + low) / 2, (high - low) / 3.2


def place(problem: Problem, level: int) -> Path:
    """Where a trained network is kept: under another name once problem or training are others."""
    made = SIZES[problem.dim], STEPS[problem.dim][: level + 1], RATE, RATE_OF_PICTURES
    mark = hashlib.sha256(repr((made, problem.width)).encode())
    for density in problem.densities:
        mark.update(density.weights.numpy().tobytes() + density.means.numpy().tobytes())
    return FOLDER / f"{problem.name}-{level}-{mark.hexdigest()[:8]}.safetensors"


def trained(problem: Problem, level: int) -> pc.networks.Preconditioned:
    """The network of a level of training, from its file where there is one.

    Each level goes on from the averaged weights of the one before, on fresh exact samples, with
    the learning rate falling to zero.
    """
    model, path = blank(problem), place(problem, level)
    if path.is_file():
        return pc.networks.load_network(model, path)
    if level:
        model = trained(problem, level - 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = STEPS[problem.dim][level - 1] if level else 0
    recipe = pc.networks.Recipe(
        STEPS[problem.dim][level] - before,
        SIZES[problem.dim][1],
        RATE if problem.dim < 768 else RATE_OF_PICTURES,
        checkpoint=path.with_suffix(".checkpoint"),
        progress=False,
    )
    pc.networks.train(
        model,
        problem.densities,
        recipe,
        log_sigma=law_of_noise(problem),
        generator=seeded(10 + level),
    )
    pc.networks.save_network(model, path, "float32")
    recipe.checkpoint.unlink()
    return model


def learned(problem: Problem, level: int, samples: int = 0) -> list[pc.networks.Denoiser]:
    """p_b, p_1 and p_2 as learned to a level, each with that many exact samples, for the user."""
    model = trained(problem, level).requires_grad_(False)
    held = [
        exact.sample(samples, generator=seeded(100 + label)) if samples else None
        for label, exact in enumerate(problem.densities)
    ]
    return [pc.networks.Denoiser(model, label, points) for label, points in enumerate(held)]


def score_errors(problem: Problem, levels=LEVELS) -> list[list[float]]:
    """Nats by which the learned scores are off: for every level of training p_b, p_1 and p_2.

    The integral of E sigma^2 |learned score - score|^2 over log sigma, over the noise levels of
    the problem and each density's own noised samples. It bounds KL(p, learned p) between those
    levels, where samples of the latter come from the reverse SDE (Song et al. 2021, Theorem 1).
    """
    count = max(64, 8192 // problem.dim)
    models = [learned(problem, level) for level in levels]
    found = torch.zeros(len(models), len(LABELS), len(problem.sigmas), dtype=torch.float64)
    for label, exact in enumerate(problem.densities):
        generator = seeded(3 + label)
        for column, sigma in enumerate(problem.sigmas.tolist()):
            x = exact.sample(count, sigma, generator)
            truth = exact.score(x, sigma)
            for row, densities in zip(found, models, strict=True):
                gap = densities[label].score(x, sigma) - truth
                row[label, column] = sigma**2 * gap.square().sum(1).mean()
    return (-torch.trapezoid(found, problem.sigmas.log())).tolist()


def table_of_errors(chosen: list[Problem]) -> None:
    """Train what is not there yet, and print defects and errors, in nats."""
    head = "the exact defects, and how far the scores of p_b, p_1, p_2 are off after each level"
    print(f"learned compositions, projcomp {pc.__version__}; in nats: {head}")
    columns = "".join(f"{NAMES[level]:>21}" for level in LEVELS)
    print(f"{'problem':<20}{'J_1':>10}{'J_2':>10}{'missed':>10}{columns}")
    for problem in chosen:
        defects = [*(estimate.value for estimate in problem.exchange()), problem.missed()]
        errors = score_errors(problem)
        cells = "".join(f"{abs(value):>10.3g}" for value in defects)
        cells += "".join(f"{' '.join(f'{v:.2g}' for v in row):>21}" for row in errors)
        print(f"{problem.name:<20}{cells}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dims", type=int, nargs="*", choices=DIMS, default=DIMS)
    parser.add_argument("--quick", action="store_true", help="the plane, hardly trained")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.quick:
        STEPS[2] = (1, 2, 3)
    table_of_errors(problems([2] if options.quick else options.dims))
    return 0


if __name__ == "__main__":
    sys.exit(main())
