"""Exact scores of scenes: pictures whose places hold an object or not, in any joint law."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import Density, Empirical
from projcomp.densities._draw import categories
from projcomp.densities.blocks import density_list, in_order, partition

_MOST_PLACES = 12


class Presences(Density):
    """Pictures with L places, each of which holds an object or is bare.

    Given which places hold one, the places are independent: place j has the law `on[j]` with an
    object and `off[j]` without. Which do is drawn from 2^L probabilities. With r_j = on_j / off_j,

        p(x) = prod_j off_j(x_j) * M(r),   M(r) = sum_S P(S) prod_{j in S} r_j(x_j),

    and noise acts block by block, so this is exact at every sigma at which the parts are.

    Args:
        on, off: densities of the places, L each. blocks: their coordinates, a partition.
        log_chances: (2^L,) log probabilities of the subsets S; bit j of the index says whether j
            is in S. `log_chances_of` makes them from a rule.

    Raises ValueError for more than 12 places, sizes that do not match, or chances that do not sum
    to one.
    """

    def __init__(self, on: Sequence[Density], off: Sequence[Density], blocks, log_chances: Tensor):
        on, off = density_list("on", on), density_list("off", off)
        places = len(on)
        if places > _MOST_PLACES:
            raise ValueError(f"on must hold at most {_MOST_PLACES} densities, got {places}")
        dims = [density.dim for density in on]
        if [density.dim for density in off] != dims:
            raise ValueError(f"off must have the dimensions of on, {dims}")
        super().__init__(sum(dims))
        self.blocks = partition("blocks", blocks, self.dim)
        if [len(block) for block in self.blocks] != dims:
            raise ValueError(f"blocks must have the sizes of on, {dims}")
        log_chances = torch.as_tensor(log_chances, dtype=torch.float64, device="cpu")
        if log_chances.shape != (2**places,):
            raise ValueError(
                f"log_chances must have shape ({2**places},), got {tuple(log_chances.shape)}"
            )
        total = float(torch.logsumexp(log_chances, 0).exp())
        if not abs(total - 1.0) < 1e-6:
            raise ValueError(f"log_chances must be of probabilities that sum to one, got {total:g}")
        self.on, self.off = on, off
        self.subsets = subsets_of(places)
        self.log_chances = log_chances
        self._terms = [(log_chances, 1.0)]

    def composed_with(self, concepts: Sequence[Presences]) -> Presences:
        """C[self, concepts] in closed form: the parts that all share are looked at once.

        It has no sampler of its own. Raises ValueError unless the concepts have the very parts
        and blocks of this density.
        """
        for index, concept in enumerate(density_list("concepts", concepts)):
            shared = isinstance(concept, Presences) and concept.blocks == self.blocks
            if not shared or concept.on != self.on or concept.off != self.off:
                raise ValueError(f"concepts[{index}] must share on, off and blocks")
        whole = copy.copy(self)
        whole._terms = [(self.log_chances, 1.0 - len(concepts))]
        whole._terms += [(concept.log_chances, 1.0) for concept in concepts]
        return whole

    def presence(self, x, sigma) -> Tensor:
        """(..., L) how much of an object each place holds in the denoised picture.

        For a distribution, the posterior probability of an object; for a composition the same
        combination of probabilities as of scores, which need not lie between 0 and 1.
        """
        points, sigma, shape, dtype = self._flatten(x, sigma)
        parts = self._look(points, sigma)
        return self._held(parts).T.to(dtype).reshape(*shape, -1)

    def normalisable(self, sigma=0.0):
        return True if len(self._terms) == 1 else None

    def _look(self, x: Tensor, sigma):
        """Log densities and scores of every place with an object and without."""
        pairs = zip(self.on, self.off, self.blocks, strict=True)
        return [
            (p._log_prob_and_score(x[block], sigma), q._log_prob_and_score(x[block], sigma))
            for p, q, block in pairs
        ]

    def _log_sums(self, parts) -> Tensor:
        """log P(S) prod r for each term: (terms, 2^L, B)."""
        ratios = self.subsets @ torch.stack([full[0] - bare[0] for full, bare in parts])
        return torch.stack([chances[:, None] + ratios for chances, _ in self._terms])

    def _held(self, parts) -> Tensor:
        shares = torch.softmax(self._log_sums(parts), 1)
        exponents = shares.new_tensor([exponent for _, exponent in self._terms])
        return self.subsets.T @ torch.tensordot(exponents, shares, 1)

    def _log_prob(self, x, sigma):
        parts = self._look(x, sigma)
        sums = torch.logsumexp(self._log_sums(parts), 1)
        exponents = sums.new_tensor([exponent for _, exponent in self._terms])
        return sum(bare[0] for _, bare in parts) + exponents @ sums

    def _score(self, x, sigma):
        parts = self._look(x, sigma)
        rows = [
            share * full[1] + (1 - share) * bare[1]
            for share, (full, bare) in zip(self._held(parts), parts, strict=True)
        ]
        return in_order(rows, self.blocks)

    def _sample(self, n, generator, device):
        if len(self._terms) > 1:
            return super()._sample(n, generator, device)
        chosen = categories(self.log_chances.exp().to(device), n, generator)
        there = self.subsets.to(device)[chosen] > 0
        rows = []
        for j in range(len(self.blocks)):
            full = self.on[j]._sample(n, generator, device)
            bare = self.off[j]._sample(n, generator, device)
            rows.append(torch.where(there[:, j, None], full, bare).T)
        return in_order(rows, self.blocks).T


def subsets_of(places: int) -> Tensor:
    """(2^L, L) of zeros and ones: row S has a one at j where bit j of S is set."""
    index, bits = (torch.arange(count, device="cpu") for count in (2**places, places))
    return ((index[:, None] >> bits) & 1).to(torch.float64)


def log_chances_of(
    places: int, named: int | None = None, *, rate: float | None = None, most: int | None = None
) -> Tensor:
    """log P(S) of the rules of `cluttered`: independent with `rate`, or 1 to `most` objects."""
    places = _check.count("places", places)
    if (rate is None) == (most is None):
        raise ValueError(f"give exactly one of rate and most, got rate={rate} and most={most}")
    subsets = subsets_of(places)
    counts = subsets.sum(1)
    if rate is not None:
        rate = _check.number("rate", rate)
        if not 0 <= rate <= 1:
            raise ValueError(f"rate must lie in [0, 1], got {rate:g}")
        free = counts if named is None else (counts - 1).clamp(min=0)
        chances = rate**free * (1 - rate) ** (places - counts)
    else:
        most = _check.count("most", most)
        if most > places:
            raise ValueError(f"most must be at most {places}, got {most}")
        chances = ((counts >= 1) & (counts <= most)).to(torch.float64)
    if named is not None:
        chances = chances * subsets[:, named]
    if rate is None:  # every count as likely as another, and all subsets of one count
        per_count = chances.new_zeros(places + 1).index_add(0, counts.long(), chances)
        chances = chances / per_count[counts.long()].clamp(min=1.0)
    return (chances / chances.sum()).log()


def divided(references: list[Tensor], empty: Tensor) -> list[list[int]]:
    """Coordinates for each place: every one goes to the place whose pictures change it most."""
    change = torch.stack([(bank - empty).abs().amax(0) for bank in references])
    owner = change.argmax(0)
    return [(owner == j).nonzero()[:, 0].tolist() for j in range(len(references))]


def clutter_parts(references: list[Tensor], empty: Tensor, blocks) -> tuple[list, list]:
    """Laws of each block with an object (its pictures, clipped) and without: (on, off)."""
    on = [Empirical(bank[:, block]) for bank, block in zip(references, blocks, strict=True)]
    off = [Empirical(empty[None, block]) for block in blocks]
    return on, off
