"""Models of diffusers as densities: one for each prompt, all of one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from projcomp import _check
from projcomp.adapters import _told
from projcomp.adapters.model import Adapted, Model
from projcomp.adapters.times import Flow, Steps
from projcomp.composition import Composition, compose

PREDICTIONS = {"epsilon": "noise", "v_prediction": "v_prediction", "sample": "denoised"}
"""What diffusers calls a prediction, and what `noise.convert` does."""


def from_diffusers(
    pipeline,
    prompt: str | Sequence[str | None] | None = None,
    negative_prompt: str | None = None,
    *,
    guidance: float | None = None,
    shape: Sequence[int] | None = None,
    chunk: int | None = None,
    grad: bool = False,
    engine=None,
) -> Prompt | Composition | list[Prompt | Composition]:
    """What a model of diffusers has learned of a prompt, as a density of pictures or latents.

    The text is encoded once, here. A list of prompts gives a list of densities, and a composition
    of them calls the network once for them all::

        nothing, cat, dog = pc.adapters.from_diffusers(pipeline, [None, "a cat", "a dog"])
        both = pc.compose(nothing, [cat, dog])
        run = pc.reverse_diffusion(both, 4, pc.sigma_grid(*both.sigma_range, 50))
        pictures = pc.decode(run, both)

    A negative prompt is a background. Classifier-free guidance of scale g goes from the score of
    the negative prompt g times the way to that of the prompt (Ho and Salimans 2022, eq. 6, with g
    = 1 + w): the composition of the prompt over the negative prompt, of weight g. So with
    `guidance` the answer is ``pc.compose(negative, [prompt], [guidance])``, and without it the
    prompt alone. To keep away from a concept over another background, give it a negative weight in
    `pc.compose`.

    The network predicts as the scheduler says: noise, v, the clean point, or a flow. Points are at
    the network's own scale, pictures in [-1, 1] or scaled latents. What a scheduler does to its
    predictions (clipping, thresholding) is left out, as no score comes of it.

    Known are UNet2DModel (DDPM), UNet2DConditionModel (Stable Diffusion 1, 2 and XL, DeepFloyd IF),
    and the transformers of Stable Diffusion 3, Flux and PixArt. A Flux that was distilled to take a
    guidance scale is told 1, no guidance.

    Args:
        pipeline: a DiffusionPipeline with a unet or a transformer; or its components by name in a
            dict, for a network that is told nothing.
        prompt: a text, or a list of them. None is nothing: what the pipeline guides away from
            where it is given no negative prompt, mostly the empty text.
        negative_prompt: the background of `guidance`, as `prompt`.
        guidance: the weight of the prompt over the negative prompt.
        shape: (channels, height, width) of a point; what the network was made for if None.
        chunk, grad, engine: as for `Model`.

    The `sigma_range` is that of the scheduler's training timesteps. Of a flow with T of them it is
    1 / (T - 1) to T - 1, t = 1 / T to 1 - 1 / T: at t = 1 sigma is infinite.

    Raises ImportError without diffusers. Raises ValueError for a pipeline with no network, with one
    that is not known here or is told more than a text, or whose scheduler has no noise levels or
    predicts something else; for prompts that are no text, or come where none is taken; for a
    negative prompt without guidance; and for a shape that does not fit.
    """
    _package()
    several = isinstance(prompt, list | tuple)
    prompts = list(prompt) if several else [prompt]
    if not prompts:
        raise ValueError("prompt must be a text, None, or a list of some of them, got []")
    for name, text in [
        *(("prompt", each) for each in prompts),
        ("negative_prompt", negative_prompt),
    ]:
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{name} must be a text or None, got {text!r}")
    if guidance is not None:
        guidance = _check.number("guidance", guidance)
    elif negative_prompt is not None:
        raise ValueError(
            "guidance must be a number where there is a negative_prompt: the weight of the prompt "
            "over it; got None"
        )
    network = Network(pipeline, shape)
    output, times = _levels(pipeline, network)
    model = Model(network, times, network.shape, output, chunk=chunk, grad=grad, engine=engine)
    texts = prompts if guidance is None else [negative_prompt, *prompts]
    densities = [Prompt(model, text, network.told(text)) for text in texts]
    if guidance is not None:
        background, *concepts = densities
        densities = [compose(background, [concept], [guidance]) for concept in concepts]
    return densities if several else densities[0]


class Prompt(Adapted):
    """What a model of diffusers has learned of one prompt. Made by `from_diffusers`."""

    def __init__(self, model: Model, prompt: str | None, condition):
        super().__init__(model, condition)
        self.prompt = prompt

    def __repr__(self):
        return f"Prompt({self.prompt!r}, shape={self.shape})"


class Network(nn.Module):
    """The network of a pipeline, called as `Model` does: (x, t) or (x, t, condition)."""

    def __init__(self, pipeline, shape=None):
        super().__init__()
        inner = part(pipeline, "unet", "transformer")
        if inner is None:
            name = type(pipeline).__name__
            raise ValueError(f"pipeline must have a unet or a transformer, got {name} with neither")
        self.kind = _told.kind_of(inner)
        self.inner, self.pipeline = inner, pipeline
        self.shape = _told.shape_of(inner, self.kind, pipeline, shape)

    def forward(self, x, t, condition=None):
        return self.kind.call(self.inner, x, t, condition or {})

    def told(self, prompt: str | None) -> dict | None:
        """What the network is told of a prompt. Raises ValueError for a text where it is none."""
        name, whole = type(self.inner).__name__, type(self.pipeline).__name__
        if self.kind.told is None:
            if prompt is not None:
                raise ValueError(f"prompt must be None, as {name} is told no text; got {prompt!r}")
            return None
        if not hasattr(self.pipeline, "encode_prompt"):
            raise ValueError(f"pipeline must encode prompts, as {name} is told a text; got {whole}")
        if part(self.pipeline, *_told.TEXT_ENCODERS) is None:
            raise ValueError(f"pipeline must have a text encoder, got {whole} without one")
        text = _told.encoded(self.pipeline, prompt)
        return self.kind.told(self.pipeline, *text, *self.shape[1:])


def part(pipeline, *names: str):
    """The first of these components that a pipeline, or a dict of them, has; None without one."""
    for name in names:
        named = isinstance(pipeline, Mapping)
        found = pipeline.get(name) if named else getattr(pipeline, name, None)
        if found is not None:
            return found
    return None


def _levels(pipeline, network: Network) -> tuple[str, Steps | Flow]:
    """What is predicted, and how the network is told the noise level."""
    scheduler = part(pipeline, "scheduler")
    if scheduler is None:
        raise ValueError(
            f"pipeline must have a scheduler, got {type(pipeline).__name__} without one"
        )
    config, name = scheduler.config, type(scheduler).__name__
    predicted = config.get("prediction_type", "epsilon")
    if name.startswith("FlowMatch") or predicted == "flow_prediction":
        steps = config["num_train_timesteps"]
        end = network.kind.end or steps
        return "velocity", Flow(end, (1.0 / (steps - 1), steps - 1.0))
    if predicted not in PREDICTIONS:
        known = ", ".join([*PREDICTIONS, "flow_prediction"])
        raise ValueError(
            f"prediction_type of the scheduler must be one of {known}; got {predicted!r}"
        )
    alphas = getattr(scheduler, "alphas_cumprod", None)
    if alphas is None:
        raise ValueError(f"scheduler must have alphas_cumprod or match flows, got {name}")
    return PREDICTIONS[predicted], Steps(alphas[alphas > 0])  # pure noise is no level


def _package() -> None:
    try:
        import diffusers  # noqa: F401
    except ImportError:
        raise ImportError(
            "from_diffusers needs diffusers and transformers: pip install 'projcomp[diffusers]'"
        ) from None
