import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


def run(*options: str, name: str = "core.py") -> subprocess.CompletedProcess:
    command = [sys.executable, str(FOLDER / name), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_benchmark_runs():
    done = run("--quick", "--repeats", "1", "--threads", "1")
    assert done.returncode == 0, done.stderr
    for words in ("projcomp", "torch.distributions", "heun", "peak MB"):
        assert words in done.stdout
    assert "jax" in done.stdout  # a row, or a line that says why there is none


def test_the_benchmark_refuses_nonsense():
    done = run("--repeats", "0")
    assert done.returncode == 2
    assert "--threads and --repeats must be at least 1" in done.stderr


def test_the_samplers_benchmark_runs():
    done = run("--quick", "--repeats", "1", name="samplers.py")
    assert done.returncode == 0, done.stderr
    for words in ("MALA", "density weights", "interaction weights", "blackjax"):
        assert words in done.stdout


def test_the_scenes_benchmark_runs():
    done = run("--quick", "--repeats", "1", "--threads", "1", name="scenes.py")
    assert done.returncode == 0, done.stderr
    for words in ("128 pixels", "objects per second", "empty floor", "average", "cluttered",
                  "a plain loop", "pictures by a network"):  # fmt: skip
        assert words in done.stdout


def test_the_scenes_benchmark_refuses_nonsense():
    done = run("--threads", "0", name="scenes.py")
    assert done.returncode == 2
    assert "--threads and --repeats must be at least 1" in done.stderr
