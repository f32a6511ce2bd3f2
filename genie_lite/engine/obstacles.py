"""Obstacles: what stands in the way, where its depth is known. A place is where the eye is, at its usual height above
the ground: x, y, z in metres (3, float64)."""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor

from genie_lite.camera import EYE_HEIGHT, THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.engine.ring import Ring
from genie_lite.model.reproject import camera_rays, metres, pixel_at, project, rotation

MOST_POINTS, NEAREST, FARTHEST = 8192, 1.0, 6.0
"""Points that are kept, and the metres of depth from and up to which they are: nearer things were seen better from
farther away."""

STEEP = 1.5
"""From how steep on a surface is no ground; what can be walked rises at most as much as it goes on."""

SAME = 0.1
"""By how much of its depth (as a logarithm) the pixel beside one may be nearer or farther to be of the same thing."""

SURE = 0.5
"""Trust from which on depth is known."""

REACH = 0.55
"""Metres around the player's middle in which nothing may stand."""

LOW = 1.4
"""Metres above the ground below which things are stepped over: where they barred the way they could not be seen."""

LEAST = 3
"""Points that bar the way: fewer may be a flaw of the depth."""

GONE = 1.25
"""How many times as far as a point what is seen there must be for the point to be gone."""

_EACH = slice(1, None, 2)
"""Rows and columns of a thumbnail that are kept."""


class Obstacles:
    """Points of things that stand, the oldest of which are forgotten."""

    def __init__(self) -> None:
        self._points = Ring(MOST_POINTS, 3, torch.float32)
        self._rays = camera_rays(torch.device("cpu")).reshape(3, THUMB_HEIGHT, THUMB_WIDTH)

    def look(self, log_depth: Tensor, trust: Tensor, pose: Tensor) -> None:
        """Takes in what a view shows: log-depth and how far it is to be trusted, 72 128 each, from a pose (5)."""
        depth, turn, here = metres(log_depth.float()), rotation(pose.float()), pose[:3].float()
        sure = trust > SURE
        self._let_go(torch.where(sure, depth, 0.0).flatten(), turn, here)
        points = torch.einsum("ij,jhw->ihw", turn, self._rays * depth)
        step = points[:, :-1] - points[:, 1:]
        steep = step[2] > STEEP * step[:2].norm(dim=0)
        # One step alone may be where the ground of one view ends and that of another begins; and what is between two
        # things where one hides the other is of neither.
        upright = steep[1:] & steep[:-1]
        whole = (depth[:, 1:] / depth[:, :-1]).log().abs() < SAME
        stands = upright[:, 1:] & (whole & ((depth > NEAREST) & (depth < FARTHEST) & sure)[:, 1:])[1:-1]
        self._points.add(points[:, 1:-1, 1:][:, _EACH, _EACH][:, stands[_EACH, _EACH]].T + here)

    def nearest(self, place: Tensor) -> float:
        """How near to a place something stands, in metres; REACH if it stands no nearer."""
        x, y, up = (self._points.rows - place.float()).unbind(1)
        away = (x * x + y * y)[(up > LOW - EYE_HEIGHT) & (up < 0)]
        away = away[away < REACH * REACH]
        return REACH if len(away) < LEAST else float(away.kthvalue(LEAST).values.sqrt())

    def branch(self) -> Obstacles:
        """The same points, kept apart from now on."""
        other = copy(self)
        other._points = self._points.branch()
        return other

    def _let_go(self, depth: Tensor, turn: Tensor, here: Tensor) -> None:
        """Forgets the points behind which something is seen; depth: metres, 9216, 0 where it is not known."""
        ahead = (self._points.rows - here) @ turn
        x, y, inside = project(ahead.T[None])
        gone = inside[0] & (depth[pixel_at(x[0], y[0])] > GONE * ahead[:, 2])
        self._points.rows[gone] = torch.inf
