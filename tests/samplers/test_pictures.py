"""Runs of densities of pictures, the levels that a density knows, and particles far out."""

from __future__ import annotations

import re
import warnings

import projcomp as pc
import pytest
import torch
from projcomp import diagnostics
from projcomp.diagnostics import measure
from projcomp.samplers.run import settled

from tests.helpers import close, random_mixture, seeded

SHAPE, N = (3, 1, 2), 40
MIXTURES = [random_mixture(seeded(seed), 2, 6, "diagonal") for seed in range(3)]
GRID = pc.sigma_grid(0.05, 20.0, 6)


def scored(mixture, shape=None, **options):
    return pc.Scored(6, mixture.score, shape=shape, **options)


class Pictures(pc.Density):
    """A mixture of pictures, or of points, with its log density and samples."""

    shape = SHAPE

    def __init__(self, mixture, shape=SHAPE):
        super().__init__(6)
        self.mixture, self.shape = mixture, shape

    def _log_prob(self, x, sigma):
        return self.mixture._log_prob(x, sigma)

    def _score(self, x, sigma):
        return self.mixture._score(x, sigma)

    def _sample(self, n, generator, device):
        return self.mixture._sample(n, generator, device)


ROUND, FLAT = (
    pc.compose(parts[0], parts[1:], [0.5, 0.5])
    for parts in ([Pictures(m, shape) for m in MIXTURES] for shape in (SHAPE, (6,)))
)

SAMPLERS = {
    "reverse_diffusion": lambda c, **o: pc.reverse_diffusion(c, N, GRID, keep_path=True, **o),
    "heun": lambda c, **o: pc.reverse_diffusion(c, N, GRID, "heun", keep_path=True, **o),
    "ula": lambda c, **o: pc.annealed_mcmc(c, N, GRID, "ula", keep_path=True, **o),
    "hmc": lambda c, **o: pc.annealed_mcmc(c, N, GRID, "hmc", keep_path=True, **o),
    "smc": lambda c, **o: pc.smc(c, N, GRID, keep_path=True, **o),
    "smc by density": lambda c, **o: pc.smc(
        c, N, GRID, "density", threshold=0.2, keep_path=True, **o
    ),
    "superposition": lambda c, **o: pc.superposition(
        [MIXTURES[0], c.background], N, GRID, keep_path=True, **o
    ),
}
START = 20.0 * torch.randn(N, 6, generator=seeded(5), dtype=torch.float64)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_run_of_pictures_is_that_of_points(name):
    wanted = SAMPLERS[name](FLAT, generator=seeded(1))
    found = SAMPLERS[name](ROUND, generator=seeded(1))
    close(found.samples, wanted.samples.reshape(N, *SHAPE))
    close(found.path, wanted.path.reshape(-1, N, *SHAPE))
    assert "40 samples of shape (3, 1, 2)" in repr(found)
    assert "40 samples in R^6" in repr(wanted)
    started = SAMPLERS[name](ROUND, start=START.reshape(N, *SHAPE), generator=seeded(1))
    close(started.samples, SAMPLERS[name](ROUND, start=START, generator=seeded(1)).samples)
    assert not torch.equal(started.samples, found.samples)
    with pytest.raises(ValueError, match=r"start must have shape \(..., 6\) or \(..., 3, 1, 2\)"):
        SAMPLERS[name](ROUND, start=START.reshape(N, 2, 3))


def test_chains_and_tempering_of_pictures():
    start = START[:5].reshape(5, *SHAPE)
    chains = [pc.mcmc(c, start, 2, 0.5, generator=seeded(2)) for c in (ROUND,)]
    wanted = pc.mcmc(FLAT, START[:5], 2, 0.5, generator=seeded(2))
    close(chains[0].samples, wanted.samples.reshape(5, *SHAPE))
    close(chains[0].path, wanted.path.reshape(3, 5, *SHAPE))
    wide = pc.gaussian([0.0] * 6, 9.0)
    for base in (wide, Pictures(wide)):
        run = pc.tempering(ROUND, N, base, keep_path=True, generator=seeded(3))
        wanted = pc.tempering(FLAT, N, wide, keep_path=True, generator=seeded(3))
        close(run.samples, wanted.samples.reshape(N, *SHAPE))
        close(run.path, wanted.path.reshape(-1, N, *SHAPE))


def test_weighted_pictures():
    flat, pictures = (pc.smc(c, 40, GRID, generator=seeded(1)) for c in (FLAT, ROUND))
    close(pictures.resample(7, seeded(2)), flat.resample(7, seeded(2)).reshape(7, *SHAPE))
    close(pictures.mean(pictures.samples), flat.mean(flat.samples).reshape(SHAPE))


def test_measurements_of_pictures():
    levels = GRID[:-1]
    for density in (Pictures(MIXTURES[0]), scored(MIXTURES[0], SHAPE)):
        assert measure.draw(density, 4, levels, seeded(1)).shape == (4, 6)
    x = MIXTURES[0].sample(4, generator=seeded(2))
    parts = [Pictures(mixture) for mixture in MIXTURES]
    found = diagnostics.estimated_lift(
        x.reshape(4, *SHAPE), parts[0], parts[1:], levels, generator=seeded(3)
    )
    wanted = diagnostics.estimated_lift(x, parts[0], parts[1:], levels, generator=seeded(3))
    close(found[0], wanted[0])


