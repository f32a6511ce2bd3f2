"""A world that only counts: the landscape's contract without OpenGL, for tests of everything that uses a world."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import RUN_SPEED, STEPS_PER_SECOND, WALK_SPEED, Action
from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH, Pose
from genie_lite.conditions import Conditions
from genie_lite.worlds.spaces import Observation, action_space, as_conditions, observation_space

DEPTH = 10.0
"""Metres, everywhere."""


class CountingWorld(gymnasium.Env[Observation, NDArray[np.float32]]):
    """Frame n has the colour (n % 256, n // 256 % 256, seed % 256); the pose moves as commanded, never blocked."""

    def __init__(self) -> None:
        self.observation_space, self.action_space = observation_space(), action_space()
        self._count, self._seed = 0, 0
        self._pose, self._conditions = Pose(z=1.7), Conditions(meadow=1.0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Frame 0, uint8 (144, 256, 3), at the origin. `options={"conditions": Conditions or float32 (18,)}`."""
        super().reset(seed=seed)
        self._count, self._pose = 0, Pose(z=1.7)
        self._seed = 0 if seed is None else seed
        given = (options or {}).get("conditions")
        self._conditions = self.sample_conditions(self.np_random) if given is None else as_conditions(given)
        return self.picture(FRAME_WIDTH, FRAME_HEIGHT), self._info()

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One step of 1/24 s for a float32 (6,) action as `Action.to_array` makes it; never ends on its own."""
        wish = Action.from_array(action)
        distance = (RUN_SPEED if wish.run else WALK_SPEED) / STEPS_PER_SECOND
        self._pose = self._pose.rotated(wish).moved(wish.forward * distance, wish.strafe * distance, 0.0)
        self._count += 1
        return self.picture(FRAME_WIDTH, FRAME_HEIGHT), 0.0, False, False, self._info()

    def sample_conditions(self, rng: np.random.Generator) -> Conditions:
        """Random biome weights and hour."""
        return Conditions(meadow=1.0, hour=float(rng.uniform(0, 24))).with_biomes(rng.random(8))

    def set_conditions(self, conditions: Conditions) -> None:
        """What `info` reports from now on."""
        self._conditions = conditions

    def picture(self, width: int, height: int) -> Observation:
        """The present frame, uint8 (height, width, 3)."""
        colour = np.array([self._count % 256, self._count // 256 % 256, self._seed % 256], np.uint8)
        return np.broadcast_to(colour, (height, width, 3)).copy()

    def _info(self) -> dict[str, Any]:
        depth = np.full((FRAME_HEIGHT, FRAME_WIDTH), DEPTH, np.float32)
        return {"pose": self._pose, "depth": depth, "conditions": self._conditions, "blocked": False}
