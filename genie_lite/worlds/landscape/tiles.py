"""Squares of country as lists of triangles, in three levels of detail, many at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from genie_lite.worlds.landscape.meshes import Packed, face_normals, own_corners
from genie_lite.worlds.landscape.noise import Floats
from genie_lite.worlds.landscape.objects import KINDS, TILE, Indices, Objects
from genie_lite.worlds.landscape.terrain import WATER_LEVEL, Terrain

CELLS = (12, 6, 3)
"""Cells along a tile's side for each level of detail."""

_SQUARES = (4, 2, 1)
"""Squares along a tile's side that are left out one by one when they are not in view, for each level of detail."""

VERTEX = np.dtype([("position", "<f4", 3), ("normal", "u1", 4), ("colour", "u1", 4)])
"""What the scene shader reads: world position; unit normal and glow (-1 to 1 as 1 to 255); colour and whether it is
water. 20 bytes."""


@dataclass(frozen=True)
class Part:
    """V vertices: points, normal, colour (V, 3), glow (V,), and F flat faces (F, 3) coloured by their last vertex, on
    tiles (F,)."""

    points: NDArray[np.floating]
    normal: NDArray[np.floating]
    colour: NDArray[np.floating]
    glow: NDArray[np.floating]
    faces: NDArray[np.integer]
    tile: NDArray[np.integer]
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
    """Heights (T, n + 1, n + 1), rows northward, of tiles ix, iy (T,), cut into triangles along alternating
    diagonals."""

    ix: Indices
    iy: Indices
    heights: Floats

    def at(self, x: Floats, y: Floats, tile: Indices) -> Floats:
        """Height of the triangles' surface at points of those tiles."""
        n = self.heights.shape[1] - 1
        u, v = (x / TILE - self.ix[tile]) * n, (y / TILE - self.iy[tile]) * n
        i, j = (np.clip(np.floor(w).astype(int), 0, n - 1) for w in (u, v))
        u, v, h = u - i, v - j, self.heights
        a, b, c, d = h[tile, j, i], h[tile, j, i + 1], h[tile, j + 1, i], h[tile, j + 1, i + 1]
        rising = np.where(u > v, a + u * (b - a) + v * (d - b), a + v * (c - a) + u * (d - c))
        falling = np.where(u + v < 1, a + u * (b - a) + v * (c - a), d + (1 - u) * (c - d) + (1 - v) * (b - d))
        return np.where((i + j) % 2 == 0, rising, falling)


@dataclass(frozen=True)
class Surface:
    """What `Grid` is, for one tile and one point at a time, which numpy is slow at: heights, or any other values at the
    grid's points, as lists of rows."""

    ix: int
    iy: int
    heights: list[list[float]]

    def at(self, x: float, y: float) -> float:
        """The value at a point of this tile."""
        n = len(self.heights) - 1
        u, v = (x / TILE - self.ix) * n, (y / TILE - self.iy) * n
        i, j = min(max(math.floor(u), 0), n - 1), min(max(math.floor(v), 0), n - 1)
        u, v = u - i, v - j
        (a, b), (c, d) = self.heights[j][i : i + 2], self.heights[j + 1][i : i + 2]
        if (i + j) % 2 == 0:
            return a + u * (b - a) + v * (d - b) if u > v else a + v * (c - a) + u * (d - c)
        return a + u * (b - a) + v * (c - a) if u + v < 1 else d + (1 - u) * (c - d) + (1 - v) * (b - d)


@dataclass(frozen=True)
class Chunks:
    """Faces (F, 3) in K squares, those of a tile together: where each begins (K,), its tile (K,), and its corners low
    and high (K, 3)."""

    faces: NDArray[np.uint32]
    starts: Indices
    tile: Indices
    low: Floats
    high: Floats


def make_grid(terrain: Terrain, ix: Indices, iy: Indices, level: int) -> tuple[Grid, Floats, Floats]:
    """The tiles' grid, its points (T, n + 1, n + 1, 3) and biome weights (8, T, n + 1, n + 1)."""
    n = CELLS[level]
    step = np.arange(n + 1) / n
    x, y = np.broadcast_arrays(((ix[:, None] + step) * TILE)[:, None], ((iy[:, None] + step) * TILE)[:, :, None])
    weights = terrain.biomes(x, y)
    heights = terrain.height(x, y, weights)
    return Grid(ix, iy, heights), np.stack([x, y, heights], -1), weights


