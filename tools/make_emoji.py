"""Makes the pictures of `pc.emoji`: eight designers' drawings of the same things, from npm.

    pip install resvg-py==0.5.0
    python tools/make_emoji.py [--cache FOLDER] [--again]
    python tools/make_emoji.py --pixels 64 --to FOLDER

The first form makes what comes with the library, at 16 and 32 pixels, in two minutes on one core;
the second other sizes, which `pc.emoji.load(pixels=64, folder=FOLDER)` reads. The packages, 24 MB,
are fetched once with npm, and checked. A run that was interrupted goes on where it was: a file is
written whole or not at all, and one that is there is not made again, unless `--again` says so.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import npm_package
import numpy as np
from npm_package import Trouble
from PIL import Image
from projcomp.emoji import SIZES
from projcomp.emoji.files import COLUMNS, DATA, NAMES, sheet_name

CACHE = Path(__file__).parents[1] / "_build" / "emoji"
INK = "#111111"
"""The colour of icons that leave it to the page."""
LICENCES, APACHE = "LICENCES.md", "Apache-2.0.txt"


@dataclass(frozen=True)
class Source:
    """A designer's set. name: of its style. sha256: of the package, as npm has it."""

    name: str
    icons: str
    version: str
    sha256: str

    @property
    def package(self) -> str:
        return f"@iconify-json/{self.icons}"

    @property
    def tarball(self) -> str:
        return npm_package.tarball(self.package, self.version)


SOURCES = (
    Source(
        "painted", "noto", "1.2.9",
        "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
    ),
    Source(
        "older painted", "noto-v1", "1.2.5",
        "2bf62c26c2c2884aa99e90aec942cdaee17a5921f05690694f4978ad4b017c37",
    ),
    Source(
        "three-dimensional", "fluent-emoji", "1.2.7",
        "8044210dbf11e016d4de85f15d01a243423bd832457e7e2491df1b751c0e272b",
    ),
    Source(
        "flat", "fluent-emoji-flat", "1.2.6",
        "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
    ),
    Source(
        "black silhouettes", "fluent-emoji-high-contrast", "1.2.6",
        "0b92d48c90d2200bd499e3cdd09a127ca6a8c8ddefd34c35eb5a1e4994012ae0",
    ),
    Source(
        "bold flat", "twemoji", "1.2.5",
        "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
    ),
    Source(
        "shaded cartoon", "emojione", "1.2.3",
        "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
    ),
    Source(
        "black lines", "emojione-monotone", "1.2.1",
        "40b90004bafb406b59266155ef9b7e1dd67bf2947fc8db8d07388776f4d0d04e",
    ),
)  # fmt: skip
CATEGORIES = "noto"
"""The set whose categories are taken."""


@dataclass(frozen=True)
class Package:
    """What is in a source's package."""

    source: Source
    path: Path

    def read(self, name: str) -> dict:
        with tarfile.open(self.path) as archive:
            return json.load(archive.extractfile(f"package/{name}.json"))

    @cached_property
    def set(self) -> dict:
        return self.read("icons")

    @property
    def shown(self) -> set[str]:
        """The names of its icons, less those that it hides."""
        return {name for name, icon in self.set["icons"].items() if not icon.get("hidden")}

    def svg(self, name: str, pixels: int) -> str:
        icon = self.set["icons"][name]
        sides = {"left": 0, "top": 0, "width": 16, "height": 16}
        box = [icon.get(side, self.set.get(side, usual)) for side, usual in sides.items()]
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{" ".join(map(str, box))}" width="{pixels}" height="{pixels}" '
            f'color="{INK}">{icon["body"]}</svg>'
        )


def fetched(source: Source, cache: Path) -> Package:
    """The package of a source, from the cache or from npm, and checked."""
    path = npm_package.fetched(source.package, source.version, source.sha256, cache)
    return Package(source, path)


