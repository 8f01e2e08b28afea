"""The library is the same whatever torch's default dtype and device are."""

from __future__ import annotations

import ast
from pathlib import Path

import projcomp as pc
import pytest
import torch
from projcomp import scenes

from tests.every_density import defaults
from tests.helpers import close, seeded

LIBRARY = Path(pc.__file__).parent
INTEGERS = {"arange", "as_tensor", "randint", "randperm"}
FLOATS = {
    "empty", "eye", "full", "linspace", "logspace", "ones", "rand", "randn", "zeros",
}  # fmt: skip


def calls(tree: ast.AST):
    """Every call of a function of torch: its name and the names of its keyword arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "torch":
                yield node, node.func.attr, {keyword.arg for keyword in node.keywords}


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("*.py")), ids=lambda p: p.stem)
def test_every_tensor_says_where_and_what_it_is(path):
    """`**CPU32` says both; the dtype of indices is theirs anyway."""
    for node, name, given in calls(ast.parse(path.read_text(encoding="utf-8"))):
        if name in FLOATS | INTEGERS | {"tensor"} and None not in given:
            where = f"{path.name}:{node.lineno}: {ast.unparse(node)}"
            assert "device" in given, where
            assert name not in FLOATS or "dtype" in given, where


@pytest.mark.parametrize("changed", [{"dtype": torch.float64}, {"device": "meta"}])
def test_runs_metrics_and_diagnoses(changed):
    def everything():
        background = pc.gaussian([0.0, 0.0], 4.0)
        concepts = [
            pc.GaussianMixture([0.3, 0.7], [[-1.0, 0.0], [2.0, 0.0]], 0.5),
            pc.GaussianMixture([0.6, 0.4], [[0.0, -1.0], [0.0, 2.0]], 0.5),
        ]
        c = pc.compose(background, concepts)
        grid = pc.sigma_grid(0.05, 40.0, 8)
        found = [
            pc.reverse_diffusion(c, 200, grid, method, generator=seeded(1)).samples
            for method in ("euler", "heun", "sde")
        ]
        found.append(pc.annealed_mcmc(c, 50, grid, "hmc", generator=seeded(2)).samples)
        for weights in ("interaction", "density"):
            run = pc.smc(c, 100, grid, weights, moves=1, generator=seeded(3))
            found += [run.samples, run.effective, run.resample(7, seeded(4))]
        found.append(pc.tempering(c, 100, background, generator=seeded(5)).samples)
        x, y = found[0][:90], found[1][:100]
        plane = pc.Grid.square(4.0, 20)
        distances = [
            pc.metrics.w2(x, y),
            pc.metrics.w2(x[:80], y),
            pc.metrics.energy_distance(x, y),
            pc.metrics.sliced_w2(x, y, generator=seeded(6)),
            pc.metrics.histogram_tv(x, y, plane),
            pc.metrics.total_variation(c, background, plane),
            pc.metrics.compare(x, c.exact(), generator=seeded(7)).value,
        ]
        found.append(torch.tensor(distances, dtype=torch.float64, device="cpu"))
        report = pc.diagnose(background, concepts, samples=400, generator=seeded(8))
        found += [report.path.same_point, report.path.across, report.path.mean_cosines]
        found += pc.find_blocks(background, concepts, generator=seeded(9))
        pictures = scenes.one_to_many(3, generator=seeded(10))
        found += [pictures.values.double(), pictures.place.double(), scenes.lattice().double()]
        seen = scenes.count(pictures.values / 255.0)
        found += [seen.place, seen.at(scenes.lattice()), scenes.patches(scenes.lattice()).double()]
        return found

    wanted = everything()
    with defaults(**changed):
        found = everything()
    for one, other in zip(found, wanted, strict=True):
        close(one, other, 1e-12, 1e-12)
