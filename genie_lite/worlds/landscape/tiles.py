"""One square of country as a list of triangles, in three levels of detail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genie_lite.worlds.landscape.meshes import Packed, face_normals, own_corners
from genie_lite.worlds.landscape.noise import Floats
from genie_lite.worlds.landscape.objects import KINDS, TILE, Objects
from genie_lite.worlds.landscape.terrain import WATER_LEVEL, Terrain

CELLS = (12, 6, 3)
"""Cells along a tile's side for each level of detail."""

_CHUNKS = (4, 2, 1)
"""Squares along a tile's side that are left out one by one when they are not in view, for each level of detail."""

VERTEX = np.dtype([("position", "<f4", 3), ("normal", "u1", 4), ("colour", "u1", 4)])
"""What the scene shader reads: world position; unit normal and glow (-1 to 1 as 1 to 255); colour and whether it is
water. 20 bytes."""


@dataclass(frozen=True)
class Part:
    """V vertices: points, normal, colour (V, 3), glow (V,), and F flat faces (F, 3) coloured by their last vertex."""

    points: NDArray[np.floating]
    normal: NDArray[np.floating]
    colour: NDArray[np.floating]
    glow: NDArray[np.floating]
    faces: NDArray[np.integer]
    water: float = 0.0

    def vertices(self) -> NDArray[np.void]:
        """VERTEX (V,)."""
        out = np.empty(len(self.points), VERTEX)
        out["position"] = self.points
        out["normal"][:, :3] = 128.5 + self.normal * 127
        out["normal"][:, 3] = 128.5 + self.glow * 127
        out["colour"][:, :3] = 0.5 + np.clip(self.colour, 0, 1) * 255
        out["colour"][:, 3] = round(self.water * 255)
        return out


@dataclass(frozen=True)
class Grid:
    """Heights (n + 1, n + 1), rows northward, of tile (ix, iy), cut into triangles along alternating diagonals."""

    ix: int
    iy: int
    heights: Floats

    def at(self, x: Floats, y: Floats) -> Floats:
        """Height of the triangles' surface at points of this tile."""
        n = len(self.heights) - 1
        u, v = (x / TILE - self.ix) * n, (y / TILE - self.iy) * n
        i, j = (np.clip(np.floor(w).astype(int), 0, n - 1) for w in (u, v))
        u, v, h = u - i, v - j, self.heights
        a, b, c, d = h[j, i], h[j, i + 1], h[j + 1, i], h[j + 1, i + 1]
        rising = np.where(u > v, a + u * (b - a) + v * (d - b), a + v * (c - a) + u * (d - c))
        falling = np.where(u + v < 1, a + u * (b - a) + v * (c - a), d + (1 - u) * (c - d) + (1 - v) * (b - d))
        return np.where((i + j) % 2 == 0, rising, falling)


@dataclass(frozen=True)
class Chunks:
    """Faces (F, 3) in K squares of a tile: where in them each square starts (K,), its corners low and high (K, 3)."""

    faces: NDArray[np.uint32]
    starts: NDArray[np.int64]
    low: Floats
    high: Floats


def make_grid(terrain: Terrain, ix: int, iy: int, level: int) -> tuple[Grid, Floats, Floats, Floats]:
    """The tile's grid, its points x, y (n + 1, n + 1) and biome weights (8, n + 1, n + 1)."""
    n = CELLS[level]
    x, y = np.meshgrid((ix + np.arange(n + 1) / n) * TILE, (iy + np.arange(n + 1) / n) * TILE)
    weights = terrain.biomes(x, y)
    return Grid(ix, iy, terrain.height(x, y, weights)), x, y, weights


def _corner_indices(n: int) -> NDArray[np.int64]:
    """Indices (2 n n, 3) into the flat grid."""
    j, i = (v.ravel() for v in np.mgrid[0:n, 0:n])
    a = j * (n + 1) + i
    b, c, d = a + 1, a + n + 1, a + n + 2
    even = ((i + j) % 2 == 0)[:, None]
    first = np.where(even, np.stack([a, b, d], 1), np.stack([a, b, c], 1))
    second = np.where(even, np.stack([a, d, c], 1), np.stack([b, d, c], 1))
    return np.stack([first, second], 1).reshape(-1, 3)


_CORNERS = tuple(_corner_indices(n) for n in CELLS)
_OWNED = tuple(own_corners(corners) for corners in _CORNERS)


def build(
    terrain: Terrain, objects: Objects, ix: int, iy: int, level: int
) -> tuple[NDArray[np.void], Chunks, Grid]:
    """All of tile (ix, iy): VERTEX (V,), its chunks, and its grid."""
    grid, x, y, weights = make_grid(terrain, ix, iy, level)
    points = np.stack([x, y, grid.heights], -1).reshape(-1, 3)
    at, source, faces = _OWNED[level]
    corners = points[_CORNERS[level]]
    flat = weights.reshape(8, -1)
    centre, normal = corners.mean(1), face_normals(corners)
    face_weights = flat[:, _CORNERS[level]].mean(2)
    colour, glow = terrain.ground(centre[:, 0], centre[:, 1], centre[:, 2], normal[:, 2], face_weights)
    parts = [Part(points[at], normal[source], colour[source], glow[source], faces)]
    if level == 1:
        parts.append(_skirt(points.reshape(*x.shape, 3), terrain, weights))
    wet = corners[:, :, 2].min(1) < WATER_LEVEL
    if wet.any():
        depth = WATER_LEVEL - centre[:, 2]
        colour, glow = terrain.water(np.maximum(depth, 0.0), face_weights)
        surface = points[at]
        surface[:, 2] = WATER_LEVEL
        parts.append(Part(surface, _up(len(at)), colour[source], glow[source], faces[wet], water=1.0))
    parts += _things(objects, grid, level)
    starts = np.cumsum([0, *(len(part.points) for part in parts)])
    faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=False)])
    vertices = np.concatenate([part.vertices() for part in parts])
    return vertices, chunks(vertices["position"], faces, ix, iy, level), grid


