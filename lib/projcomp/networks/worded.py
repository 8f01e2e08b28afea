"""Chapter 8's network, told words: it reads a prompt, and looks at its words while it draws."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from projcomp._modes import plainly
from projcomp.networks.layers import convolution, fourier, linear, normal, source_of_weights
from projcomp.networks.unet import Block, joined, sizes_of
from projcomp.networks.vocabulary import PAD, Vocabulary

READ = 96
"""Numbers that stand for a word."""
_HEADS, _SKETCH, _CELLS = 4, 8, 4


class WordedUNet(nn.Module):
    """Residual blocks at a half, a quarter and an eighth of the resolution, told a prompt.

    The prompt is read by one layer of attention among its words. Their sum speaks to every block,
    as the noise level does; it draws a coarse sketch, which is added to the input; and at a quarter
    and an eighth of the resolution every position looks at the words. It answers with zeros until
    it is trained.

    Args:
        vocabulary: the words that it can read.
        pixels: width and height of the pictures, a multiple of 8; they have three channels.
        widths: channels at the three resolutions, multiples of 8.
        generator: source of the initial weights; seed 0 if None. The global seed is not touched.

    Raises ValueError for a bad argument.
    """

    @plainly
    def __init__(
        self,
        vocabulary: Vocabulary,
        pixels: int = 32,
        widths: tuple[int, int, int] = (48, 112, 192),
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        generator = source_of_weights(generator)
        self.vocabulary = vocabulary
        pixels, (first, second, third) = sizes_of(pixels, widths)
        self.pixels = pixels
        self.options = {"pixels": pixels, "words": list(vocabulary.words)}
        told = 2 * third
        self.reader = Reader(vocabulary, told, generator)
        self.noise = linear(16, told, generator)
        self.told = linear(told, told, generator)
        self.sketch = linear(READ, _SKETCH * _CELLS**2, generator)
        self.enter = convolution(12 + 2 + _SKETCH, first, generator)
        levels = [first, second, third]
        self.down = nn.ModuleList(Block(width, told, generator) for width in levels)
        self.shrink = nn.ModuleList(
            convolution(i, o, generator, stride=2) for i, o in ((first, second), (second, third))
        )
        self.look = nn.ModuleList(
            Look(width, _norm(width, generator), generator) for width in (second, third, second)
        )
        self.middle = Block(third, told, generator)
        self.grow = nn.ModuleList(
            convolution(i, o, generator, size=1) for i, o in ((third, second), (second, first))
        )
        self.up = nn.ModuleList(Block(width, told, generator) for width in (second, first))
        self.leave = convolution(first, 12, generator, scale=0.0)
        cells = torch.arange(pixels // 2, dtype=torch.float32, device=generator.device)
        ramp = (cells + 0.5) * (4.0 / pixels) - 1.0
        where = torch.stack([ramp.expand(len(ramp), -1), ramp[:, None].expand(-1, len(ramp))])
        self.register_buffer("where", where[None], persistent=False)

    def condition(self, label) -> Tensor:
        """The tokens of a prompt, for one picture: (1, length). None is the empty prompt.

        Raises ValueError for what is no prompt of known words.
        """
        return self.vocabulary.encode("" if label is None else label)

    def forward(self, x: Tensor, noise: Tensor, condition: Tensor) -> Tensor:
        """x: (B, n). noise: (B,) or (1,). condition: tokens (B, length) or (1, length)."""
        words, absent, gist = self.reader(condition)
        told = nn.functional.silu(self.noise(fourier(noise, 8))) + self.reader.say(gist)
        told = nn.functional.silu(self.told(told))[..., None, None]
        picture = x.reshape(-1, 3, self.pixels, self.pixels)
        coarse = nn.functional.pixel_unshuffle(picture, 2)
        sketch = self.sketch(gist).reshape(-1, _SKETCH, _CELLS, _CELLS)
        side = self.pixels // 2
        sketch = nn.functional.interpolate(sketch, size=(side, side), mode="bilinear")
        rows = coarse.shape[0]
        parts = [coarse, self.where.expand(rows, -1, -1, -1), sketch.expand(rows, -1, -1, -1)]
        hidden = self.down[0](self.enter(torch.cat(parts, 1)), told)
        kept = [hidden]
        hidden = self.down[1](self.shrink[0](hidden), told)
        hidden = self.look[0](hidden, words, absent)
        kept.append(hidden)
        hidden = self.down[2](self.shrink[1](hidden), told)
        hidden = self.middle(self.look[1](hidden, words, absent), told)
        hidden = self.up[0](joined(self.grow[0](hidden), kept[1]), told)
        hidden = self.look[2](hidden, words, absent)
        hidden = self.up[1](joined(self.grow[1](hidden), kept[0]), told)
        answer = self.leave(nn.functional.silu(hidden))
        return nn.functional.pixel_shuffle(answer, 2).reshape(x.shape)


class Reader(nn.Module):
    """Words that have looked at one another: one layer of attention, one of two linear maps."""

    def __init__(self, vocabulary: Vocabulary, told: int, generator: torch.Generator):
        super().__init__()
        self.word = nn.Parameter(normal(generator, len(vocabulary), READ))
        self.place = nn.Parameter(0.3 * normal(generator, vocabulary.length, READ))
        norm = _EachNorm(READ, device=generator.device, dtype=torch.float32)
        self.look = Look(READ, norm, generator)
        self.first = linear(READ, 2 * READ, generator)
        self.second = linear(2 * READ, READ, generator, scale=0.1)
        self.say = linear(READ, told, generator)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """tokens (B, L). Returns words (B, L + 1, READ), which are none (B, L + 1), and their sum.

        The first of them is there always: the empty prompt has something to look at.
        """
        tokens = nn.functional.pad(tokens, (1, 0), value=PAD)
        absent = tokens == PAD
        absent = torch.cat([torch.zeros_like(absent[:, :1]), absent[:, 1:]], 1)
        words = self.word[tokens]
        words = torch.cat([words[:, :1], words[:, 1:] + self.place], 1)
        seen = self.look(words.mT[..., None], words, absent)[..., 0].mT
        words = seen + self.second(nn.functional.silu(self.first(seen)))
        there = (~absent).to(words.dtype)[..., None]
        return words, absent, 0.25 * (words * there).sum(1)


class _EachNorm(nn.LayerNorm):
    """Normalises every position on its own: (B, width, h, w)."""

    def forward(self, hidden: Tensor) -> Tensor:
        return super().forward(hidden.movedim(1, -1)).movedim(-1, 1)


def _norm(width: int, generator: torch.Generator) -> nn.GroupNorm:
    return nn.GroupNorm(8, width, device=generator.device, dtype=torch.float32)


class Look(nn.Module):
    """hidden + what its positions see among the words: attention with four heads."""

    def __init__(self, width: int, norm: nn.Module, generator: torch.Generator):
        super().__init__()
        self.norm = norm
        self.ask = convolution(width, READ, generator, size=1)
        self.key = linear(READ, READ, generator)
        self.value = linear(READ, READ, generator)
        self.answer = convolution(READ, width, generator, size=1, scale=0.0)

    def forward(self, hidden: Tensor, words: Tensor, absent: Tensor) -> Tensor:
        """hidden (B, width, h, w), words (B or 1, L, READ), absent (B or 1, L) bool."""
        rows, _, high, wide = hidden.shape
        each = READ // _HEADS

        def heads(part):
            return part.unflatten(-1, (_HEADS, each)).transpose(1, 2)  # (B, heads, L, each)

        ask = heads(self.ask(self.norm(hidden)).flatten(2).mT)
        fit = ask @ heads(self.key(words)).mT / math.sqrt(each)
        fit = fit.masked_fill(absent[:, None, None], -1e4)
        seen = fit.softmax(-1) @ heads(self.value(words))
        seen = seen.transpose(1, 2).reshape(rows, high * wide, READ).mT
        return hidden + self.answer(seen.reshape(rows, READ, high, wide))
