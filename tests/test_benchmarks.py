import importlib
import importlib.util
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_the_benchmark_of_steps_runs():
    done = run("--quick", name="steps.py")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("logarithmic")]
    errors = {line.split()[1]: float(line.split()[-1]) for line in rows}
    assert errors["unipc3"] < errors["3m"] < errors["2m"] < errors["euler"]
    assert errors["sde2m"] < errors["sde"]


def test_the_benchmark_of_a_bank_runs():
    done = run("--quick", "--repeats", "1", "--threads", "1", name="bank.py")
    assert done.returncode == 0, done.stderr
    for words in ("content x style", "category x style", "two weightings"):
        rows = [line for line in done.stdout.splitlines() if line.startswith(f"  {words}, ")]
        assert len(rows) == 3
        assert all(float(number) > 0 for row in rows for number in row.split()[-6:])


def test_the_table_of_peers_is_printed():
    done = run("--quick", "--repeats", "1", name="peers.py")
    assert done.returncode == 0, done.stderr
    assert re.match(r"\d{4}-\d\d-\d\d, one thread, torch ", done.stdout)
    for words in ("ODE", "SDE", "empirical score", "composed score", "SMC loop", "normalisable"):
        row = next(line for line in done.stdout.splitlines() if words in line)
        # A peer's number and its name, or what is missing.
        assert (
            importlib.util.find_spec("jax")
            or "not installed" in row
            or "torch" in row
            or "diffusers" in row
            or (words == "normalisable")
        )


def test_the_benchmark_of_blocks_runs():
    done = run("--quick", name="blocks.py")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line[:1].isdigit()]
    assert [row[:2] for row in rows] == [["300", "10"], ["1,500", "10"]]
    assert all(float(row[-1]) < 1e-9 for row in rows)


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


def test_the_calibration_benchmark_runs():
    done = run("--seeds", "2", "--only", "mean", name="calibration.py")
    assert done.returncode == 0, done.stderr
    for words in ("2 seeds", "mean_interval, 8 values", "mean_and_error", "Wilson interval"):
        assert words in done.stdout
    assert "compare" not in done.stdout


@pytest.mark.parametrize("options", [("--seeds", "0"), ("--only", "nothing")])
def test_the_calibration_benchmark_refuses_nonsense(options):
    done = run(*options, name="calibration.py")
    assert done.returncode == 2
    assert "--seeds must be at least 1, and --only must be in the name of a row" in done.stderr


def test_intervals_cover_as_often_as_they_say(monkeypatch):
    """Within 4.5 standard errors of 400 seeds of what is exact for each.

    The t interval of normal values covers with probability 0.95; Wilson's of 100 tosses with the
    sum of the binomial probabilities of the counts at which it does.
    """
    monkeypatch.syspath_prepend(FOLDER)
    calibration = importlib.import_module("calibration")
    n, p = calibration.TRIALS, calibration.CHANCE
    covering = (k for k in range(n + 1) if abs(k / n - p) <= 1.96 * math.sqrt(p * (1 - p) / n))
    wilson = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in covering)
    rows = dict(calibration.ROWS)
    for name, wanted in (("mean_interval, 8 values", 0.95), ("proportion, 100 trials", wilson)):
        share, _, _ = calibration.coverage(rows[name], 400)
        assert abs(share - wanted) < 4.5 * math.sqrt(wanted * (1 - wanted) / 400)
    # A row is any function of a seed.
    assert calibration.coverage(lambda seed: seed % 4 > 0, 40)[0] == 0.75


def test_comparisons_cover(monkeypatch):
    """Skewed distances, corrected for that: over 100 seeds, within 4.5 standard errors of 94%."""
    monkeypatch.syspath_prepend(FOLDER)
    calibration = importlib.import_module("calibration")
    monkeypatch.setattr(calibration, "TRUTH_PAIRS", 1000)
    share, _, _ = calibration.coverage(dict(calibration.ROWS)["compare, energy_distance"], 100)
    assert share > 0.94 - 4.5 * math.sqrt(0.94 * 0.06 / 100)


def test_diagnoses_have_a_truth(monkeypatch):
    """Each of their numbers covers the average of the very diagnosis that it is of."""
    monkeypatch.syspath_prepend(FOLDER)
    calibration = importlib.import_module("calibration")
    monkeypatch.setattr(calibration, "TRUTH_DIAGNOSES", 2)
    monkeypatch.setattr(calibration, "TRUTH_SAMPLES", 200)
    tables = [calibration.numbers_of(calibration.diagnosis(200, 1_000_000 + i)) for i in range(2)]
    for name in calibration.DIAGNOSED[:-1]:
        one, two = (float(table[name].value) for table in tables)
        assert calibration.truth(name) == pytest.approx((one + two) / 2, rel=1e-12)
    # Of the means (.75, .06) and (.3, -.12), over a background at 0.
    wanted = (0.75 * 0.3 - 0.06 * 0.12) / math.hypot(0.75, 0.06) / math.hypot(0.3, 0.12)
    assert calibration.truth("cosines, mean_cosines") == pytest.approx(wanted, rel=1e-12)
    for name in calibration.DIAGNOSED:
        lower, upper = calibration.small(3)[name].interval()
        for value in (lower - 1, lower, upper, upper + 1):
            monkeypatch.setattr(calibration, "truth", {name: value}.__getitem__)
            assert calibration.diagnosis_covers(name, 3) == (lower <= value <= upper)
