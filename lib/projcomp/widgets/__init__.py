"""Live figures: one module for JupyterLab and for the static page."""

from importlib import import_module

_HOME = {
    "Explorer": "explorer",
    "CONTROLS": "explorer",
    "Lattice": "lattice",
    "PRESETS": "presets",
    "Preset": "presets",
    "Prompt": "prompt",
    "READOUTS": "explorer",
    "Sandbox": "sandbox",
    "Square": "square",
    "TextPrompt": "text_prompt",
}

__all__ = [
    "CONTROLS", "PRESETS", "READOUTS", "Explorer", "Lattice", "Preset", "Prompt",
    "Sandbox", "Square", "TextPrompt",
]  # fmt: skip


def __getattr__(name: str):
    # On first use only: the book's build needs the bundle, and not torch.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
