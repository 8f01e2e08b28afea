"""Networks and checkpoints in files: safetensors, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from projcomp import _check

CLOSE = 1e-6
"""Relative difference of two floats of a description that are taken for the same."""
LOST = 0.01
"""Relative error, in norm, from which a tensor does not fit in a dtype."""


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
    path, about = writable(path), plain("about", about)
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
        with safe_open(path, framework="pt", device="cpu") as file:
            about = json.loads((file.metadata() or {})["about"])
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"path: {path} is damaged, or not a file of weights ({error})") from None
    except OSError as error:
        raise ValueError(f"path: {path} can't be read ({error})") from None


def must_agree(path, what: str, found, wanted) -> None:
    """Raises ValueError, naming the first difference, unless two descriptions are the same.

    Floats may differ by `CLOSE` of their size: they are measured, and sums depend on threads.
    """
    if not isinstance(found, dict):
        raise ValueError(f"path: {path} is damaged, or not a file of weights (no {what})")
    difference = _difference(what, found, plain(what, wanted))
    if difference is not None:
        name, was, asked = difference
        raise ValueError(f"path: {path} is of another {what}: {name} is {was}, wanted {asked}")


def _difference(name: str, found, wanted) -> tuple | None:
    """The innermost first name, and what stands there and there, where the two differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        names = sorted(found.keys() | wanted.keys())
        parts = ((k, found.get(k), wanted.get(k)) for k in names)
        return next(filter(None, (_difference(*part) for part in parts)), None)
    return None if _agree(found, wanted) else (name, found, wanted)


def _agree(found, wanted) -> bool:
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_agree, found, wanted))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return _difference("", found, wanted) is None
    kinds = {type(found), type(wanted)}
    if float in kinds and kinds <= {int, float}:
        both_nan = found != found and wanted != wanted
        return both_nan or math.isclose(found, wanted, rel_tol=CLOSE)
    return kinds == {type(found)} and found == wanted


def plain(name: str, value):
    """`value` as JSON has it: None, strings, numbers, lists and dicts of them.

    NumPy's and torch's numbers and arrays become Python's. Raises ValueError for anything else.
    """
    if isinstance(value, dict):
        if not all(isinstance(key, str | int) for key in value):
            raise ValueError(f"{name} must have strings as keys, got {list(value)}")
        return {str(key): plain(f"{name}[{key!r}]", part) for key, part in value.items()}
    if isinstance(value, np.ndarray | Tensor):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(f"{name}[{index}]", part) for index, part in enumerate(value)]
    for kind, wider in ((bool, np.bool_), (int, np.integer), (float, np.floating), (str, str)):
        if isinstance(value, kind | wider):
            return kind(value)
    if value is None:
        return None
    raise ValueError(
        f"{name} must be a number, a string, None, or a list or dict of these, got {value!r}"
    )


def unwrapped(module: nn.Module) -> nn.Module:
    """The module that torch.compile has wrapped; any other as it is."""
    return getattr(module, "_orig_mod", module)


def plain_name(name: str) -> str:
    """The name of a tensor, the same whether or not torch.compile has wrapped a part."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers by their plain names. Raises ValueError for what can't be stored."""
    tensors = {plain_name(name): value for name, value in model.state_dict().items()}
    for name, value in tensors.items():
        if not isinstance(value, Tensor) or value.is_meta:
            raise ValueError(f"model: {name} must be a tensor that holds values, got {value!r}")
    return tensors


def restore(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put tensors, named as by `tensors_of`, into a model."""
    model.load_state_dict({name: tensors[plain_name(name)] for name in model.state_dict()})


def fitting(
    path, found: dict[str, Tensor], wanted: dict[str, Tensor], exact: bool = False
) -> dict[str, Tensor]:
    """`found`, each in the dtype of the tensor in `wanted` of that name.

    Raises ValueError, naming the first, unless names and shapes are the same and the values fit;
    or, where they are to be exact, the dtypes are the same.
    """
    found = {plain_name(name): value for name, value in found.items()}
    for name in sorted(found.keys() ^ wanted.keys()):
        gap = "has no" if name in wanted else "is of another model, with"
        raise ValueError(f"path: {path} {gap} {name}")
    for name, value in found.items():
        kinds = [(tuple(t.shape), t.dtype if exact else None) for t in (value, wanted[name])]
        if kinds[0] != kinds[1]:
            was, asked = (" ".join(map(str, filter(None, kind))) for kind in kinds)
            raise ValueError(f"path: {path} is of another model: {name} is {was}, wanted {asked}")
    return {
        name: converted(f"path: {name} of {path}", value, wanted[name].dtype)
        for name, value in found.items()
    }


def converted(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    """`value` in `dtype`; NaN and infinities stay.

    Raises ValueError where a finite entry would become infinite, where the whole would be off by
    more than `LOST` in norm, as by underflow, and where what is no float would change at all.
    """
    if value.dtype == dtype:
        return value
    if value.is_complex() and not dtype.is_complex:
        raise ValueError(f"{name} is complex, which {dtype} can't hold")
    answer = value.to(dtype)
    if value.is_floating_point() and torch.promote_types(value.dtype, dtype) == dtype:
        return answer
    if not (dtype.is_floating_point or dtype.is_complex):
        changed = answer.to(value.dtype) != value
        if changed.any():
            raise ValueError(f"{name} holds {value[changed][0].item():g}, which {dtype} can't")
        return answer
    wide = torch.complex128 if dtype.is_complex else torch.float64
    exact, rounded = value.to(wide), answer.to(wide)
    finite = exact.isfinite()
    lost = finite & ~rounded.isfinite()
    if lost.any():
        raise ValueError(f"{name} holds {exact[lost][0].item():g}, too large for {dtype}")
    exact, rounded = exact[finite], rounded[finite]
    size = float(exact.abs().max()) if len(exact) else 0.0
    if size and float(((rounded - exact) / size).norm()) > LOST * float((exact / size).norm()):
        raise ValueError(f"{name} holds values up to {size:g}, too small for {dtype}")
    return answer


def shapes_of(model: nn.Module) -> dict[str, list[int]]:
    return {plain_name(name): list(value.shape) for name, value in model.state_dict().items()}


def architecture_of(model: nn.Module) -> dict:
    """The description that a network gives of itself, or else the shapes of its weights."""
    if hasattr(model, "architecture"):
        return model.architecture()
    return {"network": type(unwrapped(model)).__name__, "shapes": shapes_of(model)}


def save_network(model: nn.Module, path, precision: str = "float16") -> None:
    """Write a network's weights to a file, in "float16" (half the size) or "float32".

    Buffers of integers and bools are kept as they are. A compiled network gives the same file.

    Raises ValueError where the file can't be written, and where a tensor does not fit in
    `precision`: a finite value would become infinite, or the whole would be off by more than 1%.
    """
    _check.choice("precision", precision, ("float16", "float32"))
    dtype = getattr(torch, precision)
    weights = {
        name: converted(f"precision: {name}", value, dtype) if value.is_floating_point() else value
        for name, value in tensors_of(model).items()
    }
    write(path, weights, {"architecture": architecture_of(model)})


def load_network(model: nn.Module, path) -> nn.Module:
    """Read a network's weights from a file into `model`, and return it.

    Every tensor takes the dtype that it has in `model`.

    Raises ValueError where there is no such file, where it is damaged, or where it holds a network
    of another architecture or values that do not fit; `model` is then as it was.
    """
    weights, about = read(path)
    must_agree(path, "architecture", about.get("architecture"), architecture_of(model))
    restore(model, fitting(path, weights, tensors_of(model)))
    return model
