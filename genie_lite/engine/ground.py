"""The ground: how high it is where one has walked, and about how high where it has been seen. A place is where the eye
is there at its usual height above the ground: x, y, z in metres (3, float64)."""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.camera import EYE_HEIGHT, THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.engine.ring import Ring
from genie_lite.model.reproject import camera_rays, metres, rotation

MOST_PLACES = 8192
"""Places that are known; then the oldest are forgotten."""

SPACING = 0.1
"""Metres between places along a path."""

NEAR = 0.3
"""Metres from a place within which it tells how high the ground is, less and less."""

LATELY = 0.5
"""Metres of path walked last that tell nothing: the ground one comes from is not the ground ahead."""

SOFTLY = 0.2
"""Metres by which known ground may lift or lower a step, so that the eye does not jump where paths meet."""

MOST_SEEN, FARTHEST = 4096, 12.0
"""Points of what was seen that are kept, about three seconds of walking, and the metres of depth up to which."""

AROUND = 1.0
"""Metres around a place from which points tell how the ground lies, less and less."""

LEAST_SEEN = 6
"""Points that must lie there."""

STEEP = 1.0
"""How steep ground may be, as a walk goes; what rises more is a tree or a wall."""

_ROWS, _COLUMNS = slice(THUMB_HEIGHT * 5 // 9, None, 4), slice(8, None, 16)
"""Pixels of a thumbnail that are kept: its lower part shows the ground."""


class Trodden:
    """Heights of the ground along the paths that were walked. It begins with the first of the places given (T 3)."""

    def __init__(self, floors: Tensor) -> None:
        # Each place, and the metres of path that led to it.
        self._places = Ring(MOST_PLACES, 4, torch.float64)
        self._length = 0.0
        self._keep(floors[0])

    def tread(self, place: Tensor) -> None:
        """Walks to a place, from the one that was kept last in a straight line."""
        start, way = self._last, place - self._last
        length = float(way[:2].norm())
        pieces = int(length / SPACING)
        for piece in range(1, pieces + 1):
            self._length += length / pieces
            self._keep(start + way * (piece / pieces))

    def above(self, place: Tensor) -> float | None:
        """Metres by which a place is to be lifted towards what is known of its ground; None where nothing is."""
        places, walked = self._places.rows[:, :3], self._places.rows[:, 3]
        away = (places[:, :2] - place[:2]).norm(dim=1)
        away = torch.where(walked <= self._length - LATELY, away, torch.inf)
        nearest = away.min()
        if nearest >= NEAR:
            return None
        # Between two places of one path it is what lies between their heights.
        weight = torch.exp((nearest / SPACING) ** 2 - (away / SPACING) ** 2)
        known = (weight * torch.where(weight > 0, places[:, 2], 0.0)).sum() / weight.sum()
        share = 1 - (nearest / NEAR) ** 2
        return float((share * (known - place[2])).clamp(-SOFTLY, SOFTLY))

    def branch(self) -> Trodden:
        """The same places, kept apart from now on."""
        other = copy(self)
        other._places = self._places.branch()
        return other

    def _keep(self, place: Tensor) -> None:
        self._places.add(F.pad(place, (0, 1), value=self._length)[None])
        self._last = place


class Seen:
    """Points of the ground as the last views showed it, which tell how it lies where they are close together."""

    def __init__(self) -> None:
        self._points = Ring(MOST_SEEN, 3, torch.float64)
        rays = camera_rays(torch.device("cpu")).reshape(3, THUMB_HEIGHT, THUMB_WIDTH)
        self._rays = rays[:, _ROWS, _COLUMNS].flatten(1)

    def look(self, log_depth: Tensor, pose: Tensor) -> None:
        """Takes in what a view shows: log-depth 72 128 from a pose (5)."""
        depth = metres(log_depth[_ROWS, _COLUMNS].float()).flatten()
        points = (rotation(pose.float()) @ (self._rays * depth)).T.double() + pose[:3]
        points = points[depth < FARTHEST]
        points[:, 2] += EYE_HEIGHT
        self._points.add(points)

    def lie(self, place: Tensor) -> tuple[float, Tensor, float]:
        """How the ground lies about a place: metres that it is higher than this, its slope to the east and north (2),
        and how sure that is, in [0, 1]: a plane through the points around, by least squares."""
        points = self._points.rows - place
        away = points[:, :2].norm(dim=1)
        near = (away < 2 * AROUND) & (points[:, 2].abs() < STEEP * away + 0.8)
        if int(near.sum()) < LEAST_SEEN:
            return 0.0, torch.zeros(2, dtype=torch.float64), 0.0
        points, weight = points[near], torch.exp(-((away[near] / AROUND) ** 2))
        columns = torch.cat([torch.ones_like(points[:, :1]), points[:, :2]], 1)
        # Few points on one side say little: without more the ground is taken to be level and here.
        doubt = torch.diag(torch.tensor([0.3, 0.6, 0.6], dtype=torch.float64))
        plane = torch.linalg.solve(columns.T @ (columns * weight[:, None]) + doubt, columns.T @ (weight * points[:, 2]))
        return float(plane[0]), plane[1:], float(weight.sum() / (weight.sum() + 3))

    def branch(self) -> Seen:
        """The same points, kept apart from now on."""
        other = copy(self)
        other._points = self._points.branch()
        return other
