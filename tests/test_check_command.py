"""Which tests stand for what changed."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location("check_command", ROOT / "tools" / "check.py")
check = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("lib/projcomp/composition.py", "tests/test_composition.py"),
        ("lib/projcomp/composition.py", "tests/test_composition_pass.py"),
        ("lib/projcomp/samplers/smc.py", "tests/samplers/test_smc_time.py"),
        ("lib/projcomp/densities/_together.py", "tests/densities/test_powers.py"),
        ("tests/test_noise.py", "tests/test_noise.py"),
        ("chapters/10-the-path.md", "tests/test_chapters.py"),
        ("README.md", "tests/test_readme.py"),
    ],
)
def test_a_file_has_its_tests(path, wanted):
    assert Path(wanted) in check.tests_of(Path(path), ROOT)


@pytest.mark.parametrize("path", ["tests/book/test_pages.py", "tests/helpers.py", "LICENSE"])
def test_what_has_no_fast_tests(path):
    assert check.tests_of(Path(path), ROOT) == []


def test_changes_are_those_since_the_last_commit(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True)

    git("init", "-q")
    for name in ("kept", "edited", "deleted"):
        (tmp_path / name).write_text("1", encoding="utf-8")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert check.changed(tmp_path) == []
    (tmp_path / "edited").write_text("2", encoding="utf-8")
    (tmp_path / "deleted").unlink()
    (tmp_path / "new").write_text("3", encoding="utf-8")
    assert check.changed(tmp_path) == [Path("deleted"), Path("edited"), Path("new")]
