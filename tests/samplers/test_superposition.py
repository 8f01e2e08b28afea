"""Superposition: what its estimates are worth, and what its two modes sample."""

import math
import warnings
from itertools import pairwise

import projcomp as pc
import pytest
import torch
from projcomp.samplers.superposition import _levelling

from tests.every_density import defaults
from tests.helpers import close, normal, random_mixture, seeded

F64 = torch.float64
ONE = pc.GaussianMixture(
    [0.5, 0.5], [[-2.0, 0.0], [2.0, 1.0]], [[[0.3, 0.1], [0.1, 0.4]], [[0.5, -0.2], [-0.2, 0.2]]]
)
TWO = pc.GaussianMixture([0.3, 0.7], [[0.0, 2.0], [1.0, -1.0]], [[0.2, 0.6], [0.3, 0.2]])
ROUND, NARROW = pc.gaussian([0.0, 0.0], [1.0, 4.0]), pc.gaussian([1.0, 0.0], 0.3)
SIGMAS = pc.sigma_grid(0.05, 50.0, 12)


def schedule(steps, low=0.1, high=50.0):
    """Without a last level of 0."""
    return pc.sigma_grid(low, high, steps + 1)[:-1]


def run(densities, steps, mode, n=2000, seed=1, **options):
    return pc.superposition(
        densities, n, schedule(steps), mode, generator=seeded(seed), progress=False, **options
    )


def gaps(densities, x, sigma):
    """log q_i - log q_1, exactly: (k - 1, n)."""
    logs = torch.stack([density.log_prob(x, sigma) for density in densities])
    return logs[1:] - logs[0]


# -- the estimates -------------------------------------------------------------------------------


def errors(densities, found):
    """Of the estimated differences at the end: (k - 1, n)."""
    true = gaps(densities, found.samples, float(found.sigmas[-1]))
    true = true - gaps(densities, found.path[0], float(found.sigmas[0]))
    logs = found.log_densities[-1]
    return logs[1:] - logs[0] - true


def by_first_ends(densities, found):
    """The Ito density estimator on the same path: s_i . dx - |s_i|^2 dv / 2, at each first end."""
    logs = torch.zeros(len(densities), len(found.samples), dtype=F64)
    for j, (high, low) in enumerate(pairwise(found.sigmas.tolist())):
        step = found.path[j + 1] - found.path[j]
        for i, density in enumerate(densities):
            s = density.score(found.path[j], high)
            logs[i] += (s * step).sum(1) - 0.5 * (high**2 - low**2) * s.square().sum(1)
    return logs


def test_the_spread_of_the_estimates_falls_as_the_root_of_the_step():
    """Over 8 other seeds the slopes lay between -.55 and -.45 from 100 to 1600 steps."""
    spread = {}
    for steps in (100, 1600):
        found = run([ONE, TWO], steps, "or", 1000, keep_path=True)
        spread[steps] = float(errors([ONE, TWO], found).square().mean().sqrt())
    assert math.log(spread[1600] / spread[100], 16) == pytest.approx(-0.5, abs=0.12)
    assert spread[1600] < 0.25


def test_the_mean_of_the_estimates_is_right_at_few_steps():
    """Within 4 standard errors, where that of first ends alone is 6 off; and half its spread."""
    pair, n = [ONE, TWO], 8000
    found = run(pair, 50, "or", n, keep_path=True)
    off = errors(pair, found)[0]
    assert abs(float(off.mean())) < 4 * float(off.std()) / n**0.5
    left = by_first_ends(pair, found)
    difference = (left - found.log_densities[-1]).diff(dim=0)[0] + off
    assert abs(float(difference.mean())) > 6 * float(difference.std()) / n**0.5
    assert float(off.std()) < 0.6 * float(difference.std())


def test_the_mean_error_falls_as_the_square_of_the_step():
    """A quarter of the step leaves a sixteenth of it, that of first ends a fifth.

    Measured with 100,000 particles: .205 and .014, errors .006 and .003; -.82 and -.16.
    """
    pair, n, means = [ONE, TWO], 40_000, {}
    for steps in (20, 80):
        found = run(pair, steps, "or", n, keep_path=True)
        off = errors(pair, found)[0]
        first = (by_first_ends(pair, found) - found.log_densities[-1]).diff(dim=0)[0] + off
        means[steps] = abs(float(off.mean())), abs(float(first.mean()))
    assert means[80][0] < means[20][0] / 8
    assert means[20][1] / 8 < means[80][1] < means[20][1] / 3


