import ast
import subprocess
import sys
from pathlib import Path

import projcomp as pc
import pytest

NAMES = [name for name in pc.__all__ if name not in ("plots",)]


def python(code: str) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_it_is_cheap():
    """Names are loaded on first use: no torch before one is asked for."""
    heavy = "{'torch', 'ot', 'numpy', 'matplotlib', 'ipywidgets', 'scipy'}"
    assert python(f"import sys, projcomp; print({heavy} & set(sys.modules))") == "set()"
    loaded = python("import sys, projcomp as pc; pc.GaussianMixture; print('ot' in sys.modules)")
    assert loaded == "False"


@pytest.mark.parametrize("name", NAMES)
def test_every_promised_name_is_there(name):
    assert getattr(pc, name) is not None
    assert name in dir(pc)


def test_unknown_names():
    with pytest.raises(AttributeError, match="module 'projcomp' has no attribute 'nonsense'"):
        _ = pc.nonsense


def test_adapters_know_densities_and_nobody_below_knows_adapters():
    library = Path(pc.__file__).parent

    def imported(path):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = []
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                names += [node.module] + [f"{node.module}.{name.name}" for name in node.names]
            elif isinstance(node, ast.Import):
                names += [name.name for name in node.names]
        return {name.split(".")[1] for name in names if name.startswith("projcomp.")}

    above = set().union(*(imported(path) for path in (library / "adapters").rglob("*.py")))
    known = {"adapters", "densities", "composition", "samplers", "noise", "_check", "_modes"}
    assert above <= known
    below = [
        path for path in library.rglob("*.py") if path.parts[-2] not in ("adapters", "widgets")
    ]
    assert [path.name for path in below if "adapters" in imported(path)] == []
