"""Evaluations shared out over processes give what one process gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import projcomp as pc
import pytest
import torch
from projcomp.adapters.spreading import shared

from tests.adapters import spread_run
from tests.adapters.dressed import ALPHAS, adapted
from tests.helpers import close, close_in_scale, normal, seeded

ROOT = Path(__file__).resolve().parents[2]


def test_two_processes_give_what_one_gives(tmp_path):
    file = tmp_path / "found"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node",
              "2", "-m", "tests.adapters.spread_run"]  # fmt: skip
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [*launch, str(file)], capture_output=True, text=True, timeout=300, cwd=ROOT, check=False,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    alone = spread_run.numbers(None)
    both = [torch.load(f"{file}.{rank}") for rank in (0, 1)]
    assert float(alone[-1]) == 1.0
    for wanted, one, other in zip(alone, *both, strict=True):
        assert torch.equal(one, other)
        close_in_scale(one, wanted, 1e-10)


class Engine:
    """As many processes as rows are asked in: each call of `gather` meets the others' parts."""

    device = torch.device("cpu")

    def __init__(self, num_processes, process_index=0):
        self.num_processes, self.process_index = num_processes, process_index
        self.gathered: list[torch.Tensor] = []

    def gather(self, part):
        self.gathered.append(part)
        return torch.cat([part] * self.num_processes)


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7])
def test_each_row_is_evaluated_in_its_place(count):
    """Parts of all processes, put together, are the rows in order; no process has many more."""
    asked, parts = [], []
    values = torch.arange(2.0 * count, dtype=torch.float64).reshape(count, 2)

    def evaluate(rows):
        asked.append(rows)
        return values[rows]

    for rank in range(3):
        engine = Engine(3, rank)
        shared(engine, count, 2, evaluate)
        parts += engine.gathered
    close(torch.cat(parts)[:count, :2], values)
    assert max(rows.stop - rows.start for rows in asked) == -(-count // 3)
    assert all(rows.stop > rows.start for rows in asked)


def test_an_engine_of_one_process_changes_nothing():
    parts = [adapted("noise", spread_run.MIXTURES)[0], spread_run.MIXTURES[1]]
    x = normal(seeded(1), 5, 4)
    for part in parts:
        density = pc.adapters.spread(part, Engine(1))
        close(density.score(x, 0.7), part.score(x, 0.7))
        assert density.sigma_range == part.sigma_range


def test_what_it_keeps_of_a_density():
    known = pc.Scored(4, lambda x, s: -x, torch.zeros(9, 4), shape=(2, 2), sigma_range=(0.1, 3.0))
    density = pc.adapters.spread(known, Engine(1))
    assert (density.shape, density.sigma_range, density.most_samples) == ((2, 2), (0.1, 3.0), 9)
    product = pc.simple_product(spread_run.MIXTURES)
    density = pc.adapters.spread(product, Engine(1))
    assert density.exponent == 3.0
    assert density.normalisable(1.0) is True
    x = normal(seeded(2), 5, 4)
    x_columns, sigma = x.T.contiguous(), torch.tensor(0.6, dtype=torch.float64)
    close(density._interaction(x_columns, sigma), product._interaction(x_columns, sigma))
    close(density._laplacian(x_columns, sigma), product._laplacian(x_columns, sigma))


def test_densities_of_one_engine_share_a_gathering():
    engine = Engine(1)
    engine.num_processes = 2
    parts = [pc.adapters.spread(mixture, engine) for mixture in spread_run.MIXTURES]
    pc.compose(parts[0], parts[1:]).deltas(normal(seeded(3), 6, 4), 1.0)
    assert [tuple(part.shape) for part in engine.gathered] == [(3, 13)]


def test_under_a_transformation_nothing_is_shared_out():
    engine = Engine(2)
    density = pc.adapters.from_noise(lambda x, t: torch.tanh(x), ALPHAS, (4,), engine=engine)
    alone = pc.adapters.from_noise(lambda x, t: torch.tanh(x), ALPHAS, (4,))
    x = normal(seeded(4), 5, 4)
    for part in (density, pc.adapters.spread(alone, engine)):
        found = torch.func.vmap(lambda y, p=part: p.score(y, 0.7))(x)
        close(found, alone.score(x, 0.7))
    assert engine.gathered == []
    density.score(x, 0.7)
    assert len(engine.gathered) == 1


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("cpu", "engine must be an accelerate.Accelerator, got 'cpu'"),
        (SimpleNamespace(device="cpu", process_index=0), "engine must be an accelerate.Accel"),
        (
            SimpleNamespace(distributed_type="FSDP"),
            "engine must hold the whole network .*, got FSDP",
        ),
    ],
)
def test_bad_input(engine, message):
    with pytest.raises(ValueError, match=message):
        pc.adapters.spread(spread_run.MIXTURES[0], engine)
    with pytest.raises(ValueError, match=message):
        adapted("noise", spread_run.MIXTURES, engine=engine)
    with pytest.raises(ValueError, match="density must be a Density, got 3"):
        pc.adapters.spread(3, Engine(1))
