"""Playing spends its time where something is seen, for every preset."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import projcomp as pc
import pytest
from projcomp.widgets import PRESETS, bundle

MEASURE = Path(__file__).with_name("pace.mjs")


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_half_of_the_movement_is_seen_in_about_half_of_the_time(tmp_path):
    states = {name: pc.Explorer.from_preset(name, controls=[]).state() for name in PRESETS}
    file = tmp_path / "states.json"
    file.write_text(json.dumps(states), encoding="utf-8")
    command = ["node", str(MEASURE), bundle.FOLDER.as_uri(), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    for name, (tenth, half, most) in json.loads(done.stdout).items():
        assert tenth < 0.2, name
        assert 0.4 < half < 0.6, name
        assert 0.75 < most < 0.9, name
