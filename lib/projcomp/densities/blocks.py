"""Products over coordinate blocks: x|_{M_1}, x|_{M_2}, ... independent of each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from projcomp.densities.base import Density
from projcomp.densities.mixtures import GaussianMixture, coordinate_block


class BlockProduct(Density):
    """p(x) = prod_j parts[j](x|_{blocks[j]}), over a partition of the coordinates.

    Noise acts coordinate by coordinate, so p^sigma is the product of the noised parts: exact at
    every sigma at which the parts are.

    Args:
        parts: densities.
        blocks: index lists, one for each part, a partition of range(n); None puts the parts one
            after another.

    Raises ValueError where blocks overlap, leave a coordinate out, or have not the parts' sizes.
    """

    def __init__(self, parts: Sequence[Density], blocks: Sequence[Sequence[int]] | None = None):
        parts = density_list("parts", parts)
        dim = sum(part.dim for part in parts)
        if blocks is None:
            order = iter(range(dim))
            blocks = [[next(order) for _ in range(part.dim)] for part in parts]
        blocks = partition("blocks", blocks, dim)
        sizes = [len(block) for block in blocks]
        if sizes != [part.dim for part in parts]:
            raise ValueError(
                f"blocks must have the sizes of the parts, {[part.dim for part in parts]}, "
                f"got {sizes}"
            )
        super().__init__(dim)
        self.parts = tuple(parts)
        self.blocks = tuple(blocks)

    def __repr__(self):
        inside = ", ".join(f"{b}: {p!r}" for b, p in zip(self.blocks, self.parts, strict=True))
        return f"BlockProduct({inside})"

    def mixture(self) -> GaussianMixture:
        """The same distribution as one Gaussian mixture: every combination of components.

        Raises ValueError if a part is not a GaussianMixture.
        """
        for part in self.parts:
            if not isinstance(part, GaussianMixture):
                raise ValueError(f"parts must all be Gaussian mixtures, got {part!r}")
        weights = self.parts[0].weights.new_ones(1)
        means = weights.new_zeros(1, self.dim)
        covariances = weights.new_zeros(1, self.dim, self.dim)
        for part, block in zip(self.parts, self.blocks, strict=True):
            k, old = part.components, len(weights)
            weights = (weights[:, None] * part.weights).reshape(-1)
            means = means.repeat_interleave(k, 0)
            covariances = covariances.repeat_interleave(k, 0)
            means[:, block] = part.means.repeat(old, 1)
            index = torch.tensor(block, device=means.device)
            rows, columns = torch.meshgrid(index, index, indexing="ij")
            covariances[:, rows, columns] = part.covariances.repeat(old, 1, 1)
        return GaussianMixture(weights, means, covariances)

    def _log_prob(self, x, sigma):
        return sum(part._log_prob(x[block], sigma) for part, block in self._pairs())

    def _score(self, x, sigma):
        return in_order(
            [part._score(x[block], sigma) for part, block in self._pairs()], self.blocks
        )

    def _log_prob_and_score(self, x, sigma):
        pairs = [part._log_prob_and_score(x[block], sigma) for part, block in self._pairs()]
        return sum(log_prob for log_prob, _ in pairs), in_order(
            [score for _, score in pairs], self.blocks
        )

    def _denoise(self, x, sigma):
        return in_order(
            [part._denoise(x[block], sigma) for part, block in self._pairs()], self.blocks
        )

    def _laplacian(self, x, sigma):
        return sum(part._laplacian(x[block], sigma) for part, block in self._pairs())

    def _interaction(self, x, sigma):
        found = [part._interaction(x[block], sigma) for part, block in self._pairs()]
        found = [value for value in found if value is not None]
        return sum(found) if found else None

    def _sample(self, n, generator, device):
        drawn = [part._sample(n, generator, device).T for part in self.parts]
        return in_order(drawn, self.blocks).T

    @property
    def exponent(self) -> float:
        """That of the parts where they agree; otherwise there is no common one, and it is 1."""
        return common_exponent(self.parts)

    def normalisable(self, sigma=0.0):
        answers = [part.normalisable(sigma) for part in self.parts]
        return False if False in answers else None if None in answers else True

    def _pairs(self):
        return zip(self.parts, self.blocks, strict=True)

    def _chunk(self, device):
        return min(part._chunk(device) for part in self.parts)


def in_order(rows: Sequence[Tensor], blocks: Sequence[Sequence[int]]) -> Tensor:
    """Rows of the blocks, one (n_j, B) for each, in the order of the coordinates: (n, B)."""
    order = [index for block in blocks for index in block]
    place = sorted(range(len(order)), key=order.__getitem__)
    return torch.cat(list(rows), 0)[torch.tensor(place, device=rows[0].device)]


def common_exponent(parts: Iterable[Density]) -> float:
    """The exponent of all parts, or 1 where they have different ones."""
    found = {part.exponent for part in parts}
    return found.pop() if len(found) == 1 else 1.0


def density_list(name: str, densities) -> list[Density]:
    """`densities` as a list of at least one Density."""
    if isinstance(densities, Density) or not isinstance(densities, Sequence):
        raise ValueError(f"{name} must be a sequence of densities, got {densities!r}")
    if not densities:
        raise ValueError(f"{name} must hold at least one density, got none")
    for index, density in enumerate(densities):
        if not isinstance(density, Density):
            raise ValueError(f"{name}[{index}] must be a Density, got {density!r}")
    return list(densities)


def one_space(name: str, densities: Sequence[Density], dim: int, whose: str) -> None:
    """Raise ValueError unless all densities live on R^dim, as `whose` ("the background") does."""
    for index, density in enumerate(densities):
        if density.dim != dim:
            raise ValueError(
                f"{name}[{index}] must live on R^{dim} as {whose} does, got R^{density.dim}"
            )


def partition(name: str, blocks, dim: int) -> list[list[int]]:
    """`blocks` as index lists that partition range(dim)."""
    if not isinstance(blocks, Iterable):
        raise ValueError(f"{name} must be a sequence of index lists, got {blocks!r}")
    blocks = [coordinate_block(f"{name}[{j}]", block, dim) for j, block in enumerate(blocks)]
    seen: dict[int, int] = {}
    for j, block in enumerate(blocks):
        for index in block:
            if index in seen:
                raise ValueError(
                    f"{name} must not overlap, but coordinate {index} is in {name}[{seen[index]}] "
                    f"and in {name}[{j}]"
                )
            seen[index] = j
    missing = sorted(set(range(dim)) - set(seen))
    if missing:
        raise ValueError(f"{name} must cover all {dim} coordinates, but miss {missing}")
    return blocks
