"""Gradient noise and hashed random numbers over the plane, vectorised and free of state.

The noise is Perlin's ("Improving Noise", SIGGRAPH 2002).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]

_ANGLES = np.arange(64) * (2 * np.pi / 64)
_GRADIENT_X, _GRADIENT_Y = np.cos(_ANGLES), np.sin(_ANGLES)
_CORNER_X, _CORNER_Y = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])


def hashed(ix: ArrayLike, iy: ArrayLike, seed: ArrayLike) -> NDArray[np.uint32]:
    """A uint32 hash of integer lattice points; arguments broadcast."""
    x, y, s = (np.array(v, np.int64, ndmin=1).astype(np.uint32) for v in (ix, iy, seed))
    h = (x * np.uint32(0x9E3779B1)) ^ (y * np.uint32(0x85EBCA77)) ^ (s * np.uint32(0xC2B2AE3D))
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    h = (h ^ (h >> np.uint32(12))) * np.uint32(0x297A2D39)
    return h ^ (h >> np.uint32(15))


def uniform(ix: ArrayLike, iy: ArrayLike, seed: ArrayLike) -> Floats:
    """Random numbers in [0, 1), one for each lattice point."""
    return hashed(ix, iy, seed) * (1.0 / 2**32)


def noise(x: Floats, y: Floats, wavelength: ArrayLike, seed: ArrayLike) -> Floats:
    """Smooth noise of about [-1, 1] (standard deviation about 0.35) at points (x, y) in metres; wavelengths and seeds
    broadcast."""
    x, y = x / np.asarray(wavelength), y / np.asarray(wavelength)
    ix, iy = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = x - ix, y - iy
    u = fx * fx * fx * (fx * (fx * 6 - 15) + 10)
    v = fy * fy * fy * (fy * (fy * 6 - 15) + 10)

    shape = (4, *(1,) * ix.ndim)
    dx, dy = _CORNER_X.reshape(shape), _CORNER_Y.reshape(shape)
    index = hashed(ix + dx, iy + dy, seed) & np.uint32(63)
    corners = _GRADIENT_X[index] * (fx - dx) + _GRADIENT_Y[index] * (fy - dy)
    low = corners[0] + u * (corners[1] - corners[0])
    high = corners[2] + u * (corners[3] - corners[2])
    return 1.5 * (low + v * (high - low))


def octaves(x: Floats, y: Floats, wavelengths: Sequence[float], seed: int) -> Floats:
    """Noise of several wavelengths, (K, ...) for points (...): the k-th from seed + k. One call, for on the few points
    of a tile it is calls that cost."""
    shape = (-1, *(1,) * x.ndim)
    return noise(x, y, np.reshape(wavelengths, shape), np.reshape(seed + np.arange(len(wavelengths)), shape))


def smoothstep(low: float, high: float, x: Floats) -> Floats:
    """0 below `low`, 1 above `high` (or the reverse where low > high), smooth between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)
