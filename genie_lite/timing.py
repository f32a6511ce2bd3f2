"""Time: one stopwatch for stages and one pacer for the frame rate, both with an injected clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

Clock = Callable[[], float]
"""Seconds that only grow, as time.perf_counter returns them."""


class Stopwatch:
    """Adds up the milliseconds spent in named stages of one frame."""

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block and adds it to `milliseconds[name]`."""
        start = self._clock()
        try:
            yield
        finally:
            self.milliseconds[name] = self.milliseconds.get(name, 0.0) + (self._clock() - start) * 1e3


class Pace(Protocol):
    """What a loop needs of a `Pacer`."""

    def wait(self) -> None:
        """Returns when the next turn is due."""
        ...

    def restart(self) -> None:
        """Forgets the schedule."""
        ...

    @property
    def fps(self) -> float:
        """Turns a second as measured."""
        ...


class Pacer:
    """Holds a frame rate with absolute deadlines: errors do not add up, and a stall is never caught up.

    Call `wait()` before input is read, so that the input is fresh.
    """

    def __init__(
        self, rate: float, clock: Clock = time.perf_counter, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._period, self._clock, self._sleep = 1.0 / rate, clock, sleep
        self._deadline: float | None = None
        self._ticks: deque[float] = deque(maxlen=48)

    def wait(self) -> None:
        """Sleeps until the next deadline; after a stall of more than one period the schedule starts anew."""
        now = self._clock()
        if self._deadline is None or now - self._deadline > self._period:
            self._deadline = now
        elif now < self._deadline:
            self._sleep(self._deadline - now)
        self._deadline += self._period
        self._ticks.append(self._clock())

    def restart(self) -> None:
        """Forgets the schedule, as after a pause."""
        self._deadline = None
        self._ticks.clear()

    @property
    def fps(self) -> float:
        """Frames a second measured over the last two seconds at most; 0 until two frames were shown."""
        if len(self._ticks) < 2 or self._ticks[-1] <= self._ticks[0]:
            return 0.0
        return (len(self._ticks) - 1) / (self._ticks[-1] - self._ticks[0])
