"""How many objects, where, and how solid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from projcomp import _check
from projcomp._text import Brief


@dataclass(frozen=True, repr=False)
class Sighting(Brief):
    """What was found at each of L places of each of N pictures.

    opacity: (N, L), 1 for a solid object, 0 for bare floor, in between for a ghost, negative for
    its negative. match: (N, L) which of the place's reference pictures fits best. residue: (N, L)
    share of the difference to the floor at that place that the best fit leaves.
    """

    opacity: Tensor
    match: Tensor
    residue: Tensor

    def solid(self, low: float = 0.75, high: float = 1.3) -> Tensor:
        """(N, L) whether there is one solid object."""
        return solid(self.opacity, low, high)


def solid(opacity: Tensor, low: float = 0.75, high: float = 1.3, whole: float = 1.0) -> Tensor:
    """Whether opacities are those of one solid object: neither a ghost, nor drawn twice over.

    opacity: any shape; the answer has the same. low, high: the bounds, in solid objects. whole: the
    opacity that a solid object is seen as, 1 by `opacities` and about `WHOLE` by the counter of
    `count`: with it one criterion serves both. That counter learned from opacities up to 1.2, and
    is slow beyond: what is 1.5 it sees as 1.36 of a solid object.
    """
    share = opacity / whole
    return (share > low) & (share < high)


def opacities(pictures, references: list[Tensor], empty) -> Sighting:
    """The opacity of an object at each place, by its best match among reference pictures.

    At a place, the opacity is the least-squares coefficient of (picture - empty) on
    (reference - empty), over the pixels that the place's references touch, for the reference
    whose fit leaves least.

    Args:
        pictures: (N, n) flattened. references: for each place (R, n) pictures with one object
            there and nothing else. empty: (n,) the bare floor.

    Raises ValueError for shapes that do not match.
    """
    pictures, empty = _check.real("pictures", pictures), _check.real("empty", empty)
    if pictures.ndim != 2 or empty.shape != pictures.shape[1:]:
        raise ValueError(
            f"pictures and empty must have shapes (N, n) and (n,), got {tuple(pictures.shape)} "
            f"and {tuple(empty.shape)}"
        )
    change = pictures - empty
    found = []
    for index, reference in enumerate(references):
        reference = _check.real(f"references[{index}]", reference)
        if reference.ndim != 2 or reference.shape[1] != len(empty):
            raise ValueError(
                f"references[{index}] must have shape (R, {len(empty)}), got "
                f"{tuple(reference.shape)}"
            )
        shapes = reference - empty
        touched = shapes.abs().amax(0) > 0.02
        shapes, here = shapes[:, touched], change[:, touched]
        energy = shapes.square().sum(1).clamp(min=1e-12)
        products = here @ shapes.T
        gain = products.square() / energy
        best = gain.argmax(1)
        rows = torch.arange(len(pictures), device="cpu")
        coefficient = products[rows, best] / energy[best]
        left = 1.0 - gain[rows, best] / here.square().sum(1).clamp(min=1e-12)
        found.append((coefficient, best, left))
    return Sighting(*(torch.stack(column, 1) for column in zip(*found, strict=True)))
