"""The one action type of simulator, model, keyboard, mouse, gamepad and recordings."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

STEPS_PER_SECOND = 24
"""World time: one action and one frame every 1/24 s."""

WALK_SPEED, RUN_SPEED = 4.5, 9.0
"""Metres a second, on level ground."""

TURN_RATE = math.pi / 2
"""Radians a second that `turn = 1` adds to yaw: a full turn takes 4 s, 96 steps."""

LOOK_RATE = math.pi / 4
"""Radians a second that `look = 1` adds to pitch."""

JUMP_STEPS = 20
"""Frames that a jump lasts; the key does nothing before one lands."""

PITCH_LIMIT = 0.6
"""Pitch is kept within +- this many radians."""


@dataclass(frozen=True, slots=True)
class Action:
    """What the player asks for during one step.

    forward, strafe (right is +), turn (right is +), look (up is +): floats in [-1, 1].
    Raises ValueError for a value outside that range or not finite.
    """

    forward: float = 0.0
    strafe: float = 0.0
    turn: float = 0.0
    look: float = 0.0
    jump: bool = False
    run: bool = False

    def __post_init__(self) -> None:
        for name in ("forward", "strafe", "turn", "look"):
            value = getattr(self, name)
            if not -1.0 <= value <= 1.0:
                raise ValueError(f"action {name}={value!r} is outside [-1, 1]")

    def to_array(self) -> NDArray[np.float32]:
        """float32 (6,): forward, strafe, turn, look, jump, run; the flags are 0 or 1."""
        return np.array([float(getattr(self, f.name)) for f in fields(self)], np.float32)

    @classmethod
    def from_array(cls, values: ArrayLike) -> Action:
        """The inverse of `to_array`; a flag is set above 0.5. Raises ValueError for a wrong shape or range."""
        array = np.asarray(values, np.float32)
        if array.shape != (ACTION_DIM,):
            raise ValueError(f"an action is {ACTION_DIM} numbers, not {array.shape}")
        forward, strafe, turn, look, jump, run = (float(v) for v in array)
        return cls(forward, strafe, turn, look, jump > 0.5, run > 0.5)


ACTION_DIM = len(fields(Action))
IDLE = Action()
