"""Adapters: other people's networks as Densities."""

from projcomp.adapters.decode import decode
from projcomp.adapters.hub import Prompt, from_diffusers
from projcomp.adapters.kinds import from_denoiser, from_flow, from_noise, from_v
from projcomp.adapters.model import Adapted, Model
from projcomp.adapters.spreading import spread

__all__ = [
    "Adapted",
    "Model",
    "Prompt",
    "decode",
    "from_denoiser",
    "from_diffusers",
    "from_flow",
    "from_noise",
    "from_v",
    "spread",
]
