"""Small diffusers pipelines with random weights: nothing is downloaded."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMPipeline,
    DDPMScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    IFPipeline,
    PixArtAlphaPipeline,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    UNet2DModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
)

LENGTH = 12  # of a prompt, in tokens
BLOCKS = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}
MARKS = ("<|startoftext|>", "<|endoftext|>")


def seeded(make, seed: int = 0):
    """What `make` draws its weights for, always the same, and the caller's draws left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().eval().requires_grad_(False)


def tokenizer(folder: Path) -> CLIPTokenizer:
    """One token a letter."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters), *MARKS]
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: place for place, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=LENGTH)


def text_encoder(width: int, projects: bool = False, seed: int = 0):
    config = CLIPTextConfig(
        vocab_size=54, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=LENGTH, projection_dim=width,
        bos_token_id=52, eos_token_id=53, pad_token_id=53,
    )  # fmt: skip
    kind = CLIPTextModelWithProjection if projects else CLIPTextModel
    return seeded(lambda: kind(config), seed)


def t5(width: int):
    config = T5Config(
        vocab_size=54, d_model=width, d_kv=8, d_ff=16, num_layers=1, num_heads=2, pad_token_id=53
    )
    return seeded(lambda: T5EncoderModel(config))


def autoencoder(channels: int, **config):
    return seeded(lambda: AutoencoderKL(
        latent_channels=channels, sample_size=16, scaling_factor=0.3,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        **BLOCKS, **config,
    ))  # fmt: skip


def noise_schedule(kind=DDIMScheduler, prediction: str = "epsilon", **config):
    if kind is DDIMScheduler:
        config |= {"clip_sample": False, "set_alpha_to_one": False}
    return kind(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012,
        prediction_type=prediction, timestep_spacing="leading", steps_offset=1, **config,
    )  # fmt: skip


def unconditional(clip: bool = False, **config) -> DDPMPipeline:
    """Pictures (3, 8, 8), noise predicted in pixels."""
    unet = seeded(lambda: UNet2DModel(
        sample_size=8, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"), **BLOCKS,
    ))  # fmt: skip
    return DDPMPipeline(unet, DDPMScheduler(clip_sample=clip, **config))


def _told(width: int, **config) -> UNet2DConditionModel:
    return seeded(lambda: UNet2DConditionModel(
        sample_size=8, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=width,
        attention_head_dim=4, **BLOCKS, **config,
    ))  # fmt: skip


def stable_diffusion(folder: Path, prediction: str = "epsilon") -> StableDiffusionPipeline:
    """Latents (4, 8, 8), pictures (3, 16, 16)."""
    return StableDiffusionPipeline(
        vae=autoencoder(4), text_encoder=text_encoder(16), tokenizer=tokenizer(folder),
        unet=_told(16), scheduler=noise_schedule(prediction=prediction), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def stable_diffusion_xl(folder: Path) -> StableDiffusionXLPipeline:
    """Two text encoders, a pooled text, and the picture's size among what the network is told."""
    words = tokenizer(folder)
    unet = _told(
        32, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=16 + 6 * 8,
    )  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=autoencoder(4), text_encoder=text_encoder(16), tokenizer=words,
        text_encoder_2=text_encoder(16, projects=True, seed=1), tokenizer_2=words, unet=unet,
        scheduler=noise_schedule(), add_watermarker=False,
    )  # fmt: skip


def stable_diffusion_3(folder: Path) -> StableDiffusion3Pipeline:
    """A flow in latents (4, 8, 8); two text encoders, and no T5."""
    words = tokenizer(folder)
    transformer = seeded(lambda: SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, out_channels=4, num_layers=2,
        attention_head_dim=8, num_attention_heads=2, joint_attention_dim=32,
        caption_projection_dim=16, pooled_projection_dim=32, pos_embed_max_size=8,
    ))  # fmt: skip
    return StableDiffusion3Pipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(4, shift_factor=0.1),
        text_encoder=text_encoder(16, projects=True), tokenizer=words,
        text_encoder_2=text_encoder(16, projects=True, seed=1), tokenizer_2=words,
        text_encoder_3=None, tokenizer_3=None,
    )  # fmt: skip


def flux(folder: Path, distilled: bool = False) -> FluxPipeline:
    """A flow in latents (4, 8, 8) that the network sees in patches of two by two."""
    words = tokenizer(folder)
    transformer = seeded(lambda: FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=16,
        axes_dims_rope=(4, 4, 8), guidance_embeds=distilled,
    ))  # fmt: skip
    return FluxPipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder(4, shift_factor=0.1), text_encoder=text_encoder(16), tokenizer=words,
        text_encoder_2=t5(16), tokenizer_2=words,
    )  # fmt: skip


def pixart(folder: Path, sized: bool = False) -> PixArtSigmaPipeline | PixArtAlphaPipeline:
    """A transformer that predicts noise, and its variance too; padding of a prompt is masked.

    sized: it is told the size of the picture too, as of 128 latents it is.
    """
    transformer = seeded(lambda: PixArtTransformer2DModel(
        sample_size=128 if sized else 8, num_layers=1, patch_size=2, attention_head_dim=8,
        num_attention_heads=3, caption_channels=16, in_channels=4, cross_attention_dim=24,
        out_channels=8, attention_bias=True, activation_fn="gelu-approximate",
        num_embeds_ada_norm=1000, norm_type="ada_norm_single", norm_elementwise_affine=False,
        norm_eps=1e-6,
    ))  # fmt: skip
    kind = PixArtAlphaPipeline if sized else PixArtSigmaPipeline
    return kind(
        transformer=transformer, scheduler=noise_schedule(), vae=autoencoder(4),
        text_encoder=t5(16), tokenizer=tokenizer(folder),
    )  # fmt: skip


def deepfloyd(folder: Path) -> IFPipeline:
    """Pictures (3, 8, 8), told a text; noise predicted in pixels, and its variance too."""
    unet = seeded(lambda: UNet2DConditionModel(
        sample_size=8, in_channels=3, out_channels=6, cross_attention_dim=16, encoder_hid_dim=16,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        encoder_hid_dim_type="text_proj", addition_embed_type="text", attention_head_dim=4,
        addition_embed_type_num_heads=2, resnet_time_scale_shift="scale_shift", **BLOCKS,
    ))  # fmt: skip
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", variance_type="learned_range")
    return IFPipeline(
        tokenizer=tokenizer(folder), text_encoder=t5(16), unet=unet, scheduler=scheduler,
        safety_checker=None, feature_extractor=None, watermarker=None,
        requires_safety_checker=False,
    )  # fmt: skip
