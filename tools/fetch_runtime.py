"""Puts ONNX Runtime Web where the figure of words looks for it. tools/install.sh does it once.

    python tools/fetch_runtime.py

The package, 33 MB, comes from npm and is checked; three of its files, 14 MB, are kept.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path

from npm_package import Trouble, fetched
from projcomp.widgets.assets import PARTS, RUNTIME

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"


def main() -> None:
    done = RUNTIME / "version"
    if done.is_file() and done.read_text(encoding="utf-8") == VERSION:
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            unpack(fetched(PACKAGE, VERSION, SHA256, Path(folder)), RUNTIME)
    except (Trouble, OSError) as problem:
        sys.exit(f"fetch_runtime: {problem}")
    done.write_text(VERSION, encoding="utf-8")


def unpack(package: Path, folder: Path) -> None:
    """The parts of the runtime that a page needs, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(package) as archive:
        for name in PARTS:
            (folder / name).write_bytes(archive.extractfile(f"package/dist/{name}").read())


if __name__ == "__main__":
    main()
