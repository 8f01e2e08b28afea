"""Models of diffusers as densities: their own loops end where our samplers do."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import projcomp as pc
import pytest
import torch
from diffusers import (
    DDIMPipeline,
    DDIMScheduler,
    DDPMScheduler,
    EDMEulerScheduler,
    EulerDiscreteScheduler,
    UNet2DModel,
    UniPCMultistepScheduler,
    VQModel,
)
from projcomp.adapters import from_diffusers

from tests.adapters import pipelines
from tests.helpers import close, normal, seeded

# Theirs: a NumPy warning of the scheduler's, about an array made of a tensor.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SHAPE, SIZE = (4, 8, 12), {"height": 16, "width": 24}
TEXT = "a cat and a dog"
STEPS = 6
PIPELINES = (
    "stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux", "flux, distilled",
    "pixart", "pixart, sized",
)  # fmt: skip
FLOWS = ("stable_diffusion_3", "flux", "flux, distilled")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A pipeline by name, made once."""
    kept, folder = {}, tmp_path_factory.mktemp("words")

    def pipeline(name: str):
        if name not in kept:
            kind, *options = name.split(", ")
            kept[name] = getattr(pipelines, kind)(folder, **dict.fromkeys(options, True))
            kept[name].set_progress_bar_config(disable=True)
            if name not in FLOWS:
                config = kept[name].scheduler.config
                kept[name].scheduler = EulerDiscreteScheduler.from_config(config)
        return kept[name]

    return pipeline


@contextmanager
def counted(module):
    """The numbers of rows that a network is called with, one for each call."""
    calls: list[int] = []
    hook = module.register_forward_hook(
        lambda _, args, given, __: calls.append(
            len(args[0] if args else next(iter(given.values())))
        ),
        with_kwargs=True,
    )
    yield calls
    hook.remove()


def their_run(pipeline, name, guidance, negative):
    """Where the pipeline's own loop ends: latents and pictures, its levels, and our start."""
    noise = torch.randn(2, *SHAPE, generator=seeded(1))
    given, how = noise, {"guidance_scale": guidance, "negative_prompt": negative}
    if name in FLOWS:
        how["sigmas"] = list(np.linspace(0.98, 0.1, STEPS))
    if "flux" in name:
        given = pipeline._pack_latents(noise, *noise.shape)
        how |= {"true_cfg_scale": guidance, "guidance_scale": 1.0}
        how["negative_prompt"] = negative or ""
    if "pixart" in name:
        how |= {"use_resolution_binning": False, "clean_caption": False}
        how["negative_prompt"] = negative or ""
    run = [
        pipeline(
            TEXT, latents=given.clone(), num_images_per_prompt=2, num_inference_steps=STEPS,
            output_type=output, **SIZE, **how,
        ).images for output in ("latent", "pt")
    ]  # fmt: skip
    if "flux" in name:
        run[0] = pipeline._unpack_latents(run[0], 16, 24, pipeline.vae_scale_factor)
    levels = pipeline.scheduler.sigmas.double()
    if name in FLOWS:
        return *run, levels / (1 - levels), noise.double() / (1 - levels[0])
    return *run, levels, noise.double() * float(pipeline.scheduler.init_noise_sigma)


def apart(one, other) -> float:
    """The distance, relative to the size of the second."""
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize(
    ("guidance", "negative"), [(1.0, None), (4.0, None), (4.0, "no dog")],
    ids=["unguided", "guided", "away from a negative prompt"],
)  # fmt: skip
@pytest.mark.parametrize("name", PIPELINES)
def test_the_pipelines_own_loop(made, name, guidance, negative):
    """In float32 they are 3e-7 apart, relative to the size of the latents."""
    pipeline = made(name)
    latents, pictures, sigmas, start = their_run(pipeline, name, guidance, negative)
    density = from_diffusers(
        pipeline, TEXT, negative, guidance=None if guidance == 1 else guidance, shape=SHAPE
    )
    run = pc.reverse_diffusion(density, 2, sigmas, "euler", start=start)
    assert apart(run.samples, latents) < 2e-6
    ours = pc.decode(run, density)
    assert ours.dtype == torch.float64 and ours.shape == (2, 3, 16, 24)
    close(ours, pictures.double(), 0, 2e-5)


