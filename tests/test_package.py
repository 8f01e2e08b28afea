import subprocess
import sys

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
