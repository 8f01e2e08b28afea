"""The state of a run of `fit`, in memory and in a file."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from projcomp.networks.store import (
    architecture_of,
    fitting,
    must_agree,
    plain,
    plain_name,
    read,
    restore,
    tensors_of,
    write,
)

_BETAS = (0.9, 0.99)
_MOMENTS = {"first": "exp_avg", "second": "exp_avg_sq"}
_KINDS = ("weights", "average", *_MOMENTS, "step")


class State:
    """All that a run needs in order to go on.

    average: of weights and buffers, by their plain names; the latest value of what is no float.
    losses: one for each step taken.

    Raises ValueError for a description that JSON does not know, naming the part.
    """

    def __init__(self, model: nn.Module, generator: torch.Generator, about: dict):
        self.model, self.generator, self.about = model, generator, plain("about", about)
        self.architecture = plain("architecture", architecture_of(model))
        self.average = {k: v.detach().clone() for k, v in tensors_of(model).items()}
        self.parameters = {plain_name(k): p for k, p in model.named_parameters()}
        self.optimiser = torch.optim.Adam(self.parameters.values(), betas=_BETAS)
        for parameter in self.parameters.values():
            if parameter.requires_grad:
                self._moments(parameter, *(torch.zeros_like(parameter) for _ in _MOMENTS), 0.0)
        self.losses: list[float] = []

    def _moments(self, parameter: Tensor, first: Tensor, second: Tensor, step: float) -> None:
        """What Adam knows of a parameter. It would make it itself, on torch's default device."""
        self.optimiser.state[parameter] = {
            "step": torch.tensor(step, dtype=torch.float32, device="cpu"),
            "exp_avg": first.detach().to(parameter.device),
            "exp_avg_sq": second.detach().to(parameter.device),
        }

    def took(self, loss: float, decay: float) -> None:
        """A step was taken: the average follows."""
        for name, value in tensors_of(self.model).items():
            average, weight = self.average[name], 1.0 - decay
            if not (value.is_floating_point() or value.is_complex()):
                average.copy_(value)
            elif name in self.parameters and self.parameters[name].requires_grad:
                average.lerp_(value, weight)
            else:  # which may hold infinities: the difference of two is no number
                average.copy_(torch.where(average == value, value, average.lerp(value, weight)))
        self.losses.append(loss)

    def follow(self) -> None:
        """The model has moved to another device."""
        for name, value in tensors_of(self.model).items():
            self.average[name] = self.average[name].to(value.device)
        for parameter, moments in self.optimiser.state.items():
            for kind in _MOMENTS.values():
                moments[kind] = moments[kind].to(parameter.device)

    def save(self, path) -> None:
        known = {k: self.optimiser.state[p] for k, p in self.parameters.items()
                 if p in self.optimiser.state}  # fmt: skip
        parts = {"weights": tensors_of(self.model), "average": self.average}
        for kind, name in {**_MOMENTS, "step": "step"}.items():
            parts[kind] = {k: moments[name] for k, moments in known.items()}
        tensors = {f"{kind}.{name}": parts[kind][name] for kind in _KINDS for name in parts[kind]}
        tensors["losses"] = torch.tensor(self.losses, dtype=torch.float64, device="cpu")
        tensors["generator"] = self.generator.get_state()
        write(path, tensors, {"architecture": self.architecture, "run": self.about})

    def load(self, path) -> None:
        """Go on from a file made by `save`.

        Raises ValueError where it is damaged or of another run; everything is then as it was.
        """
        tensors, about = read(path)
        must_agree(path, "architecture", about.get("architecture"), self.architecture)
        must_agree(path, "run", about.get("run"), self.about)
        for name, wanted in (("losses", None), ("generator", self.generator.get_state())):
            found = tensors.get(name)
            if found is None or (wanted is not None and found.shape != wanted.shape):
                raise ValueError(f"path: {path} is damaged, or of another kind of run ({name})")
        parts = {
            kind: {
                plain_name(name.removeprefix(f"{kind}.")): value
                for name, value in tensors.items()
                if name.startswith(f"{kind}.")
            }
            for kind in _KINDS
        }
        own = tensors_of(self.model)
        weights, average = (
            fitting(path, parts[k], own, exact=True) for k in ("weights", "average")
        )
        known = {k: p for k, p in self.parameters.items() if k in parts["first"]}
        first, second = (fitting(path, parts[k], known, exact=True) for k in _MOMENTS)
        losses = tensors["losses"].tolist()
        steps = {name: float(parts["step"].get(name, len(losses))) for name in known}

        restore(self.model, weights)
        for name, value in average.items():
            self.average[name].copy_(value)
        for name, parameter in known.items():
            self._moments(parameter, first[name], second[name], steps[name])
        self.losses = losses
        self.generator.set_state(tensors["generator"])
