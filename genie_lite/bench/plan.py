"""How much a coherence measurement measures, and how it follows its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genie_lite.actions import STEPS_PER_SECOND

Tick = Callable[[int], None]
"""Told after every piece of work how many frames it drew."""

MINUTE = 60 * STEPS_PER_SECOND


@dataclass(frozen=True)
class Plan:
    """Everything in frames of 1/24 s, unless said otherwise.

    history: true frames a dream begins from; every: frames between two judged ones of a rollout; keys_each, idle_each:
    of how many worlds one is measured; trips: (seconds there and back, of how many worlds one makes it); mirror: frames
    of the way out of a mirror walk; minute: what the names with 60s mean.
    """

    episodes: int = 8
    history: int = 96
    horizon: int = MINUTE
    horizon_no_memory: int = 10 * STEPS_PER_SECOND
    every: int = 6
    next_frames: int = 8
    pictures: int = 2
    keys_each: int = 1
    key_steps: int = 12
    mirror: int = 5 * STEPS_PER_SECOND
    trips: tuple[tuple[int, int], ...] = ((5, 1), (15, 2), (30, 4))
    idle_each: int = 3
    minute: int = MINUTE

    def frames(self, number: int) -> int:
        """About how many frames are drawn for world `number`, true ones as a quarter: for progress bars."""
        dreamed = self.horizon + self.horizon_no_memory + 2 * self.next_frames + 2 * self.mirror + 96
        dreamed += sum(seconds * STEPS_PER_SECOND for seconds, each in self.trips if number % each == 0)
        dreamed += (number % self.idle_each == 0) * self.minute + (number % self.keys_each == 0) * 8 * self.key_steps
        return dreamed + (self.history + self.horizon) // 4


QUICK = Plan(
    episodes=4, horizon=10 * STEPS_PER_SECOND, horizon_no_memory=3 * STEPS_PER_SECOND, next_frames=4, keys_each=2,
    mirror=2 * STEPS_PER_SECOND, trips=((5, 1),), idle_each=4,
)  # fmt: skip
"""Two minutes on two cores."""
