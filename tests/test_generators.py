"""Whatever takes a generator refuses what is none, and names it; also counts that are no counts."""

from __future__ import annotations

import inspect

import numpy as np
import projcomp as pc
import pytest
import torch
from projcomp import diagnostics, metrics, networks, samplers, scenes

P = pc.gaussian([0.0, 0.0], 1.0)
C = pc.compose(P, [pc.gaussian([1.0, 0.0], 1.0)])
X = torch.zeros(40, 2, dtype=torch.float64)
GRID = pc.sigma_grid(0.1, 10.0, 3)
RUN = pc.smc(C, 20, GRID, generator=torch.Generator().manual_seed(0))
ROWS = networks.Labelled(torch.zeros(4, 2), torch.arange(4), torch.zeros(4, dtype=torch.long))
RECIPE = networks.Recipe(2, 4)


def model():
    return networks.Preconditioned(networks.MLP(2, width=8, blocks=1), 2, 1.0)


CALLS = {
    "Density.sample": lambda g: P.sample(3, 0.0, g),
    "ParticleRun.resample": lambda g: RUN.resample(3, g),
    "annealed_mcmc": lambda g: pc.annealed_mcmc(C, 3, GRID, generator=g),
    "mcmc": lambda g: pc.mcmc(C, X, 2, generator=g),
    "reverse_diffusion": lambda g: pc.reverse_diffusion(C, 3, GRID, generator=g),
    "superposition": lambda g: pc.superposition([P, P], 3, GRID, generator=g),
    "smc": lambda g: pc.smc(C, 3, GRID, generator=g),
    "tempering": lambda g: pc.tempering(C, 3, P, generator=g),
    "compare": lambda g: metrics.compare(X, P, generator=g),
    "sliced_w2": lambda g: metrics.sliced_w2(X, X, generator=g),
    "diagnose": lambda g: pc.diagnose(P, [P], samples=200, generator=g),
    "estimated_lift": lambda g: diagnostics.estimated_lift(X, P, [P], GRID, generator=g),
    "find_blocks": lambda g: pc.find_blocks(P, [P], generator=g),
    "Counter": lambda g: scenes.Counter(g),
    "cluttered": lambda g: scenes.cluttered(3, 4, rate=0.5, generator=g),
    "free_clutter": lambda g: scenes.free_clutter(3, 2, generator=g),
    "one_coloured": lambda g: scenes.one_coloured(2, generator=g),
    "one_object": lambda g: scenes.one_object(2, generator=g),
    "one_to_many": lambda g: scenes.one_to_many(2, generator=g),
    "random_objects": lambda g: scenes.random_objects(torch.zeros(1, 1, 2), generator=g),
    "scattered": lambda g: scenes.scattered(2, 2, generator=g),
    "Labelled.draw": lambda g: ROWS.draw(2, g),
    "MLP": lambda g: networks.MLP(2, generator=g),
    "UNet": lambda g: networks.UNet(8, generator=g),
    "fit": lambda g: networks.fit(
        model(), lambda g: (torch.zeros(4, 2),), lambda m, x: x.sum(1), RECIPE, generator=g
    ),
    "train": lambda g: networks.train(model(), ROWS, networks.Recipe(2, 2), generator=g),
}


def public(owner):
    """The names of what is public in `owner` and takes a generator."""
    for name in getattr(owner, "__all__", None) or dir(owner):
        thing = getattr(owner, name)
        parts = {name: thing}
        if inspect.isclass(thing):
            parts |= {f"{name}.{k}": v for k, v in vars(thing).items() if inspect.isfunction(v)}
        for title, part in parts.items():
            if inspect.isroutine(part) or inspect.isclass(part):
                try:
                    parameters = inspect.signature(part).parameters
                except ValueError:
                    continue
                if "generator" in parameters and not title.split(".")[-1].startswith("_"):
                    yield title


def test_all_that_take_a_generator_are_tried():
    found = {n for m in (pc, networks, scenes, metrics, samplers, diagnostics) for n in public(m)}
    assert found == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "given", [0, 1234, "seed", np.random.default_rng(0)], ids=["zero", "seed", "word", "NumPy"]
)
def test_what_is_no_generator(name, given):
    with pytest.raises(ValueError, match=r"generator must be a torch\.Generator"):
        CALLS[name](given)


@pytest.mark.parametrize("n", [0, -1, 2.0, True, None, "3"])
def test_what_is_no_number_of_samples(n):
    g = torch.Generator()
    for call in (
        lambda: P.sample(n),
        lambda: RUN.resample(n),
        lambda: pc.reverse_diffusion(C, n, GRID),
        lambda: pc.annealed_mcmc(C, n, GRID),
        lambda: pc.smc(C, n, GRID),
        lambda: pc.superposition([P, P], n, GRID),
        lambda: pc.tempering(C, n, P),
        lambda: scenes.one_object(n),
        lambda: scenes.scattered(n, 2),
        lambda: ROWS.draw(n, g),
    ):
        with pytest.raises(ValueError, match=r"^n must be"):
            call()
    for call in (
        lambda: pc.diagnose(P, [P], samples=n),
        lambda: pc.find_blocks(P, [P], samples=0 if n is None else n),  # None: as many as it takes
    ):
        with pytest.raises(ValueError, match=r"^samples must be"):
            call()
    with pytest.raises(ValueError, match=r"^moves must be"):
        pc.mcmc(C, X, n)
