"""Training: it learns, it repeats itself, and it survives an interruption."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr

import projcomp as pc
import pytest
import torch
from projcomp import networks

from tests.helpers import normal, seeded

P = pc.GaussianMixture([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.5]], 0.05)
Q = pc.gaussian([0.0, 1.0], 0.2)
QUICK = {"batch": 64, "progress": False}


def quick(steps, **options):
    return networks.Recipe(steps, **{**QUICK, **options})


def fresh(labels=2, width=16, sigma_data=0.8):
    mlp = networks.MLP(2, labels, width=width, blocks=2, generator=seeded(1))
    return networks.Preconditioned(mlp, 2, sigma_data, labels)


def same(one, two):
    one, two = one.state_dict(), two.state_dict()
    return all(torch.equal(one[name], two[name]) for name in one)


def score_error(model, sigma=0.5):
    """Mean square error of the scores at noised samples, over that of the untrained network."""

    @torch.no_grad()
    def error(network):
        total = 0.0
        for label, exact in enumerate((P, Q)):
            x = exact.sample(2000, sigma, seeded(2))
            learned = networks.Denoiser(network, label).score(x, sigma)
            total += float((learned - exact.score(x, sigma)).square().sum(1).mean())
        return total

    return error(model) / error(fresh())


def test_it_learns():
    run = networks.train(fresh(width=32), [P, Q], quick(400, batch=256), generator=seeded(3))
    assert run.losses[-50:].mean() < 0.75 * run.losses[:10].mean()
    assert score_error(run.model) < 0.05
    assert run.samples_per_second > 0
    assert repr(run).startswith("Training(400 steps, loss from ")


def test_the_exact_denoiser_has_the_least_loss():
    scales = networks.Preconditioning(0.8)
    sigma = (normal(seeded(4), 4000) - 0.5).exp()
    clean, noise = P.sample(4000, generator=seeded(5)), normal(seeded(6), 4000, 2)
    guesses = {
        "exact": P.denoise,
        "linear": networks.Denoiser(fresh().requires_grad_(False)).denoise,
        "of another": Q.denoise,
    }
    loss = {
        name: networks.denoising_loss(guess, clean, sigma, noise, scales)
        for name, guess in guesses.items()
    }
    assert loss["exact"].shape == (4000,)
    assert loss["exact"].mean() < 0.8 * loss["linear"].mean() < 0.8 * loss["of another"].mean()
    # What it exceeds the least by is the weighted square of the denoiser's own error.
    x = clean + sigma[:, None] * noise
    gap = (guesses["linear"](x, sigma) - P.denoise(x, sigma)).square().mean(1)
    surplus = loss["linear"] - loss["exact"] - scales.weight(sigma) * gap
    assert abs(float(surplus.mean())) < 5 * float(surplus.std()) / 4000**0.5


def test_samples_do_as_well_as_a_density():
    data = [P.sample(500, generator=seeded(7)), Q.sample(400, generator=seeded(8)).numpy()]
    run = networks.train(fresh(), data, quick(300, rate=1e-2), generator=seeded(9))
    assert score_error(run.model) < 0.3


@pytest.mark.parametrize("schedule", networks.training.SCHEDULES)
def test_a_run_is_a_function_of_its_seeds(schedule):
    state = torch.get_rng_state()
    one, two, three = (
        networks.train(fresh(), [P, Q], quick(20, schedule=schedule), generator=seeded(s))
        for s in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.losses, two.losses)
    assert same(one.model, two.model)
    assert not torch.equal(one.losses, three.losses)


class Interrupting(pc.Density):
    """P, until it is asked too often."""

    def __init__(self, patience):
        super().__init__(2)
        self.patience = patience

    def _log_prob(self, x, sigma):
        return P._log_prob(x, sigma)

    def _sample(self, n, generator, device):
        self.patience -= 1
        if self.patience < 0:
            raise KeyboardInterrupt
        return P._sample(n, generator, device)


@pytest.mark.parametrize("last", [10, 17, 29])
def test_an_interrupted_run_ends_with_the_same_numbers(tmp_path, last):
    file = tmp_path / "run.safetensors"
    whole = networks.train(fresh(), [P, Q], quick(30), generator=seeded(1))
    kept = quick(30, checkpoint=file, every=5)
    with pytest.raises(KeyboardInterrupt):
        networks.train(fresh(), [Interrupting(last), Q], kept, generator=seeded(1))
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    # A new process knows neither the state of the generator nor the weights.
    resumed = networks.train(fresh(), [P, Q], kept, generator=seeded(77))
    assert torch.equal(resumed.losses, whole.losses)
    assert same(resumed.model, whole.model)
    again = networks.train(fresh(), [Interrupting(0), Q], kept)
    assert same(again.model, whole.model)
    assert again.samples_per_second == 0


def test_the_bar_counts_samples():
    said = io.StringIO()
    with redirect_stderr(said):
        networks.train(fresh(), [P, Q], quick(20, progress=True))
    assert "training:   0%" in said.getvalue()
    assert "0/1280" in said.getvalue()
    assert "samples/s" in said.getvalue()


def test_files_of_another_run(tmp_path):
    file = tmp_path / "run.safetensors"
    kept = quick(3, checkpoint=file)
    networks.train(fresh(), [P, Q], kept)
    with pytest.raises(ValueError, match=r"another architecture: .* wanted \[8"):
        networks.train(fresh(width=8), [P, Q], kept)
    with pytest.raises(ValueError, match=r"another architecture: sigma_data is 0.8, wanted 1.0"):
        networks.train(fresh(sigma_data=1.0), [P, Q], kept)
    with pytest.raises(ValueError, match="another run: steps is 3, wanted 4"):
        networks.train(fresh(), [P, Q], quick(4, checkpoint=file))
    networks.save_network(fresh(), file)
    with pytest.raises(ValueError, match="damaged, or not a file of weights"):
        networks.train(fresh(), [P, Q], kept)


def test_damaged_files(tmp_path):
    file = tmp_path / "net.safetensors"
    networks.save_network(fresh(), file, "float32")
    model = fresh()
    content = file.read_bytes()
    for damaged in (b"", b"nonsense", content[:-7], content[: len(content) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged, or not a file of weights"):
            networks.load_network(model, file)
    assert same(model, fresh())
    with pytest.raises(ValueError, match="there is no file"):
        networks.load_network(model, tmp_path / "nothing")


def test_places_that_cannot_be_written(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="there is no folder"):
        networks.save_network(fresh(), tmp_path / "no" / "net")
    with pytest.raises(ValueError, match="must name a file, got the folder"):
        networks.train(fresh(), [P, Q], quick(3, checkpoint=tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match="can't be written to"):
        networks.save_network(fresh(), tmp_path / "net")
    monkeypatch.undo()
    file = tmp_path / "net"
    networks.save_network(fresh(), file)
    kept = file.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ValueError, match="can't be written"):
        networks.save_network(fresh(sigma_data=2.0), file)
    assert file.read_bytes() == kept
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": [P]}, "data must be a sequence of 2"),
        ({"data": P}, "data must be a sequence of 2"),
        ({"data": [P, pc.gaussian([0.0], 1.0)]}, r"data\[1\] must live on R\^2"),
        ({"data": [P, [1.0, 2.0]]}, r"data\[1\] must have shape \(N, 2\)"),
        ({"steps": 0}, "steps must be >= 1"),
        ({"batch": 1}, "batch must be >= 2"),
        ({"rate": 0.0}, "rate must be > 0, got 0.0"),
        ({"every": 0}, "every must be >= 1"),
        ({"seconds": -1}, "seconds must be >= 0, got -1.0"),
        ({"recipe": 50}, r"recipe must be a Recipe\(steps, batch\), got 50"),
        ({"rate": 1e30}, "loss is not finite at step"),
        ({"schedule": "linear"}, "schedule must be one of cosine, constant"),
        ({"average": 1.0}, r"average must lie in \[0, 1\)"),
        ({"log_sigma": (0.0, -1.0)}, "log_sigma must be a mean"),
        ({"log_sigma": 0.3}, "log_sigma must be a mean"),
        ({"model": networks.MLP(2)}, "model must be a Preconditioned network"),
    ],
)
def test_bad_input(change, message):
    of_train = {"model", "data", "recipe", "log_sigma"} & change.keys()
    own = {name: change[name] for name in of_train}
    options = {name: change[name] for name in change.keys() - of_train}
    with pytest.raises(ValueError, match=message):
        recipe = quick(**{"steps": 50, **options})
        networks.train(**{"model": fresh(), "data": [P, Q], "recipe": recipe, **own})
