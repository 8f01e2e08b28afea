"""projcomp: exact scores, compositions and samplers for *Composing Diffusion Models*.

One surface, `Density`, is shared by exact mixtures, compositions and networks, and `sigma` is
the only time. Names are loaded on first use, so that ``import projcomp`` is cheap.
"""

from importlib import import_module

_HOME = {
    "Density": "densities",
    "Flat": "densities",
    "GaussianMixture": "densities",
    "gaussian": "densities",
    "Empirical": "densities",
    "Bank": "densities",
    "BlockProduct": "densities",
    "Mixture": "densities",
    "Box": "densities",
    "Ring": "densities",
    "Scored": "densities",
    "Diffeomorphism": "densities",
    "LinearMap": "densities",
    "Pushforward": "densities",
    "pushforward": "densities",
    "Composition": "composition",
    "compose": "composition",
    "simple_product": "composition",
    "bayes": "composition",
    "decode": "adapters",
    "sigma_grid": "noise",
    "convert": "noise",
    "Grid": "grid",
    "reverse_diffusion": "samplers",
    "annealed_mcmc": "samplers",
    "mcmc": "samplers",
    "smc": "samplers",
    "superposition": "samplers",
    "tempering": "samplers",
    "effective_samples": "samplers",
    "r_hat": "samplers",
    "Run": "samplers",
    "ChainRun": "samplers",
    "ParticleRun": "samplers",
    "SuperpositionRun": "samplers",
    "diagnose": "diagnostics",
    "find_blocks": "diagnostics",
    "blocks_of": "diagnostics",
    "Table": "tables",
    "Explorer": "widgets",
    "Sandbox": "widgets",
    "Square": "widgets",
    "Lattice": "widgets",
    "Prompt": "widgets",
    "TextPrompt": "widgets",
}
_MODULES = (
    "adapters", "densities", "composition", "diagnostics", "emoji", "grid", "metrics", "networks",
    "noise", "photographs", "plots", "samplers", "scenes", "tables", "warps", "widgets",
    "words",
)  # fmt: skip

__all__ = [*_HOME, *_MODULES]
__version__ = "0.1.0"


def __getattr__(name: str):
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
