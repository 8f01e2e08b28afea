"""Makes the book's fonts: two faces, cut down to the letters and signs that the book may use.

    npm pack source-sans@3.52.0 source-code-pro@2.42.0
    pip install fonttools==4.68.0 brotli==1.2.1
    python tools/subset_fonts.py FOLDER

FOLDER holds the two packages that npm has fetched. What is written stands in lib/projcomp/assets:
one file a face and slant, whose weight is a matter of choice, and their licence.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tarfile
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import OverlapMode, instantiateVariableFont

ASSETS = Path(__file__).parents[1] / "lib" / "projcomp" / "assets"
SANS, CODE = "source-sans-3.52.0.tgz", "source-code-pro-2.42.0.tgz"
SHA256 = {
    SANS: "49cf78ddd79b436591ee696785222b54ff28102922e3d3df297fe382d7fdfa88",
    CODE: "51f898e0712c5f1b3f583b63c9ab7d51daaa9bae1d4c8dc63dc2a4b6a72d7ae4",
}
FACES = {
    "text": (SANS, "package/VF/SourceSans3VF-Upright.ttf"),
    "text-italic": (SANS, "package/VF/SourceSans3VF-Italic.ttf"),
    "code": (CODE, "package/VF/SourceCodeVF-Upright.ttf"),
}
LICENCE = (SANS, "package/LICENSE.md")
WEIGHTS = (400, 700)
LATIN = [*range(0x20, 0x7F), *range(0xA0, 0x180)]
GREEK = [*range(0x391, 0x3A2), *range(0x3A3, 0x3CA), 0x3D1, 0x3D5]
SIGNS = [ord(c) for c in "‐‑–—‘’“”•…′″‹›⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉←↑→↓↔∂∆∏∑−√∞∩∫≈≠≤≥✓"]
NAMES = {1, 3, 4, 6}
KEPT_NAMES = [0, 1, 2, 3, 4, 5, 6, 13, 14]
FEATURES = ["ccmp", "kern", "locl", "mark", "mkmk", "tnum"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for package, wanted in SHA256.items():
        found = hashlib.sha256((folder / package).read_bytes()).hexdigest()
        if found != wanted:
            print(f"{package} has the SHA-256 {found}, not {wanted}", file=sys.stderr)
            return 1
    for name, (package, member) in FACES.items():
        data = subset(TTFont(io.BytesIO(read(folder / package, member))), f"Book {name}")
        (ASSETS / f"{name}.woff2").write_bytes(data)
        print(f"{name}: {len(data) / 1000:.1f} kB")
    (ASSETS / "fonts-licence.txt").write_bytes(read(folder / LICENCE[0], LICENCE[1]))
    return 0


def read(package: Path, member: str) -> bytes:
    with tarfile.open(package) as archive:
        return archive.extractfile(member).read()


def subset(font: TTFont, name: str) -> bytes:
    """A font of another name, as its licence asks of what is changed."""
    options = Options(name_IDs=KEPT_NAMES, layout_features=FEATURES, hinting=False)
    cut = Subsetter(options)
    cut.populate(unicodes=[*LATIN, *GREEK, *SIGNS])
    cut.subset(font)
    instantiateVariableFont(
        font, {"wght": WEIGHTS}, inplace=True, overlap=OverlapMode.KEEP_AND_DONT_SET_FLAGS
    )
    for record in font["name"].names:
        if record.nameID in NAMES:
            record.string = name.replace(" ", "-") if record.nameID == 6 else name
    font.flavor = "woff2"
    file = io.BytesIO()
    font.save(file)
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