def test_pixels_told_nothing():
    """DDIM is Euler's method. No clipping, as that is no score's; the last step ends in 0."""
    ddpm = pipelines.unconditional()
    config = dict(ddpm.scheduler.config) | {"timestep_spacing": "trailing"}
    pipeline = DDIMPipeline(ddpm.unet, DDIMScheduler.from_config(config))
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(2, generator=seeded(1), num_inference_steps=8, output_type="np").images
    steps = pipeline.scheduler.timesteps
    sigmas = (1 / pipeline.scheduler.alphas_cumprod.double() - 1).sqrt()[steps]
    density = from_diffusers(ddpm)
    start = torch.randn(2, 3, 8, 8, generator=seeded(1)).double() * (1 + sigmas[0] ** 2).sqrt()
    run = pc.reverse_diffusion(density, 2, [*sigmas, 0.0], "euler", start=start)
    assert density.shape == (3, 8, 8)
    close(pc.decode(run, density), torch.from_numpy(theirs).double().movedim(-1, 1), 0, 1e-5)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("step", [0, 300, 999])
def test_what_the_scheduler_takes_for_clean(tmp_path, prediction, step):
    pipeline = pipelines.stable_diffusion(tmp_path, prediction)
    density = from_diffusers(pipeline, TEXT)
    text = pipeline.encode_prompt(TEXT, "cpu", 1, False)[0]
    seen = torch.randn(2, 4, 8, 8, generator=seeded(2))
    answer = pipeline.unet(seen, step, encoder_hidden_states=text.expand(2, -1, -1)).sample
    alpha = pipeline.scheduler.alphas_cumprod[step].double()
    pipeline.scheduler.set_timesteps(1000)
    theirs = pipeline.scheduler.step(answer, step, seen).pred_original_sample.double()
    ours = density.denoise(seen.double() / alpha.sqrt(), (1 / alpha - 1).sqrt())
    assert apart(ours, theirs) < 2e-6


def test_pixels_told_a_text(tmp_path):
    pipeline = pipelines.deepfloyd(tmp_path)
    text = pipeline.encode_prompt(TEXT, device="cpu")[0]
    seen = torch.randn(2, 3, 8, 8, generator=seeded(2))
    answer = pipeline.unet(seen, 400, encoder_hidden_states=text.expand(2, -1, -1)).sample
    alpha = pipeline.scheduler.alphas_cumprod[400].double()
    sigma = (1 / alpha - 1).sqrt()
    density = from_diffusers(pipeline, TEXT)
    assert apart(density.score(seen / alpha.sqrt(), sigma), -answer[:, :3] / sigma) < 1e-6


def test_one_call_for_all_prompts(made):
    """And the text is encoded once. The scores are those that they give one by one."""
    pipeline = made("stable_diffusion_xl")
    parts = from_diffusers(pipeline, [None, "a cat", "a dog"])
    both = pc.compose(parts[0], parts[1:])
    sigmas = pc.sigma_grid(*both.sigma_range, 4)
    with counted(pipeline.unet) as calls, counted(pipeline.text_encoder) as texts:
        run = pc.reverse_diffusion(both, 5, sigmas, "euler", generator=seeded(3))
    assert calls == [15] * 4 == [15] * run.evaluations
    assert not texts
    x = normal(seeded(4), 5, 4, 8, 8)
    nothing, cat, dog = (each.score(x, 1.5) for each in parts)
    assert apart(both.score(x, 1.5), cat + dog - nothing) < 1e-6
    assert apart(cat, dog) > 1e-2 < apart(cat, nothing)


