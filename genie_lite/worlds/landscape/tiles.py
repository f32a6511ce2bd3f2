"""One square of country as a list of triangles, in three levels of detail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genie_lite.worlds.landscape.noise import Floats
from genie_lite.worlds.landscape.objects import KINDS, TILE, Objects
from genie_lite.worlds.landscape.terrain import WATER_LEVEL, Terrain

CELLS = (12, 6, 3)
"""Cells along a tile's side for each level of detail."""

VERTEX = np.dtype([("position", "<f4", 3), ("normal", "u1", 4), ("colour", "u1", 4)])
"""What the scene shader reads: world position; unit normal and glow (-1 to 1 as 1 to 255); colour and whether it is
water. 20 bytes."""


@dataclass(frozen=True)
class Part:
    """M triangles: corners (M, 3, 3), colour (M, 3) or (M, 3, 3), glow (M,), normal (M, 3) or None for the face's own."""

    corners: NDArray[np.floating]
    colour: NDArray[np.floating]
    glow: NDArray[np.floating]
    normal: NDArray[np.floating] | None = None
    water: float = 0.0

    def vertices(self) -> NDArray[np.void]:
        """VERTEX (3 M,)."""
        out = np.empty((len(self.corners), 3), VERTEX)
        out["position"] = self.corners
        normal = face_normals(self.corners) if self.normal is None else self.normal
        out["normal"][..., :3] = np.rint(128 + normal[:, None] * 127)
        out["normal"][..., 3] = np.rint(128 + self.glow * 127)[:, None]
        colour = self.colour if self.colour.ndim == 3 else self.colour[:, None]
        out["colour"][..., :3] = np.rint(np.clip(colour, 0, 1) * 255)
        out["colour"][..., 3] = round(self.water * 255)
        return out.ravel()


def face_normals(corners: NDArray[np.floating]) -> NDArray[np.floating]:
    """Unit normals (M, 3) of triangles (M, 3, 3)."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)


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


def build(terrain: Terrain, objects: Objects, ix: int, iy: int, level: int) -> tuple[NDArray[np.void], Grid]:
    """All triangles of tile (ix, iy) as VERTEX (N,), and its grid."""
    grid, x, y, weights = make_grid(terrain, ix, iy, level)
    points = np.stack([x, y, grid.heights], -1).reshape(-1, 3)
    corners = points[_CORNERS[level]]
    flat = weights.reshape(8, -1)
    centre, normal = corners.mean(1), face_normals(corners)
    face_weights = flat[:, _CORNERS[level]].mean(2)
    colour, glow = terrain.ground(centre[:, 0], centre[:, 1], centre[:, 2], normal[:, 2], face_weights)
    parts = [Part(corners, colour, glow, normal)]
    if level > 0:
        parts.append(_skirt(points.reshape(*x.shape, 3), terrain, weights))
    wet = corners[:, :, 2].min(1) < WATER_LEVEL
    if wet.any():
        parts.append(_water(terrain, corners[wet], flat[:, _CORNERS[level][wet]]))
    parts += _things(objects, grid, level)
    return np.concatenate([part.vertices() for part in parts]), grid


def _water(terrain: Terrain, bed: Floats, weights: Floats) -> Part:
    depth = WATER_LEVEL - bed[:, :, 2]
    colour, glow = terrain.water(depth.ravel(), weights.reshape(8, -1))
    surface = bed.copy()
    surface[:, :, 2] = WATER_LEVEL
    up = np.broadcast_to([0.0, 0.0, 1.0], (len(bed), 3))
    return Part(surface, colour.reshape(-1, 3, 3), glow.reshape(-1, 3).mean(1), up, water=1.0)


def _skirt(points: Floats, terrain: Terrain, weights: Floats) -> Part:
    """Strips hanging from the tile's border, which hide the cracks between levels of detail."""
    edges = [(points[0], weights[:, 0]), (points[::-1, 0], weights[:, ::-1, 0])]
    edges += [(points[-1, ::-1], weights[:, -1, ::-1]), (points[:, -1], weights[:, :, -1])]
    corners, colours = [], []
    for line, share in edges:
        a, b = line[:-1], line[1:]
        low_a, low_b = a - [0, 0, 4.0], b - [0, 0, 4.0]
        corners += [np.stack([low_a, low_b, a], 1), np.stack([a, low_b, b], 1)]
        colour, _ = terrain.ground(a[:, 0], a[:, 1], a[:, 2], np.ones(len(a)), share[:, :-1])
        colours += [colour, colour]
    all_corners = np.concatenate(corners)
    up = np.broadcast_to([0.0, 0.0, 1.0], (len(all_corners), 3))
    return Part(all_corners, np.concatenate(colours), np.zeros(len(all_corners)), up)


def _things(objects: Objects, grid: Grid, level: int) -> list[Part]:
    parts = []
    z = grid.at(objects.x, objects.y)
    for index, kind in enumerate(KINDS.values()):
        own = objects.kind == index
        if level >= len(kind.levels) or not own.any():
            continue
        mesh, count = kind.levels[level], int(own.sum())
        cos, sin = np.cos(objects.yaw[own]), np.sin(objects.yaw[own])
        zero = np.zeros(count)
        turn = np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, zero + 1], 1).reshape(-1, 3, 3)
        turn *= objects.size[own, None, None]
        at = np.stack([objects.x[own], objects.y[own], z[own]], 1)
        corners = np.einsum("nab,tcb->ntca", turn, mesh.corners) + at[:, None, None]
        brightness = mesh.colour.max(1) / float(mesh.colour.max(1)[mesh.tint > 0].mean()) if mesh.tint.any() else mesh.tint
        tinted = objects.tint[own][:, None] * brightness[:, None]
        colour = mesh.colour + mesh.tint[:, None] * (tinted - mesh.colour)
        parts.append(Part(corners.reshape(-1, 3, 3), colour.reshape(-1, 3), np.tile(mesh.glow, count)))
        if level == 0 and kind.shadow:
            parts.append(_shadow(objects, own, grid, kind.shadow))
    return parts


_HEXAGON = np.stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)], 1)
_FAN = np.array([(0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 5)])


def _shadow(objects: Objects, own: NDArray[np.bool_], grid: Grid, radius: float) -> Part:
    """Dark hexagons on the ground."""
    reach = radius * objects.size[own, None]
    x, y = (objects.__dict__[axis][own, None] + reach * _HEXAGON[:, k] for k, axis in enumerate("xy"))
    corners = np.stack([x, y, grid.at(x, y) + 0.07], -1)[:, _FAN].reshape(-1, 3, 3)
    colour = np.repeat(objects.ground[own] * 0.74, len(_FAN), 0)
    up = np.broadcast_to([0.0, 0.0, 1.0], (len(corners), 3))
    return Part(corners, colour, np.zeros(len(corners)), up)
