"""How much a coherence measurement measures, and how it follows its progress."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from genie_lite.actions import STEPS_PER_SECOND

Tick = Callable[[int], None]
"""Told after every piece of work how many frames it drew."""

MINUTE = 60 * STEPS_PER_SECOND


@dataclass(frozen=True)
class Plan:
    """Everything in frames of 1/24 s, unless said otherwise.

    history: true frames a dream begins from; every: frames between two judged ones of a rollout; next_frames, pictures:
    instants of each world; mirror: frames of the way out of a mirror walk; trips: (seconds there and back, in how many
    worlds); keys_worlds, idle_worlds, films: in how many worlds; minute: what the names with 60s mean.
    """

    episodes: int = 8
    history: int = 96
    horizon: int = MINUTE
    horizon_no_memory: int = 10 * STEPS_PER_SECOND
    every: int = 12
    next_frames: int = 5
    pictures: int = 2
    keys_worlds: int = 4
    key_steps: int = 12
    mirror: int = 3 * STEPS_PER_SECOND
    trips: tuple[tuple[int, int], ...] = ((5, 4), (15, 2), (30, 2))
    idle_worlds: int = 2
    films: int = 4
    minute: int = MINUTE

    def with_episodes(self, episodes: int) -> Plan:
        """The same plan for so many worlds; what only some of them take keeps its share, rounded up."""

        def share(worlds: int) -> int:
            return min(episodes, math.ceil(worlds * episodes / self.episodes))

        trips = tuple((seconds, share(worlds)) for seconds, worlds in self.trips)
        keys, idle = share(self.keys_worlds), share(self.idle_worlds)
        return replace(self, episodes=episodes, trips=trips, keys_worlds=keys, idle_worlds=idle)

    def frames(self, number: int) -> int:
        """About how many frames are drawn for world `number`, true ones as a quarter: for progress bars."""
        dreamed = self.horizon + self.horizon_no_memory + 2 * self.next_frames + 2 * self.mirror + 2 * 96
        dreamed += sum(seconds * STEPS_PER_SECOND for seconds, worlds in self.trips if number < worlds)
        dreamed += (number < self.idle_worlds) * self.minute + (number < self.keys_worlds) * 8 * self.key_steps
        return dreamed + 2 * (self.history + self.horizon) // 4


QUICK = Plan(
    episodes=4, horizon=10 * STEPS_PER_SECOND, horizon_no_memory=5 * STEPS_PER_SECOND, every=6,
    next_frames=3, keys_worlds=2, mirror=36, trips=((5, 2),), idle_worlds=0,
)  # fmt: skip
"""Two minutes on two cores; nobody stands idle for one of them."""