def test_nothing_is_what_the_pipeline_says(made):
    """SDXL guides away from zeros, and not from the empty text."""
    nothing, empty = from_diffusers(made("stable_diffusion_xl"), [None, ""])
    x = normal(seeded(5), 1, 4, 8, 8)
    assert apart(nothing.score(x, 2.0), empty.score(x, 2.0)) > 1e-3
    assert float(nothing.condition["encoder_hidden_states"].abs().max()) == 0
    nothing, empty = from_diffusers(made("stable_diffusion"), [None, ""])
    assert torch.equal(nothing.score(x, 2.0), empty.score(x, 2.0))


def test_guidance_is_a_composition(made):
    one, other = from_diffusers(made("stable_diffusion"), ["a cat", "a dog"], "no", guidance=3.0)
    assert one.weights.tolist() == [3.0] and one.concepts[0].prompt == "a cat"
    assert other.concepts[0].prompt == "a dog"
    assert one.background is other.background and one.background.prompt == "no"


def test_a_list_of_one_gives_a_list_of_one(made):
    (only,) = from_diffusers(made("stable_diffusion"), ["a cat"])
    assert only.prompt == "a cat"


def test_no_derivatives_are_kept_of_the_text(tmp_path):
    pipeline = pipelines.stable_diffusion(tmp_path)
    pipeline.text_encoder.requires_grad_(True)
    assert not from_diffusers(pipeline, TEXT).condition["encoder_hidden_states"].requires_grad


def test_levels_and_shapes(made, tmp_path):
    density = from_diffusers(made("stable_diffusion"), "a")
    assert density.shape == (4, 8, 8) and density.dim == 256
    alphas = made("stable_diffusion").scheduler.alphas_cumprod.double()
    close(torch.tensor(density.sigma_range), ((1 - alphas) / alphas).sqrt()[[0, -1]].float(), 1e-6)
    assert from_diffusers(made("stable_diffusion_3"), "a").sigma_range == (1 / 999, 999.0)
    assert from_diffusers(made("flux"), "a").shape == (4, 128, 128)
    assert from_diffusers(small(sample_size=(8, 16))).shape == (3, 8, 16)
    flow = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True)
    density = from_diffusers(small() | {"scheduler": flow})
    assert density.model.output == "velocity" and density.sigma_range == (1 / 999, 999.0)


def test_compiled_networks_are_known():
    parts = small()
    compiled = from_diffusers(parts | {"unet": torch.compile(parts["unet"], backend="eager")})
    assert compiled.model.network.kind == from_diffusers(parts).model.network.kind


def test_pure_noise_is_no_level():
    """Where the last alpha_bar is 0 the range ends at the step before."""
    pipeline = pipelines.unconditional(rescale_betas_zero_snr=True)
    alphas = pipeline.scheduler.alphas_cumprod.double()
    assert alphas[-1] == 0
    close(from_diffusers(pipeline).sigma_range[1], float((1 / alphas[-2] - 1).sqrt()), 1e-6)


def test_components_and_derivatives():
    """A dict of components will do. The score's derivative is the network's."""
    pipeline = pipelines.unconditional()
    density = from_diffusers({"unet": pipeline.unet, "scheduler": pipeline.scheduler})
    x, v = normal(seeded(6), 1, 3, 8, 8), normal(seeded(7), 1, 3, 8, 8)
    assert torch.equal(density.score(x, 2.0), from_diffusers(pipeline).score(x, 2.0))
    slope = torch.autograd.grad((density.score(x.requires_grad_(), 2.0) * v).sum(), x)[0]
    step = 1e-3
    with torch.no_grad():
        rise = density.score(x + step * v, 2.0) - density.score(x - step * v, 2.0)
    close(float((slope * v).sum()), float((rise * v).sum()) / (2 * step), 1e-2)


def test_derivatives_in_parameters():
    parts = small()
    weight = parts["unet"].conv_in.weight
    for grad in (False, True):
        score = from_diffusers(parts, grad=grad).score(normal(seeded(6), 1, 3, 8, 8), 2.0)
        assert score.requires_grad == grad
    score.sum().backward()
    assert float(weight.grad.abs().max()) > 0


