"""Adapters: other people's networks as Densities."""

from projcomp.adapters.kinds import from_denoiser, from_flow, from_noise, from_v
from projcomp.adapters.model import Adapted, Model
from projcomp.adapters.spreading import spread

__all__ = [
    "Adapted",
    "Model",
    "from_denoiser",
    "from_flow",
    "from_noise",
    "from_v",
    "spread",
]
