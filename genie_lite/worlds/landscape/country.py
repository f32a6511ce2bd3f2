"""The country around the player: which tiles are in view, made when first needed and kept while there is room."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genie_lite.camera import TAN_X, TAN_Y, Pose
from genie_lite.conditions import Conditions
from genie_lite.worlds.landscape.buffers import Pool
from genie_lite.worlds.landscape.frustum import Frustum
from genie_lite.worlds.landscape.noise import Floats
from genie_lite.worlds.landscape.objects import TILE, Objects, place
from genie_lite.worlds.landscape.sky import VIEW_DISTANCE
from genie_lite.worlds.landscape.terrain import Terrain
from genie_lite.worlds.landscape.tiles import Chunks, Grid, build

_LEVEL_DISTANCES = (60.0, 125.0)
_CACHED_TILES = 500
_REACH = int(VIEW_DISTANCE // TILE) + 1
_OFFSETS = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1].reshape(2, -1)


@dataclass(frozen=True)
class Tile:
    """A tile in the pool: its K squares' faces as vertex numbers and corners (K, 3); and its grid of heights."""

    squares: list[NDArray[np.uint32]]
    low: Floats
    high: Floats
    grid: Grid


class Country:
    """The tiles of one seed, made when first needed and kept while there is room."""

    def __init__(self, conditions: Conditions, seed: int, pool: Pool) -> None:
        self.terrain = Terrain(conditions, seed)
        self._conditions, self._seed, self._pool = conditions, seed, pool
        pool.clear()
        self._tiles: dict[tuple[int, int, int], Tile] = {}
        self._objects: OrderedDict[tuple[int, int], Objects] = OrderedDict()

    def objects(self, ix: int, iy: int) -> Objects:
        """What stands on tile (ix, iy)."""
        if (ix, iy) not in self._objects:
            self._objects[ix, iy] = place(self.terrain, self._conditions, self._seed, ix, iy)
            if len(self._objects) > _CACHED_TILES:
                self._objects.popitem(last=False)
        return self._objects[ix, iy]

    def tile(self, ix: int, iy: int, level: int) -> Tile:
        """Tile (ix, iy) at a level of detail, 0 the finest."""
        key = ix, iy, level
        if key not in self._tiles:
            self._tiles[key] = self._store(*build(self.terrain, self.objects(ix, iy), ix, iy, level))
        return self._tiles[key]

    def _store(self, vertices: NDArray[np.void], chunks: Chunks, grid: Grid) -> Tile:
        first = self._pool.add(vertices)
        if first is None:
            # Full of tiles that are mostly out of sight by now: begin again. Those in view are soon made again.
            self._pool.clear()
            self._tiles.clear()
            first = self._pool.add(vertices)
            assert first is not None, "one tile fills the pool"
        squares = np.split((chunks.faces + np.uint32(first)).ravel(), 3 * chunks.starts[1:])
        return Tile(squares, chunks.low, chunks.high, grid)

    def ground(self, x: float, y: float) -> float:
        """Height of the ground as it is drawn near the player."""
        grid = self.tile(math.floor(x / TILE), math.floor(y / TILE), 0).grid
        return float(grid.at(np.array(x), np.array(y)))

    def obstacles(self, x: float, y: float, reach: float = 8.0) -> tuple[Floats, Floats]:
        """Circles (N, 3) and walls (M, 6) on the tiles within `reach` metres of the point."""
        columns = {math.floor((x + d) / TILE) for d in (-reach, reach)}
        rows = {math.floor((y + d) / TILE) for d in (-reach, reach)}
        near = [self.objects(ix, iy) for ix in sorted(columns) for iy in sorted(rows)]
        return np.concatenate([o.circles for o in near]), np.concatenate([o.walls for o in near])

    def visible(self, pose: Pose) -> list[tuple[int, int, int]]:
        """Tiles (ix, iy, level) in view, nearest first."""
        px, py = math.floor(pose.x / TILE), math.floor(pose.y / TILE)
        dx = (_OFFSETS[0] + px + 0.5) * TILE - pose.x
        dy = (_OFFSETS[1] + py + 0.5) * TILE - pose.y
        sin, cos = math.sin(pose.yaw), math.cos(pose.yaw)
        ahead, right = dx * sin + dy * cos, dx * cos - dy * sin
        distance = np.hypot(dx, dy)
        radius = TILE * 0.75
        slope = TAN_X / max(math.cos(pose.pitch) - TAN_Y * abs(math.sin(pose.pitch)), 0.2)
        seen = (np.abs(right) - slope * np.maximum(ahead, 0) < radius * math.hypot(1, slope)) & (ahead > -radius)
        seen &= distance < VIEW_DISTANCE + radius * 0.9
        order = np.flatnonzero(seen)[np.argsort(distance[seen])]
        levels = np.searchsorted(_LEVEL_DISTANCES, distance[order])
        return [
            (px + int(_OFFSETS[0][k]), py + int(_OFFSETS[1][k]), int(level))
            for k, level in zip(order, levels, strict=True)
        ]

    def faces(self, pose: Pose, view: Frustum) -> NDArray[np.uint32]:
        """Vertex numbers in the pool (3 F,) of all faces that may be in view, nearest first."""
        tiles = self._tiles_for(self.visible(pose))
        low, high = np.concatenate([t.low for t in tiles]), np.concatenate([t.high for t in tiles])
        seen = np.flatnonzero(view.sees_boxes(low, high))
        away = 0.5 * (low[seen, :2] + high[seen, :2]) - view.eye[:2]
        order = seen[np.argsort((away * away).sum(1), kind="stable")]
        squares = [square for tile in tiles for square in tile.squares]
        return np.concatenate([squares[k] for k in order]) if len(order) else np.empty(0, np.uint32)

    def _tiles_for(self, keys: list[tuple[int, int, int]]) -> list[Tile]:
        tiles = [self.tile(*key) for key in keys]
        # Had the pool to be emptied in between, the first ones are gone and made again.
        return tiles if all(key in self._tiles for key in keys) else [self.tile(*key) for key in keys]
