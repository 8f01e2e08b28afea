"""What every sampler returns, takes and refuses."""

import math
import warnings

import projcomp as pc
import pytest
import torch

from tests.helpers import BANANA, needs_cuda, normal, seeded

METHODS = ("euler", "heun", "sde")
P = pc.GaussianMixture([0.3, 0.7], [[0.0, 1.0], [2.0, -1.0]], [0.2, 0.6])
SIGMAS = pc.sigma_grid(0.02, 30.0, 6)
NARROW = pc.compose(
    pc.gaussian([0.0, 0.0], 0.36), [pc.gaussian([2.0, 0.0], 1.0), pc.gaussian([0.0, 2.0], 1.0)]
)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_is_a_function_of_the_generator(method):
    one, two, three = (
        pc.reverse_diffusion(P, 20, SIGMAS, method, generator=seeded(s)).samples for s in (1, 1, 2)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


@pytest.mark.parametrize("method", METHODS)
def test_the_path(method):
    run = pc.reverse_diffusion(P, 5, SIGMAS, method, generator=seeded(0), keep_path=True)
    assert run.path.shape == (7, 5, 2)
    assert torch.equal(run.path[-1], run.samples)
    assert torch.equal(run.sigmas, SIGMAS)
    assert run.samples.dtype == torch.float64
    assert run.evaluations == (11 if method == "heun" else 6)
    plain = pc.reverse_diffusion(P, 5, SIGMAS, method, generator=seeded(0))
    assert plain.path is None
    assert torch.equal(plain.samples, run.samples)
    # Each level of the path is where a shorter run ends.
    short = pc.reverse_diffusion(P, 5, SIGMAS[:4], method, generator=seeded(0))
    assert torch.equal(short.samples, run.path[3])


def test_what_a_run_says():
    run = pc.reverse_diffusion(P, 5, SIGMAS, generator=seeded(0), keep_path=True)
    assert repr(run) == "Run(5 samples in R^2, 6 evaluations, path kept)"


@pytest.mark.parametrize("method", METHODS)
def test_a_given_start(method):
    start = normal(seeded(0), 5, 2)
    kept = start.clone()
    options = {"start": start, "keep_path": True}
    run = pc.reverse_diffusion(P, 5, SIGMAS, method, generator=seeded(0), **options)
    assert torch.equal(run.path[0], start)
    assert torch.equal(start, kept)
    as_list = pc.reverse_diffusion(
        P, 5, SIGMAS.tolist(), method, generator=seeded(0), start=start.tolist()
    )
    assert torch.equal(as_list.samples, run.samples)
    single = pc.reverse_diffusion(P, 5, SIGMAS, method, generator=seeded(0), start=start.float())
    assert single.samples.dtype == torch.float64


def test_the_default_start_is_noise_at_the_first_level():
    run = pc.reverse_diffusion(P, 4, SIGMAS, generator=seeded(3), keep_path=True)
    assert torch.equal(run.path[0], 30.0 * normal(seeded(3), 4, 2))


def test_the_global_seed_is_left_alone():
    state = torch.get_rng_state()
    for method in METHODS:
        pc.reverse_diffusion(P, 4, SIGMAS, method, generator=seeded(3))
    P.sample(5, 0.3, seeded(0))
    assert torch.equal(torch.get_rng_state(), state)


def test_no_gradients_are_recorded():
    start = normal(seeded(0), 4, 2).requires_grad_(True)
    assert not pc.reverse_diffusion(P, 4, SIGMAS, start=start).samples.requires_grad


def test_any_density_can_be_sampled():
    """At sigma > 0 a known score is all that is needed."""
    cloud = pc.Empirical(normal(seeded(0), 9, 2))
    run = pc.reverse_diffusion(cloud, 6, SIGMAS, generator=seeded(0))
    gaps = (run.samples[:, None] - cloud.points).norm(dim=-1).amin(1)
    assert float(gaps.max()) < 0.1
    with pytest.raises(ValueError, match="sigma must be 0: noise does not commute"):
        pc.reverse_diffusion(pc.pushforward(P, BANANA), 6, SIGMAS)


# -- warnings and the progress bar ---------------------------------------------------------------


def test_what_is_not_normalisable_warns():
    """C exists iff sigma^2 > 1 - 2 s^2 = .28: here at 3 of 5 levels it does not."""
    levels = [2.0, 0.6, 0.5, 0.1, 0.0]
    message = r"not normalisable at 3 of 5 noise levels \(sigma from 0 to 0.5\)"
    with pytest.warns(UserWarning, match=message) as caught:
        run = pc.reverse_diffusion(NARROW, 4, levels, "sde", generator=seeded(0))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert torch.isfinite(run.samples).all()


@pytest.mark.parametrize("density", [P, NARROW, pc.compose(pc.Empirical([[0.0, 0.0]]), [P, P])])
def test_what_is_normalisable_or_unknown_does_not_warn(density):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pc.reverse_diffusion(density, 4, [2.0, 1.0, 0.6], "heun", generator=seeded(0))


def test_a_flat_density_warns():
    with pytest.warns(UserWarning, match="not normalisable at 3 of 3 noise levels"):
        pc.reverse_diffusion(pc.Flat(2), 4, [2.0, 1.0, 0.0], "heun", generator=seeded(0))


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_the_progress_bar(progress, shown, capsys):
    pc.reverse_diffusion(P, 4, SIGMAS, generator=seeded(0), progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("reverse diffusion (unipc3)" in err) is shown


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("p", 5, SIGMAS), {}, r"density must be a Density, got 'p'"),
        ((P, 0, SIGMAS), {}, r"n must be >= 1, got 0"),
        ((P, 2.0, SIGMAS), {}, r"n must be an integer >= 1, got 2.0"),
        ((P, 5, [1.0]), {}, r"sigmas must have shape \(steps \+ 1,\), got \(1,\)"),
        ((P, 5, 1.0), {}, r"sigmas must have shape \(steps \+ 1,\), got \(\)"),
        ((P, 5, [[1.0, 0.0]]), {}, r"sigmas must have shape \(steps \+ 1,\), got \(1, 2\)"),
        ((P, 5, [1.0, 1.0]), {}, r"sigmas must be strictly decreasing"),
        ((P, 5, [0.5, 1.0]), {}, r"sigmas must be strictly decreasing"),
        ((P, 5, [1.0, -0.1]), {}, r"sigmas must be >= 0, got -0.1"),
        ((P, 5, [math.inf, 0.0]), {}, r"sigmas must be finite"),
        ((P, 5, SIGMAS, "hune"), {}, r"method must be one of euler, heun, sde, 2m, .*; got 'hune'"),
        ((P, 5, SIGMAS), {"start": torch.zeros(4, 2)}, r"start must have shape \(5, 2\), got \(4,"),
        (
            (P, 5, SIGMAS),
            {"start": torch.zeros(5, 3)},
            r"start must have shape \(..., 2\), got \(5",
        ),
        ((P, 1, SIGMAS), {"start": [[math.nan, 0.0]]}, r"start must be finite"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        pc.reverse_diffusion(*arguments, **options)


def test_a_misspelt_option_is_an_error():
    with pytest.raises(TypeError, match="sigma_max"):
        pc.reverse_diffusion(P, 5, SIGMAS, sigma_max=3.0)


@needs_cuda
@pytest.mark.parametrize("method", METHODS)
def test_a_run_lives_on_the_device_of_its_generator_or_start(method):
    generator = torch.Generator("cuda").manual_seed(0)
    run = pc.reverse_diffusion(P, 50, SIGMAS, method, generator=generator, keep_path=True)
    assert run.samples.device.type == run.path.device.type == "cuda"
    start = normal(seeded(0), 50, 2)
    there = pc.reverse_diffusion(P, 50, SIGMAS, "heun", start=start.cuda()).samples
    assert there.device.type == "cuda"
    here = pc.reverse_diffusion(P, 50, SIGMAS, "heun", start=start).samples
    torch.testing.assert_close(there.cpu(), here, rtol=1e-9, atol=1e-9)