def test_a_step_by_hand():
    pair, g = [ONE, TWO], seeded(3)
    x = 3.0 * normal(g, 6, 2)
    found = pc.superposition(
        pair, 6, [2.0, 1.5], temperature=0.5, bias=[0.2, -0.4], generator=seeded(5), start=x
    )
    share = torch.softmax(torch.tensor([0.2, -0.4], dtype=F64), 0)
    close(found.weights[0], share[:, None].expand(2, 6), 1e-14, 1e-14)
    dv, ratio = 4.0 - 2.25, 2.25 / 4.0
    noise = (ratio * dv) ** 0.5 * normal(seeded(5), 6, 2)
    s = [p.score(x, 2.0) for p in pair]
    y = x + dv * (share[0] * s[0] + share[1] * s[1]) + noise
    close(found.samples, y, 1e-13, 1e-13)
    for i, p in enumerate(pair):
        t = p.score(y, 1.5)
        wanted = 0.5 * (s[i] + t) * (y - x) - 0.25 * dv * (s[i] ** 2 + t**2)
        wanted = (wanted - 0.5 * noise * (t - s[i]) / ratio).sum(1)
        close(found.log_densities[1, i], wanted, 1e-12, 1e-12)
    after = pc.superposition(
        pair, 6, [2.0, 1.5, 1.0], temperature=0.5, bias=[0.2, -0.4], generator=seeded(5), start=x
    )
    tilted = 0.5 * after.log_densities[1] + torch.tensor([[0.2], [-0.4]], dtype=F64)
    close(after.weights[1], torch.softmax(tilted, 0), 1e-13, 1e-13)


# -- or ------------------------------------------------------------------------------------------


def test_or_samples_the_mixture():
    """Share and mean of far parts within 4 standard errors and a bias of .02; sliced W2 too."""
    weights = [0.3, 0.7]
    parts = [pc.gaussian([-3.0, 0.0], [0.5, 1.0]), pc.gaussian([3.0, 1.0], 0.3)]
    x = pc.superposition(
        parts,
        8000,
        pc.sigma_grid(0.02, 200.0, 150),
        bias=[math.log(w) for w in weights],
        generator=seeded(2),
    ).samples
    here = x[:, 0] < 0
    assert abs(float(here.double().mean()) - 0.3) < 4 * math.sqrt(0.21 / 8000) + 0.02
    for part, mine in zip(parts, (x[here], x[~here]), strict=True):
        error = mine.std(0) / len(mine) ** 0.5
        assert bool(((mine.mean(0) - part.mean).abs() < 4 * error + 0.02).all())
    assert pc.metrics.compare(x, pc.Mixture(parts, weights), generator=seeded(3)).excess < 6


def test_or_with_all_bias_on_one_is_that_one():
    """The very samples of the reverse SDE, from the same generator."""
    alone = pc.reverse_diffusion(TWO, 30, SIGMAS, "sde", generator=seeded(4)).samples
    for options in ({"bias": [-1e4, 0.0]}, {"temperature": 0.0, "bias": [-1e4, 0.0]}):
        both = pc.superposition([ONE, TWO], 30, SIGMAS, generator=seeded(4), **options).samples
        close(both, alone, 1e-10, 1e-10)


# -- and -----------------------------------------------------------------------------------------


def by_the_noise_itself(pair, steps, n=2000):
    """ "and" for two densities as in the paper: no noise along c, and estimates from first ends.

    For two densities kappa moves a particle by the mean score, and takes out c (c . noise) / |c|^2.
    """
    g, sigmas = seeded(1), schedule(steps).tolist()
    x = sigmas[0] * normal(g, n, 2)
    logs = torch.zeros(2, n, dtype=F64)
    for high, low in pairwise(sigmas):
        dv = high**2 - low**2
        s = torch.stack([p.score(x, high) for p in pair])
        c = s[0] - s[1]
        noise = (dv * (low / high) ** 2) ** 0.5 * normal(g, n, 2)
        along = ((noise * c).sum(1) / c.square().sum(1))[:, None] * c
        step = dv * s.mean(0) + noise - along
        logs += (s * step).sum(-1) - 0.5 * dv * s.square().sum(-1)
        x = x + step
    return gaps(pair, x, sigmas[-1])[0], (logs[1] - logs[0])


