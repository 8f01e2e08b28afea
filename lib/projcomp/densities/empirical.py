"""The empirical distribution of stored points, exact at every sigma > 0."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import values
from projcomp.densities._draw import categories
from projcomp.densities._near import Near, near
from projcomp.densities._scratch import Scratch
from projcomp.densities._select import Prepared, Stored, selection, with_selection
from projcomp.densities._slabs import Slabs, half_squares, plus_mean, slabs_of
from projcomp.densities.base import Density

_LOGITS = 1 << 25
"""Most entries of a (points, batch) matrix of logits; larger batches are cut."""
_SMALLEST_SIGMA = 1e-100
_LEAST_SHARE, _SEVERAL = 1e-200, 16
"""Smaller shares are none: products with subnormal numbers take twenty times as long. In fewer
dimensions than _SEVERAL to look for them takes longer."""


class Empirical(Prepared, Density):
    """p = sum_j weights[j] delta(points[j]); p^sigma is a mixture of N(points[j], sigma**2 I).

    Made for thousands of points in thousands of dimensions (images): a call costs two matrix
    products and one (points, batch) matrix; no (batch, points, n) array is ever formed. Only points
    that lie far from the origin for their spread are copied, about their mean, to keep digits; and
    where they lie far from each other for the noise level, those that matter are looked at again.
    Where points agree in most coordinates (pictures on one floor), the others alone are multiplied.

    At low noise few points have a share in the posterior. On the CPU those of a million coordinates
    and more are found in float32, with a bound on its errors that leaves out less than 2^-53 of the
    posterior, and they alone are looked at in float64. For that the points are kept once more in
    float32 (half as much memory again), from when it is first of use; never where noise is high.

    Args:
        points: (N, n). Kept as float64 and not copied if it is that already: leave it unchanged.
        weights: (N,), >= 0, summing to one; None for equal weights.

    Raises ValueError for shapes that do not match, N = 0, NaN or infinity, bad weights; and on
    evaluation at sigma = 0, where point masses have no density.
    """

    def __init__(self, points, weights=None):
        points = _check.real("points", points).detach()
        if points.ndim != 2 or 0 in points.shape:
            raise ValueError(f"points must have shape (N, n), both >= 1, got {tuple(points.shape)}")
        if _check.largest(points) > _check.LARGEST:
            raise ValueError(f"points must be at most {_check.LARGEST:g} in magnitude")
        super().__init__(points.shape[1])
        if weights is None:
            weights = points.new_full((len(points),), 1.0 / len(points))
        weights = _check.probabilities("weights", weights).to(points.device)
        if len(weights) != len(points):
            raise ValueError(
                f"weights must have shape ({len(points)},), one for each point, got "
                f"{tuple(weights.shape)}"
            )
        self.points = points
        self.weights = weights
        self._prepare()

    def _stored(self) -> Stored:
        points = self.points
        slabs = slabs_of(points)
        if slabs is not None:
            centred, centre, level = slabs, slabs.reference, float(slabs.half_squares().min())
            heights = slabs.half_squares(level)
        else:
            centred, centre, level = about_a_centre(points, self.weights)
            heights = half_squares(centred, level)
        return with_selection(points, centred, centre, heights, self.weights.log(), level)

    def __repr__(self):
        return f"Empirical(points={len(self.points)}, dim={self.dim})"

    def _log_prob(self, x, sigma):
        return self._where_it_matters(self._only_log_prob, x, sigma)[0]

    def _score(self, x, sigma):
        return self._log_prob_and_score(x, sigma)[1]

    def _log_prob_and_score(self, x, sigma):
        return self._where_it_matters(self._both, x, sigma)

    def _denoise(self, x, sigma):
        return self._where_it_matters(self._mean, x, sigma)[0]

    def _where_it_matters(self, evaluate, x, sigma):
        """The answers of evaluate(x, sigma, stored), on the points that can have a share."""
        positive(sigma)
        stored = self._parameters(x.device)
        select = selection(stored, x, sigma)
        if select is None:
            return evaluate(x, sigma, stored)
        parts = [evaluate(y, s, stored.at(rows)) for y, s, rows in select.parts(x, sigma)]
        return in_one(parts)

    def _only_log_prob(self, x, sigma, stored):
        return (posterior(x, sigma, stored, log_prob_alone=True).log_prob,)

    def _both(self, x, sigma, stored):
        found = posterior(x, sigma, stored)
        return found.log_prob, found.pull(x) / sigma**2

    def _mean(self, x, sigma, stored):
        return (posterior(x, sigma, stored).mean(x),)

    def _sample(self, n, generator, device):
        index = categories(self.weights.to(device), n, generator)
        return self.points.to(device)[index]

    def _chunk(self, device):
        return max(1, _LOGITS // len(self.points))


class Posterior(NamedTuple):
    """log p^sigma (B,), the posterior probability of each stored point, (N, B), and a `Near`."""

    log_prob: Tensor
    share: Tensor
    close: Near | None
    stored: Stored

    def pull(self, x: Tensor) -> Tensor:
        """The posterior mean less x, (n, B), so that a large common offset costs no digits."""
        if self.close is not None:
            return (self.close.anchor.T - x) + self.close.mean(self.share)
        stored = self.stored
        return plus_mean(stored.centre[:, None] - x, stored.centred, self.share)

    def mean(self, x: Tensor) -> Tensor:
        """The posterior mean: (n, B)."""
        if self.close is not None:
            return self.close.anchor.T + self.close.mean(self.share)
        stored = self.stored
        return plus_mean(stored.centre[:, None].expand_as(x), stored.centred, self.share)


def posterior(x, sigma, stored: Stored, log_prob_alone=False, products=None) -> Posterior:
    """Of the stored points given x (n, B); no probabilities for the log_prob alone.

    |x - p|^2 = |x - c|^2 - 2 (x - c).(p - c) + |p - c|^2 about the centre c: the first term is
    common to every point, so it stays out of the softmax and costs no digits there.

    products: (x - c).(p - c) - |p - c|^2 / 2 + level of each point, (N, B), where they are known;
    overwritten.
    """
    centred, centre, heights, log_weights, level = stored[1:6]
    # One (N, B) array, overwritten unless gradients are recorded.
    here = Scratch(x, sigma).inplace
    offset = x - centre[:, None]
    precision = sigma**-2
    if products is not None:
        share = products
    elif isinstance(centred, Slabs):
        share = centred.products(offset, heights)
    else:
        share = torch.addmm(heights[:, None], centred, offset, beta=-1.0)
    squares = (offset * offset).sum(0)
    lengths = stored.lengths()
    close = near(stored.points, lengths, squares, share, precision, log_weights, stored.rows)
    if close is None:
        nearest, common = share.detach().amax(0), level
    else:
        nearest = share.gather(0, close.best[None])[0]
        squares = (x - close.anchor.T).square().sum(0)
    share = torch.sub(share, nearest, out=here(share))
    share = torch.addcmul(log_weights[:, None], share, precision, out=here(share))
    if close is not None:
        exact = close.products(x) * precision.expand(x.shape[1])[close.columns]
        share = share.index_put((close.rows, close.columns), exact + log_weights[close.rows])
        nearest, common = torch.zeros_like(nearest), 0.0
    top = share.detach().amax(0)
    share = torch.exp(torch.sub(share, top, out=here(share)), out=here(share))
    total = share.sum(0)
    log_prob = (
        total.log()
        + top
        + precision * (nearest - common - 0.5 * squares)
        - 0.5 * len(x) * (math.log(2 * math.pi) + 2 * sigma.log())
    )
    if log_prob_alone:
        return Posterior(log_prob, share, close, stored)
    share = torch.div(share, total, out=here(share))
    if len(x) >= _SEVERAL:
        share = torch.threshold(share, _LEAST_SHARE, 0.0, out=here(share))
    return Posterior(log_prob, share, close, stored)


def positive(sigma: Tensor) -> None:
    """Raise ValueError where point masses have no density."""
    given = values(sigma)
    if bool((given < _SMALLEST_SIGMA).any()):
        raise ValueError(
            f"sigma must be > 0 (at least {_SMALLEST_SIGMA:g}): an empirical distribution has no "
            f"density at 0; got {float(given.min()):g}"
        )


def about_a_centre(points: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, float]:
    """Points (N, n) less a centre, the centre (n,), and half the least squared norm."""
    centre, norms = weights @ points, half_squares(points)
    offset = float(centre @ centre)
    # The mean square is offset + spread: up to 16 spreads cost about one digit.
    if offset > 15 * (2 * float(weights @ norms) - offset):
        centred = points - centre
        return centred, centre, float(half_squares(centred).min())
    return points, torch.zeros_like(centre), float(norms.min())


def in_one(parts: list[tuple[Tensor, ...]]) -> list[Tensor]:
    """The same answers (.., b) of several parts of the columns as (.., B), laid out by columns."""
    if len(parts) == 1:
        return list(parts[0])
    return [
        torch.cat([part.movedim(-1, 0) for part in each]).movedim(0, -1)
        for each in zip(*parts, strict=True)
    ]