@pytest.mark.parametrize("name", ["stable_diffusion_xl", "flux", "pixart"])
def test_half_precision(made, tmp_path, name):
    """A network in bfloat16 gives what it gives in float32, to about its three digits."""
    half = getattr(pipelines, name)(tmp_path).to(torch.bfloat16)
    x = normal(seeded(8), 2, *SHAPE)
    density = from_diffusers(half, TEXT, shape=SHAPE)
    score = density.score(x, 1.0)
    assert score.dtype == torch.float64
    assert 1e-5 < apart(score, from_diffusers(made(name), TEXT, shape=SHAPE).score(x, 1.0)) < 3e-2


# -- decode ---------------------------------------------------------------------------------------


def test_decode_takes_what_there_is(made):
    density = from_diffusers(made("stable_diffusion"), TEXT)
    latents = normal(seeded(9), 2, 3, 4, 8, 8)
    pictures = pc.decode(latents, density)
    assert pictures.shape == (2, 3, 3, 16, 16)
    assert float(pictures.min()) >= 0 and float(pictures.max()) <= 1
    close(pc.decode(latents.flatten(2), density), pictures)
    composed = pc.compose(pc.compose(density, [density]), [density])
    close(pc.decode(latents[1, 2], composed), pictures[1, 2], 1e-5, 1e-5)


def test_decode_with_means_and_spreads(tmp_path):
    """Latents that were standardised channel by channel."""
    pipeline = pipelines.stable_diffusion(tmp_path)
    latents = normal(seeded(10), 2, 4, 8, 8)
    mean, spread = [1.0, 0.5, -1.0, 0.0], [0.5, 2.0, 1.0, 1.5]
    density = from_diffusers(pipeline, TEXT)
    column = (torch.tensor(values).double().view(4, 1, 1) for values in (mean, spread))
    own = latents * (each := list(column))[1] + 0.3 * each[0]
    wanted = pc.decode(own, density)
    pipeline.vae.register_to_config(latents_mean=mean, latents_std=spread)
    close(pc.decode(latents, density), wanted, 1e-5, 1e-5)


def test_decode_by_a_code_book():
    book = pipelines.seeded(lambda: VQModel(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=3, num_vq_embeddings=16, scaling_factor=0.5, **pipelines.BLOCKS,
    ))  # fmt: skip
    latents = normal(seeded(12), 2, 3, 8, 8)
    pictures = pc.decode(latents, from_diffusers(small() | {"vqvae": book}))
    with torch.no_grad():
        wanted = book.decode(latents.float() / 0.5).sample
    close(pictures, (0.5 + 0.5 * wanted.double()).clamp(0, 1), 0, 1e-6)


def test_decode_where_half_precision_overflows(tmp_path):
    """Such a decoder works in float32, and is left as it was."""
    pipeline = pipelines.stable_diffusion(tmp_path)
    density = from_diffusers(pipeline, TEXT)
    latents = normal(seeded(11), 1, 4, 8, 8)
    wanted = pc.decode(latents, density)
    pipeline.vae.to(torch.float16)
    seen = []
    pipeline.vae.decoder.register_forward_pre_hook(lambda _, given: seen.append(given[0].dtype))
    pipeline.vae.register_to_config(force_upcast=True)
    close(pc.decode(latents, density), wanted, 0, 1e-2)
    assert seen == [torch.float32] and pipeline.vae.dtype == torch.float16


def test_decode_refuses():
    density = from_diffusers(pipelines.unconditional())
    with pytest.raises(ValueError, match="density must come from from_diffusers"):
        pc.decode(torch.zeros(2, 2), pc.gaussian([0.0, 0.0], 1.0))
    with pytest.raises(ValueError, match=r"samples must have shape \(..., 192\) or"):
        pc.decode(torch.zeros(2, 3, 4, 4), density)


