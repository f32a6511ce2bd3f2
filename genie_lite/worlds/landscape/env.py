"""The landscape as a Gymnasium environment: one step of 1/24 s takes an action and gives the next picture."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import ACTION_DIM, STEPS_PER_SECOND, Action
from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH, TAN_X, TAN_Y, Pose
from genie_lite.conditions import Conditions
from genie_lite.worlds.landscape import sampling
from genie_lite.worlds.landscape.noise import Floats
from genie_lite.worlds.landscape.objects import TILE, Objects, place
from genie_lite.worlds.landscape.renderer import Renderer
from genie_lite.worlds.landscape.sky import VIEW_DISTANCE, light
from genie_lite.worlds.landscape.terrain import Terrain
from genie_lite.worlds.landscape.tiles import Grid, build
from genie_lite.worlds.landscape.walker import EYE_HEIGHT, Walker

Observation = NDArray[np.uint8]

_SIZE = (FRAME_WIDTH, FRAME_HEIGHT)
_LEVEL_DISTANCES = (60.0, 125.0)
_CACHED_TILES = 500
_REACH = int(VIEW_DISTANCE // TILE) + 1


@dataclass(frozen=True)
class Tile:
    """A tile on the graphics card, and its grid of heights."""

    array: Any
    grid: Grid


class Country:
    """The tiles of one seed, made when first needed and kept while there is room."""

    def __init__(self, conditions: Conditions, seed: int, renderer: Renderer) -> None:
        self.terrain = Terrain(conditions, seed)
        self._conditions, self._seed, self._renderer = conditions, seed, renderer
        self._tiles: OrderedDict[tuple[int, int, int], Tile] = OrderedDict()
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
            vertices, faces, grid = build(self.terrain, self.objects(ix, iy), ix, iy, level)
            self._tiles[key] = Tile(self._renderer.upload(vertices, faces), grid)
            if len(self._tiles) > _CACHED_TILES:
                self._tiles.popitem(last=False)[1].array.release()
        self._tiles.move_to_end(key)
        return self._tiles[key]

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

    def release(self) -> None:
        """Frees all tiles."""
        for tile in self._tiles.values():
            tile.array.release()
        self._tiles.clear()


_OFFSETS = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1].reshape(2, -1)


class LandscapeWorld(gymnasium.Env[Observation, NDArray[np.float32]]):
    """Endless low-poly country. Raises RenderError where no OpenGL context can be made.

    Observations are uint8 (144, 256, 3); actions float32 (6,) as `Action.to_array` gives them; rewards are 0 and an
    episode never ends. The same seed, conditions and actions give the same frames. `info` holds "pose": the eye's Pose;
    "depth": float32 (144, 256) metres along the viewing axis, FAR in the sky; "conditions": Conditions with the biomes
    near and ahead of the player; "blocked": whether something barred the way in this step.
    """

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(0, 255, (FRAME_HEIGHT, FRAME_WIDTH, 3), np.uint8)
        self.action_space = gymnasium.spaces.Box(
            np.array([-1, -1, -1, -1, 0, 0], np.float32), np.ones(ACTION_DIM, np.float32), dtype=np.float32
        )
        self._renderer = Renderer()
        self._country: Country | None = None
        self._conditions = Conditions(meadow=1.0)
        self._light, self._light_of = light(self._conditions), self._conditions
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """A new country. `options={"conditions": Conditions or float32 (18,)}`, else they are drawn from the seed."""
        super().reset(seed=seed)
        world_seed = int(self.np_random.integers(1 << 20))
        given = (options or {}).get("conditions")
        drawn = self.sample_conditions(self.np_random)
        self._conditions = drawn if given is None else _as_conditions(given)
        if self._country is not None:
            self._country.release()
        self._country = Country(self._conditions, world_seed, self._renderer)
        self._walker = Walker.spawn(self._country, world_seed)
        self._steps = 0
        return self._observe(blocked=False)

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """1/24 s of world time. Raises ValueError for an action of wrong shape or range."""
        blocked = self._walker.step(Action.from_array(action))
        self._steps += 1
        observation, info = self._observe(blocked)
        return observation, 0.0, False, False, info

    def sample_conditions(self, rng: np.random.Generator) -> Conditions:
        """Random conditions that cover every biome, hour and weather."""
        return sampling.sample_conditions(rng)

    def set_conditions(self, conditions: Conditions) -> None:
        """Takes over hour, fog, rain, snowfall and clouds from now on; the lay of the land stays until `reset`."""
        names = ("hour", "fog", "rain", "snowfall", "clouds")
        self._conditions = replace(self._conditions, **{name: getattr(conditions, name) for name in names})

    def picture(self, width: int, height: int) -> Observation:
        """This same instant as uint8 (height, width, 3) of any 16:9 size."""
        self._draw((width, height))
        return self._renderer.picture((width, height))

    def close(self) -> None:
        """Frees the OpenGL context."""
        self._renderer.close()

    def _draw(self, size: tuple[int, int]) -> None:
        if self._country is None:
            raise gymnasium.error.ResetNeeded("call reset() first")
        pose, country = self._walker.pose, self._country
        tiles = [country.tile(*key).array for key in country.visible(pose)]
        if self._light_of is not self._conditions:
            self._light, self._light_of = light(self._conditions), self._conditions
        self._renderer.draw(size, pose, tiles, self._light, self._conditions, self._steps / STEPS_PER_SECOND)

    def _observe(self, blocked: bool) -> tuple[Observation, dict[str, Any]]:
        self._draw(_SIZE)
        pose = self._walker.pose
        info = {
            "pose": pose,
            "depth": self._renderer.depth(_SIZE),
            "conditions": self._conditions.with_biomes(self._local_biomes(pose)),
            "blocked": blocked,
        }
        return self._renderer.picture(_SIZE), info

    def _local_biomes(self, pose: Pose) -> Floats:
        """Mean weights around the player and some 30 m ahead."""
        assert self._country is not None
        ahead = [pose.moved(forward, right, 0.0) for forward, right in _FAN]
        x, y = np.array([(p.x, p.y) for p in ahead]).T
        return self._country.terrain.biomes(x, y).mean(1)


_FAN = ((0, 0), (15, -6), (15, 6), (30, -15), (30, 0), (30, 15), (60, 0))


def _as_conditions(given: Conditions | NDArray[np.float32]) -> Conditions:
    return given if isinstance(given, Conditions) else Conditions.from_array(given)
