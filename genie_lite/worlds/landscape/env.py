"""The landscape as a Gymnasium environment: one step of 1/24 s takes an action and gives the next picture."""

from __future__ import annotations

import math
import time
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import STEPS_PER_SECOND, Action
from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH, Pose
from genie_lite.conditions import Conditions
from genie_lite.worlds.landscape.country import Country
from genie_lite.worlds.landscape.frustum import Frustum
from genie_lite.worlds.landscape.noise import Floats
from genie_lite.worlds.landscape.renderer import Renderer
from genie_lite.worlds.landscape.sampling import sample_conditions
from genie_lite.worlds.landscape.sky import light
from genie_lite.worlds.landscape.walker import Walker
from genie_lite.worlds.spaces import Observation, action_space, as_conditions, observation_space

_SIZE = (FRAME_WIDTH, FRAME_HEIGHT)


class LandscapeWorld(gymnasium.Env[Observation, NDArray[np.float32]]):
    """Endless low-poly country. Raises RenderError where no OpenGL context can be made.

    Observations are uint8 (144, 256, 3); actions float32 (6,) as `Action.to_array` gives them; rewards are 0 and an
    episode never ends. The same seed, conditions and actions give the same frames. `info` holds "pose": the eye's Pose;
    "depth": float32 (144, 256) metres along the viewing axis, FAR in the sky; "conditions": Conditions with the biomes
    near and ahead of the player; "blocked": whether something barred the way in this step; "timings": milliseconds by
    stage: "walk", "view" (find what is in view, make what is missing), "draw", "tell" (conditions), "read" (halve the
    picture and fetch it). What is shown already is not drawn again, and has no "view" and "draw".
    """

    def __init__(self) -> None:
        self.observation_space, self.action_space = observation_space(), action_space()
        self._renderer = Renderer()
        self._country: Country | None = None
        self._conditions = Conditions(meadow=1.0)
        self._light, self._light_of = light(self._conditions), self._conditions
        self._steps = 0
        self._drawn: dict[tuple[int, int], tuple[Pose, Conditions, int]] = {}
        """The instant that the renderer's picture of each size shows."""
        self._timings: dict[str, float] = {}
        self._began = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """A new country. `options={"conditions": Conditions or float32 (18,)}`, else they are drawn from the seed."""
        super().reset(seed=seed)
        world_seed = int(self.np_random.integers(1 << 20))
        given = (options or {}).get("conditions")
        drawn = self.sample_conditions(self.np_random)
        self._conditions = drawn if given is None else as_conditions(given)
        self._steps = 0
        self._drawn.clear()
        self._timings, self._began = {}, time.perf_counter()
        with self._renderer.context:
            self._country = Country(self._conditions, world_seed, self._renderer.pool)
            self._walker = Walker.spawn(self._country, world_seed)
            return self._observe(blocked=False)

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """1/24 s of world time. Raises ValueError for an action of wrong shape or range."""
        self._steps += 1
        self._timings, self._began = {}, time.perf_counter()
        with self._renderer.context:
            blocked = self._walker.step(Action.from_array(action))
            self._lap("walk")
            observation, info = self._observe(blocked)
        return observation, 0.0, False, False, info

    def sample_conditions(self, rng: np.random.Generator) -> Conditions:
        """Random conditions that cover every biome, hour and weather."""
        return sample_conditions(rng)

    def set_conditions(self, conditions: Conditions) -> None:
        """Takes over hour, fog, rain, snowfall and clouds from now on; the lay of the land stays until `reset`."""
        self._conditions = self._conditions.with_sky_of(conditions)

    def picture(self, width: int, height: int) -> Observation:
        """This same instant as uint8 (height, width, 3) of any 16:9 size."""
        with self._renderer.context:
            self._draw((width, height))
            return self._renderer.picture((width, height))

    def close(self) -> None:
        """Frees the OpenGL context."""
        self._renderer.close()

    def _draw(self, size: tuple[int, int]) -> None:
        if self._country is None:
            raise gymnasium.error.ResetNeeded("call reset() first")
        pose, falling = self._walker.pose, max(self._conditions.rain, self._conditions.snowfall) > 0
        instant = pose, self._conditions, self._steps if falling else 0
        if self._drawn.get(size) == instant:
            return
        if self._light_of is not self._conditions:
            self._light, self._light_of = light(self._conditions), self._conditions
        view, seconds = Frustum(pose), self._steps / STEPS_PER_SECOND
        faces = self._country.faces(pose, view)
        self._lap("view")
        self._renderer.draw(size, view, faces, self._light, self._conditions, seconds)
        self._lap("draw")
        self._drawn[size] = instant

    def _observe(self, blocked: bool) -> tuple[Observation, dict[str, Any]]:
        self._draw(_SIZE)
        pose = self._walker.pose
        conditions = self._conditions.with_biomes(self._local_biomes(pose))
        self._lap("tell")
        depth, observation = self._renderer.depth(_SIZE), self._renderer.picture(_SIZE)
        self._lap("read")
        timings = self._timings
        return observation, {
            "pose": pose, "depth": depth, "conditions": conditions, "blocked": blocked, "timings": timings
        }  # fmt: skip

    def _lap(self, stage: str) -> None:
        """Notes the milliseconds since the last stage ended."""
        now = time.perf_counter()
        self._timings[stage] = (now - self._began) * 1e3
        self._began = now

    def _local_biomes(self, pose: Pose) -> Floats:
        """Mean weights around the player and some 30 m ahead."""
        assert self._country is not None
        sin, cos = math.sin(pose.yaw), math.cos(pose.yaw)
        fan = ((pose.x + a * sin + r * cos, pose.y + a * cos - r * sin) for a, r in _FAN)
        return self._country.biomes(fan)


_FAN = ((0, 0), (15, -6), (15, 6), (30, -15), (30, 0), (30, 15), (60, 0))
"""Metres ahead and to the right."""