@pytest.mark.parametrize("pair", [[ROUND, NARROW], [ONE, TWO]])
def test_and_ends_where_the_densities_are_equal(pair):
    """The true difference falls as the root of the step. With the noise in kappa it does not."""
    n = 2000
    sizes = {
        steps: float(gaps(pair, run(pair, steps, "and", n).samples, 0.1).abs().median())
        for steps in (100, 800)
    }
    assert sizes[800] < 0.25
    assert 2.0 * sizes[800] < sizes[100]  # by the root of eight: 2.8
    true, estimated = by_the_noise_itself(pair, 800)
    assert float(estimated.abs().median()) < 0.03
    assert float(true.abs().median()) > 2.5 * sizes[800]


def test_and_for_three_densities():
    """In space a curve is left, where three are equal."""
    trio = [
        pc.gaussian(m, v) for m, v in (([0.0, 0, 0], 1.0), ([1.0, 0, 0], 0.5), ([0, 1.0, 0], 2))
    ]
    sizes = [
        float(gaps(trio, run(trio, steps, "and", 1000).samples, 0.1).abs().median())
        for steps in (100, 800)
    ]
    assert sizes[1] < 0.2
    assert sizes[1] < 0.5 * sizes[0]


def test_the_weights_level_what_is_expected():
    """log q_i + s_i . dv s - |s_i|^2 dv / 2 is one number for three densities in space."""
    scores, logs, dv = normal(seeded(8), 3, 40, 4), 0.1 * normal(seeded(9), 3, 40), 0.3
    weights = _levelling(scores, logs, dv, 1.0)
    close(weights.sum(0), torch.ones(40, dtype=F64), 1e-12, 1e-12)
    step = dv * torch.einsum("kn,knd->nd", weights, scores)
    short = (step - dv * scores.mean(0)).norm(dim=1) < 0.99 * 4 * dv**0.5
    assert int(short.sum()) > 30
    expected = logs + (scores * step).sum(2) - 0.5 * dv * scores.square().sum(2)
    spread = (expected - expected.mean(0))[:, short]
    close(spread, torch.zeros_like(spread), 0.0, 1e-9)


def test_and_is_neither_the_product_nor_the_composition():
    """N(e_1, I) and N(-e_1, I): equal on the line x_1 = 0, where x_2 is still N(0, 1).

    The product is N(0, I/2), the composition over N(0, I) is N(0, I).
    """
    pair, n = [pc.gaussian([1.0, 0.0], 1.0), pc.gaussian([-1.0, 0.0], 1.0)], 8000
    sigmas = pc.sigma_grid(0.01, 100.0, 200)
    x = pc.superposition(pair, n, sigmas, "and", generator=seeded(6)).samples
    product = pc.simple_product(pair).exact()
    composition = pc.compose(pc.gaussian([0.0, 0.0], 1.0), pair).exact()
    close(product.covariance, 0.5 * torch.eye(2, dtype=F64), 1e-12, 1e-12)
    close(composition.covariance, torch.eye(2, dtype=F64), 1e-12, 1e-12)
    assert float(x[:, 0].std()) < 0.1
    assert abs(float(x[:, 1].var()) - 1.0) < 5 * math.sqrt(2 / n) + 0.02


@pytest.mark.parametrize("count", [2, 3])
def test_and_of_equals_is_the_one(count):
    """Nothing tells them apart: even weights, and the very samples of the reverse SDE."""
    found = pc.superposition([ONE] * count, 30, SIGMAS, "and", generator=seeded(4))
    close(found.weights, torch.full_like(found.weights, 1.0 / count), 1e-12, 1e-12)
    alone = pc.reverse_diffusion(ONE, 30, SIGMAS, "sde", generator=seeded(4)).samples
    close(found.samples, alone, 1e-10, 1e-10)


