"""The country around the player: which tiles are in view, made when first needed and kept while there is room."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

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
from genie_lite.worlds.landscape.tiles import CELLS, Chunks, Floor, build, make_grid

_LEVEL_DISTANCES = (60.0, 125.0)
_CACHED_TILES = 500
_AT_ONCE = 24
_REACH = int(VIEW_DISTANCE // TILE) + 1
_RADIUS = TILE * 0.75
_OFFSETS = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1].reshape(2, -1)

Key = tuple[int, int, int]
"""A tile's column, row and level of detail, 0 the finest."""


@dataclass(frozen=True)
class Tile:
    """A tile in the pool: its K squares' faces as vertex numbers, and the squares' corners (K, 3)."""

    squares: list[NDArray[np.uint32]]
    low: Floats
    high: Floats


class Country:
    """The tiles of one seed, made when first needed and kept while there is room."""

    def __init__(self, conditions: Conditions, seed: int, pool: Pool) -> None:
        self.terrain = Terrain(conditions, seed)
        self._conditions, self._seed, self._pool = conditions, seed, pool
        pool.clear()
        self._tiles: dict[Key, Tile] = {}
        self._floors: dict[tuple[int, int], Floor] = {}
        self._objects: OrderedDict[tuple[int, int], Objects] = OrderedDict()

    def objects(self, places: Iterable[tuple[int, int]]) -> list[Objects]:
        """What stands on each of the tiles (ix, iy)."""
        places = list(places)
        new = [place for place in places if place not in self._objects]
        if new:
            columns, rows = np.array(new).T
            self._objects.update(
                zip(new, place(self.terrain, self._conditions, self._seed, columns, rows), strict=True)
            )
        found = [self._objects[place] for place in places]
        while len(self._objects) > _CACHED_TILES:
            self._objects.popitem(last=False)
        return found

    def ground(self, x: float, y: float) -> float:
        """Height of the ground as it is drawn near the player."""
        ix, iy = math.floor(x / TILE), math.floor(y / TILE)
        floor = self._floors.get((ix, iy))
        if floor is None:
            grid, _, _ = make_grid(self.terrain, np.array([ix]), np.array([iy]), 0)
            floor = self._floors[ix, iy] = Floor(ix, iy, grid.heights[0].tolist())
        return floor.at(x, y)

    def obstacles(self, x: float, y: float, reach: float = 8.0) -> tuple[Floats, Floats]:
        """Circles (N, 3) and walls (M, 6) on the tiles within `reach` metres of the point."""
        columns = {math.floor((x + d) / TILE) for d in (-reach, reach)}
        rows = {math.floor((y + d) / TILE) for d in (-reach, reach)}
        near = self.objects((ix, iy) for ix in sorted(columns) for iy in sorted(rows))
        return np.concatenate([o.circles for o in near]), np.concatenate([o.walls for o in near])

    def faces(self, pose: Pose, view: Frustum) -> NDArray[np.uint32]:
        """Vertex numbers in the pool (3 F,) of all faces that may be in view, nearest first."""
        tiles = self._in_view(pose)
        low, high = np.concatenate([t.low for t in tiles]), np.concatenate([t.high for t in tiles])
        seen = np.flatnonzero(view.sees_boxes(low, high))
        away = 0.5 * (low[seen, :2] + high[seen, :2]) - view.eye[:2]
        order = seen[np.argsort((away * away).sum(1), kind="stable")]
        squares = [square for tile in tiles for square in tile.squares]
        return np.concatenate([squares[k] for k in order]) if len(order) else np.empty(0, np.uint32)

    def _in_view(self, pose: Pose) -> list[Tile]:
        """The tiles in view. Where one is missing, all around the player are made: together they cost least."""
        px, py = math.floor(pose.x / TILE), math.floor(pose.y / TILE)
        dx = (_OFFSETS[0] + px + 0.5) * TILE - pose.x
        dy = (_OFFSETS[1] + py + 0.5) * TILE - pose.y
        away = np.hypot(dx, dy)
        near = away < VIEW_DISTANCE + _RADIUS * 0.9
        keys = _keys(near & _ahead(dx, dy, pose), away, px, py)
        if any(key not in self._tiles for key in keys):
            self._make(_keys(near, away, px, py))
        return [self._tiles[key] for key in keys]

    def _make(self, keys: list[Key]) -> None:
        """Makes the tiles that are missing, many at a time."""
        for level in range(len(CELLS)):
            missing = [key for key in keys if key[2] == level and key not in self._tiles]
            for start in range(0, len(missing), _AT_ONCE):
                batch = missing[start : start + _AT_ONCE]
                ix, iy, _ = np.array(batch).T
                vertices, chunks, _ = build(self.terrain, self.objects(key[:2] for key in batch), ix, iy, level)
                first = self._pool.add(vertices)
                if first is None:
                    # Full, mostly of tiles left behind: begin again with those around.
                    self._pool.clear()
                    self._tiles.clear()
                    return self._make(keys)
                self._tiles.update(zip(batch, _tiles(chunks, first, len(batch)), strict=True))


def _keys(chosen: NDArray[np.bool_], away: Floats, px: int, py: int) -> list[Key]:
    """Those of the tiles around (px, py) that are chosen, in the detail that their distance from the eye asks for."""
    own = np.flatnonzero(chosen)
    levels = np.searchsorted(_LEVEL_DISTANCES, away[own])
    return list(zip(*np.stack([_OFFSETS[0][own] + px, _OFFSETS[1][own] + py, levels]).tolist(), strict=True))


def _ahead(dx: Floats, dy: Floats, pose: Pose) -> NDArray[np.bool_]:
    """Whether tiles whose centres lie (dx, dy) metres from the eye may be in view."""
    sin, cos = math.sin(pose.yaw), math.cos(pose.yaw)
    ahead, right = dx * sin + dy * cos, dx * cos - dy * sin
    slope = TAN_X / max(math.cos(pose.pitch) - TAN_Y * abs(math.sin(pose.pitch)), 0.2)
    return (np.abs(right) - slope * np.maximum(ahead, 0) < _RADIUS * math.hypot(1, slope)) & (ahead > -_RADIUS)


def _tiles(chunks: Chunks, first: int, count: int) -> list[Tile]:
    """The chunks of `count` tiles, whose vertices begin at `first` in the pool, tile by tile."""
    squares = np.split((chunks.faces + np.uint32(first)).ravel(), 3 * chunks.starts[1:])
    ends = np.searchsorted(chunks.tile, np.arange(count + 1)).tolist()
    return [Tile(squares[a:b], chunks.low[a:b], chunks.high[a:b]) for a, b in pairwise(ends)]
