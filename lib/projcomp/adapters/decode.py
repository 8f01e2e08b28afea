"""Pictures out of the latents that a model of diffusers works in."""

from __future__ import annotations

import torch
from torch import Tensor

from projcomp.adapters.hub import Prompt, part
from projcomp.composition import Composition
from projcomp.densities import Density
from projcomp.samplers import Run

_AT_ONCE = 4


def decode(samples, density: Density) -> Tensor:
    """Samples of a density from `from_diffusers` as pictures, by its pipeline's decoder.

    samples: a `Run`, whose samples these are, or latents (..., *density.shape) or (..., dim).
    density: a `Prompt`, or a composition of such.

    Returns (..., 3, height, width) float64 in [0, 1], what lies outside cut off, on the device of
    the samples. Where the model works in pixels, [-1, 1] becomes [0, 1].
    Raises ValueError for a density that comes from no pipeline, and samples of another shape.
    """
    pipeline = _pipeline(density)
    flat = density.flat("samples", samples.samples if isinstance(samples, Run) else samples)
    latents = flat.detach().reshape(-1, *density.shape)
    decoder = part(pipeline, "vae", "vqvae")
    with torch.no_grad():
        pieces = [_decoded(decoder, piece) for piece in latents.split(_AT_ONCE)]
    pictures = (0.5 + 0.5 * torch.cat(pieces)).clamp(0.0, 1.0)
    return pictures.reshape(*flat.shape[:-1], *pictures.shape[1:])


def _pipeline(density):
    """That of the density, or of the first of its parts that has one."""
    parts = [density]
    while parts:
        one = parts.pop(0)
        if isinstance(one, Prompt):
            return one.model.network.pipeline
        if isinstance(one, Composition):
            parts += [one.background, *one.concepts]
    raise ValueError(
        f"density must come from from_diffusers, or be composed of such; got {density!r}"
    )


def _decoded(decoder, latents: Tensor) -> Tensor:
    """(n, channels, height, width) in [-1, 1], or about."""
    if decoder is None:
        return latents
    config = decoder.config
    scale, shift = config.get("scaling_factor") or 1.0, config.get("shift_factor") or 0.0
    mean, spread = config.get("latents_mean"), config.get("latents_std")
    if mean is not None and spread is not None:
        mean, spread = (latents.new_tensor(each).view(1, -1, 1, 1) for each in (mean, spread))
        latents = latents * spread / scale + mean
    else:
        latents = latents / scale + shift
    dtype = decoder.dtype
    overflows = dtype == torch.float16 and config.get("force_upcast")
    try:
        if overflows:
            decoder.to(torch.float32)
        seen = latents.to(decoder.device, decoder.dtype)
        return decoder.decode(seen, return_dict=False)[0].to(latents)
    finally:
        if overflows:
            decoder.to(dtype)