def test_what_differs_by_rounding_alone_is_equal():
    turned = pc.pushforward(
        pc.pushforward(ONE, [[0.6, 0.8], [-0.8, 0.6]]), [[0.6, -0.8], [0.8, 0.6]]
    )
    found = pc.superposition([ONE, turned], 30, SIGMAS, "and", generator=seeded(4))
    assert float((found.weights - 0.5).abs().max()) < 1e-3
    alone = pc.reverse_diffusion(ONE, 30, SIGMAS, "sde", generator=seeded(4)).samples
    close(found.samples, alone, 1e-8, 1e-8)


def test_a_density_given_twice_counts_once():
    two = run([ROUND, NARROW], 50, "and", 50).samples
    three = run([ROUND, NARROW, ROUND], 50, "and", 50)
    close(three.weights[:, 0], three.weights[:, 2], 1e-6, 1e-6)
    assert float(gaps([ROUND, NARROW], three.samples, 0.1).abs().median()) < 1.0
    assert three.samples.shape == two.shape


def test_where_scores_all_but_agree_particles_stay_near():
    """Densities that differ by a constant: nothing can make them equal, and nothing runs off."""
    near = pc.gaussian([1e-9, 0.0], 1.0 + 1e-9)
    start = 50.0 * normal(seeded(7), 200, 2)
    found = run([pc.gaussian([0.0, 0.0], 1.0), near], 60, "and", 200, start=start)
    assert float(found.samples.abs().max()) < 12
    found = run([ONE, TWO], 200, "and", 2000, keep_path=True)
    assert float(found.samples.abs().max()) < 12


# -- what a run is -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["or", "and"])
def test_what_a_run_has(mode):
    trio = [ONE, TWO, pc.Scored(2, lambda x, s: -x / (1 + s[:, None] ** 2))]
    options = {"generator": seeded(0), "keep_path": True}
    found = pc.superposition(trio, 5, SIGMAS, mode, **options)
    assert found.log_densities.shape == (13, 3, 5)
    assert found.weights.shape == (12, 3, 5)
    close(found.weights.sum(1), torch.ones(12, 5, dtype=F64), 1e-9, 1e-9)
    assert torch.equal(found.log_densities[0], torch.zeros(3, 5, dtype=F64))
    assert torch.equal(found.log_densities[-1], found.log_densities[-2])
    assert torch.equal(found.path[-1], found.samples)
    assert found.path.shape == (13, 5, 2)
    assert found.evaluations == 12
    assert repr(found) == "SuperpositionRun(5 samples in R^2, 12 evaluations, path kept)"
    again = pc.superposition(trio, 5, SIGMAS, mode, generator=seeded(0))
    assert torch.equal(again.samples, found.samples)
    assert again.path is None
    assert not torch.equal(
        pc.superposition(trio, 5, SIGMAS, mode, generator=seeded(1)).samples, found.samples
    )
    close(found.path[0], 50.0 * normal(seeded(0), 5, 2), 0.0, 0.0)
    start = found.path[0].float().tolist()
    given = pc.superposition(trio, 5, SIGMAS.numpy(), mode, generator=seeded(0), start=start)
    assert given.samples.dtype == F64


@pytest.mark.parametrize("mode", ["or", "and"])
@pytest.mark.parametrize("changed", [{"dtype": F64}, {"device": "meta"}])
def test_other_defaults(mode, changed):
    wanted = pc.superposition([ONE, TWO], 5, SIGMAS, mode, generator=seeded(0))
    with defaults(**changed):
        found = pc.superposition([ONE, TWO], 5, SIGMAS, mode, generator=seeded(0))
    close(found.samples, wanted.samples, 0.0, 0.0)
    close(found.weights, wanted.weights, 0.0, 0.0)


def test_in_inference_mode_and_without_gradients():
    start = normal(seeded(0), 4, 2).requires_grad_(True)
    with torch.inference_mode():
        found = pc.superposition([ONE, TWO], 4, SIGMAS, "and", start=start)
    assert not found.samples.requires_grad
    assert not found.samples.is_inference()


def test_what_is_not_normalisable_warns():
    """Precision 2 / (1 + v) - 1 / (.1 + v): positive from v = .8 on."""
    narrow = pc.gaussian([0.0, 0.0], 0.1)
    none = pc.compose(narrow, [pc.gaussian([0.0, 0.0], 1.0)] * 2)
    count = int((SIGMAS**2 <= 0.8).sum())
    with pytest.warns(UserWarning, match=f"not normalisable at {count} of 13") as caught:
        pc.superposition([ONE, none], 4, SIGMAS, generator=seeded(0))
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pc.superposition([ONE, TWO], 4, SIGMAS, generator=seeded(0))


