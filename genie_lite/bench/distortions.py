"""Does the perceptual distance order harm sensibly? Known distortions of true frames, each in growing strength."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genie_lite.model.judge import Judge

Picture = NDArray[np.uint8]


def blurred(picture: Picture, radius: int) -> Picture:
    """The mean over squares of 2 radius + 1 pixels, twice."""
    soft = picture.astype(np.float32)
    for axis in (0, 1, 0, 1):
        padded = np.pad(soft, [(radius, radius) if a == axis else (0, 0) for a in range(3)], mode="edge")
        size = picture.shape[axis]
        slices = (np.take(padded, range(at, at + size), axis) for at in range(2 * radius + 1))
        soft = np.mean(list(slices), axis=0)
    return _bytes(soft)


def shifted(picture: Picture, pixels: int) -> Picture:
    """Moved to the right; what comes in is the border's colour."""
    return np.concatenate([picture[:, :1].repeat(pixels, 1), picture[:, : picture.shape[1] - pixels]], 1)


def coloured(picture: Picture, levels: int) -> Picture:
    """Redder and less blue by so many levels of 255."""
    return _bytes(picture + np.array([levels, 0, -levels], np.float32))


def noisy(picture: Picture, sigma: int) -> Picture:
    """With Gaussian noise of so many levels of 255."""
    return _bytes(picture + np.random.default_rng(0).normal(0, sigma, picture.shape))


def with_object(picture: Picture, size: int, other: Picture) -> Picture:
    """With a square of another frame, size pixels wide, in the lower middle: an object that was never there."""
    harmed = picture.copy()
    top, left = picture.shape[0] * 5 // 8 - size // 2, picture.shape[1] // 2 - size // 2
    harmed[top : top + size, left : left + size] = other[top : top + size, left : left + size]
    return harmed


STRENGTHS: Mapping[str, tuple[int, ...]] = {
    "blur": (1, 2, 4, 8),
    "shift": (1, 2, 4, 8, 16),
    "colour": (4, 8, 16, 32, 64),
    "noise": (4, 8, 16, 32),
    "object": (8, 16, 32, 64),
}
"""Distortion -> its strengths: pixels of radius or shift, levels of 255, pixels of width."""


def ordering(judge: Judge, frames: NDArray[np.uint8], others: NDArray[np.uint8]) -> dict[str, list[float]]:
    """The mean distance between frames (N, 144, 256, 3) and what each distortion of STRENGTHS makes of them, and of an
    unrelated one. others: as many frames of other worlds, which objects are cut from."""
    harm: dict[str, Callable[[int, int], Picture]] = {
        "blur": lambda k, strength: blurred(frames[k], strength),
        "shift": lambda k, strength: shifted(frames[k], strength),
        "colour": lambda k, strength: coloured(frames[k], strength),
        "noise": lambda k, strength: noisy(frames[k], strength),
        "object": lambda k, strength: with_object(frames[k], strength, others[k]),
    }
    found = {
        name: [
            float(judge.distance(frames, np.stack([harm[name](k, s) for k in range(len(frames))])).mean())
            for s in strengths
        ]
        for name, strengths in STRENGTHS.items()
    }
    return found | {"unrelated": [float(judge.distance(frames, others).mean())]}


def sensible(found: Mapping[str, list[float]]) -> bool:
    """Whether more harm always costs more, and no harm more than an unrelated frame."""
    grows = all(a < b for values in found.values() for a, b in pairwise(values))
    return grows and max(max(values) for values in found.values()) <= found["unrelated"][0]


def _bytes(values: NDArray[Any]) -> Picture:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
