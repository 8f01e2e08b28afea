"""Content as the low bands of a cosine basis, texture as the high ones."""

from __future__ import annotations

import torch
from torch import Tensor

from projcomp import _check
from projcomp.densities import BlockProduct, Density, Empirical, Pushforward, Turn


def cosines(pixels: int, low: int) -> Tensor:
    """The low cosines of pictures, orthonormal, as columns: (pixels^2, low^2), float64.

    Products of the first `low` vectors of the discrete cosine transform of either axis (type II;
    Ahmed, Natarajan and Rao 1974), the constant picture first.

    Raises ValueError unless 1 <= low <= pixels.
    """
    pixels, low = _check.count("pixels", pixels), _check.count("low", low)
    if low > pixels:
        raise ValueError(f"low must be at most pixels = {pixels}, got {low}")
    place = torch.arange(pixels, dtype=torch.float64, device="cpu") + 0.5
    frequency = torch.arange(low, dtype=torch.float64, device="cpu")
    axis = torch.cos(place[:, None] * frequency * (torch.pi / pixels)) * (2.0 / pixels) ** 0.5
    axis[:, 0] *= 0.5**0.5
    return torch.kron(axis, axis)


class Bands:
    """An orthogonal feature map of patches: their content, and their texture.

    The content is what the `low`^2 lowest cosines see, a blurred picture; the texture is all the
    rest. Noise is as round in these features as in pixels, so what is a product of a law of
    contents and a law of textures stays one at every noise level.

    Args:
        pixels: width and height of a patch.
        low: how many frequencies of either axis belong to the content.

    Raises ValueError unless 1 <= low < pixels.
    """

    def __init__(self, pixels: int = 36, low: int = 6):
        self.pixels, self.low = _check.count("pixels", pixels), _check.count("low", low)
        if self.low >= self.pixels:
            raise ValueError(f"low must be less than pixels = {self.pixels}, got {self.low}")
        self.map = Turn(cosines(self.pixels, self.low))

    def __repr__(self):
        return f"Bands(pixels={self.pixels}, low={self.low})"

    @property
    def sizes(self) -> list[int]:
        """How many features are texture, and how many content, in this order."""
        return [self.pixels**2 - self.low**2, self.low**2]

    def split(self, patches) -> tuple[Tensor, Tensor]:
        """Contents (..., low^2) and textures (..., pixels^2 - low^2) of patches (..., pixels^2)."""
        texture, content = self.map.forward(patches).split(self.sizes, -1)
        return content, texture

    def join(self, content, texture) -> Tensor:
        """The patches (..., pixels^2) with these contents and textures, as `split` gives them."""
        parts = _check.real("texture", texture), _check.real("content", content)
        for name, part, size in zip(("texture", "content"), parts, self.sizes, strict=True):
            if part.shape[-1:] != (size,):
                raise ValueError(f"{name} must have shape (..., {size}), got {tuple(part.shape)}")
        shape = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
        features = torch.cat([part.expand(*shape, -1) for part in parts], -1)
        return self.map.inverse(features)

    def product(self, contents, textures) -> Density:
        """The law of patches with one of these contents and, independent of it, one of these
        textures, all equally likely; exact at every sigma.

        contents: (N, low^2); textures: (M, pixels^2 - low^2). Raises ValueError for other shapes.
        """
        parts = []
        rows = ("textures", textures), ("contents", contents)
        for (name, values), size in zip(rows, self.sizes, strict=True):
            values = _check.real(name, values)
            if values.ndim != 2 or values.shape[1] != size:
                raise ValueError(f"{name} must have shape (N, {size}), got {tuple(values.shape)}")
            parts.append(Empirical(values))
        return Pushforward(BlockProduct(parts), self.map.inverted())
