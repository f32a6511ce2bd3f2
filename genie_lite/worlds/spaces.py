"""What all worlds take and show."""

from __future__ import annotations

import gymnasium
import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import ACTION_DIM
from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH
from genie_lite.conditions import Conditions

Observation = NDArray[np.uint8]


def observation_space() -> gymnasium.spaces.Box:
    """Frames, uint8 (144, 256, 3)."""
    return gymnasium.spaces.Box(0, 255, (FRAME_HEIGHT, FRAME_WIDTH, 3), np.uint8)


def action_space() -> gymnasium.spaces.Box:
    """Actions as `Action.to_array` gives them, float32 (6,)."""
    return gymnasium.spaces.Box(
        np.array([-1, -1, -1, -1, 0, 0], np.float32), np.ones(ACTION_DIM, np.float32), dtype=np.float32
    )


def as_conditions(given: Conditions | NDArray[np.float32]) -> Conditions:
    """Conditions from themselves or from a float32 (18,) vector. Raises ValueError for another shape."""
    return given if isinstance(given, Conditions) else Conditions.from_array(given)