def renderer() -> Callable[[str], np.ndarray]:
    """From SVG to (height, width, 4) uint8: red, green, blue, which are 0 where opacity is."""
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise Trouble("resvg-py is not installed: pip install resvg-py==0.5.0") from None

    def render(svg: str) -> np.ndarray:
        data = svg_to_bytes(svg_string=svg, skip_system_fonts=True)
        picture = np.array(Image.open(io.BytesIO(data)).convert("RGBA"))
        picture[picture[..., 3] == 0] = 0
        return picture

    return render


def named(packages: list[Package]) -> dict[str, str]:
    """The icons that are in all packages, in alphabetical order, and the category of each."""
    (chief,) = (package for package in packages if package.source.icons == CATEGORIES)
    categories = {
        name: category.lower().replace("&", "and")
        for category, names in chief.read("metadata")["categories"].items()
        for name in names
    }
    everywhere = set.intersection(*(package.shown for package in packages))
    return {name: categories[name] for name in sorted(everywhere)}


def sheet(package: Package, icons: list[str], pixels: int, render) -> bytes:
    """All pictures of a package on one sheet, losslessly."""
    rows = -(-len(icons) // COLUMNS)
    cells = np.zeros((rows * COLUMNS, pixels, pixels, 4), np.uint8)
    for cell, name in zip(cells, icons, strict=False):
        cell[:] = render(package.svg(name, pixels))
    grid = cells.reshape(rows, COLUMNS, pixels, pixels, 4).swapaxes(1, 2)
    whole = Image.fromarray(grid.reshape(rows * pixels, COLUMNS * pixels, 4))
    file = io.BytesIO()
    whole.save(file, "WEBP", lossless=True, quality=100, method=6, exact=True)
    return file.getvalue()


def write(path: Path, data: bytes) -> None:
    """All of the file, or nothing."""
    part = path.with_suffix(".part")
    part.write_bytes(data)
    os.replace(part, path)
    print(f"{path.name}: {len(data) / 1000:,.1f} kB", flush=True)


def described(package: Package) -> dict[str, str]:
    """What names.json says of a style."""
    source, info = package.source, package.read("info")
    return {
        "name": source.name,
        "icons": source.icons,
        "package": source.package,
        "version": source.version,
        "title": info["name"],
        "author": info["author"]["name"],
        "source": info["author"]["url"],
        "licence": info["license"]["spdx"],
        "licence_text": info["license"]["url"],
    }


def make(sizes: list[int], folder: Path, cache: Path, again: bool) -> None:
    render = renderer()
    packages = [fetched(source, cache) for source in SOURCES]
    icons = named(packages)
    folder.mkdir(parents=True, exist_ok=True)
    for pixels in sizes:
        for package in packages:
            path = folder / sheet_name(package.source.icons, pixels)
            if again or not path.exists():
                write(path, sheet(package, list(icons), pixels, render))
    styles = [described(package) for package in packages]
    contents = {name.replace("-", " "): category for name, category in icons.items()}
    names = {"styles": styles, "contents": contents}
    text = json.dumps(names, indent=1, ensure_ascii=False) + "\n"
    write(folder / NAMES, text.encode())
    for name in (LICENCES, APACHE):
        if not (folder / name).exists():
            write(folder / name, (DATA / name).read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", type=int, nargs="+", default=SIZES, help="16 and 32 if left")
    parser.add_argument("--to", type=Path, default=DATA, help="a folder; the library's if left out")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where the packages are kept")
    parser.add_argument("--again", action="store_true", help="make the files that are there anew")
    options = parser.parse_args()
    if min(options.pixels) < 1:
        parser.error("--pixels must be at least 1")
    if options.to == DATA and set(options.pixels) - set(SIZES):
        parser.error("--to FOLDER must say where other sizes than the library's are to go")
    try:
        make(options.pixels, options.to, options.cache, options.again)
    except (Trouble, OSError) as problem:
        sys.exit(f"make_emoji: {problem}")


if __name__ == "__main__":
    main()
