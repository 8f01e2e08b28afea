"""Denoisers that samples alone allow: beside them one sees how good the scores of a network are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp.densities import Empirical
from projcomp.densities._meter import counting

MOST = 1000
"""Samples that they are made of, at most."""


class Rivals:
    """The best linear denoiser, and the samples' own, of samples (N, n).

    The linear one is that of a Gaussian with their mean and covariance, drawn towards a multiple of
    the identity by as much as the samples are few (Ledoit and Wolf 2004). The other takes the
    samples for all there are. Both are for points that are not among these samples.
    """

    def __init__(self, samples: Tensor):
        samples = samples[:MOST]
        self.bank = Empirical(samples)
        self.mean = samples.mean(0)
        rows = samples - self.mean
        count, dim = rows.shape
        squares, vectors = torch.linalg.eigh(rows @ rows.T)
        kept = squares > 1e-12 * squares[-1].clamp(min=1e-300)
        squares, vectors = squares[kept], vectors[:, kept]
        self.directions = rows.T @ (vectors / squares.sqrt())  # (n, r), orthonormal
        variances = squares / count
        level = float(variances.sum()) / dim
        total = float(variances.square().sum())
        apart = total / dim - level**2
        noise = (float(rows.square().sum(1).square().sum()) / count - total) / (count * dim)
        share = min(max(noise / apart, 0.0), 1.0) if apart > 0 else 1.0
        self.rest = share * level
        self.variances = (1.0 - share) * variances + self.rest

    def __len__(self):
        return 2

    def score(self, which: int, x: Tensor, sigma: float) -> Tensor:
        """(D(x) - x) / sigma^2 of the linear one (0) or that of the samples (1): (m, n)."""
        if which == 1:
            with counting(None):
                return self.bank.score(x, sigma)
        y = x - self.mean
        along = y @ self.directions
        gains = 1.0 / (self.variances + sigma**2) - 1.0 / (self.rest + sigma**2)
        return -y / (self.rest + sigma**2) - (along * gains) @ self.directions.T


def _best(losses: Tensor) -> int:
    """The row of losses (r, m) that is least on average: the first unless one is surely less."""
    gains = losses[0] - losses
    sure = gains.mean(1) - 2.0 * gains.std(1) / losses.shape[1] ** 0.5
    return int(torch.where(sure > 0, gains.mean(1), 0.0).argmax())


class Choice:
    """The best of a density's denoisers at one level: its own, or a rival's.

    For every second point it is a rival where that does better at the others, by more than two
    standard errors: so the choice owes nothing to the noise of the points that it is used for.
    best: its scores (m, n). short: by how much the density's own denoiser errs more than that,
    (m,), in nats for each unit of log sigma.
    """

    def __init__(self, rivals: Rivals | None, noise: Tensor, x: Tensor, sigma: float, own: Tensor):
        self.rivals, self.sigma = rivals, sigma
        scores = [own]
        scores += [rivals.score(j, x, sigma) for j in range(len(rivals))] if rivals else []
        # x_0 - D(x) is -sigma (noise + sigma s).
        losses = torch.stack([(noise + sigma * s).square().sum(-1) for s in scores])
        self.picks = [_best(losses[:, 1 - half :: 2]) for half in (0, 1)]
        self.best = self._merged([scores[pick] for pick in self.picks])
        self.short = losses[0] - self._merged([losses[pick] for pick in self.picks])

    def there(self, y: Tensor, own: Tensor) -> Tensor:
        """The scores of the chosen at other points (m, n), one for each of the first."""
        return self._merged(
            [
                own if pick == 0 else self.rivals.score(pick - 1, y, self.sigma)
                for pick in self.picks
            ]
        )

    @staticmethod
    def _merged(halves: Sequence[Tensor]) -> Tensor:
        """The even rows of one and the odd rows of the other."""
        merged = halves[0].clone()
        merged[1::2] = halves[1][1::2]
        return merged
