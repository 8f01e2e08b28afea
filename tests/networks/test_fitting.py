"""Fitting networks of pictures: it learns, goes on where it stopped, and can be spread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from projcomp import networks, scenes

from tests.helpers import seeded

LAW = (-1.0, 1.0)
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "train_scenes.py"


def fresh(**options):
    network = networks.UNet(pixels=16, widths=(8, 8, 16), generator=seeded(1), **options)
    return networks.Preconditioned(network, 768, 0.1, centre=0.58)


def tiny(model, count=24):
    pictures = scenes.one_object(count, 16, seeded(2))
    told = torch.cat([torch.ones(count, 1), pictures.place], 1)
    return networks.Labelled(pictures.values, torch.arange(count), told)


def recipe(steps, **options):
    return networks.Recipe(steps, 16, progress=False, **options)


def train(model, steps, **options):
    given = {"generator": seeded(3), **options}
    generator = given.pop("generator")
    return networks.train(
        model, tiny(model), recipe(steps, **given), log_sigma=LAW, generator=generator
    )


def same(one, two):
    one, two = one.state_dict(), two.state_dict()
    return all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_few_steps_reduce_the_loss(precision):
    run = train(fresh(), 150, precision=precision)
    assert float(run.losses[-20:].mean()) < 0.7 * float(run.losses[:5].mean())
    assert all(value.dtype == torch.float32 for value in run.model.state_dict().values())


def test_a_run_is_a_function_of_its_seeds():
    one, two = train(fresh(), 5), train(fresh(), 5)
    assert torch.equal(one.losses, two.losses)
    assert same(one.model, two.model)
    assert not torch.equal(train(fresh(), 5, generator=seeded(4)).losses, one.losses)


def test_it_goes_on_from_a_checkpoint(tmp_path):
    whole = train(fresh(), 12)
    file = tmp_path / "run.safetensors"

    class Stopping(networks.Labelled):
        left = 8

        def draw(self, n, generator):
            self.__dict__["left"] = self.left - 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().draw(n, generator)

    model, data = fresh(), tiny(fresh())
    stopping = Stopping(data.samples, data.index, data.conditions)
    kept = recipe(12, checkpoint=file, every=3)
    with pytest.raises(KeyboardInterrupt):
        networks.train(model, stopping, kept, log_sigma=LAW, generator=seeded(3))
    again = recipe(12, checkpoint=file)
    resumed = networks.train(fresh(), data, again, log_sigma=LAW, generator=seeded(9))
    assert torch.equal(resumed.losses, whole.losses)
    assert same(resumed.model, whole.model)


def test_a_slow_run_writes_its_checkpoint_by_the_clock(tmp_path):
    file = tmp_path / "run"
    seen = []

    def draw(generator):
        seen.append(file.is_file())
        return (torch.randn(4, 2, generator=generator),)

    def fit(seconds):
        seen.clear()
        file.unlink(missing_ok=True)
        model = torch.nn.Linear(2, 1)
        recipe = networks.Recipe(3, 4, checkpoint=file, seconds=seconds, progress=False)
        networks.fit(model, draw, lambda m, x: m(x).square()[:, 0], recipe)
        return seen[1:]

    assert fit(0.0) == [True, True]
    assert fit(60.0) == [False, False]


def test_another_architecture_is_refused(tmp_path):
    file = tmp_path / "net.safetensors"
    networks.save_network(fresh(), file)
    with pytest.raises(ValueError, match="of another architecture: window is False, wanted True"):
        networks.load_network(fresh(window=True), file)
    other = networks.Preconditioned(fresh().network, 768, 0.1, centre=0.58, target="clean")
    with pytest.raises(ValueError, match="another architecture: target is scaled, wanted clean"):
        networks.load_network(other, file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": torch.zeros(3)}, r"samples must have shape \(N, n\)"),
        ({"conditions": torch.zeros(2, 3)}, "index and conditions must have R >= 1 rows each"),
        ({"index": torch.tensor([0, 1, 7])}, r"index must lie in \[0, 4\)"),
    ],
)
def test_bad_data(change, message):
    values = {
        "samples": torch.zeros(4, 8), "index": torch.arange(3), "conditions": torch.zeros(3, 3),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        networks.Labelled(**{**values, **change})
    with pytest.raises(ValueError, match="precision must be one of float32, bfloat16"):
        networks.Recipe(3, 4, precision="float16")


def test_what_a_network_is_trained_on_must_fit():
    with pytest.raises(ValueError, match="data must"):
        networks.train(fresh(), networks.Labelled(
            torch.zeros(4, 8), torch.arange(4), torch.zeros(4, 3)), recipe(2))  # fmt: skip


SPREAD = """
import sys
import torch
torch.set_num_threads(1)
from accelerate import Accelerator
from projcomp import networks
from tests.networks.test_fitting import fresh, train
engine = Accelerator(cpu=True) if sys.argv[1] == "spread" else None
assert engine is None or engine.num_processes == 2
run = train(fresh(), 6, engine=engine)
if engine is None or engine.is_main_process:
    networks.save_network(run.model, sys.argv[2], "float32")
"""


def test_two_processes_give_what_one_gives(tmp_path):
    """One command spreads a run; the outcome is the same but for rounding."""
    script = tmp_path / "run.py"
    script.write_text(SPREAD)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node",
              "2"]  # fmt: skip
    models = {}
    for kind, command in (("alone", [sys.executable]), ("spread", launch)):
        file = tmp_path / kind
        done = subprocess.run(
            [*command, str(script), kind, str(file)], capture_output=True, text=True, timeout=300,
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        models[kind] = networks.load_network(fresh(), file).state_dict()
    start = fresh().state_dict()
    for name, value in models["alone"].items():
        torch.testing.assert_close(models["spread"][name], value, rtol=1e-3, atol=2e-4)
    moved = max(float((models["alone"][name] - start[name]).abs().max()) for name in start)
    assert moved > 3e-3


def command(*options):
    return [sys.executable, str(SCRIPT), *options, "--pictures", "40", "--threads", "1"]


def test_the_command_trains_and_says_so(tmp_path):
    done = subprocess.run(
        command("one", "--steps", "3", "--folder", str(tmp_path)),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"steps": 3' in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["one.safetensors"]


def test_an_interrupted_command_can_be_given_again(tmp_path):
    options = command("one", "--steps", "100000", "--folder", str(tmp_path))
    # What runs in the background may have been started deaf to an interrupt, and its children too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(options, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        signal.signal(signal.SIGINT, before)
        end = time.monotonic() + 120
        while b"samples/s" not in running.stderr.read1(4096) and time.monotonic() < end:
            pass
        running.send_signal(signal.SIGINT)
        said = running.stderr.read().decode()
        running.wait(60)
    assert running.returncode == 1
    assert said.strip().splitlines()[-1].endswith("the same command goes on from the checkpoint")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nothing"], "NAME must be one of one, one-clean"),
        (["one", "--folder", "/no/such/folder"], "there is no folder /no/such/folder"),
        (["one", "--steps", "0"], "steps must be >= 1, got 0"),
    ],
)
def test_a_users_mistakes(options, message):
    done = subprocess.run(
        command(*options), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert message in last
    assert "Traceback" not in done.stderr
