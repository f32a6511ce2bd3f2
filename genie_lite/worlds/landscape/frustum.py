"""What a camera can see, tested on the processor so that the graphics card is spared the rest."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from genie_lite.camera import TAN_X, TAN_Y, Pose
from genie_lite.worlds.landscape.noise import Floats


class Frustum:
    """The view from a pose. Nothing that can be seen is ever told to be out of sight; a little that cannot be may pass.

    eye: (3,) metres; right, up, ahead: unit vectors (3,).
    """

    def __init__(self, pose: Pose) -> None:
        sin, cos = math.sin(pose.yaw), math.cos(pose.yaw)
        dip, rise = math.sin(pose.pitch), math.cos(pose.pitch)
        self.eye = np.array([pose.x, pose.y, pose.z])
        self.right = np.array([cos, -sin, 0.0])
        self.ahead = np.array([sin * rise, cos * rise, dip])
        self.up = np.array([-sin * dip, -cos * dip, rise])
        wide, high = TAN_X * self.ahead, TAN_Y * self.ahead
        # Inward normals of the four sides.
        self._sides = np.array([wide - self.right, wide + self.right, high - self.up, high + self.up])

    def sees_boxes(self, middle: Floats, half: Floats) -> NDArray[np.bool_]:
        """Whether each of N boxes about the points `middle` (N, 3) in world metres, with `half` their sizes (N, 3), may
        be in view."""
        reach = half @ np.abs(self._sides).T
        reach += (middle - self.eye) @ self._sides.T
        return (reach >= 0.0).all(1)

    def sees_balls(self, axes: Floats, radii: Floats) -> NDArray[np.bool_]:
        """Whether each of N balls about the points `axes` (N, 3), relative to the eye, with `radii` (N,), may be in
        view."""
        return (axes @ self._sides.T >= -math.hypot(1, TAN_X) * radii[:, None]).all(1)
