"""The figures' own normal numbers, so that Python can start from the very noise of the page."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

STREAMS = 32
"""Streams of noise of a seed: one for each particle, and one for resampling."""
_MASK = 0xFFFFFFFF


def normals(seed: int, count: int) -> Tensor:
    """(count,) standard normal numbers, as `normals` in sampling.mjs makes them from the seed."""
    uniform = _uniforms(seed)
    found: list[float] = []
    while len(found) < count:
        u, v = 2 * next(uniform) - 1, 2 * next(uniform) - 1
        s = u * u + v * v
        if 0 < s < 1:
            factor = math.sqrt(-2 * math.log(s) / s)
            found += [u * factor, v * factor]
    return torch.tensor(found[:count], dtype=torch.float64, device="cpu")


@lru_cache(maxsize=64)
def stream(seed: int, number: int, count: int) -> Tensor:
    """(count,) standard normal numbers of one of a seed's streams."""
    return normals(STREAMS * seed + number, count)


def noise(seed: int, particles: int, levels: int, dim: int) -> Tensor:
    """(levels, particles, dim): the start, and what each step adds."""
    rows = [stream(seed, i, levels * dim).reshape(levels, dim) for i in range(particles)]
    return torch.stack(rows, 1)


def _uniforms(seed: int):
    """xoshiro128**, two outputs for each number of [0, 1)."""
    mix, state = seed & _MASK, []
    for _ in range(4):
        mix = (mix + 0x9E3779B9) & _MASK
        z = ((mix ^ (mix >> 16)) * 0x85EBCA6B) & _MASK
        z = ((z ^ (z >> 13)) * 0xC2B2AE35) & _MASK
        state.append(z ^ (z >> 16))

    def rotated(x: int, k: int) -> int:
        return ((x << k) | (x >> (32 - k))) & _MASK

    def drawn() -> int:
        result = (rotated((state[1] * 5) & _MASK, 7) * 9) & _MASK
        shifted = (state[1] << 9) & _MASK
        state[2] ^= state[0]
        state[3] ^= state[1]
        state[1] ^= state[2]
        state[0] ^= state[3]
        state[2] ^= shifted
        state[3] = rotated(state[3], 11)
        return result

    while True:
        yield ((drawn() >> 5) * 67108864 + (drawn() >> 6)) / 9007199254740992