# -- what a caller gets wrong ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prompt": 3}, "prompt must be a text or None, got 3"),
        ({"prompt": ["a", 3]}, "prompt must be a text or None, got 3"),
        ({"prompt": []}, r"prompt must be a text, None, or a list of some of them, got \[\]"),
        ({"prompt": "a", "negative_prompt": 3, "guidance": 2.0}, "negative_prompt must be a text"),
        ({"prompt": "a", "negative_prompt": "b"}, "guidance must be a number where there is a neg"),
        ({"prompt": "a", "guidance": "much"}, "guidance must be numeric"),
        (
            {"prompt": "a", "shape": (3, 8, 8)},
            r"shape must be \(4, height, width\); got \(3, 8, 8\)",
        ),
        ({"prompt": "a", "shape": (4, 8)}, r"shape must be \(4, height, width\); got \(4, 8\)"),
        ({"prompt": "a", "chunk": 0}, "chunk must be >= 1"),
        ({"prompt": "a", "engine": "x"}, "engine must be an accelerate.Accelerator"),
    ],
)
def test_arguments(made, given, message):
    pipeline = made("stable_diffusion")
    with (
        counted(pipeline.unet) as calls,
        counted(pipeline.text_encoder) as texts,
        pytest.raises(ValueError, match=message),
    ):
        from_diffusers(pipeline, **given)
    assert not calls and not texts


def test_patches_want_even_sizes(made):
    with pytest.raises(ValueError, match="both divisible by 2; got"):
        from_diffusers(made("flux"), "a", shape=(4, 8, 7))


def small(**config):
    """A network's components, of another make."""
    config = {"sample_size": 8} | config
    unet = UNet2DModel(
        down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2,
        **pipelines.BLOCKS, **config,
    )  # fmt: skip
    return {"unet": unet, "scheduler": DDPMScheduler()}


def told(**config):
    """The components of a network that says that it is told more."""
    parts = small()
    parts["unet"].register_to_config(**config)
    return parts


def other_schedule(**config):
    return small() | {"scheduler": pipelines.noise_schedule(DDPMScheduler, **config)}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            lambda: {"scheduler": DDPMScheduler()},
            "pipeline must have a unet or a transformer, got d",
        ),
        (
            lambda: {"unet": torch.nn.Linear(2, 2)},
            "pipeline must have one of UNet2DModel, .*Linear",
        ),
        (lambda: {"unet": small()["unet"]}, "pipeline must have a scheduler"),
        (lambda: small(num_class_embeds=3), "told a text or nothing, not a class too"),
        (lambda: told(time_cond_proj_dim=8), "told a text or nothing, not a guidance scale too"),
        (
            lambda: told(addition_embed_type="image"),
            "nothing, not an embedded image too",
        ),
        (lambda: small(sample_size=None), "shape must be given"),
        (lambda: small(in_channels=4), "told a text or nothing, not a picture too"),
        (
            lambda: small() | {"scheduler": EDMEulerScheduler()},
            "scheduler must have alphas_cumprod",
        ),
        (lambda: other_schedule(prediction="x"), "prediction_type of the scheduler must be .*'x'"),
    ],
)
def test_pipelines(parts, message):
    with pytest.raises(ValueError, match=message):
        from_diffusers(parts())


def test_texts_where_there_can_be_none(tmp_path):
    with pytest.raises(ValueError, match="prompt must be None, as UNet2DModel is told no text"):
        from_diffusers(pipelines.unconditional(), "a cat")
    pipeline = pipelines.stable_diffusion(tmp_path)
    with pytest.raises(ValueError, match=r"pipeline must encode prompts, as UNet2DCond.*got dict"):
        from_diffusers(dict(pipeline.components), "a cat")
    pipeline.text_encoder = None
    with pytest.raises(
        ValueError, match="pipeline must have a text encoder, got StableDiffusionPi"
    ):
        from_diffusers(pipeline, "a cat")


def test_the_package_is_loaded_where_it_is_used():
    code = "import sys, projcomp as pc; pc.adapters.from_noise; print('diffusers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ImportError, match=r"pip install 'projcomp\[diffusers\]'"):
        from_diffusers(None)
