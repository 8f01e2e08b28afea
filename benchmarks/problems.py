"""Compositions with exact twins, drawn from a seed: what `learned.py` trains networks on.

Every distribution is a mixture of templates. A point has three blocks of coordinates, M_b, M_1 and
M_2 (of a picture its middle, left and right part; in the plane there is no M_b), and every block
has a few templates. A table says how likely each choice of templates is; all have the same width.

A factorized problem chooses templates block by block, and concept i changes block i alone, in one
of the `CHANGES`. A broken one departs from that in one of the `BREAKS`, as strongly as chance has
it, and is drawn again until both defects, taken from the exact densities, reach `LEAST` nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import projcomp as pc
import torch
from torch import Tensor

DIMS = (2, 8, 64, 768, 3072)
EACH = 2
"""Problems of either kind for every dimension."""
CHANGES = ("weights", "one template", "shifted templates")
BREAKS = {
    "tied": "the templates of M_1 and M_2 are chosen together under p_b",
    "also": "a concept also changes the block of the other",
    "depends": "the template of a concept's block depends on the other block's",
    "sheared": "what stands in M_1 is added to M_2",
}
LEAST = 0.1
"""Nats that the defects of a broken problem reach."""
TRIES = 2000
"""Pairs of samples that a defect is taken from."""


BUILT, JUDGED = 0, 1


def seeded(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)


def uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def chosen(generator: torch.Generator, options: Sequence):
    return options[int(torch.randint(len(options), (), generator=generator))]


def weights(generator: torch.Generator, count: int) -> Tensor:
    """Uniform on the simplex, and then none below a fifth of an even share."""
    waits = -torch.rand(count, generator=generator, dtype=torch.float64).log()
    return 0.8 * waits / waits.sum() + 0.2 / count


@dataclass(frozen=True)
class Law:
    """A mixture of templates. table: (K_b, K_1, K_2), summing to one. templates: of M_b, M_1, M_2,
    each (K, size). shear: how much of M_1, less its mean under even weights, is added to M_2."""

    table: Tensor
    templates: tuple[Tensor, Tensor, Tensor]
    shear: float = 0.0

    def density(self, blocks: Sequence[Sequence[int]], width: float) -> pc.GaussianMixture:
        """The exact density; blocks: of M_b, M_1, M_2."""
        picks = torch.cartesian_prod(*(torch.arange(k) for k in self.table.shape))
        means = torch.zeros(len(picks), sum(map(len, blocks)), dtype=torch.float64)
        for block, templates, pick in zip(blocks, self.templates, picks.T, strict=True):
            means[:, block] = templates[pick]
        if self.shear:
            left = self.templates[1]
            means[:, blocks[2]] += self.shear * (left - left.mean(0))[picks[:, 1]]
        likely = self.table.reshape(-1)
        kept = likely > 0
        return pc.GaussianMixture(likely[kept], means[kept], width**2)

    def share(self, block: int) -> Tensor:
        """The weights of the templates of one block."""
        return self.table.sum([axis for axis in range(3) if axis != block])

    def with_block(self, block: int, given: Tensor, templates: Tensor) -> Law:
        """The same law but for one block, which becomes independent of the rest."""
        rest = self.table.sum(block, keepdim=True)
        shape = [len(given) if axis == block else 1 for axis in range(3)]
        changed = tuple(templates if j == block else old for j, old in enumerate(self.templates))
        return replace(self, table=rest * given.reshape(shape), templates=changed)

    def with_tie(self, strength: float) -> Law:
        """Template k of M_1 calls for template k of M_2 (counted round), with this probability.

        The share of M_1's templates stays.
        """
        first, second = self.share(1), self.share(2)
        together = torch.zeros(len(first), len(second), dtype=torch.float64)
        for k, likely in enumerate(first):
            together[k, k % len(second)] = likely
        pairs = (1 - strength) * first[:, None] * second + strength * together
        return replace(self, table=self.share(0)[:, None, None] * pairs)

    def with_answer(self, block: int, strength: float) -> Law:
        """The template of one block answers to the other's, whose share stays, as in `with_tie`."""
        first, second = self.share(block), self.share(3 - block)
        together = torch.zeros(len(second), len(first), dtype=torch.float64)
        for k, likely in enumerate(second):
            together[k, k % len(first)] = likely
        pairs = (1 - strength) * second[:, None] * first + strength * together
        pairs = pairs.T if block == 1 else pairs
        return replace(self, table=self.share(0)[:, None, None] * pairs)


