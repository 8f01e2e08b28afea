"""What draws of Markov chains are worth, and whether their chains have met.

Draws are (moves, n, dim): after each move, every one of n chains. The estimators are those of
Vehtari et al. (2021), "Rank-normalization, folding, and localization: an improved R-hat"; the
numbers are those of ArviZ, but for few moves, where no lags are left to sum over.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from projcomp import _check

KINDS = ("bulk", "tail", "mean")
FEWEST = 30
"""Chains from which `balance` has a standard error to be trusted."""
_TAIL = 0.05
_FEW = 10
"""Moves below which a half-chain has no lags past the first pair."""


def effective_samples(draws, kind: str = "bulk") -> float:
    """How many independent draws would do as well as draws (moves, n, dim) of n chains.

    ``"bulk"``  for the middle of the distribution: of the rank-normalised draws.
    ``"tail"``  for its 5% and 95% quantiles, the worse of the two.
    ``"mean"``  for the mean, of the draws as they are.

    Chains are split in two, and their autocorrelations summed over Geyer's initial positive and
    monotone sequence of pairs, lags (0, 1), (2, 3), .. (Geyer 1992; Vehtari et al. 2021, equation
    10). Negative ones may make it more than n moves, up to n moves log10(n moves). The worst
    coordinate counts; one that is constant is worth all its draws.

    Below 10 moves a half-chain has no second pair of lags, and autocorrelations within short ones
    are biased, by about 2 / moves. So there, and for n > moves^2 / 2 chains, whose means tell more,
    it is n times the variance among chains at one move over that of the chains' means. That is n
    for a single move or chains that stand still, and 1 for a single chain of fewer than 10 moves,
    or copies of one, which show nothing of the spread.

    Raises ValueError for draws that are not finite or not (moves, n, dim), or another kind.
    """
    draws = _draws(draws)
    _check.choice("kind", kind, KINDS)
    return float(_sizes(draws, kind).min())


def r_hat(draws) -> float:
    """R-hat of draws (moves, n, dim): near 1 where the chains agree, in place and in spread.

    The larger one of rank-normalised split R-hat for the draws and for their distances from the
    median (Vehtari et al. 2021, section 3); the largest over coordinates. With two or three moves
    chains are not split. Infinite where nothing can be compared: for a single move, for a single
    chain of fewer than 4, and for chains that stand still at different points; 1 for a constant.

    Raises ValueError for draws that are not finite or not (moves, n, dim).
    """
    return _r_hat(_Ranks(_split(_draws(draws))))


def summary(draws: Tensor) -> tuple[float, float]:
    """`effective_samples` and `r_hat` of the same draws, which are sorted once for both."""
    draws = _draws(draws)
    moves, n, _ = draws.shape
    ranks = _Ranks(_split(draws))
    scores = ranks.scores()
    if not _few(draws):
        sizes = _by_lags(scores)
    elif moves < 4 or moves % 2 == 0:
        sizes = _by_means(_whole(scores, n))
    else:  # the split has left a move out
        sizes = _sizes(draws, "bulk")
    return float(sizes.min()), _r_hat(ranks, scores)


def mean_with_error(draws) -> tuple[Tensor, Tensor]:
    """The mean of draws (moves, n, dim) and its Monte Carlo standard error, both (dim,).

    The error is the standard deviation over the root of `effective_samples` of kind "mean", for
    each coordinate. Apply it to f(draws) for the mean of f. Raises ValueError as `r_hat`.
    """
    original = _checked(draws)
    scaled, power = _scaled(original)
    deviation = scaled.flatten(0, 1).std(0, correction=1 if scaled[..., 0].numel() > 1 else 0)
    error = deviation / _sizes(scaled, "mean").sqrt()
    return original.mean((0, 1)), torch.ldexp(error, power)


def balance(x: Tensor, score: Tensor) -> tuple[float, float]:
    """-mean(score . (x - mean x)) / dim over points (n, dim), and its standard error.

    It is 1 in equilibrium, whatever modes the density has and however they are shared: Stein's
    identity, by parts E[s . (x - c)] = -dim for every c. Points that lag behind a density which
    becomes narrower have scores that pull them back, and far more than 1; points bunched in the
    middle have less. The error is no less than that of a Gaussian, sqrt(2 / n dim).
    """
    n, dim = x.shape
    terms = -torch.linalg.vecdot(score, x - x.mean(0)) / dim
    value = float(terms.mean()) * n / max(n - 1, 1)
    error = float(terms.std()) / math.sqrt(n) if n > 1 else math.inf
    return value, max(error, math.sqrt(2.0 / (n * dim)))


# -- the parts -----------------------------------------------------------------------------------


def _checked(draws) -> Tensor:
    draws = _check.real("draws", draws).detach()
    if draws.ndim != 3 or 0 in draws.shape:
        raise ValueError(f"draws must have shape (moves, n, dim), got {tuple(draws.shape)}")
    return draws


def _draws(draws) -> Tensor:
    return _scaled(_checked(draws))[0]


def _scaled(draws: Tensor) -> tuple[Tensor, Tensor]:
    """Each coordinate over a power of two, to be below 1; and the powers, (dim,)."""
    power = torch.frexp(draws.abs().amax((0, 1))).exponent.clamp(min=-1000)
    return torch.ldexp(draws, -power), power


def _split(draws: Tensor) -> Tensor:
    """(moves // 2, 2 n, dim): first and last halves, without the move in the middle if odd.

    Fewer than 4 moves stay as they are.
    """
    half = len(draws) // 2
    return draws if len(draws) < 4 else torch.cat([draws[:half], draws[-half:]], 1)


def _whole(halves: Tensor, n: int) -> Tensor:
    """What `_split` took apart."""
    return torch.cat(halves.split(n, 1))


class _Ranks:
    """The order of all draws (moves, n, dim) of each coordinate, and normal scores by it."""

    def __init__(self, draws: Tensor):
        self.shape, self.device = draws.shape, draws.device
        flat = draws.flatten(0, 1).T.contiguous().cpu()
        self.order = _order(flat, "quicksort")
        self.ordered = flat.gather(-1, self.order)

    def scores(self) -> Tensor:
        return self._scores(self.ordered, self.order)

    def folded(self) -> Tensor:
        """Scores of the distances from the median."""
        count = self.ordered.shape[-1]
        median = self.ordered[:, [(count - 1) // 2, count // 2]].mean(-1, keepdim=True)
        distances = (self.ordered - median).abs()
        order = _order(distances, "stable")
        return self._scores(distances.gather(-1, order), self.order.gather(-1, order))

    def _scores(self, ordered: Tensor, order: Tensor) -> Tensor:
        """Normal quantiles of ranks, where ties share their mean rank; laid out as the draws."""
        count = ordered.shape[-1]
        tied = ordered[:, 1:] == ordered[:, :-1]
        if bool(tied.any()):
            ranks = torch.stack([_mean_ranks(row) for row in tied])
        else:
            ranks = torch.arange(1, count + 1, dtype=torch.float64, device=ordered.device)
        scores = torch.special.ndtri((ranks - 0.375) / (count + 0.25)).expand_as(ordered)
        scores = torch.empty_like(ordered).scatter_(-1, order, scores)
        return scores.T.reshape(self.shape).to(self.device)


def _order(rows: Tensor, kind: str) -> Tensor:
    """Permutations that sort the rows; NumPy's merge of what is in order is linear."""
    return torch.from_numpy(np.argsort(rows.numpy(), -1, kind=kind))


def _mean_ranks(tied: Tensor) -> Tensor:
    """Ranks from 1 in a sorted row, (count,), whose neighbours are `tied`, (count - 1,)."""
    group = torch.cat([tied.new_zeros(1, dtype=torch.long), (~tied).cumsum(0)])
    sizes = torch.bincount(group).to(torch.float64)
    return (sizes.cumsum(0) - 0.5 * (sizes - 1.0))[group]


def _sizes(draws: Tensor, kind: str) -> Tensor:
    """Effective sample sizes of the coordinates, (dim,)."""
    if kind == "tail":
        ordered = _Ranks(draws).ordered.to(draws.device)
        places = [int(q * (ordered.shape[-1] - 1)) for q in (_TAIL, 1.0 - _TAIL)]
        below = [(draws <= edge).to(torch.float64) for edge in ordered[:, places].T]
        return _sizes(torch.cat(below, -1), "mean").reshape(2, -1).amin(0)
    few = _few(draws)
    part = draws if few else _split(draws)
    part = _Ranks(part).scores() if kind == "bulk" else part - part.mean((0, 1))
    return _by_means(part) if few else _by_lags(part)


def _few(draws: Tensor) -> bool:
    """Whether autocorrelations, biased by about 2 / moves, say less than n chains' means."""
    moves, n, _ = draws.shape
    return moves < _FEW or 2 * n > moves**2


def _by_lags(draws: Tensor) -> Tensor:
    """Sizes (dim,) from the autocorrelations of chains (moves, n, dim).

    Index by index what ArviZ and Stan do, for all coordinates at once.
    """
    moves, n, _ = draws.shape
    means = draws.mean(0)
    centred = (draws - means).permute(2, 1, 0).contiguous()
    power = torch.fft.rfft(centred, 2 * moves).abs().square().mean(1)
    covariance = torch.fft.irfft(power, 2 * moves)[:, :moves].T / moves
    within = covariance[0] * moves / (moves - 1)
    constant = _constant(draws)
    total = torch.where(constant, 1.0, covariance[0] + means.var(0))
    correlation = 1.0 - (within - covariance) / total
    correlation[0] = 1.0

    count = (moves - 1) // 2
    pairs = correlation[: 2 * count].reshape(count, 2, -1)
    sums = pairs.sum(1)
    last = (sums[:-1] > 0).cumprod(0).sum(0)
    final, even = (values.gather(0, last[None])[0] for values in (sums, pairs[:, 0]))
    before = torch.arange(count, device=draws.device)[:, None] < last
    tau = 2.0 * torch.where(before, sums.cummin(0).values, 0.0).sum(0) - 1.0
    tau = tau + torch.where((final >= 0) | (even > 0), even, 0.0)
    size = float(n * moves)
    return torch.where(constant, size, size / tau.clamp(min=1.0 / math.log10(size)))


def _by_means(draws: Tensor) -> Tensor:
    """Sizes (dim,): n times the variance among chains at a move over that of the chains' means."""
    _, n, _ = draws.shape
    size, constant = float(draws[..., 0].numel()), _constant(draws)
    spread = (draws - draws.mean(1, keepdim=True)).square().mean((0, 1))
    of_means = draws.mean(0).var(0, correction=0)
    alone = spread <= 1e-24 * draws.square().mean((0, 1))  # one chain, or copies of one
    sizes = torch.where(alone, 1.0, n * spread / of_means.clamp(min=1e-300))
    return torch.where(constant, size, sizes.clamp(max=size * max(1.0, math.log10(size))))


def _r_hat(ranks: _Ranks, scores: Tensor | None = None) -> float:
    scores = ranks.scores() if scores is None else scores
    return float(torch.maximum(_ratio(scores), _ratio(ranks.folded())).max())


def _ratio(draws: Tensor) -> Tensor:
    """R-hat of draws (moves, n, dim) as they are: (dim,)."""
    moves, n, _ = draws.shape
    constant = _constant(draws)
    if moves < 2 or n < 2:
        return torch.where(constant, 1.0, torch.inf)
    means = draws.mean(0)
    within = (draws - means).square().sum((0, 1)) / (n * (moves - 1))
    between = moves * means.var(0)
    ratio = ((between / within + moves - 1) / moves).sqrt()
    ratio = torch.where(within <= 1e-24 * between, torch.inf, ratio)
    return torch.where(constant, 1.0, ratio)


def _constant(draws: Tensor) -> Tensor:
    low, high = draws.flatten(0, 1).aminmax(dim=0)
    return low == high
