"""A small table of pictures, and the library's numbers for what the prompt shows of it."""

from __future__ import annotations

from functools import cache

import projcomp as pc
import torch
from projcomp.emoji import Table
from projcomp.samplers.resampling import combed
from projcomp.widgets.prompt import WAYS
from torch import Tensor

THINGS = (
    "ball", "bell", "boat", "book", "cake", "cup", "dog", "drum", "fish", "hat", "key", "leaf",
)  # fmt: skip
STYLES = ("painted", "flat", "black lines")
SIGMAS = [0.1, 0.7, 3.0, 20.0]


@cache
def table(contents: int = 12, pixels: int = 8) -> Table:
    """Pictures that share little with their row or column, so that samplers lose their way."""
    generator = torch.Generator().manual_seed(5)

    def even(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    own = even(contents, 3, 3, pixels, pixels)
    thing, hand = even(contents, 1, 1, pixels, pixels), even(1, 3, 3, pixels, pixels)
    pictures = 2 * (0.7 * own + 0.15 * thing + 0.15 * hand) - 1
    return Table(pictures, THINGS[:contents], STYLES)


def prompts() -> list[dict]:
    """Every way of some prompts: all that the page computes."""
    found = []
    for content, style, seed, guidance in (
        ("dog", "flat", 3, 2.5), ("ball", "black lines", 11, 8.0), ("key", "painted", 12, 1.0),
    ):  # fmt: skip
        figure = pc.Prompt(
            table(),
            content=content,
            style=style,
            seed=seed,
            guidance=guidance,
            levels=pc.sigma_grid(0.1, 20.0, 24)[:-1],
        )
        generator = torch.Generator().manual_seed(seed)
        rows = figure.table.bank.points
        noise = torch.randn(len(SIGMAS), rows.shape[1], generator=generator, dtype=torch.float64)
        middle = rows[[0, 5, 17, 35]]
        points = middle + torch.tensor(SIGMAS, dtype=torch.float64)[:, None] * noise
        pairs = list(zip(points, SIGMAS, strict=True))
        composition, plain = figure.composed("guided"), figure.composed("sde")
        ways = {}
        for way in WAYS:
            flight, sample = figure.flight(way), figure.sample(way)
            ways[way] = {
                "states": flight.states.tolist(),
                "logs": flight.log_weights.tolist(),
                "effective": flight.effective.tolist(),
                "parents": flight.parents.tolist(),
                "path": sample.path.tolist(),
                "beliefs": [_numbers(belief) for belief in sample.beliefs],
                "tops": [[b.top for b in belief.values()] for belief in sample.beliefs],
                "outcome": sample.outcome._asdict(),
            }
        found.append(
            {
                "bank": figure.bank,
                "values": rows.tolist(),
                "wanted": dict(zip(("content", "style"), divmod(figure.wanted, 3), strict=True)),
                "particles": figure.particles,
                "levels": figure.levels,
                "seed": seed,
                "guidance": guidance,
                "sigmas": SIGMAS,
                "points": points.tolist(),
                "denoised": [composition.denoise(x, s).flatten().tolist() for x, s in pairs],
                "rates": [float(s**2 * plain.interaction(x, s)) for x, s in pairs],
                "ways": ways,
            }
        )
    return found


def combs() -> list[dict]:
    """Which particles a comb meets, whatever its shift."""
    generator = torch.Generator().manual_seed(8)
    found = [{"shares": [0.5, 0.5, 0.0], "offset": 1.0}]
    for count in (2, 3, 5, 8, 8, 8, 16, 16, 16):
        logs = 2 * torch.randn(count, generator=generator, dtype=torch.float64)
        shift = float(torch.rand(1, generator=generator, dtype=torch.float64))
        found.append({"shares": torch.softmax(logs, 0).tolist(), "offset": shift})
    for comb in found:
        logs = torch.tensor(comb["shares"], dtype=torch.float64).log()
        comb["met"] = combed(logs, torch.tensor(comb["offset"]), len(logs)).tolist()
    return found


def _numbers(beliefs: dict) -> list[list[float]]:
    return [[belief.style, belief.content, belief.entropy] for belief in beliefs.values()]