KNOWN = (0.05, 20.0)


def counting(calls, known=KNOWN):
    def score(x, sigma):
        calls.append(len(x))
        return MIXTURES[0].score(x, sigma)

    return pc.Scored(6, score, sigma_range=known)


@pytest.mark.parametrize(
    "sample",
    [
        lambda p, c, grid: pc.reverse_diffusion(p, 4, grid),
        lambda p, c, grid: pc.annealed_mcmc(p, 4, grid, "ula"),
        lambda p, c, grid: pc.smc(c, 4, grid),
        lambda p, c, grid: pc.superposition([MIXTURES[1], p], 4, grid),
        lambda p, c, grid: diagnostics.estimated_lift(START, MIXTURES[1], [p], grid),
    ],
)
def test_levels_that_a_density_does_not_know(sample):
    calls: list[int] = []
    density = counting(calls)
    composition = pc.compose(MIXTURES[1], [density])
    for low, high in ((0.05, 20.1), (0.049, 20.0)):
        message = (
            rf"^sigmas must lie within the sigma_range of the density, 0.05 to 20, got {low:g}"
        )
        with pytest.raises(ValueError, match=re.escape(message[1:])):
            sample(density, composition, pc.sigma_grid(low, high, 5))
    assert calls == []
    sample(density, composition, pc.sigma_grid(0.05 * (1 - 5e-7), 20.0 * (1 + 5e-7), 5))
    assert calls


def test_a_level_of_chains_that_a_density_does_not_know():
    calls: list[int] = []
    everywhere = counting(calls, (0.0, 100.0))
    for part in (counting(calls), pc.compose(everywhere, [counting(calls)], [0.5])):
        with pytest.raises(ValueError, match=r"^sigma must lie within .*, 0.05 to 20, got 21$"):
            pc.mcmc(part, START, 2, 21.0, "ula")
        assert calls == []


# -- particles far out ------------------------------------------------------------------------


def learned(mean, samples=True):
    """A Gaussian of variance 1 that is known by its score and perhaps some samples."""
    exact = pc.gaussian([mean, 0.0], 1.0)
    return pc.Scored(2, exact.score, exact.sample(500, generator=seeded(3)) if samples else None)


def warned(composition, sample) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sample(composition)
    for one in caught:
        assert one.filename == __file__
    return [str(one.message) for one in caught if "farthest sample" in str(one.message)]


ENDS = {
    "reverse_diffusion": lambda c: pc.reverse_diffusion(c, 20, GRID, generator=seeded(1)),
    "ula": lambda c: pc.annealed_mcmc(c, 20, GRID, "ula", generator=seeded(1)),
    "chains": lambda c: pc.mcmc(c, START[:, :2] + 40.0, 2, 0.0, "ula", generator=seeded(1)),
    "smc": lambda c: pc.smc(c, 20, GRID, threshold=0.0, generator=seeded(1)),
}


@pytest.mark.parametrize("name", ENDS)
def test_particles_far_out_of_all_samples_are_told_of(name):
    """Scores of two learned Gaussians, drawn out to 12 times the distance of their means."""
    far = pc.compose(learned(-2.0), [learned(2.0)], [12.0])
    said = warned(far, ENDS[name])
    assert len(said) == 1
    numbers = re.search(r"norms up to ([\d.]+), and the farthest .* has ([\d.]+):", said[0])
    largest, farthest = map(float, numbers.groups())
    assert largest > 3 * farthest
    reach = max(p.samples.norm(dim=1).max() for p in (far.background, far.concepts[0]))
    assert farthest == pytest.approx(float(reach), rel=1e-2)
    assert "smaller weights help, or smc" in said[0]


def test_who_is_not_told():
    run = ENDS["reverse_diffusion"]
    near = pc.compose(learned(-2.0), [learned(2.0)], [2.0])
    exact = pc.compose(pc.gaussian([-2.0, 0.0], 1.0), [pc.gaussian([2.0, 0.0], 1.0)], [12.0])
    unknown = pc.compose(learned(-2.0, False), [learned(2.0, False)], [12.0])
    for composition in (near, exact, unknown):
        assert warned(composition, run) == []
    misled = pc.Scored(2, pc.gaussian([40.0, 0.0], 1.0).score, learned(0.0).samples)
    assert warned(misled, run) == []  # of no composition
    # Nor are particles that weigh next to nothing.
    weights = torch.tensor([1 - 1e-6, 1e-6], dtype=torch.float64)
    ends = torch.tensor([[0.0, 0.0], [1e3, 0.0]], dtype=torch.float64)
    assert warned(near, lambda c: settled(c, ends, 0.0, weights)) == []
    # Noise of the last level is no reason, and a nested part counts.
    high = pc.sigma_grid(0.05, 20.0, 6)[:2]
    assert warned(near, lambda c: pc.reverse_diffusion(c, 500, high, generator=seeded(1))) == []
    nested = pc.compose(
        pc.gaussian([0.0, 0.0], 1.0), [pc.compose(learned(-2.0), [learned(2.0)], [12.0])]
    )
    assert len(warned(nested, run)) == 1