def mixes(terrain: Terrain, ix: int, iy: int) -> list[tuple[int, Surface]]:
    """Of each biome that the terrain has, its number and its weights on tile (ix, iy)."""
    n = CELLS[0]
    step = np.arange(n + 1) / n
    weights = terrain.biomes(*np.meshgrid((ix + step) * TILE, (iy + step) * TILE))
    return [(index, Surface(ix, iy, weights[index].tolist())) for index in terrain.active]


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
    terrain: Terrain, objects: list[Objects], ix: Indices, iy: Indices, level: int
) -> tuple[NDArray[np.void], Chunks, Grid]:
    """All of the tiles (ix, iy), both (T,), at once: VERTEX (V,), the faces between them, and their grid."""
    grid, points, weights = make_grid(terrain, ix, iy, level)
    parts = _land(terrain, points, weights, level)
    if level == 1:
        parts.append(_skirt(points, terrain, weights))
    things, tile = _joined(objects), np.repeat(np.arange(len(ix)), [len(o.x) for o in objects])
    parts += _things(things, tile, grid, level)
    starts = np.cumsum([0, *(len(part.points) for part in parts)])
    faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=False)])
    vertices = np.concatenate([part.vertices() for part in parts])
    return vertices, _chunks(vertices["position"], faces, np.concatenate([p.tile for p in parts]), grid, level), grid


def _chunks(points: NDArray[np.float32], faces: Indices, tile: Indices, grid: Grid, level: int) -> Chunks:
    """Cuts the faces (F, 3) between points (V, 3) into squares."""
    corners, n = points[faces], _SQUARES[level]
    low, high = corners.min(1), corners.max(1)
    middle = (0.5 * (low[:, :2] + high[:, :2]) / TILE - np.stack([grid.ix, grid.iy], 1)[tile]) * n
    column, row = np.clip(middle, 0, n - 1).astype(int).T
    square = (tile * n + row) * n + column
    order = np.argsort(square, kind="stable")
    starts = np.flatnonzero(np.diff(square[order], prepend=-1))
    bounds = np.minimum.reduceat(low[order], starts), np.maximum.reduceat(high[order], starts)
    return Chunks(faces[order].astype(np.uint32), starts, tile[order][starts], *bounds)


def _joined(objects: list[Objects]) -> Objects:
    return Objects(*(np.concatenate([getattr(o, f.name) for o in objects]) for f in fields(Objects)))


def _up(count: int) -> NDArray[np.floating]:
    return np.broadcast_to([0.0, 0.0, 1.0], (count, 3))


def _copied(faces: Indices, count: int, points: int) -> Indices:
    """Faces (F, 3) of one mesh of so many points as those of `count` such meshes, (count, F, 3)."""
    return faces + (np.arange(count) * points)[:, None, None]


def _land(terrain: Terrain, points: Floats, weights: Floats, level: int) -> list[Part]:
    """The ground, and the water over it."""
    count, (at, source, faces) = len(points), _OWNED[level]
    points = points.reshape(count, -1, 3)
    corners = points[:, _CORNERS[level]].reshape(-1, 3, 3)
    share = weights.reshape(len(weights), count, -1)[:, :, _CORNERS[level]].mean(3).reshape(len(weights), -1)
    centre, normal = corners.mean(1), face_normals(corners)
    colour, glow = terrain.ground(centre[:, 0], centre[:, 1], centre[:, 2], normal[:, 2], share)
    # Each tile's vertices take their colours from some of its own faces.
    origin = (source + np.arange(count)[:, None] * len(faces)).ravel()
    every, tile = _copied(faces, count, len(at)).reshape(-1, 3), np.repeat(np.arange(count), len(faces))
    where = points[:, at].reshape(-1, 3)
    wet = corners[:, :, 2].min(1) < WATER_LEVEL
    parts = [Part(where, normal[origin], colour[origin], glow[origin], every, tile)]
    if wet.any():
        colour, glow = terrain.water(np.maximum(WATER_LEVEL - centre[:, 2], 0.0), share)
        surface = np.where([True, True, False], where, WATER_LEVEL)
        parts.append(Part(surface, _up(len(where)), colour[origin], glow[origin], every[wet], tile[wet], water=1.0))
    return parts


