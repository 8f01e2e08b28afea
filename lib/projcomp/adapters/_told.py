"""The networks of diffusers: what each kind is told of a prompt, and how it is called.

A network is known here where it is called just as its own pipelines call it. What it is told is a
dictionary of tensors, the row of one point: a condition, as `Adapted` takes it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from projcomp import _check

TEXT_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")


class Kind(NamedTuple):
    """What is particular to one kind of network.

    call: (network, x (B, *shape), t, condition) -> its answer, (B, *shape).
    told: (pipeline, encoded prompt, whether its negative half is meant, height, width) -> the
        condition; None for a network that is told no text.
    patch: it sees pictures in patches of this size, as channels.
    end: what it calls the time of pure noise; the number of timesteps if None.
    """

    call: Callable
    told: Callable | None = None
    patch: int = 1
    end: float | None = None


def kind_of(network) -> Kind:
    """Raises ValueError for a network that is not known, or is told more than a text."""
    inner = getattr(network, "_orig_mod", network)  # of a compiled one
    names = [base.__name__ for base in type(inner).__mro__ if base.__name__ in _KINDS]
    if not names:
        raise ValueError(
            f"pipeline must have one of {', '.join(_KINDS)}, got {type(inner).__name__}; wrap that "
            "by from_noise, from_v or from_flow"
        )
    config = network.config
    also = None
    if config.get("class_embed_type") or config.get("num_class_embeds"):
        also = "a class"
    elif config.get("time_cond_proj_dim"):
        also = "a guidance scale"
    elif config.get("addition_embed_type") not in (None, "text", "text_time"):
        also = f"an embedded {config['addition_embed_type']}"
    elif (config.get("out_channels") or config["in_channels"]) < config["in_channels"]:
        also = "a picture"
    if also:
        raise ValueError(f"pipeline must have a network told a text or nothing, not {also} too")
    return _KINDS[names[0]]


def shape_of(network, kind: Kind, pipeline, shape) -> tuple[int, ...]:
    """(channels, height, width): as asked for, if it fits, or as the network was made for."""
    channels = network.config["in_channels"] // kind.patch**2
    if shape is None:
        size = network.config.get("sample_size") or getattr(pipeline, "default_sample_size", None)
        if size is None:
            raise ValueError("shape must be given, as the network names no size of its own")
        shape = (channels, *(size if isinstance(size, list | tuple) else (size, size)))
    found = _check.sizes("shape", shape)
    if len(found) != 3 or found[0] != channels or any(size % kind.patch for size in found[1:]):
        even = f", both divisible by {kind.patch}" if kind.patch > 1 else ""
        raise ValueError(f"shape must be ({channels}, height, width){even}; got {found}")
    return found


def encoded(pipeline, prompt: str | None) -> tuple[tuple, bool]:
    """What the pipeline makes of a prompt, and whether the negative half of it is meant.

    Pipelines answer for a prompt and for a negative one. To None they answer what they guide away
    from where no negative prompt is given.
    """
    encode = pipeline.encode_prompt
    parameters = inspect.signature(encode).parameters.values()
    given = {
        p.name: None for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD
    }
    said = {
        "prompt": prompt or "", "device": pipeline._execution_device, "num_images_per_prompt": 1,
        "do_classifier_free_guidance": True,
    }  # fmt: skip
    given |= {p.name: said[p.name] for p in parameters if p.name in said}
    with torch.no_grad():
        answer = encode(**given)
    return answer, prompt is None


# -- what they are told ---------------------------------------------------------------------------


def _unet(pipeline, text, negative, height, width) -> dict:
    """Of Stable Diffusion; of its XL also the text as a whole, and the size of the picture, which
    is not cropped (Podell et al. 2023, section 2.2). XL guides away from zeros."""
    condition = {"encoder_hidden_states": text[negative][0]}
    if pipeline.unet.config.get("addition_embed_type") == "text_time":
        pooled, size = text[2 + negative], _pixels(pipeline, height, width)
        times = pipeline._get_add_time_ids(
            size, (0, 0), size, dtype=pooled.dtype, text_encoder_projection_dim=pooled.shape[-1]
        )
        condition["added_cond_kwargs"] = {"text_embeds": pooled[0], "time_ids": times[0]}
    return condition


def _sd3(pipeline, text, negative, height, width) -> dict:
    """Here and below nothing is the empty text, in either half."""
    return {"encoder_hidden_states": text[0][0], "pooled_projections": text[2][0]}


def _flux(pipeline, text, negative, height, width) -> dict:
    return {"encoder_hidden_states": text[0][0], "pooled_projections": text[1][0]}


def _pixart(pipeline, text, negative, height, width) -> dict:
    embeds, mask = text[0][0], text[1][0]
    condition = {"encoder_hidden_states": embeds, "encoder_attention_mask": mask}
    if pipeline.transformer.use_additional_conditions:
        size = _pixels(pipeline, height, width)
        values = {"resolution": size, "aspect_ratio": [height / width]}
        told = {name: embeds.new_tensor(value) for name, value in values.items()}
        condition["added_cond_kwargs"] = told
    return condition


def _pixels(pipeline, height: int, width: int) -> tuple[int, int]:
    return height * pipeline.vae_scale_factor, width * pipeline.vae_scale_factor


# -- how they are called --------------------------------------------------------------------------


def _plainly(network, x: Tensor, t: Tensor, condition: dict) -> Tensor:
    """A variance that is predicted beside is left out."""
    return network(x, timestep=t, **condition, return_dict=False)[0][:, : x.shape[1]]


def _with_size(network, x: Tensor, t: Tensor, condition: dict) -> Tensor:
    size = {"resolution": None, "aspect_ratio": None}
    return _plainly(network, x, t, {"added_cond_kwargs": size} | condition)


def _in_patches(network, x: Tensor, t: Tensor, condition: dict) -> Tensor:
    """In patches of two by two, with their places, and a text that has none.

    A network that was distilled from guided ones is told the scale 1, which is no guidance.
    """
    patches = pixel_unshuffle(x, 2)
    sizes = patches.shape[-2:]
    axes = [torch.arange(size, device=x.device) for size in (1, *sizes)]
    places = torch.cartesian_prod(*axes).to(x.dtype)
    guidance = torch.ones_like(t) if network.config.guidance_embeds else None
    answer = network(
        patches.flatten(2).mT, timestep=t, guidance=guidance, img_ids=places,
        txt_ids=places.new_zeros(condition["encoder_hidden_states"].shape[1], 3), **condition,
        return_dict=False,
    )[0]  # fmt: skip
    return pixel_shuffle(answer.mT.unflatten(2, sizes), 2)


_KINDS = {
    "UNet2DModel": Kind(_plainly),
    "UNet2DConditionModel": Kind(_plainly, _unet),
    "SD3Transformer2DModel": Kind(_plainly, _sd3),
    "FluxTransformer2DModel": Kind(_in_patches, _flux, patch=2, end=1.0),
    "PixArtTransformer2DModel": Kind(_with_size, _pixart),
}
