"""The country around the player: which tiles are in view, made when first needed and kept while there is room."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from genie_lite.camera import Pose
from genie_lite.conditions import BIOMES, Conditions
from genie_lite.worlds.landscape.buffers import Pool
from genie_lite.worlds.landscape.frustum import Frustum
from genie_lite.worlds.landscape.noise import Floats
from genie_lite.worlds.landscape.objects import TILE, Objects, place
from genie_lite.worlds.landscape.sky import VIEW_DISTANCE
from genie_lite.worlds.landscape.terrain import Terrain
from genie_lite.worlds.landscape.tiles import CELLS, Chunks, Surface, build, make_grid, mixes

_CACHED_TILES = 500
_AT_ONCE = 24
_FORESIGHT = 15.0
"""Metres ahead: what will be needed there is made together with what is missing here."""

_MARGIN = 8.0
"""Metres that things may reach over their tile's border."""

_DISTANCES = (60.0, 125.0, VIEW_DISTANCE + 0.675 * TILE)
"""Metres to the middle of a tile up to which it is drawn in each level of detail."""

_REACH = int(VIEW_DISTANCE // TILE) + 1
_COLUMNS, _ROWS = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1].reshape(2, -1).tolist()
_OFFSETS = TILE * np.array([_COLUMNS, _ROWS])
_NOTHING = np.empty(0, np.uint32)

Key = tuple[int, int, int]
"""A tile's column, row and level of detail, 0 the finest."""

Place = tuple[int, int, list[int]]
"""The column and row of the tile that the player is on, and the level of each tile around it: len(CELLS) where that is
too far to be seen."""


@dataclass(frozen=True)
class Tile:
    """A tile in the pool: its K squares' faces as vertex numbers, and the squares' corners (K, 3)."""

    squares: list[NDArray[np.uint32]]
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Around:
    """All squares of the tiles around a place, nearest first: middle and half the size (K, 3) of the boxes that hold
    them, faces, and which of them stand for a tile that is not made yet."""

    place: Place
    middle: Floats
    half: Floats
    squares: list[NDArray[np.uint32]]
    missing: NDArray[np.bool_]


