"""Small rendered banks for the lattice, and the library's numbers for its pictures."""

from __future__ import annotations

from functools import cache

import projcomp as pc
import torch
from projcomp import scenes
from torch import Tensor

CHOSEN = ([], [4], [0, 4, 7], list(range(9)))
SIGMAS = [0.03, 0.3, 2.0, 20.0]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def rendered(pictures: int, pixels: int) -> tuple[Tensor, list[Tensor]]:
    """The empty floor (n,), and nine banks (pictures, n) of one object at a place."""
    return scenes.on_lattice(pictures, pixels)


def believed(figure: pc.Lattice, setting: str, x: Tensor, sigma: float) -> Tensor:
    """(..., 9) coefficients of the places' objects in the denoised pictures, by the chapter."""
    if setting == "C":
        return figure.composition("C").presence(x, sigma)
    inside = torch.zeros(9, dtype=torch.float64)
    inside[figure.chosen] = 1.0
    if setting == "A":
        return inside.expand(*x.shape[:-1], 9)
    logs = torch.stack([p.log_prob(x, sigma) for p in figure.concepts("B")], -1)
    return inside - (len(figure.chosen) - 1) * torch.softmax(logs, -1)


def lattices() -> list[dict]:
    """Of each rule of clutter, every setting and some choices of places: all the page computes."""
    empty, banks = rendered(5, 8)
    found = []
    for rule, clutter in (("independent", {"rate": 0.35}), ("capped", {"most": 4})):
        figure = pc.Lattice(empty, banks, clutter=rule, seed=11, **clutter)
        noise = torch.randn(len(SIGMAS), 3, len(empty), generator=seeded(0), dtype=torch.float64)
        middle = torch.stack([figure.banks[j][0] for j in (0, 4, 8)])
        points = middle + torch.tensor(SIGMAS, dtype=torch.float64)[:, None, None] * noise
        runs = []
        for chosen in CHOSEN:
            figure.chosen = chosen
            for setting in "ABC" if rule == "independent" else "C":
                density = figure.composition(setting)
                run = pc.reverse_diffusion(
                    density,
                    1,
                    figure.levels,
                    "euler",
                    start=figure.start[None],
                    keep_path=True,
                    progress=False,
                )
                counted = scenes.opacities(run.samples, figure.banks, figure.empty).opacity[0]
                pairs = list(zip(points, SIGMAS, strict=True))
                runs.append(
                    {
                        "setting": setting,
                        "chosen": chosen,
                        "denoised": [density.denoise(x, s).tolist() for x, s in pairs],
                        "coefficients": [
                            believed(figure, setting, x, s).tolist() for x, s in pairs
                        ],
                        "path": run.path[:, 0].tolist(),
                        "counted": counted.tolist(),
                    }
                )
        found.append(
            {
                "rule": rule,
                "bank": figure.bank,
                "empty": figure.empty.tolist(),
                "seed": figure.seed,
                "start": figure.start.tolist(),
                "levels": figure.levels,
                "clutter": clutter,
                "chances": {
                    "named": [c.log_chances.exp().tolist() for c in figure.concepts("C")],
                    "average": figure.background("C").log_chances.exp().tolist(),
                },
                "sigmas": SIGMAS,
                "points": points.tolist(),
                "runs": runs,
            }
        )
    return found
