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
_GRADIENTS = np.cos(_ANGLES) + 1j * np.sin(_ANGLES)
_X, _Y, _SEED, _ONE = (np.uint32(v) for v in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 1))


def _mixed(h: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Scrambles the bits, in place."""
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        h ^= h >> np.uint32(shift)
        h *= np.uint32(factor)
    h ^= h >> np.uint32(15)
    return h


def hashed(ix: ArrayLike, iy: ArrayLike, seed: ArrayLike) -> NDArray[np.uint32]:
    """A uint32 hash of integer lattice points; arguments broadcast."""
    x, y, s = (np.array(v, np.int64, ndmin=1).astype(np.uint32) for v in (ix, iy, seed))
    return _mixed((x * _X) ^ (y * _Y) ^ (s * _SEED))


def uniform(ix: ArrayLike, iy: ArrayLike, seed: ArrayLike) -> Floats:
    """Random numbers in [0, 1), one for each lattice point."""
    return hashed(ix, iy, seed) * (1.0 / 2**32)


def noise(x: Floats, y: Floats, wavelength: ArrayLike, seed: ArrayLike) -> Floats:
    """Smooth noise of about [-1, 1] (standard deviation about 0.35) at points (x, y) in metres; wavelengths and seeds
    broadcast."""
    x, y = x / np.asarray(wavelength), y / np.asarray(wavelength)
    left, low = np.floor(x), np.floor(y)
    fx, fy = x - left, y - low
    row, salt = low.astype(np.int64).astype(np.uint32), np.array(seed, np.int64, ndmin=1).astype(np.uint32) * _SEED
    west, south, north = left.astype(np.int64).astype(np.uint32) * _X, (row * _Y) ^ salt, ((row + _ONE) * _Y) ^ salt
    east = west + _X
    corners = np.empty((4, *np.broadcast_shapes(west.shape, south.shape)), np.uint32)
    for corner, (column, line) in zip(
        corners, ((west, south), (east, south), (west, north), (east, north)), strict=True
    ):
        np.bitwise_xor(column, line, out=corner)
    gradients = _GRADIENTS.take(_mixed(corners) & np.uint32(63))
    ex, ny, u = fx - 1, fy - 1, _faded(fx)
    below = _between(_slope(gradients[0], fx, fy), _slope(gradients[1], ex, fy), u)
    above = _between(_slope(gradients[2], fx, ny), _slope(gradients[3], ex, ny), u)
    result = _between(below, above, _faded(fy))
    result *= 1.5
    return result


def _slope(gradient: NDArray[np.complexfloating[Any]], dx: Floats, dy: Floats) -> Floats:
    """A corner's gradient times the way from it."""
    result = gradient.real * dx
    result += gradient.imag * dy
    return result


def _between(a: Floats, b: Floats, share: Floats) -> Floats:
    """a + share (b - a), in b's place."""
    b -= a
    b *= share
    b += a
    return b


def _faded(f: Floats) -> Floats:
    return f * f * f * (f * (f * 6 - 15) + 10)


def octaves(x: Floats, y: Floats, wavelengths: Sequence[float], seed: int) -> Floats:
    """Noise of several wavelengths, (K, ...) for points (...): the k-th from seed + k. One call, for on the few points
    of a tile it is calls that cost."""
    shape = (-1, *(1,) * x.ndim)
    return noise(x, y, np.reshape(wavelengths, shape), np.reshape(seed + np.arange(len(wavelengths)), shape))


def smoothstep(low: float, high: float, x: Floats) -> Floats:
    """0 below `low`, 1 above `high` (or the reverse where low > high), smooth between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)
