"""Python and JavaScript agree: on the same fixture, in Node and in the browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
from projcomp.widgets import bundle

from tests.widgets.fixture import fixture

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def numbers(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("agreement") / "fixture.json"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the density is not normalisable")
        path.write_text(json.dumps(fixture()), encoding="utf-8")
    return path


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_modules_agree_with_the_library_in_node(numbers):
    env = {**os.environ, "FIXTURE": str(numbers), "MODULES": str(bundle.FOLDER)}
    command = ["node", "--test", "--test-reporter=tap", str(HERE / "node_test.mjs")]
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    failed = [line for line in run.stdout.splitlines() if line.startswith("not ok")]
    assert run.returncode == 0, "\n".join(failed) or run.stdout + run.stderr
    assert run.stdout.count("\nok ") > 50