def chunks(points: NDArray[np.float32], faces: NDArray[np.integer], ix: int, iy: int, level: int) -> Chunks:
    """Cuts the faces (F, 3) between points (V, 3) of tile (ix, iy) into squares."""
    corners, n = points[faces], _CHUNKS[level]
    low, high = corners.min(1), corners.max(1)
    middle = 0.5 * (low[:, :2] + high[:, :2])
    column, row = np.clip((middle / TILE - [ix, iy]) * n, 0, n - 1).astype(int).T
    square = row * n + column
    order = np.argsort(square, kind="stable")
    starts = np.flatnonzero(np.diff(square[order], prepend=-1))
    bounds = np.minimum.reduceat(low[order], starts), np.maximum.reduceat(high[order], starts)
    return Chunks(faces[order].astype(np.uint32), starts, *bounds)


def _up(count: int) -> NDArray[np.floating]:
    return np.broadcast_to([0.0, 0.0, 1.0], (count, 3))


def _skirt(points: Floats, terrain: Terrain, weights: Floats) -> Part:
    """Strips hanging from the tile's border, which hide the cracks where it meets a finer one."""
    edges = [(points[0], weights[:, 0]), (points[::-1, 0], weights[:, ::-1, 0])]
    edges += [(points[-1, ::-1], weights[:, -1, ::-1]), (points[:, -1], weights[:, :, -1])]
    line = np.concatenate([edge for edge, _ in edges])
    share = np.concatenate([share for _, share in edges], 1)
    colour, _ = terrain.ground(line[:, 0], line[:, 1], line[:, 2], np.ones(len(line)), share)
    count, side = len(line), len(points)
    a = np.flatnonzero(np.arange(count) % side != side - 1)
    faces = np.concatenate([np.stack([a + count, a + 1 + count, a], 1), np.stack([a, a + 1 + count, a + 1], 1)])
    both = np.concatenate([line, line - [0, 0, 4.0]])
    return Part(both, _up(2 * count), np.tile(colour, (2, 1)), np.zeros(2 * count), faces)


def _things(objects: Objects, grid: Grid, level: int) -> list[Part]:
    parts = []
    z = grid.at(objects.x, objects.y)
    for index, kind in enumerate(KINDS.values()):
        # Far off, the smallest are left out.
        tall = objects.size > kind.spread[0] + (0.2 * (kind.spread[1] - kind.spread[0]) if level == 2 else -1.0)
        own = np.flatnonzero((objects.kind == index) & tall)
        if level >= len(kind.levels) or not len(own):
            continue
        parts.append(_copies(kind.levels[level], objects, own, z[own]))
        if level == 0 and kind.shadow:
            parts.append(_shadow(objects, own, grid, kind.shadow))
    return parts


def _copies(mesh: Packed, objects: Objects, own: NDArray[np.int64], z: Floats) -> Part:
    """The mesh at every one of its objects, turned, sized and tinted."""
    cos, sin, zero = np.cos(objects.yaw[own]), np.sin(objects.yaw[own]), np.zeros(len(own))
    turn = np.stack([cos, sin, zero, -sin, cos, zero, zero, zero, zero + 1], 1).reshape(-1, 3, 3)
    at = np.stack([objects.x[own], objects.y[own], z], 1)[:, None]
    points = (mesh.points @ turn) * objects.size[own, None, None] + at
    shade = mesh.colour.max(1) / mesh.brightness
    tinted = objects.tint[own][:, None] * shade[:, None]
    colour = mesh.colour + mesh.tint[:, None] * (tinted - mesh.colour)
    faces = mesh.faces + (np.arange(len(own)) * len(mesh.points))[:, None, None]
    normal, glow = (mesh.normal @ turn).reshape(-1, 3), np.tile(mesh.glow, len(own))
    return Part(points.reshape(-1, 3), normal, colour.reshape(-1, 3), glow, faces.reshape(-1, 3))


_HEXAGON = np.stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)], 1)
_FAN = np.array([(0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 5)])


def _shadow(objects: Objects, own: NDArray[np.int64], grid: Grid, radius: float) -> Part:
    """Dark hexagons on the ground."""
    reach = radius * objects.size[own, None]
    x, y = objects.x[own, None] + reach * _HEXAGON[:, 0], objects.y[own, None] + reach * _HEXAGON[:, 1]
    points = np.stack([x, y, grid.at(x, y) + 0.07], -1).reshape(-1, 3)
    colour = np.repeat(objects.ground[own] * 0.74, len(_HEXAGON), 0)
    faces = _FAN + (np.arange(len(own)) * len(_HEXAGON))[:, None, None]
    return Part(points, _up(len(points)), colour, np.zeros(len(points)), faces.reshape(-1, 3))
