"""What a page loads when its reader asks for the network: a runtime, a graph and its weights.

ONNX Runtime Web (MIT, Microsoft) is not part of this package: `tools/install.sh` brings it.
"""

from __future__ import annotations

import gzip
import json
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

RUNTIME = Path(sys.prefix) / "share" / "onnxruntime-web"
"""Where `tools/fetch_runtime.py` puts the runtime."""
PARTS = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""Of the runtime: the smallest build, without a GPU."""
RUNTIME_BYTES = 3.7e6
"""Of these parts together, gzipped."""
FOLDER = "figures"
"""Where a page's scripts of these are, beside its other scripts."""
PACKAGE = Path(__file__).resolve().parents[1]
WORDS = PACKAGE / "networks" / "weights" / "words.safetensors"
JUDGE = PACKAGE / "words" / "weights" / "judge.safetensors"
"""The weights of the network that draws, and of the one that says what it sees."""
WEIGHTS = "weights"


def parts(stored: bytes) -> tuple[bytes, bytes]:
    """The header of a file of safetensors (JSON), and its tensors."""
    end = 8 + int.from_bytes(stored[:8], "little")
    return stored[8:end], stored[end:]


def layout(header: bytes) -> str:
    """A short name of where each tensor is, whatever else the header says."""
    places = {name: at for name, at in json.loads(header).items() if name != "__metadata__"}
    return sha256(json.dumps(places, sort_keys=True).encode()).hexdigest()[:16]


def runtime(folder: Path = RUNTIME) -> dict[str, bytes]:
    """The runtime's files, gzipped. Raises ValueError where they are not installed."""
    missing = [name for name in PARTS if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"ONNX Runtime Web is not installed: no {missing[0]} in {folder}; run tools/install.sh"
        )
    return {name: gzip.compress((folder / name).read_bytes(), 9, mtime=0) for name in PARTS}


def graph_of(weights: Path) -> Path:
    """Where it is said what is computed with a file of weights; made by tools/export_words.py."""
    return weights.with_suffix(".onnx")


def model(words: bytes) -> dict[str, bytes]:
    """The graphs and the weights of both networks, gzipped. words: the drawing one's safetensors.

    Raises ValueError where a graph is of a network with other weights.
    """
    files: dict[str, bytes] = {}
    for part, path, stored in (("draw", WORDS, words), ("judge", JUDGE, JUDGE.read_bytes())):
        header, tensors = parts(stored)
        graph = graph_of(path).read_bytes()
        if layout(header).encode() not in graph:
            raise ValueError(
                f"{graph_of(path).name} is of a network with other weights: run "
                "tools/export_words.py"
            )
        files |= {f"{part}.graph": graph, f"{part}.{WEIGHTS}": tensors}
    return {name: gzip.compress(data, 9, mtime=0) for name, data in files.items()}


def script(name: str, files: dict[str, bytes]) -> str:
    """A classic script that hands gzipped files to a page, also to one that is a file itself."""
    texts = {file: b64encode(data).decode() for file, data in files.items()}
    return f"PROJCOMP_WIDGET.arrived({json.dumps(name)}, {json.dumps(texts)});\n"


def write(folder: Path, weights: Path) -> None:
    """Write the scripts of the runtime and of a model into a folder, but for those that are new.

    Raises ValueError as `runtime` and `model`, and OSError where `weights` can't be read.
    """
    for name, sources, files in (
        ("runtime", [RUNTIME / part for part in PARTS], runtime),
        (
            "model",
            [weights, JUDGE, *map(graph_of, (WORDS, JUDGE))],
            lambda: model(weights.read_bytes()),
        ),
    ):
        path = folder / f"{name}.js"
        made_of = [source.stat().st_mtime for source in sources if source.exists()]
        if not path.exists() or path.stat().st_mtime < max(made_of, default=0):
            path.write_text(script(name, files()), encoding="utf-8")
