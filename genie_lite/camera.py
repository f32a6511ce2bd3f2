"""The camera that simulator, memory and model share: geometry only, no pictures.

World axes: x east, y north, z up, metres. Yaw 0 looks north (+y) and grows to the right (clockwise seen from above);
pitch grows upwards. Depth is the distance along the viewing axis (planar), not along the ray.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genie_lite.actions import LOOK_RATE, PITCH_LIMIT, STEPS_PER_SECOND, TURN_RATE, Action

FRAME_HEIGHT, FRAME_WIDTH = 144, 256
THUMB_HEIGHT, THUMB_WIDTH = 72, 128
VERTICAL_FOV = math.radians(60)
NEAR, FAR = 0.25, 512.0
"""Depth range in metres; the sky is at FAR."""

EYE_HEIGHT = 1.7
"""Metres of the eye above the ground it stands on."""

TAN_Y = math.tan(VERTICAL_FOV / 2)
TAN_X = TAN_Y * 16 / 9
"""Half extents of the picture at depth 1."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the eye is (x, y, z in metres) and where it looks (yaw, pitch in radians; yaw is never wrapped)."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0

    def to_array(self) -> NDArray[np.float64]:
        """float64 (5,): x, y, z, yaw, pitch."""
        return np.array([self.x, self.y, self.z, self.yaw, self.pitch])

    @classmethod
    def from_array(cls, values: ArrayLike) -> Pose:
        """The inverse of `to_array`."""
        return cls(*(float(v) for v in np.asarray(values, np.float64)))

    def rotated(self, action: Action) -> Pose:
        """The pose after the action's turn and look, which nothing in the world can block."""
        yaw = self.yaw + action.turn * TURN_RATE / STEPS_PER_SECOND
        pitch = self.pitch + action.look * LOOK_RATE / STEPS_PER_SECOND
        return replace(self, yaw=yaw, pitch=min(PITCH_LIMIT, max(-PITCH_LIMIT, pitch)))

    def moved(self, forward: float, right: float, up: float) -> Pose:
        """The pose moved in metres along its own heading (yaw only)."""
        sin, cos = math.sin(self.yaw), math.cos(self.yaw)
        return replace(
            self, x=self.x + forward * sin + right * cos, y=self.y + forward * cos - right * sin, z=self.z + up
        )


def log_depth(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Metres to [0, 1]: 0 at NEAR, 1 at FAR, logarithmic between."""
    return (np.log(np.clip(depth, NEAR, FAR) / NEAR) / math.log(FAR / NEAR)).astype(np.float32)


def metres(log_depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse: log-depth in [0, 1] -> depth in metres."""
    return (NEAR * np.exp(log_depth * math.log(FAR / NEAR))).astype(np.float32)
