"""Samplers: from a Density and a noise schedule to samples."""

from projcomp.samplers.convergence import effective_samples, mean_with_error, r_hat
from projcomp.samplers.diffusion import reverse_diffusion
from projcomp.samplers.mcmc import annealed_mcmc, mcmc
from projcomp.samplers.particles import ParticleRun
from projcomp.samplers.run import ChainRun, Run
from projcomp.samplers.smc import smc
from projcomp.samplers.superposition import SuperpositionRun, superposition
from projcomp.samplers.tempering import tempering

__all__ = [
    "ChainRun",
    "ParticleRun",
    "Run",
    "SuperpositionRun",
    "annealed_mcmc",
    "effective_samples",
    "mcmc",
    "mean_with_error",
    "r_hat",
    "reverse_diffusion",
    "smc",
    "superposition",
    "tempering",
]