class Country:
    """The tiles of one seed, made when first needed and kept while there is room."""

    def __init__(self, conditions: Conditions, seed: int, pool: Pool) -> None:
        self.terrain = Terrain(conditions, seed)
        self._conditions, self._seed, self._pool = conditions, seed, pool
        pool.clear()
        self._tiles: dict[Key, Tile] = {}
        self._around: Around | None = None
        self._floors: dict[tuple[int, int], Surface] = {}
        self._mixes: dict[tuple[int, int], list[tuple[int, Surface]]] = {}
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
            floor = self._floors[ix, iy] = Surface(ix, iy, grid.heights[0].tolist())
        return floor.at(x, y)

    def obstacles(self, x: float, y: float, reach: float = 8.0) -> tuple[Floats, Floats]:
        """Circles (N, 3) and walls (M, 6) on the tiles within `reach` metres of the point."""
        columns = {math.floor((x + d) / TILE) for d in (-reach, reach)}
        rows = {math.floor((y + d) / TILE) for d in (-reach, reach)}
        near = self.objects((ix, iy) for ix in sorted(columns) for iy in sorted(rows))
        return np.concatenate([o.circles for o in near]), np.concatenate([o.walls for o in near])

    def biomes(self, places: Iterable[tuple[float, float]]) -> Floats:
        """Mean weights (8,) of the biomes at the places (x, y), between points 4 m apart."""
        if self.terrain.pure is not None:
            return self.terrain.pure
        total, count = [0.0] * len(BIOMES), 0
        for x, y in places:
            ix, iy = math.floor(x / TILE), math.floor(y / TILE)
            if (ix, iy) not in self._mixes:
                self._mixes[ix, iy] = mixes(self.terrain, ix, iy)
            for index, mix in self._mixes[ix, iy]:
                total[index] += mix.at(x, y)
            count += 1
        return np.array(total) / count

    def faces(self, pose: Pose, view: Frustum) -> NDArray[np.uint32]:
        """Vertex numbers in the pool (3 F,) of all faces that may be in view, nearest first.

        Where a tile is missing, all that are around the player are made: together they cost least.
        """
        place = _place(pose.x, pose.y)
        if self._around is None or self._around.place != place:
            self._around = self._look_around(pose, place)
        seen = view.sees_boxes(self._around.middle, self._around.half)
        if (seen & self._around.missing).any():
            soon = pose.moved(_FORESIGHT, 0.0, 0.0)
            self._make(_keys(place), _keys(_place(soon.x, soon.y)))
            self._around = self._look_around(pose, place)
            seen = view.sees_boxes(self._around.middle, self._around.half)
        squares = [self._around.squares[k] for k in np.flatnonzero(seen).tolist()]
        return np.concatenate(squares) if squares else _NOTHING

    def _look_around(self, pose: Pose, place: Place) -> Around:
        tiles = [self._tiles.get(key) or _unmade(*key) for key in _keys(place)]
        low, high = np.concatenate([t.low for t in tiles]), np.concatenate([t.high for t in tiles])
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        squares = [square for tile in tiles for square in tile.squares]
        order = np.argsort(np.hypot(middle[:, 0] - pose.x, middle[:, 1] - pose.y), kind="stable")
        squares = [squares[k] for k in order]
        missing = np.array([square is _NOTHING for square in squares])
        return Around(place, middle[order], half[order], squares, missing)

    def _make(self, now: list[Key], soon: list[Key]) -> None:
        """Makes the tiles that are missing now or soon, many at a time."""
        for level in range(len(CELLS)):
            missing = [key for key in dict.fromkeys(now + soon) if key[2] == level and key not in self._tiles]
            for start in range(0, len(missing), _AT_ONCE):
                batch = missing[start : start + _AT_ONCE]
                ix, iy, _ = np.array(batch).T
                vertices, chunks, _ = build(self.terrain, self.objects(key[:2] for key in batch), ix, iy, level)
                first = self._pool.add(vertices)
                if first is None:
                    # Full, mostly of what was left behind: begin again with what is around, a tenth of it at most.
                    self._pool.clear()
                    for kept in (self._tiles, self._floors, self._mixes):
                        kept.clear()
                    return self._make(now, soon)
                self._tiles.update(zip(batch, _tiles(chunks, first, len(batch)), strict=True))


def _place(x: float, y: float) -> Place:
    """Which tile (x, y) lies on, and the levels of those around it."""
    px, py = math.floor(x / TILE), math.floor(y / TILE)
    away = np.hypot(_OFFSETS[0] + (px + 0.5) * TILE - x, _OFFSETS[1] + (py + 0.5) * TILE - y)
    return px, py, np.searchsorted(_DISTANCES, away).tolist()


def _keys(place: Place) -> list[Key]:
    """The tiles around a place that are near enough to be seen."""
    px, py, levels = place
    tiles = zip(_COLUMNS, _ROWS, levels, strict=True)
    return [(px + ix, py + iy, level) for ix, iy, level in tiles if level < len(CELLS)]


def _unmade(ix: int, iy: int, level: int) -> Tile:
    """Stands for a tile of which nothing is known but that it lies between the deepest lake and the highest peak."""
    low = np.array([[ix * TILE - _MARGIN, iy * TILE - _MARGIN, -1e3]])
    high = np.array([[(ix + 1) * TILE + _MARGIN, (iy + 1) * TILE + _MARGIN, 1e3]])
    return Tile([_NOTHING], low, high)


def _tiles(chunks: Chunks, first: int, count: int) -> list[Tile]:
    """The chunks of `count` tiles, whose vertices begin at `first` in the pool, tile by tile."""
    squares = np.split((chunks.faces + np.uint32(first)).ravel(), 3 * chunks.starts[1:])
    ends = np.searchsorted(chunks.tile, np.arange(count + 1)).tolist()
    return [Tile(squares[a:b], chunks.low[a:b], chunks.high[a:b]) for a, b in pairwise(ends)]
