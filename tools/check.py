"""Runs the tests of what changed since the last commit, but for those that need the built book.

A module is tested by the files of `tests/` that stand where it stands and begin with its name; a
test file by itself; a chapter by the tests of the chapters. Stops after a minute.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60
LIBRARY, TESTS = Path("lib/projcomp"), Path("tests")
OTHERS = {
    "chapters": ["tests/test_chapters.py"],
    "benchmarks": ["tests/test_benchmarks.py"],
    "README.md": ["tests/test_readme.py"],
    "pyproject.toml": ["tests/test_package.py"],
}


def changed(root: Path) -> list[Path]:
    """Files that differ from the last commit, or are new, relative to `root`."""
    commands = (["diff", "--name-only", "HEAD"], ["ls-files", "--others", "--exclude-standard"])
    found = set()
    for command in commands:
        done = subprocess.run(
            ["git", "-C", str(root), *command], capture_output=True, text=True, check=True
        )
        found.update(done.stdout.split("\n"))
    return sorted(Path(name) for name in found if name)


def tests_of(path: Path, root: Path) -> list[Path]:
    """The test files, relative to `root`, that stand for a changed file."""
    if path.is_relative_to(TESTS):
        chosen = [root / path] if path.name.startswith("test_") else []
    elif path.is_relative_to(LIBRARY):
        folder = root / TESTS / path.relative_to(LIBRARY).parent
        name = path.stem.strip("_")
        chosen = [*folder.glob(f"test_{name}.py"), *folder.glob(f"test_{name}_*.py")]
        if path.parent != LIBRARY and not chosen:  # a part of what its folder tests
            chosen = list(folder.glob("test_*.py"))
    else:
        chosen = [root / name for name in OTHERS.get(path.parts[0], [])]
    book = root / TESTS / "book"
    return [file.relative_to(root) for file in chosen if file.exists() and book not in file.parents]


def main() -> int:
    files = sorted({test for path in changed(ROOT) for test in tests_of(path, ROOT)})
    if not files:
        print("Nothing changed that has fast tests of its own.")
        return 0
    print("Tests:", *files)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "auto", "--maxprocesses", "4"]
    try:
        return subprocess.run([*command, *files], cwd=ROOT, timeout=SECONDS, check=False).returncode
    except subprocess.TimeoutExpired:
        print(f"\nStopped after {SECONDS} s with no failure: `make test` runs them all.")
        return 0


if __name__ == "__main__":
    sys.exit(main())
