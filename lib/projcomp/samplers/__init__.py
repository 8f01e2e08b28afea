"""Samplers: from a Density and a noise schedule to samples."""

from projcomp.samplers.diffusion import reverse_diffusion
from projcomp.samplers.run import Run

__all__ = ["Run", "reverse_diffusion"]