@dataclass(frozen=True)
class Problem:
    """A background and two concepts, exact.

    kind: "factorized", or one of `BREAKS`. blocks: M_b, M_1, M_2; without M_b in the plane.
    densities: p_b, p_1, p_2. width: standard deviation about a template.
    """

    name: str
    kind: str
    blocks: list[list[int]]
    densities: list[pc.GaussianMixture]
    width: float

    @property
    def dim(self) -> int:
        return self.densities[0].dim

    @property
    def factorized(self) -> bool:
        return self.kind == "factorized"

    @cached_property
    def sigmas(self) -> Tensor:
        """Noise levels, decreasing: from ten times the reach of the data to a quarter of the width.

        The reach is the largest distance of a template from the mean of all.
        """
        means = torch.cat([density.means for density in self.densities])
        reach = float((means - means.mean(0)).norm(dim=1).max())
        high, low = 10 * (reach + self.width), self.width / 4
        return torch.linspace(math.log(high), math.log(low), 25, dtype=torch.float64).exp()

    def exchange(self) -> list[pc.diagnostics.Estimate]:
        """The exchange defect of each concept, in nats: none if and only if it is factorized.

        J_i = E log p_i(x) p_b(x') / (p_i(y) p_b(y')) over independent x ~ p_i and x' ~ p_b, where
        y and y' are x and x' with what lies outside of M_i exchanged.
        """
        background, *concepts = self.densities
        found = []
        for block, concept in zip(self.blocks[-2:], concepts, strict=True):
            generator = seeded(1)
            x, other = (p.sample(TRIES, generator=generator) for p in (concept, background))
            y, back = other.clone(), x.clone()
            y[:, block], back[:, block] = x[:, block], other[:, block]
            gain = concept.log_prob(x) + background.log_prob(other)
            gain = gain - concept.log_prob(y) - background.log_prob(back)
            found.append(pc.diagnostics.Estimate(*pc.metrics.mean_and_error(gain), TRIES))
        return found

    def missed(self) -> float:
        """KL(W || C) in nats, of the composition C from the law W that was wanted.

        W has the block M_i of concept i, and M_b of p_b, independent of each other. What samples
        of W can't see of C makes it come out smaller.
        """
        background, *concepts = self.densities
        owners = [background, *concepts][-len(self.blocks) :]
        wanted = pc.BlockProduct(
            [p.marginal(block) for p, block in zip(owners, self.blocks, strict=True)], self.blocks
        )
        x = wanted.sample(TRIES, generator=seeded(2))
        ratio = sum(p.log_prob(x) for p in concepts) - background.log_prob(x) - wanted.log_prob(x)
        return float(torch.logsumexp(ratio, 0) - math.log(TRIES) - ratio.mean())


def blocks_of(dim: int) -> list[list[int]]:
    """M_b, M_1, M_2: middle, left and right; M_1 and M_2 have the same size."""
    if dim < 768:
        side = round(dim / 3) if dim > 2 else 1
        parts = list(range(side, dim - side)), list(range(side)), list(range(dim - side, dim))
        return [list(part) for part in parts]
    size = math.isqrt(dim // 3)
    pixels, side = torch.arange(dim).reshape(3, size, size), round(size / 3)
    parts = pixels[..., side:-side], pixels[..., :side], pixels[..., -side:]
    return [part.reshape(-1).tolist() for part in parts]


def fields(generator: torch.Generator, count: int, dim: int) -> Tensor:
    """(count, dim), of unit mean square over all: independent coordinates, or smooth pictures."""
    if dim < 768:
        return torch.randn(count, dim, generator=generator, dtype=torch.float64)
    size = math.isqrt(dim // 3)
    coarse = torch.randn(count, 3, 5, 5, generator=generator, dtype=torch.float64)
    fine = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").reshape(count, dim)
    return fine / fine.square().mean().sqrt()


def drawn(name: str, dim: int, kind: str, generator: torch.Generator) -> Problem:
    """A problem whose every number is random; in mean square a coordinate is about one."""
    blocks = blocks_of(dim)
    counts = [chosen(generator, (1, 2) if j == 0 else (2, 3)) for j in range(3)]
    apart = uniform(generator, 0.5, 0.9)  # how much of a coordinate differs among templates
    width = uniform(generator, 0.1, 0.3)
    common = math.sqrt(1 - apart**2) * fields(generator, 1, dim)

    def templates(block: int, count: int) -> Tensor:
        return (common + apart * fields(generator, count, dim))[:, blocks[block]]

    def changed(law: Law, block: int) -> Law:
        own, found, way = law.share(block), law.templates[block], chosen(generator, CHANGES)
        if way == "weights":
            own = weights(generator, len(own))
        elif way == "one template":
            own = torch.eye(len(own), dtype=torch.float64)[chosen(generator, range(len(own)))]
        else:
            away = uniform(generator, 0.3, 1.0) * apart
            found = found + away * fields(generator, 1, dim)[:, blocks[block]]
        return law.with_block(block, own, found)

    shares = [weights(generator, count) for count in counts]
    table = torch.einsum("i,j,k->ijk", *shares)
    parts = tuple(templates(block, count) for block, count in enumerate(counts))
    background = Law(table, parts, uniform(generator, 0.3, 1.0) if kind == "sheared" else 0.0)
    if kind == "tied":
        background = background.with_tie(uniform(generator, 0.5, 1.0))
    laws = [background, changed(background, 1), changed(background, 2)]
    faulty = chosen(generator, ((1,), (2,), (1, 2)))
    for index in faulty:
        if kind == "also":
            laws[index] = changed(laws[index], 3 - index)
        elif kind == "depends":
            laws[index] = laws[index].with_answer(index, uniform(generator, 0.5, 1.0))
    densities = [law.density(blocks, width) for law in laws]
    return Problem(name, kind, [block for block in blocks if block], densities, width)


def broken_enough(problem: Problem) -> bool:
    """Of a concept the exchange defect, and of C the distance from what was wanted: `LEAST`."""
    return max(j.value for j in problem.exchange()) >= LEAST and problem.missed() >= LEAST


def problems(dims: Sequence[int] = DIMS, draw: int = JUDGED) -> list[Problem]:
    """`EACH` factorized and as many broken ones for every dimension, from fixed seeds.

    draw: which ones. The diagnosis was built on those of `BUILT`, and is judged by those of
    `JUDGED`, which nobody had seen before it was done.
    """
    found, kinds = [], list(BREAKS)
    for place, dim in enumerate(DIMS):
        if dim not in dims:
            continue
        for turn in range(EACH):
            for kind in ("factorized", kinds[(EACH * place + turn) % len(kinds)]):
                name = f"{dim}-{kind}" + (f"-{turn + 1}" if kind == "factorized" else "")
                generator = seeded(10**7 * draw + 1000 * dim + 10 * turn + (kind == "factorized"))
                problem = drawn(name, dim, kind, generator)
                while not (problem.factorized or broken_enough(problem)):
                    problem = drawn(name, dim, kind, generator)
                found.append(problem)
    return found
