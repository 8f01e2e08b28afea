"""Runs of compositions of two kinds, alone or spread over processes: their numbers into a file."""

from __future__ import annotations

import sys

import projcomp as pc
import torch

from tests.adapters.dressed import adapted
from tests.helpers import random_mixture, seeded

MIXTURES = [random_mixture(seeded(seed), 3, 4, "diagonal") for seed in range(3)]
GRID = pc.sigma_grid(0.02, 20.0, 8)


def labelled(engine):
    """Three densities of one network."""
    first, _ = adapted("noise", MIXTURES, condition=0, engine=engine)
    return [first, first.given(1), first.given(2)]


def compositions(engine):
    """Of one network with conditions; and of densities that are spread afterwards."""
    first, *others = labelled(engine)
    yield pc.compose(first, others, [0.7, 0.6])
    parts = [adapted("denoised", MIXTURES[i:])[0] for i in (0, 1)] + [MIXTURES[2]]
    if engine is not None:
        parts = [pc.adapters.spread(part, engine) for part in parts]
    yield pc.compose(parts[0], parts[1:], [0.7, 0.6])


def failing(engine):
    """Whether all processes hear of what goes wrong with the last rows alone."""

    def score(x, sigma):
        if bool((x[:, 0] > 6.5).any()):
            raise ValueError("score must be asked below 6.5")
        return -x

    density = pc.Scored(4, score)
    density = density if engine is None else pc.adapters.spread(density, engine)
    try:
        density.score(torch.arange(8.0)[:, None].expand(8, 4), 1.0)
    except ValueError:
        return 1.0
    return 0.0


def numbers(engine) -> list[torch.Tensor]:
    found = []
    for composition in compositions(engine):
        for n in (7, 1):  # rows that do not divide, and fewer than processes
            run = pc.reverse_diffusion(composition, n, GRID, generator=seeded(1))
            found.append(run.samples)
        smc = pc.smc(composition, 31, GRID, threshold=0.9, generator=seeded(2))
        assert int(smc.resampled.sum()) > 1
        found += [smc.samples, smc.log_weights, smc.ancestors.double(), smc.log_z]
        found.append(composition.interaction(smc.samples, 0.5, natural=True))
    known = [MIXTURES[i].sample(200, generator=seeded(i)) for i in range(3)]
    parts = [part.given(i, known[i]) for i, part in enumerate(labelled(engine))]
    report = pc.diagnose(
        parts[0], parts[1:], sigmas=[0.05, 0.5, 5.0], samples=100, generator=seeded(3)
    )
    found.append(torch.tensor(list(str(report).encode()), dtype=torch.float64))
    product = pc.simple_product(composition.concepts)
    found.append(product.interaction(smc.samples, 0.5, natural=True))  # by derivatives
    found.append(torch.tensor([failing(engine)], dtype=torch.float64))
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    from accelerate import Accelerator

    engine = Accelerator(cpu=True)
    assert engine.num_processes == 2
    torch.save(numbers(engine), f"{sys.argv[1]}.{engine.process_index}")