def test_particles_that_run_off_are_reported():
    """A score that pushes outwards without end."""
    wrong = pc.Scored(2, lambda x, s: 1e30 * x)
    vast = pc.Scored(2, lambda x, s: torch.full_like(x, 1e160))
    for pair, mode, message in (
        ([wrong, wrong], "or", "density must keep its particles within"),
        ([vast, ONE], "and", "densities must have scores of moderate size, but at sigma = 50"),
    ):
        with pytest.raises(ValueError, match=message):
            pc.superposition(pair, 4, pc.sigma_grid(1e-3, 50.0, 12), mode)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((ONE, 5, SIGMAS), {}, r"densities must be a sequence of densities, got GaussianM"),
        (([ONE], 5, SIGMAS), {}, r"densities must hold at least two densities, got 1"),
        (([ONE, "x"], 5, SIGMAS), {}, r"densities\[1\] must be a Density, got 'x'"),
        (([ONE, pc.gaussian([0.0], 1.0)], 5, SIGMAS), {}, r"densities\[1\] must live on R\^2 as"),
        (([ONE, TWO], 0, SIGMAS), {}, r"n must be >= 1, got 0"),
        (([ONE, TWO], 5, [1.0]), {}, r"sigmas must have shape \(steps \+ 1,\)"),
        (([ONE, TWO], 5, SIGMAS, "nor"), {}, r"mode must be one of or, and; got 'nor'"),
        (([ONE, TWO], 5, SIGMAS), {"bias": [0.0]}, r"bias must have shape \(2,\), one for each"),
        (([ONE, TWO], 5, SIGMAS), {"bias": [0.0, math.inf]}, r"bias must be finite"),
        (([ONE, TWO], 5, SIGMAS), {"temperature": math.nan}, r"temperature must be finite"),
        (([ONE, TWO], 5, SIGMAS, "and"), {"bias": [0.0, 1.0]}, r"temperature and bias must be lef"),
        (
            ([ONE, TWO], 5, SIGMAS, "and"),
            {"temperature": 2.0},
            r"temperature and bias must be left",
        ),
        (([ONE, TWO], 5, SIGMAS), {"start": [[0.0, 0.0]]}, r"start must have shape \(5, 2\), got"),
        (([ONE, TWO], 5, SIGMAS), {"generator": 3}, r"generator must be a torch.Generator"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        pc.superposition(*arguments, **options)


def test_a_random_trio_keeps_to_its_numbers():
    """Every weight is finite, also where the densities have mass far from each other."""
    g = seeded(9)
    trio = [random_mixture(g, 3, 2, scale=s) for s in (1.0, 0.1, 5.0)]
    for mode in ("or", "and"):
        found = pc.superposition(trio, 100, pc.sigma_grid(0.01, 200.0, 40), mode, generator=g)
        assert torch.isfinite(found.weights).all()
        assert torch.isfinite(found.log_densities).all()
        assert torch.isfinite(found.samples).all()


def test_a_composition_adds_its_interaction():
    """Without it the mean of the estimates would be off by what it collects along the way."""
    composed = pc.compose(pc.gaussian([0.0, 0.0], 9.0), [ONE, TWO], [1.0, 0.8])
    pair = [composed, ROUND]
    found = run(pair, 400, "or", 4000, keep_path=True, seed=5)
    levels = found.sigmas
    collected = torch.zeros(4000, dtype=F64)
    for j, (high, low) in enumerate(pairwise(levels.tolist())):
        ends = (
            composed.interaction(found.path[j], high),
            composed.interaction(found.path[j + 1], low),
        )
        collected += 0.5 * (high**2 - low**2) * (ends[0] + ends[1])
    error = errors(pair, found)[0]
    assert abs(float(error.mean())) < 5 * float(error.std()) / 4000**0.5 + 0.02
    assert float((error + collected).mean().abs()) > 0.3  # as it would be


def test_a_product_has_no_place():
    message = r"densities\[1\] must fall off as its noise does, but its exponents sum to 2, not 1"
    with pytest.raises(ValueError, match=message):
        pc.superposition([ONE, pc.simple_product([ONE, TWO])], 5, SIGMAS)
