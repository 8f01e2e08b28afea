"""One move: detailed balance by construction, nothing in place, a number of its own per chain."""

from __future__ import annotations

import math

import projcomp as pc
import pytest
import torch
from projcomp.samplers import kernels

from tests.helpers import close, normal, random_mixture, seeded

TARGET = random_mixture(seeded(1), 3, 2)


def target(x):
    return TARGET.log_prob_and_score(x)


def proposal(x, step, seed):
    """Where MALA would go from x with the noise of this seed."""
    return x + 0.5 * step**2 * TARGET.score(x) + step * normal(seeded(seed), *x.shape)


def log_proposal(x, there, step):
    """log density of MALA's proposal from x, at `there`."""
    mean = x + 0.5 * step**2 * TARGET.score(x)
    noise = pc.gaussian([0.0, 0.0], step**2)
    return noise.log_prob(there - mean)


@pytest.mark.parametrize("step", [0.2, 1.0, 3.0])
def test_mala_keeps_detailed_balance(step):
    """Its acceptance is min(1, q(x') K(x | x') / q(x) K(x' | x)), with K from its own formula."""
    x = TARGET.sample(500, generator=seeded(2))
    there = proposal(x, step, 3)
    log_ratio = TARGET.log_prob(there) - TARGET.log_prob(x)
    log_ratio = log_ratio + log_proposal(there, x, step) - log_proposal(x, there, step)
    new, acceptance = kernels.mala(kernels.begin(target, x), target, step, seeded(3))
    close(acceptance, log_ratio.clamp(max=0).exp(), absolute=1e-12)
    moved = (new.x != x).any(-1)
    close(new.x[moved], there[moved])
    close(new.x[~moved], x[~moved])


@pytest.mark.parametrize("steps", [1, 5, 20])
def test_leapfrog_is_reversible_and_keeps_volume(steps):
    x, momentum = TARGET.sample(1, generator=seeded(4)), normal(seeded(5), 1, 2)

    def flow(z, step=0.3):
        """The same leapfrog, written out: half a kick, drifts and kicks, half a kick."""
        y, p = z[..., :2], z[..., 2:]
        for _ in range(steps):
            p = p + 0.5 * step * TARGET.score(y)
            y = y + step * p
            p = p + 0.5 * step * TARGET.score(y)
        return torch.cat([y, p], -1)

    start = torch.cat([x, momentum], -1)
    end = flow(start)
    flip = torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=torch.float64)
    close(flow(end * flip) * flip, start, absolute=1e-9)
    size = 1e-5
    columns = [
        (flow(start + size * e) - flow(start - size * e)) / (2 * size)
        for e in torch.eye(4, dtype=torch.float64)
    ]
    assert abs(float(torch.linalg.det(torch.cat(columns)))) == pytest.approx(1.0, abs=1e-6)

    # And the kernel makes those steps, with an acceptance from the change of energy.
    state = kernels.begin(target, x)
    new, acceptance = kernels.hmc(state, target, 0.3, seeded(5), steps)
    energy = [0.5 * z[..., 2:].square().sum(-1) - TARGET.log_prob(z[..., :2]) for z in (start, end)]
    close(acceptance, (energy[0] - energy[1]).clamp(max=0).exp(), absolute=1e-10)
    if bool((new.x != x).any()):
        close(new.x, end[..., :2], absolute=1e-10)


@pytest.mark.parametrize("kernel", ["ula", "mala", "hmc"])
def test_nothing_changes_in_place(kernel):
    move = {"ula": kernels.ula, "mala": kernels.mala, "hmc": kernels.hmc}[kernel]
    x = TARGET.sample(50, generator=seeded(6))
    state = kernels.begin(target, x.clone())
    copies = [state.x.clone(), state.log_prob.clone(), state.score.clone()]
    options = (5,) if kernel == "hmc" else ()
    new, _ = move(state, target, 0.5, seeded(7), *options)
    for kept, copy in zip((state.x, state.log_prob, state.score), copies, strict=True):
        assert torch.equal(kept, copy)
    close(new.log_prob, TARGET.log_prob(new.x))
    close(new.score, TARGET.score(new.x))


@pytest.mark.parametrize("kernel", ["mala", "hmc"])
def test_every_chain_decides_for_itself(kernel):
    """From one point, the share accepted is the mean acceptance: 5 standard errors of 4,000."""
    x = TARGET.means[0].expand(4000, 2)
    state = kernels.begin(target, x)
    if kernel == "mala":
        new, acceptance = kernels.mala(state, target, 1.3, seeded(8))
    else:
        new, acceptance = kernels.hmc(state, target, 0.9, seeded(8), 4)
    share, wanted = float((new.x != x).any(-1).double().mean()), float(acceptance.mean())
    assert 0.1 < wanted < 0.9
    assert abs(share - wanted) < 5 * math.sqrt(wanted * (1 - wanted) / 4000)


def test_unadjusted_langevin_has_the_variance_of_its_step():
    """On N(0, 1) its stationary variance is 1 / (1 - step^2 / 4), not 1."""
    density, step = pc.gaussian([0.0], 1.0), 1.0
    state = kernels.begin(density.log_prob_and_score, normal(seeded(9), 20_000, 1))
    for _ in range(60):
        state, _ = kernels.ula(state, density.log_prob_and_score, step, seeded(_ + 10))
    wanted = 1 / (1 - step**2 / 4)
    assert abs(float(state.x.var()) - wanted) < 5 * wanted * math.sqrt(2 / 20_000)
