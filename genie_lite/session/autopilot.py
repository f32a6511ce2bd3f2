"""A walker that needs no player: it goes somewhere, now and then looks around, rests or runs, and turns where something
is in the way."""

from __future__ import annotations

import math
import random

import numpy as np

from genie_lite.actions import STEPS_PER_SECOND, Action
from genie_lite.camera import Pose, metres
from genie_lite.engine.protocol import Frame

MODES = {
    "walk": (6, 2.0, 5.0, 0.18),
    "run": (1, 1.0, 3.0, 0.08),
    "rest": (1, 1.0, 2.0, 0.0),
    "look around": (2, 2.0, 4.0, 0.7),
}
"""How often relative to the others, at least and at most how many seconds, and the sharpest turn."""

PROGRESS = 0.02
"""Metres a step below which a walker counts as stuck."""

PATIENCE = STEPS_PER_SECOND // 2

AHEAD, ROWS = slice(32, 96), slice(26, 41)
"""The part of a thumbnail that shows what one may walk into; level ground is no nearer than 20 m there."""

CLEAR = 10.0
"""Metres from which on something ahead is in the way."""

SWERVE = 3.0
"""How sharply to turn from it: 1 is as sharp as can be when a third of the part above is filled from close by."""


class Autopilot:
    """The same seed and the same frames give the same actions."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._mode, self._left = "walk", 3 * STEPS_PER_SECOND
        self._turn, self._look, self._goal_turn = 0.0, 0.0, 0.0
        self._stuck = 0
        self._last: Pose | None = None

    def action(self, frame: Frame) -> Action:
        """What to do, having seen this frame."""
        self._notice_wall(frame.pose)
        if self._left == 0:
            self._choose()
        self._left -= 1
        self._turn += (self._goal_turn - self._turn) * 0.15
        look = _clamped(-2.0 * frame.pose.pitch + self._look)
        forward = 1.0 if self._mode in ("walk", "run") else 0.0
        swerve = _swerve(frame) if forward else 0.0
        turn = _clamped(self._turn * (1 - abs(swerve)) + swerve)
        return Action(forward=forward, turn=turn, look=look, run=self._mode == "run")

    def _choose(self) -> None:
        shares = [share for share, *_ in MODES.values()]
        self._mode = self._random.choices(list(MODES), shares)[0]
        _, shortest, longest, sharpest = MODES[self._mode]
        self._left = round(self._random.uniform(shortest, longest) * STEPS_PER_SECOND)
        self._goal_turn = self._random.uniform(-sharpest, sharpest)
        self._look = self._random.uniform(-0.25, 0.25) if self._mode == "look around" else 0.0

    def _notice_wall(self, pose: Pose) -> None:
        """Half a second without progress means that something is in the way: turn to one side and go on."""
        walking = self._mode in ("walk", "run")
        moved = math.inf if self._last is None else math.hypot(pose.x - self._last.x, pose.y - self._last.y)
        self._last = pose
        self._stuck = self._stuck + 1 if walking and moved < PROGRESS else 0
        if self._stuck >= PATIENCE:
            self._mode, self._left, self._stuck = "turn away", STEPS_PER_SECOND, 0
            self._goal_turn = self._random.choice((-1.0, 1.0)) * self._random.uniform(0.6, 1.0)


def _swerve(frame: Frame) -> float:
    """The turn, -1 to 1, away from what is near ahead, to the side where there is less of it."""
    if frame.thumbnail is None:
        return 0.0
    near = (1 - np.quantile(metres(frame.thumbnail[3, ROWS, AHEAD]), 0.3, axis=0) / CLEAR).clip(0, 1)
    left, right = (float(side.mean()) for side in np.split(near, 2))
    return math.copysign(min(1.0, SWERVE * (left + right) / 2), left - right)


def _clamped(value: float) -> float:
    return min(1.0, max(-1.0, value))
