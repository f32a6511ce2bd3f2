"""The player's body: walking, sliding along what bars the way, jumping, and where to begin."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Protocol

import numpy as np

from genie_lite.actions import RUN_SPEED, STEPS_PER_SECOND, WALK_SPEED, Action
from genie_lite.camera import EYE_HEIGHT, Pose
from genie_lite.worlds.landscape.noise import Floats
from genie_lite.worlds.landscape.objects import push_out
from genie_lite.worlds.landscape.terrain import WATER_LEVEL, Terrain

_WADE = 0.6
_STEEPEST = 1.0
_GRAVITY = 12.0
_JUMP_SPEED = math.sqrt(2 * _GRAVITY * 1.0)
_SLIDES = (0.0, 0.5, -0.5, 1.0, -1.0)


class Ground(Protocol):
    """What a walker needs to know of the country."""

    terrain: Terrain

    def ground(self, x: float, y: float) -> float:
        """Height in metres."""

    def obstacles(self, x: float, y: float, reach: float = 8.0) -> tuple[Floats, Floats]:
        """Circles (N, 3) and walls (M, 6) near a point."""


class Walker:
    """Moves a Pose over the ground, step by step."""

    def __init__(self, country: Ground, pose: Pose) -> None:
        self.pose = pose
        self._country = country
        self._floor = country.ground(pose.x, pose.y)
        self._height, self._climb = 0.0, 0.0
        self.pose = replace(pose, z=self._floor + EYE_HEIGHT)

    @classmethod
    def spawn(cls, country: Ground, seed: int) -> Walker:
        """A walker on free, dry, rather level ground, looking where the view is open."""
        places = np.random.default_rng(seed).uniform(-110, 110, (32, 2))
        views = _views(country.terrain, places)
        best, best_score = Pose(), -math.inf
        # What stands around is costly to know, so only the fairest places are looked at closely.
        for index in np.argsort(-views.max(1))[:6]:
            x, y = (float(v) for v in places[index])
            scores = views[index] - _crowd(country, x, y)
            if scores.max() > best_score:
                best, best_score = Pose(x, y, 0.0, float(_ANGLES[scores.argmax()])), float(scores.max())
        x, y = push_out(best.x, best.y, *country.obstacles(best.x, best.y))
        return cls(country, replace(best, x=x, y=y))

    def step(self, action: Action) -> bool:
        """Moves for 1/24 s; True if something barred the way."""
        turned = self.pose.rotated(action)
        length = max(math.hypot(action.forward, action.strafe), 1.0)
        stride = (RUN_SPEED if action.run else WALK_SPEED) / STEPS_PER_SECOND / length
        wish = turned.moved(action.forward * stride, action.strafe * stride, 0.0)
        x, y = self._slide(wish.x, wish.y)
        blocked = math.hypot(x - wish.x, y - wish.y) > 0.02 * stride
        floor = self._country.ground(x, y)
        # The eye follows the ground softly, so that edges between facets are not felt.
        self._floor += (floor - self._floor) * 0.35
        self._jump(action.jump)
        self.pose = replace(turned, x=x, y=y, z=max(self._floor, WATER_LEVEL - _WADE) + self._height + EYE_HEIGHT)
        return blocked

    def _jump(self, wanted: bool) -> None:
        if wanted and self._height == 0.0:
            self._climb = _JUMP_SPEED
        if self._climb or self._height:
            self._height += self._climb / STEPS_PER_SECOND - 0.5 * _GRAVITY / STEPS_PER_SECOND**2
            self._climb -= _GRAVITY / STEPS_PER_SECOND
            if self._height <= 0.0:
                self._height, self._climb = 0.0, 0.0

    def _slide(self, x: float, y: float) -> tuple[float, float]:
        """Where a step towards (x, y) ends: there, or aside of what bars the way, or nowhere."""
        dx, dy = x - self.pose.x, y - self.pose.y
        if dx == 0.0 and dy == 0.0:
            return x, y
        circles, walls = self._country.obstacles(x, y)
        here = self._country.ground(self.pose.x, self.pose.y)
        for angle in _SLIDES:
            sin, cos = math.sin(angle), math.cos(angle)
            to = self.pose.x + cos * (dx * cos - dy * sin), self.pose.y + cos * (dx * sin + dy * cos)
            to = push_out(*push_out(*to, circles, walls), circles, walls)
            there = self._country.ground(*to)
            rise = there - here
            too_deep = there < WATER_LEVEL - _WADE and rise < 0
            if not too_deep and rise <= _STEEPEST * max(math.hypot(to[0] - self.pose.x, to[1] - self.pose.y), 1e-6):
                return to
        return self.pose.x, self.pose.y


_ANGLES = np.arange(12) * (2 * math.pi / 12)


def _views(terrain: Terrain, places: Floats) -> Floats:
    """How fair the lie of the land is in every direction from places (N, 2): open nearby, rising land or water far
    off. Returns (N, 12)."""
    reach = np.array([0.0, 4.0, 9.0, 18.0, 40.0, 90.0, 160.0])[:, None, None]
    at = places[:, :, None]
    z = terrain.height(at[:, 0] + reach * np.sin(_ANGLES), at[:, 1] + reach * np.cos(_ANGLES))
    eye, near = z[0] + EYE_HEIGHT, z[:2].transpose(1, 0, 2).reshape(len(places), -1)
    unfit = 6.0 * np.maximum(1.3 - near.min(1), 0.0) + 1.5 * np.maximum(np.ptp(near, 1) - 1.5, 0.0)
    wall = np.maximum((z[1:5] - eye + 0.6) / reach[1:5], 0.0).sum(0) * 8
    far = np.clip((z[5] - eye) / 25, -0.3, 0.8) + np.clip((z[6] - eye) / 25, -0.2, 1.4)
    lake = 0.6 * (z[4:6] < 0).any(0) * (z[1:4] > 0.3).all(0)
    return far + lake - wall - unfit[:, None]


def _crowd(country: Ground, x: float, y: float) -> Floats:
    """How much stands in the way in every direction (12,); negative where there is something to look at farther off."""
    crowd = np.zeros(len(_ANGLES))
    circles, walls = country.obstacles(x, y, 30.0)
    for cx, cy, radius in (*circles, *((w[0], w[1], 4.0) for w in walls)):
        away = math.hypot(cx - x, cy - y)
        ahead = np.cos(_ANGLES - math.atan2(cx - x, cy - y))
        if away < 10.0 + radius:
            crowd += np.exp(3 * (ahead - 1)) * (0.9 + radius) * (5 if away < 5 + radius else 1)
        elif away < 34.0:
            crowd -= (0.2 if radius < 4.0 else 0.5) * (ahead > 0.75)
    return crowd
