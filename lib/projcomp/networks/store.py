"""Networks and checkpoints in files: safetensors, written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from projcomp import _check


def writable(path) -> Path:
    """`path` as a Path. Raises ValueError where no file can be written there."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"path must name a file, got the folder {path}")
    if not path.parent.is_dir():
        raise ValueError(f"path: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"path: the folder {path.parent} can't be written to")
    return path


def write(path, tensors: dict[str, Tensor], about: dict) -> None:
    """Write tensors and a description (JSON) to `path`: the whole file, or the old one stays."""
    path = writable(path)
    flat = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(unfinished, "wb") as file:
            file.write(save(flat, {"about": json.dumps(about)}))
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        raise ValueError(f"path: {path} can't be written ({error.strerror})") from None
    finally:
        unfinished.unlink(missing_ok=True)


def read(path) -> tuple[dict[str, Tensor], dict]:
    """Tensors and description of a file made by `write`. Raises ValueError where it is none."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"path: there is no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["about"])
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"path: {path} is damaged, or not a file of weights ({error})") from None
    except OSError as error:
        raise ValueError(f"path: {path} can't be read ({error})") from None


def must_agree(path, what: str, found, wanted) -> None:
    """Raises ValueError, naming the first difference, unless two descriptions are the same."""
    wanted = json.loads(json.dumps(wanted))
    if not isinstance(found, dict):
        raise ValueError(f"path: {path} is damaged, or not a file of weights (no {what})")
    for name in sorted(wanted.keys() | found.keys()):
        if found.get(name) != wanted.get(name):
            was, asked = found.get(name), wanted.get(name)
            if isinstance(was, dict) and isinstance(asked, dict):
                name = next(
                    k for k in sorted(was.keys() | asked.keys()) if was.get(k) != asked.get(k)
                )
                was, asked = was.get(name), asked.get(name)
            raise ValueError(f"path: {path} is of another {what}: {name} is {was}, wanted {asked}")


def architecture_of(model: nn.Module) -> dict:
    """The description that a network gives of itself, or else the shapes of its weights."""
    if hasattr(model, "architecture"):
        return model.architecture()
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    return {"network": type(model).__name__, "shapes": shapes}


def save_network(model: nn.Module, path, precision: str = "float16") -> None:
    """Write a network's weights to a file, in "float16" (half the size) or "float32".

    Raises ValueError where the file can't be written.
    """
    _check.choice("precision", precision, ("float16", "float32"))
    dtype = getattr(torch, precision)
    weights = {name: value.to(dtype) for name, value in model.state_dict().items()}
    write(path, weights, {"architecture": architecture_of(model)})


def load_network(model: nn.Module, path) -> nn.Module:
    """Read a network's weights from a file into `model`, and return it.

    Raises ValueError where there is no such file, where it is damaged, or where it holds a network
    of another architecture; `model` is then as it was.
    """
    weights, about = read(path)
    must_agree(path, "architecture", about.get("architecture"), architecture_of(model))
    model.load_state_dict({name: value.to(torch.float32) for name, value in weights.items()})
    return model
