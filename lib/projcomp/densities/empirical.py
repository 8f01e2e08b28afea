"""The empirical distribution of stored points, exact at every sigma > 0."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from projcomp import _check
from projcomp._modes import keepable, plainly, values
from projcomp.densities._draw import categories
from projcomp.densities._near import near
from projcomp.densities._scratch import Scratch
from projcomp.densities._slabs import Slabs, slabs_of
from projcomp.densities.base import Density

_LOGITS = 1 << 25
"""Most entries of a (points, batch) matrix of logits; larger batches are cut."""
_SMALLEST_SIGMA = 1e-100


class Empirical(Density):
    """p = sum_j weights[j] delta(points[j]); p^sigma is a mixture of N(points[j], sigma**2 I).

    Made for thousands of points in thousands of dimensions (images): a call costs two matrix
    products and one (points, batch) matrix; no (batch, points, n) array is ever formed. Only points
    that lie far from the origin for their spread are copied, about their mean, to keep digits; and
    where they lie far from each other for the noise level, those that matter are looked at again.
    Where points agree in most coordinates (pictures on one floor), the others alone are multiplied.

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
        self._local: dict[torch.device, tuple] = {}
        self._prepare()

    @plainly
    def _prepare(self) -> None:
        """What every call needs: points about a centre, the centre, half norms, log weights."""
        points = self.points
        slabs = slabs_of(points)
        if slabs is not None:
            self._local[points.device] = (
                slabs, slabs.reference, slabs.half_norms(), self.weights.log()
            )  # fmt: skip
            return
        centre, centred = self.weights @ points, points
        half_norms = _half_norms(points)
        offset = float(centre @ centre)
        # The mean square is offset + spread: up to 16 spreads cost about one digit.
        if offset > 15 * (2 * float(self.weights @ half_norms) - offset):
            centred = points - centre
            half_norms = _half_norms(centred)
        else:
            centre = torch.zeros_like(centre)
        self._local[points.device] = (centred, centre, half_norms, self.weights.log())

    def __repr__(self):
        return f"Empirical(points={len(self.points)}, dim={self.dim})"

    def __getstate__(self):
        return {**self.__dict__, "_local": {}}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._prepare()

    def _log_prob(self, x, sigma):
        return self._posterior(x, sigma)[0]

    def _score(self, x, sigma):
        return self._log_prob_and_score(x, sigma)[1]

    def _log_prob_and_score(self, x, sigma):
        log_prob, share, close = self._posterior(x, sigma)
        if close is not None:
            pull = (close.anchor.T - x) + self._from_anchor(x.device, share, close)
            return log_prob, pull / sigma**2
        centred, centre, *_ = self._parameters(x.device)
        # From the centre, so that a large common offset costs no digits.
        return log_prob, _plus_mean(centre[:, None] - x, centred, share) / sigma**2

    def _denoise(self, x, sigma):
        _, share, close = self._posterior(x, sigma)
        if close is not None:
            return close.anchor.T + self._from_anchor(x.device, share, close)
        centred, centre, *_ = self._parameters(x.device)
        return _plus_mean(centre[:, None].expand_as(x), centred, share)

    def _from_anchor(self, device, share, close):
        """sum_j share_j (p_j - r), r each x's anchor: (n, B)."""
        centred, centre, *_ = self._parameters(device)
        none = share.new_zeros(len(close.rows))
        rest = share.index_put((close.rows, close.columns), none)
        far = (centre - close.anchor).T * rest.sum(0)
        return close.mean(share) + _plus_mean(far, centred, rest)

    def _posterior(self, x, sigma):
        """log p^sigma (B,), the posterior probability of each point, (N, B), and a `Near` or None.

        |x - p|^2 = |x - c|^2 - 2 (x - c).(p - c) + |p - c|^2 about the centre c: the first term is
        common to every point, so it stays out of the softmax and costs no digits there.
        """
        given = values(sigma)
        if bool((given < _SMALLEST_SIGMA).any()):
            raise ValueError(
                f"sigma must be > 0 (at least {_SMALLEST_SIGMA:g}): an empirical distribution has "
                f"no density at 0; got {float(given.min()):g}"
            )
        centred, centre, half_norms, log_weights = self._parameters(x.device)
        # One (N, B) array, overwritten unless gradients are recorded.
        here = Scratch(x, sigma).inplace
        offset = x - centre[:, None]
        precision = sigma**-2
        if isinstance(centred, Slabs):
            share = centred.products(offset, half_norms)
        else:
            share = torch.addmm(half_norms[:, None], centred, offset, beta=-1.0)
        squares = (offset * offset).sum(0)
        close = near(self.points, half_norms, squares, share, precision, log_weights)
        if close is None:
            nearest = share.detach().amax(0)
        else:
            nearest = share.gather(0, close.best[None])[0]
            squares = (x - close.anchor.T).square().sum(0)
        share = torch.sub(share, nearest, out=here(share))
        share = torch.mul(share, precision, out=here(share))
        share = torch.add(share, log_weights[:, None], out=here(share))
        if close is not None:
            exact = close.products(x) * precision.expand(x.shape[1])[close.columns]
            share = share.index_put((close.rows, close.columns), exact + log_weights[close.rows])
            nearest = torch.zeros_like(nearest)
        top = share.detach().amax(0)
        share = torch.exp(torch.sub(share, top, out=here(share)), out=here(share))
        total = share.sum(0)
        share = torch.div(share, total, out=here(share))
        log_prob = (
            total.log()
            + top
            + precision * (nearest - 0.5 * squares)
            - 0.5 * self.dim * (math.log(2 * math.pi) + 2 * sigma.log())
        )
        return log_prob, share, close

    def _parameters(self, device):
        if device in self._local:
            return self._local[device]
        moved = tuple(part.to(device) for part in self._local[self.points.device])
        if keepable():
            self._local[device] = moved
        return moved

    def _sample(self, n, generator, device):
        index = categories(self.weights.to(device), n, generator)
        return self.points.to(device)[index]

    def _chunk(self, device):
        return max(1, _LOGITS // len(self.points))


def _plus_mean(total: Tensor, centred: Tensor | Slabs, share: Tensor) -> Tensor:
    """total (n, B) + sum_j share_j centred_j: (n, B)."""
    if isinstance(centred, Slabs):
        return centred.add_mean(total, share)
    return torch.addmm(total, centred.T, share)


def _half_norms(points: Tensor) -> Tensor:
    """|p|^2 / 2 of each row, (N,), without a temporary of the size of `points`."""
    return 0.5 * torch.linalg.vector_norm(points, dim=1) ** 2
