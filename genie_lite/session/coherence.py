"""How well the dream holds together, judged while playing from nothing but the frames. numpy only.

Four frames a second are judged (see signals.py), about 0.5 ms a frame on average. With a fit that came with the weights
the score is calibrated: 1 less the distance to expect between the dream's picture and the one that the simulator would
have shown, in the judge's measure, where 0 is no better than an unrelated picture. Without a fit it is one by hand.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np

from genie_lite.actions import STEPS_PER_SECOND, Action
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import Frame
from genie_lite.session.calibration import Calibration, by_hand
from genie_lite.session.signals import Signals

SMALLEST = 0.02
"""A second counts at least this much in the fitted decay, whose logarithm must stay finite."""

ONE_ALARM = STEPS_PER_SECOND
"""Alarms closer together, in steps, are one."""


class CoherenceMeter:
    """Fed one frame at a time; knows the score now, its curve by second, and how long the world held.

    calibration: the fit for the weights that dream. `note` tells the player if there is none.
    """

    def __init__(self, calibration: Calibration | None = None) -> None:
        self.calibration = calibration
        self.note = "" if calibration else "not calibrated"
        self.reset()

    def reset(self) -> None:
        """Forgets everything, as at the start of an episode."""
        self._signals = Signals()
        self._found: dict[str, float] = {}
        self._now = 1.0
        self._alarmed_at: int | None = None
        self._steps = 0
        self._recent: deque[float] = deque(maxlen=STEPS_PER_SECOND)
        self._second: list[float] = []
        self.curve: list[float] = []
        """Mean score of every full second of world time."""
        self.alarms: list[tuple[float, str]] = []
        """When something disturbed the dream, in seconds of world time, and what kind of thing; only a calibrated meter
        notices."""

    @property
    def score(self) -> float:
        """The mean score over the last second, in [0, 1]; 1 before the first frame."""
        return sum(self._recent) / len(self._recent) if self._recent else 1.0

    @property
    def alarm(self) -> bool:
        """Whether something disturbed the dream within the last second."""
        return self._alarmed_at is not None and self._steps - self._alarmed_at <= ONE_ALARM

    @property
    def signals(self) -> dict[str, float]:
        """The signals of the last judged frame by name, in their own units; only those that it could give."""
        return dict(self._found)

    def update(self, frame: Frame, action: Action | None = None, asked: Conditions | None = None) -> float:
        """Takes in the next frame and returns the score over the last second.

        action: what the player asked for in this step; asked: what the world was asked to be like. Left out, the frame
        is taken at its word.
        """
        found = self._signals.update(frame, action, asked)
        if found is not None:
            self._judge(found)
        self._steps += 1
        self._recent.append(self._now)
        self._second.append(self._now)
        if len(self._second) == STEPS_PER_SECOND:
            self.curve.append(sum(self._second) / STEPS_PER_SECOND)
            self._second = []
        return self.score

    def _judge(self, found: dict[str, float]) -> None:
        broken = not all(map(math.isfinite, found.values()))
        self._found = {} if broken else found
        if broken:  # A picture of no numbers shows nothing.
            self._now = 0.0
            return
        if self.calibration is None:
            self._now = by_hand(found)
            return
        self._now, kind = self.calibration.judge(found), self.calibration.disturbed(found)
        if kind is not None:
            if not self.alarm:
                self.alarms.append((round(self._steps / STEPS_PER_SECOND, 2), kind))
            self._alarmed_at = self._steps

    @property
    def decay(self) -> tuple[float, float] | None:
        """The exponential through the curve (least squares of its logarithm): score at second 0, seconds to half of it.

        None for a curve of under three seconds, or one that falls by less than a twentieth on the whole.
        """
        if len(self.curve) < 3:
            return None
        seconds = np.arange(len(self.curve)) + 0.5
        slope, start = np.polyfit(seconds, np.log(np.maximum(self.curve, SMALLEST)), 1)
        if slope * len(self.curve) >= math.log(0.95):
            return None
        return math.exp(start), math.log(2) / -float(slope)

    @property
    def half_life(self) -> float | None:
        """Seconds in which the score halves, by `decay`; None when it does not fall."""
        return None if self.decay is None else self.decay[1]

    def summary(self) -> dict[str, Any]:
        """What a report tells: plain numbers and lists. best, worst: seconds of world time, counted from 0."""
        rounded = [round(value, 4) for value in self.curve]
        decay = self.decay
        return {
            "score": round(self.score, 4),
            "calibrated": self.calibration is not None,
            "note": self.note,
            "mean": round(sum(self.curve) / len(self.curve), 4) if self.curve else None,
            "lowest": min(rounded, default=None),
            "best_second": self.best_second,
            "worst_second": self.worst_second,
            "half_life_s": None if decay is None else round(decay[1], 1),
            "decay_start": None if decay is None else round(decay[0], 4),
            "alarms": [{"at_s": at, "kind": kind} for at, kind in self.alarms],
            "curve": rounded,
            "signals": {name: round(value, 4) for name, value in self._found.items()},
            "quality": dict(self.calibration.quality) if self.calibration else None,
        }

    @property
    def best_second(self) -> int | None:
        """The first second of the highest score; None before one is full."""
        return self.curve.index(max(self.curve)) if self.curve else None

    @property
    def worst_second(self) -> int | None:
        """The first second of the lowest score; None before one is full."""
        return self.curve.index(min(self.curve)) if self.curve else None
