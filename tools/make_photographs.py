"""Makes the photographs that come with the library, from those in scikit-image's package.

    python tools/make_photographs.py [--wheel FILE] [--file FILE]

Without `--wheel` pip fetches the package. Each picture's checksum is checked. The 288 pixels in its
middle, in grey (Rec. 709), are averaged two by two; all go one below the other into one PNG.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from projcomp.photographs.pictures import NAMES, PIXELS, SHEET

PACKAGE = "scikit-image==0.26.0"
SOURCES = {
    "brick": "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
    "grass": "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
    "gravel": "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
    "camera": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    "chelsea": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
}
"""Names in the package, in the order of NAMES, and SHA-256 of the files."""
GREY = (0.2126, 0.7152, 0.0722)


def fetched(folder: str) -> Path:
    """The package's wheel, fetched into a folder."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
    if subprocess.run([*command, PACKAGE], check=False).returncode:
        sys.exit(f"make_photographs: pip can't fetch {PACKAGE}; --wheel names a file that is here")
    return next(Path(folder).glob("*.whl"))


def small(data: bytes) -> np.ndarray:
    """(144, 144) uint8, of the bytes of a picture."""
    picture = np.asarray(Image.open(io.BytesIO(data)), dtype=np.float64)
    if picture.ndim == 3:
        picture = picture[..., :3] @ np.array(GREY)
    top, left = ((side - 2 * PIXELS) // 2 for side in picture.shape)
    middle = picture[top : top + 2 * PIXELS, left : left + 2 * PIXELS]
    means = middle.reshape(PIXELS, 2, PIXELS, 2).mean((1, 3))
    return np.floor(means + 0.5).astype(np.uint8)


def photographs(wheel: Path) -> list[np.ndarray]:
    """All of them, out of a wheel. Ends the program where a file is missing or another."""
    found = []
    try:
        with zipfile.ZipFile(wheel) as package:
            for name, checksum in SOURCES.items():
                data = package.read(f"skimage/data/{name}.png")
                if hashlib.sha256(data).hexdigest() != checksum:
                    sys.exit(f"make_photographs: {name}.png in {wheel} is not that of {PACKAGE}")
                found.append(small(data))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        sys.exit(f"make_photographs: {wheel} is not the package {PACKAGE} ({error})")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheel", type=Path, help=f"of {PACKAGE}")
    parser.add_argument("--file", type=Path, default=SHEET)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = photographs(options.wheel or fetched(folder))
    options.file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(found)).save(options.file, optimize=True)
    print(f"{', '.join(NAMES)}: {options.file.stat().st_size:,} bytes in {options.file}")


if __name__ == "__main__":
    main()