def _skirt(points: Floats, terrain: Terrain, weights: Floats) -> Part:
    """Strips hanging from the tiles' borders, which hide the cracks where they meet finer ones."""
    edges = [(points[:, 0], weights[:, :, 0]), (points[:, ::-1, 0], weights[:, :, ::-1, 0])]
    edges += [(points[:, -1, ::-1], weights[:, :, -1, ::-1]), (points[:, :, -1], weights[:, :, :, -1])]
    lines = np.concatenate([edge for edge, _ in edges], 1)
    share = np.concatenate([share for _, share in edges], 2).reshape(len(weights), -1)
    (tiles, count, _), side, flat = lines.shape, points.shape[1], lines.reshape(-1, 3)
    colour, _ = terrain.ground(flat[:, 0], flat[:, 1], flat[:, 2], np.ones(len(flat)), share)
    a = np.flatnonzero(np.arange(count) % side != side - 1)
    faces = np.concatenate([np.stack([a + count, a + 1 + count, a], 1), np.stack([a, a + 1 + count, a + 1], 1)])
    both = np.concatenate([lines, lines - [0, 0, 4.0]], 1).reshape(-1, 3)
    twice = np.tile(colour.reshape(tiles, count, 3), (1, 2, 1)).reshape(-1, 3)
    every = _copied(faces, tiles, 2 * count).reshape(-1, 3)
    return Part(both, _up(len(both)), twice, np.zeros(len(both)), every, np.repeat(np.arange(tiles), len(faces)))


def _things(objects: Objects, tile: Indices, grid: Grid, level: int) -> list[Part]:
    parts = []
    z = grid.at(objects.x, objects.y, tile)
    for index, kind in enumerate(KINDS.values()):
        # Far off, the smallest are left out.
        tall = objects.size > kind.spread[0] + (0.2 * (kind.spread[1] - kind.spread[0]) if level == 2 else -1.0)
        own = np.flatnonzero((objects.kind == index) & tall)
        if level >= len(kind.levels) or not len(own):
            continue
        parts.append(_copies(kind.levels[level], objects, own, z[own], tile[own]))
        if level == 0 and kind.shadow:
            parts.append(_shadow(objects, own, grid, kind.shadow, tile[own]))
    return parts


def _copies(mesh: Packed, objects: Objects, own: Indices, z: Floats, tile: Indices) -> Part:
    """The mesh at every one of its objects, turned, sized and tinted."""
    cos, sin = np.cos(objects.yaw[own])[:, None], np.sin(objects.yaw[own])[:, None]
    size = objects.size[own][:, None]
    x, y, up = mesh.points.T
    points = np.empty((len(own), len(mesh.points), 3))
    points[..., 0] = (x * cos - y * sin) * size + objects.x[own][:, None]
    points[..., 1] = (x * sin + y * cos) * size + objects.y[own][:, None]
    points[..., 2] = up * size + z[:, None]
    x, y, up = mesh.normal.T
    normal = np.empty_like(points)
    normal[..., 0], normal[..., 1], normal[..., 2] = x * cos - y * sin, x * sin + y * cos, up
    shade = mesh.colour.max(1) / mesh.brightness
    tinted = objects.tint[own][:, None] * shade[:, None]
    colour = mesh.colour + mesh.tint[:, None] * (tinted - mesh.colour)
    faces = _copied(mesh.faces, len(own), len(mesh.points)).reshape(-1, 3)
    glow, tile = np.tile(mesh.glow, len(own)), np.repeat(tile, len(mesh.faces))
    return Part(points.reshape(-1, 3), normal.reshape(-1, 3), colour.reshape(-1, 3), glow, faces, tile)


_HEXAGON = np.stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)], 1)
_FAN = np.array([(0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 5)])


def _shadow(objects: Objects, own: Indices, grid: Grid, radius: float, tile: Indices) -> Part:
    """Dark hexagons on the ground."""
    reach = radius * objects.size[own, None]
    x, y = objects.x[own, None] + reach * _HEXAGON[:, 0], objects.y[own, None] + reach * _HEXAGON[:, 1]
    points = np.stack([x, y, grid.at(x, y, tile[:, None]) + 0.07], -1).reshape(-1, 3)
    colour = np.repeat(objects.ground[own] * 0.74, len(_HEXAGON), 0)
    faces = _copied(_FAN, len(own), len(_HEXAGON)).reshape(-1, 3)
    return Part(points, _up(len(points)), colour, np.zeros(len(points)), faces, np.repeat(tile, len(_FAN)))
