"""A small convolutional network for pictures, told a place or a label."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from projcomp import _check
from projcomp._modes import plainly, values
from projcomp.networks.layers import convolution, fourier, linear, normal, source_of_weights

AVERAGE = "average"
"""The label of the mixture of everything that a network was trained on."""
_HEAT = 0.15
_WINDOW = 0.45


class UNet(nn.Module):
    """Residual blocks at a half, a quarter and an eighth of the resolution, with skips.

    Two pixels by two become one position with four times the channels, which is what makes it fast.
    Noise level and label speak to every block; a place is drawn into the input as a spot. It
    answers with zeros until it is trained.

    Args:
        pixels: width and height of the pictures, a multiple of 8; they have three channels.
        labels: how many labels it is told apart, or 0: it is told a place.
        window: multiply the input by a smooth window about the place: all ones for the average, and
            all zeros for the background. It can't see, then, what is elsewhere. Needs places.
        widths: channels at the three resolutions.
        generator: source of the initial weights; seed 0 if None. The global seed is not touched.

    Raises ValueError for a bad argument.
    """

    @plainly
    def __init__(
        self,
        pixels: int = 32,
        labels: int = 0,
        window: bool = False,
        widths: tuple[int, int, int] = (64, 96, 128),
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        generator = source_of_weights(generator)
        pixels, (first, second, third) = sizes_of(pixels, widths)
        self.pixels = pixels
        self.labels = labels = _check.count("labels", labels, 0)
        if window and labels:
            raise ValueError("window needs a network that is told places: labels must be 0")
        self.window = bool(window)
        self.options = {"pixels": pixels, "labels": labels, "window": self.window}
        told = 2 * third
        self.noise = linear(16, told, generator)
        self.told = linear(told, told, generator)
        if labels:
            self.label = nn.Parameter(normal(generator, labels, told))
        planes = 2 if labels else 4
        self.enter = convolution(12 + planes, first, generator)
        self.down = nn.ModuleList(
            [
                Block(first, told, generator),
                Block(second, told, generator),
                Block(third, told, generator),
            ]
        )
        self.shrink = nn.ModuleList(
            [
                convolution(first, second, generator, stride=2),
                convolution(second, third, generator, stride=2),
            ]
        )
        self.middle = Block(third, told, generator)
        self.grow = nn.ModuleList(
            [
                convolution(third, second, generator, size=1),
                convolution(second, first, generator, size=1),
            ]
        )
        self.up = nn.ModuleList([Block(second, told, generator), Block(first, told, generator)])
        self.leave = convolution(first, 12, generator, scale=0.0)
        cells = torch.arange(pixels, dtype=torch.float32, device=generator.device)
        ramp = (cells + 0.5) * (2.0 / pixels) - 1.0
        self.register_buffer("ramp", ramp, persistent=False)

    def condition(self, label) -> Tensor:
        """What the network is told of a label, for one picture.

        label: None, the background; "average"; or, of a network that is told places, (u, v) in
        [-1, 1]^2, where in the picture, and of one that is told labels, 0 to labels - 1.

        Raises ValueError for anything else.
        """
        if self.labels:
            label = self.labels - 1 if label == AVERAGE else 0 if label is None else label
            if _check.count("label", label, 0) >= self.labels:
                raise ValueError(
                    f"label must be None, {AVERAGE!r} or 0 to {self.labels - 1}, which this "
                    f"network knows; got {label}"
                )
            return torch.tensor([label], device="cpu")
        if label is None or isinstance(label, str):
            if label not in (None, AVERAGE):
                raise ValueError(f"label must be None, {AVERAGE!r} or a place, got {label!r}")
            kind = 0.0 if label is None else 2.0
            return torch.tensor([[kind, 0.0, 0.0]], dtype=torch.float32, device="cpu")
        place = _check.real("label", label)
        if place.shape != (2,) or _check.largest(place) > 1:
            raise ValueError(
                f"label must be a place (u, v) in [-1, 1]^2, None or {AVERAGE!r}; got "
                f"{values(place).tolist()}"
            )
        return torch.cat([place.new_ones(1), place]).to(torch.float32)[None]

    def forward(self, x: Tensor, noise: Tensor, condition: Tensor) -> Tensor:
        """x: (B, n). noise: (B,) or (1,). condition: rows of `condition`, B of them or one."""
        told = nn.functional.silu(self.noise(fourier(noise, 8)))
        if self.labels:
            told = told + self.label[condition]
        told = nn.functional.silu(self.told(told))[..., None, None]
        picture = x.reshape(-1, 3, self.pixels, self.pixels)
        planes = self._planes(condition, x.dtype)
        if self.window:
            picture = picture * self._window(condition, x.dtype)
        coarse = nn.functional.pixel_unshuffle(picture, 2)
        hidden = self.enter(torch.cat([coarse, planes.expand(len(coarse), -1, -1, -1)], 1))
        kept = []
        for block, shrink in zip(self.down, [*self.shrink, None], strict=True):
            hidden = block(hidden, told)
            if shrink is not None:
                kept.append(hidden)
                hidden = shrink(hidden)
        hidden = self.middle(hidden, told)
        for grow, block, skip in zip(self.grow, self.up, reversed(kept), strict=True):
            hidden = block(joined(grow(hidden), skip), told)
        answer = self.leave(nn.functional.silu(hidden))
        return nn.functional.pixel_shuffle(answer, 2).reshape(x.shape)

    def _planes(self, condition: Tensor, dtype) -> Tensor:
        """Where each position is, and of places a spot there: (B or 1, planes, s/2, s/2)."""
        ramp = self.ramp.to(dtype).reshape(-1, 2).mean(1)
        side = len(ramp)
        across, down = ramp.expand(side, side), ramp[:, None].expand(side, side)
        where = torch.stack([across, down])[None]
        if self.labels:
            return where
        kind, u, v = (part[:, None, None] for part in condition.to(dtype).T)
        square = (across - u) ** 2 + (down - v) ** 2
        spot = (kind == 1) * (-0.5 * square / _HEAT**2).exp()
        spot = torch.stack([spot, (kind == 2).to(dtype).expand_as(spot)], 1)
        return torch.cat([where.expand(len(spot), -1, -1, -1), spot], 1)

    def _window(self, condition: Tensor, dtype) -> Tensor:
        """What is seen of each picture: (B or 1, 1, s, s)."""
        kind, u, v = (part[:, None, None] for part in condition.to(dtype).T)
        ramp = self.ramp.to(dtype)
        square = (ramp - u) ** 2 + (ramp[:, None] - v) ** 2
        seen = (kind == 1) * (-((square / _WINDOW**2) ** 2)).exp() + (kind == 2)
        return seen[:, None]


class Block(nn.Module):
    """hidden + W2 silu(scale (W1 silu(norm hidden)) + shift), told by scale; W2 = 0 at first."""

    def __init__(self, width: int, told: int, generator: torch.Generator):
        super().__init__()
        self.norm = nn.GroupNorm(8, width, device=generator.device, dtype=torch.float32)
        self.first = convolution(width, width, generator)
        self.told = linear(told, 2 * width, generator, scale=0.3)
        self.second = convolution(width, width, generator, scale=0.0)

    def forward(self, hidden: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.told(told[..., 0, 0])[..., None, None].chunk(2, 1)
        inner = self.first(nn.functional.silu(self.norm(hidden)))
        return hidden + self.second(nn.functional.silu(inner * (1.0 + scale) + shift))


def sizes_of(pixels: int, widths) -> tuple[int, tuple[int, ...]]:
    """The pixels and the three widths of a network of pictures, checked.

    Raises ValueError for pixels that are no multiple of 8, and for other than three widths >= 8.
    """
    pixels = _check.count("pixels", pixels, 8)
    if pixels % 8:
        raise ValueError(f"pixels must be a multiple of 8, got {pixels}")
    if len(widths) != 3:
        raise ValueError(f"widths must be three numbers, got {widths}")
    return pixels, tuple(_check.count("widths", width, 8) for width in widths)


def joined(hidden: Tensor, skip: Tensor) -> Tensor:
    """What comes up, at twice its resolution, with what was kept there on the way down."""
    hidden = nn.functional.interpolate(hidden, scale_factor=2.0, mode="nearest")
    return (hidden + skip) * math.sqrt(0.5)
